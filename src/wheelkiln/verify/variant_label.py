"""Variant labels of wheels (PEP 825, a draft): in the file name, and in a member of the wheel that explains them."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence

__all__ = ["VARIANT_MEMBER", "explain_label", "read_label", "split_label"]

VARIANT_MEMBER = "variant.json"
"""The member's name in *.dist-info."""
_SCHEMA = "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json"
_LABEL = re.compile(r"[0-9a-z_.]+")
_MAX_SIZE = 1 << 20
_PLAIN_PARTS = 5


def split_label(wheel_name: str) -> tuple[str, str]:
    """Return a wheel's name without its label, and the label, empty where there is none.

    A build tag starts with a digit, and a Python tag does not, so the two can be told apart (PEP 825: variant label).
    """
    stem = wheel_name.removesuffix(".whl")
    parts = stem.split("-")
    has_build = len(parts) > _PLAIN_PARTS and parts[2][:1].isdigit()
    plain = _PLAIN_PARTS + has_build
    if len(parts) != plain + 1 or not _LABEL.fullmatch(parts[-1]):
        return wheel_name, ""
    return f"{'-'.join(parts[:plain])}.whl", parts[-1]


def explain_label(label: str, properties: Mapping[str, Mapping[str, Sequence[str]]], namespaces: Sequence[str]) -> str:
    """Return the text of the member: what a label stands for, by namespace and feature.

    namespaces are those of all variants of the project, in falling priority.
    """
    table = {
        "$schema": _SCHEMA,
        "default-priorities": {"namespace": list(namespaces)},
        "variants": {
            label: {
                namespace: {feature: sorted(set(values)) for feature, values in sorted(features.items())}
                for namespace, features in sorted(properties.items())
            }
        },
    }
    return json.dumps(table, indent=2) + "\n"


def read_label(archive: zipfile.ZipFile) -> str:
    """Return the label that a wheel's own member explains, empty without one; raise ValueError for a broken one."""
    members = [m for m in archive.infolist() if re.fullmatch(rf"[^/]+\.dist-info/{VARIANT_MEMBER}", m.filename)]
    if not members:
        return ""
    if len(members) > 1 or members[0].file_size > _MAX_SIZE:
        raise ValueError(f"it does not have one readable .dist-info/{VARIANT_MEMBER}")
    table = json.loads(archive.read(members[0]))
    labels = list(table.get("variants", {})) if isinstance(table, dict) else []
    if len(labels) != 1:
        raise ValueError(f".dist-info/{VARIANT_MEMBER} does not explain one label")
    return str(labels[0])

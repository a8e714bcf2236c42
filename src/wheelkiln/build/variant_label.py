"""Giving a finished wheel its variant label (PEP 825, a draft): the file name, variant.json, and RECORD."""

from __future__ import annotations

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from wheelkiln.config.model import Config
from wheelkiln.config.variants import VariantConfig
from wheelkiln.plan.isa import parse_isa
from wheelkiln.verify.variant_label import VARIANT_MEMBER, explain_label

__all__ = ["label_wheel", "properties_of"]


def properties_of(variant: VariantConfig) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return what a variant says of its wheels' needs: its own properties, else those that its isa stands for.

    Only the names of x86_64 are derived: which exist is for a later PEP to say, and the draft's examples are of x86.
    """
    if variant.properties:
        return variant.properties
    (isa, *_) = [isa for isa in parse_isa(variant.isa, where="isa") if isa.arch == "x86_64"]
    level = {"level": (isa.level.removeprefix("x86-64-") or "v1",)} if isa.level else {}
    return {"x86_64": {**level, **{_feature(name): ("on",) for name in isa.features}}}


def _feature(name: str) -> str:
    """Spell a compiler's name of a feature as properties are spelt: avx512bf16 is avx512_bf16."""
    family, _, rest = name.partition("avx512")
    if not family and len(rest) > 2:  # noqa: PLR2004 - avx512f, avx512bw and their like are one word
        return f"avx512_{rest}"
    return name.replace("-", "_").replace(".", "_")


def label_wheel(wheel: Path, variant: VariantConfig, config: Config) -> Path:
    """Write the labelled wheel beside the plain one, the same for the same input, and return its path."""
    text = explain_label(variant.label, properties_of(variant), _namespaces(config)).encode()
    target = wheel.with_name(f"{wheel.stem}-{variant.label}.whl")
    with zipfile.ZipFile(wheel) as plain, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as labelled:
        (record,) = [entry for entry in plain.infolist() if entry.filename.endswith(".dist-info/RECORD")]
        for entry in plain.infolist():
            if entry is not record:
                with plain.open(entry) as source, labelled.open(entry, "w") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
        name = record.filename.replace("RECORD", VARIANT_MEMBER)
        labelled.writestr(_like(record, name), text)
        labelled.writestr(_like(record, record.filename), _with_line(plain.read(record), name, text))
    return target


def _namespaces(config: Config) -> tuple[str, ...]:
    """Return the namespaces of all variants with a label: each wheel names them all, in one order."""
    labelled = [variant for _, variant in sorted(config.variants.items()) if variant.label]
    return tuple(dict.fromkeys(name for variant in labelled for name in sorted(properties_of(variant))))


def _like(entry: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name, entry.date_time)
    made.external_attr, made.compress_type = entry.external_attr, zipfile.ZIP_DEFLATED
    return made


def _with_line(record: bytes, name: str, content: bytes) -> bytes:
    """Put a member before RECORD's own line (PEP 427: signed wheel files)."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    line = f"{name},sha256={digest},{len(content)}\n".encode()
    lines = record.splitlines(keepends=True)
    own = next((index for index, entry in enumerate(lines) if b".dist-info/RECORD," in entry), len(lines))
    return b"".join([*lines[:own], line, *lines[own:]])

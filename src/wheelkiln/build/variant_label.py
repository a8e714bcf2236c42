"""The variant label of a finished wheel (PEP 825, a draft): its file name, and the text of variant.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wheelkiln.config.model import Config
from wheelkiln.config.variants import VariantConfig
from wheelkiln.plan.isa import parse_isa
from wheelkiln.verify.variant_label import explain_label

__all__ = ["label_text", "labelled_name", "properties_of"]


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


def label_text(variant: VariantConfig, config: Config) -> str:
    """Return what the wheel of a variant with a label says of it."""
    return explain_label(variant.label, properties_of(variant), _namespaces(config))


def labelled_name(name: str, label: str) -> str:
    """Return a wheel's file name with a label, which may be empty."""
    return f"{name.removesuffix('.whl')}-{label}.whl" if label else name


def _namespaces(config: Config) -> tuple[str, ...]:
    """Return the namespaces of all variants with a label: each wheel names them all, in one order."""
    labelled = [variant for _, variant in sorted(config.variants.items()) if variant.label]
    return tuple(dict.fromkeys(name for variant in labelled for name in sorted(properties_of(variant))))

"""Attestations of pushed images: those that the builder can make."""

from __future__ import annotations

from collections.abc import Sequence

from wheelkiln.image.registry import Registry
from wheelkiln.system.engine import ContainerEngine

__all__ = ["choose_attestations"]

_SBOM_SCANNER = "docker/buildkit-syft-scanner:stable-1"
"""The image that BuildKit makes SBOMs with (docs.docker.com: SBOM attestations)."""


def choose_attestations(engine: ContainerEngine, wanted: str | Sequence[str]) -> tuple[str, ...]:
    """Resolve ``auto`` and ``none``; an SBOM is made where its scanner can be fetched. podman makes neither."""
    if engine.is_podman or wanted == "none":
        return ()
    if wanted != "auto":
        return tuple(wanted)
    return ("provenance", "sbom") if Registry(engine).resolves(_SBOM_SCANNER) else ("provenance",)

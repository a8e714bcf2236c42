"""Finding out what a moving base reference stands for, so that an image is named by what it is laid on."""

from __future__ import annotations

from dataclasses import replace

from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.registry import Registry
from wheelkiln.plan.model import Base, ImageSpec
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.image_store import ImageStore, LocalImage

__all__ = ["pin_bases"]


def pin_bases(
    spec: ImageSpec, memory: ImageMemory, engine: ContainerEngine | None, *, refresh: bool = False
) -> ImageSpec:
    """Return the spec with the digests of bases that are named by a tag.

    A digest is looked up once and remembered, until refresh asks again and gets an answer. Without an engine only what
    is remembered counts. An image that no registry knows is named by its local content.
    """
    if spec.bootstrap is not None:
        return spec
    return replace(spec, bases=tuple(_pin(base, memory, engine, refresh=refresh) for base in spec.bases))


def _pin(base: Base, memory: ImageMemory, engine: ContainerEngine | None, *, refresh: bool) -> Base:
    if base.digest or "@" in base.reference:
        return base
    known = memory.base_digest(base.reference)
    if engine is not None and (refresh or not known):
        found = Registry(engine).resolves(base.reference)
        if found:
            memory.remember_base(base.reference, found)
        known = found or known
    if known:
        return replace(base, digest=known)
    local = _find_local(base, engine) if engine is not None else None
    return replace(base, digest=local.id, is_local=True) if local else base


def _find_local(base: Base, engine: ContainerEngine) -> LocalImage | None:
    """Look into the engine's store; podman, which cannot ask a registry for a digest, fetches the image first."""
    store = ImageStore(engine)
    found = store.find(base.reference)
    if found is None and engine.is_podman:
        engine.run("pull", "--quiet", f"--platform={base.platform}", base.reference)
        found = store.find(base.reference)
    return found

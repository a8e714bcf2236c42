"""Bringing an image from one engine to another: through a registry that both know, else as an archive."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.files import free_bytes, make_directory, naming_storage_errors
from wheelkiln.system.image_store import ImageStore, LocalImage

__all__ = ["copy_image", "has_same"]

_SETTING = "[tool.wheelkiln.cache] dir"


def has_same(engine: ContainerEngine, image: LocalImage) -> bool:
    """Tell whether an engine has this very image under its name."""
    there = ImageStore(engine).find(image.reference)
    return there is not None and there.content == image.content != ""


def copy_image(
    image: LocalImage,
    source: ContainerEngine,
    target: ContainerEngine,
    *,
    cache_dir: Path,
    say: Callable[[str], None],
) -> None:
    """Copy an image by its archive; raise EnvironmentProblem with the reason where that fails."""
    place = make_directory(cache_dir / "tmp", setting=_SETTING)
    if free_bytes(place) < image.size:
        raise EnvironmentProblem(
            f"the image {image.reference} is to be copied to another engine, and {place} has no room for it",
            hint="Free some space there, or let engines pull it: 'wheelkiln image push' and image.repository.",
        )
    say(f"copying the image {image.reference} to {target.host or 'this machine'}")
    with naming_storage_errors(place, setting=_SETTING), tempfile.TemporaryDirectory(dir=place, prefix="copy-") as name:
        archive = Path(name) / "image.tar"
        ImageStore(source).save_archive(image.reference, archive)
        ImageStore(target).load_archive(archive)
    if not has_same(target, image):
        raise EnvironmentProblem(f"{target.host or 'this machine'} took in {image.reference} and does not have it")

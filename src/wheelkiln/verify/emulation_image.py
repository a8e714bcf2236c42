"""Which of the images at hand can try a wheel, and with which of its Pythons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.utils import parse_wheel_filename

from wheelkiln.system.image_store import LocalImage
from wheelkiln.verify.tags import serves
from wheelkiln.verify.variant_label import split_label

__all__ = ["VERSIONS_LABEL", "TrialImage", "architectures_of", "choose_image"]

VERSIONS_LABEL = "io.wheelkiln.versions"
"""The label of our images that names what is in them."""
_PYTHON = re.compile(r"\b(cp3[0-9]+)-\1(t?) ")
_ARCHITECTURES = ("x86_64", "aarch64")


@dataclass(frozen=True, slots=True)
class TrialImage:
    """An image by its reference, and the tag of an interpreter in it that the wheel is for."""

    reference: str
    python: str


def architectures_of(wheel: str) -> tuple[str, ...]:
    """Return the architectures that a wheel's file name says that it is for; none where it is for any."""
    tags = parse_wheel_filename(split_label(wheel)[0])[3]
    return tuple(arch for arch in _ARCHITECTURES if any(tag.platform.endswith(f"_{arch}") for tag in tags))


def choose_image(wheel: str, arch: str, images: Iterable[LocalImage]) -> TrialImage | None:
    """Return the newest image that can install the wheel; of several Pythons the oldest that it is for."""
    for image in sorted(images, key=lambda image: image.created, reverse=True):
        if image.arch == arch:
            for python in _pythons(image):
                if serves(wheel, f"{python}-{_family(image)}_{arch}"):
                    return TrialImage(image.reference, python)
    return None


def _family(image: LocalImage) -> str:
    return "musllinux" if "libc musl" in image.labels.get(VERSIONS_LABEL, "") else "manylinux"


def _pythons(image: LocalImage) -> Iterator[str]:
    """Yield the tags of an image's interpreters; one that does not tell is taken to have all that wheels are for."""
    told = [match[1] + match[2] for match in _PYTHON.finditer(image.labels.get(VERSIONS_LABEL, "") + " ")]
    yield from sorted(
        told or (f"cp3{minor}" for minor in range(9, 15)), key=lambda tag: (int(tag[3:].rstrip("t")), tag)
    )

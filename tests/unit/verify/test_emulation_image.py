from __future__ import annotations

import pytest

from wheelkiln.system.image_store import LocalImage
from wheelkiln.verify.emulation_image import VERSIONS_LABEL, TrialImage, architectures_of, choose_image

GLIBC = "gcc 14; libc 2.36; cp310-cp310 3.10.13; cp312-cp312 3.12.1; cp313-cp313t 3.13.0"


def _image(reference: str, versions: str = GLIBC, arch: str = "x86_64", created: str = "2026-01-01") -> LocalImage:
    return LocalImage(reference, "id", arch, {VERSIONS_LABEL: versions} if versions else {}, created=created)


@pytest.mark.parametrize(
    ("tags", "python"),
    [
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp312"),
        ("cp39-abi3-manylinux_2_17_x86_64", "cp310"),
        ("cp313-cp313t-manylinux_2_17_x86_64", "cp313t"),
        ("py3-none-manylinux_2_17_x86_64", "cp310"),
        ("cp312-cp312-manylinux_2_17_x86_64-avx512", "cp312"),
    ],
)
def test_the_oldest_python_that_a_wheel_is_for(tags: str, python: str) -> None:
    assert choose_image(f"kern-1.2-{tags}.whl", "x86_64", [_image("a")]) == TrialImage("a", python)


@pytest.mark.parametrize("tags", ["cp311-cp311-manylinux_2_17_x86_64", "cp312-cp312-musllinux_1_2_x86_64"])
def test_an_image_without_such_a_python_or_c_library_does_not_do(tags: str) -> None:
    assert choose_image(f"kern-1.2-{tags}.whl", "x86_64", [_image("a")]) is None


def test_the_newest_image_of_the_architecture_is_taken() -> None:
    images = [_image("old"), _image("arm", arch="aarch64", created="2026-03-01"), _image("new", created="2026-02-01")]
    assert choose_image("kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl", "x86_64", images) == TrialImage(
        "new", "cp312"
    )


def test_musl_wheels_need_an_image_with_musl() -> None:
    images = [_image("glibc"), _image("musl", "libc musl 1.2.5; cp312-cp312 3.12.1")]
    chosen = choose_image("kern-1.2-cp312-cp312-musllinux_1_2_x86_64.whl", "x86_64", images)
    assert chosen == TrialImage("musl", "cp312")


def test_an_image_that_does_not_tell_is_taken_at_its_word() -> None:
    image = _image("theirs", versions="")
    assert choose_image("kern-1.2-cp314-cp314-manylinux_2_17_x86_64.whl", "x86_64", [image]) == TrialImage(
        "theirs", "cp314"
    )


def test_architectures_are_read_from_the_name() -> None:
    assert architectures_of("kern-1.2-cp312-cp312-manylinux_2_17_aarch64.whl") == ("aarch64",)
    assert architectures_of("kern-1.2-py3-none-any.whl") == ()

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.values import CIBUILDWHEEL, make_config, make_host, make_inputs, make_interpreter
from wheelkiln.errors import ConfigError
from wheelkiln.plan.images import family_of, make_images, wanted_architectures
from wheelkiln.plan.model import ImageSpec
from wheelkiln.system.interpreters import Interpreter


def _images(
    table: dict[str, Any] | None = None, *, interpreters: tuple[Interpreter, ...] | None = None, **host: Any
) -> tuple[ImageSpec, ...]:
    found = make_inputs().interpreters if interpreters is None else interpreters
    return make_images(make_config(table), make_host(**host), CIBUILDWHEEL, found)


def _image(table: dict[str, Any] | None = None, **changes: Any) -> ImageSpec:
    (image,) = _images(table, **changes)
    return image


def test_an_official_image_covers_every_architecture_at_its_pinned_digest() -> None:
    image = _image()
    assert (image.name, image.policy, image.family) == ("manylinux_2_28", "manylinux_2_28", "rpm")
    assert image.architectures == ("x86_64", "aarch64")
    for base in image.bases:
        assert base.reference == f"registry.example/pypa/manylinux_2_28_{base.arch}@sha256:{'2' * 64}"
        assert base.digest == "sha256:" + "2" * 64


@pytest.mark.parametrize(
    "base", ["pypa", "bootstrap", "registry.example/acme/base:1", "registry.example/acme/base_{arch}:1"]
)
def test_an_image_is_the_same_whatever_is_selected(base: str) -> None:
    """Its name is a digest of it: who selects differently shall find the same image."""
    table = {"image": {"base": base}}
    whole = _images(table)
    for more in ({"arch": ["aarch64"]}, {"arch": ["x86_64", "aarch64"]}, {"python": ["cp312"]}):
        assert _images({**table, **more}) == whole
    assert base == "bootstrap" or _images(table, machine="aarch64") == whole


def test_each_c_library_has_its_image() -> None:
    table = {"libc": ["musllinux", "manylinux", "musllinux"], "image": {"packages": {"rpm": ["r"], "apk": ["b", "a"]}}}
    glibc, musl = _images(table)
    assert (glibc.name, glibc.family, glibc.rpm, glibc.apk) == ("manylinux_2_28", "rpm", ("r",), ())
    assert (musl.name, musl.family, musl.rpm, musl.apk) == ("musllinux_1_2", "apk", (), ("a", "b"))
    assert musl.policy == "musllinux_1_2"
    assert [base.reference.partition("@")[0] for base in musl.bases] == [
        "registry.example/pypa/musllinux_1_2_x86_64",
        "registry.example/pypa/musllinux_1_2_aarch64",
    ]


@pytest.mark.parametrize(
    ("table", "what", "known"),
    [
        ({"policy": "manylinux_2_99"}, "manylinux_2_99", "manylinux2014, manylinux_2_28, manylinux_2_31, "),
        ({"libc": ["musllinux"], "musl-policy": "musllinux_1_9"}, "musllinux_1_9", "musllinux_1_2"),
    ],
)
def test_a_policy_without_a_pinned_image(table: dict[str, Any], what: str, known: str) -> None:
    with pytest.raises(ConfigError, match=rf"cibuildwheel 4.3.3 pins no {what} image for x86_64") as caught:
        _images(table)
    assert caught.value.hint.startswith(f"It pins: {known}")


def test_a_policy_that_is_pinned_for_one_architecture_is_an_image_of_that_one() -> None:
    arm_only = replace(CIBUILDWHEEL, images={"x86_64": {}, "aarch64": CIBUILDWHEEL.images["aarch64"]})
    config = make_config({"arch": ["aarch64"]})
    (image,) = make_images(config, make_host(), arm_only)
    assert image.architectures == ("aarch64",)
    with pytest.raises(ConfigError, match="pins no manylinux_2_28 image for x86_64"):
        make_images(make_config({"arch": ["aarch64", "x86_64"]}), make_host(), arm_only)


def test_a_reference_of_ones_own_may_name_the_architecture() -> None:
    image = _image({"image": {"base": "registry.example/acme/base_{arch}:1"}})
    assert (image.name, image.family, image.policy) == ("custom", "", "")
    assert [base.reference for base in image.bases] == [
        "registry.example/acme/base_x86_64:1",
        "registry.example/acme/base_aarch64:1",
    ]
    assert {base.digest for base in image.bases} == {""}


def test_a_base_of_ones_own_may_be_of_any_family() -> None:
    image = _image({"image": {"base": "acme/base:1", "packages": {"deb": ["d"], "rpm": ["r"], "apk": ["a"]}}})
    assert {base.reference for base in image.bases} == {"acme/base:1"}
    assert (image.deb, image.rpm, image.apk) == (("d",), ("r",), ("a",))


def test_a_base_of_ones_own_has_one_c_library() -> None:
    with pytest.raises(ConfigError, match="a base of your own has one C library"):
        _images({"libc": ["musllinux", "manylinux"], "image": {"base": "acme/base:1"}})
    assert _image({"libc": ["musllinux"], "image": {"base": "acme/base:1"}}).family == "apk"


def test_a_bootstrap_base_is_of_this_machines_distribution() -> None:
    table = {"image": {"base": "bootstrap", "packages": {"deb": ["b", "a", "b"], "rpm": ["r"]}}}
    image = _image(table)
    assert (image.name, image.family, image.policy) == ("bootstrap", "deb", "")
    assert image.bootstrap is not None
    assert (image.bootstrap.distribution, image.bootstrap.release) == ("debian", "bookworm")
    assert (image.deb, image.rpm) == (("a", "b"), ())
    assert {base.reference for base in image.bases} == {""}


def test_what_a_bootstrap_base_is_made_from_besides() -> None:
    table = {"base": "bootstrap", "mirror": "http://mirror.example/debian", "base-packages": ["z", "a", "z"]}
    bootstrap = _image({"image": table}).bootstrap
    assert bootstrap is not None
    assert (bootstrap.mirror, bootstrap.packages) == ("http://mirror.example/debian", ("a", "z"))


def test_a_bootstrap_base_is_one_image_whatever_c_library_is_asked_for() -> None:
    image = _image({"image": {"base": "bootstrap"}})
    assert _image({"image": {"base": "bootstrap"}, "libc": ["musllinux", "manylinux"]}) == image
    assert _image({"image": {"base": "bootstrap"}, "libc": ["musllinux"]}) == image


@pytest.mark.parametrize(
    ("distribution", "release", "wanted", "made"),
    [
        ("ubuntu", "noble", "auto", ("ubuntu", "noble")),
        ("debian", "trixie", "sid", ("debian", "sid")),
        ("fedora", "", "auto", ("debian", "bookworm")),
        ("fedora", "", "trixie", ("debian", "trixie")),
        ("", "", "auto", ("debian", "bookworm")),
    ],
)
def test_the_release_of_a_bootstrap_base(distribution: str, release: str, wanted: str, made: tuple[str, str]) -> None:
    table = {"image": {"base": "bootstrap", "release": wanted}}
    bootstrap = _image(table, distribution=distribution, release=release).bootstrap
    assert bootstrap is not None
    assert (bootstrap.distribution, bootstrap.release) == made


def test_interpreters_go_to_the_base_of_their_architecture() -> None:
    found = (
        make_interpreter("cp311", "3.11.7"),
        make_interpreter("cp312", "3.12.1"),
        make_interpreter("cp312", "3.12.4", arch="aarch64"),
    )
    image = _image({"image": {"base": "bootstrap"}}, interpreters=found)
    assert image.base_for("x86_64").interpreters == found[:2]
    assert image.base_for("aarch64").interpreters == found[2:]


def test_an_interpreter_that_nobody_asks_for_is_left_out() -> None:
    found = (make_interpreter("cp312"), make_interpreter("cp314", "3.14.0"))
    table = {"image": {"base": "bootstrap"}}
    assert _image(table, interpreters=found).base_for("x86_64").tags >= {"cp312"}
    assert "cp314" not in _image(table, interpreters=found).base_for("x86_64").tags
    assert "cp314" in _image({**table, "python": ["cp314"]}, interpreters=found).base_for("x86_64").tags


@pytest.mark.parametrize(
    ("release", "own"),
    [("bookworm", "cp311"), ("trixie", "cp313"), ("jammy", "cp310"), ("noble", "cp312"), ("sid", "")],
)
def test_the_distributions_own_python_serves_where_no_other_is_at_hand(release: str, own: str) -> None:
    image = _image({"image": {"base": "bootstrap", "release": release}}, interpreters=())
    assert [base.own_python for base in image.bases] == [own, own]
    assert image.bases[0].tags == ({own} if own else set())


def test_an_interpreter_of_this_machine_goes_before_the_distributions_own() -> None:
    found = (make_interpreter("cp311", "3.11.7"),)
    image = _image({"image": {"base": "bootstrap"}}, interpreters=found)
    assert [base.own_python for base in image.bases] == ["", "cp311"]


def test_what_configuration_adds_is_sorted_and_named_once() -> None:
    table = {
        "toolchain": "clang",
        "linker": "lld",
        "requires": ["sve2", "avx512bf16", "sve2"],
        "ccache": "static",
        "sccache": True,
        "download-mirror": "https://mirror.example/github",
        "labels": {"b": "2", "a": "1"},
    }
    image = _image({"image": table})
    assert (image.toolchain, image.linker, image.ccache, image.sccache) == ("clang", "lld", "static", True)
    assert image.requires == ("avx512bf16", "sve2")
    assert image.download_mirror == "https://mirror.example/github"
    assert image.labels == (("a", "1"), ("b", "2"))


def test_a_feature_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'avx512bf' is not a CPU feature"):
        _images({"image": {"requires": ["avx512bf"]}})


@pytest.mark.parametrize(
    ("table", "libc", "family"),
    [
        ({}, "manylinux", "rpm"),
        ({"policy": "manylinux2014"}, "manylinux", "rpm"),
        ({"policy": "manylinux_2_31"}, "manylinux", "deb"),
        ({}, "musllinux", "apk"),
        ({"image": {"base": "bootstrap"}}, "manylinux", "deb"),
        ({"image": {"base": "acme/base:1"}}, "manylinux", ""),
        ({"image": {"base": "acme/base:1"}}, "musllinux", "apk"),
    ],
)
def test_the_package_format_of_a_base(table: dict[str, Any], libc: str, family: str) -> None:
    assert family_of(make_config(table), libc) == family


@pytest.mark.parametrize(
    ("arch", "machine", "wanted"),
    [
        ([], "x86_64", ("x86_64",)),
        ([], "aarch64", ("aarch64",)),
        (["aarch64"], "x86_64", ("aarch64",)),
        (["aarch64", "x86_64", "aarch64"], "riscv64", ("x86_64", "aarch64")),
    ],
)
def test_the_architectures_that_are_asked_for(arch: list[str], machine: str, wanted: tuple[str, ...]) -> None:
    assert wanted_architectures(make_config({"arch": arch}), make_host(machine=machine)) == wanted


def test_a_machine_that_nothing_is_built_for() -> None:
    with pytest.raises(ConfigError, match="this machine's architecture 'riscv64'"):
        wanted_architectures(make_config(), make_host(machine="riscv64"))

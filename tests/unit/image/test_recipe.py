from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tests.values import make_interpreter
from wheelkiln.image.recipe import base_reference, interpreters_digest, render_recipe
from wheelkiln.plan.model import ImageSpec

_PYPA = ImageSpec("manylinux_2_28_x86_64", "x86_64", "registry.example/pypa/x@sha256:" + "2" * 64, "rpm")
_BOOTSTRAP = ImageSpec(
    name="bootstrap_x86_64",
    arch="x86_64",
    base="bootstrap",
    family="deb",
    distribution="debian",
    release="bookworm",
    interpreters=(make_interpreter(),),
)


def test_the_same_spec_has_the_same_reference() -> None:
    recipe = render_recipe(_PYPA)
    assert recipe == render_recipe(replace(_PYPA))
    assert re.fullmatch(r"localhost/wheelkiln/manylinux_2_28_x86_64:[0-9a-f]{16}", recipe.reference)
    assert recipe.digest.startswith(recipe.reference.rpartition(":")[2])


def test_everything_that_reaches_the_image_changes_its_reference() -> None:
    specs = [
        _PYPA,
        replace(_PYPA, base="registry.example/pypa/x@sha256:" + "3" * 64),
        replace(_PYPA, rpm=("numactl-devel",)),
        replace(_PYPA, deb=("libnuma-dev",)),
        replace(_PYPA, arch="aarch64"),
        _BOOTSTRAP,
        replace(_BOOTSTRAP, release="trixie"),
        replace(_BOOTSTRAP, interpreters=(make_interpreter(version="3.12.2"),)),
        replace(_BOOTSTRAP, interpreters=(make_interpreter(prefix="/elsewhere"),)),
    ]
    assert len({render_recipe(spec).reference for spec in specs}) == len(specs)


def test_the_context_is_complete_and_relative() -> None:
    files = render_recipe(_PYPA).files
    assert sorted(files) == [
        "Dockerfile",
        "pins.env",
        "requirements/interpreter.txt",
        "requirements/tools.txt",
        "scripts/builder.sh",
        "scripts/ccache.sh",
        "scripts/packages.sh",
        "scripts/pythons.sh",
        "scripts/repair.py",
    ]


def test_every_file_that_the_dockerfile_names_is_in_the_context() -> None:
    files = render_recipe(_PYPA).files
    named = set(re.findall(r"/mnt/(requirements/[\w.]+)", "\n".join(files.values())))
    named |= set(re.findall(r"source=(scripts/[\w.]+|pins\.env)", files["Dockerfile"]))
    named |= set(re.findall(r"COPY .*?(scripts/\S+)", files["Dockerfile"]))
    assert named >= {"scripts/packages.sh", "scripts/repair.py", "pins.env", "requirements/tools.txt"}
    assert named <= set(files)


def test_nothing_of_the_template_is_left() -> None:
    for spec in (_PYPA, _BOOTSTRAP):
        assert not re.search(r"<<|>>|<%|%>", render_recipe(spec).files["Dockerfile"])


def test_packages_are_given_by_format() -> None:
    text = render_recipe(replace(_PYPA, deb=("a",), rpm=("b", "c"))).files["Dockerfile"]
    assert "bash /mnt/packages.sh --deb a --rpm b c\n" in text


def test_the_pins_are_shell_assignments() -> None:
    lines = render_recipe(_PYPA).files["pins.env"].splitlines()
    assert lines[0].startswith("CCACHE_URL='https://")
    assert "@ARCH@" in lines[0]
    assert [re.fullmatch(r"CCACHE_SHA256_(AARCH64|X86_64)=[0-9a-f]{64}", line) is not None for line in lines[1:]] == [
        True,
        True,
    ]


def test_the_recipes_digest_is_a_label_of_its_image() -> None:
    recipe = render_recipe(_PYPA)
    assert f'LABEL io.wheelkiln.recipe="{recipe.digest}"\n' in recipe.files["Dockerfile"]


def test_a_bootstrap_image_is_laid_on_its_base() -> None:
    assert f"\nFROM {base_reference(_BOOTSTRAP)}\n" in render_recipe(_BOOTSTRAP).files["Dockerfile"]
    assert base_reference(_BOOTSTRAP).startswith("localhost/wheelkiln/base_debian_x86_64:")


def test_packages_of_ones_own_do_not_make_another_base() -> None:
    assert base_reference(_BOOTSTRAP) == base_reference(replace(_BOOTSTRAP, deb=("libnuma-dev",)))


def test_interpreters_are_told_apart_by_version_and_place() -> None:
    digests = {
        interpreters_digest(replace(_BOOTSTRAP, interpreters=(found,)))
        for found in (make_interpreter(), make_interpreter(version="3.12.2"), make_interpreter(prefix="/x"))
    }
    assert len(digests) == 3


def test_no_path_of_this_machine_is_in_the_context() -> None:
    assert str(Path.home()) not in "\n".join(render_recipe(_BOOTSTRAP).files.values())

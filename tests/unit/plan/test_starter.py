"""The starting configuration: valid, complete, and reasoned from the project's files."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from wheelkiln.config.load import parse_config
from wheelkiln.config.model import Config
from wheelkiln.errors import ConfigError
from wheelkiln.plan.starter import Starter, make_starter, render_starter
from wheelkiln.source.facts import Backend, SourceFacts
from wheelkiln.system.cibuildwheel import CibuildwheelFacts
from wheelkiln.system.host import HostFacts

HOST = HostFacts(
    uid=1000, gid=1000, machine="x86_64", cpus=2, home=Path("/h"), cwd=Path("/w"), cache_dir=Path("/c"), environ={}
)
CIBUILDWHEEL = CibuildwheelFacts(
    version="4.3",
    identifiers=tuple(
        f"{tag}-{libc}_x86_64"
        for libc in ("manylinux", "musllinux")
        for tag in ("cp39", "cp310", "cp311", "cp312", "cp313", "cp314t")
    ),
    images={
        arch: {name: f"r/{name}" for name in ("manylinux_2_34", "musllinux_1_2", "musllinux_1_3")}
        for arch in ("x86_64", "aarch64")
    },
    options=frozenset({"before-all", "build", "skip", "archs", "repair-wheel-command", "container-engine", "linux"}),
)


def starter_of(
    table: dict[str, Any] | None = None, *, requires: str = "", limited_api: str = "", base: str = "pypa"
) -> Starter:
    facts = SourceFacts(
        name="acme",
        version="",
        requires_python=requires,
        backend=Backend("x", ()),
        limited_api=limited_api,
        pyproject={"tool": {"cibuildwheel": table or {}}},
    )
    return make_starter(facts, HOST, CIBUILDWHEEL, base=base)


def config_of(starter: Starter) -> Config:
    return parse_config(tomllib.loads(render_starter(starter))).config


def test_without_anything_to_decide_it_is_the_default() -> None:
    assert config_of(starter_of()) == Config()


def test_every_key_of_the_model_is_shown_and_valid_when_uncommented() -> None:
    text = render_starter(starter_of())
    uncommented = tomllib.loads(re.sub(r"^# (?=[a-z-]+ = )", "", text, flags=re.MULTILINE))
    shown = parse_config(uncommented).config.model_dump(exclude_unset=True)
    assert shown.keys() == Config.model_fields.keys()
    for name, info in Config.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            assert shown[name].keys() == info.annotation.model_fields.keys()


def test_below_a_prefix_it_is_the_same_configuration() -> None:
    starter = starter_of({"before-all": "yum install -y zlib-devel"}, requires=">=3.12")
    inner = tomllib.loads(render_starter(starter, prefix="tool.wheelkiln"))["tool"]["wheelkiln"]
    assert inner == tomllib.loads(render_starter(starter))


@pytest.mark.parametrize(
    ("requires", "table", "python", "reason"),
    [
        (">=3.11", {}, ("cp311", "cp312", "cp313"), "requires-python = '>=3.11' leaves out cp310"),
        ("<3.10", {}, ("cp39",), "leaves out cp310, cp311, cp312, cp313"),
        (">=3.99", {}, (), "Nothing that cibuildwheel 4.3 builds is left"),
        ("", {"skip": "cp310-* *-musllinux*"}, ("cp311", "cp312", "cp313"), "build and skip of"),
        ("", {"skip": "*_x86_64"}, ("cp310", "cp311", "cp312", "cp313"), ""),
    ],
)
def test_python_is_narrowed_with_the_reason(
    requires: str, table: dict[str, Any], python: tuple[str, ...], reason: str
) -> None:
    starter = starter_of(table, requires=requires)
    assert starter.python == python
    assert reason in render_starter(starter)


def test_a_stable_abi_is_mentioned() -> None:
    assert "One wheel is expected to serve all from cp311 on" in render_starter(starter_of(limited_api="cp311"))


@pytest.mark.parametrize(
    ("build", "skip", "base", "libc"),
    [
        ("*", "", "pypa", ("manylinux",)),
        ("*-manylinux_*", "", "pypa", ("manylinux",)),
        ("*-manylinux_* *-musllinux_*", "", "pypa", ("manylinux", "musllinux")),
        (["cp312-musllinux_x86_64"], "", "pypa", ("musllinux",)),
        ("*-musllinux_*", "*musllinux*", "pypa", ("manylinux",)),
        ("*-musllinux_*", "", "bootstrap", ("manylinux",)),
        ("*-manylinux_* *-musllinux_*", "", "r.example/x:1", ("manylinux",)),
    ],
)
def test_musllinux_is_taken_over_where_the_project_names_it(
    build: str | list[str], skip: str, base: str, libc: tuple[str, ...]
) -> None:
    assert config_of(starter_of({"build": build, "skip": skip}, base=base)).libc == libc


def test_python_is_narrowed_by_the_chosen_c_library() -> None:
    starter = starter_of({"build": "cp312-musllinux_* cp313-musllinux_*"})
    assert (starter.python, config_of(starter).libc) == (("cp312", "cp313"), ("musllinux",))


def test_a_pinned_policy_of_musllinux_is_taken_over() -> None:
    starter = starter_of(
        {"musllinux-x86_64-image": "musllinux_1_3", "linux": {"manylinux-x86_64-image": "r.example/x"}}
    )
    assert (config_of(starter).musl_policy, config_of(starter).policy) == ("musllinux_1_3", Config().policy)
    assert "# manylinux-*-image of [tool.cibuildwheel] is such a reference: r.example/x" in render_starter(starter)


def test_installed_packages_become_image_packages() -> None:
    command = "yum install -y zlib-devel && apt-get install -y $X && apt-get install -y z1g && apk add zlib-dev"
    starter = starter_of({"before-all": command})
    packages = config_of(starter).image.packages
    assert (packages.rpm, packages.deb, packages.apk) == (("zlib-devel",), ("z1g",), ("zlib-dev",))
    text = render_starter(starter)
    assert "# Not read, and may belong here: apt-get install -y $X\n" in text
    assert "They still run, without root" in text


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"archs": ["x86_64", "aarch64"]}, ("x86_64", "aarch64")),
        ({"archs": "auto", "linux": {"archs": "aarch64 i686"}}, ("aarch64",)),
        ({"archs": ["auto", "aarch64"]}, ()),
        ({"archs": "arm64"}, ()),
    ],
)
def test_explicit_architectures_are_taken_over(table: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert config_of(starter_of(table)).arch == expected


@pytest.mark.parametrize(
    ("base", "policy"),
    [("pypa", "manylinux_2_34"), ("bootstrap", Config().policy), ("example.org/x:1", Config().policy)],
)
def test_a_pinned_policy_is_taken_over_where_it_is_enforced(base: str, policy: str) -> None:
    config = config_of(starter_of({"linux": {"manylinux-x86_64-image": "manylinux_2_34"}}, base=base))
    assert (config.image.base, config.policy) == (base, policy)


def test_what_is_left_out_of_the_projects_settings_is_named() -> None:
    table = {"container-engine": "podman", "manylinux-x86_64-image": "r.example/x:1", "repair-wheel-command": "true"}
    text = render_starter(starter_of(table))
    assert "# - [tool.cibuildwheel] container-engine is left out" in text
    assert "is such a reference: r.example/x:1" in text
    assert "repair-wheel-command of [tool.cibuildwheel] stays in force" in text


def test_an_invalid_base_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"image\.base"):
        starter_of(base="two words")


def test_text_from_the_project_cannot_leave_its_comment() -> None:
    command = 'yum install -y $(x)\x07\u2028policy = "manylinux_2_99"\r'
    starter = starter_of({"before-all": command, 'x\npolicy = "y"': 1})
    assert config_of(starter) == Config()

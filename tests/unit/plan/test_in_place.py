"""Plans of builds in place: what can be built, and what has no effect there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.values import make_inputs, make_interpreter
from wheelkiln.plan.in_place import config_in_place
from wheelkiln.plan.make import make_plan, settings_of
from wheelkiln.plan.model import SkipReason
from wheelkiln.system.in_place_facts import PlaceFacts

MACHINE = PlaceFacts(
    is_image=False,
    arch="x86_64",
    libc="manylinux",
    digest="ab" * 32,
    interpreters=(make_interpreter("cp311", "3.11.2"), make_interpreter("cp312", "3.12.1")),
    family="deb",
    toolchain="gcc 12.2.0",
    libc_version="2.36",
    ccache=Path("/usr/bin/ccache"),
)
IMAGE = replace(MACHINE, is_image=True, ccache=None, policy="manylinux_2_28", libc_version="2.28")


def notices(place: PlaceFacts, table: dict[str, Any] | None = None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for notice in make_plan(make_inputs(table, place=place)).notices:
        found.setdefault(notice.code, []).append(notice.message)
    return found


def test_the_machines_interpreters_decide_what_is_built() -> None:
    plan = make_plan(make_inputs(place=MACHINE))
    assert [job.id for job in plan.jobs] == ["cp311-manylinux_x86_64", "cp312-manylinux_x86_64"]
    assert {(job.image, plan.image_of(job).policy) for job in plan.jobs} == {("in-place_x86_64", "")}
    skipped = {entry.id: entry for entry in plan.skipped}
    assert skipped["cp313-manylinux_x86_64"].reason is SkipReason.NO_INTERPRETER
    assert "uv python install 3.13" in skipped["cp313-manylinux_x86_64"].detail


def test_an_images_interpreters_cannot_be_added_to() -> None:
    (entry,) = [entry for entry in make_plan(make_inputs(place=IMAGE)).skipped if "cp313" in entry.id]
    assert entry.detail == "no CPython 3.13 with its headers in this image"


@pytest.mark.parametrize(
    ("table", "reason"),
    [({"arch": ["aarch64"]}, SkipReason.NO_EMULATOR), ({"libc": ["musllinux"]}, SkipReason.BASE_LIBC)],
)
def test_what_the_machine_is_not_is_left_out(table: dict[str, Any], reason: SkipReason) -> None:
    plan = make_plan(make_inputs(table, place=MACHINE))
    assert plan.jobs == ()
    assert {entry.reason for entry in plan.skipped} == {reason}


def test_an_image_is_announced_as_equal_and_a_machine_as_different() -> None:
    assert "equal to those of a container" in notices(IMAGE)["in-place-image"][0]
    (said,) = notices(MACHINE)["in-place-machine"]
    assert "glibc 2.36" in said
    assert "bytes may differ" in said


@pytest.mark.parametrize(("uid", "user"), [(0, "root"), (1001, "builder")])
def test_what_root_builds_lies_in_caches_of_its_own(uid: int, user: str) -> None:
    for configured in ("root", "builder"):
        assert config_in_place(make_inputs({"container": {"user": configured}}).config, uid).container.user == user


def test_what_is_missing_on_a_machine_is_said() -> None:
    assert not {"in-place-no-ccache", "in-place-no-compiler"} & set(notices(MACHINE))
    assert {"in-place-no-ccache", "in-place-no-compiler"} <= set(notices(replace(MACHINE, ccache=None, toolchain="")))
    assert "in-place-no-ccache" not in notices(IMAGE)


def test_settings_without_effect_are_named() -> None:
    table = {
        "policy": "manylinux_2_34",
        "image": {
            "packages": {"deb": ["libnuma-dev"]},
            "linker": "mold",
            "toolchain": "clang",
            "requires": ["amx-bf16"],
        },
        "container": {"user": "root"},
        "hosts": {"far": {"docker": "ssh://far", "arch": ["aarch64"]}},
    }
    said = " ".join(notices(IMAGE, table)["in-place-setting"])
    for setting in ("image.packages", "image.linker", "image.toolchain", "image.requires", "container.user", "hosts"):
        assert setting in said
    assert 'policy = "manylinux_2_34" has no effect in place: wheels are held to manylinux_2_28' in said


def test_what_cannot_be_kept_apart_is_said() -> None:
    shared = replace(IMAGE, private=False, why_not="unshare: Operation not permitted")
    table = {"container": {"network": "none"}, "cache": {"mode": "read-only"}}
    said = notices(shared, table)
    assert "one after another" in said["in-place-shared"][0]
    network, cache = said["in-place-setting"]
    assert "container.network" in network
    assert "cache.mode" in cache
    assert {"in-place-shared", "in-place-setting"}.isdisjoint(notices(IMAGE, table))


def test_settings_that_the_image_has_are_not_named() -> None:
    image = replace(IMAGE, policy="", toolchain="clang 16.0.6")
    assert "in-place-setting" not in notices(image)
    assert "in-place-setting" not in notices(IMAGE)
    assert "in-place-setting" not in notices(image, {"image": {"base": "bootstrap", "toolchain": "clang"}})


def test_a_projects_commands_are_judged_by_the_machines_packages() -> None:
    facts = make_inputs().facts
    pyproject = {**facts.pyproject, "tool": {"cibuildwheel": {"before-all": "yum install -y zlib-devel"}}}
    inputs = make_inputs(place=MACHINE, facts=replace(facts, pyproject=pyproject))
    assert [notice.message for notice in settings_of(inputs).notices if "yum" in notice.message]

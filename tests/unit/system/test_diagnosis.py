"""What readings mean: status by consequence, a remedy for what is missing, and whether a build can work."""

from dataclasses import replace
from pathlib import Path

import pytest

from wheelkiln.system.diagnosis import Check, Diagnosis, Needs, Status, diagnose
from wheelkiln.system.engine import EngineName
from wheelkiln.system.host import HostFacts
from wheelkiln.system.interpreters import Interpreter
from wheelkiln.system.probes import EngineReading, Readings
from wheelkiln.system.reach import Reach

GIB = 1 << 30
HOST = HostFacts(
    uid=1000,
    gid=1000,
    machine="x86_64",
    cpus=4,
    home=Path("/h"),
    cwd=Path("/w"),
    cache_dir=Path("/c"),
    environ={},
    ca_bundle=Path("/ca.pem"),
)
DOCKER = EngineReading(EngineName.DOCKER, installed=True, version="28.2", can_build=True, buildx="0.13.1")
PODMAN = EngineReading(EngineName.PODMAN, installed=True, version="5.0", rootless=True, can_build=True)
NO_DOCKER = EngineReading(EngineName.DOCKER, installed=False, trouble="not installed")
NO_PODMAN = EngineReading(EngineName.PODMAN, installed=False, trouble="not installed")
DEAD_DOCKER = replace(DOCKER, trouble="Cannot connect to the Docker daemon")
NO_REGISTRY = Reach("r.example", trouble="no answer")
READINGS = Readings(
    host=HOST,
    engines=(DOCKER, NO_PODMAN),
    registry=Reach("r.example", 401),
    indexes=(Reach("i.example", 200),),
    free=((Path("/c"), 50 * GIB), (Path("/tmp"), 6 * GIB)),
    memory=16 * GIB,
    interpreters=(Interpreter("cp311", "3.11.7", Path("/p")), Interpreter("cp312", "3.12.1", Path("/q"))),
    has_mmdebstrap=True,
    tools={"build": "1.6.1", "pip": "26"},
)
NEEDS = Needs(python=("cp311", "cp312"))


def check_of(diagnosis: Diagnosis, name: str) -> Check:
    return next(check for check in diagnosis.checks if check.name == name)


def test_a_healthy_machine_has_nothing_to_do_but_what_nobody_needs() -> None:
    diagnosis = diagnose(READINGS, NEEDS)
    assert diagnosis.usable
    assert {check.status for check in diagnosis.checks} == {Status.OK}
    assert {check.name for check in diagnosis.checks if check.remedy} == {"emulation"}


@pytest.mark.parametrize(
    ("engines", "statuses", "usable"),
    [
        ((DOCKER, PODMAN), {"docker": "ok", "buildx": "ok", "podman": "ok"}, True),
        ((NO_DOCKER, PODMAN), {"docker": "ok", "podman": "ok"}, True),
        ((DEAD_DOCKER, PODMAN), {"docker": "warning", "podman": "ok"}, True),
        ((replace(DOCKER, can_build=False), PODMAN), {"docker": "ok", "buildx": "warning", "podman": "ok"}, True),
        (
            (replace(DOCKER, can_build=False), NO_PODMAN),
            {"docker": "ok", "buildx": "problem", "podman": "problem"},
            False,
        ),
        ((DEAD_DOCKER, NO_PODMAN), {"docker": "problem", "podman": "problem"}, False),
        ((NO_DOCKER, NO_PODMAN), {"docker": "problem", "podman": "problem"}, False),
    ],
)
def test_one_engine_that_builds_is_enough(
    engines: tuple[EngineReading, ...], statuses: dict[str, str], usable: bool
) -> None:
    diagnosis = diagnose(replace(READINGS, engines=engines), NEEDS)
    found = {check.name: check.status.value for check in diagnosis.checks}
    assert {name: status for name, status in found.items() if name in {"docker", "buildx", "podman"}} == statuses
    assert diagnosis.usable is usable


def test_without_an_engine_this_machines_own_tools_can_build() -> None:
    readings = replace(READINGS, engines=(NO_DOCKER, NO_PODMAN), registry=NO_REGISTRY, has_mmdebstrap=False)
    found = diagnose(replace(readings, own_pythons=("cp311", "cp39")), NEEDS)
    check = check_of(found, "in place")
    assert (check.status, check.remedy) == (Status.OK, "wheelkiln build --engine none")
    assert check.detail.endswith(": cp311")
    assert check_of(found, "docker").status is Status.WARNING
    assert found.usable
    unusable = diagnose(replace(readings, own_pythons=("cp39",)), NEEDS)
    assert check_of(unusable, "in place").status is Status.WARNING
    assert "no container engine answers and can build images" in unusable.obstacles


def test_our_own_image_needs_no_engine() -> None:
    found = diagnose(replace(READINGS, engines=(NO_DOCKER, NO_PODMAN), in_image=True), NEEDS)
    assert {check.name: check.status for check in found.checks}["docker"] is Status.OK
    assert check_of(found, "in place").status is Status.OK
    assert found.usable


def test_with_an_engine_nothing_is_said_of_builds_without() -> None:
    assert "in place" not in {check.name for check in diagnose(replace(READINGS, own_pythons=("cp311",)), NEEDS).checks}


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        ("permission denied while trying to connect", "socket"),
        ("Cannot connect to the Docker daemon", "Start it"),
    ],
)
def test_the_remedy_follows_the_reason(trouble: str, remedy: str) -> None:
    docker = replace(DOCKER, trouble=trouble)
    assert remedy in check_of(diagnose(replace(READINGS, engines=(docker,)), NEEDS), "docker").remedy


@pytest.mark.parametrize(
    ("base", "registry", "mmdebstrap", "expected", "usable"),
    [
        ("pypa", READINGS.registry, False, {"registry": "ok", "mmdebstrap": "ok"}, True),
        ("pypa", NO_REGISTRY, True, {"registry": "warning", "mmdebstrap": "ok"}, True),
        ("pypa", NO_REGISTRY, False, {"registry": "problem", "mmdebstrap": "problem"}, False),
        ("bootstrap", NO_REGISTRY, True, {"registry": "ok", "mmdebstrap": "ok"}, True),
        ("bootstrap", READINGS.registry, False, {"registry": "ok", "mmdebstrap": "problem"}, False),
        ("own.example/x:1", NO_REGISTRY, False, {"registry": "ok", "mmdebstrap": "ok"}, True),
    ],
)
def test_a_base_is_needed_from_the_registry_or_from_here(
    base: str, registry: Reach, mmdebstrap: bool, expected: dict[str, str], usable: bool
) -> None:
    readings = replace(READINGS, registry=registry, has_mmdebstrap=mmdebstrap)
    diagnosis = diagnose(readings, replace(NEEDS, base=base))
    assert {name: check_of(diagnosis, name).status.value for name in expected} == expected
    assert diagnosis.usable is usable


@pytest.mark.parametrize(
    ("base", "python", "status", "usable"),
    [
        ("pypa", ("cp311", "cp313", "cp314t"), "ok", True),
        ("bootstrap", ("cp311", "cp313", "cp314t"), "warning", True),
        ("bootstrap", ("cp313", "cp314t"), "problem", False),
    ],
)
def test_missing_interpreters_count_where_the_base_is_made_here(
    base: str, python: tuple[str, ...], status: str, usable: bool
) -> None:
    diagnosis = diagnose(READINGS, Needs(python=python, base=base))
    check = check_of(diagnosis, "interpreters")
    assert (check.status.value, check.remedy) == (status, "uv python install 3.13 3.14t")
    assert diagnosis.usable is usable


def test_the_distributions_own_python_counts_where_no_other_is_at_hand() -> None:
    needs = Needs(python=("cp312", "cp313"), base="bootstrap", own_python="cp313")
    bare = replace(READINGS, interpreters=())
    assert check_of(diagnose(bare, needs), "interpreters").detail == "cp313 of the distribution, no cp312"
    assert diagnose(bare, needs).usable
    assert not diagnose(bare, replace(needs, own_python="cp311")).usable
    own = replace(needs, own_python="cp312")
    assert check_of(diagnose(READINGS, own), "interpreters").detail == "cp312 3.12.1, no cp313"


def test_a_bootstrap_base_is_no_way_out_for_musl() -> None:
    readings = replace(READINGS, registry=NO_REGISTRY)
    assert diagnose(readings, NEEDS).usable
    assert diagnose(readings, replace(NEEDS, libc=("musllinux", "manylinux"))).usable
    diagnosis = diagnose(readings, replace(NEEDS, libc=("musllinux",)))
    assert check_of(diagnosis, "registry").status is Status.PROBLEM
    assert not diagnosis.usable


def test_interpreters_of_another_architecture_do_not_count() -> None:
    foreign = Interpreter("cp313", "3.13.1", Path("/r"), "aarch64")
    readings = replace(READINGS, interpreters=(*READINGS.interpreters, foreign))
    check = check_of(diagnose(readings, Needs(python=("cp312", "cp313"), base="bootstrap")), "interpreters")
    assert (check.detail, check.remedy) == ("cp312 3.12.1, no cp313", "uv python install 3.13")


@pytest.mark.parametrize(
    ("readings", "name", "detail"),
    [
        (replace(READINGS, indexes=(NO_REGISTRY,)), "index", "r.example: no answer"),
        (replace(READINGS, host=replace(HOST, ca_bundle=None)), "certificates", "no bundle found"),
        (replace(READINGS, missing_bundles=("PIP_CERT",)), "certificates", "PIP_CERT name no file"),
        (replace(READINGS, free=((Path("/c"), 4 * GIB),)), "disk", "4.0 GiB free at /c"),
        (replace(READINGS, memory=3 * GIB), "cpu", "4 cores, 3.0 GiB of memory"),
    ],
)
def test_what_may_go_wrong_is_a_warning_with_a_remedy(readings: Readings, name: str, detail: str) -> None:
    diagnosis = diagnose(readings, NEEDS)
    check = check_of(diagnosis, name)
    assert (check.status, check.detail) == (Status.WARNING, detail)
    assert check.remedy
    assert diagnosis.usable


def test_no_index_is_a_choice() -> None:
    assert check_of(diagnose(replace(READINGS, indexes=()), NEEDS), "index").status is Status.OK


@pytest.mark.parametrize(
    ("machine", "emulated", "arch", "expected"),
    [
        ("x86_64", (), ("x86_64", "aarch64"), (Status.WARNING, "none for aarch64, which the configuration asks for")),
        ("x86_64", (), (), (Status.OK, "none for aarch64; only builds for aarch64 need it")),
        ("aarch64", ("x86_64",), ("x86_64",), (Status.OK, "x86_64 runs under qemu")),
        ("aarch64", ("aarch64",), ("x86_64",), (Status.WARNING, "none for x86_64, which the configuration asks for")),
    ],
)
def test_emulation_is_judged_for_the_other_architecture(
    machine: str, emulated: tuple[str, ...], arch: tuple[str, ...], expected: tuple[Status, str]
) -> None:
    readings = replace(READINGS, host=replace(HOST, machine=machine, emulated=frozenset(emulated)))
    check = check_of(diagnose(readings, replace(NEEDS, arch=arch)), "emulation")
    assert (check.status, check.detail) == expected


def test_a_missing_tool_is_a_problem() -> None:
    diagnosis = diagnose(replace(READINGS, tools={"build": None, "pip": "26"}), NEEDS)
    assert check_of(diagnosis, "tools") == Check("tools", Status.PROBLEM, "no build", "pip install build")
    assert not diagnosis.usable

from __future__ import annotations

from typing import Any

import pytest

from tests.values import make_config, make_facts, make_host, make_job
from wheelkiln.plan.placement import (
    THIS_MACHINE,
    Placement,
    Worker,
    group_of,
    keeps_pythons_apart,
    make_workers,
    preview,
)

LOCAL = Worker(THIS_MACHINE, frozenset({"x86_64"}), cores=2)
BIG = Worker("big", frozenset({"x86_64"}), cores=2)
ARM = Worker("arm", frozenset({"aarch64"}), cores=4)
EMULATING = Worker("emu", frozenset(), frozenset({"aarch64"}))


def group(name: str, **changes: Any) -> tuple[str, str, bool]:
    return group_of(make_job(name, **changes), pythons_apart=False)


def test_native_comes_before_emulated_even_where_it_is_busy() -> None:
    local = Worker(THIS_MACHINE, frozenset({"x86_64"}), frozenset({"aarch64"}))
    job = make_job("cp312-manylinux_aarch64")
    assert Placement((local, EMULATING, ARM), load={"arm": 99}).choose(job) == ARM
    assert Placement((local, EMULATING)).candidates(job) == (EMULATING, local)
    assert Placement((LOCAL,)).choose(job) is None


def test_the_least_busy_worker_gets_a_new_group() -> None:
    job = make_job()
    assert Placement((LOCAL, BIG)).choose(job) == LOCAL
    assert Placement((LOCAL, BIG), load={THIS_MACHINE: 1}).choose(job) == BIG
    many = Worker("many", frozenset({"x86_64"}), slots=8)
    assert Placement((LOCAL, many), load={THIS_MACHINE: 1, "many": 2}).choose(job) == many


def test_a_group_stays_where_its_cache_is_unless_it_gains_little() -> None:
    job, homes = make_job(), {group("cp311-manylinux_x86_64"): "big"}
    load = {"big": 50}
    assert Placement((LOCAL, BIG), homes, load).choose(job) == BIG
    assert Placement((LOCAL, BIG), homes, load, scattered=[group("cp312-manylinux_x86_64")]).choose(job) == LOCAL
    assert Placement((LOCAL,), homes, load).choose(job) == LOCAL, "its home is gone"


def test_groups_are_images_namespaces_and_flags() -> None:
    old, new = make_job("cp311-manylinux_x86_64"), make_job("cp312-manylinux_x86_64")
    assert group_of(old, pythons_apart=False) == group_of(new, pythons_apart=False)
    assert group_of(old, pythons_apart=True) != group_of(new, pythons_apart=True)
    assert group("cp312-manylinux_x86_64") != group("cp312-manylinux_x86_64", namespace="kern-x86_64-avx512")


@pytest.mark.parametrize(
    ("backend", "table", "expected"),
    [
        ("setuptools.build_meta", {}, True),
        ("setuptools.build_meta", {"cache": {"share-between-pythons": "flags"}}, False),
        ("scikit_build_core.build", {}, False),
        ("mesonpy", {}, False),
    ],
)
def test_interpreters_keep_pythons_apart(backend: str, table: dict[str, Any], expected: bool) -> None:
    facts = make_facts(
        f'[project]\nname = "kern"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "{backend}"\n'
    )
    assert keeps_pythons_apart(make_config(table), facts) is expected


def test_configured_machines_are_workers_beside_this_one() -> None:
    config = make_config(
        {
            "hosts": {
                "graviton": {"docker": "ssh://ci@graviton", "arch": ["aarch64"], "slots": 3},
                "attic": {"docker": "attic", "arch": ["x86_64"]},
            }
        }
    )
    local, attic, graviton = make_workers(config, make_host(emulated=frozenset({"aarch64"})))
    assert (local.name, set(local.native), set(local.emulated)) == (THIS_MACHINE, {"x86_64"}, {"aarch64"})
    assert (attic.name, attic.slots) == ("attic", None)
    assert (graviton.name, set(graviton.native), graviton.slots) == ("graviton", {"aarch64"}, 3)


def test_a_preview_keeps_groups_together_and_spreads_them() -> None:
    jobs = [make_job(f"cp3{minor}-manylinux_x86_64") for minor in (10, 11, 12, 13)]
    jobs += [make_job("cp312-manylinux_aarch64"), make_job("cp312-musllinux_x86_64")]
    apart = {job.id for job in jobs}
    placed = preview(jobs, (LOCAL, BIG, ARM), apart)
    assert placed == {
        "cp310-manylinux_x86_64": THIS_MACHINE,
        "cp311-manylinux_x86_64": THIS_MACHINE,
        "cp312-manylinux_x86_64": "big",
        "cp313-manylinux_x86_64": "big",
        "cp312-manylinux_aarch64": "arm",
        "cp312-musllinux_x86_64": THIS_MACHINE,
    }
    assert preview(jobs, (BIG,), apart).keys() == {job.id for job in jobs if job.arch == "x86_64"}

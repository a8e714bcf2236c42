from __future__ import annotations

from typing import Any

import pytest

from tests.values import make_facts, make_host, make_inputs
from wheelkiln.errors import ConfigError
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import make_document, refuse_collisions
from wheelkiln.plan.model import Plan, Selection, SkipReason

_TABLE: dict[str, Any] = {
    "python": ["cp312"],
    "arch": ["x86_64", "aarch64"],
    "variants": {"avx512": {"isa": "x86-64-v4"}, "neon": {"arch": ["aarch64"]}, "default": {}},
}
_HOST = make_host(emulated=frozenset({"aarch64"}))


def _plan(variant: str, name: str = "kern", **changes: Any) -> Plan:
    facts = make_facts(f'[project]\nname = "{name}"\nversion = "1.2"\n')
    return make_plan(make_inputs(_TABLE, host=_HOST, facts=facts, variant=variant, **changes))


def test_a_job_of_a_variant_is_told_apart_by_its_id_and_its_namespace() -> None:
    (job,) = _plan("avx512").jobs
    assert (job.id, job.name, job.variant) == ("cp312-manylinux_x86_64@avx512", job.id, "avx512")
    assert job.namespace == "kern-x86_64-avx512"
    assert [job.id for job in _plan("default").jobs] == ["cp312-manylinux_x86_64", "cp312-manylinux_aarch64"]


@pytest.mark.parametrize(("variant", "arch", "other"), [("avx512", "x86_64", "aarch64"), ("neon", "aarch64", "x86_64")])
def test_a_variant_is_built_where_its_machine_code_runs(variant: str, arch: str, other: str) -> None:
    plan = _plan(variant)
    assert [job.arch for job in plan.jobs] == [arch]
    (skip,) = plan.skipped
    assert (skip.id, skip.reason) == (f"cp312-manylinux_{other}@{variant}", SkipReason.VARIANT)
    assert skip.detail == f"the variant {variant} is for {arch}"


def test_a_job_of_several_sources_says_which_one_and_keeps_its_name() -> None:
    plan = _plan("avx512", source="kern-1.2", estimates={"cp312-manylinux_x86_64@avx512": 3.0})
    (job,) = plan.jobs
    assert job.id == "kern-1.2/cp312-manylinux_x86_64@avx512"
    assert (job.name, job.directory) == (
        "cp312-manylinux_x86_64@avx512",
        "kern-1.2_cp312-manylinux_x86_64@avx512",
    )
    assert job.estimate == 3.0
    assert job.namespace == "kern-x86_64-avx512"


@pytest.mark.parametrize("pattern", ["cp312-*", "kern-1.2/*", "*@avx512"])
def test_a_pattern_may_leave_out_the_source(pattern: str) -> None:
    assert len(_plan("avx512", source="kern-1.2", selection=Selection(only=(pattern,))).jobs) == 1
    assert _plan("avx512", source="kern-1.2", selection=Selection(skip=(pattern,))).jobs == ()


def test_variants_of_one_name_would_lose_wheels() -> None:
    with pytest.raises(ConfigError, match="avx512 and default would make the same wheel: both are published as kern"):
        refuse_collisions([_plan("avx512"), _plan("default")])
    refuse_collisions([_plan("avx512", "kern-avx512"), _plan("default")])
    refuse_collisions([_plan("avx512"), _plan("neon")])


def test_a_document_of_all_plans() -> None:
    document = make_document([_plan("avx512", "kern-avx512"), _plan("default")])
    assert [(source.project, source.variant) for source in document.sources] == [
        ("kern-avx512", "avx512"),
        ("kern", "default"),
    ]
    assert [(job.project, job.id) for job in document.jobs] == [
        ("kern-avx512", "cp312-manylinux_x86_64@avx512"),
        ("kern", "cp312-manylinux_x86_64"),
        ("kern", "cp312-manylinux_aarch64"),
    ]
    assert len(document.images) == 1, "an image that both use is told once"

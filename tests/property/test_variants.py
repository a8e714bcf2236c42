"""Plans of several variants and versions, from the configuration's tables on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.values import make_facts, make_host, make_inputs
from wheelkiln.config.variants import effective_config
from wheelkiln.plan.make import make_plan
from wheelkiln.plan.matrix import PlanDocument, make_document, refuse_collisions
from wheelkiln.plan.model import Plan, Selection
from wheelkiln.plan.shards import ShardChoice, cut_plans, take_shard
from wheelkiln.source.facts import publish_facts

_VARIANTS = st.dictionaries(
    st.sampled_from(["avx2", "avx512", "amx", "neon", "default"]),
    st.fixed_dictionaries(
        {},
        optional={
            "arch": st.lists(st.sampled_from(["x86_64", "aarch64"]), max_size=2),
            "isa": st.sampled_from([["x86-64-v3"], ["x86-64-v4", "avx512bf16"], ["armv8.2-a+dotprod"]]),
            "environment": st.fixed_dictionaries({"A": st.just("1"), "B": st.just("2")}),
            "config-settings": st.fixed_dictionaries({"x": st.just("1"), "y": st.booleans()}),
            "requires": st.just(["ninja"]),
            "version-suffix": st.sampled_from(["+cpu", ".post1"]),
        },
    ),
    min_size=1,
)
_TABLES = st.fixed_dictionaries(
    {"variants": _VARIANTS},
    optional={
        "python": st.lists(st.sampled_from(["cp310", "cp312", "cp313t", "cp399"]), min_size=1, max_size=4),
        "arch": st.lists(st.sampled_from(["x86_64", "aarch64"]), max_size=2),
        "libc": st.lists(st.sampled_from(["manylinux", "musllinux"]), min_size=1, max_size=2),
        "image": st.fixed_dictionaries({"toolchain": st.just("gcc"), "sccache": st.booleans()}),
        "repair": st.fixed_dictionaries({"exclude": st.just(["libcuda.so.*"]), "args": st.just(["--strip"])}),
    },
)
_VERSIONS = st.lists(st.sampled_from(["1.0", "1.1", "2.0"]), min_size=1, max_size=3, unique=True)
_LIMITED = st.sampled_from(["", "cp312", "py3"])
_SELECTIONS = st.sampled_from(["*@avx2", "kern-1.0/*", "cp310-*", "*aarch64*", "*", "nothing"])


def _plans(table: dict[str, Any], versions: Sequence[str], limited: str, selection: Selection) -> list[Plan]:
    """Plan as gather_editions does: every variant of every version, the variants in the order of their names."""
    host = make_host(emulated=frozenset({"aarch64"}))
    plans = []
    for version in versions:
        facts = make_facts(
            f'[project]\nname = "kern"\nversion = "{version}"\n[tool.scikit-build]\nwheel.py-api = "{limited}"\n'
        )
        inputs = make_inputs(table, facts=facts, selection=selection, host=host, source=f"kern-{version}")
        for name, variant in sorted(inputs.config.variants.items()):
            project = "" if name == "default" else f"kern-{name}"
            published = publish_facts(facts, project, variant.version_suffix, variant.requires)
            config = effective_config(inputs.config, variant)
            plans.append(make_plan(replace(inputs, config=config, facts=published, variant=name)))
    refuse_collisions(plans)
    return plans


def _document(plans: Sequence[Plan], count: int = 1) -> PlanDocument:
    return make_document(plans, cut_plans(plans, count)[0].shards)


def _shuffled(value: Any, shuffler: random.Random) -> Any:
    """Write the same tables with their keys in another order."""
    if not isinstance(value, dict):
        return value
    items = [(key, _shuffled(entry, shuffler)) for key, entry in value.items()]
    shuffler.shuffle(items)
    return dict(items)


@given(_TABLES, _VERSIONS, _LIMITED, st.integers(1, 6), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(
    table: dict[str, Any], versions: list[str], limited: str, count: int, shuffler: random.Random
) -> None:
    plans = [_plans(entry, versions, limited, Selection()) for entry in (table, _shuffled(table, shuffler))]
    assert _document(plans[0], count) == _document(plans[1], count)


@given(_TABLES, _VERSIONS, _LIMITED, _SELECTIONS)
def test_a_skip_never_adds_a_wheel(table: dict[str, Any], versions: list[str], limited: str, pattern: str) -> None:
    before, after = (
        _document(_plans(table, versions, limited, selection))
        for selection in (Selection(), Selection(skip=(pattern,)))
    )
    assert len(after.jobs) <= len(before.jobs)
    if not limited:  # else a Python that a stable-ABI wheel had covered may take the place of the one that is skipped
        assert {job.id for job in after.jobs} <= {job.id for job in before.jobs}


@given(_TABLES, _VERSIONS, _LIMITED, _SELECTIONS)
def test_every_identifier_of_every_variant_is_a_job_or_has_a_reason(
    table: dict[str, Any], versions: list[str], limited: str, pattern: str
) -> None:
    document = _document(_plans(table, versions, limited, Selection(skip=(pattern,))))
    told = [job.id for job in document.jobs] + [skip.id for skip in document.skipped]
    assert len(told) == len(set(told))
    pythons = set(table.get("python", ["cp310", "cp311", "cp312", "cp313"]))
    platforms = len(set(table.get("libc", ["manylinux"]))) * (len(set(table.get("arch", []))) or 1)
    assert len(told) == len(versions) * len(table["variants"]) * len(pythons) * platforms
    assert all(skip.reason and skip.detail for skip in document.skipped)


@given(_TABLES, _VERSIONS, _LIMITED, st.integers(1, 6))
def test_shards_are_the_plan_and_never_make_one_file(
    table: dict[str, Any], versions: list[str], limited: str, count: int
) -> None:
    plans = _plans(table, versions, limited, Selection())
    numbers = cut_plans(plans, count)[0].numbers
    parts = [
        [take_shard(plan, numbers, ShardChoice(number, count)) for plan in plans] for number in range(1, count + 1)
    ]
    jobs = [[job for plan in part for job in plan.jobs] for part in parts]
    assert sorted(job.id for part in jobs for job in part) == sorted(job.id for plan in plans for job in plan.jobs)
    files = [{(job.project, job.version, job.label, job.identifier) for job in part} for part in jobs]
    assert sum(map(len, files)) == len(set().union(*files))
    for part in parts:
        told = [job.id for plan in part for job in plan.jobs] + [skip.id for plan in part for skip in plan.skipped]
        whole = [job.id for plan in plans for job in plan.jobs] + [skip.id for plan in plans for skip in plan.skipped]
        assert sorted(told) == sorted(whole)

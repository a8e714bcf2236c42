from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.values import CIBUILDWHEEL, make_facts, make_host, make_inputs, make_interpreter
from wheelkiln.plan.make import PlanInputs, make_plan
from wheelkiln.plan.model import Plan, Selection
from wheelkiln.source.facts import SourceFacts

_TAGS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp313t", "cp314", "cp314t", "cp399")
_PATTERNS = st.sampled_from(
    [
        "*",
        "cp31*",
        "cp31[12]-*",
        "*t-*",
        "*aarch64",
        "cp312-manylinux_x86_64",
        "cp39-*",
        "cp313*",
        "*musl*",
        "nothing",
        "",
    ]
)


def _facts(limited: str, requires: str, skip: str) -> SourceFacts:
    return make_facts(
        f'[project]\nname = "kern"\nrequires-python = "{requires}"\n'
        f'[tool.scikit-build]\nwheel.py-api = "{limited}"\n[tool.cibuildwheel]\nskip = "{skip}"\n'
    )


_INPUTS = st.builds(
    lambda pythons, archs, libcs, base, limited, requires, skip, selection, emulated: make_inputs(
        {
            "python": pythons,
            "arch": archs,
            "libc": libcs if base in ("pypa", "bootstrap") else libcs[:1],
            "image": {"base": base},
        },
        facts=_facts(limited, requires, skip),
        selection=selection,
        host=make_host(emulated=frozenset({"aarch64"} if emulated else ())),
        interpreters=(make_interpreter("cp311", "3.11.7"), make_interpreter("cp312", "3.12.1")),
    ),
    st.lists(st.sampled_from(_TAGS), min_size=1, max_size=12),
    st.lists(st.sampled_from(["x86_64", "aarch64"]), max_size=3),
    st.lists(st.sampled_from(["manylinux", "musllinux"]), min_size=1, max_size=3),
    st.sampled_from(["pypa", "bootstrap", "registry.example/acme/base:1"]),
    st.sampled_from(["", "cp310", "cp312", "py3"]),
    st.sampled_from(["", ">=3.11", "<3.13"]),
    st.sampled_from(["", "cp311-*", "*t-*"]),
    st.builds(Selection, st.lists(_PATTERNS, max_size=2).map(tuple), st.lists(_PATTERNS, max_size=2).map(tuple)),
    st.booleans(),
)


def _served(plan: Plan) -> set[str]:
    """Identifiers that this plan brings a wheel for, their own or one that covers them."""
    return {job.id for job in plan.jobs} | {skip.id for skip in plan.skipped if skip.covered_by}


def _identifiers(inputs: PlanInputs) -> set[str]:
    archs = inputs.config.arch or (inputs.host.machine,)
    return {f"{tag}-{libc}_{arch}" for tag in inputs.config.python for libc in inputs.config.libc for arch in archs}


@given(_INPUTS, st.randoms(use_true_random=False))
def test_the_order_in_the_configuration_does_not_matter(inputs: PlanInputs, shuffler: random.Random) -> None:
    shuffled = {name: list(getattr(inputs.config, name)) for name in ("python", "arch", "libc")}
    for values in shuffled.values():
        shuffler.shuffle(values)
    config = inputs.config.model_copy(update={name: tuple(values) for name, values in shuffled.items()})
    assert make_plan(replace(inputs, config=config)) == make_plan(inputs)


@given(_INPUTS)
def test_jobs_and_skips_part_the_identifiers_and_every_skip_has_a_reason(inputs: PlanInputs) -> None:
    plan = make_plan(inputs)
    jobs, skips = [job.identifier for job in plan.jobs], [skip.identifier for skip in plan.skipped]
    assert sorted(jobs + skips) == sorted(_identifiers(inputs))
    assert all(skip.detail for skip in plan.skipped)
    assert set(jobs) <= set(CIBUILDWHEEL.identifiers)


@given(_INPUTS)
def test_every_reference_inside_a_plan_leads_somewhere(inputs: PlanInputs) -> None:
    plan = make_plan(inputs)
    assert set(plan.image_names()) == {job.image for job in plan.jobs}
    assert sorted(image.name for image in plan.images) == sorted({plan.image_of(job).name for job in plan.jobs})
    assert all(plan.image_of(job).name_for(job.arch) == job.image for job in plan.jobs)
    assert {skip.covered_by for skip in plan.skipped} - {""} <= {job.id for job in plan.jobs}


@given(_INPUTS, _PATTERNS)
def test_another_skip_never_serves_more(inputs: PlanInputs, pattern: str) -> None:
    """The number of jobs never grows; one that a stable-ABI wheel had covered may take the place of a skipped one."""
    selection = replace(inputs.selection, skip=(*inputs.selection.skip, pattern))
    before, after = make_plan(inputs), make_plan(replace(inputs, selection=selection))
    assert _served(after) <= _served(before)
    assert len(after.jobs) <= len(before.jobs)
    if not inputs.facts.limited_api:
        assert {job.id for job in after.jobs} <= {job.id for job in before.jobs}

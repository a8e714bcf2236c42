from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.values import CIBUILDWHEEL, make_facts, make_host, make_inputs, make_interpreter, make_job
from wheelkiln.plan.cut import cut_jobs
from wheelkiln.plan.make import PlanInputs, make_plan
from wheelkiln.plan.model import Job, Plan, Selection, SkipReason, job_name
from wheelkiln.plan.shards import ShardChoice, take_shard
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


_JOBS = st.builds(
    lambda python, platform, variant, version, seconds: replace(
        make_job(f"{python}-{platform}"),
        id=f"kern-{version}/{job_name(f'{python}-{platform}', variant)}",
        variant=variant,
        project="kern-amx" if variant == "amx" else "kern",
        label="v4" if variant == "avx512" else "",
        version=version,
        estimate=seconds,
    ),
    st.sampled_from(_TAGS),
    st.sampled_from(["manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64"]),
    st.sampled_from(["default", "avx2", "avx512", "amx"]),
    st.sampled_from(["1.0", "1.1"]),
    st.none() | st.floats(0, 1e5),
)
_SETS = st.lists(_JOBS, max_size=40, unique_by=lambda job: job.id)
_COUNTS = st.integers(1, 12)


@given(_SETS, _COUNTS, st.booleans(), st.randoms(use_true_random=False))
def test_shards_part_the_jobs_alike_on_every_machine(
    jobs: list[Job], count: int, by_history: bool, shuffler: random.Random
) -> None:
    cut = cut_jobs(jobs, count, by_history=by_history)
    assert sorted(job for shard in cut.shards for job in shard.jobs) == sorted(job.id for job in jobs)
    assert [shard.number for shard in cut.shards] == list(range(1, count + 1))
    shuffled = list(jobs)
    shuffler.shuffle(shuffled)
    assert cut_jobs(shuffled, count, by_history=by_history).numbers == cut.numbers
    if not by_history:
        forgotten = [replace(job, estimate=None) for job in jobs]
        assert cut_jobs(forgotten, count, by_history=False).id == cut.id


@given(_SETS, _COUNTS, st.booleans())
def test_no_two_shards_have_jobs_of_one_file_name(jobs: list[Job], count: int, by_history: bool) -> None:
    numbers = cut_jobs(jobs, count, by_history=by_history).numbers
    homes: dict[tuple[str, str, str, str], set[int]] = {}
    for job in jobs:
        homes.setdefault((job.project, job.version, job.label, job.identifier), set()).add(numbers[job.id])
    assert all(len(home) == 1 for home in homes.values())


@given(st.lists(st.floats(0.001, 1e4), max_size=40), _COUNTS)
def test_no_shard_takes_much_longer_than_it_must(seconds: list[float], count: int) -> None:
    """Giving the longest to the emptiest ends within 3/2 of what nothing goes below (Graham 1969), ours 5 % later."""
    jobs = [
        replace(make_job(), id=f"kern-{number}/cp312-manylinux_x86_64", version=str(number), estimate=second)
        for number, second in enumerate(seconds)
    ]
    longest = max(shard.seconds or 0 for shard in cut_jobs(jobs, count, by_history=True).shards)
    two_in_one = sum(sorted(seconds)[-count - 1 :][:2]) if len(seconds) > count else 0.0
    assert longest <= max([sum(seconds) / count, two_in_one, *seconds]) * 1.5 * 1.05 + 0.1


@given(_INPUTS, _COUNTS)
def test_shards_of_a_plan_are_the_plan(inputs: PlanInputs, count: int) -> None:
    plan = make_plan(inputs)
    numbers = cut_jobs(plan.jobs, count, by_history=False).numbers
    taken = [take_shard(plan, numbers, ShardChoice(number, count)) for number in range(1, count + 1)]
    assert sorted(job.id for part in taken for job in part.jobs) == sorted(job.id for job in plan.jobs)
    assert {image.name for part in taken for image in part.images} == {image.name for image in plan.images}
    for part in taken:
        told = [job.id for job in part.jobs] + [skip.id for skip in part.skipped]
        assert sorted(told) == sorted(_identifiers(inputs))
        assert all(skip.detail for skip in part.skipped)
        assert {skip.covered_by for skip in part.skipped} - {""} <= {job.id for job in part.jobs}
        assert set(part.image_names()) == {job.image for job in part.jobs}
    own = [{skip.id for skip in part.skipped if skip.reason is SkipReason.STABLE_ABI} for part in taken]
    assert sum(map(len, own)) == len(set().union(*own)), "a Python that a stable-ABI wheel may serve is in one shard"
    assert set().union(*own) == {skip.id for skip in plan.skipped if skip.reason is SkipReason.STABLE_ABI}

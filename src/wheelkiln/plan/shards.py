"""One shard of a plan: which one is asked for, and what is left of the plan for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wheelkiln.errors import UsageProblem
from wheelkiln.plan.cut import Cut, cut_jobs
from wheelkiln.plan.model import Notice, Plan, Shard, Skipped, SkipReason

__all__ = [
    "MOST_SHARDS",
    "PlannedCut",
    "ShardChoice",
    "check_planned",
    "cut_plans",
    "parse_planned",
    "parse_shard",
    "take_shard",
]

MOST_SHARDS = 1000
_NO_PLAN = "'wheelkiln plan --shards N --format json' makes one."


@dataclass(frozen=True, slots=True)
class ShardChoice:
    """One of several shards; number counts from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@dataclass(frozen=True, slots=True)
class PlannedCut:
    """What a plan that was made elsewhere says: its shards, and the ids of what it leaves out."""

    cut: Cut
    left_out: frozenset[str]


def parse_shard(text: str) -> ShardChoice:
    """Read ``2/3``; raise UsageProblem where there is no such shard."""
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None:
        raise UsageProblem(f"--shard {text}: not a shard", hint="Write K/N: 2/3 is the second of three.")
    choice = ShardChoice(int(match[1]), int(match[2]))
    if not 1 <= choice.number <= choice.count <= MOST_SHARDS:
        raise UsageProblem(
            f"--shard {text}: there is no such shard", hint=f"K counts from 1 to N, and N is {MOST_SHARDS} at most."
        )
    return choice


def cut_plans(plans: Iterable[Plan], count: int) -> tuple[Cut, tuple[Notice, ...]]:
    """Return the shards of plans, balanced by what this machine knows of earlier runs."""
    jobs = [job for plan in plans for job in plan.jobs]
    cut = cut_jobs(jobs, count, by_history=True)
    shared = cut_jobs(jobs, count, by_history=False).id
    notice = Notice(
        "shards-by-history",
        "these shards are balanced by this machine's history, which others do not know",
        f"Give the plan to all machines: --format json, then 'build --plan FILE --shard K/{count}'. Without --plan, "
        "each shard gets as many jobs.",
    )
    return cut, () if cut.id == shared else (notice,)


def parse_planned(text: str, *, where: str) -> PlannedCut:
    """Read the shards of 'plan --shards N --format json'; raise UsageProblem where there are none."""
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageProblem(f"{where} is not a plan: {error}", hint=_NO_PLAN) from error
    if not isinstance(plan, dict) or not plan.get("shards"):
        raise UsageProblem(f"{where} is not a plan with shards", hint=_NO_PLAN)
    try:
        shards = tuple(
            Shard(number, tuple(_text(job) for job in _list(shard["jobs"])))
            for number, shard in enumerate(_list(plan["shards"]), start=1)
        )
        left_out = frozenset(_text(skip["id"]) for skip in _list(plan["skipped"]))
        jobs = [_text(job["id"]) for job in _list(plan["jobs"])]
    except (KeyError, TypeError) as error:
        raise UsageProblem(f"{where} is not a plan with shards: {error!r}", hint=_NO_PLAN) from error
    if sorted(jobs) != sorted(job for shard in shards for job in shard.jobs):
        raise UsageProblem(f"the shards in {where} do not have each of its jobs once", hint=_NO_PLAN)
    return PlannedCut(Cut(shards), left_out)


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def check_planned(planned: PlannedCut, plans: Iterable[Plan], choice: ShardChoice, *, where: str) -> None:
    """Raise UsageProblem where a shard of a plan that was made elsewhere is not what can be built here."""
    count = len(planned.cut.shards)
    if count != choice.count:
        raise UsageProblem(f"{where} has {count} shard{'' if count == 1 else 's'}, --shard asks for {choice}")
    plans = tuple(plans)
    jobs = {job.id for plan in plans for job in plan.jobs}
    reasons = {skip.id: skip.detail for plan in plans for skip in plan.skipped}
    lacking = [job_id for job_id in planned.cut.shards[choice.number - 1].jobs if job_id not in jobs]
    if lacking:
        told = [f"  {job_id}: {reasons.get(job_id, 'the configuration here does not have it')}" for job_id in lacking]
        raise UsageProblem("\n".join([f"jobs of shard {choice} in {where} cannot be built here:", *told]))
    unknown = sorted(jobs - set(planned.cut.numbers) - planned.left_out)
    if unknown:
        raise UsageProblem(
            f"{where} was made from another configuration: it does not know {', '.join(unknown)}",
            hint="Make it again from the source and the options that are used here.",
        )


def take_shard(plan: Plan, numbers: Mapping[str, int], choice: ShardChoice) -> Plan:
    """Return the part of a plan that one shard has; numbers are those of the shards by job id.

    What the others have is skipped with that reason, and so are the Pythons that their stable-ABI wheels may serve.
    """
    jobs = tuple(job for job in plan.jobs if numbers.get(job.id) == choice.number)
    own, used = {job.id for job in jobs}, {job.image for job in jobs}

    def elsewhere(job_id: str, identifier: str, decider: str) -> Skipped:
        number = numbers.get(decider)
        if number is None:
            return Skipped(job_id, identifier, SkipReason.NOT_SELECTED, "the plan of the shards leaves it out")
        return Skipped(job_id, identifier, SkipReason.OTHER_SHARD, f"it belongs to shard {number}/{choice.count}")

    skipped = [
        elsewhere(skip.id, skip.identifier, skip.covered_by) if skip.covered_by and skip.covered_by not in own else skip
        for skip in plan.skipped
    ]
    skipped += [elsewhere(job.id, job.identifier, job.id) for job in plan.jobs if job.id not in own]
    return replace(
        plan,
        jobs=jobs,
        images=tuple(image for image in plan.images if used & set(map(image.name_for, image.architectures))),
        skipped=tuple(skipped),
        references={name: reference for name, reference in plan.references.items() if name in used},
    )

"""What the Pythons of one run could share, and what they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from wheelkiln.cache.calls import Call
from wheelkiln.cache.records import JobRecord
from wheelkiln.cache.units import compare_arguments, pair_calls

__all__ = ["Sharing", "add_sharing", "count_sharing"]

_MOST_FLAGS = 4
_PREPROCESSOR = ("-I", "-D", "-U", "-isystem", "-iquote", "-idirafter", "-include")
"""Options whose effect is in the preprocessed text: ccache does not hash them beside it."""
_WITH_VALUE = frozenset({"-I", "-D", "-U", "-isystem", "-iquote", "-idirafter", "-include"})


@dataclass(frozen=True, slots=True)
class Sharing:
    """Compilations of a run that an earlier Python's job of the run had compiled as well.

    shared had the same result, so one compilation serves both. dependent had the same options and another text: they
    see the Python. apart had other options, of which flags names the most frequent; the rest of what could be shared.
    """

    repeated: int = 0
    shared: int = 0
    dependent: int = 0
    apart: int = 0
    flags: tuple[str, ...] = ()

    @property
    def shareable(self) -> int:
        """Those that do not see the Python, as far as that can be told."""
        return self.shared + self.apart


def add_sharing(counted: Iterable[Sharing]) -> Sharing:
    """Add up what was counted for each namespace."""
    found = tuple(counted)
    return Sharing(
        repeated=sum(entry.repeated for entry in found),
        shared=sum(entry.shared for entry in found),
        dependent=sum(entry.dependent for entry in found),
        apart=sum(entry.apart for entry in found),
        flags=tuple(dict.fromkeys(flag for entry in found for flag in entry.flags)),
    )


def count_sharing(records: Sequence[JobRecord], ignored: Collection[str] = ()) -> Sharing:
    """Compare each job with the earlier ones; records are of one cache namespace, in the order of the plan.

    ignored are options that ccache was told not to hash.
    """
    counts: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    for number, record in enumerate(records[1:], start=1):
        earlier = [dict(_pairs(before, record)) for before in reversed(records[:number])]
        for call in record.compilations:
            others = [pairs[id(call)] for pairs in earlier if id(call) in pairs]
            if others and call.result_key:
                kind, differing = _judge(call, others, ignored)
                counts[kind] += 1
                flags.update(differing)
    most = tuple(flag for flag, _ in flags.most_common(_MOST_FLAGS))
    return Sharing(counts.total(), counts["shared"], counts["dependent"], counts["apart"], most)


def _pairs(before: JobRecord, after: JobRecord) -> Iterable[tuple[int, Call]]:
    for old, new in pair_calls(before.compilations, after.compilations):
        if old is not None and old.result_key:
            yield id(new), old


def _judge(call: Call, others: Sequence[Call], ignored: Collection[str]) -> tuple[str, frozenset[str]]:
    """Compare a call with those of earlier jobs, the nearest first."""
    if any(other.result_key == call.result_key for other in others):
        return "shared", frozenset()
    differences = [_differing(other, call).difference(ignored) for other in others]
    nearest = min(differences, key=len)
    return ("apart", nearest) if nearest else ("dependent", frozenset())


def _differing(one: Call, two: Call) -> frozenset[str]:
    difference = compare_arguments(_hashed(one.command), _hashed(two.command))
    return frozenset((*difference.removed, *difference.added))


def _hashed(command: Sequence[str]) -> list[str]:
    """Return the options that ccache hashes beside the preprocessed text."""
    kept: list[str] = []
    skip = False
    for word in command:
        if skip or word.startswith(_PREPROCESSOR):
            skip = not skip and word in _WITH_VALUE
            continue
        kept.append(word)
    return kept

"""Finding a translation unit again in another build, and what differs between its two compiler calls."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

from wheelkiln.cache.calls import Call

__all__ = ["ArgumentDifference", "MovedDirectory", "compare_arguments", "moved_directory", "pair_calls", "steady_path"]

_RANDOM = re.compile(
    r"(?<![^/=\"'])(?:"
    r"(?:pip-)?build-env-\w{4,}|pip-(?:req-build|install|wheel|standalone-pip|ephem-wheel-cache)-\w{4,}"
    r"|tmp[a-z0-9_]{8}|tmp\.[A-Za-z0-9]{6,10}|\.tmp[A-Za-z0-9]{6}|\.mesonpy-\w{4,}|cibw-run-\w{6,}"
    r")(?=/|\"|'|$)"
)
"""Directories that pip, build, uv, meson-python, Python's tempfile and mktemp name at random."""
_ENVIRONMENT = re.compile(r"build-env-|/builds-v0/|site-packages|/overlay(?:/|$)|/dist-packages")
_TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108 - compared, not used
_OUTPUT_OPTIONS = frozenset({"-o", "-MF", "-MT", "-MQ"})
_SHORTEST_RANDOM = 4


@dataclass(frozen=True, slots=True)
class MovedDirectory:
    """A directory that has another name in each build. environment tells whether build requirements lie in it."""

    before: str
    after: str
    environment: bool


@dataclass(frozen=True, slots=True)
class ArgumentDifference:
    """How the arguments of two calls differ; reordered when they are the same in another order."""

    moved: tuple[MovedDirectory, ...] = ()
    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    reordered: bool = False

    @property
    def flags(self) -> bool:
        return bool(self.removed or self.added or self.reordered)


def steady_path(path: str) -> str:
    """Return a path with its random parts replaced, the same for each build."""
    return _RANDOM.sub("*", path)


def pair_calls(before: Iterable[Call], after: Iterable[Call]) -> Iterator[tuple[Call | None, Call]]:
    """Yield each later call with the earlier one of the same unit, None where there was none.

    A unit is its source and its object file; where a path changed in a way that is not known here, the names alone.
    """
    later = list(after)
    earlier = list(before)
    found: dict[int, Call] = {}
    for name in (_exact_name, _short_name):
        left: defaultdict[tuple[str, str], list[Call]] = defaultdict(list)
        for call in earlier:
            left[name(call)].append(call)
        for index, call in enumerate(later):
            if index not in found and left[name(call)]:
                found[index] = left[name(call)].pop(0)
        used = {id(call) for call in found.values()}
        earlier = [call for call in earlier if id(call) not in used]
    for index, call in enumerate(later):
        yield found.get(index), call


def _exact_name(call: Call) -> tuple[str, str]:
    return steady_path(call.source), steady_path(call.output)


def _short_name(call: Call) -> tuple[str, str]:
    return PurePosixPath(call.source).name, PurePosixPath(call.output).name


def compare_arguments(before: Sequence[str], after: Sequence[str]) -> ArgumentDifference:
    """Compare the arguments of two calls of one unit; where the output goes is no part of what is compiled."""
    one, two = list(_without_outputs(before)), list(_without_outputs(after))
    if one == two:
        return ArgumentDifference()
    moves = {
        steady_path(old): moved for old, new in zip(one, two, strict=False) if (moved := moved_directory(old, new))
    }
    replaced = {moved.before: moved.after for moved in moves.values()}
    steady_one, steady_two = ([_steady(word, replaced) for word in words] for words in (one, two))
    counts_one, counts_two = Counter(steady_one), Counter(steady_two)
    return ArgumentDifference(
        moved=tuple(dict.fromkeys(moves.values())),
        removed=tuple((counts_one - counts_two).elements()),
        added=tuple((counts_two - counts_one).elements()),
        reordered=counts_one == counts_two and steady_one != steady_two,
    )


def _steady(word: str, replaced: dict[str, str]) -> str:
    for before, after in replaced.items():
        word = word.replace(before, "*").replace(after, "*")
    return steady_path(word)


def _without_outputs(words: Sequence[str]) -> Iterator[str]:
    """Yield the arguments without the names of what is written; the compiler's own name is the first word."""
    for previous, word in pairwise(["", *words]):
        if previous not in _OUTPUT_OPTIONS and word not in _OUTPUT_OPTIONS:
            yield word


def moved_directory(before: str, after: str) -> MovedDirectory | None:
    """Return the directory whose random name is all that differs between two words; None when it is not that."""
    one, two = before.split("/"), after.split("/")
    different = [index for index, (old, new) in enumerate(zip(one, two, strict=False)) if old != new]
    if len(one) != len(two) or not different:
        return None
    place = different[0]
    old, new = "/".join(one[: place + 1]), "/".join(two[: place + 1])
    if not _is_random(old, new):
        return None
    environment = bool(_ENVIRONMENT.search(before) and _ENVIRONMENT.search(after))
    start = old.find("/")
    return MovedDirectory(old[max(start, 0) :], new[max(start, 0) :], environment)


def _is_random(old: str, new: str) -> bool:
    """Tell whether two directories' last parts are of a known random kind, or look like one in a temporary place."""
    last_old, last_new = old.rpartition("/")[2], new.rpartition("/")[2]
    if _RANDOM.fullmatch(last_old) and _RANDOM.fullmatch(last_new):
        return True
    same_kind = len(last_old) == len(last_new) >= _SHORTEST_RANDOM
    return same_kind and any(place in f"{old}/" for place in _TEMPORARY)

"""From differences to likely causes: what they are called, how they are ordered, what to do about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from wheelkiln.verify.difference.model import Cause, Difference, LikelyCause, MemberDifference, Presence, Weight

__all__ = ["EXPLANATIONS", "Explanation", "find_causes"]

_MOST_EVIDENCE = 5
_SHOWN = 90


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is always the same of a cause."""

    title: str
    remedy: str


EXPLANATIONS: Mapping[Cause, Explanation] = MappingProxyType(
    {
        Cause.SOURCE: Explanation(
            "the wheels are of different sources",
            "Compare builds of one sdist. A directory gives another sdist when its files change.",
        ),
        Cause.REQUIREMENT: Explanation(
            "a build requirement or tool has another version",
            "Pin the build requirements with 'wheelkiln lock', and build both wheels with that lock.",
        ),
        Cause.IMAGE: Explanation(
            "the images differ, and with them the system's packages or the Python",
            "Build in one image: name the base by its digest.",
        ),
        Cause.COMPILER: Explanation(
            "the compilers differ",
            "Build in one image, named by its digest; 'wheelkiln image inspect' shows its compiler.",
        ),
        Cause.CPU_NATIVE: Explanation(
            "the code is made for the building machine's CPU",
            "Name a level instead, such as -march=x86-64-v3: code for the building machine may not run elsewhere.",
        ),
        Cause.FLAGS: Explanation(
            "the compiler's flags or the build's settings differ",
            "Compare CFLAGS, CXXFLAGS, LDFLAGS, config-settings and the variants of both builds.",
        ),
        Cause.TIMESTAMP: Explanation(
            "a time is built in",
            "Take times from SOURCE_DATE_EPOCH, which wheelkiln sets, or leave them out. gcc's __DATE__ and __TIME__ "
            "keep to it, __TIMESTAMP__ does not. Two builds are only alike with the same SOURCE_DATE_EPOCH.",
        ),
        Cause.PATH: Explanation(
            "a path of the build is built in",
            "Build at a fixed place, as wheelkiln does; where the project makes directories of random names, fix them. "
            "-ffile-prefix-map=OLD=NEW takes paths out of __FILE__ and debug information.",
        ),
        Cause.LOCALE_TIMEZONE: Explanation(
            "the time zone or the locale of the build is built in",
            "Use UTC and LC_ALL=C in the project's build, or format values without regard to them.",
        ),
        Cause.UMASK: Explanation(
            "files have other modes",
            "The umask of a checkout or of a build reached the wheel. Let wheelkiln make the sdist, or use umask 022.",
        ),
        Cause.PARALLEL_ORDER: Explanation(
            "the same parts are there in another order",
            "Sort lists of files (glob, listdir, find) before they are compiled, linked or packed; steps that write "
            "to one file have to wait for each other.",
        ),
        Cause.RANDOM: Explanation(
            "a random value is built in",
            "Look for uuid, random, tempfile, addresses of objects (repr, id) and sets that are written as they come; "
            "take values from the content, and sort. PYTHONHASHSEED=0, which wheelkiln sets, orders sets of strings. "
            "Names such as ccXXXXXX.o in a symbol table are gcc's temporary files: link with -Wl,--strip-all.",
        ),
        Cause.MEMBER_ORDER: Explanation(
            "the wheel's members are packed in another order",
            "Sort the files before they are packed; current versions of build backends and of auditwheel do.",
        ),
        Cause.ARCHIVE: Explanation(
            "the zip files were written in different ways",
            "The content is not affected. Use one version of the build backend, auditwheel and Python for both.",
        ),
        Cause.BUILD_ID_ONLY: Explanation(
            "nothing but the build id differs",
            "The build id is a digest of what was linked, so what was stripped afterwards differs, most often debug "
            "information with a path. Link with -Wl,--build-id=none, or find what differs before it is stripped.",
        ),
        Cause.UNKNOWN: Explanation(
            "nothing known explains the difference",
            "Look at the differences above; diffoscope shows disassembled code, too. Then build twice more, and see "
            "whether the same places differ.",
        ),
    }
)
_ORDER = tuple(Cause)


@dataclass(frozen=True, slots=True)
class _Seen:
    member: str
    difference: Difference


def find_causes(archive: Sequence[Difference], members: Sequence[MemberDifference]) -> tuple[LikelyCause, ...]:
    """Return the causes that differences point to, the likeliest first.

    What a record names comes before what is seen; of equal weight, what shows in more members comes first. Hints count
    where there is nothing else, and so does what follows from other differences.
    """
    seen = [_Seen("", difference) for difference in archive]
    seen += [_Seen(member.name, difference) for member in members for difference in member.differences]
    by_cause: dict[Cause, list[_Seen]] = {}
    for entry in seen:
        if entry.difference.cause is not None and entry.difference.weight > Weight.CONSEQUENCE:
            by_cause.setdefault(entry.difference.cause, []).append(entry)
    if not by_cause:
        return (_without_cause(seen, members),)
    by_cause = {cause: found for cause, found in by_cause.items() if not _is_hint(found)} or by_cause
    ordered = sorted(by_cause, key=lambda cause: (*_strength(by_cause[cause]), _ORDER.index(cause)))
    return tuple(_make_cause(cause, by_cause[cause]) for cause in ordered)


def _is_hint(seen: Sequence[_Seen]) -> bool:
    return all(entry.difference.weight is Weight.HINT for entry in seen)


def _strength(seen: Sequence[_Seen]) -> tuple[int, int]:
    return -max(entry.difference.weight for entry in seen), -len({entry.member for entry in seen})


def _without_cause(seen: Sequence[_Seen], members: Sequence[MemberDifference]) -> LikelyCause:
    """Take the build id for the cause where nothing else differs, and else say that there is none."""
    ids = [entry for entry in seen if entry.difference.cause is Cause.BUILD_ID_ONLY]
    rest = [entry for entry in seen if entry.difference.weight > Weight.CONSEQUENCE]
    whole = all(member.presence is Presence.BOTH and not member.note for member in members)
    if ids and not rest and whole:
        return _make_cause(Cause.BUILD_ID_ONLY, ids)
    if not seen and not members:
        return _make_cause(Cause.ARCHIVE, [])
    return _make_cause(Cause.UNKNOWN, rest, members)


def _make_cause(cause: Cause, seen: Sequence[_Seen], members: Sequence[MemberDifference] = ()) -> LikelyCause:
    names = dict.fromkeys([*(entry.member for entry in seen if entry.member), *(member.name for member in members)])
    strongest = sorted(seen, key=lambda entry: -entry.difference.weight)
    explanation = EXPLANATIONS[cause]
    evidence = tuple(dict.fromkeys(_tell(strongest)))[:_MOST_EVIDENCE]
    weight = max((entry.difference.weight for entry in seen), default=Weight.HINT)
    return LikelyCause(cause, explanation.title, evidence, tuple(names), explanation.remedy, weight)


def _tell(seen: Sequence[_Seen]) -> Iterator[str]:
    for entry in seen:
        found = entry.difference
        where = f"{entry.member}: {found.place}" if entry.member else found.place
        shown = " | ".join(_cut(text) for text in (found.one, found.other))
        yield f"{where}: {shown}" if found.one or found.other else where


def _cut(text: str) -> str:
    return (text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...") or "nothing"

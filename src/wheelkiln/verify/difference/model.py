"""What a comparison of two wheels says: differences as they are, and the causes that they point to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum

__all__ = ["Cause", "Comparison", "Difference", "LikelyCause", "MemberDifference", "Presence", "Weight", "observed"]


class Cause(StrEnum):
    """Why two builds may differ. The values are stable: programs may compare them."""

    SOURCE = "source"
    REQUIREMENT = "requirement"
    COMPILER = "compiler"
    IMAGE = "image"
    CPU_NATIVE = "cpu-native"
    FLAGS = "flags"
    TIMESTAMP = "timestamp"
    PATH = "path"
    LOCALE_TIMEZONE = "locale-timezone"
    UMASK = "umask"
    PARALLEL_ORDER = "parallel-order"
    RANDOM = "random"
    MEMBER_ORDER = "member-order"
    ARCHIVE = "archive"
    BUILD_ID_ONLY = "build-id-only"
    UNKNOWN = "unknown"


class Weight(IntEnum):
    """How much a difference says of its cause.

    consequence: it follows from another difference. hint: it may come from elsewhere. direct: it shows the cause.
    record: the wheels' own records name it.
    """

    CONSEQUENCE = 0
    HINT = 1
    DIRECT = 2
    RECORD = 3


class Presence(StrEnum):
    BOTH = "both"
    FIRST = "first"
    SECOND = "second"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same: where it is, what each wheel has there, and the cause that it points to.

    place is within a member, such as ``.comment`` or ``line 3``; one and other are short and printable.
    """

    place: str
    one: str
    other: str
    cause: Cause | None = None
    weight: Weight = Weight.HINT


def observed(place: str, texts: Iterable[str], cause: Cause | None = None, weight: Weight = Weight.HINT) -> Difference:
    """Return a difference whose two texts are found in one way."""
    one, other = texts
    return Difference(place, one, other, cause, weight)


@dataclass(frozen=True, slots=True)
class MemberDifference:
    """A member that only one wheel has, or that differs; kind is what it was read as.

    note says why nothing more is told of it: it is too large, or is not what its name says.
    """

    name: str
    presence: Presence = Presence.BOTH
    kind: str = "data"
    differences: tuple[Difference, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class LikelyCause:
    """A cause with what speaks for it; evidence are lines, the strongest first, and weight is that of the strongest."""

    cause: Cause
    title: str
    evidence: tuple[str, ...]
    members: tuple[str, ...]
    remedy: str
    weight: Weight = Weight.HINT


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two wheels side by side; identical ones have the same bytes. archive is what differs around the members.

    causes are ordered, the likeliest first. Equal members in different archives are a difference, too.
    """

    one: str
    other: str
    sha256: tuple[str, str]
    archive: tuple[Difference, ...] = ()
    members: tuple[MemberDifference, ...] = ()
    causes: tuple[LikelyCause, ...] = ()

    @property
    def identical(self) -> bool:
        return self.sha256[0] == self.sha256[1]

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names; RECORD, which lists the others' digests, is named only when nothing else differs."""
        names = tuple(member.name for member in self.members)
        return tuple(name for name in names if not name.endswith(".dist-info/RECORD")) or names

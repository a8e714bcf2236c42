"""Where an sdist came from, and what was changed in it: enough to have the same one again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["ChangedText", "EditionChanges", "OriginKind", "SourceOrigin"]


class OriginKind(StrEnum):
    """How a source was given."""

    INDEX = "index"
    GIT = "git"
    SDIST = "sdist"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True)
class SourceOrigin:
    """The source before any change: its name and version, and the digest of what its sdist holds.

    file and sha256 are those of an sdist that came as a file; url, without credentials, and commit are git's; a
    repository on the machine itself has no url. There is
    no address of an index: the same file comes from many, and its digest finds it.
    """

    kind: OriginKind
    project: str
    version: str
    digest: str
    file: str = ""
    sha256: str = ""
    url: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class ChangedText:
    """A text file that went into an edition, by the name that it had; one that is not UTF-8 is told as latin-1."""

    name: str
    text: str
    encoding: Literal["utf-8", "latin-1"] = "utf-8"

    @classmethod
    def of(cls, name: str, content: bytes) -> ChangedText:
        """Return a file's text so that encoding it gives the same bytes."""
        try:
            return cls(name, content.decode("utf-8"))
        except UnicodeDecodeError:
            return cls(name, content.decode("latin-1"), "latin-1")

    @property
    def content(self) -> bytes:
        return self.text.encode(self.encoding)


@dataclass(frozen=True, slots=True)
class EditionChanges:
    """What an edition's sdist was made with, besides the source's: texts and values, no paths."""

    name: str = ""
    description: str = ""
    readme: ChangedText | None = None
    version_suffix: str = ""
    classifiers: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    patches: tuple[ChangedText, ...] = ()

"""An edition of a source: its sdist with patches applied, published under another name, with further requirements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.errors import ConfigError
from wheelkiln.source.prepare import PreparedSource

__all__ = ["Patch", "Publication", "make_edition"]


@dataclass(frozen=True, slots=True)
class Publication:
    """How an edition is published; an empty field leaves what the source has.

    readme is the path of a file on this machine: its text goes into the sdist under its own file name.
    version_suffix is a post or dev segment, a local label (``+cpu.avx512``), or both. classifiers are added.
    """

    name: str = ""
    description: str = ""
    readme: str = ""
    version_suffix: str = ""
    classifiers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.name or self.description or self.readme or self.version_suffix or self.classifiers)


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch file on this machine; versions is a specifier set (PEP 440) of the source's versions that it is for."""

    path: Path
    versions: str = ""


def make_edition(
    prepared: PreparedSource,
    publication: Publication,
    patches: Sequence[Patch] = (),
    *,
    extra_requires: Sequence[str] = (),
    work_dir: Path,  # noqa: ARG001 - comes with the rewriting
    say: Callable[[str], None] = lambda _: None,  # noqa: ARG001
) -> PreparedSource:
    """Write the edition's sdist into work_dir and describe it; return prepared itself where nothing changes.

    say receives what the user should know and no error is made of: a hunk that fits at another line, code that asks
    for the project by its old name. Raise ConfigError when a patch does not apply, or a field cannot be rewritten.
    """
    if not (publication or patches or extra_requires):
        return prepared
    raise ConfigError("editions are not made yet")

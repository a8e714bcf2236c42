"""What is known of build backends: where they build, whose compiler flags they use, how their compilers run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelkiln.source.facts import SourceFacts

__all__ = ["Backend", "known_backend"]

_COMPILING_TOGETHER = frozenset({"cmake", "ninja", "scikit-build", "setuptools-rust", "torch"})
"""Requirements of a setuptools project that compiles more than one file at a time."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One that is not known is taken for the defaults.

    build_dir_setting is the config setting that gives it a fixed build directory, where it would choose one at random.
    interpreter_flags tells whether its compilers get the flags that the interpreter was compiled with. runs_ninja
    tells that ninja, or make, compiles, which asks a jobserver; takes_number that a number of compilers reaches it
    by variables. serial says that it compiles one file at a time.
    """

    build_dir_setting: str = ""
    interpreter_flags: bool = True
    runs_ninja: bool = False
    takes_number: bool = True
    serial: bool = False


_BACKENDS = {
    "scikit_build_core": Backend(build_dir_setting="build-dir", interpreter_flags=False, runs_ninja=True),
    "py_build_cmake": Backend(interpreter_flags=False, runs_ninja=True),
    "mesonpy": Backend(
        build_dir_setting="build-dir",
        interpreter_flags=False,
        runs_ninja=True,
        takes_number=False,  # nothing tells Meson's ninja a number
    ),
    "setuptools": Backend(serial=True),
}


def known_backend(facts: SourceFacts) -> Backend:
    """Return what is known of a source's backend."""
    name = facts.backend.name.partition(".")[0]
    if name == "setuptools" and _COMPILING_TOGETHER & set(_names(facts.backend.requires)):
        return Backend()
    return _BACKENDS.get(name, Backend())


def _names(requires: Iterable[str]) -> Iterable[str]:
    for text in requires:
        try:
            yield canonicalize_name(Requirement(text).name)
        except InvalidRequirement:
            continue

"""Rules of names, versions and tags: a wheel is what its name says."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["TAG_RULES"]


def _rule(code: str, title: str, why: str, remedy: str, severity: Severity = Severity.ERROR) -> Rule:
    return Rule(code, Group.TAGS, severity, title, why, remedy)


TAG_RULES = (
    _rule(
        "file-name",
        "The file name is not that of the wheel",
        "Installers choose wheels by their names alone: project, version, Python, ABI and platform.",
        "Do not rename wheels by hand; the build backend and auditwheel know their names.",
    ),
    _rule(
        "metadata",
        "METADATA has another name or version than the file name",
        "Installers refuse such a wheel, or install it under a name that cannot be removed.",
        "Where a variant has a name of its own, set `project-name` and let the sdist be rewritten.",
    ),
    _rule(
        "wheel-tags",
        "WHEEL has other tags, or another build number, than the file name",
        "Which platform a wheel is for is written twice, and tools differ in which they read.",
        "`wheel tags` changes both together.",
    ),
    _rule(
        "python-tag",
        "The wheel is not for the Python that it was built for",
        "A job for one Python that leaves a wheel for another has used the wrong interpreter.",
        "Look for a hard-coded interpreter in the project's build.",
    ),
    _rule(
        "platform-tag",
        "The platform tag is not that of the job",
        "A wheel for `linux_x86_64` cannot be uploaded, and one for another architecture was not built for this one.",
        "Let auditwheel repair the wheel; a project's own repair-wheel-command may leave that out.",
    ),
    _rule(
        "symbols",
        "The platform tag promises more than the symbols allow",
        "On a system with an older C library than the symbols need, the import fails.",
        "Take the tag that auditwheel names, or build on an older base.",
    ),
    _rule(
        "stable-abi",
        "The wheel claims the stable ABI and does not keep to it",
        "It may crash with the Pythons that it was not built with.",
        "Build with the `Py_LIMITED_API` of the wheel's tag, or without the abi3 tag.",
    ),
    _rule(
        "variant-label",
        "The variant label of the file name is not explained in the wheel",
        "PEP 825 (a draft) has a wheel explain its label in a member, which is what installers go by.",
        "Let `build` give the label.",
    ),
    _rule(
        "wheel-version",
        "WHEEL is of a format that installers do not know",
        "Installers refuse a wheel whose Wheel-Version has another major number than 1.",
        "Use a released build backend.",
    ),
    _rule(
        "requires-python",
        "Requires-Python leaves out the Python that the wheel is for",
        "No installer ever takes such a wheel: where the tag fits, the requirement does not.",
        "Do not build for that Python (`python` in the configuration), or widen `requires-python`.",
    ),
    _rule(
        "elf",
        "An extension module is damaged",
        "The loader refuses a library whose headers or dynamic section lead outside of the file.",
        "Look at the last step that wrote it: strip, patchelf or auditwheel.",
    ),
    _rule(
        "elf-machine",
        "An extension module is for another machine than the platform tag",
        "Its import fails on every machine that the wheel is installed on.",
        "Look for a compiler, or a library that was copied, of another architecture.",
    ),
    _rule(
        "elf-in-any",
        "A wheel for any platform has ELF files",
        "Where they are loaded, the wheel is not for any platform; purely as data they do no harm.",
        "Have the build backend make a platform wheel.",
        Severity.WARNING,
    ),
    _rule(
        "purelib",
        "A wheel with extension modules says that it is pure",
        "With `Root-Is-Purelib: true` some systems install it into the directory that architectures share.",
        "Tell the build backend that the wheel is not pure.",
    ),
    _rule(
        "rpath",
        "A library searches directories outside of the wheel",
        "Whoever can write there has their code loaded. What is below `$ORIGIN` moves with the wheel; absolute "
        "directories are those of the machine that built it, and an empty entry is the working directory.",
        "Let auditwheel repair the wheel, or set the search path with `patchelf --set-rpath '$ORIGIN'`.",
        Severity.WARNING,
    ),
    _rule(
        "library-missing",
        "A library that was grafted is not in the wheel",
        "auditwheel names copies by a digest. Nothing else has a library of that name, so the import fails.",
        "Find the step that removes files after the repair.",
    ),
    _rule(
        "library-unreached",
        "A library of the wheel is not searched for where it is",
        "The import works only where something has loaded the library before.",
        "Set the search path of the library that needs it, or load it in the package's `__init__`.",
        Severity.WARNING,
    ),
    _rule(
        "build-path",
        "A library names files of the machine that it was built on",
        "Names of directories get into assertions and debug information. They tell about the machine, and the same "
        "source elsewhere gives another wheel.",
        "Compile with `-ffile-prefix-map=$PWD=.` (`--remap-path-prefix` for Rust), or strip debug information.",
        Severity.WARNING,
    ),
    _rule(
        "executable-stack",
        "A library asks for an executable stack",
        "The whole process gets one, which makes faults easier to exploit, and glibc 2.41 refuses to load it.",
        "Mark assembler files with `.section .note.GNU-stack`, or link with `-Wl,-z,noexecstack`.",
        Severity.WARNING,
    ),
    _rule(
        "text-relocations",
        "A library has text relocations",
        "Its code is written to when it is loaded; musl and hardened systems refuse that.",
        "Compile everything with `-fPIC`.",
        Severity.WARNING,
    ),
)

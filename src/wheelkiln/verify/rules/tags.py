"""Rules of names, versions and tags: a wheel is what its name says."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["TAG_RULES"]


def _rule(code: str, title: str, why: str, remedy: str) -> Rule:
    return Rule(code, Group.TAGS, Severity.ERROR, title, why, remedy)


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
        "WHEEL has other tags than the file name",
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
)

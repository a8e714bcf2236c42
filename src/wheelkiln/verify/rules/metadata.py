"""Rules of what a wheel says of its project, and of what it installs."""

from __future__ import annotations

from wheelkiln.verify.findings import Severity
from wheelkiln.verify.rules.model import Group, Rule

__all__ = ["METADATA_RULES"]


def _rule(code: str, title: str, why: str, remedy: str) -> Rule:
    return Rule(code, Group.METADATA, Severity.WARNING, title, why, remedy)


METADATA_RULES = (
    _rule(
        "metadata-invalid",
        "METADATA is not valid",
        "Package indexes refuse an upload whose core metadata do not keep to the specification.",
        "The message names the field; most come from the project's pyproject.toml, setup.cfg or setup.py.",
    ),
    _rule(
        "licence-files",
        "Licence files that METADATA names are not in the wheel",
        "Since metadata 2.4 every `License-File` lies below `.dist-info/licenses` (PEP 639).",
        "Look at `license-files` of the project, and at what the build backend packs.",
    ),
    _rule(
        "description",
        "The long description is missing or does not render",
        "Package indexes show the source text instead, and refuse reStructuredText with faults.",
        "Set `readme` in the project, and mend the lines that the message names.",
    ),
    _rule(
        "top-level",
        "The wheel installs names that many projects could have",
        "`tests`, `docs` or a lone `__init__.py` in site-packages belong to whoever was installed last.",
        "Leave them out of the packages that the build backend looks for.",
    ),
    _rule(
        "bytecode",
        "The wheel has bytecode",
        "It is for one Python only, has times or paths of the build in it, and installers make their own.",
        "Remove `__pycache__` before the wheel is packed.",
    ),
    _rule(
        "empty",
        "The wheel has no files",
        "A package that was not found gives a wheel that installs nothing. A project that only has requirements is "
        "meant to be like that.",
        "Look at how the build backend finds packages.",
    ),
)

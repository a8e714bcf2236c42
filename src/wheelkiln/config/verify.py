"""What is asked of wheels before they land."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from wheelkiln.config.fields import Section, Size

__all__ = ["VerifyConfig"]

RuleCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


class VerifyConfig(Section):
    """The checks of finished wheels."""

    rules: dict[RuleCode, Literal["error", "warning", "off"]] = {}
    """What becomes of a rule's findings, by the rule's code: `error` keeps the wheel from landing, `warning` says it,
    `off` does not look. Rules without which a wheel could not be read at all cannot be changed."""
    max_size: Size = "16G"
    """The most that a wheel may have unpacked. What its headers say is looked at first, and kept to when it is
    unpacked; nothing is written but ELF files, one at a time, to a temporary file."""
    max_members: int = Field(default=100_000, ge=1)
    """The most members that a wheel may have."""
    max_ratio: int = Field(default=200, ge=1)
    """How many times as large as the archive its content may be. Native code is about four times as large."""

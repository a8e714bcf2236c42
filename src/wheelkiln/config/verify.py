"""What is asked of wheels before they land."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from wheelkiln.config.fields import IsaEntry, Section, Size

__all__ = ["IsaConfig", "VerifyConfig"]

RuleCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


class IsaConfig(Section):
    """What machine code of wheels may need, besides what their variant declares."""

    baseline: tuple[IsaEntry, ...] = ()
    """What all wheels may need that are of no variant with an `isa`: as that is written. Without it, and without a
    variant's, machine code is compared with what every CPU of the architecture has, and more is a warning."""
    files: dict[str, tuple[IsaEntry, ...]] = {}
    """What files may need besides, by a pattern of their path in the wheel: `"*_avx512*.so" = ["x86-64-v4"]`."""
    dispatch: tuple[str, ...] = ()
    """Functions that may need anything, because the program runs them only where it found that it can: patterns of
    their symbols, or of the symbols' identifiers joined by `::` (`"*_avx2"`, `"kern::avx512::*"`)."""


class VerifyConfig(Section):
    """The checks of finished wheels."""

    rules: dict[RuleCode, Literal["error", "warning", "off"]] = {}
    """What becomes of a rule's findings, by the rule's code: `error` keeps the wheel from landing, `warning` says it,
    `off` does not look. Rules without which a wheel could not be read at all cannot be changed."""
    isa: IsaConfig = IsaConfig()
    """The check of machine code."""
    max_size: Size = "16G"
    """The most that a wheel may have unpacked. What its headers say is looked at first, and kept to when it is
    unpacked; nothing is written but ELF files, one at a time, to a temporary file."""
    max_members: int = Field(default=100_000, ge=1)
    """The most members that a wheel may have."""
    max_ratio: int = Field(default=200, ge=1)
    """How many times as large as the archive its content may be. Native code is about four times as large."""

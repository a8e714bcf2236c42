"""What is asked of wheels before they land."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from wheelkiln.config.fields import IsaEntry, Section, Size

__all__ = ["EmulateConfig", "IsaConfig", "VerifyConfig"]

ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
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


class EmulateConfig(Section):
    """The import of finished wheels on an emulated CPU of the declared level, and on the machine's own."""

    when: Literal["declared", "always", "never"] = "declared"
    """`declared`: wheels of variants that declare an `isa`, and all where `verify.isa.baseline` does. `always`: the
    others too, as for the oldest CPU of their architecture. `never`: none."""
    imports: tuple[ModuleName, ...] = ()
    """Modules to import; by default the wheel's top-level packages and all of its extension modules."""
    command: tuple[str, ...] = ()
    """A command that is run after that, on both CPUs: `["python", "-c", "import kern; kern.check()"]`. It sees the
    wheel, what the wheel requires, and no network."""
    sde: str = ""
    """The program `sde64` of Intel's Software Development Emulator, for what qemu does not know: AVX-512, AMX."""
    timeout: int = Field(default=120, ge=1)
    """Seconds that the imports, and the command, may take on one CPU."""

    @field_validator("sde")
    @classmethod
    def _check_sde(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError(f"'{value}' is not an absolute path")
        return value


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
    emulate: EmulateConfig = EmulateConfig()

"""The error tree: everything that a user can cause, with one exit code per class."""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BuildError",
    "CacheGateError",
    "ConfigError",
    "DriftError",
    "EnvironmentProblem",
    "InterruptedRun",
    "NothingSelectedError",
    "UsageProblem",
    "VerificationError",
    "WheelkilnError",
]


class WheelkilnError(Exception):
    """Say what went wrong and where (``message``) and what to do about it (``hint``)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageProblem(WheelkilnError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class ConfigError(WheelkilnError):
    """The configuration is wrong; ``problems`` lists every fault found in one pass."""

    exit_code = 3

    def __init__(self, message: str, *, problems: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__("\n".join([message, *(f"  {problem}" for problem in problems)]), hint=hint)
        self.problems = problems


class NothingSelectedError(WheelkilnError):
    """The plan is empty."""

    exit_code = 4


class DriftError(WheelkilnError):
    """A generated file differs from what would be generated now."""

    exit_code = 5


class EnvironmentProblem(WheelkilnError):
    """The machine lacks something: an engine, an image, an interpreter, disk space, a reachable index."""

    exit_code = 6


class BuildError(WheelkilnError):
    """A source could not be built."""

    exit_code = 7


class VerificationError(WheelkilnError):
    """A wheel is not what it claims to be."""

    exit_code = 8


class CacheGateError(WheelkilnError):
    """A compile cache that was restored served fewer calls than the configuration asks for."""

    exit_code = 9


class InterruptedRun(WheelkilnError):
    """The user or the CI system asked the run to stop."""

    exit_code = 130

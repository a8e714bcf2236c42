"""What is asked of wheels before they land."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from wheelkiln.config.fields import Section

__all__ = ["VerifyConfig"]

RuleCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]


class VerifyConfig(Section):
    """The checks of finished wheels."""

    rules: dict[RuleCode, Literal["error", "warning", "off"]] = {}
    """What becomes of a rule's findings, by the rule's code: `error` keeps the wheel from landing, `warning` says it,
    `off` does not look. Rules without which a wheel could not be read at all cannot be changed."""

from __future__ import annotations

import pytest

from wheelkiln import errors
from wheelkiln.errors import ConfigError, EnvironmentProblem, WheelkilnError

_DOCUMENTED = {
    "UsageProblem": 2,
    "ConfigError": 3,
    "NothingSelectedError": 4,
    "DriftError": 5,
    "EnvironmentProblem": 6,
    "BuildError": 7,
    "VerificationError": 8,
    "CacheGateError": 9,
    "InterruptedRun": 130,
}


def test_every_class_has_its_documented_exit_code() -> None:
    codes = {name: getattr(errors, name).exit_code for name in errors.__all__ if name != "WheelkilnError"}
    assert codes == _DOCUMENTED


@pytest.mark.parametrize("name", sorted(_DOCUMENTED))
def test_one_boundary_catches_every_class(name: str) -> None:
    assert issubclass(getattr(errors, name), WheelkilnError)


def test_the_text_is_the_message_and_then_the_hint() -> None:
    assert str(EnvironmentProblem("no engine", hint="Start docker.")) == "no engine\nStart docker."


def test_the_text_without_a_hint_is_the_message() -> None:
    assert str(EnvironmentProblem("no engine")) == "no engine"


def test_a_config_error_lists_every_problem() -> None:
    error = ConfigError("2 problems", problems=("python: wrong", "policy: wrong"), hint="Look.")
    assert error.message == "2 problems\n  python: wrong\n  policy: wrong"
    assert error.problems == ("python: wrong", "policy: wrong")

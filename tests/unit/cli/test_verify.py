from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.archives import write_wheel
from tests.fakes import Answer, FakeRunner
from tests.values import make_inputs, make_request
from wheelkiln.build.editions import RunRequest
from wheelkiln.build.outcome import Outcome, RunResult, Status, WheelFile
from wheelkiln.cli import verify
from wheelkiln.errors import ConfigError, UsageProblem, VerificationError
from wheelkiln.report.manifest import MANIFEST_NAME, make_manifest, write_manifest_text
from wheelkiln.system.files import sha256_of

_PURE = "kern-1.2-py3-none-any.whl"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _verify(*arguments: str) -> str:
    return _invoke(*arguments, catch_exceptions=False).stdout


def _invoke(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(verify.command, list(arguments), standalone_mode=False, **options)


def _bad() -> Path:
    """A wheel with a fault that may be turned off."""
    return write_wheel(Path(), _PURE, tags=("py2-none-any",))


def test_a_good_wheel() -> None:
    write_wheel(Path(), _PURE)
    assert _verify(_PURE) == f"{_PURE}: nothing found\n"


def test_a_directory_of_wheels_and_the_code_of_what_is_wrong() -> None:
    write_wheel(Path("dist"), _PURE)
    write_wheel(Path("dist"), "kern-1.3-py3-none-any.whl")
    result = _invoke("dist")
    assert isinstance(result.exception, VerificationError)
    assert result.exception.message == "1 of 2 wheels is not what it claims to be"
    assert result.stdout.splitlines()[:1] == [f"{_PURE}: nothing found"]
    assert "error metadata: METADATA says kern 1.2, the file name kern 1.3" in result.stdout
    assert result.stdout.endswith("what the codes mean: docs/reference/findings.md#metadata\n")


@pytest.mark.parametrize("level", ["warning", "off"])
def test_a_rule_by_option(level: str) -> None:
    _bad()
    assert ("warning wheel-tags" in _verify(_PURE, "--rule", f"wheel-tags={level}")) is (level == "warning")


def test_a_rule_by_the_configuration_of_the_working_directory() -> None:
    _bad()
    Path("wheelkiln.toml").write_text('[verify.rules]\nwheel-tags = "warning"\n')
    assert "1 warning" in _verify(_PURE)
    assert isinstance(_invoke(_PURE, "--rule", "wheel-tags=error").exception, VerificationError)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("wheel-tag=off", "there is no such rule; did you mean 'wheel-tags'?"),
        ("zip=off", "cannot be changed"),
        ("wheel-tags", "the level is missing"),
        ("wheel-tags=loud", "unknown"),
    ],
)
def test_a_rule_that_is_none(option: str, said: str) -> None:
    error = _invoke(_PURE, "--rule", option).exception
    assert isinstance(error, UsageProblem)
    assert said in error.message


def test_rules_of_the_configuration_that_are_none() -> None:
    Path("wheelkiln.toml").write_text('[verify.rules]\nwheel-tag = "warning"\nzip = "off"\n')
    error = _invoke(_PURE).exception
    assert isinstance(error, ConfigError)
    assert [problem.partition(": ")[0] for problem in error.problems] == ["verify.rules.wheel-tag", "verify.rules.zip"]


@pytest.mark.parametrize("arguments", [(), ("gone.whl",), (".",)])
def test_no_wheel(arguments: tuple[str, ...]) -> None:
    assert isinstance(_invoke(*arguments).exception, UsageProblem)


def test_a_rule_is_explained() -> None:
    text = _verify("--explain", "zip-path")
    assert text.startswith("zip-path: A member leaves the wheel (error, cannot be changed)\n\n")
    assert isinstance(_invoke("--explain", "zip-pat").exception, UsageProblem)


def test_json() -> None:
    _bad()
    (wheel,) = json.loads(_invoke(_PURE, "--format", "json").stdout)["wheels"]
    (finding,) = wheel["findings"]
    assert (wheel["wheel"], finding["code"], finding["severity"]) == (_PURE, "wheel-tags", "error")
    assert wheel["path"] == _PURE
    assert finding["reference"] == "docs/reference/findings.md#wheel-tags"


def _write_manifest(wheel: Path, digest: str) -> None:
    request = make_request(make_inputs({"python": ["cp312"]}))
    (job,) = request.plan.jobs
    outcome = Outcome(job, Status.BUILT, 1.0, WheelFile(wheel.name, digest, 1))
    manifest = make_manifest(RunRequest((request,)), RunResult((outcome,), (), 1.0), version="0.1.0")
    (wheel.parent / MANIFEST_NAME).write_text(write_manifest_text(manifest))


def test_the_manifest_beside_a_wheel_says_what_it_is_to_be() -> None:
    wheel = write_wheel(Path(), _PURE)
    _write_manifest(wheel, sha256_of(wheel))
    result = _invoke(_PURE)
    assert isinstance(result.exception, VerificationError)
    assert "error platform-tag: the platform tag 'any' is not a manylinux tag" in result.stdout


def test_a_wheel_that_is_not_the_manifests() -> None:
    _write_manifest(write_wheel(Path(), _PURE), "0" * 64)
    assert "error digest: " in _invoke(_PURE).stdout


def test_emulation_without_such_an_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    write_wheel(Path(), _PURE)
    runner = FakeRunner(
        {
            "docker version": Answer('{"Server": {"Version": "29"}}'),
            "docker info": Answer("[]"),
            "docker buildx version": Answer(),
            "docker context": Answer('"unix:///var/run/docker.sock"'),
            "docker image inspect absent:1": Answer(returncode=1),
        }
    )
    monkeypatch.setattr("wheelkiln.cli.own_config.ProcessRunner", lambda _: runner)
    with pytest.raises(UsageProblem, match="docker has no image absent:1"):
        _verify(_PURE, "--emulate", "--image", "absent:1", "--engine", "docker")

"""``compare``: what it prints and ends with; the comparison itself: tests/unit/verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.archives import write_wheel
from wheelkiln.cli.compare import command
from wheelkiln.errors import VerificationError


def test_equal_wheels(tmp_path: Path) -> None:
    wheel = str(write_wheel(tmp_path))
    ran = CliRunner().invoke(command, [wheel, wheel])
    assert ran.exit_code == 0
    assert ran.stdout.splitlines()[-1] == "identical"


@pytest.mark.parametrize("output", ["text", "json"])
def test_different_wheels_end_with_8(tmp_path: Path, output: str) -> None:
    one, other = (write_wheel(tmp_path / name, files={"kern/a.txt": name.encode()}) for name in ("x", "y"))
    ran = CliRunner().invoke(command, [str(one), str(other), "--format", output])
    assert isinstance(ran.exception, VerificationError)
    assert ran.exception.exit_code == 8
    if output == "json":
        assert json.loads(ran.stdout)["identical"] is False
    else:
        assert "  differs: kern/a.txt" in ran.stdout.splitlines()


def test_a_missing_wheel_is_a_wrong_command_line(tmp_path: Path) -> None:
    assert CliRunner().invoke(command, [str(tmp_path / "no.whl"), str(tmp_path / "no.whl")]).exit_code == 2

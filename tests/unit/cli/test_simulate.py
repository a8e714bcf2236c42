from __future__ import annotations

from click.testing import CliRunner

from wheelkiln.cli.main import cli


def test_invented_jobs_are_shown_as_a_build_is() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--jobs", "12", "--cores", "3", "--seconds", "0.01"])
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr.count(": started") == 12
    assert "of 12 invented jobs are good" in done.stderr


def test_it_is_hidden() -> None:
    assert "simulate" not in CliRunner().invoke(cli, ["--help"]).stdout
    assert CliRunner().invoke(cli, ["simulat"]).exit_code == 2

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from wheelkiln import __version__, errors
from wheelkiln.cli import main as main_module
from wheelkiln.cli.main import cli, main


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def _exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["wheelkiln", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_every_command_of_the_help_is_there_and_says_the_same() -> None:
    with cli.make_context("wheelkiln", [], resilient_parsing=True) as context:
        listed = cli.list_commands(context)
        help_text = cli.get_help(context)
        for name in listed:
            command = cli.get_command(context, name)
            assert isinstance(command, click.Command)
            assert command.name == name
            assert command.short_help
            assert command.short_help in " ".join(help_text.split())
            assert import_module(f"wheelkiln.cli.{name}").command is command


def test_the_help_names_every_exit_code() -> None:
    text = " ".join(CliRunner().invoke(cli, ["--help"]).output.split())
    codes = {getattr(errors, name).exit_code for name in errors.__all__} - {1}
    assert [code for code in sorted(codes) if f"{code} " not in text.partition("Exit codes:")[2]] == []


def test_the_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"wheelkiln, version {__version__}\n"


def test_a_misspelt_command_gets_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(monkeypatch, "biuld") == 2
    assert "No such command 'biuld'. Did you mean 'build'?" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _exit_code(monkeypatch, "plan", "--nosuch") == 2


def test_no_command_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(monkeypatch) == 2
    assert "Usage:" in capsys.readouterr().err


def test_an_error_of_ours_is_its_code_its_message_and_its_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _exit_code(monkeypatch, "plan", "/no/such/place") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "error: '/no/such/place' is not a directory or file, and not 'name==version' or 'git+url@ref'",
        "  try: Name a version to build a release from the package index, for example 'msgpack==1.1.2'.",
    ]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, click.Abort])
def test_an_interrupted_run_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: type[BaseException]
) -> None:
    @click.command("interrupted")
    def interrupted() -> None:
        raise raised

    monkeypatch.setattr(click.Group, "invoke", lambda *_: interrupted.main([], standalone_mode=False))
    assert _exit_code(monkeypatch, "schema") == 130
    assert "error: interrupted" in capsys.readouterr().err


def test_a_termination_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _exit_code(monkeypatch, "--nosuch") == 2
    handler = signal.getsignal(signal.SIGTERM)
    assert callable(handler)
    with pytest.raises(KeyboardInterrupt):
        handler(signal.SIGTERM, None)


def test_the_module_exports_what_the_script_calls() -> None:
    assert main_module.__all__ == ["cli", "main"]

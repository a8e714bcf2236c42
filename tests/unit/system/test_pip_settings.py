from __future__ import annotations

from pathlib import Path

from tests.fakes import Answer, FakeRunner
from wheelkiln.system.pip_settings import PipSettings, parse_pip_settings, read_pip_settings, remembered_pip_settings


def test_pip_is_asked_again_when_a_place_that_settings_come_from_changes(tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path / "xdg"),
        "PIP_CONFIG_FILE": str(tmp_path / "own"),
    }
    runner = FakeRunner({"python -m pip config list": Answer("global.index-url='https://index.example/simple'\n")})

    def ask(**more: str) -> int:
        settings = remembered_pip_settings(runner, environ | more, tmp_path / "cache")
        assert settings.index_url == "https://index.example/simple"
        return len(runner.calls)

    assert (ask(), ask(), ask(UNRELATED="1")) == (1, 1, 1)
    assert (ask(PIP_INDEX_URL="https://x"), ask()) == (2, 2)
    for number, name in enumerate((".config/pip/pip.conf", ".pip/pip.conf", "xdg/pip/pip.conf", "own"), 3):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[global]\n")
        assert (ask(), ask()) == (number, number)
    path.write_text("[global]\nindex-url = https://x\n")
    assert ask() == 7


def test_a_password_is_not_remembered(tmp_path: Path) -> None:
    runner = FakeRunner({"python -m pip config list": Answer("global.index-url='https://u:hunter2@host/simple'\n")})
    for _ in range(2):
        settings = remembered_pip_settings(runner, {}, tmp_path)
        assert settings.index_url == "https://u:hunter2@host/simple"
    assert len(runner.calls) == 2
    assert list(tmp_path.iterdir()) == []


def test_lines_of_pip_config_list_are_read() -> None:
    settings = parse_pip_settings(
        [
            "global.index-url='https://one.example/simple'",
            "global.extra-index-url='https://two.example/simple\\nhttps://three.example/simple'",
            "global.find-links='/wheels https://four.example/'",
            "global.trusted-host='one.example'",
            "global.cert='/ca.pem'",
            "global.proxy='http://proxy:3128'",
            "global.timeout='60'",
        ]
    )
    assert settings == PipSettings(
        index_url="https://one.example/simple",
        extra_index_urls=("https://two.example/simple", "https://three.example/simple"),
        find_links=("/wheels", "https://four.example/"),
        trusted_hosts=("one.example",),
        cert="/ca.pem",
        proxy="http://proxy:3128",
    )


def test_commands_win_over_global_and_variables_over_all() -> None:
    lines = ["global.index-url='https://global/'", "install.index-url='https://install/'"]
    assert parse_pip_settings(lines).index_url == "https://install/"
    assert parse_pip_settings([*lines, ":env:.index-url='https://env/'"]).index_url == "https://env/"
    assert parse_pip_settings(["download.index-url='https://d/'", *lines]).index_url == "https://d/"


def test_settings_of_other_commands_do_not_count() -> None:
    assert parse_pip_settings(["search.index-url='https://search/'"]) == PipSettings()


def test_underscores_are_dashes() -> None:
    assert parse_pip_settings([":env:.index_url='https://env/'"]).index_url == "https://env/"


def test_no_index_is_a_switch() -> None:
    assert parse_pip_settings(["global.no-index='True'"]).no_index
    assert not parse_pip_settings(["global.no-index='false'"]).no_index


def test_lines_that_are_no_settings_are_left_out() -> None:
    assert parse_pip_settings(["", "WARNING: something", "a=b", "global.index-url=unquoted"]).index_url == "unquoted"


def test_pip_itself_is_asked() -> None:
    runner = FakeRunner({"python -m pip config list": Answer("global.index-url='https://one/'\n")})
    assert read_pip_settings(runner) == PipSettings(index_url="https://one/")
    assert runner.lines == ["python -m pip config list"]


def test_without_pip_its_defaults_hold() -> None:
    runner = FakeRunner({"python -m pip": Answer(returncode=1, stderr="No module named pip")})
    assert read_pip_settings(runner) == PipSettings()


def test_local_directories_are_paths_and_file_urls_that_exist(tmp_path: Path) -> None:
    blank = tmp_path / "a b"
    blank.mkdir()
    settings = PipSettings(
        index_url=blank.as_uri(),
        extra_index_urls=(str(tmp_path), "https://host/"),
        find_links=(str(tmp_path / "absent"), str(blank)),
    )
    assert settings.local_directories() == (blank, tmp_path)


def test_missing_local_places_are_dropped_and_remote_ones_kept(tmp_path: Path) -> None:
    settings = PipSettings(
        index_url="file:///absent/simple",
        extra_index_urls=("https://host/", "/absent"),
        find_links=(str(tmp_path), "file:///absent"),
        trusted_hosts=("host",),
        cert="/ca",
        proxy="p",
        no_index=True,
    )
    assert settings.without_missing() == PipSettings(
        extra_index_urls=("https://host/",),
        find_links=(str(tmp_path),),
        trusted_hosts=("host",),
        cert="/ca",
        proxy="p",
        no_index=True,
    )

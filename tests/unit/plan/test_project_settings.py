from __future__ import annotations

from typing import Any

import pytest

from tests.values import CIBUILDWHEEL, make_config
from wheelkiln.plan.project_settings import ProjectSettings, merge_environment_variables, read_project_settings


def _read(
    table: dict[str, Any],
    config: dict[str, Any] | None = None,
    *,
    families: tuple[str, ...] = ("rpm",),
    tests: bool = True,
) -> ProjectSettings:
    return read_project_settings(table, make_config(config), CIBUILDWHEEL, families=families, tests=tests)


def _codes(settings: ProjectSettings) -> list[str]:
    return [notice.code for notice in settings.notices]


def test_no_settings() -> None:
    settings = _read({})
    assert (dict(settings.table), settings.build, settings.skip, settings.notices) == ({}, "*", "", ())


def test_what_works_stays() -> None:
    table = {
        "before-build": "make",
        "environment": {"A": "1"},
        "test-command": "pytest",
        "linux": {"build-verbosity": 1},
        "overrides": [{"select": "cp312-*", "test-command": "x"}],
    }
    settings = _read(table)
    assert settings.table == table
    assert settings.notices == ()


def test_the_selection_is_the_plans() -> None:
    settings = _read({"build": ["cp311-*", "cp312-*"], "skip": "*musl*"})
    assert (settings.build, settings.skip, dict(settings.table)) == ("cp311-* cp312-*", "*musl*", {})
    assert settings.notices == ()


def test_an_empty_build_means_all() -> None:
    assert _read({"build": ""}).build == "*"


@pytest.mark.parametrize("name", ["container-engine", "build-frontend", "archs", "manylinux-x86_64-image"])
def test_what_wheelkiln_decides_is_named_and_left_out(name: str) -> None:
    settings = _read({name: "x", "linux": {name: "y"}, "overrides": [{"select": "*", name: "z"}]})
    assert dict(settings.table) == {}
    assert [notice.message.partition(" is left out")[0] for notice in settings.notices] == [
        f"[tool.cibuildwheel] {name}",
        f"[tool.cibuildwheel] linux.{name}",
        f"[tool.cibuildwheel] overrides.{name}",
    ]
    assert set(_codes(settings)) == {"project-setting-left-out"}


def test_what_cibuildwheel_does_not_know_is_named_and_left_out() -> None:
    settings = _read({"test-comand": "x"})
    assert dict(settings.table) == {}
    assert settings.notices[0].message == (
        "[tool.cibuildwheel] test-comand is unknown to cibuildwheel 4.3.3 and is left out"
    )


def test_other_platforms_are_passed_over() -> None:
    settings = _read({"macos": {"nonsense": 1}, "windows": {}, "pyodide": {}, "android": {}, "ios": {}})
    assert (dict(settings.table), settings.notices) == ({}, ())


def test_an_enable_group_of_another_major_is_named() -> None:
    settings = _read({"enable": ["pypy", "cpython-experimental", "all"]})
    assert _codes(settings) == ["project-setting-unknown"]
    assert "'cpython-experimental'" in settings.notices[0].message


def test_without_tests_their_options_are_gone_everywhere() -> None:
    table = {
        "test-command": "pytest",
        "test-requires": ["pytest"],
        "before-test": "x",
        "before-build": "make",
        "linux": {"test-extras": ["x"]},
        "overrides": [{"select": "*", "test-groups": ["x"]}, {"select": "*", "before-build": "y"}],
    }
    settings = _read(table, tests=False)
    assert settings.table == {"before-build": "make", "overrides": [{"select": "*", "before-build": "y"}]}


@pytest.mark.parametrize("command", ["yum install -y x", "a; sudo dnf -y install x", ["pip x", "yum -y update"]])
def test_a_package_manager_of_another_distribution_is_named(command: Any) -> None:
    settings = _read({"before-all": command}, families=("deb",))
    assert _codes(settings) == ["project-setting-distribution"]
    assert "the base is of Debian or Ubuntu" in settings.notices[0].message


def test_a_package_manager_that_needs_root_is_named() -> None:
    table = {"linux": {"before-all": "yum install -y x"}}
    settings = _read(table)
    assert _codes(settings) == ["project-setting-root"]
    assert settings.notices[0].message.startswith("[tool.cibuildwheel] linux.before-all calls 'yum'")
    assert _codes(_read(table, {"container": {"user": "root"}})) == []


@pytest.mark.parametrize(
    "command",
    ["echo yum install", "command -v yum && yum install x", "pip install x", "myyum install x", "apt-cache search x"],
)
def test_other_commands_are_not_package_managers(command: str) -> None:
    codes = _codes(_read({"before-all": command}, families=("deb",)))
    assert codes == (["project-setting-distribution"] if command.startswith("echo") else [])


def test_each_base_has_its_package_manager() -> None:
    settings = _read({"before-all": "apk add x"}, families=("rpm", "apk"))
    assert [(notice.code, notice.hint) for notice in settings.notices] == [
        (
            "project-setting-distribution",
            "Name the packages in image.packages.rpm, and build with --project-settings ignore "
            "or make the command choose by distribution.",
        ),
        ("project-setting-root", 'Name the packages in image.packages.apk, or set container.user = "root".'),
    ]
    assert settings.notices[0].message == (
        "[tool.cibuildwheel] before-all calls 'apk', but the base is of the RHEL family: it will fail there"
    )


@pytest.mark.parametrize(
    ("select", "codes"),
    [
        ("*", ["project-setting-distribution", "project-setting-root"]),
        ("*-musllinux_*", ["project-setting-root"]),
        (["*-musllinux_x86_64", "*-musllinux_aarch64"], ["project-setting-root"]),
        ("*-manylinux_*", ["project-setting-distribution"]),
        ("*-manylinux_* *-musllinux_*", ["project-setting-distribution", "project-setting-root"]),
    ],
)
def test_an_override_for_one_c_library_is_judged_by_its_base(select: str | list[str], codes: list[str]) -> None:
    table = {"overrides": [{"select": select, "before-all": "apk add x"}]}
    assert _codes(_read(table, families=("rpm", "apk"))) == codes


def test_nothing_is_said_of_a_base_of_an_unknown_family() -> None:
    assert _read({"before-all": "yum install x"}, families=("",)).notices == ()


def test_options_are_set_at_the_top_or_for_linux() -> None:
    assert _read({"before-all": "x"}).sets("before-all")
    assert _read({"linux": {"before-all": "x"}}).sets("before-all")
    assert not _read({"overrides": [{"select": "*", "before-all": "x"}]}).sets("before-all")
    assert not _read({"macos": {"before-all": "x"}}).sets("before-all")


def test_keys_of_config_settings_from_everywhere() -> None:
    table = {
        "config-settings": {"a": "1"},
        "linux": {"config-settings": "b=2 c=3"},
        "overrides": [{"select": "*", "config-settings": {"d": ["1"]}}],
    }
    assert _read(table).config_settings_keys() == {"a", "b", "c", "d"}


@pytest.mark.parametrize("table", [{"linux": "x"}, {"overrides": "x"}, {"environment": 1}, {"before-all": 1}])
def test_values_of_another_type_are_no_crash(table: dict[str, Any]) -> None:
    assert _read(table).build == "*"


def test_variables_that_wheelkiln_decides_do_not_reach_cibuildwheel() -> None:
    owned = {
        "CIBW_BUILD": "x",
        "CIBW_SKIP": "x",
        "CIBW_ARCHS_LINUX": "x",
        "CIBW_ENABLE": "x",
        "CIBW_BUILD_FRONTEND": "x",
        "CIBW_CONTAINER_ENGINE": "x",
        "CIBW_PLATFORM": "x",
        "CIBW_CONFIG_FILE": "x",
        "CIBW_MANYLINUX_X86_64_IMAGE": "x",
        "CIBW_MUSLLINUX_AARCH64_IMAGE": "x",
        "CIBW_DEBUG_KEEP_CONTAINER": "1",
    }
    kept = {"CIBW_TEST_COMMAND": "pytest", "CIBW_BEFORE_BUILD_LINUX": "x", "CIBW_ENVIRONMENT": "A=1"}
    passed, notices = merge_environment_variables({**owned, **kept, "PATH": "/bin"})
    assert passed == kept
    assert [notice.message.partition(" ")[0] for notice in notices] == sorted(owned)

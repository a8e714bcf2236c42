"""What the installed cibuildwheel makes of our configurations, without an engine."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cibuildwheel.options import BuildOptions, CommandLineArguments, Options
from cibuildwheel.util.helpers import format_safe

from tests.golden.cases import CASES, HOSTILE_ROOT, make_toml, request_of
from tests.values import make_facts, make_host, make_inputs
from wheelkiln.build.request import BuildRequest
from wheelkiln.plan.make import PlanInputs, make_plan
from wheelkiln.plan.project_settings import read_project_settings
from wheelkiln.system.cibuildwheel import read_cibuildwheel

_RESOURCES = resources.files("cibuildwheel") / "resources"
_SCHEMA = jsonschema.Draft7Validator(json.loads((_RESOURCES / "cibuildwheel.schema.json").read_text()))
_TOMLS = [name for name in CASES if name.startswith("cibuildwheel/")]
_FACTS = read_cibuildwheel()


def _table(text: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(text)["tool"]["cibuildwheel"]
    return table


def _options(tmp_path: Path, text: str) -> Options:
    config = tmp_path / "cibuildwheel.toml"
    config.write_text(text)
    (tmp_path / "setup.py").write_text("")
    arguments = dataclasses.replace(
        CommandLineArguments.defaults(), platform="linux", config_file=str(config), package_dir=tmp_path
    )
    return Options(platform="linux", command_line_arguments=arguments, env={})


def _build_options(tmp_path: Path, text: str, identifier: str = "") -> BuildOptions:
    return _options(tmp_path, text).build_options(identifier or _table(text)["build"][0])


def _print_identifiers(tmp_path: Path, text: str) -> list[str]:
    config, project = tmp_path / "the config.toml", tmp_path / "project"
    config.write_text(text)
    project.mkdir(exist_ok=True)
    (project / "setup.py").write_text("")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "cibuildwheel", "--platform", "linux", "--print-build-identifiers"),
            *("--config-file", str(config), str(project)),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", _TOMLS)
def test_the_configuration_satisfies_cibuildwheels_schema(name: str) -> None:
    assert [error.message for error in _SCHEMA.iter_errors(_table(CASES[name]()))] == []


def test_the_schema_would_notice() -> None:
    assert not _SCHEMA.is_valid({"overrides": [{"select": "*", "nonsense": 1}]})
    assert not _SCHEMA.is_valid({"container-engine": {"name": "docker", "create-args": [1]}})


@pytest.mark.parametrize("name", [*_TOMLS[:3], "cibuildwheel/musllinux.toml", "cibuildwheel/hostile-paths.toml"])
def test_cibuildwheel_builds_the_identifiers_of_the_plan(tmp_path: Path, name: str) -> None:
    text = CASES[name]()
    assert _print_identifiers(tmp_path, text) == _table(text)["build"]


@pytest.mark.parametrize("libc", ["manylinux", "musllinux"])
def test_cibuildwheel_builds_every_kind_of_python_that_a_plan_can_hold(tmp_path: Path, libc: str) -> None:
    tags = sorted({name.partition("-")[0] for name in _FACTS.identifiers if name.startswith("cp3")})
    request = request_of(make_inputs({"python": tags, "libc": [libc]}, cibuildwheel=_FACTS))
    assert request.plan.jobs
    text = make_toml(request, jobs=len(request.plan.jobs))
    assert sorted(_print_identifiers(tmp_path, text)) == sorted(job.identifier for job in request.plan.jobs)


@pytest.mark.parametrize("name", _TOMLS)
def test_the_arguments_of_create_arrive_one_by_one(tmp_path: Path, name: str) -> None:
    text = CASES[name]()
    wanted = _table(text)["overrides"][-1]["container-engine"]
    engine = _build_options(tmp_path, text).container_engine
    assert engine is not None
    assert list(engine.create_args) == wanted["create-args"]
    assert (engine.name, engine.disable_host_mount) == (wanted["name"], True)


@pytest.mark.parametrize("char", [*" ,;:=\"'\\$`%#&|<>*?[]{}()!~\t", "\n", "ü", "--"])
def test_any_character_of_a_path_arrives(tmp_path: Path, char: str) -> None:
    text = make_toml(request_of(make_inputs(), Path(f"/srv/a{char}{char}b {char}")))
    engine = _build_options(tmp_path, text).container_engine
    assert engine is not None
    assert list(engine.create_args) == _table(text)["overrides"][-1]["container-engine"]["create-args"]


def test_ours_win_over_the_projects_settings_and_the_others_stay(tmp_path: Path) -> None:
    text = CASES["cibuildwheel/project-settings.toml"]()
    options = _build_options(tmp_path, text, "cp312-manylinux_x86_64")
    assert options.build_frontend is not None
    assert (options.build_frontend.name, list(options.build_frontend.args)) == (
        "build[uv]",
        ["--env-dir", "/tmp/wheelkiln/env"],
    )
    assert options.manylinux_images is not None
    assert options.manylinux_images["x86_64"] == "localhost/wheelkiln/manylinux_2_28_x86_64:0123456789abcdef"
    assert options.before_all == "make deps"
    assert options.before_build == "echo 3.12"
    assert options.test_command == "pytest {project}/tests"
    assert options.build_verbosity == 1
    assert options.config_settings.split() == [
        "cmake.define.X=ON",
        "cmake.define.Y=ON",
        "build-dir=/tmp/wheelkiln/build",
    ]


def test_config_settings_that_the_project_writes_as_text_are_kept(tmp_path: Path) -> None:
    facts = make_facts(
        '[project]\nname = "kern"\n[build-system]\nbuild-backend = "mesonpy"\n'
        '[tool.cibuildwheel]\nconfig-settings = "setup-args=-Dx=1"\n'
    )
    options = _build_options(tmp_path, make_toml(request_of(make_inputs(facts=facts))))
    assert options.config_settings.split() == ["setup-args=-Dx=1", "build-dir=/tmp/wheelkiln/build"]


def test_without_tests_nothing_is_tested(tmp_path: Path) -> None:
    options = _build_options(tmp_path, CASES["cibuildwheel/project-settings-without-tests.toml"]())
    assert not options.test_command


def test_a_musllinux_job_is_built_in_our_image_and_repaired_to_its_policy(tmp_path: Path) -> None:
    options = _build_options(tmp_path, CASES["cibuildwheel/musllinux.toml"]())
    assert options.musllinux_images is not None
    assert options.musllinux_images["x86_64"] == "localhost/wheelkiln/musllinux_1_2_x86_64:0123456789abcdef"
    command = format_safe(options.repair_command, wheel="/w/x.whl", dest_dir="/out")
    assert command == "wheelkiln-repair /w/x.whl /out -- --plat musllinux_1_2_x86_64"


def test_the_repair_command_is_filled_in(tmp_path: Path) -> None:
    options = _build_options(tmp_path, CASES["cibuildwheel/every-setting.toml"]())
    command = format_safe(options.repair_command, wheel="/w/x.whl", dest_dir="/out")
    assert command == (
        "wheelkiln-repair --library-dir 'kern/my lib' --library-dir /opt/lib /w/x.whl /out -- "
        "--plat manylinux_2_34_x86_64 --exclude 'libcuda.so.*' --exclude 'libnvrtc*' --strip --zip-compression-level=9"
    )


@pytest.mark.parametrize(
    "option",
    [
        "container-engine",
        "build-frontend",
        "archs",
        *(f"{libc}-{arch}-image" for libc in ("manylinux", "musllinux") for arch in ("x86_64", "aarch64")),
    ],
)
def test_the_options_that_we_own_exist(option: str) -> None:
    assert option in _FACTS.options


@pytest.mark.parametrize(
    "option",
    ["test-command", "test-requires", "test-extras", "test-groups", "test-sources", "test-skip", "before-test"],
)
def test_the_options_that_we_leave_out_without_tests_exist(option: str) -> None:
    assert option in _FACTS.options
    settings = read_project_settings({option: "x"}, make_inputs().config, _FACTS, families=["rpm"], tests=False)
    assert dict(settings.table) == {}


def test_every_option_of_cibuildwheel_that_runs_tests_is_known() -> None:
    tests = {option for option in _FACTS.options if "test" in option}
    table = dict.fromkeys(tests, "x")
    settings = read_project_settings(table, make_inputs().config, _FACTS, families=["rpm"], tests=False)
    assert set(settings.table) <= {"test-environment", "test-runtime"}  # of no effect without a command


@pytest.mark.parametrize(
    "variable", ["CIBW_BUILD", "CIBW_SKIP", "CIBW_ARCHS", "CIBW_ENABLE", "CIBW_BUILD_FRONTEND", "CIBW_CONTAINER_ENGINE"]
)
def test_the_variables_that_we_own_are_read_by_cibuildwheel(variable: str) -> None:
    option = variable.removeprefix("CIBW_").lower().replace("_", "-")
    assert option in _FACTS.options


def test_the_images_are_pinned_for_both_architectures() -> None:
    table = {"arch": ["x86_64", "aarch64"], "libc": ["manylinux", "musllinux"]}
    plan = make_plan(make_inputs(table, cibuildwheel=_FACTS, host=make_host(emulated=frozenset({"aarch64"}))))
    found = {(image.name, base.arch): base.reference for image in plan.images for base in image.bases}
    assert found == {
        (policy, arch): _FACTS.images[arch][policy]
        for policy in ("manylinux_2_28", "musllinux_1_2")
        for arch in ("x86_64", "aarch64")
    }
    assert all(f"/{policy}_{arch}" in reference for (policy, arch), reference in found.items())
    assert all("@sha256:" in reference or ":20" in reference for reference in found.values())


@pytest.mark.parametrize("requires", ["", ">=3.11", "<3.13", ">=3.11.4", "==3.12.*"])
def test_requires_python_is_read_alike(tmp_path: Path, requires: str) -> None:
    pyproject = f'[project]\nname = "kern"\nversion = "1"\nrequires-python = "{requires}"\n'
    inputs = make_inputs({"python": ["cp310", "cp311", "cp312", "cp313"]}, facts=make_facts(pyproject))
    ours = [job.identifier for job in make_plan(inputs).jobs]
    config = tmp_path / "c.toml"
    config.write_text('[tool.cibuildwheel]\nbuild = "cp31{0,1,2,3}-manylinux_x86_64"\narchs = ["x86_64"]\n')
    (tmp_path / "pyproject.toml").write_text(pyproject)
    arguments = dataclasses.replace(
        CommandLineArguments.defaults(), platform="linux", config_file=str(config), package_dir=tmp_path
    )
    selector = Options(platform="linux", command_line_arguments=arguments, env={}).globals.build_selector
    theirs = [name for name in _FACTS.identifiers if "manylinux_x86_64" in name and selector(name)]
    assert theirs == ours


_INPUTS: dict[str, Callable[[], PlanInputs]] = {
    "plain": make_inputs,
    "hostile": lambda: make_inputs(host=make_host(ca_bundle=HOSTILE_ROOT / "ca.pem")),
}


@pytest.mark.parametrize("name", _INPUTS)
def test_only_leaves_exactly_one_identifier(tmp_path: Path, name: str) -> None:
    """As build calls it: --only wins over the selection of the file."""
    request: BuildRequest = request_of(_INPUTS[name](), HOSTILE_ROOT)
    config = tmp_path / "c.toml"
    config.write_text(make_toml(request))
    (tmp_path / "setup.py").write_text("")
    arguments = dataclasses.replace(
        CommandLineArguments.defaults(),
        platform="linux",
        only=request.plan.jobs[0].identifier,
        config_file=str(config),
        package_dir=tmp_path,
    )
    selector = Options(platform="linux", command_line_arguments=arguments, env={}).globals.build_selector
    assert [name for name in _FACTS.identifiers if selector(name)] == [request.plan.jobs[0].identifier]

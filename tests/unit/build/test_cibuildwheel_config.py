from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.values import make_facts, make_host, make_inputs, make_request
from wheelkiln.build.cibuildwheel_config import merge_variant_variables, render_cibuildwheel_config, write_toml
from wheelkiln.build.request import BuildRequest, JobEnvironment, make_invocation
from wheelkiln.cache.lock import LockedEnvironment
from wheelkiln.config.variants import VariantConfig
from wheelkiln.plan.make import PlanInputs
from wheelkiln.source.facts import SourceFacts
from wheelkiln.system.pip_settings import PipSettings


def _render(inputs: PlanInputs, request: BuildRequest | None = None) -> dict[str, Any]:
    request = request or make_request(inputs)
    invocation = make_invocation(request, request.plan.jobs[:1], Path("/var/kiln/job"), "run-1")
    table = render_cibuildwheel_config(invocation, request.config, inputs.facts, request.settings, tests=inputs.tests)
    cibuildwheel: dict[str, Any] = table["tool"]["cibuildwheel"]
    return cibuildwheel


def _ours(table: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    last: dict[str, Any] = _render(make_inputs(table, **changes))["overrides"][-1]
    return last


def _facts(settings: str, backend: str = "setuptools.build_meta") -> SourceFacts:
    return make_facts(f'[project]\nname = "kern"\n[build-system]\nbuild-backend = "{backend}"\n{settings}')


def test_one_identifier_is_selected() -> None:
    table = _render(make_inputs())
    assert (table["build"], table["skip"], table["archs"]) == (["cp310-manylinux_x86_64"], "", ["x86_64"])


def test_ours_is_the_last_override_for_every_identifier() -> None:
    facts = _facts('[[tool.cibuildwheel.overrides]]\nselect = "*"\nbefore-build = "x"\n')
    overrides = _render(make_inputs(facts=facts))["overrides"]
    assert [override["select"] for override in overrides] == ["*", "*"]
    assert overrides[0] == {"select": "*", "before-build": "x"}
    assert overrides[1]["manylinux-x86_64-image"].startswith("localhost/wheelkiln/manylinux_2_28_x86_64:")


def test_a_musllinux_job_has_its_own_image_and_policy() -> None:
    table = _render(make_inputs({"libc": ["musllinux"], "arch": ["aarch64"]}, host=make_host(machine="aarch64")))
    assert (table["build"], table["archs"]) == (["cp310-musllinux_aarch64"], ["aarch64"])
    ours = table["overrides"][-1]
    assert ours["musllinux-aarch64-image"].startswith("localhost/wheelkiln/musllinux_1_2_aarch64:")
    assert [key for key in ours if key.endswith("-image")] == ["musllinux-aarch64-image"]
    assert ours["repair-wheel-command"].endswith("-- --plat musllinux_1_2_aarch64")


def test_the_projects_settings_stay_and_its_selection_does_not() -> None:
    facts = _facts('[tool.cibuildwheel]\nbefore-build = "make"\nbuild = "cp31*"\nskip = "cp313-*"\n')
    table = _render(make_inputs(facts=facts))
    assert table["before-build"] == "make"
    assert table["build"] == ["cp310-manylinux_x86_64"]
    assert table["skip"] == ""


def test_the_build_environment_is_at_a_fixed_path() -> None:
    assert _ours()["build-frontend"] == {"name": "build[uv]", "args": ["--env-dir", "/tmp/wheelkiln/env"]}
    assert _ours({"frontend": "pip"})["build-frontend"] == "pip"


@pytest.mark.parametrize(
    ("frontend", "name", "arguments"),
    [("build", "build[uv]", ["--no-isolation", "--skip-dependency-check"]), ("pip", "pip", ["--no-build-isolation"])],
)
def test_an_environment_that_was_made_is_mounted_and_used(frontend: str, name: str, arguments: list[str]) -> None:
    request = make_request(make_inputs({"frontend": frontend}))
    job = request.plan.jobs[0]
    made = JobEnvironment(LockedEnvironment("cp310", "manylinux_x86_64", (), (), ()), Path("/cache/environments/1"))
    invocation = make_invocation(replace(request, environments={job.id: made}), (job,), Path("/job"), "run")
    table = render_cibuildwheel_config(invocation, request.config, request.source.facts, request.settings, tests=True)
    ours = table["tool"]["cibuildwheel"]["overrides"][-1]
    assert ours["build-frontend"] == {"name": name, "args": arguments}
    mount = "--mount=type=bind,source=/cache/environments/1,target=/tmp/wheelkiln/env,readonly"
    assert mount in ours["container-engine"]["create-args"]


def test_the_container_is_bare() -> None:
    engine = _ours()["container-engine"]
    assert engine["name"] == "docker"
    assert engine["disable-host-mount"] is True
    assert engine["create-args"][:5] == [
        "--user=1001:1002",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--hostname=wheelkiln",
        "--label=io.wheelkiln.run=run-1",
    ]


def test_root_keeps_its_capabilities_and_may_not_gain_others() -> None:
    arguments = _ours({"container": {"user": "root"}})["container-engine"]["create-args"]
    assert arguments[:2] == ["--user=0:0", "--security-opt=no-new-privileges"]


@pytest.mark.parametrize(("network", "arguments"), [("default", []), ("none", ["--network=none"])])
def test_the_containers_network(network: str, arguments: list[str]) -> None:
    created = _ours({"container": {"network": network}})["container-engine"]["create-args"]
    assert [argument for argument in created if argument.startswith("--network")] == arguments


def test_only_the_caches_and_the_jobs_own_directories_are_writable(tmp_path: Path) -> None:
    inputs = make_inputs(host=replace(make_inputs().host, ca_bundle=Path("/etc/ca.pem")))
    request = make_request(inputs, pip=PipSettings(find_links=(str(tmp_path),)))
    created = _render(inputs, request)["overrides"][-1]["container-engine"]["create-args"]
    assert [argument for argument in created if argument.startswith("--mount")] == [
        "--mount=type=bind,source=/var/kiln/cache/ccache,target=/opt/wheelkiln/mnt/ccache",
        "--mount=type=bind,source=/var/kiln/cache/uv,target=/opt/wheelkiln/mnt/uv",
        "--mount=type=bind,source=/var/kiln/cache/links,target=/opt/wheelkiln/mnt/links",
        "--mount=type=bind,source=/var/kiln/cache/cython,target=/opt/wheelkiln/mnt/cython",
        "--mount=type=bind,source=/var/kiln/job,target=/opt/wheelkiln/mnt/job",
        "--mount=type=bind,source=/var/kiln/job/project,target=/project",
        "--mount=type=bind,source=/etc/ca.pem,target=/opt/wheelkiln/mnt/ca-bundle.pem,readonly",
        f"--mount=type=bind,source={tmp_path},target={tmp_path},readonly",
    ]


def test_secrets_are_passed_by_name() -> None:
    inputs = make_inputs(host=replace(make_inputs().host, environ={"HTTPS_PROXY": "http://u:hunter2@proxy"}))
    request = make_request(inputs, pip=PipSettings(index_url="https://u:hunter2@host/simple"))
    text = write_toml({"tool": {"cibuildwheel": _render(inputs, request)}})
    assert "hunter2" not in text
    assert {"--env=PIP_INDEX_URL", "--env=UV_DEFAULT_INDEX", "--env=HTTPS_PROXY"} <= set(
        tomllib.loads(text)["tool"]["cibuildwheel"]["overrides"][-1]["container-engine"]["create-args"]
    )


@pytest.mark.parametrize(
    ("backend", "settings", "build_dir"),
    [
        ("scikit_build_core.build", "", {"build-dir": "/tmp/wheelkiln/build"}),
        ("mesonpy", "", {"build-dir": "/tmp/wheelkiln/build"}),
        ("setuptools.build_meta", "", None),
        ("scikit_build_core.build", '[tool.scikit-build]\nbuild-dir = "b/{wheel_tag}"\n', None),
        ("scikit_build_core.build", '[tool.cibuildwheel]\nconfig-settings = "build-dir=x"\n', None),
        ("mesonpy", '[tool.cibuildwheel.linux.config-settings]\nbuilddir = "x"\n', None),
        ("mesonpy", '[tool.cibuildwheel.config-settings]\nsetup-args = "-Dx"\n', {"build-dir": "/tmp/wheelkiln/build"}),
    ],
)
def test_a_random_build_directory_is_fixed(backend: str, settings: str, build_dir: dict[str, str] | None) -> None:
    ours = _ours(facts=_facts(settings, backend))
    assert ours.get("config-settings") == build_dir
    assert ours.get("inherit") == ({"config-settings": "append"} if build_dir else None)


@pytest.mark.parametrize(
    ("table", "command"),
    [
        ({}, "wheelkiln-repair {wheel} {dest_dir} -- --plat manylinux_2_28_x86_64"),
        ({"libc": ["musllinux"]}, "wheelkiln-repair {wheel} {dest_dir} -- --plat musllinux_1_2_x86_64"),
        (
            {"libc": ["musllinux"], "image": {"base": "registry.example/acme/alpine:1"}},
            "wheelkiln-repair {wheel} {dest_dir} -- --plat auto",
        ),
        ({"image": {"base": "bootstrap"}}, "wheelkiln-repair {wheel} {dest_dir} -- --plat auto"),
        ({"image": {"base": "registry.example/acme/base:1"}}, "wheelkiln-repair {wheel} {dest_dir} -- --plat auto"),
        (
            {"repair": {"exclude": ["libcuda.so.*"], "library-dirs": ["kern/my lib"], "args": ["--strip"]}},
            "wheelkiln-repair --library-dir 'kern/my lib' {wheel} {dest_dir} -- "
            "--plat manylinux_2_28_x86_64 --exclude 'libcuda.so.*' --strip",
        ),
    ],
)
def test_the_repair_command(table: dict[str, Any], command: str) -> None:
    assert _ours(table)["repair-wheel-command"] == command


def test_the_projects_own_repair_stays_until_ours_is_configured() -> None:
    facts = _facts('[tool.cibuildwheel]\nrepair-wheel-command = "mine {wheel}"\n')
    assert "repair-wheel-command" not in _ours(facts=facts)
    assert _ours({"repair": {"exclude": ["libx.so"]}}, facts=facts)["repair-wheel-command"].startswith(
        "wheelkiln-repair"
    )


def test_tests_are_left_out_on_demand() -> None:
    facts = _facts('[tool.cibuildwheel]\ntest-command = "pytest"\ntest-requires = "pytest"\n')
    table = _render(make_inputs(facts=facts, tests=False))
    assert "test-command" not in table
    assert table["overrides"][-1]["test-command"] == ""
    assert "test-command" not in _ours(facts=facts)


def test_the_text_is_toml_with_the_command_that_makes_it() -> None:
    table = {"tool": {"cibuildwheel": _render(make_inputs())}}
    text = write_toml(table)
    assert text.startswith("# Generated by: wheelkiln generate cibuildwheel.")
    assert tomllib.loads(text) == table


_VARIANT = VariantConfig.model_validate(
    {
        "environment": {"CXXFLAGS": "$CXXFLAGS -march=x86-64-v4", "MODE": 'a "b"'},
        "config-settings": {"cmake.define.X": "ON", "strip": True, "wheel.exclude": ["a", "b c"]},
    }
)


def test_a_variants_settings_are_appended_to_the_projects() -> None:
    inputs = make_inputs(facts=_facts("", "scikit_build_core.build"))
    ours = _render(inputs, replace(make_request(inputs), variant=_VARIANT))["overrides"][-1]
    assert ours["environment"] == {"CXXFLAGS": "$CXXFLAGS -march=x86-64-v4", "MODE": 'a "b"'}
    assert ours["config-settings"] == {
        "build-dir": "/tmp/wheelkiln/build",
        "cmake.define.X": "ON",
        "strip": True,
        "wheel.exclude": ["a", "b c"],
    }
    assert ours["inherit"] == {"config-settings": "append", "environment": "append"}


def test_a_build_directory_that_the_variant_chose_stands() -> None:
    inputs = make_inputs(facts=_facts("", "mesonpy"))
    own = VariantConfig.model_validate({"config-settings": {"builddir": "build/x"}})
    ours = _render(inputs, replace(make_request(inputs), variant=own))["overrides"][-1]
    assert ours["config-settings"] == {"builddir": "build/x"}


def test_variables_that_would_displace_a_variants_settings_get_them_too() -> None:
    given = {"CIBW_ENVIRONMENT": "A=1", "CIBW_CONFIG_SETTINGS_LINUX": "x=1", "CIBW_TEST_COMMAND": "true"}
    assert merge_variant_variables(given, _VARIANT) == {
        "CIBW_ENVIRONMENT": 'A=1 CXXFLAGS="$CXXFLAGS -march=x86-64-v4" MODE="a \\"b\\""',
        "CIBW_CONFIG_SETTINGS_LINUX": "x=1 cmake.define.X=ON strip=true wheel.exclude=a 'wheel.exclude=b c'",
        "CIBW_TEST_COMMAND": "true",
    }
    assert merge_variant_variables(given, VariantConfig()) == given


def test_cibuildwheel_reads_what_is_appended_as_it_was_meant() -> None:
    from cibuildwheel.environment import parse_environment

    text = merge_variant_variables({"CIBW_ENVIRONMENT": "A=1"}, _VARIANT)["CIBW_ENVIRONMENT"]
    values = parse_environment(text).as_dictionary({"CXXFLAGS": "-O3"})
    assert values["CXXFLAGS"] == "-O3 -march=x86-64-v4"
    assert values["MODE"] == 'a "b"'

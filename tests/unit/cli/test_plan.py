from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click import BadParameter
from click.testing import CliRunner, Result

from wheelkiln.cli.options import ProjectOptions
from wheelkiln.cli.plan import command
from wheelkiln.errors import ConfigError, NothingSelectedError, UsageProblem
from wheelkiln.image.memory import ImageMemory

pytestmark = pytest.mark.usefixtures("project")

_PYPROJECT = """
[project]
name = "kern"
version = "1.2"
requires-python = ">=3.11"
[tool.wheelkiln]
arch = ["x86_64"]
policy = "manylinux2014"
python = ["cp310", "cp311", "cp312"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the working directory, with a cache directory of its own and nothing of the developer's."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "pyproject.toml").write_text(_PYPROJECT)
    monkeypatch.chdir(directory)
    monkeypatch.setenv("WHEELKILN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("COLUMNS", raising=False)
    return directory


def _plan(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False, standalone_mode=False)


def _json(*arguments: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_plan("--format", "json", *arguments).stdout)
    return value


def test_the_plan_as_json() -> None:
    plan = _json()
    assert plan["format"] == 3
    assert plan["sources"] == [{"project": "kern", "version": "1.2", "variant": "default"}]
    assert [job["id"] for job in plan["jobs"]] == ["cp311-manylinux_x86_64", "cp312-manylinux_x86_64"]
    assert [(skip["id"], skip["reason"]) for skip in plan["skipped"]] == [("cp310-manylinux_x86_64", "requires-python")]
    assert all(job["image"].startswith("localhost/wheelkiln/manylinux2014_x86_64:") for job in plan["jobs"])


def test_what_an_images_toolchain_lacks_is_known_once_the_image_has_been_seen(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + '[tool.wheelkiln.image]\nrequires = ["avx512bf16"]\n')
    image = _json()["jobs"][0]["image"]
    memory = ImageMemory(project.parent / "cache")
    memory.remember_toolchain(image, "gcc 9.4.0 avx512vnni")
    result = CliRunner().invoke(command, ["--format", "json"], standalone_mode=False)
    assert isinstance(result.exception, NothingSelectedError)
    skipped = json.loads(result.stdout)["skipped"]
    assert {(skip["id"][:5], skip["reason"]) for skip in skipped} == {
        ("cp310", "requires-python"),
        ("cp311", "toolchain"),
        ("cp312", "toolchain"),
    }
    assert skipped[-1]["detail"] == ("image.requires: gcc 9.4.0 does not accept avx512bf16, which needs gcc >= 10")


def test_what_a_moving_base_stood_for_is_in_the_images_name(project: Path) -> None:
    base = "registry.example/acme/base:1"
    before = _json("--base", base)
    assert before == _json("--base", base)
    ImageMemory(project.parent / "cache").remember_base(base, "sha256:" + "a" * 64)
    after = _json("--base", base)
    assert after["jobs"][0]["image"] != before["jobs"][0]["image"]
    assert {found["digest"] for found in after["images"][0]["bases"]} == {"sha256:" + "a" * 64}


def test_both_c_libraries(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + 'libc = ["musllinux", "manylinux"]\n')
    names = [job["image"].rpartition("/")[2].partition(":")[0] for job in _json()["jobs"]]
    assert list(dict.fromkeys(names)) == ["manylinux2014_x86_64", "musllinux_1_2_x86_64"]


def test_the_plan_as_a_table() -> None:
    result = _plan()
    assert result.stdout.splitlines()[0] == "kern 1.2: 2 jobs"
    assert "cp311-manylinux_x86_64  localhost/wheelkiln/manylinux2014_x86_64:" in result.stdout
    assert result.stdout.splitlines()[-2:] == ["not built:", "  cp310-manylinux_x86_64: requires-python is >=3.11"]
    assert result.stderr == ""


def test_planning_a_directory_leaves_nothing_behind(project: Path) -> None:
    _plan()
    assert [path.name for path in project.iterdir()] == ["pyproject.toml"]
    assert not (project.parent / "cache").exists()


def test_a_directory_elsewhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert _json(str(project))["sources"][0]["project"] == "kern"


def test_flags_win_over_variables_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELKILN_PYTHON", "cp312")
    assert [job["identifier"][:5] for job in _json()["jobs"]] == ["cp312"]
    assert [job["identifier"][:5] for job in _json("--python", "cp313", "--python", "cp311")["jobs"]] == [
        "cp311",
        "cp313",
    ]


def test_only_and_skip() -> None:
    assert [job["id"] for job in _json("--only", "cp31[12]*", "--skip", "cp312*")["jobs"]] == ["cp311-manylinux_x86_64"]


def test_every_setting_is_explained(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELKILN_FRONTEND", "pip")
    lines = _plan("--explain", "--base", "registry.example/acme/base:1").stderr.splitlines()
    assert f'policy = "manylinux2014"  ({project}/pyproject.toml)' in lines
    assert 'frontend = "pip"  (WHEELKILN_FRONTEND)' in lines
    assert 'image.base = "registry.example/acme/base:1"  (command line)' in lines
    assert 'cache.max-size = "10G"  (default)' in lines
    assert f'python = ["cp310", "cp311", "cp312"]  ({project}/pyproject.toml)' in lines


def test_notices_go_to_stderr() -> None:
    result = _plan("--format", "json", "--base", "bootstrap")
    json.loads(result.stdout)
    assert 'notice: policy = "manylinux2014" is not enforced on the bootstrap base' in result.stderr


def test_an_empty_plan_is_printed_and_then_an_error() -> None:
    result = CliRunner().invoke(command, ["--only", "nothing"], standalone_mode=False)
    assert isinstance(result.exception, NothingSelectedError)
    assert result.stdout.splitlines()[0] == "kern 1.2: 0 jobs"
    assert "--only nothing leaves it out" in result.stdout


def test_the_projects_settings_can_be_ignored(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + '[tool.cibuildwheel]\nskip = "cp312-*"\n')
    assert len(_json()["jobs"]) == 1
    assert len(_json("--project-settings", "ignore")["jobs"]) == 2


def test_markup_in_names_is_text(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + '[tool.cibuildwheel]\nskip = "cp312-* [red]"\n')
    assert "[tool.cibuildwheel] skip = 'cp312-* [red]' names it" in _plan().stdout


def test_wrong_values_are_the_users() -> None:
    with pytest.raises(ConfigError, match=r"python.0: 'py3' is not a CPython tag.* \(from command line\)"):
        _plan("--python", "py3")
    with pytest.raises(UsageProblem):
        _plan("nowhere")
    with pytest.raises(ConfigError, match="cannot be read"):
        _plan("--config", "absent.toml")


_VARIANTS = """\
[tool.wheelkiln.variants.avx512]
project-name = "Kern_AVX512"
version-suffix = ".post1"
isa = ["x86-64-v4", "amxbf16"]
requires = ["ninja"]
[tool.wheelkiln.variants.default]
"""


def test_every_variant_is_planned_with_its_own_settings(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + _VARIANTS)
    plan = _json("--python", "cp312")
    assert plan["sources"] == [
        {"project": "kern-avx512", "version": "1.2.post1", "variant": "avx512"},
        {"project": "kern", "version": "1.2", "variant": "default"},
    ]
    assert [(job["id"], job["project"]) for job in plan["jobs"]] == [
        ("cp312-manylinux_x86_64@avx512", "kern-avx512"),
        ("cp312-manylinux_x86_64", "kern"),
    ]
    assert [tuple(image["requires"]) for image in plan["images"]] == [("amx-bf16", "x86-64-v4"), ()]
    assert plan["jobs"][0]["image"] == plan["jobs"][1]["image"], "what is required makes no other image"
    assert _plan("--python", "cp312").stdout.splitlines()[:2] == [
        "kern-avx512 1.2.post1, variant avx512: 1 job",
        "kern 1.2, variant default: 1 job",
    ]


def test_a_variant_is_chosen_by_name(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + _VARIANTS)
    assert [job["variant"] for job in _json("--python", "cp312", "--variant", "default")["jobs"]] == ["default"]
    with pytest.raises(UsageProblem, match="'avx' is not a variant of kern") as caught:
        _plan("--variant", "avx")
    assert caught.value.hint == "Its variants: avx512, default."


def test_variants_that_would_make_one_wheel_are_refused(project: Path) -> None:
    (project / "pyproject.toml").write_text(_PYPROJECT + _VARIANTS.replace('project-name = "Kern_AVX512"\n', ""))
    assert len(_json()["jobs"]) == 4, "their versions differ"
    (project / "pyproject.toml").write_text(_PYPROJECT + "[tool.wheelkiln.variants.a]\n[tool.wheelkiln.variants.b]\n")
    with pytest.raises(ConfigError, match="the variants a and b would make the same wheel"):
        _plan()


def test_several_sources_in_one_plan(project: Path) -> None:
    other = project.parent / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text(_PYPROJECT.replace("1.2", "1.3"))
    assert [job["id"] for job in _json(".", "../other", ".", "--only", "cp312*")["jobs"]] == [
        "kern-1.2/cp312-manylinux_x86_64",
        "kern-1.3/cp312-manylinux_x86_64",
    ]
    (other / "pyproject.toml").write_text(_PYPROJECT)
    with pytest.raises(UsageProblem, match=r"kern-1\.2 is given twice, by two sources"):
        _plan(".", "../other")


def test_versions_go_with_a_projects_name() -> None:
    with pytest.raises(UsageProblem, match="--versions needs a project's name"):
        _plan("--versions", "1.0,1.1")
    options = ProjectOptions(("msgpack",), None, (), (), None, None, (), (), "merge", no_test=False, verbose=False)
    assert replace(options, versions="1.0, 1.1").sources == ("msgpack==1.0", "msgpack==1.1")
    assert options.sources == ("msgpack",)
    assert replace(options, source=()).sources == (".",)


def test_shards() -> None:
    plan = _json("--shards", "2")
    assert plan["shards"] == [
        {"number": 1, "jobs": ["cp311-manylinux_x86_64"], "seconds": None},
        {"number": 2, "jobs": ["cp312-manylinux_x86_64"], "seconds": None},
    ]
    lines = [line.split() for line in _plan("--shards", "2").stdout.splitlines()]
    assert lines[2] == ["job", "image", "cache", "namespace", "shard", "estimate"]
    assert [line[3:] for line in lines[3:5]] == [["1", "-"], ["2", "-"]]
    assert lines[6:9] == [["shard", "jobs", "estimate"], ["1/2", "1", "-"], ["2/2", "1", "-"]]


@pytest.mark.parametrize("count", ["0", "-1", "x", "1001", "1.5"])
def test_a_number_of_shards_that_cannot_be(count: str) -> None:
    with pytest.raises(BadParameter):
        _plan("--shards", count)

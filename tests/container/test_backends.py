"""The real backends, from the package index: a project under another name builds a wheel with the same contents."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wheelkiln.source.edition import Publication, make_edition
from wheelkiln.source.prepare import describe_sdist
from wheelkiln.system.host import read_host

_PROJECT = """
[project]
name = "Kern-el"
version = "1.2"
description = "Old words"
readme = "README.md"
classifiers = ["Topic :: Software Development"]
requires-python = ">=3.10"
[project.optional-dependencies]
fast = ["packaging"]
all = ["kern-el[fast]"]
[project.scripts]
kern = "kern_el:main"
"""
_DYNAMIC = _PROJECT.replace('version = "1.2"', 'dynamic = ["version"]')
_PACKAGE = '"""Kernels."""\n\n__version__ = "1.2"\n'
_CMAKE = """
cmake_minimum_required(VERSION 3.18...3.31)
project(${SKBUILD_PROJECT_NAME} VERSION ${SKBUILD_PROJECT_VERSION} LANGUAGES NONE)
install(FILES data.txt DESTINATION ${SKBUILD_PROJECT_NAME})
"""
_PUBLICATION = Publication(
    name="kern-el.Fast_avx",
    description="New words",
    version_suffix="+avx",
    classifiers=("Topic :: Software Development", "Topic :: Utilities"),
)


def _system(backend: str, *requires: str) -> str:
    listed = ", ".join(f'"{name}"' for name in requires)
    return f'[build-system]\nrequires = [{listed}]\nbuild-backend = "{backend}"\n'


@dataclass(frozen=True, slots=True)
class Case:
    """A project's files. Where it has a .gitignore, it is a git work tree with a tag, for versions from there."""

    pyproject: str
    files: Mapping[str, str] = field(default_factory=dict)


_FLAT = {"kern_el/__init__.py": _PACKAGE, "kern_el/sub/__init__.py": ""}
_SRC = {f"src/{name}": text for name, text in _FLAT.items()}
_SETUPTOOLS = _system("setuptools.build_meta", "setuptools>=77")
_SCM = _system("setuptools.build_meta", "setuptools>=77", "setuptools-scm>=8")
_HATCH = _system("hatchling.build", "hatchling")
_SKBUILD = _system("scikit_build_core.build", "scikit-build-core")
_POETRY = _system("poetry.core.masonry.api", "poetry-core>=2")
_SETUP_CFG = """
[metadata]
name = Kern-el
version = attr: kern_el.__version__
description = Old words
long_description = file: README.md
[options]
packages = find:
[options.extras_require]
fast = packaging
all = kern-el[fast]
"""
_SETUP_PY = """
from setuptools import setup
import kern_el
NAME = "Kern-el"
setup(name=NAME, version=kern_el.__version__, description="Old words", packages=["kern_el", "kern_el.sub"])
"""
_POETRY_TABLE = """
[tool.poetry]
name = "Kern-el"
version = "1.2"
description = "Old words"
authors = ["A B <a@example.org>"]
"""
_MATURIN = _system("maturin", "maturin>=1,<2", "cffi")
_LIBRARY = '#[no_mangle]\npub extern "C" fn one() -> i32 { 1 }\n'


def _crate(name: str, more: str = "") -> dict[str, str]:
    return {
        "Cargo.toml": f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{more}',
        "Cargo.lock": f'version = 3\n\n[[package]]\nname = "{name}"\nversion = "0.1.0"\n',
    }


CASES = {
    "setuptools": Case(_SETUPTOOLS + _PROJECT, _SRC),
    "setuptools, flat": Case(_SETUPTOOLS + _PROJECT, _FLAT),
    "setuptools, computed": Case(
        _SETUPTOOLS + _DYNAMIC + '[tool.setuptools.dynamic]\nversion = { attr = "kern_el.__version__" }\n', _SRC
    ),
    "setuptools, setup.cfg": Case(
        _SETUPTOOLS, {**_FLAT, "setup.cfg": _SETUP_CFG, "setup.py": "from setuptools import setup\nsetup()\n"}
    ),
    "setuptools, setup.py": Case("", {**_FLAT, "setup.py": _SETUP_PY, "MANIFEST.in": "include setup.py"}),
    "setuptools-scm": Case(
        _SCM + _DYNAMIC + '[tool.setuptools_scm]\nversion_file = "src/kern_el/_version.py"\n',
        {**_SRC, "src/kern_el/data.txt": "known to git alone", ".gitignore": "_version.py\n"},
    ),
    "hatchling": Case(_HATCH + _PROJECT, _SRC),
    "hatchling, flat": Case(_HATCH + _PROJECT, _FLAT),
    "hatchling, module": Case(_HATCH + _PROJECT, {"kern_el.py": _PACKAGE}),
    "hatchling, namespace": Case(_HATCH + _PROJECT, {"acme/kern_el/__init__.py": _PACKAGE, "acme/x.py": ""}),
    "hatchling, computed": Case(
        _HATCH + _DYNAMIC + '[tool.hatch.version]\npath = "src/kern_el/__init__.py"\n', _SRC
    ),
    "hatch-vcs": Case(
        _system("hatchling.build", "hatchling", "hatch-vcs") + _DYNAMIC + '[tool.hatch.version]\nsource = "vcs"\n'
        '[tool.hatch.build.hooks.vcs]\nversion-file = "src/kern_el/_version.py"\n',
        {**_SRC, ".gitignore": "_version.py\n"},
    ),
    "flit": Case(
        _system("flit_core.buildapi", "flit_core") + _PROJECT.replace("Kern-el", "kern-el"), _SRC
    ),
    "flit, computed": Case(
        _system("flit_core.buildapi", "flit_core")
        + _PROJECT.replace("Kern-el", "kern-el")
        .replace('version = "1.2"\n', 'dynamic = ["version", "description"]\n')
        .replace('description = "Old words"\n', ""),
        _FLAT,
    ),
    "scikit-build-core": Case(
        _SKBUILD + _PROJECT.replace("Kern-el", "kern-el"), {**_SRC, "CMakeLists.txt": _CMAKE, "data.txt": "x"}
    ),
    "scikit-build-core, computed": Case(
        _SKBUILD
        + _DYNAMIC.replace("Kern-el", "kern-el")
        + '[tool.scikit-build.metadata.version]\nprovider = "scikit_build_core.metadata.regex"\n'
        'input = "python/kern_el/__init__.py"\n',
        {**{f"python/{name}": text for name, text in _FLAT.items()}, "CMakeLists.txt": _CMAKE, "data.txt": "x"},
    ),
    "poetry": Case(_POETRY + _PROJECT, _SRC),
    "poetry, own table": Case(_POETRY + _POETRY_TABLE, _FLAT),
    "poetry, module": Case(_POETRY + _PROJECT, {"kern_el.py": _PACKAGE}),
    "pdm": Case(_system("pdm.backend", "pdm-backend") + _PROJECT, _SRC),
    "pdm, computed": Case(
        _system("pdm.backend", "pdm-backend")
        + _DYNAMIC
        + '[tool.pdm.version]\nsource = "file"\npath = "kern_el/__init__.py"\n',
        _FLAT,
    ),
    "uv": Case(_system("uv_build", "uv_build") + _PROJECT, _SRC),
    "meson-python": Case(
        _system("mesonpy", "meson-python", "ninja") + _PROJECT,
        {
            **_FLAT,
            "meson.build": "project('another', version: '1.2')\npy = import('python').find_installation(pure: true)\n"
            "py.install_sources('kern_el/__init__.py', subdir: 'kern_el')\n",
            ".gitignore": "build\n",
        },
    ),
    "maturin": Case(
        _MATURIN + _PROJECT.replace('[project.scripts]\nkern = "kern_el:main"\n', '[tool.maturin]\nbindings = "bin"\n'),
        {**_crate("engine"), "src/main.rs": "fn main() {}\n"},
    ),
    "maturin, library": Case(
        _MATURIN + _PROJECT.replace("Kern-el", "kern_el") + '[tool.maturin]\nbindings = "cffi"\n',
        {**_crate("engine", '[lib]\ncrate-type = ["cdylib"]\n'), "src/lib.rs": _LIBRARY},
    ),
    "maturin, package": Case(
        _MATURIN + _PROJECT + '[tool.maturin]\nbindings = "cffi"\n',
        {
            **_crate("engine", '[lib]\nname = "kern_el"\ncrate-type = ["cdylib"]\n'),
            "src/lib.rs": _LIBRARY,
            "kern_el/__init__.py": _PACKAGE,
        },
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    identity = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    bundle = read_host().ca_bundle
    trusted = {"SSL_CERT_FILE": str(bundle)} if bundle else {}
    return (
        dict(os.environ)
        | trusted
        | identity
        | {"SOURCE_DATE_EPOCH": "1700000000", "CARGO_TARGET_DIR": str(home / "cargo")}
    )


def _run(environ: Mapping[str, str], cwd: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def _build(environ: Mapping[str, str], kind: str, source: Path, out: Path) -> Path:
    _run(environ, source, sys.executable, "-m", "build", "--installer", "uv", f"--{kind}", "--outdir", str(out))
    (made,) = out.iterdir()
    return made


def _wheel_of(environ: Mapping[str, str], sdist: Path, place: Path) -> Path:
    place.mkdir()
    _run(environ, place, "tar", "xf", str(sdist))
    (root,) = place.iterdir()
    return _build(environ, "wheel", root, place / "out")


def _contents(wheel: Path) -> dict[str, bytes]:
    """What is installed, the metadata apart; bytes but for those of compiled files and of a version that is written."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name.replace(name.split("/")[0], "DATA") if ".data/" in name else name: b""
            if name.endswith((".so", "_version.py", "/engine"))
            else archive.read(name)
            for name in archive.namelist()
            if ".dist-info/" not in name and not name.endswith("/")
        }


def _normal(requirement: str) -> str:
    return requirement.lower().replace("_", "-").replace(".", "-")


def _read(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        return next((archive.read(path).decode() for path in archive.namelist() if path.endswith(name)), "")


@pytest.mark.parametrize("name", CASES)
def test_another_name_changes_the_metadata_alone(tmp_path: Path, environ: dict[str, str], name: str) -> None:
    case = CASES[name]
    tree = tmp_path / "tree"
    files = {"README.md": "# Old\n", "pyproject.toml": case.pyproject, **case.files}
    for path, text in files.items():
        if text or path.endswith(".py"):
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
    if ".gitignore" in files:
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["tag", "v1.2"]):
            _run(environ, tree, "git", *command)
    if "maturin" in name and shutil.which("cargo") is None:
        pytest.skip("maturin needs cargo")

    source = describe_sdist(_build(environ, "sdist", tree, tmp_path / "sdist"), None)
    readme = tmp_path / "README-avx.md"
    readme.write_text("# New\n")
    work = tmp_path / "work"
    work.mkdir()
    publication = Publication(
        _PUBLICATION.name, _PUBLICATION.description, str(readme), _PUBLICATION.version_suffix, _PUBLICATION.classifiers
    )
    made = make_edition(source, publication, work_dir=work)
    old = _wheel_of(environ, source.sdist, tmp_path / "old")
    new = _wheel_of(environ, made.sdist, tmp_path / "new")

    assert _contents(new) == _contents(old)
    assert _read(new, "/entry_points.txt") == _read(old, "/entry_points.txt")
    assert new.name.split("-")[:2] == ["kern_el_fast_avx", "1.2+avx"]
    before, after = (email.message_from_string(_read(wheel, "/METADATA")) for wheel in (old, new))
    assert (after["Name"], after["Version"], after["Summary"]) == ("kern-el.Fast_avx", "1.2+avx", "New words")
    classifiers = [*before.get_all("Classifier", []), *_PUBLICATION.classifiers]
    assert set(after.get_all("Classifier", [])) == set(classifiers)
    assert str(after.get_payload()).strip() == "# New"
    assert after["Description-Content-Type"].startswith("text/markdown")
    requires = [_normal(text).replace("kern-el[", "kern-el-fast-avx[") for text in before.get_all("Requires-Dist", [])]
    assert [_normal(text) for text in after.get_all("Requires-Dist", [])] == requires
    ours = {"Name", "Version", "Summary", "Classifier", "Requires-Dist", "Description-Content-Type", "Metadata-Version"}
    kept = [(key, value) for key, value in before.items() if key not in ours]
    assert [(key, value) for key, value in after.items() if key not in ours] == kept

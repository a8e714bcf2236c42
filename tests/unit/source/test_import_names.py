"""The places that backends look at by themselves are those of their documentation; that wheels are the same is
tested with the real backends (tests/contract)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_sdist
from wheelkiln.errors import ConfigError
from wheelkiln.source.import_names import keep_import_names
from wheelkiln.source.tarball import open_tree
from wheelkiln.source.toml_edits import apply_edits


def _kept(tmp_path: Path, backend: str, files: tuple[str, ...], pyproject: str = "", name: str = "Kern-el") -> Any:
    texts = dict.fromkeys(files, "install(TARGETS x DESTINATION ${SKBUILD_PROJECT_NAME})")
    with open_tree(write_sdist(tmp_path / "k.tar.gz", texts), tmp_path) as tree:
        edits = keep_import_names(backend, name, tomllib.loads(pyproject), tree)
    return tomllib.loads(apply_edits(pyproject, edits)).get("tool", {}) if edits else {}


@pytest.mark.parametrize(
    "backend", ["setuptools.build_meta", "setuptools.build_meta:__legacy__", "pdm.backend", "mesonpy"]
)
def test_backends_that_look_for_directories(tmp_path: Path, backend: str) -> None:
    assert _kept(tmp_path, backend, ("kern_el/__init__.py",)) == {}


def test_flit(tmp_path: Path) -> None:
    assert _kept(tmp_path, "flit_core.buildapi", ()) == {"flit": {"module": {"name": "Kern_el"}}}
    assert _kept(tmp_path, "flit_core.buildapi", (), name="kern-el-stubs")["flit"]["module"]["name"] == "kern_el-stubs"
    assert _kept(tmp_path, "flit_core.buildapi", (), '[tool.flit.module]\nname = "other"') == {}


def test_uv(tmp_path: Path) -> None:
    assert _kept(tmp_path, "uv_build", ()) == {"uv": {"build-backend": {"module-name": "kern_el"}}}
    assert _kept(tmp_path, "uv_build", (), '[tool.uv.build-backend]\nmodule-name = "other"') == {}


@pytest.mark.parametrize(
    ("files", "wheel"),
    [
        (("Kern_el/__init__.py", "kern_el/__init__.py"), {"packages": ["Kern_el"]}),
        (("kern_el/__init__.py", "src/kern_el/__init__.py"), {"packages": ["kern_el"]}),
        (("src/kern_el/__init__.py",), {"packages": ["src/kern_el"]}),
        (("kern_el.py",), {"only-include": ["kern_el.py"]}),
        (("acme/kern_el/__init__.py", "acme/kern_el/x/__init__.py"), {"packages": ["acme"]}),
        (("a/kern_el/__init__.py", "b/kern_el/__init__.py"), None),
        (("elsewhere/__init__.py",), None),
    ],
)
def test_hatchling(tmp_path: Path, files: tuple[str, ...], wheel: dict[str, Any] | None) -> None:
    made = _kept(tmp_path, "hatchling.build", files)
    assert made == ({"hatch": {"build": {"targets": {"wheel": wheel}}}} if wheel else {})


@pytest.mark.parametrize(
    "table", ['[tool.hatch.build.targets.wheel]\npackages = ["x"]', '[tool.hatch.build]\ninclude = ["x"]']
)
def test_hatchling_that_has_been_told(tmp_path: Path, table: str) -> None:
    assert _kept(tmp_path, "hatchling.build", ("kern_el/__init__.py",), table) == {}


@pytest.mark.parametrize(
    ("name", "files", "packages"),
    [
        ("Kern-el", ("src/Kern_el/__init__.py", "Kern_el/__init__.py"), ["src/Kern_el"]),
        ("Kern-el", ("python/Kern_el/__init__.pyi",), ["python/Kern_el"]),
        ("Kern-el", ("Kern_el/__init__.py",), ["Kern_el"]),
        ("acme.kern", ("src/acme/kern/__init__.py",), {"acme/kern": "src/acme/kern"}),
    ],
)
def test_scikit_build_core(tmp_path: Path, name: str, files: tuple[str, ...], packages: Any) -> None:
    made = _kept(tmp_path, "scikit_build_core.build", files, name=name)
    assert made == {"scikit-build": {"wheel": {"packages": packages}}}


def test_scikit_build_cores_variable_keeps_its_value(tmp_path: Path) -> None:
    told = "[tool.scikit-build.wheel]\npackages = []\n"
    define = {"SKBUILD_PROJECT_NAME": "Kern_el"}
    assert _kept(tmp_path, "scikit_build_core.build", ("CMakeLists.txt",), told)["scikit-build"]["cmake"] == {
        "define": define
    }
    made = _kept(tmp_path, "scikit_build_core.setuptools.build_meta", ("cmake/x.cmake",))
    assert made == {"scikit-build": {"cmake": {"define": define}}}
    known = '[tool.scikit-build.cmake.define]\nSKBUILD_PROJECT_NAME = "own"\n'
    assert _kept(tmp_path, "scikit_build_core.build", ("CMakeLists.txt",), known) == {}
    assert _kept(tmp_path, "scikit_build_core.build", ("README.md",), told) == {}


@pytest.mark.parametrize(
    ("files", "package"),
    [
        (("kern_el/x.py", "src/kern_el/x.py"), {"include": "kern_el"}),
        (("kern_el.py",), {"include": "kern_el.py"}),
        (("src/kern_el/x.py",), {"include": "kern_el", "from": "src"}),
        (("src/kern_el.py",), {"include": "kern_el.py", "from": "src"}),
    ],
)
def test_poetry(tmp_path: Path, files: tuple[str, ...], package: dict[str, str]) -> None:
    assert _kept(tmp_path, "poetry.core.masonry.api", files) == {"poetry": {"packages": [package]}}
    told = '[tool.poetry]\npackages = [{include = "x"}]'
    assert _kept(tmp_path, "poetry.core.masonry.api", files, told) == {}


def test_maturin(tmp_path: Path) -> None:
    assert _kept(tmp_path, "maturin", (), name="kern_el") == {"maturin": {"module-name": "kern_el"}}
    assert _kept(tmp_path, "maturin", ("Cargo.toml",), name="kern_el") == {"maturin": {"module-name": "kern_el"}}
    assert _kept(tmp_path, "maturin", (), name="kern-el") == {}
    assert _kept(tmp_path, "maturin", (), '[tool.maturin]\nmodule-name = "x"', name="kern_el") == {}
    with open_tree(write_sdist(tmp_path / "k.tar.gz", {"rust/Cargo.toml": '[lib]\nname = "x"\n'}), tmp_path) as tree:
        place = {"tool": {"maturin": {"manifest-path": "./rust/Cargo.toml"}}}
        assert keep_import_names("maturin", "kern_el", place, tree) == []


def test_other_backends_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"its backend 'own\.backend' derives") as caught:
        _kept(tmp_path, "own.backend", ())
    assert "Rename it in a patch file" in str(caught.value)

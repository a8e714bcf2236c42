from __future__ import annotations

import pytest

from tests.values import make_facts
from wheelkiln.errors import UsageProblem
from wheelkiln.source.facts import ProjectFiles, read_facts


def test_a_modern_project() -> None:
    facts = make_facts(
        """
        [build-system]
        requires = ["scikit-build-core>=0.10", "not a requirement!"]
        build-backend = "scikit_build_core.build"
        [project]
        name = "My.Kernels"
        version = "1.0.0rc1"
        requires-python = ">=3.10"
        [tool.cibuildwheel]
        skip = "cp310-*"
        """
    )
    assert (facts.name, facts.version, facts.requires_python) == ("my-kernels", "1.0.0rc1", ">=3.10")
    assert (facts.backend.name, facts.backend.requires) == ("scikit_build_core.build", ("scikit-build-core>=0.10",))
    assert facts.cibuildwheel == {"skip": "cp310-*"}
    assert facts.limited_api == ""


def test_a_setup_cfg_project() -> None:
    cfg = "[metadata]\nname = kern\nversion = 2.0\n[options]\npython_requires = >=3.9\n"
    facts = read_facts(ProjectFiles(setup_cfg=cfg), where="x")
    assert (facts.name, facts.version, facts.requires_python) == ("kern", "2.0", ">=3.9")
    assert facts.backend.name == "setuptools.build_meta:__legacy__"


def test_a_setup_py_project_keeps_its_secrets_until_it_runs() -> None:
    facts = read_facts(ProjectFiles(setup_py="setup(name=NAME, python_requires='>=3.8')"), where="x")
    assert (facts.name, facts.version, facts.requires_python) == ("", "", ">=3.8")


def test_pkg_info_wins() -> None:
    facts = make_facts(pkg_info="Metadata-Version: 2.1\nName: other\nVersion: 9\nRequires-Python: >=3.12\n")
    assert (facts.name, facts.version, facts.requires_python) == ("other", "9", ">=3.12")


def test_a_name_of_poetry() -> None:
    assert make_facts('[tool.poetry]\nname = "kern"\n').name == "kern"


def test_values_that_setuptools_computes_are_unknown() -> None:
    cfg = "[metadata]\nname = kern\nversion = attr: kern.__version__\n"
    assert read_facts(ProjectFiles(setup_cfg=cfg), where="x").version == ""


def test_an_odd_version_of_a_tree_is_unknown_and_of_an_sdist_refused() -> None:
    assert make_facts('[project]\nname = "x"\nversion = "@VERSION@"\n').version == ""
    with pytest.raises(UsageProblem, match="which PEP 440 does not allow"):
        make_facts(pkg_info="Metadata-Version: 2.1\nName: x\nVersion: @VERSION@\n")


def test_without_project_files_there_is_no_project() -> None:
    with pytest.raises(UsageProblem, match="here is not a Python project"):
        read_facts(ProjectFiles(pkg_info="Name: x\n"), where="here")


@pytest.mark.parametrize(
    ("pyproject", "words"),
    [
        ("[project", "pyproject.toml of kern is not valid TOML"),
        ('[project]\nname = "../evil"\n', "not a valid project name"),
        ('[project]\nname = "a b"\n', "not a valid project name"),
        ('[project]\nname = "a;id"\n', "not a valid project name"),
        ('[project]\nname = "x"\nrequires-python = "three"\n', "not a version specifier"),
    ],
)
def test_what_is_wrong_is_named(pyproject: str, words: str) -> None:
    with pytest.raises(UsageProblem, match=words):
        make_facts(pyproject)


def test_a_broken_setup_cfg_is_left_to_setuptools() -> None:
    assert make_facts(setup_cfg="[metadata\nname = x").name == "kern"


@pytest.mark.parametrize(
    "pyproject",
    [
        "project = 1\n",
        'tool = "x"\n[project]\nname = "kern"\n',
        "build-system = []\n",
        '[build-system]\nrequires = "x"\n',
    ],
)
def test_tables_of_another_type_are_no_crash(pyproject: str) -> None:
    assert make_facts(pyproject).limited_api == ""


@pytest.mark.parametrize(
    ("pyproject", "tag"),
    [
        ('[tool.scikit-build]\nwheel.py-api = "cp311"\n', "cp311"),
        ('[tool.scikit-build]\nwheel.py-api = "py3"\n', "py3"),
        ('[tool.scikit-build]\nwheel.py-api = "py2.py3"\n', "py3"),
        ('[tool.scikit-build]\nwheel.py-api = ""\n', ""),
        ('[tool.distutils.bdist_wheel]\npy-limited-api = "cp310"\n', "cp310"),
        ('[tool.maturin]\nfeatures = ["pyo3/extension-module", "pyo3/abi3-py39"]\n', "cp39"),
        ('[tool.maturin]\nfeatures = ["pyo3/extension-module"]\n', ""),
        ('[tool.scikit-build]\nwheel.py-api = "cp3"\n', ""),
        ('[tool.scikit-build]\nwheel.py-api = "cp3x"\n', ""),
        ('[tool.scikit-build]\nwheel.py-api = ["cp311"]\n', ""),
        ('[tool.distutils.bdist_wheel]\npy-limited-api = "cp3oops"\n', ""),
        ('[tool.maturin]\nfeatures = ["pyo3/abi3-pyX"]\n', ""),
        ('[tool.maturin]\nfeatures = "abi3-py39"\n', ""),
    ],
)
def test_the_limited_api_of_the_common_backends(pyproject: str, tag: str) -> None:
    assert make_facts(pyproject).limited_api == tag


@pytest.mark.parametrize(
    "text",
    [
        "setup(options={'bdist_wheel': {'py_limited_api': 'cp311'}})",
        'setup(options={"bdist_wheel": {"py_limited_api": "cp311"}})',
        "options = dict(bdist_wheel=dict(py_limited_api='cp311'))",
    ],
)
def test_the_limited_api_in_setup_py(text: str) -> None:
    assert make_facts(setup_py=text).limited_api == "cp311"


def test_the_limited_api_of_one_extension_is_not_the_wheels() -> None:
    assert make_facts(setup_py="Extension('x', ['x.c'], py_limited_api=True)").limited_api == ""


def test_the_limited_api_in_setup_cfg() -> None:
    assert make_facts(setup_cfg="[bdist_wheel]\npy_limited_api = cp312\n").limited_api == "cp312"


@pytest.mark.parametrize(
    ("requires", "version", "accepts"),
    [
        ("", "3.12", True),
        (">=3.11", "3.10", False),
        (">=3.11", "3.11", True),
        (">=3.11.4", "3.11", True),
        ("<3.13", "3.13", False),
        ("<3.13,>=3.9", "3.12", True),
        ("~=3.10", "3.13", True),
    ],
)
def test_requires_python_is_read_as_cibuildwheel_reads_it(requires: str, version: str, accepts: bool) -> None:
    facts = make_facts(f'[project]\nname = "x"\nrequires-python = "{requires}"\n')
    assert facts.accepts_python(version) is accepts


def test_what_decides_the_backends_own_requirements() -> None:
    base = read_facts(ProjectFiles(pyproject=_BACKEND, setup_py="setup()"), where="x").backend_inputs
    assert base
    for other in (
        ProjectFiles(pyproject=_BACKEND + "\n", setup_py="setup()"),
        ProjectFiles(pyproject=_BACKEND, setup_py="setup(x=1)"),
        ProjectFiles(pyproject=_BACKEND, setup_py="setup()", setup_cfg="[options]\n"),
    ):
        assert read_facts(other, where="x").backend_inputs not in {base, ""}


def test_where_any_file_may_decide_it() -> None:
    computed = ProjectFiles(pyproject=_BACKEND, setup_py="setup(setup_requires=read('requirements.txt'))")
    assert read_facts(computed, where="x").backend_inputs == ""
    in_tree = ProjectFiles(pyproject=_BACKEND + 'backend-path = ["."]\n')
    assert read_facts(in_tree, where="x").backend_inputs == ""


_BACKEND = '[project]\nname = "kern"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "b"\n'

from __future__ import annotations

import tarfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.archives import write_sdist
from wheelkiln.errors import ConfigError
from wheelkiln.source.edition import Patch, Publication, make_edition
from wheelkiln.source.facts import publish_facts
from wheelkiln.source.prepare import PreparedSource, describe_sdist

_INFO = """\
Metadata-Version: 2.4
Name: Kern_el
Version: 1.2
Summary: Old words
Home-page: https://example.org
Classifier: Topic :: Old
Requires-Python: >=3.10
Provides-Extra: all
Requires-Dist: numpy
Requires-Dist: Kern-el[fast]; extra == "all"

# Old

Text.
"""
_PYPROJECT = """\
# how it is built
[build-system]
requires = ["setuptools>=77"]  # licences
build-backend = "setuptools.build_meta"

[project]
name = "Kern_el"  # the name
version = "1.2"
description = "Old words"
readme = "README.md"
classifiers = [
    "Topic :: Old",
]

[project.optional-dependencies]
fast = ["numpy"]
all = ["Kern-el[fast]"]

[tool.wheelkiln]
python = ["cp312"]
"""


class Edition:
    """An edition that was made of an sdist with the given files, and what was said."""

    def __init__(self, tmp_path: Path, files: Mapping[str, str | bytes]) -> None:
        self.work = tmp_path / "work"
        self.work.mkdir()
        self.source = describe_sdist(write_sdist(tmp_path / "kern_el-1.2.tar.gz", files, root="kern_el-1.2"), None)
        self.made: PreparedSource = self.source
        self.said: list[str] = []

    def make(self, *patches: Patch, requires: tuple[str, ...] = (), **fields: Any) -> Edition:
        self.made = make_edition(
            self.source,
            Publication(**fields),
            patches,
            extra_requires=requires,
            work_dir=self.work,
            say=self.said.append,
        )
        return self

    @property
    def texts(self) -> dict[str, str]:
        with tarfile.open(self.made.sdist) as archive:
            members = {member.name.partition("/")[2]: archive.extractfile(member) for member in archive}
            return {name: stream.read().decode() for name, stream in members.items() if stream}

    @property
    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads(self.texts["pyproject.toml"])

    @property
    def roots(self) -> set[str]:
        with tarfile.open(self.made.sdist) as archive:
            return {name.partition("/")[0] for name in archive.getnames()}


def _edition(tmp_path: Path, pyproject: str = _PYPROJECT, **files: str) -> Edition:
    named = {name.replace("__", "."): text for name, text in files.items()}
    return Edition(tmp_path, {"PKG-INFO": _INFO, "pyproject.toml": pyproject, "kern_el/__init__.py": "", **named})


def test_nothing_to_do_is_the_source_itself(tmp_path: Path) -> None:
    edition = _edition(tmp_path)
    assert edition.make().made is edition.source
    assert edition.make(Patch(tmp_path / "absent.patch", "<1")).made is edition.source
    assert edition.make(name="Kern_el", description="Old words", classifiers=("Topic :: Old",)).made is edition.source


def test_everything_that_is_published_changes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "README-fast.md").write_text("# Fast ä\n", encoding="utf-8")
    edition = _edition(tmp_path).make(
        name="kern-el-avx512",
        description="New words",
        readme=str(tmp_path / "README-fast.md"),
        version_suffix="+avx512",
        classifiers=("Topic :: Old", "Topic :: New"),
        requires=("cmake>=3.30; python_version >= '3.10'",),
    )
    assert edition.texts["pyproject.toml"] == (
        _PYPROJECT.replace('"Kern_el"', '"kern-el-avx512"')
        .replace('"1.2"', '"1.2+avx512"')
        .replace("Old words", "New words")
        .replace("README.md", "README-fast.md")
        .replace('"Topic :: Old",\n', '"Topic :: Old",\n    "Topic :: New",\n')
        .replace("Kern-el[fast]", "kern-el-avx512[fast]")
        .replace('"setuptools>=77"]', '"setuptools>=77", "cmake>=3.30; python_version >= \'3.10\'"]')
    )
    assert edition.texts["PKG-INFO"] == (
        _INFO.replace("Name: Kern_el", "Name: kern-el-avx512")
        .replace("1.2", "1.2+avx512")
        .replace("Old words\n", "New words\n")
        .replace("Version: 1.2+avx512\n", "Version: 1.2+avx512\nDescription-Content-Type: text/markdown\n")
        .replace("Topic :: Old\n", "Topic :: Old\nClassifier: Topic :: New\n")
        .replace("Kern-el[fast]", "kern-el-avx512[fast]")
        .replace("# Old\n\nText.\n", "# Fast ä\n")
    )
    assert edition.texts["README-fast.md"] == "# Fast ä\n"
    assert edition.roots == {"kern_el_avx512-1.2+avx512"}
    assert edition.made.sdist.name == "kern_el_avx512-1.2+avx512.tar.gz"
    assert (edition.made.facts.name, edition.made.facts.version) == ("kern-el-avx512", "1.2+avx512")
    assert edition.made.facts.backend.requires[-1].startswith("cmake")
    assert edition.made.digest != edition.source.digest
    assert edition.made.epoch == edition.source.epoch
    assert edition.said == []


def test_the_same_edition_is_the_same_file(tmp_path: Path) -> None:
    edition = _edition(tmp_path)
    one = edition.make(name="other").made.sdist.read_bytes()
    assert edition.make(name="other").made.sdist.read_bytes() == one


@pytest.mark.parametrize(
    ("version", "suffix", "made"),
    [
        ("1.2", "+cpu.avx512", "1.2+cpu.avx512"),
        ("1.2", "+CPU_avx-512", "1.2+cpu.avx.512"),
        ("1.2", ".post1", "1.2.post1"),
        ("1.2", "dev3", "1.2.dev3"),
        ("1.2rc1", ".post1.dev2+x", "1.2rc1.post1.dev2+x"),
        ("1.2.dev4+g12ab", "+avx2", "1.2.dev4+g12ab.avx2"),
        ("1.2+g12ab", ".post1", "1.2.post1+g12ab"),
    ],
)
def test_version_suffixes(tmp_path: Path, version: str, suffix: str, made: str) -> None:
    edition = Edition(
        tmp_path,
        {
            "PKG-INFO": _INFO.replace("1.2", version),
            "pyproject.toml": _PYPROJECT.replace('"1.2"', f'"{version}"'),
        },
    ).make(version_suffix=suffix)
    assert edition.pyproject["project"]["version"] == edition.made.facts.version == made
    assert edition.made.sdist.name == f"kern_el-{made}.tar.gz"
    assert publish_facts(edition.source.facts, "", suffix, ()).version == made  # what plans without an sdist say


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"version_suffix": "rc1"}, "neither a post or dev segment nor a local label"),
        ({"version_suffix": "0"}, "neither a post"),
        ({"version_suffix": "+"}, "neither a post"),
        ({"version_suffix": "+a b"}, "neither a post"),
        ({"version_suffix": "+a\n"}, "neither a post"),
        ({"name": "-x"}, "not valid"),
        ({"name": "x/../y"}, "not valid"),
        ({"name": "ä"}, "not valid"),
        ({"name": "x\nClassifier: y"}, "has to be one line"),
        ({"description": "x\nName: y"}, "has to be one line"),
        ({"classifiers": ("x\r\nName: y",)}, "has to be one line"),
        ({"readme": "/absent/README.md"}, "readme /absent/README.md cannot be read"),
        ({"requires": ("not a requirement",)}, "'not a requirement' is not a requirement"),
    ],
)
def test_what_cannot_be_published_is_said(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _edition(tmp_path).make(**fields)


def test_a_post_segment_on_a_post_release_is_no_version(tmp_path: Path) -> None:
    edition = Edition(tmp_path, {"PKG-INFO": _INFO.replace("1.2", "1.2.post1"), "pyproject.toml": _PYPROJECT})
    with pytest.raises(ConfigError, match=r"1\.2\.post1 with the suffix '\.post1' is no version"):
        edition.make(version_suffix=".post1")


def test_patches_come_first_and_only_where_they_are_for(tmp_path: Path) -> None:
    hunk = "@@ -1 +1 @@\n-old\n+new\n"
    (tmp_path / "a.patch").write_text(f"--- a/a\n+++ b/a\n{hunk}")
    (tmp_path / "b.patch").write_text(f"--- a/b\n+++ b/b\n{hunk}")
    (tmp_path / "name.patch").write_text(
        "--- a/pyproject.toml\n+++ b/pyproject.toml\n"
        '@@ -7,1 +7,1 @@\n-name = "Kern_el"  # the name\n+name = "other"  # by hand\n'
    )
    edition = Edition(tmp_path, {"PKG-INFO": _INFO, "pyproject.toml": _PYPROJECT, "a": "old\n", "b": "old\n"}).make(
        Patch(tmp_path / "a.patch", ">=1.2,<2"),
        Patch(tmp_path / "b.patch", ">=2"),
        Patch(tmp_path / "name.patch"),
        name="other",
    )
    assert (edition.texts["a"], edition.texts["b"]) == ("new\n", "old\n")
    assert "# by hand" in edition.texts["pyproject.toml"]
    assert "Name: other\n" in edition.texts["PKG-INFO"]


def test_versions_that_are_no_specifier_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a\.patch is for the versions 'new', which is no version specifier"):
        _edition(tmp_path).make(Patch(tmp_path / "a.patch", "new"))


def test_a_computed_version_becomes_one_that_is_said(tmp_path: Path) -> None:
    dynamic = _PYPROJECT.replace('version = "1.2"', 'dynamic = ["version", "readme", "license"]').replace(
        'readme = "README.md"\n', ""
    )
    dynamic += (
        '[tool.setuptools.dynamic]\nversion = { attr = "kern_el.V" }\n'
        '[tool.scikit-build.metadata.version]\nprovider = "x"\n'
        '[tool.hatch.metadata.hooks.fancy-pypi-readme]\ncontent-type = "text/markdown"\n'
    )
    (tmp_path / "new.txt").write_text("plain")
    edition = _edition(tmp_path, dynamic).make(version_suffix="+x", readme=str(tmp_path / "new.txt"))
    project = edition.pyproject["project"]
    assert project["dynamic"] == ["license"]
    assert project["version"] == "1.2+x"
    assert project["readme"] == {"file": "new.txt", "content-type": "text/plain"}
    assert edition.pyproject["tool"] == {"setuptools": {"dynamic": {}}, "wheelkiln": {"python": ["cp312"]}}


def test_a_computed_version_stays_computed_under_another_name(tmp_path: Path) -> None:
    dynamic = _PYPROJECT.replace('version = "1.2"', 'dynamic = ["version"]')
    edition = _edition(tmp_path, dynamic).make(name="other")
    assert edition.pyproject["project"]["dynamic"] == ["version"]
    assert edition.made.facts.version == "1.2"


def test_computed_classifiers_are_taken_from_the_sdist(tmp_path: Path) -> None:
    dynamic = _PYPROJECT.replace('classifiers = [\n    "Topic :: Old",\n]', 'dynamic = ["classifiers"]')
    project = _edition(tmp_path, dynamic).make(classifiers=("Topic :: New",)).pyproject["project"]
    assert (project["classifiers"], project["dynamic"]) == (["Topic :: Old", "Topic :: New"], [])


def test_egg_info_follows_the_name_with_its_list_of_files(tmp_path: Path) -> None:
    """Without it setuptools forgets the data files that only version control knew."""
    edition = Edition(
        tmp_path,
        {
            "PKG-INFO": _INFO,
            "pyproject.toml": _PYPROJECT,
            "src/Kern_el.egg-info/PKG-INFO": _INFO,
            "src/Kern_el.egg-info/SOURCES.txt": "src/kern_el/data.bin\nsrc/Kern_el.egg-info/PKG-INFO\n",
            "vendor/foreign.egg-info/PKG-INFO": "Metadata-Version: 2.1\nName: foreign\nVersion: 1\n",
        },
    ).make(name="kern-el.Fast")
    assert set(edition.texts) == {
        "PKG-INFO",
        "pyproject.toml",
        "src/kern_el.Fast.egg-info/PKG-INFO",
        "src/kern_el.Fast.egg-info/SOURCES.txt",
        "vendor/foreign.egg-info/PKG-INFO",
    }
    sources = edition.texts["src/kern_el.Fast.egg-info/SOURCES.txt"]
    assert sources == "src/kern_el/data.bin\nsrc/kern_el.Fast.egg-info/PKG-INFO\n"
    assert "Name: kern-el.Fast\n" in edition.texts["src/kern_el.Fast.egg-info/PKG-INFO"]
    assert "Name: foreign\n" in edition.texts["vendor/foreign.egg-info/PKG-INFO"]


def test_groups_that_name_the_project_follow(tmp_path: Path) -> None:
    text = (
        _PYPROJECT + '[dependency-groups]\ntest = ["kern.el[fast]>1 ; python_version>\'3\'", {include-group = "x"}]\n'
    )
    groups = _edition(tmp_path, text).make(name="other").pyproject["dependency-groups"]
    assert groups["test"] == ["other[fast]>1 ; python_version>'3'", {"include-group": "x"}]


def test_code_that_asks_for_the_old_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    lookup = "from importlib.metadata import version\n__version__ = version('kern-el')\n"
    edition = Edition(
        tmp_path / "other", {"PKG-INFO": _INFO, "pyproject.toml": _PYPROJECT, "kern_el/a.py": lookup, "b.py": lookup}
    )
    assert edition.make(name="other").said == [
        "kern_el/a.py:2 (and 1 more) of kern_el-1.2.tar.gz asks for the metadata of 'Kern_el', which is not "
        "installed as 'other': importing may fail; a patch can have it ask for the new name"
    ]
    edition.said.clear()
    assert edition.make(name="KERN-EL").said == []


_CFG = """\
# who
[metadata]
name = Kern_el
version = attr: kern_el.V
# what
description = Old words
classifiers =
    Topic :: Old

[options.extras_require]
all =
    Kern_el[fast]
    numpy  # arrays
"""


def test_setup_cfg_is_rewritten_where_there_is_no_project_table(tmp_path: Path) -> None:
    (tmp_path / "new.rst").write_text("New\n===\n")
    edition = Edition(
        tmp_path, {"PKG-INFO": _INFO, "setup.cfg": _CFG, "setup.py": "from setuptools import setup\nsetup()"}
    )
    edition.make(
        name="other",
        description="New",
        readme=str(tmp_path / "new.rst"),
        version_suffix="+x",
        classifiers=("Topic :: New",),
    )
    assert edition.texts["setup.cfg"] == (
        _CFG.replace(
            "name = Kern_el\n",
            "name = other\nlong_description_content_type = text/x-rst\nlong_description = file: new.rst\n",
        )
        .replace("attr: kern_el.V", "1.2+x")
        .replace("Old words", "New")
        .replace("    Topic :: Old\n", "    Topic :: Old\n    Topic :: New\n")
        .replace("Kern_el[fast]", "other[fast]")
    )
    assert "pyproject.toml" not in edition.texts


def test_setup_py_is_rewritten_at_the_arguments_that_it_has(tmp_path: Path) -> None:
    script = (
        'from setuptools import setup\nNAME = "Kern_el"\nWORD = "\\d"\n'
        "setup(\n    name=NAME,  # ä\n    version=read('V'), description='Old '\n        'words', packages=[NAME],\n)\n"
    )
    edition = Edition(tmp_path, {"PKG-INFO": _INFO, "setup.py": script})
    edition.make(name="other", description="It's new ä", version_suffix="+x", classifiers=("Topic :: New",))
    assert edition.texts["setup.py"] == (
        script.replace("name=NAME", "name='other'")
        .replace("read('V')", "'1.2+x'")
        .replace("'Old '\n        'words'", '"It\'s new \\xe4"')
    )
    assert edition.texts["setup.cfg"] == "[metadata]\nclassifiers =\n    Topic :: Old\n    Topic :: New\n"


@pytest.mark.parametrize(
    "script",
    [
        "setup(**ARGS)",
        "if x:\n    setup(name='a')\nelse:\n    setup(name='b')\n",
        "exec(open('real_setup.py').read())",
        "print 'Python 2'",
    ],
)
def test_a_setup_py_that_computes_its_arguments_is_refused(tmp_path: Path, script: str) -> None:
    edition = Edition(tmp_path, {"PKG-INFO": _INFO, "setup.py": script})
    with pytest.raises(ConfigError, match=r"setup\.py of kern_el-1\.2\.tar\.gz computes .* name cannot be rewritten"):
        edition.make(name="other")


def test_build_requirements_of_a_legacy_project(tmp_path: Path) -> None:
    edition = Edition(tmp_path, {"PKG-INFO": _INFO, "setup.py": "setup()"}).make(requires=("cmake",))
    assert edition.pyproject["build-system"] == {
        "requires": ["setuptools>=40.8.0", "cmake"],
        "build-backend": "setuptools.build_meta:__legacy__",
    }


def test_poetrys_own_table_is_rewritten(tmp_path: Path) -> None:
    text = (
        '[build-system]\nrequires = ["poetry-core"]\nbuild-backend = "poetry.core.masonry.api"\n'
        '[tool.poetry]\nname = "Kern_el"\nversion = "1.2"\ndescription = "Old words"\n'
    )
    poetry = _edition(tmp_path, text).make(name="other", version_suffix=".post1").pyproject["tool"]["poetry"]
    assert (poetry["name"], poetry["version"]) == ("other", "1.2.post1")
    assert poetry["packages"] == [{"include": "kern_el"}]


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("mesonpy", r"pyproject\.toml has no \[project\], and 'mesonpy' reads them elsewhere"),
        ("custom.backend", "'custom.backend' reads them elsewhere"),
    ],
)
def test_metadata_that_are_elsewhere(tmp_path: Path, backend: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _edition(tmp_path, f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\n').make(name="other")


def test_an_unknown_backend_may_derive_anything_from_the_name(tmp_path: Path) -> None:
    text = _PYPROJECT.replace("setuptools.build_meta", "custom.backend")
    with pytest.raises(ConfigError, match="derives what is imported from the project's name is not known"):
        _edition(tmp_path, text).make(name="other")


def test_an_unknown_backend_may_have_another_version(tmp_path: Path) -> None:
    text = _PYPROJECT.replace("setuptools.build_meta", "custom.backend")
    assert _edition(tmp_path, text).make(version_suffix="+x").made.facts.version == "1.2+x"


def test_a_readme_cannot_go_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "kern_el").write_text("a readme with the name of a directory")
    with pytest.raises(ConfigError, match="kern_el is a directory"):
        _edition(tmp_path).make(readme=str(tmp_path / "kern_el"))

"""SourceFacts: what the plan needs to know of a project, read from its files without running them."""

from __future__ import annotations

import configparser
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelkiln.errors import UsageProblem
from wheelkiln.source.versions import add_suffix

__all__ = ["Backend", "ProjectFiles", "SourceFacts", "publish_facts", "read_facts"]

_NAME = re.compile(r"^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$", re.IGNORECASE)
_SETUP_LIMITED = re.compile(r"""py_limited_api['"]?\s*[:=]\s*['"](?P<tag>cp3[0-9]+)['"]""")
_LIMITED = re.compile(r"cp3[0-9]{1,2}|py3")
_SETUP_REQUIRES = re.compile(r"""\bpython_requires\s*=\s*['"](?P<spec>[^'"]+)['"]""")


@dataclass(frozen=True, slots=True)
class Backend:
    """The PEP 517 backend: its import path and the requirements of its build environment (PEP 518)."""

    name: str
    requires: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """The texts at the root of a project that describe it; absent ones are empty."""

    pyproject: str = ""
    setup_cfg: str = ""
    setup_py: str = ""
    pkg_info: str = ""

    def __bool__(self) -> bool:
        return bool(self.pyproject or self.setup_cfg or self.setup_py)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a project is.

    name is normalised (PEP 503); version is empty while only a backend's run would tell it. limited_api is the tag
    that one wheel covers from (``cp311`` for abi3, ``py3`` for py3-none), empty when each Python needs its own;
    it is a reading of the settings, the wheel that is built has the last word. backend_inputs is a digest of the files
    that tell what the backend will ask for besides its requirements (PEP 517), empty when any file may.
    """

    name: str
    version: str
    requires_python: str
    backend: Backend
    limited_api: str = ""
    backend_inputs: str = ""
    pyproject: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def cibuildwheel(self) -> Mapping[str, Any]:
        """The project's own ``[tool.cibuildwheel]``."""
        return self.tool("cibuildwheel")

    def tool(self, name: str) -> Mapping[str, Any]:
        """Return the table [tool.NAME], empty where there is none."""
        return _table(self.pyproject, "tool", name)

    def accepts_python(self, version: str) -> bool:
        """Tell whether requires-python admits ``3.12`` in its latest patch release, as cibuildwheel decides it."""
        return not self.requires_python or SpecifierSet(self.requires_python).contains(f"{version}.99")


def read_facts(files: ProjectFiles, *, where: str) -> SourceFacts:
    """Read the facts from a project's files; where names the project in errors.

    Raise UsageProblem when it is no Python project or one of its fields is not valid.
    """
    if not files:
        raise UsageProblem(
            f"{where} is not a Python project: no pyproject.toml, setup.cfg or setup.py at its root",
            hint="Give the directory or the sdist that holds one of them.",
        )
    pyproject = _parse_pyproject(files.pyproject, where)
    metadata = _parse_metadata(files.pkg_info)
    project = _table(pyproject, "project")
    cfg = _parse_cfg(files.setup_cfg)
    name = _first(metadata.get("name"), project.get("name"), _cfg(cfg, "metadata", "name"), _tool_name(pyproject))
    version = _first(metadata.get("version"), project.get("version"), _cfg(cfg, "metadata", "version"))
    setup_requires = _SETUP_REQUIRES.search(files.setup_py)
    requires = _first(
        metadata.get("requires_python"),
        project.get("requires-python"),
        _cfg(cfg, "options", "python_requires"),
        setup_requires["spec"] if setup_requires else "",
    )
    return SourceFacts(
        name=_check_name(name, where),
        version=_check_version(version, where, certain=bool(metadata)),
        requires_python=_check_specifier(requires, where),
        backend=_read_backend(pyproject),
        limited_api=_read_limited_api(pyproject, cfg, files.setup_py),
        backend_inputs=_digest_backend_inputs(pyproject, files),
        pyproject=pyproject,
    )


def publish_facts(facts: SourceFacts, name: str, version_suffix: str, requires: Sequence[str]) -> SourceFacts:
    """Return the facts of a project that is published under another name or version, with more build requirements.

    This foretells what the rewritten sdist will say, for plans that are made without one.
    """
    version = add_suffix(facts.version, version_suffix) if facts.version and version_suffix else facts.version
    backend = replace(facts.backend, requires=(*facts.backend.requires, *requires))
    return replace(facts, name=str(canonicalize_name(name)) if name else facts.name, version=version, backend=backend)


def _parse_metadata(text: str) -> Mapping[str, Any]:
    """Read an sdist's PKG-INFO (core metadata); a directory has none."""
    if not text:
        return {}
    from packaging.metadata import parse_email

    raw, _ = parse_email(text)
    return dict(raw)


def _read_backend(pyproject: Mapping[str, Any]) -> Backend:
    """Read [build-system]; without one, setuptools' legacy backend is meant (PEP 517, PEP 518)."""
    system = _table(pyproject, "build-system")
    name = str(system.get("build-backend", "setuptools.build_meta:__legacy__"))
    requires = system.get("requires", ["setuptools>=40.8.0"])
    texts = tuple(str(entry) for entry in requires) if isinstance(requires, list) else ()
    return Backend(name=name, requires=tuple(text for text in texts if _is_requirement(text)))


def _digest_backend_inputs(pyproject: Mapping[str, Any], files: ProjectFiles) -> str:
    """Digest the files that decide what get_requires_for_build_wheel answers.

    A backend in the project's own tree may read anything, and so may a setup.py that computes its setup_requires.
    """
    in_tree = "backend-path" in _table(pyproject, "build-system")
    if in_tree or "setup_requires" in files.setup_py:
        return ""
    texts = f"{files.pyproject}\0{files.setup_cfg}\0{files.setup_py}"
    return hashlib.sha256(texts.encode()).hexdigest()


def _read_limited_api(pyproject: Mapping[str, Any], cfg: configparser.ConfigParser, setup_py: str) -> str:
    """Read the stable ABI's starting tag; what is no tag is left to the backend to refuse."""
    found = _find_limited_api(pyproject, cfg, setup_py)
    return found if _LIMITED.fullmatch(found) else ""


def _find_limited_api(pyproject: Mapping[str, Any], cfg: configparser.ConfigParser, setup_py: str) -> str:
    """Look where the common backends keep it."""
    py_api = str(_table(pyproject, "tool", "scikit-build", "wheel").get("py-api", ""))
    if py_api.startswith(("cp3", "py3", "py2.py3")):
        return "py3" if "py3" in py_api and not py_api.startswith("cp3") else py_api
    distutils = _table(pyproject, "tool", "distutils", "bdist_wheel").get("py-limited-api", "")
    in_setup = _SETUP_LIMITED.search(setup_py)
    found = _first(distutils, _cfg(cfg, "bdist_wheel", "py_limited_api"), in_setup["tag"] if in_setup else "")
    if found.startswith("cp3"):
        return found
    features = _table(pyproject, "tool", "maturin").get("features", [])
    abi3 = (
        [str(f).rpartition("abi3-py")[2] for f in features if "abi3-py" in str(f)] if isinstance(features, list) else []
    )
    return f"cp{abi3[0]}" if abi3 else ""


def _parse_pyproject(text: str, where: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"pyproject.toml of {where} is not valid TOML: {error}") from error


def _parse_cfg(text: str) -> configparser.ConfigParser:
    cfg = configparser.ConfigParser(interpolation=None)
    try:
        cfg.read_string(text)
    except configparser.Error:
        return configparser.ConfigParser(interpolation=None)  # setuptools itself will say what is wrong
    return cfg


def _cfg(cfg: configparser.ConfigParser, section: str, option: str) -> str:
    value = cfg.get(section, option, fallback="")
    return "" if value.startswith(("attr:", "file:", "find:")) else value


def _tool_name(pyproject: Mapping[str, Any]) -> Any:
    return _table(pyproject, "tool", "poetry").get("name", "")


def _table(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        inner = table.get(key, {})
        if not isinstance(inner, dict):
            return {}
        table = inner
    return table


def _first(*candidates: Any) -> str:
    return next((str(value).strip() for value in candidates if isinstance(value, str) and value.strip()), "")


def _check_name(name: str, where: str) -> str:
    if not name:
        return ""
    if not _NAME.match(name):
        raise UsageProblem(f"{where} has the name {name!r}, which is not a valid project name (PEP 508)")
    return str(canonicalize_name(name))


def _check_version(version: str, where: str, *, certain: bool) -> str:
    try:
        return str(Version(version)) if version else ""
    except InvalidVersion as error:
        if not certain:
            return ""
        raise UsageProblem(f"{where} has the version {version!r}, which PEP 440 does not allow") from error


def _check_specifier(requires: str, where: str) -> str:
    try:
        SpecifierSet(requires)
    except InvalidSpecifier as error:
        raise UsageProblem(f"{where} has requires-python {requires!r}, which is not a version specifier") from error
    return requires


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True

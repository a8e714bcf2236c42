"""The project's own [tool.cibuildwheel]: what stays in force, what wheelkiln decides, what cannot work here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelkiln.config.model import Config
from wheelkiln.plan.model import Notice
from wheelkiln.system.cibuildwheel import CibuildwheelFacts

__all__ = ["ProjectSettings", "merge_environment_variables", "read_project_settings"]

_SELECTION = ("build", "skip", "archs", "enable")
_OWNED = {
    "container-engine": "wheelkiln starts the container itself; see [tool.wheelkiln.container]",
    "build-frontend": "the fixed build environment needs its own arguments; see 'frontend' in [tool.wheelkiln]",
    "archs": "set 'arch' in [tool.wheelkiln] instead",
}
_TESTS = (
    "test-command",
    "test-requires",
    "test-extras",
    "test-groups",
    "test-sources",
    "test-skip",
    "before-test",
)
_SHELL_OPTIONS = ("before-all", "before-build", "before-test")
_PACKAGE_MANAGERS = {"rpm": ("yum", "dnf", "microdnf"), "deb": ("apt", "apt-get"), "apk": ("apk",)}
_FAMILY_NAMES = {"rpm": "the RHEL family", "deb": "Debian or Ubuntu", "apk": "Alpine"}
_OWNED_VARIABLES = re.compile(
    r"^CIBW_(BUILD|SKIP|ARCHS|ENABLE|BUILD_FRONTEND|CONTAINER_ENGINE|PLATFORM|OUTPUT_DIR|CONFIG_FILE|"
    r"(MANY|MUSL)LINUX_[A-Z0-9_]+_IMAGE|DEBUG_KEEP_CONTAINER|LOG_FOLD_MODE)(_LINUX)?$"
)
_TEST_VARIABLES = re.compile(r"^CIBW_(TEST|BEFORE_TEST)")


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """The part of [tool.cibuildwheel] that is merged, and its selectors, which the plan applies."""

    table: Mapping[str, Any] = field(default_factory=dict)
    build: str = "*"
    skip: str = ""
    notices: tuple[Notice, ...] = ()

    def sets(self, option: str) -> bool:
        """Tell whether the project sets an option that applies on Linux, outside of overrides."""
        return option in self.table or option in self.table.get("linux", {})

    def config_settings_keys(self) -> frozenset[str]:
        """The keys of every config-settings that the project passes to its backend."""
        found: set[str] = set()
        for table in (self.table, self.table.get("linux", {}), *self.table.get("overrides", [])):
            value = table.get("config-settings", {})
            found |= set(value) if isinstance(value, dict) else {part.partition("=")[0] for part in str(value).split()}
        return frozenset(found)


def read_project_settings(
    table: Mapping[str, Any], config: Config, facts: CibuildwheelFacts, *, families: Collection[str], tests: bool
) -> ProjectSettings:
    """Separate the project's settings into those that stay and those that cannot; families are the bases'.

    tests=False leaves its tests out. Every setting that is left out or cannot work is named in a notice.
    """
    notices: list[Notice] = []
    kept: dict[str, Any] = {}
    linux = table.get("linux", {}) if isinstance(table.get("linux", {}), dict) else {}
    for name, value in table.items():
        if name == "overrides":
            kept[name] = _keep_overrides(value, facts, tests, notices)
        elif name == "linux":
            kept[name] = _keep_table(linux, "linux.", facts, tests, notices)
        elif name not in ("macos", "windows", "pyodide", "android", "ios"):
            kept |= _keep_table({name: value}, "", facts, tests, notices)
    _note_enable(table, facts, notices)
    notices += _note_commands(kept, config, families)
    return ProjectSettings(
        table={name: value for name, value in kept.items() if value not in ({}, [])},
        build=_selector(table.get("build", "*")) or "*",
        skip=_selector(table.get("skip", "")),
        notices=tuple(notices),
    )


def merge_environment_variables(
    environ: Mapping[str, str], *, tests: bool = True
) -> tuple[dict[str, str], tuple[Notice, ...]]:
    """Split the user's CIBW_* variables into those that reach cibuildwheel and notices of those that do not.

    cibuildwheel lets variables win over every file, so tests=False leaves out those of tests as well.
    """
    given = {name: value for name, value in environ.items() if name.startswith("CIBW_")}
    owned = sorted(name for name in given if _OWNED_VARIABLES.match(name))
    notices = [
        Notice("variable-left-out", f"{name} is left out: wheelkiln decides that itself", "See 'wheelkiln plan'.")
        for name in owned
    ]
    notices += [
        Notice(
            "variable-displaces",
            f"{name} replaces every config-settings, the fixed build directory among them: "
            "the compile cache may miss on CMake and Meson projects",
            "Put the settings into config-settings of [tool.cibuildwheel].",
        )
        for name in sorted(given)
        if name.startswith("CIBW_CONFIG_SETTINGS")
    ]
    kept = {name: value for name, value in given.items() if name not in owned}
    if not tests:
        kept = {name: value for name, value in kept.items() if not _TEST_VARIABLES.match(name)}
    return kept, tuple(notices)


def _keep_overrides(value: Any, facts: CibuildwheelFacts, tests: bool, notices: list[Notice]) -> list[dict[str, Any]]:
    """Keep the tables that still say something besides which identifiers they select."""
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, dict) for entry in entries):
        notices.append(
            Notice(
                "project-setting-left-out",
                "[tool.cibuildwheel] overrides is not an array of tables: what is not a table is left out",
                "Write each as [[tool.cibuildwheel.overrides]] with a 'select'.",
            )
        )
    tables = (_keep_table(entry, "overrides.", facts, tests, notices) for entry in entries if isinstance(entry, dict))
    return [table for table in tables if len(table) > 1]


def _keep_table(
    table: Mapping[str, Any], prefix: str, facts: CibuildwheelFacts, tests: bool, notices: list[Notice]
) -> dict[str, Any]:
    kept = {}
    for name, value in table.items():
        key = f"[tool.cibuildwheel] {prefix}{name}"
        if name in _OWNED or name.endswith("-image"):
            why = _OWNED.get(name, "wheelkiln makes the image; set 'image.base' in [tool.wheelkiln]")
            notices.append(Notice("project-setting-left-out", f"{key} is left out: {why}"))
        elif name not in facts.options and name != "select":
            notices.append(
                Notice(
                    "project-setting-unknown",
                    f"{key} is unknown to cibuildwheel {facts.version} and is left out",
                    "Check its spelling, or the cibuildwheel version that it was written for.",
                )
            )
        elif name not in _SELECTION and (tests or name not in _TESTS):
            kept[name] = value
    return kept


def _note_enable(table: Mapping[str, Any], facts: CibuildwheelFacts, notices: list[Notice]) -> None:
    groups = set(_selector(table.get("enable", "")).split())
    notices.extend(
        Notice(
            "project-setting-unknown",
            f"[tool.cibuildwheel] enable has '{group}', which cibuildwheel {facts.version} does not know: left out",
            "It was written for another major version of cibuildwheel.",
        )
        for group in sorted(groups - facts.enable_groups - {"all"})
    )


def _note_commands(table: Mapping[str, Any], config: Config, families: Collection[str]) -> Iterator[Notice]:
    """Find package managers of another distribution, and those that need root; of a base of no known family nothing."""
    for prefix, part in _places(table):
        applying = [family for family in families if family and _applies(part.get("select", "*"), family)]
        for option in _SHELL_OPTIONS:
            for used, program in _managers_in(part.get(option, "")):
                call = f"[tool.cibuildwheel] {prefix}{option} calls '{program}'"
                for family in applying:
                    yield from _note_call(call, used, family, config)


def _places(table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "", table
    yield "linux.", table.get("linux", {})
    yield from ((f"overrides[{index}].", entry) for index, entry in enumerate(table.get("overrides", [])))


def _applies(select: Any, family: str) -> bool:
    """Tell whether an override may select builds on a base: one that names a single C library means that one."""
    named = {libc for libc in ("manylinux", "musllinux") if libc in _selector(select)}
    return len(named) != 1 or (family == "apk") == (named == {"musllinux"})


def _note_call(call: str, used: str, family: str, config: Config) -> Iterator[Notice]:
    if used != family:
        yield Notice(
            "project-setting-distribution",
            f"{call}, but the base is of {_FAMILY_NAMES[family]}: it will fail there",
            f"Name the packages in image.packages.{family}, and build with --project-settings ignore "
            "or make the command choose by distribution.",
        )
    elif config.container.user != "root":
        yield Notice(
            "project-setting-root",
            f"{call}, which needs root; builds run as an unprivileged user",
            f'Name the packages in image.packages.{family}, or set container.user = "root".',
        )


def _managers_in(command: Any) -> Iterator[tuple[str, str]]:
    text = "\n".join(map(str, command)) if isinstance(command, list) else str(command)
    if "command -v" in text or "which " in text:
        return  # it already chooses by what is there
    for family, programs in _PACKAGE_MANAGERS.items():
        for program in programs:
            if re.search(rf"(^|[\s;&|(])(sudo\s+)?{program}\s+(-\S+\s+)*(install|add|update|upgrade)\b", text):
                yield family, program


def _selector(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)

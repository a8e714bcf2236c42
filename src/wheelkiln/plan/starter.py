"""A project's starting configuration: every key of the model, the chosen ones with the reason, as commented TOML."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from wheelkiln.config.load import parse_config
from wheelkiln.config.model import Config
from wheelkiln.plan.make import PlanInputs, settings_of
from wheelkiln.plan.package_installs import read_package_installs
from wheelkiln.plan.project_settings import ProjectSettings
from wheelkiln.source.facts import SourceFacts
from wheelkiln.system.cibuildwheel import CibuildwheelFacts, matches_selector
from wheelkiln.system.host import HostFacts

__all__ = ["Choice", "Starter", "make_starter", "render_starter"]

_WIDTH = 100
_ARCHITECTURES = ("x86_64", "aarch64")
_LIBCS = ("manylinux", "musllinux")
_EXAMPLES: Mapping[str, Any] = {
    "arch": _ARCHITECTURES,
    "hosts": {"graviton": {"docker": "ssh://ci@graviton", "arch": ("aarch64",)}},
    "image.packages.deb": ("libnuma-dev",),
    "image.packages.rpm": ("numactl-devel",),
    "image.packages.apk": ("numactl-dev",),
    "image.requires": ("avx512bf16", "sve2"),
    "image.download-mirror": "https://mirror.example/github",
    "image.mirror": "https://mirror.example/debian",
    "image.base-packages": ("libnuma1",),
    "image.repository": "ghcr.io/acme/wheelkiln",
    "image.cache-from": ("type=registry,ref=ghcr.io/acme/wheelkiln:cache",),
    "image.cache-to": ("type=registry,ref=ghcr.io/acme/wheelkiln:cache,mode=max",),
    "image.labels": {"org.opencontainers.image.vendor": "Acme"},
    "image.builder.name": "big",
    "image.builder.endpoint": "tcp://buildkit.example:1234",
    "image.builder.options": {"network": "host"},
    "repair.exclude": ("libcuda.so.*",),
    "repair.library-dirs": ("/usr/local/lib",),
    "repair.args": ("--strip",),
}
"""What is shown for keys that are empty by default."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A key that the project decides: its value (None leaves the default as a comment) and why."""

    key: str
    value: Any = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Starter:
    """A starting configuration; remarks are what the project's own [tool.cibuildwheel] will meet."""

    project: str
    choices: tuple[Choice, ...]
    remarks: tuple[str, ...] = ()

    @property
    def python(self) -> tuple[str, ...]:
        """The chosen Pythons; empty where the default stays."""
        chosen = {choice.key: choice.value for choice in self.choices}
        return tuple(chosen.get("python") or ())


def make_starter(
    facts: SourceFacts, host: HostFacts, cibuildwheel: CibuildwheelFacts, *, base: str = "pypa"
) -> Starter:
    """Choose the settings that a project's files decide; base is image.base.

    Raise ConfigError when base is not valid.
    """
    choices = [
        _choose_arch(facts.cibuildwheel),
        _choose_libc(facts.cibuildwheel, cibuildwheel, base),
        _choose_policy("policy", "manylinux", facts.cibuildwheel, cibuildwheel, base),
        _choose_policy("musl-policy", "musllinux", facts.cibuildwheel, cibuildwheel, base),
        _choose_base(facts.cibuildwheel, base),
        *_choose_packages(facts.cibuildwheel),
    ]
    config = parse_config(_nested(choices)).config
    settings = settings_of(PlanInputs(config=config, facts=facts, host=host, cibuildwheel=cibuildwheel))
    choices += [_choose_python(facts, settings, cibuildwheel, config.libc), _choose_repair(settings)]
    return Starter(
        project=facts.name,
        choices=tuple(choice for choice in choices if choice.value or choice.reasons),
        remarks=tuple(f"{notice.message}. {notice.hint}".strip() for notice in settings.notices),
    )


def render_starter(starter: Starter, *, prefix: str = "") -> str:
    """Write a starter as TOML below the table called prefix (empty: a file of its own).

    Keys that nothing decides are commented with their default, or with an example where that is empty.
    """
    lines = _comment(
        f"Settings of wheelkiln for {starter.project}. A line such as '# key = value' shows a default or an example: "
        "take the '# ' away to set it. 'wheelkiln schema' describes every key."
    )
    if starter.remarks:
        lines += ["#", *_comment("The project's own [tool.cibuildwheel] stays in force, except:")]
        lines += [line for remark in starter.remarks for line in _comment(remark, bullet="- ")]
    chosen = {choice.key: choice for choice in starter.choices}
    section: str | None = None
    for key, default, description in _keys(Config):
        parent, _, name = key.rpartition(".")
        if parent != section:
            section = parent
            lines += _header(prefix, parent)
        choice = chosen.get(key, Choice(key))
        lines += ["", *_comment(description), *(line for reason in choice.reasons for line in _comment(reason))]
        shown = _EXAMPLES.get(key, default) if choice.value is None else choice.value
        lines.append(f"{'# ' if choice.value is None else ''}{name} = {_literal(shown)}")
    return "\n".join(lines) + "\n"


def _choose_python(
    facts: SourceFacts, settings: ProjectSettings, cibuildwheel: CibuildwheelFacts, libcs: Sequence[str]
) -> Choice:
    def accepted(tag: str) -> bool:
        return facts.accepts_python(f"3.{tag.removeprefix('cp3')}")

    def selected(tag: str) -> bool:
        identifiers = [f"{tag}-{libc}_{arch}" for libc in libcs for arch in _ARCHITECTURES]
        return any(_is_selected(settings.build, settings.skip, name) for name in identifiers)

    default = Config().python
    chosen = tuple(tag for tag in default if accepted(tag) and selected(tag))
    chosen = chosen or tuple(tag for tag in _known_pythons(cibuildwheel) if accepted(tag) and selected(tag))
    refused = [tag for tag in default if not accepted(tag)]
    unselected = [tag for tag in default if accepted(tag) and not selected(tag)]
    reasons = []
    if refused:
        reasons.append(f"requires-python = '{facts.requires_python}' leaves out {', '.join(refused)}.")
    if unselected:
        reasons.append(f"build and skip of [tool.cibuildwheel] leave out {', '.join(unselected)}.")
    if facts.limited_api:
        reasons.append(
            f"One wheel is expected to serve all from {facts.limited_api} on; the other jobs are then skipped."
        )
    if not chosen:
        reasons.append(f"Nothing that cibuildwheel {cibuildwheel.version} builds is left: 'wheelkiln plan' says why.")
    return Choice("python", chosen or None, tuple(reasons))


def _choose_libc(table: Mapping[str, Any], cibuildwheel: CibuildwheelFacts, base: str) -> Choice:
    """Take musllinux over where the project asks for it in so many words: by default cibuildwheel builds both."""
    build, skip = (" ".join(sorted(_words(table.get(name, "")))) for name in ("build", "skip"))
    if "musllinux" not in build or base != "pypa":
        return Choice("libc")
    chosen = [
        libc
        for libc in _LIBCS
        if any(_is_selected(build, skip, name) for name in cibuildwheel.identifiers if f"-{libc}_" in name)
    ]
    return Choice("libc", tuple(chosen) or None, ("From build of [tool.cibuildwheel].",))


def _is_selected(build: str, skip: str, identifier: str) -> bool:
    return matches_selector(build, identifier) and not matches_selector(skip, identifier)


def _known_pythons(cibuildwheel: CibuildwheelFacts) -> list[str]:
    """The CPythons with a GIL that the installed cibuildwheel builds for on Linux."""
    tags = {identifier.partition("-")[0] for identifier in cibuildwheel.identifiers if "-manylinux_" in identifier}
    return sorted((tag for tag in tags if re.match(r"^cp3[0-9]+$", tag)), key=lambda tag: int(tag.removeprefix("cp3")))


def _choose_arch(table: Mapping[str, Any]) -> Choice:
    """Take explicit architectures over; words such as ``auto`` mean the machine, which is the default here."""
    names = _words(_linux_option(table, "archs"))
    ours = tuple(arch for arch in _ARCHITECTURES if arch in names)
    if not ours or names & {"auto", "auto64", "auto32", "native", "all"}:
        return Choice("arch")
    others = sorted(names - set(ours))
    left = f" wheelkiln does not build for {', '.join(others)}." if others else ""
    return Choice("arch", ours, (f"From archs of [tool.cibuildwheel].{left}",))


def _choose_policy(key: str, libc: str, table: Mapping[str, Any], cibuildwheel: CibuildwheelFacts, base: str) -> Choice:
    """Take the policy over that all <libc>-<arch>-image options of the project name."""
    named = {
        name
        for arch in _ARCHITECTURES
        for name in [str(_linux_option(table, f"{libc}-{arch}-image"))]
        if name.startswith(libc) and name in cibuildwheel.images.get(arch, {})
    }
    if base != "pypa" or len(named) != 1:
        return Choice(key)
    return Choice(key, named.pop(), (f"From {libc}-*-image of [tool.cibuildwheel].",))


def _choose_base(table: Mapping[str, Any], base: str) -> Choice:
    images = {(libc, str(_linux_option(table, f"{libc}-{arch}-image"))) for libc in _LIBCS for arch in _ARCHITECTURES}
    own = sorted((libc, name) for libc, name in images if "/" in name)
    reasons = [f"{libc}-*-image of [tool.cibuildwheel] is such a reference: {name}" for libc, name in own]
    return Choice("image.base", base, tuple(reasons))


def _choose_packages(table: Mapping[str, Any]) -> Iterator[Choice]:
    installs = read_package_installs(table)
    unread = tuple(f"Not read, and may belong here: {command}" for command in installs.unread)
    reason = (
        "From the project's own commands in [tool.cibuildwheel]. They still run, without root: let them skip what is "
        "there already, or take them out."
    )
    yield Choice("image.packages.deb", installs.deb or None, (reason,) if installs.deb else ())
    yield Choice("image.packages.rpm", installs.rpm or None, (*((reason,) if installs.rpm else ()), *unread))
    yield Choice("image.packages.apk", installs.apk or None, (reason,) if installs.apk else ())


def _choose_repair(settings: ProjectSettings) -> Choice:
    if not settings.sets("repair-wheel-command"):
        return Choice("repair.exclude")
    reason = "repair-wheel-command of [tool.cibuildwheel] stays in force until a key of this table is set."
    return Choice("repair.exclude", reasons=(reason,))


def _linux_option(table: Mapping[str, Any], option: str) -> Any:
    linux = table.get("linux", {})
    return linux.get(option, table.get(option, "")) if isinstance(linux, dict) else table.get(option, "")


def _words(value: Any) -> set[str]:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return set(text.replace(",", " ").split())


def _nested(choices: list[Choice]) -> dict[str, Any]:
    """Turn key paths into the tables that they mean."""
    table: dict[str, Any] = {}
    for choice in choices:
        *parents, name = choice.key.split(".")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
        if choice.value is not None:
            inner[name] = choice.value
    return table


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any, str]]:
    """Yield each leaf's key path, default and description, own leaves of a table before its tables."""
    tables = []
    for name, info in model.model_fields.items():
        key = f"{prefix}{info.alias or name}"
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            tables.append((key, info.annotation))
        else:
            yield key, info.get_default(call_default_factory=True, validated_data={}), info.description or ""
    for key, inner in tables:
        yield from _keys(inner, f"{key}.")


def _header(prefix: str, section: str) -> list[str]:
    name = ".".join(part for part in (prefix, section) if part)
    return ["", f"[{name}]"] if name else []


def _literal(value: Any) -> str:
    """Serialise one value, lists and tables on one line."""
    import tomli_w

    if isinstance(value, Mapping):
        entries = ", ".join(f"{_literal_key(key)} = {_literal(inner)}" for key, inner in value.items())
        return f"{{ {entries} }}" if entries else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    plain = value.value if isinstance(value, StrEnum) else value
    return tomli_w.dumps({"value": plain}).removeprefix("value = ").rstrip("\n")


def _literal_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _literal(name)


def _comment(text: str, bullet: str = "") -> list[str]:
    """Write text as comment lines; text from a project may hold anything, TOML comments no control characters."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    indent = " " * len(bullet)
    return textwrap.wrap(
        " ".join(printable.split()),
        width=_WIDTH,
        initial_indent=f"# {bullet}",
        subsequent_indent=f"# {indent}",
        break_long_words=False,
        break_on_hyphens=False,
    )

"""Finding, reading and validating the configuration, and remembering where each value came from."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wheelkiln.config.model import Config
from wheelkiln.config.remote import parse_remote
from wheelkiln.errors import ConfigError

__all__ = ["LoadedConfig", "load_config", "parse_config", "variable_name"]

_PREFIX = "WHEELKILN_"
_EXPECTED = {
    "python": "a CPython tag such as 'cp312'",
    "policy": "a policy such as 'manylinux_2_28'",
    "musl-policy": "a policy such as 'musllinux_1_2'",
    "packages": "a package name",
    "base-packages": "a package name",
    "mirror": "an address such as 'https://mirror.example/debian'",
    "download-mirror": "an address such as 'https://mirror.example/github'",
    "cache-from": "a build cache such as 'type=gha'",
    "cache-to": "a build cache such as 'type=gha'",
    "endpoint": "a docker context or an address such as 'tcp://buildkit.example:1234'",
    "docker": "a docker context or an address such as 'ssh://ci@graviton'",
    "max-size": "a size such as '10G'",
    "variants": "a variant's name such as 'avx512'",
    "project-name": "a project's name such as 'acme-kernels-avx512'",
    "version-suffix": "a version suffix such as '+cpu.avx512', '.post1' or '.dev1'",
    "environment": "a variable's name, or a value of one line",
    "label": "a label such as 'x86_64_v4'",
    "properties": "a name or value such as 'x86_64', 'level' or 'v4'",
    "isa": "a level or feature such as 'x86-64-v4', 'avx512bf16' or 'armv8.2-a+dotprod'",
    "exclude": "a soname such as 'libcuda.so.*'",
}
_EXPECTED_TYPES = {"tuple_type": "expected a list", "dict_type": "expected a table", "model_type": "expected a table"}
_SPLIT_AT_BLANKS = ("image.cache-from", "image.cache-to")
"""Lists whose entries have commas of their own."""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """The configuration, the file it was read from (None: defaults), and the origin of each value by key path."""

    config: Config
    path: Path | None
    origins: Mapping[str, str]


def load_config(
    directory: Path,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
) -> LoadedConfig:
    """Read the configuration of the project in directory. Precedence: file < ``WHEELKILN_*`` < flags.

    file names a wheelkiln.toml or pyproject.toml to use instead. flags maps key paths (``image.base``) to values.
    Raise ConfigError that lists every fault with its key path.
    """
    path, table = _read_file(directory, file)
    return parse_config(table, path=path, environ=environ, flags=flags or {})


def parse_config(
    table: Mapping[str, Any],
    *,
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> LoadedConfig:
    """Validate a table together with the overriding variables and flags."""
    merged = json.loads(json.dumps(table, default=str))
    where = str(path) if path else "defaults"
    origins = {key: where for key, _ in _leaves(table)}
    for key, value, origin in [
        *_from_environ(environ or {}),
        *((k, v, "command line") for k, v in (flags or {}).items()),
    ]:
        _set(merged, key, value)
        origins[key] = origin
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        problems = tuple(_explain(item, origins) for item in _root_causes(error.errors()))
        raise ConfigError(
            f"the configuration has {len(problems)} problem{'s' if len(problems) > 1 else ''} ({where})",
            problems=problems,
            hint="'wheelkiln schema' prints the JSON schema; docs/reference/configuration.md explains each key.",
        ) from error
    _refuse_written_password(config, origins)
    return LoadedConfig(config=config, path=path, origins=origins)


def _refuse_written_password(config: Config, origins: Mapping[str, str]) -> None:
    """A configuration file is committed and travels in every sdist."""
    variable = variable_name("cache.remote")
    origin = origins.get("cache.remote", variable)
    if origin != variable and config.cache.remote and parse_remote(config.cache.remote).has_secret:
        raise ConfigError(
            f"cache.remote has a password or token in {origin}",
            hint=f"Give the whole address by the variable {variable}, or leave the secret out and name a file that "
            "holds it: cache.remote-credentials-file.",
        )


def variable_name(key: str) -> str:
    """Return the variable that sets a key: ``cache.max-size`` is ``WHEELKILN_CACHE_MAX_SIZE``."""
    return _PREFIX + key.replace(".", "_").replace("-", "_").upper()


def _read_file(directory: Path, file: Path | None) -> tuple[Path | None, Mapping[str, Any]]:
    if file is not None:
        table = _table_of(file)
        if not table and file.name == "pyproject.toml":
            raise ConfigError(f"{file} has no [tool.wheelkiln]", hint="Leave --config out to build with the defaults.")
        return file, table
    own, pyproject = directory / "wheelkiln.toml", directory / "pyproject.toml"
    in_pyproject = _table_of(pyproject) if pyproject.is_file() else {}
    if own.is_file():
        if in_pyproject:
            raise ConfigError(
                f"both {own} and [tool.wheelkiln] in {pyproject} configure this project",
                hint="Keep one of the two.",
            )
        return own, _table_of(own)
    return (pyproject, in_pyproject) if in_pyproject else (None, {})


def _table_of(file: Path) -> Mapping[str, Any]:
    """Return wheelkiln's table of a file: [tool.wheelkiln] of a pyproject.toml, else all that is not below [tool]."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", hint="Mend the syntax at that place.") from error
    tool = content.get("tool", {})
    if not isinstance(tool, dict):
        raise ConfigError(f"[tool] in {file} is not a table")
    table = content if file.name != "pyproject.toml" and "tool" not in content else tool.get("wheelkiln", {})
    if not isinstance(table, dict):
        raise ConfigError(f"[tool.wheelkiln] in {file} is not a table")
    return table


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    for key, annotation in _keys(Config):
        name = variable_name(key)
        if name in environ:
            yield key, _read_variable(key, annotation, environ[name]), name


def _read_variable(key: str, annotation: Any, text: str) -> str | list[str]:
    """Split the text of a list at commas and blanks; one of the words that stand for a list stays a word."""
    forms = (annotation,) if get_origin(annotation) is tuple else (annotation, *get_args(annotation))
    words = [word for form in forms if get_origin(form) is Literal for word in get_args(form)]
    if text in words or not any(get_origin(form) is tuple for form in forms):
        return text
    return text.split() if key in _SPLIT_AT_BLANKS else text.replace(",", " ").split()


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf's key path and its annotation."""
    for name, info in model.model_fields.items():
        key = f"{prefix}{info.alias or name}"
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _keys(info.annotation, f"{key}.")
        else:
            yield key, info.annotation


def _model_at(location: list[str]) -> type[BaseModel] | None:
    """Return the model of the table at a place; that of a named table where the names are the user's (variants)."""
    model: Any = Config
    for part in location:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            _, model = get_args(model) or (None, None)
            continue
        fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
        model = fields.get(part)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _set(table: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            return  # the validation of the file's own value reports this
        table = inner
    table[last] = value


def _root_causes(items: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out that a list is too short when that is only because its items are wrong."""
    parents = {item["loc"][:-1] for item in items}
    return [item for item in items if item["type"] != "too_short" or item["loc"] not in parents]


def _explain(item: ErrorDetails, origins: Mapping[str, str]) -> str:
    location = [str(part) for part in item["loc"]]
    key = ".".join(location)
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key{_did_you_mean(location)}"
    message = _EXPECTED_TYPES.get(item["type"], item["msg"].removeprefix("Value error, "))
    if item["type"] == "string_pattern_mismatch":
        wanted = next((_EXPECTED[part] for part in reversed(location) if part in _EXPECTED), item["ctx"]["pattern"])
        message = f"{item['input']!r} is not {wanted}"
    elif item["type"] in {"literal_error", "enum"}:
        message = f"{item['input']!r} is not one of {item['ctx']['expected']}"
    origin = origins.get(".".join(location[:-1] if location[-1].isdigit() else location), "")
    from_outside = f" (from {origin})" if origin.startswith(_PREFIX) or origin == "command line" else ""
    return f"{key}: {message[:1].lower()}{message[1:]}{from_outside}"


def _did_you_mean(location: list[str]) -> str:
    """Suggest the known key that is nearest: in the same table first, then anywhere."""
    known = [key for key, _ in _keys(Config)] + [f"{name}" for name in Config.model_fields]
    model = _model_at(location[:-1])
    siblings = [info.alias or name for name, info in model.model_fields.items()] if model else []
    near = difflib.get_close_matches(location[-1], siblings, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{'.'.join([*location[:-1], near[0]])}'?"
    elsewhere = [key for key in known if key.rpartition(".")[2] == location[-1]]
    return f"; did you mean '{elsewhere[0]}'?" if elsewhere else ""

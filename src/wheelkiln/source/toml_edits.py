"""Changes of a pyproject.toml as values, applied by an editor that keeps comments, order and layout."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from wheelkiln.errors import ConfigError

__all__ = ["Append", "Edit", "Remove", "Replace", "Where", "apply_edits", "array_at", "table_at"]

Where = tuple[str | int, ...]
"""The keys to a value; a number is the place in an array."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Set a value; tables on the way to it are made."""

    where: Where
    value: Any


@dataclass(frozen=True, slots=True)
class Append:
    """Add values at the end of an array, which is made where there is none."""

    where: Where
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a value that is there."""

    where: Where


Edit = Replace | Append | Remove


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """Return text with the edits; raise ConfigError should the editor change anything else.

    The same edits are made to the parsed values, and what was written must read as these.
    """
    if not edits:
        return text
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    expected = copy.deepcopy(tomllib.loads(text))
    _apply(expected, edits)
    try:
        document = tomlkit.parse(text)
        _apply(document, edits)
        made = tomlkit.dumps(document)
        same = _filled(tomllib.loads(made)) == _filled(expected)
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, KeyError):
        same, made = False, ""
    if not same:
        raise ConfigError(
            f"pyproject.toml cannot be rewritten without changing more than {_name(edits)}",
            hint="Make the change in a patch file instead.",
        )
    return made


def _apply(document: Any, edits: Iterable[Edit]) -> None:
    for edit in edits:
        last = edit.where[-1]
        table = document
        for key, inner in pairwise(edit.where):
            table = table.setdefault(key, {}) if isinstance(key, str) else table[key]
            if not isinstance(table, list if isinstance(inner, int) else dict):
                raise _wrong(edit.where, f"{key} is no table")
        match edit:
            case Replace(value=value):
                table[last] = copy.deepcopy(value)
            case Append(values=values):
                if last in table and not isinstance(table[last], list):
                    raise _wrong(edit.where, f"{last} is no array")
                if last in table:
                    table[last].extend(copy.deepcopy(values))
                else:
                    table[last] = copy.deepcopy(list(values))
            case Remove():
                del table[last]


def _wrong(where: Where, what: str) -> ConfigError:
    return ConfigError(f"'{'.'.join(map(str, where))}' of pyproject.toml cannot be changed: {what}")


def table_at(document: Any, *keys: str) -> Mapping[str, Any]:
    """Return the table that keys lead to, empty where there is none or something else."""
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}


def array_at(document: Any, *keys: str) -> Sequence[Any]:
    """Return the array that keys lead to, empty where there is none or something else."""
    *parents, last = keys
    found = table_at(document, *parents).get(last)
    return found if isinstance(found, list) else ()


def _filled(value: Any) -> Any:
    """Return value without empty tables: a table goes with the last value that is removed from it."""
    if not isinstance(value, dict):
        return value
    inner = {key: _filled(one) for key, one in value.items()}
    return {key: one for key, one in inner.items() if one != {}}


def _name(edits: Iterable[Edit]) -> str:
    return ", ".join(sorted({".".join(map(str, edit.where)) for edit in edits}))

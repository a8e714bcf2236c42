"""Changes of setup.cfg and setup.py: by an editor that keeps comments, and at the places of a syntax tree."""

from __future__ import annotations

import ast
import configparser
import warnings
from collections.abc import Mapping
from itertools import accumulate

from wheelkiln.errors import ConfigError

__all__ = ["read_setup_cfg", "setup_keywords", "write_setup_cfg", "write_setup_keywords"]

_PATCH = "Make the change in a patch file."


def write_setup_cfg(text: str, values: Mapping[str, Mapping[str, str]]) -> str:
    """Set options of sections (section, option, value; a value of several lines is a list) and keep all else.

    Raise ConfigError should the editor change anything else.
    """
    from configupdater import ConfigUpdater

    expected = read_setup_cfg(text)
    updater = ConfigUpdater()
    try:
        updater.read_string(text)
        for section, options in values.items():
            if section not in updater:
                updater.add_section(section)
            for option, value in options.items():
                _set(updater, section, option, value)
        made = str(updater)
    except configparser.Error as error:
        raise ConfigError(f"setup.cfg cannot be rewritten: {error}", hint=_PATCH) from error
    for section, options in values.items():
        expected.setdefault(section, {}).update({option: _lines(value) for option, value in options.items()})
    if read_setup_cfg(made) != expected:
        names = ", ".join(option for options in values.values() for option in options)
        raise ConfigError(f"setup.cfg cannot be rewritten without changing more than {names}", hint=_PATCH)
    return made


def _set(updater: object, section: str, option: str, value: str) -> None:
    from configupdater import ConfigUpdater

    assert isinstance(updater, ConfigUpdater)
    first = next(iter(updater[section].option_blocks()), None)
    if not updater.has_option(section, option) and first is not None:
        first.add_after.option(option)
    elif first is None:
        updater.set(section, option)
    if "\n" in value:
        updater[section][option].set_values([line for line in value.splitlines() if line.strip()])
    else:
        updater[section][option].value = value


def read_setup_cfg(text: str) -> dict[str, dict[str, str]]:
    """Return the options of each section, without the indent of their lines; raise ConfigError when it is not valid."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigError(f"setup.cfg is not valid: {error}") from error
    return {
        section: {option: _lines(value) for option, value in parser.items(section)} for section in parser.sections()
    }


def _lines(value: str) -> str:
    return "\n".join(line.strip() for line in value.splitlines()).strip("\n")


def setup_keywords(text: str) -> frozenset[str]:
    """Name the arguments of setup.py's call of setup(); ``**`` stands for those that only a run would tell.

    No call, or several, are also known by a run only.
    """
    call = _find_call(text)
    return frozenset(keyword.arg or "**" for keyword in call.keywords) if call else frozenset({"**"} if text else ())


def write_setup_keywords(text: str, values: Mapping[str, str | list[str]]) -> str:
    """Replace the values of arguments that setup_keywords has named, by literals, and nothing else."""
    call = _find_call(text)
    assert call is not None
    raw = text.encode("utf-8", errors="surrogateescape")
    starts = [0, *accumulate(len(line) for line in raw.splitlines(keepends=True))]
    places = []
    for keyword in call.keywords:
        if keyword.arg and keyword.arg in values:
            node = keyword.value
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            begin = starts[node.lineno - 1] + node.col_offset
            places.append((begin, starts[node.end_lineno - 1] + node.end_col_offset, values[keyword.arg]))
    for begin, end, value in sorted(places, reverse=True):
        raw = raw[:begin] + ascii(value).encode() + raw[end:]
    return raw.decode("utf-8", errors="surrogateescape")


def _find_call(text: str) -> ast.Call | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of the script's own escapes
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_setup(node.func)]
    return calls[0] if len(calls) == 1 else None


def _is_setup(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr == "setup"
    return isinstance(function, ast.Name) and function.id == "setup"

"""[tool.wheelkiln] in the text of a pyproject.toml: laid into it without touching anything else."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from wheelkiln.errors import UsageProblem

__all__ = ["has_table", "replace_table"]

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]")
_OURS = re.compile(r"""^["']?tool["']?\s*\.\s*["']?wheelkiln["']?(\s*\.|$)""")
_BY_HAND = "Put the table there by hand ('wheelkiln init --print --pyproject' shows it), or use a wheelkiln.toml."


def has_table(document: str) -> bool:
    """Tell whether a valid TOML document has [tool.wheelkiln], empty or not."""
    return "wheelkiln" in _tool(tomllib.loads(document))


def replace_table(document: str, block: str) -> str:
    """Return document without its [tool.wheelkiln] tables and with block at its end, in its own line ends.

    Everything else stays byte for byte, which is checked by reading the result. Raise UsageProblem where the
    document is written in a way that does not allow it (``tool = { ... }``, dotted keys).
    """
    before = tomllib.loads(document)
    kept = "".join(_other_lines(document.splitlines(keepends=True))) if has_table(document) else document
    newline = "\r\n" if "\r\n" in document else "\n"
    gap = "" if not kept or kept.endswith(newline * 2) else newline if kept.endswith("\n") else newline * 2
    result = kept + gap + block.replace("\n", newline)
    try:
        after = tomllib.loads(result)
    except tomllib.TOMLDecodeError as error:
        raise UsageProblem(f"[tool.wheelkiln] cannot be appended to this file: {error}", hint=_BY_HAND) from error
    if _without_ours(before) != _without_ours(after) or _tool(after)["wheelkiln"] != _only_ours(block):
        raise UsageProblem("this file's [tool.wheelkiln] is written in a way that cannot be replaced", hint=_BY_HAND)
    return result


def _other_lines(lines: list[str]) -> list[str]:
    """Drop our tables; comments that stand right above the next table belong to that one."""
    kept: list[str] = []
    dropped: list[str] = []
    ours = False
    for line in lines:
        header = _HEADER.match(line)
        if header and not _OURS.match(header["name"]) and ours:
            kept += _trailing_comments(dropped)
            ours = False
        elif header and _OURS.match(header["name"]):
            ours = True
        (dropped if ours else kept).append(line)
    return kept


def _trailing_comments(lines: list[str]) -> list[str]:
    start = len(lines)
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return lines[start:]


def _tool(content: dict[str, Any]) -> dict[str, Any]:
    tool = content.get("tool", {})
    return tool if isinstance(tool, dict) else {}


def _without_ours(content: dict[str, Any]) -> dict[str, Any]:
    tool = {name: value for name, value in _tool(content).items() if name != "wheelkiln"}
    return {**content, "tool": tool}


def _only_ours(block: str) -> Any:
    return _tool(tomllib.loads(block))["wheelkiln"]

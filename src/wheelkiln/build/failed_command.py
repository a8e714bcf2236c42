"""The command that failed, from what cibuildwheel printed of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

__all__ = ["find_failed_command"]

_FAILED = re.compile(r"Command (?P<argv>\[.*\]) failed with code \d+\.")
_PATH = re.compile(r"PurePosixPath\((?P<text>'[^']*'|\"[^\"]*\")\)")


def find_failed_command(lines: Sequence[str]) -> tuple[str, ...]:
    """Read the list that cibuildwheel prints when a command fails (platforms/linux.py: build); empty without one."""
    for line in reversed(lines):
        found = _FAILED.search(line)
        if found:
            try:
                argv = ast.literal_eval(_PATH.sub(r"\g<text>", found["argv"]))
            except (ValueError, SyntaxError):
                continue
            return tuple(map(str, argv))
    return ()

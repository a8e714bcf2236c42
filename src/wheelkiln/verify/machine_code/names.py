"""Mangled names to their identifiers: as much of demangling as patterns and readers need."""

from __future__ import annotations

import re

__all__ = ["identifiers_of"]

_TOKEN = re.compile(
    r"(?<=C)s[0-9A-Za-z]*_|S[0-9A-Z]*_|T\d*_|L[a-z]n?\d+E|D[Fv]\d+[_b]|(?P<length>[1-9]\d{0,3})|.", re.DOTALL
)
"""Numbers of substitutions, template parameters, literals and types (Itanium C++ ABI, 5.1), and lengths."""
_HASH = re.compile(r"h[0-9a-f]{16}")


def identifiers_of(name: str) -> str:
    """Return the identifiers of a C++ or Rust name, joined by ``::``; other names as they are.

    Each identifier is written with its length before it (Itanium C++ ABI, 5.1). Their order is that of the name:
    namespaces, classes, the function, then the types of its templates and parameters.
    """
    if not name.startswith(("_Z", "_R")):
        return name
    found, at = [], 2
    while match := _TOKEN.match(name, at):
        at = match.end()
        if match["length"]:
            text = name[at : at + int(match["length"])]
            at += len(text)
            if not _HASH.fullmatch(text):
                found.append(text)
    return "::".join(found) or name

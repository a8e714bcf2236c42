"""What machine code needs, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from wheelkiln.build.stages import plain_text
from wheelkiln.report.tables import NARROW
from wheelkiln.report.text import format_size
from wheelkiln.verify.machine_code.levels import requirement
from wheelkiln.verify.machine_code.model import FileCode, FunctionCode, isa_text
from wheelkiln.verify.machine_code.names import identifiers_of

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["file_table", "function_table", "machine_code_as_json", "machine_code_summary"]

_FORMAT = 1
_WIDE = 150
"""From this many columns on a file has all of its features beside it."""
_FOREIGN = "-"
_NAMED = 3


def file_table(files: Sequence[FileCode], width: int) -> Table:
    """One row for each file: the lowest level, and how many functions need more than every CPU has."""
    table = _table(("file", "needs", *(("functions", "code") if width >= NARROW else ())))
    if width >= _WIDE:
        table.add_column("features", overflow="fold")
    for file in files:
        cells = [plain_text(file.name)]
        if file.arch:
            cells.append(isa_text(file.needs).replace("+", " +"))
            counts = [f"{len(file.functions)} of {file.total_functions}", format_size(file.code)]
            features = [" ".join(sorted(file.features))]
        else:
            cells.append(plain_text(file.problem))
            counts, features = [_FOREIGN, _FOREIGN], [_FOREIGN]
        cells += counts if width >= NARROW else []
        cells += features if width >= _WIDE else []
        table.add_row(*cells, style=None if file.arch else "bright_black" if file.is_foreign else "red")
    return table


def function_table(files: Sequence[FileCode], width: int) -> Table:
    """One row for each function that needs more than every CPU has."""
    wide = width >= NARROW
    table = _table((*(("file",) if wide else ()), "address", "function", "features"))
    for file in files:
        for function in file.functions:
            names = " ".join(sorted(function.names))
            title = plain_text(identifiers_of(function.name)) or "-"
            where = [plain_text(file.name.rpartition("/")[2])] if wide else []
            table.add_row(*where, f"0x{function.address:x}", title, names)
    return table


def machine_code_summary(files: Sequence[FileCode]) -> Iterator[str]:
    """Yield what all files of an architecture need together, and what a reader has to know of it."""
    for arch in sorted({file.arch for file in files if file.arch}):
        mine = [file for file in files if file.arch == arch]
        features = frozenset(name for file in mine for name in file.features)
        yield f"{arch}: all of it needs {isa_text(requirement(arch, features))}"
        asking = [file for file in mine if file.asks_cpu and file.functions]
        if asking:
            which = "1 file asks" if len(asking) == 1 else f"{len(asking)} files ask"
            yield f"{which} what it runs on, and may need less: {_names(asking)}"
    undecodable = [file for file in files if file.undecodable]
    if undecodable:
        yield f"reached, but no known instruction: {_names(undecodable)}"


def machine_code_as_json(files: Sequence[FileCode]) -> dict[str, Any]:
    """Return everything that is known, with addresses as numbers."""
    return {"format": _FORMAT, "files": [_file(file) for file in files]}


def _file(file: FileCode) -> dict[str, Any]:
    if not file.arch:
        return {"name": file.name, "problem": file.problem}
    return {
        "name": file.name,
        "architecture": file.arch,
        "level": file.needs.level,
        "beyond": list(file.needs.features),
        "features": sorted(file.features),
        "asks_cpu": file.asks_cpu,
        "noted_level": file.noted_level,
        "code_bytes": file.code,
        "covered_bytes": file.covered,
        "total_functions": file.total_functions,
        "undecodable": list(file.undecodable),
        "functions": [_function(function) for function in file.functions],
    }


def _function(function: FunctionCode) -> dict[str, Any]:
    return {
        "name": function.name,
        "identifiers": identifiers_of(function.name),
        "address": function.address,
        "size": function.size,
        "features": dict(function.features),
    }


def _names(files: Sequence[FileCode]) -> str:
    shown = [plain_text(file.name.rpartition("/")[2]) for file in files[:_NAMED]]
    return ", ".join(shown) + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")


def _table(columns: Sequence[str]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        right = name in ("functions", "code", "address")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name == "address")
    return table

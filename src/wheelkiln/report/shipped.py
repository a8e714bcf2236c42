"""What a wheel ships and was made with, as a table and as lines; all names in it are of the wheel's maker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelkiln.build.sbom import Making
from wheelkiln.build.stages import plain_text
from wheelkiln.report.tables import NARROW
from wheelkiln.verify.grafted import GraftedLibrary, Shipped

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["shipped_lines", "shipped_table"]


def shipped_table(shipped: Shipped, width: int) -> Table:
    """One row for each grafted library: its name before, the package that it came from, and its file."""
    from rich.table import Table

    table = Table(box=None, pad_edge=True, header_style="bold")
    for title in ("grafted library", "from", *(("file", "sha256") if width >= NARROW else ())):
        table.add_column(title, overflow="fold")
    for library in shipped.libraries:
        wide = (library.member, library.sha256[:16]) if width >= NARROW else ()
        table.add_row(*map(plain_text, (library.name, _origin(library), *wide)))
    return table


def shipped_lines(shipped: Shipped, making: Making | None) -> Iterator[str]:
    """Say the rest: packages without a file, other SBOMs, what it was built with."""
    if not shipped.libraries:
        yield "no grafted library"
    for package in shipped.packages:
        yield f"also from {package.name} {package.version}"
    for sbom in shipped.sboms:
        yield f"SBOM: {sbom.member}"
    if making is None:
        yield "it has no record of what it was built with"
    elif making.requirements:
        yield f"built with {', '.join(pin.requirement for pin in making.requirements)}"


def _origin(library: GraftedLibrary) -> str:
    return f"{library.package.name} {library.package.version}" if library.package else "not known"

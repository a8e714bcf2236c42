"""``wheelkiln sbom``: what wheels ship besides their own code, and what they were made with."""

from __future__ import annotations

from pathlib import Path

import click

from wheelkiln.errors import NothingSelectedError, UsageProblem

__all__ = ["command"]


@click.command("sbom", short_help="Show what is grafted into wheels, or write their CycloneDX documents.")
@click.argument("places", nargs=-1, required=True, metavar="WHEEL|DIR...", type=click.Path(path_type=Path))
@click.option(
    "--format", "output", type=click.Choice(["table", "cyclonedx"]), default="table", show_default=True, help="Format."
)
@click.option(
    "--output-dir", "-o", metavar="DIR", type=click.Path(path_type=Path), help="Write NAME.whl.cdx.json there."
)
def command(places: tuple[Path, ...], output: str, output_dir: Path | None) -> None:
    """Show the shared libraries that any wheel ships, the packages that they came from, and what it was built with.

    --format cyclonedx prints one wheel's document, with the wheel's own SHA-256. --output-dir writes those of all.
    """
    wheels = _find(places)
    if output_dir is not None:
        _write(wheels, output_dir)
    elif output == "cyclonedx":
        if len(wheels) > 1:
            raise UsageProblem(f"{len(wheels)} wheels have a document each", hint="Give --output-dir.")
        click.echo(_document(wheels[0]), nl=False)
    else:
        _print(wheels)


def _find(places: tuple[Path, ...]) -> list[Path]:
    wheels = []
    for place in places:
        found = sorted(place.glob("*.whl")) if place.is_dir() else [place]
        if not found:
            raise NothingSelectedError(f"there is no wheel in {place}")
        if not all(path.is_file() for path in found):
            raise UsageProblem(f"there is no wheel {place}")
        wheels += found
    return wheels


def _document(path: Path) -> str:
    from wheelkiln.build.sbom import make_sbom
    from wheelkiln.build.wheel_contents import read_wheel

    wheel = read_wheel(path)
    return make_sbom(wheel.identity, wheel.shipped, wheel.making)


def _write(wheels: list[Path], directory: Path) -> None:
    from wheelkiln.system.files import make_directory, naming_storage_errors, write_text_atomically

    texts = {f"{path.name}.cdx.json": _document(path) for path in wheels}
    make_directory(directory, setting="--output-dir")
    with naming_storage_errors(directory, setting="--output-dir"):
        for name, text in texts.items():
            write_text_atomically(directory / name, text)
    click.echo(f"{len(texts)} in {directory}:")
    for name in texts:
        click.echo(f"  {name}")


def _print(wheels: list[Path]) -> None:
    from wheelkiln.build.wheel_contents import read_wheel
    from wheelkiln.cli.console import make_console, plain_lines
    from wheelkiln.report.shipped import shipped_lines, shipped_table

    console = make_console(stderr=False)
    for path in wheels:
        wheel = read_wheel(path)
        click.echo(plain_lines(path.name))
        if wheel.shipped.libraries:
            console.print(shipped_table(wheel.shipped, console.width))
        for line in shipped_lines(wheel.shipped, wheel.making):
            click.echo(plain_lines(f"  {line}"))

"""``wheelkiln reproduce``: build a wheel again from its own record, and compare."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wheelkiln.cli.console import make_console
from wheelkiln.cli.engine import choose_engine
from wheelkiln.errors import UsageProblem, VerificationError
from wheelkiln.system.engine import CONTAINER_ENGINES
from wheelkiln.verify.record import Record, parse_record, read_record

if TYPE_CHECKING:
    from wheelkiln.config.model import Config
    from wheelkiln.plan.model import ImageSpec
    from wheelkiln.reproduce.rebuild import Reproduction
    from wheelkiln.system.host import HostFacts
    from wheelkiln.system.process import ProcessRunner

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


@click.command("reproduce", short_help="Build a wheel again from its own record, and compare.")
@click.argument("wheel", type=_PATH)
@click.option("--record", "record_file", type=_PATH, help="Record or manifest to use; default: the wheel's own.")
@click.option("--source", type=_PATH, help="Directory or sdist, where the record cannot say where it is.")
@click.option("--frontend", type=click.Choice(["pip", "recorded"]), default="pip", show_default=True, help="Frontend.")
@click.option("--image", default="", metavar="REFERENCE", help="Image to build in instead of the recorded one.")
@click.option("--pass", "passed", multiple=True, metavar="NAME", help="Let the build read this variable; repeatable.")
@click.option("--use-cache", is_flag=True, help="Use the compile cache instead of an empty one.")
@click.option("--output-dir", "-o", type=_PATH, metavar="DIR", help="Keep the new wheel there.")
@click.option("--engine", type=click.Choice([name.value for name in CONTAINER_ENGINES]), help="Default: what answers.")
@click.option("--cache-dir", metavar="DIR", help="Directory of all caches.")
@click.option("--recipe", is_flag=True, help="Print a shell script that does it without wheelkiln, and end.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.option("--verbose", "-v", is_flag=True, help="Show every command that is run.")
def command(wheel: Path, record_file: Path | None, recipe: bool, output: str, **values: Any) -> None:
    """Build WHEEL again: from the same source, in the same image, with the same build requirements.

    Everything comes from the record that the wheel carries. The new wheel is compared with WHEEL byte by byte; a
    difference ends with exit code 8 and names the members that differ. The build has no part in ledger, wheel store
    and compile cache.
    """
    if not wheel.is_file():
        raise UsageProblem(f"there is no {wheel}", hint="Name a wheel file.")
    record = _find_record(wheel, record_file)
    if recipe:
        from wheelkiln.reproduce.recipe import render_script

        click.echo(render_script(record, wheel.name), nl=False)
        return
    result = _reproduce(wheel, record, **values)
    _print(result, output)
    if not result.identical:
        raise VerificationError(
            f"{wheel.name} is not what its record makes",
            hint="What differs is above; --output-dir keeps the new wheel for a closer look.",
        )


def _find_record(wheel: Path, file: Path | None) -> Record:
    if file is not None:
        if not file.is_file():
            raise UsageProblem(f"there is no {file}")
        return _read_file(wheel, file)
    found = read_record(wheel)
    if found is None:
        raise UsageProblem(
            f"{wheel.name} carries no record: wheelkiln did not build it, or 'record = false' was set",
            hint="Nothing in it tells what it was built from. 'wheelkiln build NAME==VERSION' builds one of the same "
            "release, which can be compared; --record takes a record from elsewhere.",
        )
    return found


def _read_file(wheel: Path, file: Path) -> Record:
    """Read a record, or that of the wheel in a manifest."""
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        table = json.loads(text)
        jobs = table.get("jobs") if isinstance(table, dict) else None
    except (ValueError, RecursionError):
        jobs = None
    if not isinstance(jobs, list):
        return parse_record(text, where=file.name)
    for job in jobs:
        if isinstance(job, dict) and job.get("record") and (job.get("wheel") or {}).get("name") == wheel.name:
            return parse_record(json.dumps(job["record"]), where=f"{wheel.name} in {file.name}")
    raise UsageProblem(f"{file} has no record of {wheel.name}")


def _reproduce(
    wheel: Path,
    record: Record,
    *,
    source: Path | None,
    frontend: str,
    image: str,
    passed: tuple[str, ...],
    use_cache: bool,
    output_dir: Path | None,
    engine: str | None,
    cache_dir: str | None,
    verbose: bool,
) -> Reproduction:
    from wheelkiln.cache.presence import source_directory
    from wheelkiln.cache.settings import cache_root
    from wheelkiln.cli.console import log_command
    from wheelkiln.cli.progress import make_progress
    from wheelkiln.config.load import parse_config
    from wheelkiln.image.bake import BuildOptions
    from wheelkiln.image.provide import ImageProvider
    from wheelkiln.reproduce.image_specs import spec_of
    from wheelkiln.reproduce.images import find_image
    from wheelkiln.reproduce.rebuild import Workshop, make_rebuild_request, rebuild_and_compare, variables_of
    from wheelkiln.reproduce.sources import fetch_source
    from wheelkiln.system.cibuildwheel import read_cibuildwheel
    from wheelkiln.system.host import read_host
    from wheelkiln.system.interpreters import find_interpreters
    from wheelkiln.system.process import ProcessRunner

    runner = ProcessRunner(log_command if verbose else None)
    host = _with_allowed(read_host(), record, passed)
    variables_of(record, host.environ)  # what is missing is said before anything is fetched
    config = parse_config({}, environ=host.environ, flags={"cache.dir": cache_dir} if cache_dir else {}).config
    root, found = cache_root(config, host), choose_engine(runner, engine)
    read_pip = cache(lambda: _pip(runner, host, config))
    with source_directory(root) as scratch:
        prepared = fetch_source(record, source, host=host, runner=runner, work_dir=scratch, cache_dir=root, say=_say)
        with make_progress((), host.environ) as progress:
            provider = ImageProvider(
                engine=found,
                host=host,
                cache_dir=root,
                pip=read_pip,
                say=_say,
                log=progress.on_log,
                options=BuildOptions(repository=config.image.repository),
            )
            arch = record.identifier.partition("linux_")[2]
            facts = read_cibuildwheel()

            def make_spec() -> ImageSpec:
                return spec_of(record.image, find_interpreters(host.home, host.environ), config, facts)

            place = find_image(record, arch, provider, make_spec, image)
            workshop = Workshop(host, found, config, root, facts.version, read_pip)
            request, job = make_rebuild_request(record, wheel, prepared, place, workshop, frontend=frontend)
            return rebuild_and_compare(
                wheel,
                request,
                job,
                progress.on_event,
                differences=(*place.differences, *_other_tools(record, workshop.cibuildwheel_version)),
                use_cache=use_cache,
                output_dir=output_dir,
            )


def _with_allowed(host: HostFacts, record: Record, passed: tuple[str, ...]) -> HostFacts:
    """Hide variables that the record asks for and the user has not allowed: a record may be anybody's."""
    hidden = {*record.build.passed, *_names_let_through(record)} - set(passed)
    return replace(host, environ={name: value for name, value in host.environ.items() if name not in hidden})


def _names_let_through(record: Record) -> set[str]:
    from wheelkiln.build.request import names_let_through

    return names_let_through(record.build.configuration, record.build.variables)


def _pip(runner: ProcessRunner, host: HostFacts, config: Config) -> Any:
    from wheelkiln.cache.settings import cache_root
    from wheelkiln.system.pip_settings import remembered_pip_settings

    return remembered_pip_settings(runner, host.environ, cache_root(config, host))


def _other_tools(record: Record, cibuildwheel: str) -> tuple[str, ...]:
    was = record.tools.get("cibuildwheel", "")
    return (f"tool cibuildwheel: {was} -> {cibuildwheel}",) if was != cibuildwheel else ()


def _print(result: Reproduction, output: str) -> None:
    from wheelkiln.report.differences import comparison_json, explanation_lines

    found = result.comparison
    if output == "json":
        told = {
            "identical": result.identical,
            "frontend": result.frontend,
            "seconds": result.seconds,
            "differences": result.differences,
            "rebuilt": str(result.rebuilt) if result.rebuilt else None,
        }
        click.echo(json.dumps({**told, "comparison": comparison_json(found)}, indent=2))
        return
    given, rebuilt = found.sha256
    click.echo(f"{found.one}: {'identical' if result.identical else 'different'}")
    click.echo(f"  given    {given}")
    click.echo(f"  rebuilt  {rebuilt}  by {result.frontend}, in {result.seconds:.0f} s")
    for line in result.differences:
        click.echo(f"  other    {line}")
    if not result.identical:
        for line in explanation_lines(found, make_console(stderr=False).width):
            click.echo(line)
    if result.rebuilt:
        click.echo(f"  kept     {result.rebuilt}")


def _say(text: str) -> None:
    click.echo(text, err=True)

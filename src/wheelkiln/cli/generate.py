"""``wheelkiln generate``: write what ``build`` would use, or check that what is written is still that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from wheelkiln.build.cibuildwheel_config import render_cibuildwheel_config, write_toml
from wheelkiln.build.request import container_user, make_invocation
from wheelkiln.cache.settings import make_cache_directories
from wheelkiln.cli.console import print_difference, print_notices
from wheelkiln.cli.editions import Edition, gather_editions
from wheelkiln.cli.options import (
    ProjectOptions,
    make_request,
    project_options,
)
from wheelkiln.errors import DriftError, NothingSelectedError, UsageProblem
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.model import ImageSpec, Plan
from wheelkiln.system.engine import CONTAINER_ENGINES, EngineName, find_engine
from wheelkiln.system.files import make_directory, write_text_atomically

__all__ = ["command"]


@click.group("generate", short_help="Write what 'build' would use: the cibuildwheel configuration, the image.")
def command() -> None:
    """Write what 'build' would use, to read it, to keep it, or to use it without wheelkiln."""


@command.command("cibuildwheel")
@project_options
@click.option(
    "--engine", type=click.Choice([name.value for name in CONTAINER_ENGINES]), help="Default: the one that answers."
)
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="File to write; default: stdout.")
@click.option("--check", is_flag=True, help="Write nothing; exit 5 with the difference when the file is out of date.")
def cibuildwheel(engine: str | None, output: Path | None, check: bool, **values: Any) -> None:
    """Write the cibuildwheel configuration of all jobs that share one image.

    Use it with 'python -m cibuildwheel --config-file FILE'. The image must exist: 'build' makes it.
    """
    options = ProjectOptions(**values)
    with gather_editions(options, prepare=True) as editions:
        chosen = _only_variant(editions)
        located, inputs, plan = chosen.located, chosen.inputs, chosen.plan
        print_notices(plan.notices)
        name = _one_image(plan)
        found = find_engine(located.runner, EngineName(engine) if engine else None)
        request = make_request(located, inputs, plan, found)
        jobs = tuple(job for job in plan.jobs if job.image == name)
        statistics_dir = request.cache_root / "statistics"
        invocation = make_invocation(request, jobs, statistics_dir, run_id="generated")
        make_cache_directories(invocation.mounts, container_user(request).owner)
        table = render_cibuildwheel_config(
            invocation, request.config, located.facts, request.settings, tests=inputs.tests
        )
    _deliver({"": write_toml(table)}, output, check=check)


@command.command("image")
@project_options
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, file_okay=False), required=True, help="Directory to write to."
)
@click.option("--check", is_flag=True, help="Write nothing; exit 5 with the difference when a file is out of date.")
def image(output: Path, check: bool, **values: Any) -> None:
    """Write the image's build context, for 'docker buildx bake', 'docker buildx build DIR' or podman.

    podman is told the platform: 'podman build --platform linux/amd64 DIR'.
    It works without wheelkiln, but for a bootstrap base: that is a local image, which 'image build' makes.
    """
    options = ProjectOptions(**values)
    with gather_editions(options, prepare=False) as editions:
        plan = _only_variant(editions).plan
        print_notices(plan.notices)
        recipe = render_recipe(_one_spec(plan))
    _deliver(recipe.files, output, check=check)
    click.echo(f"tag: {recipe.name}:{recipe.tag}", err=True)


def _only_variant(editions: Sequence[Edition]) -> Edition:
    if len(editions) > 1:
        names = ", ".join(edition.plan.variant for edition in editions)
        raise UsageProblem(f"the project has several variants ({names})", hint="Choose one with --variant.")
    return editions[0]


def _one_image(plan: Plan) -> str:
    """Return the name of the only image of all jobs: cibuildwheel's configuration holds one."""
    names = plan.image_names()
    if len(names) > 1:
        raise UsageProblem(
            f"the plan needs several images ({', '.join(names)})",
            hint="Choose one with --arch, or its C library with --only '*-manylinux_*'.",
        )
    _one_spec(plan)
    return names[0]


def _one_spec(plan: Plan) -> ImageSpec:
    if not plan.images:
        raise NothingSelectedError("nothing is left to build", hint="'wheelkiln plan' explains the selection.")
    if len(plan.images) > 1:
        names = ", ".join(spec.name for spec in plan.images)
        raise UsageProblem(
            f"the plan needs several images ({names})", hint="Choose one C library with --only '*-manylinux_*'."
        )
    return plan.images[0]


def _deliver(files: Any, output: Path | None, *, check: bool) -> None:
    """Write texts by relative path below output (the empty path is output itself), print them, or compare them."""
    if output is None:
        if check:
            raise UsageProblem("--check needs --output, the file to compare with")
        for text in files.values():
            click.echo(text, nl=False)
        return
    if check:
        _compare(files, output)
        return
    for name, text in files.items():
        path = output / name if name else output
        make_directory(path.parent, setting="--output")
        write_text_atomically(path, text)
        click.echo(f"wrote {path}", err=True)


def _compare(files: Any, output: Path) -> None:
    differing = False
    for name, text in files.items():
        path = output / name if name else output
        differing |= print_difference(path, text, made="generated")
    if differing:
        raise DriftError(f"{output} is out of date", hint="Run the same command without --check.")

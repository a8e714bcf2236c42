"""``wheelkiln simulate``: hidden; invented jobs by the real schedule in the real view."""

from __future__ import annotations

import click

from wheelkiln.build.simulation import Scenario, invent_jobs, simulate
from wheelkiln.cli.progress import make_progress
from wheelkiln.system.host import read_host

__all__ = ["command"]


@click.command("simulate", short_help="Run invented jobs, to look at the view.", hidden=True)
@click.option("--jobs", default=200, show_default=True, metavar="N", help="Jobs.")
@click.option("--cores", default=8, show_default=True, metavar="N", help="Cores of the budget.")
@click.option("--seconds", default=2.0, show_default=True, metavar="S", help="What a job takes in the mean.")
def command(jobs: int, cores: int, seconds: float) -> None:
    """Run invented jobs by the real schedule, shown as a build is."""
    scenario = Scenario(jobs, cores, seconds)
    invented = invent_jobs(scenario)
    with make_progress(invented, read_host().environ) as progress:
        ended = simulate(scenario, invented, progress.on_event)
    click.echo(f"{sum(outcome.good for outcome in ended.values())} of {len(ended)} invented jobs are good", err=True)

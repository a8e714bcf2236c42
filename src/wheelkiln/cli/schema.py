"""``wheelkiln schema``: the JSON schemas of what is read and written."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["command", "make_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


@click.command("schema", short_help="Print the JSON schema of what is read and written.")
@click.argument("what", type=click.Choice(["config", "plan", "manifest", "record"]), default="config")
def command(what: str) -> None:
    """Print the JSON schema of the configuration (default), of 'plan --format json', or of a manifest or record."""
    click.echo(json.dumps(make_schema(what), indent=2))


def make_schema(what: str) -> dict[str, Any]:
    """Return one of the schemas."""
    if what == "config":
        from wheelkiln.config.model import Config

        schema = Config.model_json_schema(by_alias=True)
    elif what == "plan":
        from pydantic import TypeAdapter

        from wheelkiln.plan.matrix import PlanDocument

        schema = TypeAdapter(PlanDocument).json_schema()
    elif what == "record":
        from wheelkiln.verify.record import record_schema

        schema = record_schema()
    else:
        from wheelkiln.report.manifest import manifest_schema

        schema = manifest_schema()
    return {"$schema": _DRAFT, **schema}

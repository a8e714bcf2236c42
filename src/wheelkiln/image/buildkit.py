"""Building with BuildKit: two solves of one bake file, the second of which finds everything in the builder's cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wheelkiln.config.model import BuilderConfig, HostConfig
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.bake import (
    REPORT_TARGET,
    BakeInputs,
    make_final_bake,
    make_report_bake,
    missing_architectures,
    pushed_name,
)
from wheelkiln.image.builders import Builder, choose_builder, named_builder
from wheelkiln.image.explain import image_problem
from wheelkiln.image.recipe import base_reference
from wheelkiln.image.registry import Registry
from wheelkiln.image.reports import read_reports
from wheelkiln.system.emulation import advise_emulator
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.host import HostFacts
from wheelkiln.system.image_store import ImageStore
from wheelkiln.system.process import stream_and_keep

__all__ = ["build_with_buildkit"]


def build_with_buildkit(
    engine: ContainerEngine,
    host: HostFacts,
    config: BuilderConfig,
    hosts: Mapping[str, HostConfig],
    inputs: BakeInputs,
    scratch: Path,
    log: Callable[[str], None],
) -> None:
    """Build the context in scratch for all architectures at once; raise EnvironmentProblem with BuildKit's reason."""
    if not engine.can_build:
        raise EnvironmentProblem(
            "docker has no buildx, which image builds need", hint="Install the docker-buildx plugin."
        )
    builder = (
        named_builder(engine, inputs.options.builder)
        if inputs.options.builder
        else choose_builder(engine, config, hosts, machine=host.machine, architectures=inputs.architectures)
    )
    _check_platforms(builder, inputs.architectures)
    if inputs.spec.bootstrap is not None and not builder.sees_local_images:
        inputs = replace(inputs, contexts=_save_bases(engine, inputs, scratch))
    reports = scratch / "reports"
    run = _Bake(engine, host, builder, scratch, inputs.build_args, log)
    run.bake("report.json", make_report_bake(inputs, reports), [REPORT_TARGET], inputs)
    final = make_final_bake(inputs, read_reports(reports, inputs.architectures))
    if not final["target"]:  # neither loaded nor pushed nor kept in a cache: it was a trial
        return
    try:
        run.bake("final.json", final, list(final["target"]), inputs)
    finally:
        if inputs.options.push and builder.sees_local_images:  # what is pushed is also named here, even when it fails
            ImageStore(engine).remove(pushed_name(inputs))
    others = missing_architectures(inputs)
    if inputs.options.push and others:
        Registry(engine).join(inputs.recipe.pushed_reference(inputs.options.repository), inputs.architectures, others)


class _Bake:
    """One builder and one context."""

    def __init__(
        self,
        engine: ContainerEngine,
        host: HostFacts,
        builder: Builder,
        scratch: Path,
        build_args: Sequence[str],
        log: Callable[[str], None],
    ) -> None:
        self._engine, self._host, self._builder = engine, host, builder
        self._scratch, self._build_args, self._log = scratch, build_args, log

    def bake(self, name: str, table: Mapping[str, Any], targets: Sequence[str], inputs: BakeInputs) -> None:
        """Lay a bake file over the context's and build the targets."""
        path = self._scratch / name
        path.touch(mode=0o600)  # a cache's address can hold credentials
        path.write_text(json.dumps(table, indent=2), encoding="utf-8")
        argv = ["docker", "buildx", "bake", f"--builder={self._builder.name}", "--progress=plain"]
        argv += ["--file=docker-bake.json", f"--file={path}"]
        # Without a value, bake takes it from the environment: no file and no process list has a proxy's password.
        argv += [f"--set=*.args.{name}" for name in self._build_args]
        # The files that our own bake file names lie outside of the context (docs.docker.com: bake entitlements).
        environ = {**self._host.environ, "BUILDX_BAKE_ENTITLEMENTS_FS": "0"}
        status, lines = stream_and_keep(
            self._engine.runner,
            [*argv, *targets],
            cwd=self._scratch / "context",
            env=environ,
            on_line=self._log,
        )
        if status != 0:
            what = "pushed" if any("pushing" in line for line in lines[-40:]) and inputs.options.push else "built"
            raise image_problem(f"the image {inputs.recipe.name}:{inputs.recipe.tag} could not be {what}:", lines)


def _check_platforms(builder: Builder, architectures: Sequence[str]) -> None:
    for arch in architectures:
        if not builder.builds_for(arch) and builder.platforms:
            raise EnvironmentProblem(
                f"the builder {builder.name} has no node that builds for {arch}: it builds for "
                f"{', '.join(sorted(builder.platforms))}",
                hint=advise_emulator(arch),
            )


def _save_bases(engine: ContainerEngine, inputs: BakeInputs, scratch: Path) -> dict[str, str]:
    """Give a builder that cannot see local images the bases as OCI layouts (docker buildx build --build-context)."""
    contexts = {}
    for arch in inputs.architectures:
        reference = base_reference(inputs.spec, inputs.spec.base_for(arch))
        directory = scratch / f"base-{arch}"
        digest = ImageStore(engine).save(reference, directory)
        contexts[reference] = f"oci-layout://{directory}@{digest}"
    return contexts

"""Building with podman: the same recipe, one architecture after the other, the second pass from its layer cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.image.bake import BakeInputs, digest_args, missing_architectures, render_labels
from wheelkiln.image.explain import explain_failure
from wheelkiln.image.recipe import TARGET
from wheelkiln.image.registry import Registry
from wheelkiln.image.reports import make_report
from wheelkiln.plan.model import Base
from wheelkiln.system.engine import ContainerEngine

__all__ = ["build_with_podman"]

_REPORTS = ("/opt/wheelkiln/toolchain.txt", "/opt/wheelkiln/versions.txt")


def build_with_podman(engine: ContainerEngine, inputs: BakeInputs, scratch: Path, log: Callable[[str], None]) -> None:
    """Build the context in scratch for each architecture; raise EnvironmentProblem with buildah's reason."""
    options = inputs.options
    if options.builder:
        raise UsageProblem("--builder names a buildx builder, and podman has none", hint="Use --engine docker.")
    caches = [*_registry_caches("--cache-from", options.cache_from), *_registry_caches("--cache-to", options.cache_to)]
    for base in (inputs.spec.base_for(arch) for arch in inputs.architectures):
        identity = scratch / f"image-{base.arch}.txt"
        first = ["--no-cache"] if options.no_cache else []
        first += ["--pull"] if options.pull_base and inputs.spec.bootstrap is None else []
        _build(engine, inputs, base, [*first, *caches, f"--iidfile={identity}"], scratch, log)
        image = identity.read_text(encoding="utf-8").strip()
        report = _read_report(engine, image)
        # buildah's cache knows a LABEL by its text, whatever the arguments in it stand for, so these are no arguments.
        told = {f"io.wheelkiln.{key}": value for key, value in report.items()}
        labels = [f"--label={key}={value}" for key, value in (render_labels(inputs.provenance) | told).items()]
        name = inputs.recipe.references[inputs.spec.name_for(base.arch)]
        _build(engine, inputs, base, [*labels, f"--tag={name}"], scratch, log)
    if options.push:
        names = {arch: inputs.recipe.references[inputs.spec.name_for(arch)] for arch in inputs.architectures}
        reference = inputs.recipe.pushed_reference(options.repository)
        Registry(engine).push(reference, names, missing_architectures(inputs))


def _build(
    engine: ContainerEngine,
    inputs: BakeInputs,
    base: Base,
    more: Sequence[str],
    scratch: Path,
    log: Callable[[str], None],
) -> None:
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        log(line)

    argv = ["podman", "build", f"--platform={base.platform}", f"--target={TARGET}", "--layers", "--format=docker"]
    argv += [f"--secret=id={name},src={path}" for name, path in sorted(inputs.secrets.items())]
    argv += [f"--build-arg={name}" for name in inputs.build_args]
    digests = digest_args(base, inputs.base_digests.get(base.arch, ""))
    argv += [f"--build-arg={name}={value}" for name, value in digests.items()]
    status = engine.runner.stream([*argv, *more, str(scratch / "context")], on_line=note)
    if status != 0:
        reasons, hint = explain_failure(lines)
        title = f"the image {inputs.recipe.name}:{inputs.recipe.tag} could not be built for {base.arch}:"
        raise EnvironmentProblem("\n".join([title, *(f"  | {line}" for line in reasons)]), hint=hint)


def _read_report(engine: ContainerEngine, image: str) -> Mapping[str, str]:
    texts = []
    for path in _REPORTS:
        done = engine.run("run", "--rm", "--network=none", image, "cat", path)
        if not done.ok:
            raise EnvironmentProblem(
                f"podman cannot run the image that it built: {done.last_line}",
                hint="Does it run any container? docs/how-to has what podman needs on a machine without systemd.",
            )
        texts.append(done.stdout)
    return make_report(*texts)


def _registry_caches(option: str, caches: Sequence[str]) -> list[str]:
    """Buildah keeps its cache in a repository, named without BuildKit's fields (podman-build(1))."""
    found = []
    for cache in caches:
        fields = dict(field.partition("=")[::2] for field in cache.split(",")) if "=" in cache else {"ref": cache}
        if fields.get("type", "registry") != "registry" or not fields.get("ref"):
            raise UsageProblem(
                f"{option} {cache}: podman can only keep a build cache in a registry",
                hint="Use type=registry,ref=REPOSITORY, or --engine docker.",
            )
        found.append(f"{option}={re.sub(r':[^/:]+$', '', fields['ref'])}")
    return found

"""Building with podman: the same recipe, all architectures at once, and then each by name from the layer cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem, UsageProblem
from wheelkiln.image.bake import BakeInputs, digest_args, missing_architectures, render_labels
from wheelkiln.image.explain import image_problem
from wheelkiln.image.recipe import LOCAL_REPOSITORY, TARGET
from wheelkiln.image.registry import Registry
from wheelkiln.image.reports import make_report
from wheelkiln.plan.model import Base
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.process import stream_and_keep

__all__ = ["build_with_podman"]

_REPORTS = ("/opt/wheelkiln/toolchain.txt", "/opt/wheelkiln/versions.txt")


def build_with_podman(engine: ContainerEngine, inputs: BakeInputs, scratch: Path, log: Callable[[str], None]) -> None:
    """Build the context in scratch for each architecture; raise EnvironmentProblem with buildah's reason."""
    options = inputs.options
    if options.builder:
        raise UsageProblem("--builder names a buildx builder, and podman has none", hint="Use --engine docker.")
    caches = [*_registry_caches("--cache-from", options.cache_from), *_registry_caches("--cache-to", options.cache_to)]
    first = ["--no-cache"] if options.no_cache else []
    first += ["--pull"] if options.pull_base and inputs.spec.bootstrap is None else []
    if len(inputs.architectures) > 1:
        _build_together(engine, inputs, [*first, *caches], scratch, log)
        first, caches = [], []
    for base in _bases(inputs):
        identity = scratch / f"image-{base.arch}.txt"
        _build(engine, inputs, [base], [*first, *caches, f"--iidfile={identity}"], scratch, log)
        image = identity.read_text(encoding="utf-8").strip()
        report = _read_report(engine, image)
        # buildah's cache knows a LABEL by its text, whatever the arguments in it stand for, so these are no arguments.
        told = {f"io.wheelkiln.{key}": value for key, value in report.items()}
        labels = [f"--label={key}={value}" for key, value in (render_labels(inputs.provenance) | told).items()]
        name = inputs.recipe.references[inputs.spec.name_for(base.arch)]
        _build(engine, inputs, [base], [*labels, f"--tag={name}"], scratch, log)
    if options.push:
        names = {arch: inputs.recipe.references[inputs.spec.name_for(arch)] for arch in inputs.architectures}
        reference = inputs.recipe.pushed_reference(options.repository)
        Registry(engine).push(reference, names, missing_architectures(inputs))


def _bases(inputs: BakeInputs) -> list[Base]:
    return [inputs.spec.base_for(arch) for arch in inputs.architectures]


def _build_together(
    engine: ContainerEngine, inputs: BakeInputs, more: Sequence[str], scratch: Path, log: Callable[[str], None]
) -> None:
    """Fill the layer cache for all architectures at once; what each is then built from is there already."""
    listed = f"{LOCAL_REPOSITORY}/{inputs.recipe.name}:{inputs.recipe.tag}-layers"
    together = [f"--jobs={len(inputs.architectures)}", f"--manifest={listed}"]
    try:
        _build(engine, inputs, _bases(inputs), [*more, *together], scratch, log)
    finally:
        engine.run("manifest", "rm", listed)


def _build(
    engine: ContainerEngine,
    inputs: BakeInputs,
    bases: Sequence[Base],
    more: Sequence[str],
    scratch: Path,
    log: Callable[[str], None],
) -> None:
    argv = ["podman", "build", f"--platform={','.join(base.platform for base in bases)}", f"--target={TARGET}"]
    argv += ["--layers", "--format=docker"]
    argv += [f"--secret=id={name},src={path}" for name, path in sorted(inputs.secrets.items())]
    argv += [f"--build-arg={name}" for name in inputs.build_args]
    digests = [digest_args(base, inputs.base_digests.get(base.arch, "")) for base in _bases(inputs)]
    argv += [f"--build-arg={name}={value}" for known in digests for name, value in known.items()]
    status, lines = stream_and_keep(engine.runner, [*argv, *more, str(scratch / "context")], on_line=log)
    if status != 0:
        archs = ", ".join(base.arch for base in bases)
        raise image_problem(
            f"the image {inputs.recipe.name}:{inputs.recipe.tag} could not be built for {archs}:", lines
        )


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

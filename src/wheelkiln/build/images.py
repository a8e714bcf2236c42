"""The images of a run: each is made or pulled once, on the engine that does so natively, and brought to the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.hosts import BuildHost, host_facts
from wheelkiln.build.in_place import provide_place
from wheelkiln.build.outcome import Event, Said
from wheelkiln.build.request import BuildRequest
from wheelkiln.config.model import BuilderConfig
from wheelkiln.image.bake import BuildOptions
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.provenance import read_provenance
from wheelkiln.image.provide import BuiltImage, ImageProvider
from wheelkiln.image.recipe import render_recipe
from wheelkiln.image.supply import HomeImage, ImageSupply
from wheelkiln.plan.model import ImageSpec, job_name
from wheelkiln.system.engine import ContainerEngine

__all__ = ["at_home", "engines_of", "make_supply", "provide_all", "provide_images", "remember_use"]


def provide_all(run: RunRequest, emit: Callable[[Event], None], log: Callable[[str], None]) -> tuple[BuiltImage, ...]:
    """Make sure that the images of all editions are there; those that are the same are asked for once."""
    found: dict[tuple[ImageSpec, ...], tuple[BuiltImage, ...]] = {}
    for edition in run.editions:
        images = edition.plan.images
        if images not in found:
            found[images] = provide_images(edition, emit, log)
        remember_use(edition)
    unique = {image.reference: image for images in found.values() for image in images}
    return tuple(unique.values())


def provide_images(
    request: BuildRequest, emit: Callable[[Event], None], log: Callable[[str], None]
) -> tuple[BuiltImage, ...]:
    """Make sure that the images of all jobs are there, each on the engine that is its home."""
    if request.place is not None:
        return provide_place(request, request.place, emit, log)
    used = {job.image for job in request.plan.jobs}
    found: list[BuiltImage] = []
    for spec in request.plan.images:
        wanted = [arch for arch in spec.architectures if spec.name_for(arch) in used]
        homes = {arch: _home(request, arch) for arch in wanted}
        for host in dict.fromkeys(homes.values()):
            architectures = [arch for arch in wanted if homes[arch] == host]
            found += _provider(request, host, emit, log).provide(spec, architectures)
    remember_use(request)
    return tuple(found)


def at_home(request: BuildRequest, arch: str) -> BuildRequest:
    """Return the request with the engine that is the home of an architecture's images."""
    host = _home(request, arch)
    return replace(request, engine=host.engine) if host else request


def engines_of(request: BuildRequest) -> tuple[ContainerEngine, ...]:
    """Return the user's own engine and those of the machines that answered."""
    return (request.engine, *(host.engine for host in request.hosts))


def make_supply(
    run: RunRequest, images: tuple[BuiltImage, ...], emit: Callable[[Event], None], log: Callable[[str], None]
) -> ImageSupply:
    """Return what brings the run's images to all of its engines."""
    engines = {engine.host: engine for engine in engines_of(run.first)}
    needs = {
        edition.plan.references[spec.name_for(arch)]: (edition, spec, arch)
        for edition in run.editions
        for spec in edition.plan.images
        for arch in spec.architectures
        if spec.name_for(arch) in edition.plan.references
    }

    def pushed(spec: ImageSpec) -> str:
        repository = run.config.image.repository
        return render_recipe(spec).pushed_reference(repository) if repository else ""

    def remake(reference: str, engine: ContainerEngine) -> BuiltImage:
        edition, spec, arch = needs[reference]
        host = next((host for host in edition.hosts if host.name == engine.host), None)
        (built,) = _provider(edition, host, emit, log).provide(spec, [arch])
        return built

    homes = {}
    for image in images:
        _, spec, arch = needs[image.reference]
        homes[image.reference] = HomeImage(image, engines[image.host], arch, pushed(spec))
    return ImageSupply(homes, run.cache_root, lambda text: emit(Said(text)), remake)


def remember_use(request: BuildRequest) -> None:
    """Note which images the project uses now."""
    plan = request.plan
    names = {name: job_name(name, plan.variant) for name in plan.image_names()}
    used = {known: plan.references[name] for name, known in names.items()}
    ImageMemory(request.cache_root).remember_use(request.project, used)


def _home(request: BuildRequest, arch: str) -> BuildHost | None:
    """Choose where an architecture's images are made: natively, here before elsewhere; then under an emulator.

    A builder that is configured builds for all, and what it builds comes here.
    """
    if arch == request.host.machine or request.config.image.builder != BuilderConfig():
        return None
    native = [host for host in request.hosts if arch in host.worker.native]
    emulating = [] if arch in request.host.emulated else [host for host in request.hosts if host.worker.builds(arch)]
    return next(iter([*native, *emulating]), None)


def _provider(
    request: BuildRequest, host: BuildHost | None, emit: Callable[[Event], None], log: Callable[[str], None]
) -> ImageProvider:
    """Return the provider of one engine; with hosts that answer, each engine builds for itself."""
    config, facts = request.config, request.source.facts
    return ImageProvider(
        engine=host.engine if host else request.engine,
        host=host_facts(request.host, host) if host else request.host,
        cache_dir=request.cache_root,
        pip=lambda: request.pip,
        say=lambda text: emit(Said(text)),
        log=log,
        options=BuildOptions(repository=config.image.repository, cache_from=config.image.cache_from),
        builder=config.image.builder if host is None else BuilderConfig(),
        hosts={} if request.hosts else config.hosts,
        provenance=lambda: read_provenance(request.project, facts.pyproject, request.host, request.engine.runner),
    )

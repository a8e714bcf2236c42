"""From sources and variants to editions, each with a plan of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import click

from wheelkiln.build.ledger import ledger_of
from wheelkiln.cache.settings import cache_root
from wheelkiln.cli.options import LocatedSource, ProjectOptions, located_source
from wheelkiln.config.variants import DEFAULT_VARIANT, VariantConfig, effective_config
from wheelkiln.errors import NothingSelectedError, UsageProblem
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.pins import pin_bases
from wheelkiln.image.recipe import render_recipe
from wheelkiln.plan.emulation import measure_slowdowns
from wheelkiln.plan.isa import parse_isa, required_features
from wheelkiln.plan.make import PlanInputs, images_of, make_plan
from wheelkiln.plan.matrix import refuse_collisions
from wheelkiln.plan.model import Plan, Selection
from wheelkiln.source.edition import Patch, Publication, make_edition
from wheelkiln.source.facts import publish_facts
from wheelkiln.source.prepare import PreparedSource
from wheelkiln.system.cibuildwheel import read_cibuildwheel
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.in_place_facts import read_place_facts
from wheelkiln.system.interpreters import find_interpreters
from wheelkiln.system.remote_engine import engine_facts
from wheelkiln.verify.machine_code.declared import Declaration

__all__ = ["Edition", "gather_editions", "one_edition"]


@dataclass(frozen=True, slots=True)
class Edition:
    """One source as one variant, with its plan."""

    located: LocatedSource
    inputs: PlanInputs
    plan: Plan


@contextmanager
def gather_editions(
    options: ProjectOptions, *, prepare: bool, engine: ContainerEngine | None = None
) -> Iterator[tuple[Edition, ...]]:
    """Read every source and plan every variant of it; an engine can look up what a moving base stands for.

    Raise ConfigError when two of them would make the same wheel file.
    """
    with ExitStack() as stack:
        sources = [
            stack.enter_context(located_source(options, text, prepare=prepare))
            for text in dict.fromkeys(options.sources)
        ]
        if engine is not None:
            facts = engine_facts(engine, sources[0].host)
            sources = [replace(source, host=facts) for source in sources]
        variants = [
            edition for source in _labelled(sources) for edition in _variants_of(source, options, prepare=prepare)
        ]
        planner = _Planner(options, variants[0], engine)
        editions = tuple(map(planner.plan, variants))
        refuse_collisions([edition.plan for edition in editions])
        yield editions


def one_edition(editions: Sequence[Edition], doing: str) -> Edition:
    """Return the first edition that has something to build, for commands that look at one job."""
    found = next((edition for edition in editions if edition.plan.jobs), None)
    if found is None:
        raise NothingSelectedError(f"nothing is left to {doing}", hint="'wheelkiln plan' explains the selection.")
    return found


def _labelled(sources: Sequence[LocatedSource]) -> list[LocatedSource]:
    """Put a source's name and version before its jobs where there are several."""
    if len(sources) == 1:
        return list(sources)
    labels = [f"{source.facts.name}-{source.facts.version or 'unknown'}" for source in sources]
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise UsageProblem(f"{twice[0]} is given twice, by two sources", hint="Build them in two runs.")
    return [replace(source, label=label) for source, label in zip(sources, labels, strict=True)]


def _variants_of(source: LocatedSource, options: ProjectOptions, *, prepare: bool) -> Iterator[LocatedSource]:
    known = source.loaded.config.variants
    unknown = [name for name in options.variant if name not in (known or (DEFAULT_VARIANT,))]
    if unknown:
        names = ", ".join(sorted(known)) or "none are configured"
        raise UsageProblem(f"'{unknown[0]}' is not a variant of {source.origin}", hint=f"Its variants: {names}.")
    for name, settings in sorted(known.items()) if known else [(DEFAULT_VARIANT, VariantConfig())]:
        if not options.variant or name in options.variant:
            yield _as_variant(source, name, settings, prepare=prepare)


def _as_variant(source: LocatedSource, name: str, settings: VariantConfig, *, prepare: bool) -> LocatedSource:
    """Return the source with the variant's own configuration and facts, and its own sdist where that is asked for."""
    Declaration.of(
        source.loaded.config.verify.isa, settings.isa
    )  # what is wrong with it is said before anything is built
    features = required_features(parse_isa(settings.isa, where=f"variants.{name}.isa"))
    asked = settings.image.model_copy(update={"requires": (*settings.image.requires, *features)})
    config = effective_config(source.loaded.config, settings.model_copy(update={"image": asked}))
    loaded = replace(source.loaded, config=config)
    if source.prepared is None or not prepare:
        facts = publish_facts(source.facts, settings.project_name, settings.version_suffix, settings.requires)
        return replace(source, facts=facts, loaded=loaded, variant=name)
    prepared = _prepare(source, source.prepared, name, settings)
    return replace(source, facts=prepared.facts, prepared=prepared, loaded=loaded, variant=name)


def _prepare(source: LocatedSource, prepared: PreparedSource, name: str, settings: VariantConfig) -> PreparedSource:
    def place(text: str) -> str:
        return str(source.project / text) if text else ""

    publication = Publication(
        name=settings.project_name,
        description=settings.description,
        readme=place(settings.readme),
        version_suffix=settings.version_suffix,
        classifiers=settings.classifiers,
    )
    patches = [Patch(Path(place(patch.file)), patch.versions) for patch in settings.patches]
    if not (publication or patches or settings.requires):
        return prepared
    work_dir = source.scratch / name
    work_dir.mkdir()
    return make_edition(
        prepared,
        publication,
        patches,
        extra_requires=settings.requires,
        work_dir=work_dir,
        say=lambda text: click.echo(text, err=True),
    )


class _Planner:
    """Plans editions; what many of them ask for is looked up once."""

    def __init__(self, options: ProjectOptions, first: LocatedSource, engine: ContainerEngine | None) -> None:
        host, root = first.host, cache_root(first.loaded.config, first.host)
        memory, ledger = ImageMemory(root), ledger_of(root)
        self._options = options
        self._cibuildwheel = read_cibuildwheel()
        self._interpreters = cache(lambda: find_interpreters(host.home, host.environ))
        self._pinned = cache(lambda spec: pin_bases(spec, memory, engine))
        self._references = cache(lambda spec: render_recipe(spec).references)
        self._toolchain = cache(memory.toolchain)
        self._estimates = cache(ledger.estimates)
        self._slowdowns = cache(lambda: measure_slowdowns(ledger.timed_builds()))
        self._place = None
        if engine is not None and engine.name is EngineName.NONE:
            self._place = place = read_place_facts(host, first.runner)
            self._pinned = cache(lambda spec: spec)
            self._references = cache(lambda spec: {spec.name_for(place.arch): place.reference})

    def plan(self, located: LocatedSource) -> Edition:
        """Make the plan, with the references of its images."""
        config, host, options = located.loaded.config, located.host, self._options
        own = config.image.base == "bootstrap"
        inputs = PlanInputs(
            config=config,
            facts=located.facts,
            host=host,
            cibuildwheel=self._cibuildwheel,
            interpreters=self._interpreters() if own else (),
            selection=Selection(options.only, options.skip),
            use_project_settings=options.project_settings == "merge",
            tests=not options.no_test,
            estimates=self._estimates(located.facts.name),
            slowdowns=self._slowdowns() if set(config.arch) & host.emulated else {},
            variant=located.variant,
            source=located.label,
            place=self._place,
        )
        specs = tuple(map(self._pinned, images_of(inputs)))
        references = {name: found for spec in specs for name, found in self._references(spec).items()}
        known = {name: self._toolchain(reference) for name, reference in references.items()}
        inputs = replace(inputs, toolchains={name: toolchain for name, toolchain in known.items() if toolchain})
        plan = make_plan(inputs, specs)
        return Edition(
            located, inputs, replace(plan, references={name: references[name] for name in plan.image_names()})
        )

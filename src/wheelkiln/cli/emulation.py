"""``--emulate``: finished wheels are imported on an emulated CPU, in an image that is at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wheelkiln.build.request import network_environment
from wheelkiln.build.stages import plain_text
from wheelkiln.cli.engine import choose_engine
from wheelkiln.errors import UsageProblem
from wheelkiln.plan.isa import Isa, parse_isa
from wheelkiln.system.engine import EngineName
from wheelkiln.system.image_store import ImageStore, LocalImage
from wheelkiln.system.pip_settings import read_pip_settings
from wheelkiln.verify.checks import CheckedWheel
from wheelkiln.verify.cpu_models import baseline_of
from wheelkiln.verify.emulate import EmulationReport, EmulationTask, emulate_wheel
from wheelkiln.verify.emulation_image import VERSIONS_LABEL, architectures_of, choose_image
from wheelkiln.verify.rules import RULES
from wheelkiln.verify.rules.model import apply_levels

if TYPE_CHECKING:
    from wheelkiln.cli.own_config import OwnConfig
    from wheelkiln.report.expectations import Manifests

__all__ = ["EmulationOptions", "emulate_checked"]


@dataclass(frozen=True, slots=True)
class EmulationOptions:
    """What the command line says: isa is empty where the manifest and the configuration, or the baseline, decide."""

    isa: tuple[str, ...] = ()
    image: str = ""
    engine: str | None = None
    offline: bool = False


def emulate_checked(
    checked: Sequence[CheckedWheel], manifests: Manifests, own: OwnConfig, options: EmulationOptions
) -> list[CheckedWheel]:
    """Try the wheels that are what they claim to be so far, one after another; say what could not be checked."""
    store = ImageStore(choose_engine(own.runner, options.engine))
    images = _images(store, options)
    found = []
    for wheel in checked:
        report = EmulationReport()
        if not wheel.has_errors:
            report = _emulate(wheel.path, _isa_of(wheel.path, manifests, own, options), store, images, own, options)
        for note in report.notes:
            click.echo(plain_text(f"{wheel.path.name}: {note}"), err=True)
        if report.cpu:
            click.echo(plain_text(f"{wheel.path.name}: imported on an emulated CPU, {report.cpu}"), err=True)
        more = apply_levels(report.findings, RULES, manifests.base.levels)
        found.append(replace(wheel, findings=(*wheel.findings, *more)))
    return found


def _images(store: ImageStore, options: EmulationOptions) -> tuple[LocalImage, ...]:
    if store.engine.name is EngineName.NONE:
        return ()
    if not options.image:
        found = map(store.find, store.references(VERSIONS_LABEL))
        return tuple(image for image in found if image is not None)
    image = store.find(options.image)
    if image is None:
        raise UsageProblem(f"{store.engine.name} has no image {options.image}", hint="Pull or build it first.")
    return (image,)


def _isa_of(wheel: Path, manifests: Manifests, own: OwnConfig, options: EmulationOptions) -> Isa:
    """Return what a wheel is declared for: by option, its variant or the baseline, else as for the oldest CPU."""
    arch = next(iter(architectures_of(wheel.name)), own.host.machine)
    variant = own.config.variants.get(manifests.variant_of(wheel))
    entries = options.isa or (variant.isa if variant else ()) or own.config.verify.isa.baseline
    declared = parse_isa(entries, where="--isa")
    return next((isa for isa in declared if isa.arch == arch), baseline_of(arch))


def _emulate(
    wheel: Path, isa: Isa, store: ImageStore, images: tuple[LocalImage, ...], own: OwnConfig, options: EmulationOptions
) -> EmulationReport:
    chosen = choose_image(wheel.name, isa.arch, images)
    if chosen is None and architectures_of(wheel.name) and store.engine.name is not EngineName.NONE:
        which = options.image or "any image of wheelkiln's that is here"
        note = f"not imported on an emulated CPU: {which} has no Python that it is for; --image names another"
        return EmulationReport(notes=(note,))
    pip = read_pip_settings(own.runner)
    task = EmulationTask(
        wheel=wheel,
        isa=isa,
        image=chosen.reference if chosen else "",
        python=chosen.python if chosen else "",
        config=own.config.verify.emulate,
        offline=options.offline,
        environment=network_environment(pip, own.host.environ),
        directories=pip.local_directories(),
    )
    return emulate_wheel(task, store.engine, own.host)

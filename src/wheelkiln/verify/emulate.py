"""Importing a wheel on an emulated CPU and on this machine's own, in a container.

Nothing of the wheel runs outside of it, and it has no network, no capabilities and no file of this machine but what is
read: the wheel, what it requires, the emulator and a program of ours.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from wheelkiln.config.verify import EmulateConfig
from wheelkiln.plan.isa import Isa
from wheelkiln.system.emulation import find_static_emulator
from wheelkiln.system.engine import ContainerEngine, EngineName
from wheelkiln.system.host import HostFacts
from wheelkiln.verify import emulated_program
from wheelkiln.verify.cpu_models import CpuModel, Emulator, choose_model
from wheelkiln.verify.emulated_outcome import Setting, Trial, judge, parse_trial
from wheelkiln.verify.emulation_container import (
    EMULATOR,
    LIBRARIES,
    PROGRAM,
    REQUIREMENTS,
    SDE,
    Box,
    installing,
    interpreter,
    trying,
    wheel_place,
)
from wheelkiln.verify.findings import Finding
from wheelkiln.verify.modules import Modules, find_modules
from wheelkiln.verify.requirements import read_requirements
from wheelkiln.verify.variant_label import split_label

__all__ = ["EmulationReport", "EmulationTask", "emulate_wheel"]

_START_SECONDS = 120
"""What a container may take besides the imports: it starts, and pip unpacks the wheel."""
_INSTALL_SECONDS = 900
_PROCESSES = 20
"""How many imports may end badly, each after as long as one may take, before the container is removed."""
_INSTALL_IT = "'apt-get install qemu-user-static' (Debian, Ubuntu) or 'dnf install qemu-user-static' (Fedora) brings it"
_LONGEST = 4 << 20
"""Characters of a line that are kept."""


@dataclass(frozen=True, slots=True)
class EmulationTask:
    """One wheel to try, for which CPU, in which image, with which of its Pythons (``cp312``, ``cp313t``).

    environment and directories are what pip needs in the container to reach the package index; offline does without
    what the wheel requires.
    """

    wheel: Path
    isa: Isa
    image: str
    python: str
    config: EmulateConfig = field(default_factory=EmulateConfig)
    offline: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    directories: tuple[Path, ...] = ()
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class EmulationReport:
    """What is wrong, what was not checked and why, the CPU that was emulated, and how long all took."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    cpu: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Means:
    """How CPUs are had: the emulator's command lines in the container, empty for the machine's own CPU."""

    model: CpuModel | None = None
    program: Path | None = None
    emulator: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def emulate_wheel(task: EmulationTask, engine: ContainerEngine, host: HostFacts) -> EmulationReport:
    """Import a wheel, and run the configured command, on both CPUs; tell what follows.

    Where that cannot be done, a note says why, and no finding does.
    """
    started = time.monotonic()
    obstacle = _obstacle(engine)
    if obstacle:
        return EmulationReport(notes=(f"not imported on an emulated CPU: {obstacle}",))
    with zipfile.ZipFile(task.wheel) as archive:
        modules = find_modules(archive.namelist())
        unpacked = sum(member.file_size for member in archive.infolist())
        requirements = read_requirements(archive)
    if not modules.native:
        return EmulationReport(notes=("not imported on an emulated CPU: it has no machine code",))
    means = _find_means(task, host)
    with tempfile.TemporaryDirectory(prefix="wheelkiln-") as place:
        box = Box(task.image, engine, host, Path(place), task.run_id, unpacked)
        noted = _install(task, box, requirements)
        trial = _try(task, box, means, modules)
    report = _conclude(task, means, modules, trial)
    return replace(report, notes=(*noted, *report.notes), seconds=round(time.monotonic() - started, 3))


def _obstacle(engine: ContainerEngine) -> str:
    if engine.name is EngineName.NONE:
        return "its code runs in a container only, and there is no engine"
    return "the engine is on another machine, which has neither the wheel nor the emulator" if engine.elsewhere else ""


def _find_means(task: EmulationTask, host: HostFacts) -> _Means:
    isa, foreign = task.isa, task.isa.arch != host.machine
    model = choose_model(isa, has_sde=bool(task.config.sde) and not foreign)
    program = find_static_emulator(isa.arch)
    control = (str(EMULATOR), "-cpu", "max") if foreign and program else ()
    if model is None:
        return _Means(program=program, control=control, notes=(_no_model(isa),))
    if model.emulator is Emulator.SDE:
        return _Means(model, Path(task.config.sde), (str(SDE / Path(task.config.sde).name), *model.arguments))
    if program is None:
        return _Means(notes=(f"no CPU is emulated: this machine has no static qemu-{isa.arch}. {_INSTALL_IT}",))
    return _Means(model, program, (str(EMULATOR), *model.arguments), control, (model.beyond,) if model.beyond else ())


def _no_model(isa: Isa) -> str:
    if isa.arch == "aarch64":
        return f"{_declared(isa)} is not emulated: no model of qemu's has that and not everything else"
    return (
        f"{_declared(isa)} is not emulated: qemu has no AVX-512 and no AMX. Intel's SDE has them: "
        "[tool.wheelkiln.verify.emulate] sde names its sde64"
    )


def _declared(isa: Isa) -> str:
    return "+".join([*([isa.level] if isa.level else []), *isa.features])


def _install(task: EmulationTask, box: Box, requirements: tuple[str, ...]) -> tuple[str, ...]:
    """Install what the wheel requires, from wheels alone: no code of theirs runs."""
    if not requirements:
        return ()
    if task.offline:
        return ("what it requires is not installed, because no network may be used",)
    libraries = box.place / LIBRARIES.name
    libraries.mkdir()
    box.give(libraries)
    (box.place / REQUIREMENTS.name).write_text("\n".join(requirements) + "\n", encoding="utf-8")
    (box.place / REQUIREMENTS.name).chmod(0o644)
    argv = installing(box, task.python, task.environment, task.directories)
    lines = _run(box, argv, _INSTALL_SECONDS, {**box.host.environ, **task.environment})
    if lines is not None:
        return ()
    return ("what it requires could not be installed from wheels; imports that need it are not checked",)


def _try(task: EmulationTask, box: Box, means: _Means, modules: Modules) -> Trial:
    names = task.config.imports or (*modules.top, *modules.extensions)
    spec = {
        "python": interpreter(task.python),
        "wheel": str(wheel_place(split_label(task.wheel.name)[0])),
        "libraries": str(LIBRARIES) if (box.place / LIBRARIES.name).is_dir() else "",
        "modules": names,
        "command": task.config.command,
        "seconds": task.config.timeout,
        "control": means.control,
        "emulator": means.emulator,
        "kind": means.model.emulator if means.model else "",
    }
    argv = trying(box, _sources(task, box, means), task.python, json.dumps(spec))
    seconds = _START_SECONDS + 2 * task.config.timeout * min(_PROCESSES, len(names) + 2)
    for line in _run(box, argv, seconds, box.host.environ) or ():
        try:
            return parse_trial(line.removeprefix(emulated_program.MARKER))
        except ValueError:
            break
    return Trial(trouble="the container did not report what happened")


def _sources(task: EmulationTask, box: Box, means: _Means) -> dict[PurePosixPath, Path]:
    """Return what the container sees of this machine, by where it sees it."""
    sources = {
        PROGRAM: Path(emulated_program.__file__),
        wheel_place(split_label(task.wheel.name)[0]): task.wheel.resolve(),
    }
    if means.model and means.model.emulator is Emulator.SDE and means.program:
        sources[SDE] = means.program.parent
    elif means.program:
        sources[EMULATOR] = means.program
    if (box.place / LIBRARIES.name).is_dir():
        sources[LIBRARIES] = box.place / LIBRARIES.name
    return sources


def _conclude(task: EmulationTask, means: _Means, modules: Modules, trial: Trial) -> EmulationReport:
    cpu = " ".join(means.model.arguments).removeprefix("-cpu ") if means.model else ""
    short = cpu.partition(",")[0]
    lacking = _lacking(task, trial)
    if trial.trouble:
        text = f"it was not imported on any CPU, because it could not be installed: {trial.trouble.splitlines()[-1]}"
        return EmulationReport(notes=(*means.notes, text))
    setting = Setting(
        wheel=task.wheel.name,
        declared=_declared(task.isa),
        cpu=short,
        top=task.config.imports or modules.top,
        control="an emulated CPU that has all that the emulator knows" if means.control else "this machine's own CPU",
    )
    findings, notes = judge(replace(trial, emulated=None) if lacking else trial, setting)
    return EmulationReport(findings, (*means.notes, *lacking, *notes), "" if lacking or trial.emulated is None else cpu)


def _lacking(task: EmulationTask, trial: Trial) -> tuple[str, ...]:
    """Say why what was emulated is no CPU of the declared level."""
    if trial.unsupported:
        names = ", ".join(trial.unsupported)
        return (f"{_declared(task.isa)} is not emulated: this qemu has no {names}; a newer one may, or Intel's SDE",)
    if trial.start and not trial.start.ok:
        return (
            f"the image's own Python does not start on an emulated CPU of {_declared(task.isa)} "
            f"({trial.start.how}), so the wheel is not checked on it",
        )
    return ()


def _run(box: Box, argv: list[str], seconds: float, environ: Mapping[str, str]) -> list[str] | None:
    """Run a container, which ends with this call; return the lines of its report, None where it failed."""
    lines: list[str] = []

    def note(line: str) -> None:
        if line.startswith(emulated_program.MARKER):
            lines.append(line[:_LONGEST])

    with _limited(box, argv, seconds) as command:
        status = box.engine.runner.stream(command, on_line=note, env=environ)
    return lines if status == 0 else None


@contextmanager
def _limited(box: Box, argv: list[str], seconds: float) -> Iterator[list[str]]:
    """Give a container a name, by which it is removed when its time is over or the caller's is."""
    name = f"wheelkiln-emulate-{secrets.token_hex(6)}"
    timer = threading.Timer(seconds, lambda: box.engine.run("rm", "--force", name))
    timer.daemon = True
    timer.start()
    try:
        yield [*argv[:2], f"--name={name}", *argv[2:]]
    except BaseException:
        box.engine.run("rm", "--force", name)
        raise
    finally:
        timer.cancel()

"""The engines of a run: which one builds a job, what each needs before, and what becomes of one that is lost."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.environment_maker import EnvironmentMaker
from wheelkiln.build.explain import lost_connection
from wheelkiln.build.host_leftovers import clean_engine, remove_run
from wheelkiln.build.outcome import Event, Outcome, Said, Status
from wheelkiln.build.request import BuildRequest
from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.supply import ImageSupply
from wheelkiln.plan.model import Job
from wheelkiln.plan.placement import Group, Placement, Worker, local_worker
from wheelkiln.system.engine import ContainerEngine

__all__ = ["Fleet", "Patience", "Station"]

_MOST_ATTEMPTS = 4
"""How often a job is begun whose machines are lost under it: it may be what they die of."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: look is how often machines that build are asked whether they still do, ask how often lost ones are.

    Jobs that nobody else can build wait for a lost machine as long as comes_back: one that is restarted returns.
    misses are the questions in a row that stay unanswered before a machine's jobs are ended: a dead network tells
    nobody.
    """

    look: float = 10.0
    misses: int = 2
    ask: float = 5.0
    comes_back: float = 120.0


_PATIENCE = Patience()


@dataclass
class Station:
    """One engine with what belongs to it in this run. connect asks it again after it was lost, None for the own one."""

    worker: Worker
    engine: ContainerEngine
    maker: EnvironmentMaker
    connect: Callable[[], ContainerEngine] | None = None
    is_own: bool = False
    lost_at: float | None = None
    is_ready: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        return self.worker.name

    @property
    def title(self) -> str:
        return f"the host {self.name}" if self.name else "this machine's engine"


class Fleet:
    """The stations of a run, as a context: at its end nothing of the run is left on any of them."""

    def __init__(
        self,
        run: RunRequest,
        run_id: str,
        run_dir: Path,
        supply: ImageSupply,
        emit: Callable[[Event], None],
        patience: Patience = _PATIENCE,
    ) -> None:
        self._patience = patience
        self._run, self._run_id, self._supply, self._emit = run, run_id, supply, emit
        own = Station(local_worker(run.host), run.engine, EnvironmentMaker(run_id, run_dir), is_own=True)
        self.own = own
        self.stations = [own]
        for host in run.first.hosts:
            place = run_dir / f"host-{host.name}"
            self.stations.append(
                Station(host.worker, host.engine, EnvironmentMaker(run_id, place), connect=host.connect)
            )
        self._homes: dict[Group, str] = {}
        self._places: dict[str, str] = {}
        self._load: Counter[str] = Counter()
        self._running: dict[str, Station] = {}
        self._attempts: Counter[str] = Counter()
        self._ended = threading.Event()
        self._cleaners: list[threading.Thread] = []
        self._asked = 0.0

    def __enter__(self) -> Self:
        if len(self.stations) > 1:
            self._supply.look()
            threading.Thread(target=self._watch, daemon=True).start()
        self._cleaners = [
            threading.Thread(target=self._clean, args=[station], daemon=True)
            for station in self.stations
            if not station.is_own
        ]
        for cleaner in self._cleaners:
            cleaner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for cleaner in self._cleaners:
            cleaner.join(self._patience.look)
        for station in self.stations:
            station.maker.__exit__()
            if station.engine.elsewhere and station.lost_at is None:  # one that came back, too
                with suppress(EnvironmentProblem):
                    remove_run(station.engine, self._run_id)

    def stop(self) -> None:
        """End the work of all stations."""
        for station in self.stations:
            station.engine.runner.stop()
            if station.lost_at is None:
                with suppress(EnvironmentProblem):
                    station.engine.remove_containers(self._run_id)

    def choose(self, job: Job, placement: Placement) -> Station | None:
        """Return the station that a job is for now, None while none that could build it answers."""
        living = self.living
        self._forget(job)
        workers = [station.worker for station in living]
        chosen = replace(placement, workers=workers, homes=self._homes, load=self._load).choose(job)
        if chosen is None:
            return None
        self._homes[placement.group(job)] = self._places[job.id] = chosen.name
        self._load[chosen.name] += 1
        return next(station for station in living if station.name == chosen.name)

    def begin(self, job: Job, station: Station, run_dir: Path) -> Path:
        """Note that a job begins, and make its directory: one for each attempt."""
        self._running[job.id] = station
        self._attempts[job.id] += 1
        attempt = self._attempts[job.id]
        job_dir = run_dir / (job.directory if attempt == 1 else f"{job.directory}.{attempt}")
        job_dir.mkdir()
        return job_dir

    def prepare(self, request: BuildRequest, job: Job, station: Station) -> BuildRequest:
        """Make a station ready for a job, and return the request as it is to be built there.

        Raise EnvironmentProblem when the engine does not answer, or the image cannot be brought there.
        """
        self._make_ready(station)
        request = replace(request, engine=station.engine)
        if len(self.stations) == 1:
            return request
        return replace(request, image_digest=self._supply.bring(request.plan.references[job.image], station.engine))

    @property
    def living(self) -> list[Station]:
        return [station for station in self.stations if station.lost_at is None]

    @property
    def is_whole(self) -> bool:
        return len(self.living) == len(self.stations)

    def _make_ready(self, station: Station) -> None:
        """Remove what dead runs left on a station, once."""
        with station.lock:
            if not station.is_ready and not station.is_own:
                clean_engine(station.engine, self._run.cache_root)
            station.is_ready = True

    def _clean(self, station: Station) -> None:
        """Do so also where no job is sent."""
        with suppress(EnvironmentProblem):
            self._make_ready(station)

    def end(self, job: Job) -> Station:
        """Note that a job does not run any more."""
        self._forget(job)
        return self._running.pop(job.id)

    def leave_out(self, station: Station, problem: EnvironmentProblem) -> None:
        """Take a station from the fleet: for good where it answers and cannot build."""
        if not station.engine.answers():
            self._lose(station)
        elif station.lost_at is None:
            station.lost_at, station.connect = time.monotonic(), None
            self._emit(Said(f"{station.title} is left out: {problem.message}"))

    def is_lost(self, station: Station, outcome: Outcome) -> bool:
        """Tell whether a job failed because its engine is gone, and if so take the station from the fleet."""
        if outcome.status is not Status.FAILED:
            return False
        if station.lost_at is None and station.engine.answers():
            return self._was_broken_off(station, outcome)
        self._lose(station)
        return self._attempts[outcome.job.id] < _MOST_ATTEMPTS

    def has_hope(self, job: Job) -> bool:
        """Tell whether a job may still be built: by a station that answers, or by one that may come back."""
        now = time.monotonic()
        return any(
            station.worker.builds(job.arch)
            and (
                station.lost_at is None
                or (station.connect is not None and now < station.lost_at + self._patience.comes_back)
            )
            for station in self.stations
        )

    def ask_lost(self) -> None:
        """Ask the stations that are lost whether they are back, from time to time."""
        now = time.monotonic()
        if now - self._asked < self._patience.ask:
            return
        self._asked = now
        for station in self.stations:
            if station.lost_at is not None and station.connect is not None:
                with suppress(EnvironmentProblem):
                    station.engine = station.connect()
                    station.lost_at, station.is_ready = None, False
                    self._emit(Said(f"{station.title} answers again"))

    def missing(self, job: Job) -> Outcome:
        """Return the outcome of a job that nobody can build any more."""
        gone = " and ".join(station.title for station in self.stations if station.worker.builds(job.arch))
        return Outcome(
            job,
            Status.FAILED,
            message=f"{gone or 'no machine'} builds {job.arch}, and does not answer",
            hint="The same command builds what is missing when it is back, or on another of [tool.wheelkiln.hosts].",
        )

    def _was_broken_off(self, station: Station, outcome: Outcome) -> bool:
        """An engine that was restarted answers, and its jobs are broken off all the same: they get a second chance."""
        if station.is_own or self._attempts[outcome.job.id] > 1 or outcome.log is None:
            return False
        return lost_connection(outcome.log.read_text(encoding="utf-8", errors="replace").splitlines())

    def _lose(self, station: Station) -> None:
        if station.lost_at is None:
            station.lost_at = time.monotonic()
            station.engine.runner.stop()
            self._emit(Said(f"{station.title} does not answer any more: its jobs are built elsewhere, or wait for it"))

    def _forget(self, job: Job) -> None:
        place = self._places.pop(job.id, None)
        if place is not None:
            self._load[place] -= 1

    def _watch(self) -> None:
        """Ask the machines that build whether they still do."""
        missed: Counter[str] = Counter()
        while not self._ended.wait(self._patience.look):
            busy = {station.name: station for station in tuple(self._running.values()) if not station.is_own}
            for name, station in busy.items():
                missed[name] = 0 if station.engine.answers() else missed[name] + 1
                if missed[name] >= self._patience.misses:
                    station.engine.runner.stop()  # the jobs end, and who waits for them sees why

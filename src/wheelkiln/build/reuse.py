"""Wheels that need no build: those in the output directory that are unchanged, and those of the wheel store."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.build.editions import RunRequest
from wheelkiln.build.elsewhere import is_made_elsewhere
from wheelkiln.build.environments import environment_directory, known_environment
from wheelkiln.build.job import JobResult
from wheelkiln.build.ledger import Ledger, LedgerEntry, ledger_of
from wheelkiln.build.outcome import Outcome, Status, WheelFile
from wheelkiln.build.request import BuildRequest, JobEnvironment, JobInputs, job_inputs, job_key
from wheelkiln.cache.settings import parse_size
from wheelkiln.cache.store import WheelStore, store_of
from wheelkiln.errors import BuildError
from wheelkiln.image.memory import ImageMemory
from wheelkiln.image.provide import BuiltImage, Origin
from wheelkiln.plan.model import Job
from wheelkiln.system.files import naming_storage_errors, sha256_of
from wheelkiln.system.image_store import ImageStore
from wheelkiln.verify.tags import serves

__all__ = ["Shelf", "find_covering", "know_environments", "known_images", "make_shelf"]

_AT_A_TIME = 8
"""Questions to the resolver at a time."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Finished wheels as a run sees them.

    known is the request by job id, each with what its job's environment will hold where that is known. images are the
    digests of the images, by reference.
    """

    run: RunRequest
    known: Mapping[str, BuildRequest]
    ledger: Ledger
    store: WheelStore
    images: Mapping[str, str]

    def key(self, request: BuildRequest, job: Job) -> str:
        """Return the key of a job whose environment is known to the request."""
        return job_key(request, job, self._digest(request, job))

    def inputs(self, request: BuildRequest, job: Job) -> JobInputs:
        """Return what the key is made of."""
        return job_inputs(request, job, self._digest(request, job))

    def was_built(self, job: Job) -> bool:
        """Tell whether a job was built before from the same inputs, wherever its wheel is."""
        return self.ledger.find(self.key(self.known[job.id], job)) is not None

    def reuse(self, job: Job) -> Outcome | None:
        """Return the wheel of an equal earlier build: where it lies unchanged, else brought out of the store."""
        entry = self._entry(job)
        return self._bring(job, entry) if entry else None

    def reuse_all(self) -> tuple[Outcome, ...] | None:
        """Return the outcomes of a run that builds nothing; None, with nothing brought out, when a wheel is missing."""
        expected: list[Outcome] = []
        entries: dict[str, LedgerEntry] = {}
        for _, job in self.run.in_order():
            covered = find_covering(job, expected)
            entry = None if covered else self._entry(job)
            if covered is None and (entry is None or not self._at_hand(entry)):
                return None
            if entry:
                entries[job.id] = entry
            expected.append(covered or Outcome(job, Status.REUSED, wheel=entry.wheel if entry else None))
        found = [self._bring(it.job, entries[it.job.id]) if it.job.id in entries else it for it in expected]
        outcomes = tuple(outcome for outcome in found if outcome is not None)
        return outcomes if len(outcomes) == len(expected) else None

    def noted(self, job: Job) -> WheelFile | None:
        """Return the wheel of an equal earlier build, wherever it may be."""
        entry = self._entry(job)
        return entry.wheel if entry else None

    def locate(self, job: Job) -> tuple[WheelFile, Path] | None:
        """Return what was built for a job from the same inputs, with a place where it lies unchanged."""
        entry = self._entry(job)
        if entry is None:
            return None
        here = self.run.output_dir / entry.wheel.name
        place = here if self._lies_there(entry) else self.store.find(entry.wheel.name, entry.wheel.sha256)
        return (entry.wheel, place) if place else None

    def record(self, result: JobResult, run_id: str, say: Callable[[str], None]) -> None:
        """Note how a job ended, and keep its wheel."""
        source, job = result.request.source.facts, result.outcome.job
        self.keep(result.outcome, say)
        key = self.key(result.request, job)
        self.ledger.record(key, source.name, source.version, result.outcome, time.time(), run=run_id)

    def announce(self, request: BuildRequest, outcome: Outcome, run_id: str) -> None:
        """Note a wheel that is about to land, so that a run that is killed right after is not asked to build it again.

        One that does not lie in the output directory after all is not taken for built by anybody.
        """
        source, key = request.source.facts, self.key(request, outcome.job)
        self.ledger.record(key, source.name, source.version, outcome, time.time(), run=run_id)

    def keep(self, outcome: Outcome, say: Callable[[str], None]) -> None:
        """Put a wheel that lies in the output directory into the store; the run goes on where that fails."""
        wheel = outcome.wheel
        if wheel is None or not self.run.first.store or self.run.config.cache.read_only:
            return
        try:
            self.store.put(self.run.output_dir / wheel.name, wheel.sha256)
        except OSError as error:
            say(f"{wheel.name} could not be kept in the wheel store {self.store.root}: {error.strerror}")

    def evict(self) -> None:
        """Remove what was used longest ago, down to the limit."""
        if self.run.first.store and not self.run.config.cache.read_only:
            self.store.remove_leftovers()
            for wheel in self.store.excess(parse_size(self.run.config.cache.wheels_max_size)):
                self.store.remove(wheel)

    def _digest(self, request: BuildRequest, job: Job) -> str:
        return request.image_digest or self.images.get(request.plan.references[job.image], "")

    def _entry(self, job: Job) -> LedgerEntry | None:
        if self.run.first.fresh:
            return None
        request = self.known[job.id]
        return self.ledger.find(self.key(request, job)) if job.id in request.environments else None

    def _at_hand(self, entry: LedgerEntry) -> bool:
        if self._lies_there(entry):
            return True
        return self.run.first.store and self.store.find(entry.wheel.name, entry.wheel.sha256) is not None

    def _bring(self, job: Job, entry: LedgerEntry) -> Outcome | None:
        if is_made_elsewhere(self.known[job.id].plan, job, entry.wheel.name):
            return Outcome(job, Status.COVERED, covered_by=entry.wheel.name)
        if self._lies_there(entry):
            outcome = Outcome(job, Status.REUSED, wheel=entry.wheel)
            self.keep(outcome, lambda _: None)
            return outcome
        if not self.run.first.store:
            return None
        with naming_storage_errors(self.run.output_dir, setting="--output-dir"):
            taken = self.store.take(entry.wheel.name, entry.wheel.sha256, self.run.output_dir)
        return Outcome(job, Status.REUSED, wheel=entry.wheel, from_store=True) if taken else None

    def _lies_there(self, entry: LedgerEntry) -> bool:
        path = self.run.output_dir / entry.wheel.name
        return path.is_file() and sha256_of(path) == entry.wheel.sha256


def make_shelf(run: RunRequest, known: Mapping[str, BuildRequest], images: Sequence[BuiltImage]) -> Shelf:
    """Return the shelf of a run with these images."""
    root = run.cache_root
    return Shelf(run, known, ledger_of(root), store_of(root), {image.reference: image.digest for image in images})


def know_environments(run: RunRequest) -> Mapping[str, BuildRequest]:
    """Return the requests by job id, each with its job's environment where that is known without making it."""
    entries = tuple(run.in_order())
    with ThreadPoolExecutor(max_workers=max(1, min(_AT_A_TIME, len(entries)))) as pool:
        known = pool.map(lambda entry: _with_environment(*entry), entries)
        return {job.id: request for (_, job), request in zip(entries, known, strict=True)}


def _with_environment(request: BuildRequest, job: Job) -> BuildRequest:
    """Add what the job's environment will hold, where that is known without making it."""
    with suppress(BuildError):  # the job itself will say it
        locked = known_environment(request, job)
        if locked is not None:
            known = JobEnvironment(locked, environment_directory(request, job, locked))
            return replace(request, environments={**request.environments, job.id: known})
    return request


def known_images(run: RunRequest) -> tuple[BuiltImage, ...] | None:
    """Return the plans' images as they are remembered, None when one is not, or when the engine has another by now.

    An image that the engine does not have counts with what it was: a wheel that was built in it is still the same.
    """
    memory, store = ImageMemory(run.cache_root), ImageStore(run.engine)
    names = {edition.plan.references[name]: name for edition in run.editions for name in edition.plan.image_names()}
    found = []
    for reference, name in names.items():
        known = memory.image(run.engine.name, reference)
        if known is None:
            return None
        present = store.find(reference)
        if present is not None and present.id != known.digest:
            return None
        found.append(BuiltImage(name, reference, known.digest, Origin.REMEMBERED, known.tools, known.toolchain))
    return tuple(found)


def find_covering(job: Job, outcomes: Iterable[Outcome]) -> Outcome | None:
    """Return the outcome of a job that an earlier abi3 or py3-none wheel serves."""
    for earlier in outcomes:
        same_edition = _edition(earlier.job) == _edition(job)
        if earlier.wheel and same_edition and serves(earlier.wheel.name, job.identifier):
            return Outcome(job, Status.COVERED, covered_by=earlier.wheel.name)
    return None


def _edition(job: Job) -> tuple[str, str, str, str]:
    return job.project, job.version, job.variant, job.arch

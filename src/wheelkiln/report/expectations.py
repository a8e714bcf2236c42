"""What the wheels of a directory are expected to be, by the manifest that lies beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.errors import VerificationError
from wheelkiln.report.manifest import MANIFEST_NAME, ManifestJob
from wheelkiln.report.manifest_file import MOST_BYTES, parse_manifest
from wheelkiln.verify.checks import Expectation
from wheelkiln.verify.rules.model import Level

__all__ = ["Manifests"]


@dataclass(slots=True)
class Manifests:
    """Reads the manifest of each directory once."""

    levels: Mapping[str, Level]
    _read: dict[Path, dict[str, ManifestJob]]

    @classmethod
    def with_levels(cls, levels: Mapping[str, Level]) -> Manifests:
        """Return a reader that gives these levels to every wheel."""
        return cls(levels, {})

    def expectation_of(self, wheel: Path) -> Expectation:
        """Return what the manifest beside a wheel says of it; without one the wheel only has to agree with itself."""
        job = self._jobs_in(wheel.parent).get(wheel.name)
        if job is None or job.wheel is None:
            return Expectation(levels=self.levels)
        return Expectation(job.project, job.version, job.identifier, levels=self.levels, sha256=job.wheel.sha256)

    def _jobs_in(self, directory: Path) -> dict[str, ManifestJob]:
        if directory not in self._read:
            self._read[directory] = _read_jobs(directory / MANIFEST_NAME)
        return self._read[directory]


def _read_jobs(path: Path) -> dict[str, ManifestJob]:
    if not path.is_file():
        return {}
    if path.stat().st_size > MOST_BYTES:
        raise VerificationError(f"{path} is larger than any manifest")
    manifest = parse_manifest(path.read_text(encoding="utf-8", errors="replace"), where=str(path))
    return {job.wheel.name: job for job in manifest.jobs if job.wheel is not None}

"""What the wheels of a directory are expected to be, by the manifest that lies beside them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from wheelkiln.errors import VerificationError
from wheelkiln.report.manifest import MANIFEST_NAME, ManifestJob
from wheelkiln.report.manifest_file import MOST_BYTES, parse_manifest
from wheelkiln.verify.checks import Expectation

__all__ = ["Manifests"]


@dataclass(slots=True)
class Manifests:
    """Reads the manifest of each directory once; base is what every wheel is to be."""

    base: Expectation
    _read: dict[Path, dict[str, ManifestJob]] = field(default_factory=dict)

    def expectation_of(self, wheel: Path) -> Expectation:
        """Return what the manifest beside a wheel says of it; without one the wheel only has to agree with itself."""
        job = self._jobs_in(wheel.parent).get(wheel.name)
        if job is None or job.wheel is None:
            return self.base
        return replace(
            self.base.of_variant(job.variant),
            project=job.project,
            version=job.version,
            identifier=job.identifier,
            sha256=job.wheel.sha256,
        )

    def variant_of(self, wheel: Path) -> str:
        """Return the variant that the manifest beside a wheel has for it, empty without one."""
        job = self._jobs_in(wheel.parent).get(wheel.name)
        return job.variant if job else ""

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

"""Bringing wheels of several directories into one: all are checked before the first appears there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wheelkiln.build.outcome import WheelFile
from wheelkiln.errors import VerificationError
from wheelkiln.system.files import naming_storage_errors, new_file_mode, remove_leftovers, sha256_of
from wheelkiln.system.process import Runner
from wheelkiln.verify.checks import Expectation, check_wheel
from wheelkiln.verify.findings import Severity

__all__ = ["Claim", "gather_wheels"]

_STAGE = ".wheelkiln-merge-"
_MOST_FAULTS = 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Claim:
    """What a manifest says of a wheel that lies beside it."""

    place: Path
    wheel: WheelFile
    project: str
    version: str
    identifier: str
    variant: str = ""


def gather_wheels(
    claims: Sequence[Claim], output: Path, runner: Runner, *, width: int, base: Expectation | None = None
) -> None:
    """Check every claim, and bring the wheels into output; hold its lock.

    A wheel that is there already is checked where it is. Equal claims are checked once for each place, and the wheel
    itself once. Raise VerificationError with all that is wrong, and nothing has changed. width is how many checks run
    side by side. base has the rules and limits that count.
    """
    with naming_storage_errors(output, setting="--output-dir"), _stage(output) as stage:
        faults, staged = _collect(claims, output, stage)
        if not faults:
            faults = _check(staged, runner, width, base or Expectation())
        if faults:
            more = [f"  and {len(faults) - _MOST_FAULTS} more"] if len(faults) > _MOST_FAULTS else []
            told = [f"  {fault}" for fault in faults[:_MOST_FAULTS]]
            raise VerificationError("\n".join(["not merged, because of", *told, *more]))
        for path in staged:
            if path.parent == stage:
                path.replace(output / path.name)


@contextmanager
def _stage(output: Path) -> Iterator[Path]:
    """A directory on the same file system; those that killed runs left go away."""
    remove_leftovers(output)
    for left in output.glob(f"{_STAGE}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=_STAGE) as name:
        yield Path(name)


def _collect(claims: Sequence[Claim], output: Path, stage: Path) -> tuple[list[str], Mapping[Path, Claim]]:
    """Read every wheel, and have one of each name where nobody else changes it; return the faults and those places."""
    faults: list[str] = []
    found: dict[str, tuple[Path, Claim]] = {}
    for claim in claims:
        name = claim.wheel.name
        copy = None if name in found or _lies_there(output / name, claim.wheel) else stage / name
        try:
            read = _read(claim.place / name, copy)
        except OSError as error:
            faults.append(f"{claim.place / name}: {error.strerror}")
            continue
        if read != (claim.wheel.sha256, claim.wheel.size):
            faults.append(f"{claim.place / name}: its SHA-256 is {read[0]}, the manifest says {claim.wheel.sha256}")
        found.setdefault(name, (copy or output / name, claim))
    return faults, dict(found.values())


def _lies_there(path: Path, wheel: WheelFile) -> bool:
    return path.is_file() and not path.is_symlink() and sha256_of(path) == wheel.sha256


def _read(source: Path, copy: Path | None) -> tuple[str, int]:
    """Return the digest and the size of a file, and copy it on the way; raise OSError where it is none.

    What is opened is looked at, not its name: a link, or a pipe that would never end, is refused.
    """
    digest, size = hashlib.sha256(), 0
    handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as reader, ExitStack() as stack:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        writer = stack.enter_context(copy.open("wb")) if copy else None
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            if writer:
                writer.write(chunk)
        if copy and writer:
            writer.flush()
            os.fsync(writer.fileno())
            copy.chmod(new_file_mode())
    return digest.hexdigest(), size


def _check(wheels: Mapping[Path, Claim], runner: Runner, width: int, base: Expectation) -> list[str]:
    """Check each wheel as before it landed the first time."""

    def check(path: Path, claim: Claim) -> list[str]:
        expected = replace(
            base.of_variant(claim.variant), project=claim.project, version=claim.version, identifier=claim.identifier
        )
        found = check_wheel(path, expected, runner)
        return [f"{claim.place / path.name}: {it.message}" for it in found if it.severity is Severity.ERROR]

    with ThreadPoolExecutor(max_workers=width) as pool:
        return [fault for faults in pool.map(check, wheels.keys(), wheels.values()) for fault in faults]

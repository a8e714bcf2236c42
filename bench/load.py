"""How many compilers run at a time in a command's containers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

COMPILERS = frozenset({"as", "cc1", "cc1plus", "clang", "clang++", "ld", "ld.bfd", "ld.lld", "lto1", "mold", "rustc"})
"""Programs that keep a core busy. gcc, g++ and ccache only wait for them."""


@dataclass(frozen=True, slots=True)
class Load:
    """Running compilers over all samples in which there was one; above counts the samples with more than a number."""

    samples: Mapping[int, int]

    @property
    def mean(self) -> float:
        total = sum(self.samples.values())
        return sum(count * times for count, times in self.samples.items()) / total if total else 0.0

    @property
    def most(self) -> int:
        return max(self.samples, default=0)

    def above(self, budget: int) -> float:
        """Return the share of samples with more compilers than cores."""
        total = sum(self.samples.values())
        return sum(times for count, times in self.samples.items() if count > budget) / total if total else 0.0


class LoadCount:
    """Counts the compilers in control groups, sample by sample."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._samples: Counter[int] = Counter()

    def sample(self, cgroups: Sequence[Path]) -> None:
        found = sum(self._is_compiler(number) for group in cgroups for number in _processes(group))
        if found:
            self._samples[found] += 1

    def result(self) -> Load:
        return Load(dict(self._samples))

    def _is_compiler(self, number: str) -> bool:
        """Tell whether a process is a compiler that runs, or waits for the disk: not one that has ended (proc(5))."""
        with suppress(OSError, ValueError):
            text = (self._proc / number / "stat").read_text(encoding="utf-8", errors="replace")
            name, _, rest = text.partition("(")[2].rpartition(")")
            return name in COMPILERS and rest.split()[0] in "RD"
        return False


def _processes(group: Path) -> list[str]:
    """A container's processes are in its group, with podman in one below."""
    found: list[str] = []
    for place in (group, *(entry.parent for entry in group.glob("*/cgroup.procs"))):
        with suppress(OSError):
            found += (place / "cgroup.procs").read_text(encoding="ascii").split()
    return found

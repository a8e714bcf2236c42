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
    """Running compilers over all samples in which there was one, as the number of samples by the number of compilers.

    own is what the containers used of the processors, in seconds, others what the rest of the machine used meanwhile:
    where that is much, wall times say little.
    """

    samples: Mapping[int, int]
    own: float = 0.0
    others: float = 0.0

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
        self._used: dict[Path, float] = {}
        self._began = busy_seconds(proc)

    def sample(self, cgroups: Sequence[Path]) -> None:
        self._used |= {group: used for group in cgroups if (used := _used_seconds(group)) is not None}
        found = sum(self._is_compiler(number) for group in cgroups for number in _processes(group))
        if found:
            self._samples[found] += 1

    def result(self) -> Load:
        own = sum(self._used.values())
        return Load(
            dict(self._samples), round(own, 1), round(max(0.0, busy_seconds(self._proc) - self._began - own), 1)
        )

    def _is_compiler(self, number: str) -> bool:
        """Tell whether a process is a compiler that runs, or waits for the disk: not one that has ended (proc(5))."""
        with suppress(OSError, ValueError):
            text = (self._proc / number / "stat").read_text(encoding="utf-8", errors="replace")
            name, _, rest = text.partition("(")[2].rpartition(")")
            return name in COMPILERS and rest.split()[0] in "RD"
        return False


def busy_seconds(proc: Path) -> float:
    """Return what all processors have worked since the machine started (proc(5): stat; in hundredths of a second)."""
    with suppress(OSError, ValueError):
        user, nice, system, _idle, _wait, *rest = map(int, (proc / "stat").read_text().split("\n")[0].split()[1:8])
        return (user + nice + system + sum(rest)) / 100
    return 0.0


def _used_seconds(group: Path) -> float | None:
    """Return what a container's processes have used of the processors; group is its memory control group."""
    with suppress(OSError, ValueError):
        return int((Path(str(group).replace("/memory/", "/cpuacct/", 1)) / "cpuacct.usage").read_text()) / 1e9
    with suppress(OSError, ValueError):
        fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
        return int(fields.get("usage_usec", "")) / 1e6
    return None


def _processes(group: Path) -> list[str]:
    """A container's processes are in its group, with podman in one below."""
    found: list[str] = []
    for place in (group, *(entry.parent for entry in group.glob("*/cgroup.procs"))):
        with suppress(OSError):
            found += (place / "cgroup.procs").read_text(encoding="ascii").split()
    return found

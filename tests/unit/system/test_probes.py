"""The real probes, as far as they start nothing and ask no network; read_machine is tested with the doctor."""

from pathlib import Path

from wheelkiln.system.probes import MachineProbes
from wheelkiln.system.process import ProcessRunner

PROBES = MachineProbes(ProcessRunner())


def test_reads_this_machine(tmp_path: Path) -> None:
    assert PROBES.free_bytes(tmp_path / "not" / "there") > 0
    memory = PROBES.memory_bytes()
    assert memory is None or memory > 1 << 20
    assert PROBES.has_program("sh")
    assert not PROBES.has_program("no-such-program-here")


def test_versions_are_those_installed() -> None:
    version = PROBES.version_of("cibuildwheel")
    assert version is not None
    assert version.startswith("4.")
    assert PROBES.version_of("no-such-distribution") is None

"""Running another architecture's programs: binfmt_misc and qemu's user mode."""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.system.process import Runner

__all__ = [
    "advise_emulator",
    "emulator_of",
    "find_static_emulator",
    "is_static",
    "read_emulated",
    "register_emulator",
]

BINFMT = Path("/proc/sys/fs/binfmt_misc")
EMULATORS = ("/usr/bin/qemu-{arch}-static", "/usr/bin/qemu-{arch}", "/usr/local/bin/qemu-{arch}-static")
_SECONDS = 10.0
_PT_INTERP = 3
_ELF: Mapping[str, bytes] = {"x86_64": b"\x3e\x00", "aarch64": b"\xb7\x00"}
"""The ``e_machine`` field of an ELF file (System V ABI: x86-64 62, AArch64 183)."""


def read_emulated(binfmt: Path = BINFMT) -> frozenset[str]:
    """Return the architectures whose programs run in containers, too.

    Only handlers with the flag F count (kernel: admin-guide/binfmt-misc): the others look for the emulator inside of
    the container.
    """
    found = set()
    for handler in _handlers(binfmt):
        try:
            text = handler.read_text(encoding="utf-8")
        except OSError:
            continue
        flags = next((line.partition(":")[2] for line in text.splitlines() if line.startswith("flags:")), "")
        if text.startswith("enabled") and "F" in flags:
            found.add(handler.name.removeprefix("qemu-"))
    return frozenset(found)


def _handlers(binfmt: Path) -> Iterable[Path]:
    try:
        return sorted(binfmt.glob("qemu-*"))
    except OSError:
        return ()


def emulator_of(arch: str, runner: Runner, binfmt: Path = BINFMT) -> str:
    """Return name and version of the emulator that the kernel uses for an architecture, as far as they can be told.

    The kernel holds the program open (flag F): its file may be another by now, or on no path of this machine.
    """
    try:
        lines = (binfmt / f"qemu-{arch}").read_text(encoding="utf-8").splitlines()
        program = next(line.partition(" ")[2] for line in lines if line.startswith("interpreter "))
        done = runner.capture([program, "--version"], timeout=_SECONDS)
    except (OSError, StopIteration, EnvironmentProblem):
        return f"qemu-{arch} of unknown version"
    found = re.search(r"version (\S+)", done.stdout)
    return f"{Path(program).name} {found[1]}" if found else f"{Path(program).name} of unknown version"


def advise_emulator(arch: str) -> str:
    """Say how this machine comes by an emulator."""
    return (
        f"'apt-get install qemu-user-static' (Debian, Ubuntu) brings an emulator for {arch}; where it is installed, "
        "'wheelkiln image build --register-emulators' as root makes the kernel use it. "
        "Or configure a machine of that architecture in [tool.wheelkiln.hosts]."
    )


def find_static_emulator(arch: str, which: Callable[[str], str | None] = shutil.which) -> Path | None:
    """Return the qemu of user mode for an architecture that runs in any container: one that needs no libraries."""
    for name in (f"qemu-{arch}-static", f"qemu-{arch}"):
        found = which(name)
        if found and is_static(Path(found)):
            return Path(found).resolve()
    return None


def is_static(program: Path) -> bool:
    """Tell whether a 64-bit program asks for no dynamic loader: it has no PT_INTERP (System V ABI: program header)."""
    try:
        with program.open("rb") as file:
            header = file.read(64)
            (offset,) = struct.unpack_from("<Q", header, 32)
            size, count = struct.unpack_from("<HH", header, 54)
            file.seek(offset)
            table = file.read(size * count)
        kinds = [struct.unpack_from("<I", table, size * index)[0] for index in range(count)]
    except (OSError, ValueError, struct.error):  # ValueError: no file is so large
        return False
    return header.startswith(b"\x7fELF\x02") and _PT_INTERP not in kinds


def register_emulator(arch: str, runner: Runner, binfmt: Path = BINFMT, places: Sequence[str] = EMULATORS) -> Path:
    """Make the kernel run an architecture's programs with the qemu that is at one of the places; return that program.

    Needs root. The registration lasts until the machine is restarted. Raise EnvironmentProblem with the reason.
    """
    candidates = [Path(name.format(arch=arch)) for name in places]
    emulator = next((path for path in candidates if path.is_file()), None)
    if emulator is None:
        raise EnvironmentProblem(f"no emulator for {arch} is installed on this machine", hint=advise_emulator(arch))
    register = binfmt / "register"
    if not register.exists():
        runner.capture(["mount", "-t", "binfmt_misc", "binfmt_misc", str(binfmt)])
    try:
        stale = binfmt / f"qemu-{arch}"
        if stale.exists():
            stale.write_text("-1")
        register.write_bytes(_registration(arch, emulator))
    except OSError as error:
        raise EnvironmentProblem(
            f"the emulator {emulator} could not be registered in {binfmt}: {error.strerror}",
            hint="It takes root, and in a container --privileged. Until then choose --arch, or leave it to a host.",
        ) from error
    return emulator


def _registration(arch: str, emulator: Path) -> bytes:
    """Write the kernel's line: 64-bit little-endian ELF programs and libraries of the machine; O, C and F flags.

    F opens the emulator now, so that containers need none of their own; C gives setuid programs their rights.
    """
    magic = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + _ELF[arch]
    mask = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
    return f":qemu-{arch}:M::{_escape(magic)}:{_escape(mask)}:{emulator}:OCF".encode()


def _escape(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)

"""The program that runs in the container: installs a wheel, and imports it on this CPU and on an emulated one.

It is mounted there as a file of its own and run by the image's interpreter, so it uses nothing but the standard
library of old Pythons. The interpreter of the virtual environment is a script that calls the emulator while it is the
emulator's turn, so that Python processes that are started from it are emulated, too. Other programs are not.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import mmap
import os
import platform
import re
import resource
import shlex
import signal
import subprocess
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import Any

MARKER = "wheelkiln-report: "
"""What the line with the report begins with."""
_WORK = Path("/tmp/wheelkiln")  # noqa: S108 - inside of the container, a file system in memory
_VENV = _WORK / "venv"
_PROGRESS = _WORK / "progress"
_OUTPUT = _WORK / "output"
_LACKS = "doesn't support requested feature"
"""What qemu says, before it goes on with a CPU that has less than was asked for."""
_TAIL = 4000
_MAX_DEATHS = 20
_SIGNALS_OF_SHELLS = 128
_SIGINFO = 4  # sigaction(2): SA_SIGINFO
_DUMPABLE = 4  # prctl(2): PR_SET_DUMPABLE


def main(text: str) -> int:
    """Do what a JSON object asks, and print one line with what came of it."""
    spec: dict[str, Any] = json.loads(text)
    ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)  # what is imported must not reach this process's streams
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # the first process of a container has no default action
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(MARKER + json.dumps(_examine(spec)), flush=True)
    return 0


def _examine(spec: dict[str, Any]) -> dict[str, Any]:
    (_WORK / "cwd").mkdir(parents=True)
    trouble = _install(spec)
    if trouble:
        return {"trouble": trouble}
    report: dict[str, Any] = {}
    _use_interpreter(spec, spec["control"])
    report["control"] = _attempts(spec)
    if spec["emulator"]:
        _use_interpreter(spec, spec["emulator"])
        report["start"] = _run(["python", "-c", "pass"], spec)
        if report["start"]["ended"] == "ok" and _LACKS not in report["start"]["output"]:
            report["emulated"] = _attempts(spec)
    return report


def _install(spec: dict[str, Any]) -> str:
    """Make the environment; return why that was not possible, empty when it was.

    The image's pip is run by the environment's Python (pip runs other Pythons so itself: --python).
    """
    environ = {**os.environ, "HOME": str(_WORK), "PIP_CONFIG_FILE": os.devnull}
    found = importlib.util.find_spec("pip")
    pip = [str(_VENV / "bin/python"), *(found.submodule_search_locations or [])] if found else ["pip"]
    pip += ["--disable-pip-version-check", "install", "--no-index", "--no-deps", "--no-cache-dir", "--no-compile"]
    pip += ["--quiet", spec["wheel"]]
    for argv in ([spec["python"], "-m", "venv", "--without-pip", str(_VENV)], pip):
        done = subprocess.run(argv, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            return (done.stderr or done.stdout).strip()[-_TAIL:] or f"exit status {done.returncode}"
    if spec["libraries"]:
        base = {"base": str(_VENV), "platbase": str(_VENV)}
        purelib = Path(sysconfig.get_path("purelib", "posix_prefix", vars=base))
        (purelib / "wheelkiln-libraries.pth").write_text(spec["libraries"] + "\n")
    return ""


def _use_interpreter(spec: dict[str, Any], emulator: list[str]) -> None:
    """Make the environment's interpreter the image's own, or a script that has the emulator run it.

    With qemu it keeps the environment's name as its own (-0): by that it finds the environment, and starts others.
    """
    bin_dir = _VENV / "bin"
    for name in ("python", "python3", f"python3.{sys.version_info.minor}", ".python"):
        with contextlib.suppress(FileNotFoundError):
            (bin_dir / name).unlink()
    real = os.path.realpath(spec["python"])
    for name in ("python", "python3", f"python3.{sys.version_info.minor}"):
        path = bin_dir / name
        if not emulator:
            path.symlink_to(real)
            continue
        command = [emulator[0], "-0", str(path), *emulator[1:], real]
        if spec["kind"] == "sde":
            command = [*emulator, "--", str(bin_dir / ".python")]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)
    (bin_dir / ".python").symlink_to(real)


def _attempts(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Import everything, then run the command; return one result each."""
    results = []
    rest = list(spec["modules"])
    for _ in range(_MAX_DEATHS):
        if not rest:
            break
        found = _import_together(rest, spec)
        results += found
        rest = rest[len(found) :]
    if spec["command"]:
        results.append({"subject": "", **_run(spec["command"], spec)})
    return results


def _import_together(modules: list[str], spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Import modules in one process; return the results up to the one that it died of."""
    ended = _run(["python", "-X", "faulthandler", __file__, "import", str(_PROGRESS), *modules], spec)
    if ended["ended"] == "timeout":  # a thread that died may wait for one that waits for it: then without a look
        ended = _run(["python", "-X", "faulthandler", __file__, "import", str(_PROGRESS), "--plain", *modules], spec)
    results: list[dict[str, Any]] = []
    fault: dict[str, Any] = {}
    for line in _read(_PROGRESS).splitlines():
        told = json.loads(line)
        if "fault" in told:
            fault = _explain(told["fault"])
        else:
            results.append(told)
    if len(results) < len(modules):
        ended["ended"] = "exit" if ended["ended"] == "ok" else ended["ended"]
        results.append({"subject": modules[len(results)], **ended, "fault": fault})
    elif ended["ended"] != "ok":  # all were imported, and it died while it ended
        results[-1] = {"subject": modules[-1], **ended, "fault": fault}
    return results


def _run(command: list[str], spec: dict[str, Any]) -> dict[str, Any]:
    """Run a command in the environment; return how it ended and the end of what it printed."""
    _PROGRESS.write_text("")
    environ = {
        **os.environ,
        "PATH": f"{_VENV / 'bin'}:{os.environ['PATH']}",
        "HOME": str(_WORK),
        "VIRTUAL_ENV": str(_VENV),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    argv = [str(_VENV / "bin/python"), *command[1:]] if command[0] == "python" else command
    try:
        with _OUTPUT.open("wb") as output:
            process = subprocess.Popen(
                argv,
                cwd=_WORK / "cwd",
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(timeout=spec["seconds"])
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return {"ended": "timeout", "output": _read(_OUTPUT)}
    except OSError as error:
        return {"ended": "exit", "status": 127, "output": str(error)}
    return {**_ending(status), "output": _read(_OUTPUT)}


def _ending(status: int) -> dict[str, Any]:
    number = -status if status < 0 else status - _SIGNALS_OF_SHELLS
    with contextlib.suppress(ValueError):
        return {"ended": "signal", "signal": signal.Signals(number).name}
    return {"ended": "exit" if status else "ok", "status": status}


def _read(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - (_TAIL if path == _OUTPUT else 1 << 20)))
        return file.read().decode("utf-8", "replace")


def _explain(fault: dict[str, Any]) -> dict[str, Any]:
    """Add the function and the instruction, where the image has objdump."""
    start = fault["offset"]
    argv = ["objdump", "-d", "--no-show-raw-insn", f"--start-address={start}", f"--stop-address={start + 16}"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([*argv, fault["file"]], capture_output=True, text=True, check=False, timeout=30)
        function = re.search(r"^[0-9a-f]+ <(.+?)(\+0x[0-9a-f]+)?>:$", done.stdout, re.MULTILINE)
        instruction = re.search(r"^ +[0-9a-f]+:\t(.+)$", done.stdout, re.MULTILINE)
        fault["function"] = fault["function"] or (function[1] if function else "")
        fault["instruction"] = " ".join(instruction[1].partition(" #")[0].split()) if instruction else ""
    fault["file"] = Path(fault["file"]).name
    return fault


def import_modules(progress: str, modules: list[str]) -> int:
    """Import modules, and write after each what came of it."""
    handle = os.open(progress, os.O_WRONLY | os.O_APPEND)
    sys.path[0] = str(Path.cwd())  # rather than the directory of this file

    def tell(entry: dict[str, Any]) -> None:
        os.write(handle, (json.dumps(entry) + "\n").encode())

    if modules[0] != "--plain" and platform.machine() == "x86_64":  # qemu 7.2 hangs in a callback for AArch64
        with contextlib.suppress(Exception):  # without, it dies all the same, and says less
            _watch_instructions(tell)
    for name in modules:
        if name == "--plain":
            continue
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001 - whatever a module raises is what is looked for
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            lines = traceback.format_exception(type(error), error, error.__traceback__)
            output = "".join(lines)[-_TAIL:]
            tell({"subject": name, "ended": "exception", "missing": missing, "output": output})
        else:
            tell({"subject": name, "ended": "ok", "output": ""})
    return 0


class _Action(ctypes.Structure):
    """struct sigaction of glibc and musl on x86-64."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_char * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class _Symbol(ctypes.Structure):
    """Dl_info (dladdr(3))."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


_KEPT: list[Any] = []
"""What must live as long as the process."""


def _watch_instructions(tell: Any) -> None:
    """Tell where an illegal instruction is before the process dies of it."""
    libc = ctypes.CDLL(None)
    libc.dladdr.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Symbol))
    before = _Action()

    def on_illegal(number: int, info: int, _context: int) -> None:
        libc.sigaction(number, ctypes.byref(before), None)  # returning runs the instruction again
        address = ctypes.c_void_p.from_address(info + 16).value or 0  # siginfo_t.si_addr
        symbol = _Symbol()
        if not libc.dladdr(address, ctypes.byref(symbol)):
            return
        fault = {
            "file": os.fsdecode(symbol.file),
            "offset": address - (symbol.base or 0),
            "function": "",
            "instruction": "",
            "code": ctypes.string_at(address, min(15, 4096 - address % 4096)).hex(),
        }
        tell({"fault": fault})

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(on_illegal)
    _KEPT.append(handler)
    address = ctypes.cast(handler, ctypes.c_void_p).value or 0
    action = _Action(_aligning(address), b"", _SIGINFO, None)
    libc.sigaction(signal.SIGILL, ctypes.byref(action), ctypes.byref(before))


def _aligning(function: int) -> int:
    """Return the address of machine code that aligns the stack and calls a function.

    qemu 7.2 enters signal handlers with a stack that is eight bytes off (x86-64 psABI: 3.2.2), and libffi crashes.
    """
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # push %rbp; mov %rsp,%rbp; and $-16,%rsp; movabs $function,%rax; call *%rax; leave; ret
    code.write(bytes.fromhex("554889e54883e4f048b8") + function.to_bytes(8, "little") + bytes.fromhex("ffd0c9c3"))
    _KEPT.append(code)
    return ctypes.addressof(ctypes.c_char.from_buffer(code))


if __name__ == "__main__":
    if sys.argv[1] == "import":
        sys.exit(import_modules(sys.argv[2], sys.argv[3:]))
    sys.exit(main(sys.argv[1]))

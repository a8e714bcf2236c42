"""A second docker engine on this machine, with a bridge, a store and an address of its own: another host."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.container.registries import free_port

__all__ = ["SecondEngine", "can_start", "second_engine"]

_BRIDGE, _ADDRESS = "wk-test-host", "10.213.78.1/24"
_SECONDS = 60.0


def can_start() -> bool:
    return os.getuid() == 0 and bool(shutil.which("dockerd")) and bool(shutil.which("ip"))


class SecondEngine:
    """dockerd with its own directories below place; it can be killed and started again."""

    def __init__(self, place: Path, port: int) -> None:
        self.address = f"tcp://127.0.0.1:{port}"
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        place = self._place
        (place / "daemon.json").write_text("{}")
        command = ["dockerd", f"--config-file={place}/daemon.json", f"--data-root={place}/data"]
        command += [f"--exec-root={place}/exec", f"--pidfile={place}/pid", f"--bridge={_BRIDGE}"]
        # The rules of the first engine are left alone; builds use the host's network.
        command += ["--iptables=false", "--ip6tables=false", f"--host={self.address}", "--tls=false"]
        with (place / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _SECONDS
        while self.run("version", check=False).returncode:
            assert time.monotonic() < deadline, (place / "log").read_text()[-2000:]
            time.sleep(0.3)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        argv = ["docker", "--host", self.address, *command]
        return subprocess.run(argv, capture_output=True, text=True, check=check)

    def lines(self, *command: str) -> list[str]:
        return self.run(*command).stdout.split()

    def kill(self) -> None:
        """End it with all that belongs to it, as a power cut would."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Let it end its containers, and itself."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        assert self._process is not None
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS)


@contextmanager
def second_engine(place: Path) -> Iterator[SecondEngine]:
    """Start the engine; at the end nothing of it is left."""
    subprocess.run(["ip", "link", "add", _BRIDGE, "type", "bridge"], check=True)
    engine = SecondEngine(place, free_port())
    try:
        subprocess.run(["ip", "address", "add", _ADDRESS, "dev", _BRIDGE], check=True)
        subprocess.run(["ip", "link", "set", _BRIDGE, "up"], check=True)
        engine.start()
        yield engine
    finally:
        engine.stop()
        subprocess.run(["ip", "link", "delete", _BRIDGE], check=False)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
        for mount in sorted((it for it in mounted if it.startswith(f"{place}/")), reverse=True):  # a killed one's
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(place / "data", ignore_errors=True)

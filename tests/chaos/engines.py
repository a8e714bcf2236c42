"""The engines that builds are disturbed on: the machine's own, and a second dockerd that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Engine", "OwnDockerd", "own_dockerd"]

_BRIDGE = "wkchaos0"
_ADDRESS = "10.213.77.1/24"
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's command line; environ points it to the daemon."""

    name: str = "docker"
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self.name, *arguments]
        return subprocess.run(command, env=os.environ | self.environ, capture_output=True, text=True, check=False)

    def containers(self, owner: str) -> list[str]:
        """The containers of runs whose ids begin with owner, whatever state they are in."""
        listed = self.run("ps", "-aq", "--no-trunc", "--filter", "label=io.wheelkiln.run").stdout.split()
        form = '{{index .Config.Labels "io.wheelkiln.run"}}'
        return [name for name in listed if self.run("inspect", "--format", form, name).stdout.startswith(owner)]

    def volumes(self) -> set[str]:
        return set(self.run("volume", "ls", "--quiet").stdout.split())

    def states(self, owner: str) -> list[str]:
        """The images of kept states."""
        form = "{{.Repository}}:{{.Tag}}"
        listed = self.run("image", "ls", "--filter", "reference=localhost/wheelkiln-state", "--format", form)
        return [name for name in listed.stdout.split() if f":{owner}-" in name]


@dataclass
class OwnDockerd:
    """A dockerd with its own data, socket and bridge, so that killing it harms nobody."""

    place: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return f"unix://{self.place}/docker.sock"

    @property
    def engine(self) -> Engine:
        return Engine(environ={"DOCKER_HOST": self.socket})

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self.place / "daemon.json").write_text(json.dumps({"features": {"containerd-snapshotter": True}}))
        (self.place / "docker.pid").unlink(missing_ok=True)  # of the one that was killed
        options = {
            "config-file": self.place / "daemon.json",
            "data-root": self.place / "data",
            "exec-root": self.place / "exec",
            "pidfile": self.place / "docker.pid",
            "host": self.socket,
            "bridge": _BRIDGE,
            "iptables": "false",
            "ip6tables": "false",
            "ip-masq": "false",
            "userland-proxy": "false",
        }
        command = ["dockerd", *(f"--{name}={value}" for name, value in options.items())]
        with (self.place / "dockerd.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while self.engine.run("version").returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"dockerd does not come up: {self.place}/dockerd.log")
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill the daemon alone, as a crash does: containerd and the containers go on until it is back."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the daemon, and what a killed one left running."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
        for pid in _processes_of(self.place):
            os.kill(pid, signal.SIGKILL)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((it for it in mounted if it.startswith(f"{self.place}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


@contextmanager
def own_dockerd(place: Path, images: Sequence[str]) -> Iterator[OwnDockerd]:
    """Run a second dockerd, as root, with images of the first; place is short, as a socket's path must be."""
    place.mkdir(parents=True, exist_ok=True)
    _ip("link", "add", _BRIDGE, "type", "bridge")
    daemon = OwnDockerd(place)
    try:
        _ip("addr", "add", _ADDRESS, "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        daemon.start()
        for image in images:
            with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
                environ = os.environ | daemon.engine.environ
                subprocess.run(["docker", "load", "--quiet"], stdin=saving.stdout, env=environ, check=True)
        yield daemon
    finally:
        daemon.stop()
        _ip("link", "delete", _BRIDGE)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=False, capture_output=True)


def _processes_of(place: Path) -> list[int]:
    """containerd and its shims name the daemon's directories."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if f"{place}/exec".encode() in line and b"containerd" in line:
            found.append(int(entry.name))
    return found

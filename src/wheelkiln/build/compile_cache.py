"""Cleaning the compile cache by ccache itself, in a container of an image that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.cache.settings import CCACHE_MOUNT
from wheelkiln.image.memory import ImageMemory
from wheelkiln.system.engine import ContainerEngine, ContainerUser, join_fields
from wheelkiln.system.host import HostFacts
from wheelkiln.system.image_store import ImageStore

__all__ = ["CompileCacheCleaner", "find_cleaner"]


@dataclass(frozen=True, slots=True)
class CompileCacheCleaner:
    """ccache in a container: it alone knows how to remove entries while builds use them."""

    engine: ContainerEngine
    host: HostFacts
    image: str
    max_size: str

    def clean(self, directory: Path, arguments: Sequence[str], *, as_root: bool) -> str:
        """Run ccache on a directory, as the user to whom its entries belong; return the reason where that fails."""
        user = ContainerUser(("--user=0:0",), None) if as_root else self.engine.user_for(self.host)
        mount = join_fields("type=bind", f"source={directory}", f"target={CCACHE_MOUNT}")
        limits = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
        environment = (f"--env=CCACHE_DIR={CCACHE_MOUNT}", f"--env=CCACHE_MAXSIZE={self.max_size}")
        argv = ["run", "--rm", *user.create_args, *limits, f"--mount={mount}", *environment, self.image]
        done = self.engine.run(*argv, "ccache", *arguments)
        return "" if done.ok else done.last_line


def find_cleaner(
    engine: ContainerEngine, host: HostFacts, cache_root: Path, max_size: str
) -> CompileCacheCleaner | None:
    """Return a cleaner with an image that this machine runs and the engine has; None without one."""
    store = ImageStore(engine)
    for reference in ImageMemory(cache_root).known_references(engine.name):
        image = store.find(reference)
        if image is not None and image.arch == host.machine:
            return CompileCacheCleaner(engine, host, reference, max_size)
    return None

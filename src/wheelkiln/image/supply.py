"""One image on several engines: made or pulled once, at its home, and copied to the others that need it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wheelkiln.errors import EnvironmentProblem
from wheelkiln.image.provide import BuiltImage
from wheelkiln.image.registry import Answer, Registry
from wheelkiln.image.transfer import copy_image, has_same
from wheelkiln.system.engine import ContainerEngine
from wheelkiln.system.image_store import ImageStore, LocalImage

__all__ = ["HomeImage", "ImageSupply"]


@dataclass(frozen=True, slots=True)
class HomeImage:
    """An image where it was made; pushed is the name that it may have in a registry, empty without one."""

    built: BuiltImage
    engine: ContainerEngine
    arch: str
    pushed: str = ""


class ImageSupply:
    """Brings images, which homes has by reference, to engines; threads may ask for the same one at once.

    remake makes an image on an engine where its home is gone, and returns what is then there.
    """

    def __init__(
        self,
        homes: Mapping[str, HomeImage],
        cache_dir: Path,
        say: Callable[[str], None],
        remake: Callable[[str, ContainerEngine], BuiltImage],
    ) -> None:
        self._homes, self._cache_dir, self._say, self._remake = dict(homes), cache_dir, say, remake
        self._contents: dict[str, LocalImage | None] = {}
        self._there: dict[tuple[str, str], str] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def look(self) -> None:
        """Take down what the homes have: from then on an image is known even when its home is gone."""
        found = {name: ImageStore(home.engine).find(home.built.reference) for name, home in self._homes.items()}
        self._contents = found

    def bring(self, name: str, engine: ContainerEngine) -> str:
        """Make sure that an engine has an image; return the digest that stands for its content in keys.

        Raise EnvironmentProblem with the reason where that fails.
        """
        with self._guard:
            lock = self._locks[engine.host]
        with lock:
            known = self._there.get((name, engine.host))
            if known is None:
                known = self._there[name, engine.host] = self._bring(name, engine)
            return known

    def _bring(self, name: str, engine: ContainerEngine) -> str:
        home, content = self._homes[name], self._contents[name]
        if home.engine.host == engine.host:
            return home.built.digest
        if content is not None and (has_same(engine, content) or self._pull(home, content, engine)):
            return home.built.digest
        if content is None or not home.engine.answers():
            self._say(f"{home.built.reference} is gone with {home.engine.host or 'this machine'}, so it is made again")
            return self._remake(name, engine).digest
        copy_image(content, home.engine, engine, cache_dir=self._cache_dir, say=self._say)
        return home.built.digest

    def _pull(self, home: HomeImage, content: LocalImage, engine: ContainerEngine) -> bool:
        """Take it from the registry that it was pushed to, where that has this very image."""
        if not home.pushed:
            return False
        try:
            answer, _ = Registry(engine).pull(home.pushed, home.arch, home.built.reference)
        except EnvironmentProblem:
            return False
        return answer is Answer.PULLED and has_same(engine, content)

"""Builds that run in place: the place instead of images, and the program that cibuildwheel takes for an engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wheelkiln.build.outcome import Event, Said
from wheelkiln.build.request import BuildRequest, container_network_environment
from wheelkiln.image.in_place import PlaceProvider
from wheelkiln.image.provide import BuiltImage
from wheelkiln.system.engine import EngineName
from wheelkiln.system.in_place import program_directory
from wheelkiln.system.in_place_facts import PlaceFacts

__all__ = ["engine_environment", "hint_in_place", "provide_place"]


def provide_place(
    request: BuildRequest, place: PlaceFacts, emit: Callable[[Event], None], log: Callable[[str], None]
) -> tuple[BuiltImage, ...]:
    """Make the place of all jobs ready."""

    def environ() -> Mapping[str, str]:
        bundle = {"SSL_CERT_FILE": str(request.host.ca_bundle)} if request.host.ca_bundle else {}
        return {**request.host.environ, **bundle, **container_network_environment(request)}

    provider = PlaceProvider(request.engine, request.cache_root, environ, lambda text: emit(Said(text)), log)
    return tuple(provider.provide(name, place) for name in request.plan.image_names())


def engine_environment(request: BuildRequest, path: str) -> dict[str, str]:
    """Return what lets cibuildwheel find its engine; path is the PATH that it would have.

    Its own cache lies among ours: in a container of a CI system the user may have no home.
    """
    if request.engine.name is not EngineName.NONE:
        return {}
    cache = request.variables.get("CIBW_CACHE_PATH", str(request.cache_root / "cibuildwheel"))
    return {"CIBW_CACHE_PATH": cache, "PATH": f"{program_directory()}:{path}"}


def hint_in_place(request: BuildRequest, hint: str) -> str:
    """Return a failure's hint; one that would change the image says how it is done where there is none to change."""
    if request.place is None or not re.search(r"image\.packages|container\.user", hint):
        return hint
    where = "use an image that has it" if request.place.is_image else "install it on this machine"
    return f"{hint} In place those settings have no effect: {where}."

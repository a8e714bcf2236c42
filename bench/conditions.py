"""The circumstances under which the same inputs have to give the same wheel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CONDITIONS", "Condition"]

_PODMAN_SETTINGS = Path(__file__).parent.parent / "tests" / "container" / "containers.conf"


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of building: who, where and how.

    cache names the directory of the caches, which conditions may share; elsewhere builds from a copy in a directory
    with a long name; uid 0 is the invoking user.
    """

    name: str
    cache: str
    options: tuple[str, ...] = ()
    engine: str = "docker"
    umask: int = 0o022
    uid: int = 0
    elsewhere: bool = False
    variables: dict[str, str] = field(default_factory=dict)


CONDITIONS = (
    Condition("cold", "first", ("--jobs=1",)),
    Condition("warm", "first", ("--jobs=1", "--fresh")),
    Condition("another checkout", "first", ("--jobs=1", "--fresh"), elsewhere=True),
    Condition("umask 077", "first", ("--jobs=1", "--fresh"), umask=0o077, elsewhere=True),
    Condition(
        "locale, time zone",
        "first",
        ("--jobs=1", "--fresh"),
        variables={"TZ": "Pacific/Kiritimati", "LANG": "de_DE.UTF-8", "LC_ALL": "C", "PYTHONHASHSEED": "77"},
    ),
    Condition("side by side, cold", "second", ("--jobs=2",)),
    Condition("another user, cold", "third", ("--jobs=1",), uid=12345, umask=0o002, elsewhere=True),
    Condition(
        "podman, cold",
        "fourth",
        ("--jobs=1",),
        engine="podman",
        variables={} if Path("/run/systemd/system").is_dir() else {"CONTAINERS_CONF": str(_PODMAN_SETTINGS)},
    ),
)

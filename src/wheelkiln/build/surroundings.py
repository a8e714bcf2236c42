"""What a build could learn of where it runs, and is told the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["SURROUNDINGS", "host_name_args"]

SURROUNDINGS: Mapping[str, str] = MappingProxyType(
    {
        "LOGNAME": "builder",
        "PYTHONHASHSEED": "0",
        "TZ": "UTC",
        "USER": "builder",
    }
)
"""Variables of a job's container; the project's own of the same names win.

Without a hash seed, Python gives sets of strings another order in each process, and code generators write them as they
come. The names stand for users of other numbers, whom the image has no entry of. The locale is the image's.
"""
_HOST_NAME = "wheelkiln"


def host_name_args(network: str) -> list[str]:
    """Return the argument of ``create`` for a name of the host that is not the container's own, which is random.

    A container that shares another one's network has that one's name (docker-run(1)).
    """
    return [] if network.startswith(("container:", "ns:")) else [f"--hostname={_HOST_NAME}"]

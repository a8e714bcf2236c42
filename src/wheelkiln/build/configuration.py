"""Whether two runs were configured alike: a digest of the settings that reach wheels."""

from __future__ import annotations

import hashlib
import json

from wheelkiln.build.request import BuildRequest
from wheelkiln.build.variant_label import properties_of

__all__ = ["digest_configuration"]

_SELECTING = {"python", "arch", "libc", "variants"}
_MACHINES_OWN = {"jobs", "cache", "hosts", "index", "find_links", "verify"}
_OF_THE_MAKING = {"repository", "cache_from", "builder", "attestations", "mirror", "download_mirror", "labels"}


def digest_configuration(request: BuildRequest) -> str:
    """Return a digest of what is configured for all jobs of an edition, wherever they are built.

    What selects jobs, what says how a machine works, and how its images are made and kept is left out: shards of one
    plan may differ in it.
    """
    config = request.config.model_dump(mode="json", exclude={*_SELECTING, *_MACHINES_OWN})
    config["image"] = {key: value for key, value in config["image"].items() if key not in _OF_THE_MAKING}
    parts = {
        "labels": {name: properties_of(it) for name, it in request.config.variants.items() if it.label},
        "config": config,
        "variant": request.variant.model_dump(mode="json", exclude={"arch", "index", "find_links"}),
        "project": request.settings.table,
        "variables": dict(request.variables),
        "tests": request.tests,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

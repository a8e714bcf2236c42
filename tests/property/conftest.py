"""How long an example takes says more of the machine than of the code: there is no deadline."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("wheelkiln", deadline=None)
settings.load_profile("wheelkiln")

"""A short run of the chaos harness: the tool and containers are killed, on the machine's own engine."""

from __future__ import annotations

import random

import pytest

from tests.chaos.engines import Engine
from tests.chaos.harness import Chaos
from tests.container.conftest import Tool


@pytest.mark.any_engine(but=())
def test_nothing_is_lost_built_twice_or_left_behind(tool: Tool) -> None:
    rng = random.Random(5)  # noqa: S311 - kills need no secrecy
    chaos = Chaos(tool.place, tool.cache, Engine(tool.engine), rng, pythons=("cp312", "cp313"))
    chaos.warm_up()
    tally = chaos.disturb(4)
    assert tally.faults == [], tally.as_text()
    assert tally.kills.total() == 4
    assert tally.wheels >= 4

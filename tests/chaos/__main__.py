"""The long run, by hand: python -m tests.chaos --kills 100 --place /var/tmp/chaos.

It needs root, for a second dockerd that is killed, too, and about twenty minutes on two cores.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.chaos.engines import Engine, own_dockerd
from tests.chaos.harness import Chaos


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill builds at random, go on, and look what was lost.")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--place", type=Path, required=True, help="Directory for everything; its path must be short.")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--no-engine", action="store_true", help="Kill no engine, and start none.")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # the second engine is ended, too
    print(f"seed {options.seed}", flush=True)
    options.place.mkdir(parents=True)
    rng = random.Random(options.seed)  # noqa: S311 - kills need no secrecy
    chaos = Chaos(options.place, options.place / "cache", Engine(), rng, say=lambda text: print(text, flush=True))
    images = chaos.warm_up()
    try:
        if options.no_engine:
            chaos.disturb(options.kills)
        else:
            with own_dockerd(options.place / "d", images) as dockerd:
                replace(chaos, engine=dockerd.engine, dockerd=dockerd).disturb(options.kills)
    finally:
        print(chaos.tally.as_text(), flush=True)
    return 1 if chaos.tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())

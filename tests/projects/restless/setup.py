"""Never builds the same wheel twice; the file fault names what it builds in."""

import json
import tempfile
import time
import uuid
from pathlib import Path

from setuptools import Extension, setup

FAULTS = {
    "timestamp": lambda: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time_ns() / 1e9)),
    "random": lambda: str(uuid.uuid4()),
    "path": lambda: tempfile.mkdtemp(prefix="build-") + "/kernel.c",
}

made = FAULTS[Path("fault").read_text().strip()]()
setup(
    packages=["restless"],
    package_dir={"": "src"},
    ext_modules=[Extension("restless._kernel", ["csrc/kernel.c"], define_macros=[("MADE", json.dumps(made))])],
)

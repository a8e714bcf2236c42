"""Let a build frontend start its backend in the environment that was made for the job.

build and pip run a backend with ``sys.executable`` when they isolate nothing (``--no-isolation``,
``--no-build-isolation``). Here that is the interpreter of the environment at the fixed path, where there is one: so the
backend sees the locked requirements alone, as in an isolated build, and the frontend keeps its own packages.
A .pth file of each interpreter imports this module (site: .pth files).
"""

import os
import sys

_PYTHON = "/tmp/wheelkiln/env/bin/python"

if sys.orig_argv[1:3] in (["-m", "build"], ["-m", "pip"]) and os.access(_PYTHON, os.X_OK):
    sys.executable = _PYTHON

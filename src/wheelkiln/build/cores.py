"""What a job is told about the cores that it may use: variables for its container, and the jobserver's mount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wheelkiln.build.cibuildwheel_config import ReadOnlyMount
from wheelkiln.system.jobserver import FIFO_NAME

__all__ = ["COUNT_VARIABLES", "Cores"]

JOBSERVER_MOUNT = PurePosixPath("/opt/wheelkiln/mnt/jobserver")
COUNT_VARIABLES = (
    "CARGO_BUILD_JOBS",  # cargo: build.jobs
    "CMAKE_BUILD_PARALLEL_LEVEL",  # cmake --build, so scikit-build-core and most setup.py that call CMake
    "MAX_JOBS",  # torch.utils.cpp_extension, and setup.py of projects around it
    "NPY_NUM_BUILD_JOBS",  # numpy.distutils, pybind11.setup_helpers.ParallelCompile
)
"""Variables that build systems read a number of compilers from."""


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of one job. None of this reaches a wheel, so it is in no job's key.

    The project's own values of the same variables win: cibuildwheel sets them later, in the container.
    count is how many it may use, None to leave it to the build system. jobserver is the host's directory of the fifo
    that it takes cores from instead; budget is how many there are in all.
    """

    count: int | None = None
    jobserver: Path | None = None
    budget: int = 1

    def environment(self, directory: PurePosixPath = JOBSERVER_MOUNT) -> Mapping[str, str]:
        """Return the container's variables; directory is where it sees the jobserver.

        A number as well as the jobserver would make ninja and make leave the jobserver alone. The first word of
        MAKEFLAGS has options without a dash (GNU make manual: options/recursion), so it is left empty.
        """
        if self.jobserver is not None:
            return {"MAKEFLAGS": f" -j{self.budget} --jobserver-auth=fifo:{directory / FIFO_NAME}"}
        return {} if self.count is None else dict.fromkeys(COUNT_VARIABLES, str(self.count))

    @property
    def mounts(self) -> tuple[ReadOnlyMount, ...]:
        """The jobserver's directory: a fifo can be written to where nothing can be made or removed."""
        return () if self.jobserver is None else (ReadOnlyMount(PurePosixPath(self.jobserver), JOBSERVER_MOUNT),)

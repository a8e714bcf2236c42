"""One wheel for CPython 3.11 and later, another for 3.10: the stable ABI."""

import sys

from setuptools import Extension, setup

limited = sys.version_info >= (3, 11)
setup(
    name="stable-kernel",
    version="2.0",
    ext_modules=[
        Extension(
            "stable_kernel",
            ["csrc/kernel.c"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
            py_limited_api=limited,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if limited else {},
)

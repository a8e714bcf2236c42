"""Compiles for every Python but 3.12, where a header is missing."""

import sys

from setuptools import Extension, setup

macros = [("MISSING_HEADER", "1")] if sys.version_info[:2] == (3, 12) else []
setup(
    name="broken-kernel",
    version="0.1",
    ext_modules=[Extension("broken_kernel", ["csrc/kernel.c"], define_macros=macros)],
)

"""Dot products compiled for one machine-code level: the last part of this package's name.

The import fails with an ImportError, and with nothing worse, on a processor that lacks the level.
"""

from . import _cpu

_cpu.check(__name__.rpartition(".")[2])

from ._dot import LEVEL, dot_bf16, dot_f32, dot_i8  # noqa: E402 - its first instruction may be one of the level

__all__ = ["LEVEL", "compiled_level", "dot_bf16", "dot_f32", "dot_i8"]


def compiled_level():
    """Tell the level that the extension was compiled for."""
    return LEVEL

"""wheelkiln: fast, cached, verified C and C++ Python wheels; a thin layer over cibuildwheel."""

__version__ = "0.1.0"
__all__ = ["__version__"]

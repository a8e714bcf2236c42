"""Batches of small matrices, Fourier transforms and moving medians, over array.array or any other buffer.

Results are array.array of the input's type. Complex numbers are pairs of real ones: of a numpy array of them,
``values.view(float)`` is such a buffer.
"""

from array import array

from shared_core import _binding

__all__ = ["determinant", "invert", "moving_median", "multiply", "transform"]


def multiply(left, right, size, *, pairs=False):
    """Multiply size x size matrices, each of left with its neighbour in right; size is 1 to 14."""
    product = _zeros_like(left)
    _binding.matrices("multiply", size, pairs, left, right, product)
    return product


def determinant(matrices, size, *, pairs=False):
    """Return the determinant of each size x size matrix."""
    view = memoryview(matrices)
    determinants = _zeros(view, view.nbytes // view.itemsize // (size * size))
    _binding.matrices("determinant", size, pairs, matrices, matrices, determinants)
    return determinants


def invert(matrices, size, *, pairs=False):
    """Return the inverse of each size x size matrix; raise ValueError when there is one without."""
    inverses = _zeros_like(matrices)
    if not _binding.matrices("invert", size, pairs, matrices, matrices, inverses):
        raise ValueError("a matrix has no inverse")
    return inverses


def transform(pairs, *, inverse=False):
    """Return the discrete Fourier transform of complex numbers; their count is a power of two up to 16384."""
    view = memoryview(pairs)
    result = array(view.format, view.tobytes())
    _binding.transform(result, inverse)
    return result


def moving_median(values, window):
    """Return the median of each window neighbours; window is odd, 3 to 63."""
    view = memoryview(values)
    medians = _zeros(view, max(0, view.nbytes // view.itemsize - window + 1))
    _binding.moving_median(window, values, medians)
    return medians


def _zeros_like(values):
    view = memoryview(values)
    return _zeros(view, view.nbytes // view.itemsize)


def _zeros(view, count):
    return array(view.format, bytes(count * view.itemsize))

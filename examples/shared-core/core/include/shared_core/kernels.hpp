// What the core offers. It knows nothing of Python: a C++ program can link it as it is.
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>

namespace shared_core {

constexpr std::size_t largest_matrix = 14;
constexpr std::size_t largest_window = 63;
constexpr std::size_t largest_transform = 16384;

// Matrices are n x n, row by row, `count` of them one after the other; n is at most largest_matrix.
template <typename T>
void multiply(std::size_t n, const T* left, const T* right, T* product, std::size_t count);

template <typename T>
void determinant(std::size_t n, const T* matrices, T* determinants, std::size_t count);

// False when one of the matrices has no inverse.
template <typename T>
bool invert(std::size_t n, const T* matrices, T* inverses, std::size_t count);

// The discrete Fourier transform, in place; n is a power of two and at most largest_transform. The inverse divides by n.
template <typename T>
void transform(std::size_t n, std::complex<T>* values, bool inverse);

// The median of each `window` neighbours: count - window + 1 results; window is odd and at most largest_window.
template <typename T>
void moving_median(std::size_t window, const T* values, T* medians, std::size_t count);

}  // namespace shared_core

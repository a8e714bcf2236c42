// Small square matrices of one size, with every loop unrolled when it is compiled.
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <utility>

#include "dispatch.hpp"
#include "shared_core/kernels.hpp"

namespace shared_core {

template <typename T, std::size_t n>
struct Matrix {
    T rows[n][n];

    static Matrix read(const T* from) {
        Matrix matrix;
        for (std::size_t row = 0; row < n; ++row)
            for (std::size_t column = 0; column < n; ++column) matrix.rows[row][column] = from[row * n + column];
        return matrix;
    }

    void write(T* to) const {
        for (std::size_t row = 0; row < n; ++row)
            for (std::size_t column = 0; column < n; ++column) to[row * n + column] = rows[row][column];
    }
};

// Complex multiplication without the checks for infinities that std::complex makes.
template <typename T>
T times(T left, T right) {
    return left * right;
}

template <typename T>
std::complex<T> times(std::complex<T> left, std::complex<T> right) {
    return {left.real() * right.real() - left.imag() * right.imag(),
            left.real() * right.imag() + left.imag() * right.real()};
}

template <typename T, std::size_t n, std::size_t... inner>
T dot(const T (&row)[n], const Matrix<T, n>& right, std::size_t column, std::index_sequence<inner...>) {
    return (times(row[inner], right.rows[inner][column]) + ...);
}

template <typename T, std::size_t n, std::size_t... cell>
void multiply_cells(const T* left, const Matrix<T, n>& right, T* product, std::index_sequence<cell...>) {
    const auto matrix = Matrix<T, n>::read(left);
    ((product[cell] = dot(matrix.rows[cell / n], right, cell % n, std::make_index_sequence<n>{})), ...);
}

// One step of Gauss's elimination with a pivot, for the column that is known at compile time. The matrix on the right is
// carried along; false when there is no pivot.
template <std::size_t column, typename T, std::size_t n, std::size_t width>
bool eliminate(T (&rows)[n][width], T& determinant) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < n; ++row)
        if (std::abs(rows[row][column]) > std::abs(rows[pivot][column])) pivot = row;
    determinant = times(determinant, rows[pivot][column]);
    if (rows[pivot][column] == T(0)) return false;
    if (pivot != column) {
        determinant = -determinant;
        for (std::size_t place = 0; place < width; ++place) std::swap(rows[pivot][place], rows[column][place]);
    }
    const T scale = T(1) / rows[column][column];
    for (std::size_t place = column; place < width; ++place) rows[column][place] = times(rows[column][place], scale);
    for (std::size_t row = width > n ? 0 : column + 1; row < n; ++row) {
        if (row == column) continue;
        const T factor = rows[row][column];
        for (std::size_t place = column; place < width; ++place)
            rows[row][place] -= times(factor, rows[column][place]);
    }
    return true;
}

template <typename T, std::size_t n, std::size_t width, std::size_t... column>
bool eliminate_all(T (&rows)[n][width], T& determinant, std::index_sequence<column...>) {
    return (eliminate<column>(rows, determinant) && ...);
}

template <typename T>
struct MatrixKernels {
    template <std::size_t n>
    struct Multiply {
        static void run(const T* left, const T* right, T* product, std::size_t count) {
            for (std::size_t done = 0; done < count; ++done, left += n * n, right += n * n, product += n * n)
                multiply_cells(left, Matrix<T, n>::read(right), product, std::make_index_sequence<n * n>{});
        }
    };

    template <std::size_t n>
    struct Determinant {
        static void run(const T* matrices, T* determinants, std::size_t count) {
            for (std::size_t done = 0; done < count; ++done, matrices += n * n) {
                auto matrix = Matrix<T, n>::read(matrices);
                determinants[done] = T(1);
                eliminate_all(matrix.rows, determinants[done], std::make_index_sequence<n>{});
            }
        }
    };

    template <std::size_t n>
    struct Invert {
        static bool run(const T* matrices, T* inverses, std::size_t count) {
            bool good = true;
            for (std::size_t done = 0; done < count; ++done, matrices += n * n, inverses += n * n) {
                T rows[n][2 * n] = {};
                for (std::size_t row = 0; row < n; ++row) {
                    for (std::size_t column = 0; column < n; ++column) rows[row][column] = matrices[row * n + column];
                    rows[row][n + row] = T(1);
                }
                T unused(1);
                good = eliminate_all(rows, unused, std::make_index_sequence<n>{}) && good;
                for (std::size_t row = 0; row < n; ++row)
                    for (std::size_t column = 0; column < n; ++column) inverses[row * n + column] = rows[row][n + column];
            }
            return good;
        }
    };
};

template <typename T>
void multiply(std::size_t n, const T* left, const T* right, T* product, std::size_t count) {
    kernel_table<MatrixKernels<T>::template Multiply, 1, 1, largest_matrix>[n - 1](left, right, product, count);
}

template <typename T>
void determinant(std::size_t n, const T* matrices, T* determinants, std::size_t count) {
    kernel_table<MatrixKernels<T>::template Determinant, 1, 1, largest_matrix>[n - 1](matrices, determinants, count);
}

template <typename T>
bool invert(std::size_t n, const T* matrices, T* inverses, std::size_t count) {
    return kernel_table<MatrixKernels<T>::template Invert, 1, 1, largest_matrix>[n - 1](matrices, inverses, count);
}

}  // namespace shared_core

// Fourier transforms of one size: each size is made of two of half the size, when it is compiled.
#pragma once

#include <algorithm>
#include <complex>
#include <cstddef>
#include <utility>
#include <vector>

#include "dispatch.hpp"
#include "shared_core/kernels.hpp"

namespace shared_core {

// e^(i * angle) by its series, because the functions of <cmath> are not constexpr; |angle| <= pi.
constexpr std::pair<double, double> unit_circle(double angle) {
    double cosine = 0, sine = 0, term = 1;
    for (int power = 0; power < 40; ++power) {
        double& sum = power % 2 == 0 ? cosine : sine;
        sum += power % 4 < 2 ? term : -term;
        term *= angle / (power + 1);
    }
    return {cosine, sine};
}

constexpr std::size_t exponent_of(std::size_t power_of_two) {
    std::size_t exponent = 0;
    while ((std::size_t{1} << exponent) < power_of_two) ++exponent;
    return exponent;
}

constexpr double pi = 3.14159265358979323846;

template <typename T, std::size_t n>
struct Roots {
    T real[n / 2] = {};
    T imag[n / 2] = {};

    constexpr Roots() {
        for (std::size_t index = 0; index < n / 2; ++index) {
            const auto [cosine, sine] = unit_circle(2 * pi * static_cast<double>(index) / static_cast<double>(n));
            real[index] = static_cast<T>(cosine);
            imag[index] = static_cast<T>(-sine);
        }
    }
};

constexpr std::size_t largest_unrolled = 64;

template <typename T, std::size_t n>
constexpr Roots<T, n> roots{};

template <typename T>
void butterfly(std::complex<T>& even, std::complex<T>& odd, T real, T imag) {
    const std::complex<T> turned{odd.real() * real - odd.imag() * imag, odd.real() * imag + odd.imag() * real};
    odd = even - turned;
    even += turned;
}

template <typename T, std::size_t n, std::size_t... index>
void butterflies(std::complex<T>* out, std::index_sequence<index...>) {
    (butterfly(out[index], out[n / 2 + index], roots<T, n>.real[index], roots<T, n>.imag[index]), ...);
}

// Read n values that lie `stride` apart, write their transform to out.
template <typename T, std::size_t n, std::size_t stride>
void step(const std::complex<T>* in, std::complex<T>* out) {
    if constexpr (n == 1) {
        *out = *in;
    } else {
        step<T, n / 2, 2 * stride>(in, out);
        step<T, n / 2, 2 * stride>(in + stride, out + n / 2);
        if constexpr (n <= largest_unrolled) {
            butterflies<T, n>(out, std::make_index_sequence<n / 2>{});
        } else {
            for (std::size_t index = 0; index < n / 2; ++index)
                butterfly(out[index], out[n / 2 + index], roots<T, n>.real[index], roots<T, n>.imag[index]);
        }
    }
}

template <typename T>
struct FourierKernels {
    template <std::size_t exponent>
    struct Transform {
        static void run(const std::complex<T>* in, std::complex<T>* out) {
            step<T, std::size_t{1} << exponent, 1>(in, out);
        }
    };
};

template <typename T>
void transform(std::size_t n, std::complex<T>* values, bool inverse) {
    constexpr auto last = exponent_of(largest_transform);
    const std::vector<std::complex<T>> in(values, values + n);
    kernel_table<FourierKernels<T>::template Transform, 0, 1, last>[exponent_of(n)](in.data(), values);
    if (!inverse) return;
    // The inverse is the transform of the same values with their order turned round.
    std::reverse(values + 1, values + n);
    for (std::size_t index = 0; index < n; ++index) values[index] /= static_cast<T>(n);
}

}  // namespace shared_core

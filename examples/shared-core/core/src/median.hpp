// Medians of one window size, by a sorting network that is laid out when it is compiled: no branch depends on a value.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "dispatch.hpp"
#include "shared_core/kernels.hpp"

namespace shared_core {

struct Comparator {
    std::size_t low = 0;
    std::size_t high = 0;
};

// Batcher's merge exchange (Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M).
template <typename Visit>
constexpr void visit_network(std::size_t n, Visit visit) {
    std::size_t top = 1;
    while (top * 2 < n) top *= 2;
    for (std::size_t pass = top; pass > 0; pass /= 2) {
        std::size_t next = top, rest = 0, distance = pass;
        while (true) {
            for (std::size_t low = 0; low + distance < n; ++low)
                if ((low & pass) == rest) visit(Comparator{low, low + distance});
            if (next == pass) break;
            distance = next - pass;
            next /= 2;
            rest = pass;
        }
    }
}

template <std::size_t n>
constexpr std::size_t count_comparators() {
    std::size_t count = 0;
    visit_network(n, [&count](Comparator) { ++count; });
    return count;
}

template <std::size_t n>
constexpr auto make_network() {
    std::array<Comparator, count_comparators<n>()> network{};
    std::size_t place = 0;
    visit_network(n, [&](Comparator comparator) { network[place++] = comparator; });
    return network;
}

template <std::size_t n>
constexpr auto network = make_network<n>();

template <typename T>
void sort_pair(T& low, T& high) {
    const T smaller = high < low ? high : low;
    high = high < low ? low : high;
    low = smaller;
}

template <std::size_t n, typename T, std::size_t... step>
void sort_all(T (&values)[n], std::index_sequence<step...>) {
    (sort_pair(values[network<n>[step].low], values[network<n>[step].high]), ...);
}

template <typename T>
struct MedianKernels {
    template <std::size_t window>
    struct Median {
        static void run(const T* values, T* medians, std::size_t count) {
            for (std::size_t place = 0; place + window <= count; ++place) {
                T sorted[window];
                std::copy_n(values + place, window, sorted);
                sort_all(sorted, std::make_index_sequence<count_comparators<window>()>{});
                medians[place] = sorted[window / 2];
            }
        }
    };
};

template <typename T>
void moving_median(std::size_t window, const T* values, T* medians, std::size_t count) {
    kernel_table<MedianKernels<T>::template Median, 3, 2, largest_window>[(window - 3) / 2](values, medians, count);
}

}  // namespace shared_core

// From a size that is known at run time to the kernel that was compiled for it.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

namespace shared_core {

// Kernel<size>::run for the sizes first, first + step, ... as a table of functions.
template <template <std::size_t> class Kernel, std::size_t first, std::size_t step, std::size_t... index>
constexpr auto make_table(std::index_sequence<index...>) {
    return std::array{&Kernel<first + step * index>::run...};
}

template <template <std::size_t> class Kernel, std::size_t first, std::size_t step, std::size_t last>
constexpr auto kernel_table = make_table<Kernel, first, step>(std::make_index_sequence<(last - first) / step + 1>{});

}  // namespace shared_core

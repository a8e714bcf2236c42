#include "median.hpp"

template void shared_core::moving_median<std::uint8_t>(std::size_t, const std::uint8_t*, std::uint8_t*, std::size_t);

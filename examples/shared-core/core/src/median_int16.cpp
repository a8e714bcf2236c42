#include "median.hpp"

template void shared_core::moving_median<std::int16_t>(std::size_t, const std::int16_t*, std::int16_t*, std::size_t);

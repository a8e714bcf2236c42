#include "median.hpp"

template void shared_core::moving_median<std::int32_t>(std::size_t, const std::int32_t*, std::int32_t*, std::size_t);

#include "median.hpp"

template void shared_core::moving_median<float>(std::size_t, const float*, float*, std::size_t);

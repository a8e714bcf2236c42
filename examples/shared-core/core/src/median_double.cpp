#include "median.hpp"

template void shared_core::moving_median<double>(std::size_t, const double*, double*, std::size_t);

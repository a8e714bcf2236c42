#include "fourier.hpp"

template void shared_core::transform<double>(std::size_t, std::complex<double>*, bool);

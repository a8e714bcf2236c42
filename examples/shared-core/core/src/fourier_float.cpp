#include "fourier.hpp"

template void shared_core::transform<float>(std::size_t, std::complex<float>*, bool);

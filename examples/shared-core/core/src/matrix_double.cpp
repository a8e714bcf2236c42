#include "matrix.hpp"

using Number = double;

template void shared_core::multiply(std::size_t, const Number*, const Number*, Number*, std::size_t);
template void shared_core::determinant(std::size_t, const Number*, Number*, std::size_t);
template bool shared_core::invert(std::size_t, const Number*, Number*, std::size_t);

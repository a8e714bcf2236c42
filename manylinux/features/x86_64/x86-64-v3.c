// flags: -march=x86-64-v3
// which needs gcc >= 11 or clang >= 12
#include <immintrin.h>

__m256 test(__m256 a, __m256 b, __m256 c) { return _mm256_fmadd_ps(a, b, c); }

// flags: -march=x86-64-v4
// which needs gcc >= 11 or clang >= 12
#include <immintrin.h>

__m512d test(__m512d a, __m512d b) { return _mm512_add_pd(a, b); }

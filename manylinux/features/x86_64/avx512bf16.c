// flags: -mavx512bf16 -mavx512vl
// which needs gcc >= 10 or clang >= 9
#include <immintrin.h>

__m512 test(__m512 s, __m512bh a, __m512bh b) { return _mm512_dpbf16_ps(s, a, b); }

// flags: -mavx512fp16 -mavx512vl
// which needs gcc >= 12 or clang >= 14
#include <immintrin.h>

__m512h test(__m512h a, __m512h b, __m512h c) { return _mm512_fmadd_ph(a, b, c); }

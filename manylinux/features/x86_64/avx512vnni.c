// flags: -mavx512vnni -mavx512vl
// which needs gcc >= 8 or clang >= 6
#include <immintrin.h>

__m512i test(__m512i s, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(s, a, b); }

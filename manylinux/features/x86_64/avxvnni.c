// flags: -mavxvnni
// which needs gcc >= 11 or clang >= 12
#include <immintrin.h>

__m256i test(__m256i s, __m256i a, __m256i b) { return _mm256_dpbusd_avx_epi32(s, a, b); }

#if defined(__x86_64__)

#include "kernels.hpp"

#include <immintrin.h>

#if defined(__AMX_TILE__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace simd_dot {

#if defined(__AVX512F__)

float dot_f32(const float* a, const float* b, std::size_t n) {
    __m512 sum = _mm512_setzero_ps();
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum);
    const __mmask16 rest = static_cast<__mmask16>((1u << (n - i)) - 1);
    sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, a + i), _mm512_maskz_loadu_ps(rest, b + i), sum);
    return _mm512_reduce_add_ps(sum);
}

#else

static float sum_of(__m256 lanes) {
    alignas(32) float parts[8];
    _mm256_store_ps(parts, lanes);
    float sum = 0;
    for (float part : parts) sum += part;
    return sum;
}

float dot_f32(const float* a, const float* b, std::size_t n) {
    __m256 lanes = _mm256_setzero_ps();
    std::size_t i = 0;
    for (; i + 8 <= n; i += 8) lanes = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), lanes);
    float sum = sum_of(lanes);
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

#endif

#if defined(__AVX512VNNI__)

// VPDPBUSD multiplies unsigned by signed bytes: a + 128 is unsigned, and 128 * sum(b) too much.
std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512(), sum_b = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 64) {
        const __mmask64 here = n - i >= 64 ? ~0ull : (1ull << (n - i)) - 1;
        const __m512i left = _mm512_maskz_loadu_epi8(here, a + i), right = _mm512_maskz_loadu_epi8(here, b + i);
        sum = _mm512_dpbusd_epi32(sum, _mm512_xor_si512(left, flip), right);
        sum_b = _mm512_dpbusd_epi32(sum_b, ones, right);
    }
    return _mm512_reduce_add_epi32(sum) - 128 * _mm512_reduce_add_epi32(sum_b);
}

#elif defined(__AVX512BW__)

std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
    __m512i sum = _mm512_setzero_si512();
    for (std::size_t i = 0; i < n; i += 32) {
        const __mmask32 here = n - i >= 32 ? ~0u : (1u << (n - i)) - 1;
        const __m512i left = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(here, a + i));
        const __m512i right = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(here, b + i));
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(left, right));
    }
    return _mm512_reduce_add_epi32(sum);
}

#else

std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
    __m256i lanes = _mm256_setzero_si256();
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256i left = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(a + i)));
        const __m256i right = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b + i)));
        lanes = _mm256_add_epi32(lanes, _mm256_madd_epi16(left, right));
    }
    alignas(32) std::int32_t parts[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(parts), lanes);
    std::int32_t sum = 0;
    for (std::int32_t part : parts) sum += part;
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

#endif

#if defined(__AMX_BF16__)

// One row of 32 operands times one column of 32: C has a single element. A tile's row is 64 bytes.
struct alignas(64) TileConfig {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
};

bool prepare() {
    constexpr long request_permission = 0x1023, tile_data = 18;  // arch_prctl(2): ARCH_REQ_XCOMP_PERM, XTILEDATA
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

float dot_bf16(const std::uint16_t* a, const std::uint16_t* b, std::size_t n) {
    TileConfig config;
    config.rows[0] = 1, config.row_bytes[0] = 4;    // C
    config.rows[1] = 1, config.row_bytes[1] = 64;   // A: 32 operands
    config.rows[2] = 16, config.row_bytes[2] = 4;   // B: 16 pairs
    _tile_loadconfig(&config);
    _tile_zero(0);
    std::size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        _tile_loadd(1, a + i, 64);
        _tile_loadd(2, b + i, 4);
        _tile_dpbf16ps(0, 1, 2);
    }
    alignas(64) std::uint16_t left[32] = {}, right[32] = {};
    std::memcpy(left, a + i, (n - i) * sizeof *a);
    std::memcpy(right, b + i, (n - i) * sizeof *b);
    _tile_loadd(1, left, 64);
    _tile_loadd(2, right, 4);
    _tile_dpbf16ps(0, 1, 2);
    float sum;
    _tile_stored(0, &sum, 4);
    _tile_release();
    return sum;
}

#else

bool prepare() { return true; }

#if defined(__AVX512BF16__)

float dot_bf16(const std::uint16_t* a, const std::uint16_t* b, std::size_t n) {
    __m512 sum = _mm512_setzero_ps();
    for (std::size_t i = 0; i < n; i += 32) {
        const __mmask32 here = n - i >= 32 ? ~0u : (1u << (n - i)) - 1;
        const __m512i left = _mm512_maskz_loadu_epi16(here, a + i), right = _mm512_maskz_loadu_epi16(here, b + i);
        sum = _mm512_dpbf16_ps(sum, (__m512bh)left, (__m512bh)right);
    }
    return _mm512_reduce_add_ps(sum);
}

#else

float dot_bf16(const std::uint16_t* a, const std::uint16_t* b, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += from_bf16(a[i]) * from_bf16(b[i]);
    return sum;
}

#endif
#endif

}  // namespace simd_dot

#endif

// Dot products. Each file behind this header is compiled for the level that the compiler flags ask for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// A level whose flags are missing would be an ordinary build under a promising name.
#if defined(SIMD_DOT_LEVEL_noavx512) && !(defined(__AVX2__) && defined(__FMA__) && !defined(__AVX512F__))
#error "noavx512 needs -march=x86-64-v3, and nothing above it"
#elif defined(SIMD_DOT_LEVEL_avx512) && !(defined(__AVX512F__) && defined(__AVX512BW__) && !defined(__AVX512VNNI__))
#error "avx512 needs -march=x86-64-v4, and nothing above it"
#elif defined(SIMD_DOT_LEVEL_avx512vnni) && !(defined(__AVX512VNNI__) && !defined(__AVX512BF16__))
#error "avx512vnni needs -march=x86-64-v4 -mavx512vnni, and nothing above it"
#elif defined(SIMD_DOT_LEVEL_avx512bf16) && !(defined(__AVX512BF16__) && !defined(__AMX_BF16__))
#error "avx512bf16 needs -march=x86-64-v4 -mavx512vnni -mavx512bf16, and nothing above it"
#elif defined(SIMD_DOT_LEVEL_amxbf16) && !(defined(__AMX_BF16__) && defined(__AMX_TILE__) && defined(__AVX512BF16__))
#error "amxbf16 needs the flags of avx512bf16, and -mamx-tile -mamx-bf16"
#elif defined(SIMD_DOT_LEVEL_neon) && !(defined(__ARM_NEON) && !defined(__ARM_FEATURE_DOTPROD))
#error "neon needs -march=armv8-a, and nothing above it"
#elif defined(SIMD_DOT_LEVEL_armbf16) && !(defined(__ARM_FEATURE_DOTPROD) && defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC))
#error "armbf16 needs -march=armv8.2-a+dotprod+bf16"
#endif

namespace simd_dot {

float dot_f32(const float* a, const float* b, std::size_t n);
std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t n);

// The operands are bfloat16: the upper halves of floats.
float dot_bf16(const std::uint16_t* a, const std::uint16_t* b, std::size_t n);

// Asks the kernel for what it gives on request only (AMX's tiles). False when it refuses.
bool prepare();

inline std::uint16_t to_bf16(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;            // not a number
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);  // to the nearest, ties to even
}

inline float from_bf16(std::uint16_t half) {
    const std::uint32_t bits = static_cast<std::uint32_t>(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace simd_dot

#if defined(__aarch64__)

#include "kernels.hpp"

#include <arm_neon.h>

namespace simd_dot {

bool prepare() { return true; }

float dot_f32(const float* a, const float* b, std::size_t n) {
    float32x4_t lanes = vdupq_n_f32(0);
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) lanes = vfmaq_f32(lanes, vld1q_f32(a + i), vld1q_f32(b + i));
    float sum = vaddvq_f32(lanes);
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

std::int32_t dot_i8(const std::int8_t* a, const std::int8_t* b, std::size_t n) {
    int32x4_t lanes = vdupq_n_s32(0);
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const int8x16_t left = vld1q_s8(a + i), right = vld1q_s8(b + i);
#if defined(__ARM_FEATURE_DOTPROD)
        lanes = vdotq_s32(lanes, left, right);
#else
        lanes = vpadalq_s16(lanes, vmull_s8(vget_low_s8(left), vget_low_s8(right)));
        lanes = vpadalq_s16(lanes, vmull_high_s8(left, right));
#endif
    }
    std::int32_t sum = vaddvq_s32(lanes);
    for (; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

float dot_bf16(const std::uint16_t* a, const std::uint16_t* b, std::size_t n) {
    float sum = 0;
    std::size_t i = 0;
#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
    float32x4_t lanes = vdupq_n_f32(0);
    for (; i + 8 <= n; i += 8)
        lanes = vbfdotq_f32(lanes, vreinterpretq_bf16_u16(vld1q_u16(a + i)), vreinterpretq_bf16_u16(vld1q_u16(b + i)));
    sum = vaddvq_f32(lanes);
#endif
    for (; i < n; ++i) sum += from_bf16(a[i]) * from_bf16(b[i]);
    return sum;
}

}  // namespace simd_dot

#endif

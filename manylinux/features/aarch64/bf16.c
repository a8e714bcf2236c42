// flags: -march=armv8.2-a+bf16
// which needs gcc >= 10 or clang >= 11
#include <arm_neon.h>

float32x4_t test(float32x4_t s, bfloat16x8_t a, bfloat16x8_t b) { return vbfdotq_f32(s, a, b); }

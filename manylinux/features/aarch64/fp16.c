// flags: -march=armv8.2-a+fp16
// which needs gcc >= 8 or clang >= 8
#include <arm_neon.h>

float16x8_t test(float16x8_t s, float16x8_t a, float16x8_t b) { return vfmaq_f16(s, a, b); }

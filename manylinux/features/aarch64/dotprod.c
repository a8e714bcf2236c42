// flags: -march=armv8.2-a+dotprod
// which needs gcc >= 8 or clang >= 8
#include <arm_neon.h>

int32x4_t test(int32x4_t s, int8x16_t a, int8x16_t b) { return vdotq_s32(s, a, b); }

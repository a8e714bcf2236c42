// flags: -march=armv8.2-a+i8mm
// which needs gcc >= 10 or clang >= 11
#include <arm_neon.h>

int32x4_t test(int32x4_t s, int8x16_t a, int8x16_t b) { return vmmlaq_s32(s, a, b); }

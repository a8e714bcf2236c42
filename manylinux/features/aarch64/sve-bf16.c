// flags: -march=armv8.2-a+sve+bf16
// which needs gcc >= 10 or clang >= 11
#include <arm_sve.h>

svfloat32_t test(svfloat32_t s, svbfloat16_t a, svbfloat16_t b) { return svbfdot_f32(s, a, b); }

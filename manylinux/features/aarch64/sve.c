// flags: -march=armv8.2-a+sve
// which needs gcc >= 10 or clang >= 11
#include <arm_sve.h>

svfloat32_t test(svbool_t p, svfloat32_t a, svfloat32_t b) { return svadd_f32_x(p, a, b); }

// flags: -march=armv8.5-a+sve2
// which needs gcc >= 10 or clang >= 11
#include <arm_sve.h>

svint32_t test(svint32_t a, svint32_t b) { return svqrdmulh_s32(a, b); }

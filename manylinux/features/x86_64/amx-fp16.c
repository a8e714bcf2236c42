// flags: -mamx-tile -mamx-fp16
// which needs gcc >= 13 or clang >= 16
#include <immintrin.h>

void test(void) { _tile_dpfp16ps(0, 1, 2); }

// flags: -mamx-tile -mamx-bf16
// which needs gcc >= 11 or clang >= 12
#include <immintrin.h>

void test(void) { _tile_dpbf16ps(0, 1, 2); }

// flags: -mamx-tile -mamx-int8
// which needs gcc >= 11 or clang >= 12
#include <immintrin.h>

void test(void) { _tile_dpbssd(0, 1, 2); }

#include "cpu/tile.h"

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#elif defined(__x86_64__)
#pragma GCC target("avx2,fma")
#endif

#if defined(__x86_64__)
#define NAME "avx2"
#define VECTOR 8
#define PANEL 2
#define TILES static const ad_cpu_tiles tiles
#include "cpu/tile.inc"
const ad_cpu_tiles *const ad_cpu_tiles_avx2 = &tiles;
#else
const ad_cpu_tiles *const ad_cpu_tiles_avx2 = NULL;
#endif

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif

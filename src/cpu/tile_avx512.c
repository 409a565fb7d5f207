#include "cpu/tile.h"

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#elif defined(__x86_64__)
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif

#if defined(__x86_64__)
#define NAME "avx512"
#define VECTOR 16
#define PANEL 4
#define TILES static const ad_cpu_tiles tiles
#include "cpu/tile.inc"
const ad_cpu_tiles *const ad_cpu_tiles_avx512 = &tiles;
#else
const ad_cpu_tiles *const ad_cpu_tiles_avx512 = NULL;
#endif

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif

#include "cpu/tile.h"

#if defined(__aarch64__)
#define NAME "neon"
#define PANEL 4
#else
#define NAME "baseline"
#define PANEL 2
#endif
#define VECTOR 4
#define TILES const ad_cpu_tiles ad_cpu_tiles_baseline
#include "cpu/tile.inc"

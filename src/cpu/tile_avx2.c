#include "cpu/tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#elif defined(__x86_64__)
#pragma GCC target("avx2,fma,f16c")
#endif

#if defined(__x86_64__)
#define NAME "avx2"
#define VECTOR 8
#define PANEL 2
#define FROM_HALF(p) ((vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p))))
/* A comparison with NaN gives the second operand. */
#define FINITE(v) _mm256_max_ps(_mm256_set1_ps(-AD_HALF_MAX), _mm256_min_ps(_mm256_set1_ps(AD_HALF_MAX), (__m256)(v)))
#define TO_HALF(p, v) _mm_storeu_si128((__m128i *)(p), _mm256_cvtps_ph(FINITE(v), _MM_FROUND_TO_NEAREST_INT))
static const int some[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define SOME(count) _mm256_loadu_si256((const __m256i *)(some + 8 - (count)))
#define LOAD_SOME(p, count) ((vec)_mm256_maskload_ps(p, SOME(count)))
#define STORE_SOME(p, v, count) _mm256_maskstore_ps(p, SOME(count), (__m256)(v))
/* Of NaN and another number, and of two zeros, the second. */
#define LARGER(a, b) ((vec)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SMALLER(a, b) ((vec)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define TILES static const ad_cpu_tiles tiles
#include "cpu/tile.inc"
const ad_cpu_tiles *const ad_cpu_tiles_avx2 = &tiles;
#else
const ad_cpu_tiles *const ad_cpu_tiles_avx2 = NULL;
#endif

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif

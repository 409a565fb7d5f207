#include "cpu/tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))),                   \
                             apply_to = function)
#elif defined(__x86_64__)
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif

#if defined(__x86_64__)
#define NAME "avx512"
#define VECTOR 16
#define PANEL 4
#define FROM_HALF(p) ((vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p))))
/* A comparison with NaN gives the second operand. */
#define FINITE(v) _mm512_max_ps(_mm512_set1_ps(-AD_HALF_MAX), _mm512_min_ps(_mm512_set1_ps(AD_HALF_MAX), (__m512)(v)))
#define TO_HALF(p, v) _mm256_storeu_si256((__m256i *)(p), _mm512_cvtps_ph(FINITE(v), _MM_FROUND_TO_NEAREST_INT))
#define LOAD_SOME(p, count) ((vec)_mm512_maskz_loadu_ps((__mmask16)((1u << (count)) - 1), p))
#define STORE_SOME(p, v, count) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (count)) - 1), (__m512)(v))
/* Of NaN and another number, and of two zeros, the second. */
#define LARGER(a, b) ((vec)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SMALLER(a, b) ((vec)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define TILES static const ad_cpu_tiles tiles
#include "cpu/tile.inc"
const ad_cpu_tiles *const ad_cpu_tiles_avx512 = &tiles;
#else
const ad_cpu_tiles *const ad_cpu_tiles_avx512 = NULL;
#endif

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif

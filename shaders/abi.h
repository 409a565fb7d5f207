/* Shared by C (src/vk/kernels) and GLSL (the .comp files): push-constant layouts, specialization ids, binding
 * numbers. Nothing is typed twice. In C, AD_INT is int32_t and AD_FLOAT float; in GLSL int and float; structs of 4-byte
 * members only, at most 128 bytes. */
#ifndef AD_ABI_H
#define AD_ABI_H
#ifdef __STDC__
#include <stdint.h>
#define AD_INT int32_t
#define AD_UINT uint32_t
#define AD_FLOAT float
#else
#define AD_INT int
#define AD_UINT uint
#define AD_FLOAT float
#endif
#include "abi_conv.h"
#include "abi_other.h"
#include "abi_probe.h"
/* Specialization constants after those of abi_conv.h: lib/groups.glsl. */
#define AD_SPEC_GROUP_IN AD_SPEC_COUNT
#define AD_SPEC_GROUP_OUT (AD_SPEC_COUNT + 1)
/* lib/depthwise.glsl, and lib/epilogue.glsl, where ad_push_conv.ld is the residual's elements from one task to the next
 * and .scale the activation's parameter: */
#define AD_SPEC_ACT AD_SPEC_COUNT
#define AD_SPEC_END (AD_SPEC_COUNT + 1)
#define AD_END_BIAS 1 /* what AD_SPEC_END says is there */
#define AD_END_COEF 2
#define AD_END_RESIDUAL 4
/* lib/conv_groups.glsl: */
#define AD_SPEC_GROUPS (AD_SPEC_COUNT + 2)
#endif

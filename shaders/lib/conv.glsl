/* What every kernel starts with whose push constants are ad_push_conv (abi_conv.h): constants, operands, places in the
 * grid. */
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"

/* Before any use of gl_WorkGroupSize, which would otherwise stay 1. */
#ifdef AD_TILED
layout(local_size_x = AD_TILE_INVOCATIONS) in;
#else
layout(local_size_x_id = AD_SPEC_LANES) in;
#endif

layout(constant_id = AD_SPEC_K) const int K = 3;
layout(constant_id = AD_SPEC_STRIDE) const int STRIDE = 1;
layout(constant_id = AD_SPEC_PAD) const int PAD = 1;
layout(constant_id = AD_SPEC_DIL) const int DIL = 1;
layout(constant_id = AD_SPEC_C) const int C = 4;
layout(constant_id = AD_SPEC_O) const int O = 4;
layout(constant_id = AD_SPEC_M) const int M = 1;
layout(constant_id = AD_SPEC_TILE_A) const int TILE_A = 1;
layout(constant_id = AD_SPEC_TILE_V) const int TILE_V = 1;
layout(push_constant) uniform Push { ad_push_conv p; };

const int C4 = C / 4;
const int O4 = (O + 3) / 4;

/* A read-only operand of vec4: name(i) is its i-th vec4. AD_TEXEL binds it as a uniform texel buffer. */
#ifdef AD_TEXEL
#define AD_IN4(slot, name)                              \
    layout(binding = slot) uniform samplerBuffer name##_texels; \
    vec4 name(int i) { return texelFetch(name##_texels, i); }
#else
#define AD_IN4(slot, name)                                                              \
    layout(std430, binding = slot) restrict readonly buffer name##_block { vec4 name##_data[]; }; \
    vec4 name(int i) { return name##_data[i]; }
#endif
#define AD_IN1(slot, name)                                                               \
    layout(std430, binding = slot) restrict readonly buffer name##_block { float name##_data[]; }; \
    float name(int i) { return name##_data[i]; }
/* Four numbers of such an operand. */
#define AD_FOUR(name, i) vec4(name(i), name((i) + 1), name((i) + 2), name((i) + 3))
/* An output: plain array. */
#define AD_OUT(slot, type, name) layout(std430, binding = slot) restrict buffer name##_block { type name[]; };

/* What shared-memory tiles hold. AD_HALF: operands rounded to half precision; they are multiplied and summed in
 * float32, and the product of two halves is exact there. Gradients shrink with the number of images and places they are
 * a mean over, down to where half precision loses digits (6e-5) or has nothing (3e-8): they are scaled by a power of
 * two, which is exact, and the sums scaled back. What is past 65504 (gradients: 64) becomes infinite, which shows in
 * the loss. */
#ifdef AD_HALF
#define ad_staged uvec2
const float GRADIENT = 1024.0, UNSCALE = 1.0 / 1024.0;
uvec2 ad_stage(vec4 v) { return uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw)); }
vec4 ad_value(uvec2 v) { return vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y)); }
#else
#define ad_staged vec4
const float GRADIENT = 1.0, UNSCALE = 1.0;
vec4 ad_stage(vec4 v) { return v; }
vec4 ad_value(vec4 v) { return v; }
#endif

/* Rows of o numbers are read as vec4 where 4 divides o, else number by number: AD_WIDTH says which, and ad_o is the
 * type. */
#if AD_WIDTH == 1
#define ad_o float
#define AD_IN_O AD_IN1
const int OW = O;
#else
#define ad_o vec4
#define AD_IN_O AD_IN4
const int OW = O / 4;
#endif

int ad_task() { return int(gl_WorkGroupID.z); }
/* Task offset of binding b, in units of width numbers. */
int ad_task_offset(int b, int width) { return ad_task() * (p.task[b] / width); }
/* Number of this workgroup or invocation in the grid, which is folded over x and y. */
int ad_group() { return int(gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x); }
int ad_invocation() { return ad_group() * int(gl_WorkGroupSize.x) + int(gl_LocalInvocationID.x); }

/* v where inside, else 0, without a branch (0 * v would keep a NaN). */
vec4 ad_keep(vec4 v, bool inside) { return mix(vec4(0), v, bvec4(inside)); }
float ad_keep(float v, bool inside) { return mix(0.0, v, inside); }

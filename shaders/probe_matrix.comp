/* The rate of the matrix units: AD_PROBE_MATRIX_SUMS independent sums of products of two square half-precision matrices
 * in float32, VK_NV_cooperative_matrix. One subgroup a workgroup (specialization constant 0: its size).
 * Grid: any. FLOPs: turns * AD_PROBE_MATRIX_SUMS * 2 * AD_PROBE_MATRIX_SIZE^3 a workgroup; bytes: one matrix a
 * workgroup at the end.
 * Layout: `result` has room for one matrix a workgroup. A probe (src/vk/program/probe.c): no operation, no
 * reference. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_NV_cooperative_matrix : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_control_flow_attributes : require
#pragma use_vulkan_memory_model
#include "abi.h"

#define MATRIX(bits) fcoopmatNV<bits, gl_ScopeSubgroup, AD_PROBE_MATRIX_SIZE, AD_PROBE_MATRIX_SIZE>
layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { ad_push_probe p; };
layout(set = 0, binding = 0) writeonly buffer Out { float result[]; };

void main() {
    const MATRIX(16) a = MATRIX(16)(float16_t(p.factor)), b = MATRIX(16)(float16_t(p.term));
    MATRIX(32) sum[AD_PROBE_MATRIX_SUMS];
    [[unroll]] for (int i = 0; i < AD_PROBE_MATRIX_SUMS; i++) sum[i] = MATRIX(32)(float(i));
    for (int turn = 0; turn < p.turns; turn++)
        [[unroll]] for (int i = 0; i < AD_PROBE_MATRIX_SUMS; i++) sum[i] = coopMatMulAddNV(a, b, sum[i]);
    [[unroll]] for (int i = 1; i < AD_PROBE_MATRIX_SUMS; i++) sum[0] = sum[0] + sum[i];
    coopMatStoreNV(sum[0], result, gl_WorkGroupID.x * (AD_PROBE_MATRIX_SIZE * AD_PROBE_MATRIX_SIZE),
                   AD_PROBE_MATRIX_SIZE, false);
}

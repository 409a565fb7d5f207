/* Convolutions on matrix units: a workgroup of AD_MATRIX_SUBGROUPS (2 x 2) subgroups makes a tile of ROWS x COLUMNS of
 * the product A B, AD_MATRIX_DEPTH of the depth at a time: operands are rounded to half precision into shared memory,
 * from where each subgroup multiplies fragments of FM x FK by FK x FN into float32 sums. FM, FN, FK are what the device
 * offers (specialization constants); they divide ROWS/2, COLUMNS/2 and AD_MATRIX_DEPTH. LANES is AD_MATRIX_SUBGROUPS
 * times the subgroup size, and subgroups are full (pipeline.c).
 * AD_MATRIX says by what: KHR (VK_KHR_cooperative_matrix), NV (VK_NV_cooperative_matrix), or EMULATED, the same
 * arithmetic lane by lane, with which tests check everything here but the built-in functions on devices without such
 * units.
 *
 * A kernel defines A_BY_DEPTH where rows of A, not its depth, are contiguous in memory (shared lines then run along
 * rows), B_BY_COLUMN where the depth of B is; includes this file and defines the functions declared below. */
#extension GL_KHR_shader_subgroup_basic : require
#define KHR 1
#define NV 2
#define EMULATED 3
#if AD_MATRIX == KHR
#extension GL_KHR_cooperative_matrix : require
#elif AD_MATRIX == NV
#extension GL_NV_cooperative_matrix : require
#endif
#if AD_MATRIX != EMULATED
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#pragma use_vulkan_memory_model
#endif
#define AD_WIDTH 4
#define AD_HALF
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"

layout(constant_id = AD_SPEC_MATRIX_K) const int FK = 16;
layout(constant_id = AD_SPEC_MATRIX_ROWS) const int ROWS = 128;
layout(constant_id = AD_SPEC_MATRIX_COLUMNS) const int COLUMNS = 64;
const int FM = TILE_A, FN = TILE_V, DEPTH = AD_MATRIX_DEPTH;

#ifdef A_BY_DEPTH
const bool A_COLUMN_MAJOR = true;
#else
const bool A_COLUMN_MAJOR = false;
#endif
#ifdef B_BY_COLUMN
const bool B_COLUMN_MAJOR = true;
#else
const bool B_COLUMN_MAJOR = false;
#endif

/* Lines of shared memory, in units of four halves; two units of padding spread the lines over the banks. */
const int A_LINES = A_COLUMN_MAJOR ? DEPTH : ROWS, A_UNITS = (A_COLUMN_MAJOR ? ROWS : DEPTH) / 4;
const int B_LINES = B_COLUMN_MAJOR ? COLUMNS : DEPTH, B_UNITS = (B_COLUMN_MAJOR ? DEPTH : COLUMNS) / 4;
const int A_LINE = A_UNITS + 2, B_LINE = B_UNITS + 2;
shared uvec2 tile_a[A_LINES * A_LINE];
shared uvec2 tile_b[B_LINES * B_LINE];
shared float tile_out[AD_MATRIX_SUBGROUPS * FM * FN];

/* Finds the place of this workgroup's tile and writes what load_a and load_b of stage 0 read in shared memory. */
void begin();
/* Steps of DEPTH to make. */
int stages();
/* Writes what the loads of this stage read in shared memory, while the tiles of the stage before are being written. */
void prepare(int stage);
/* Four numbers from `line` (a row of A or depth, a depth of B or column, as above) and `unit` along it; zeros
 * outside. */
vec4 load_a(int stage, int line, int unit);
vec4 load_b(int stage, int line, int unit);
/* Takes four results of a row of the tile; column counts units of four. */
void put(int row, int column, vec4 v);

#if AD_MATRIX == KHR
#define FRAGMENT_A coopmat<float16_t, gl_ScopeSubgroup, FM, FK, gl_MatrixUseA>
#define FRAGMENT_B coopmat<float16_t, gl_ScopeSubgroup, FK, FN, gl_MatrixUseB>
#define FRAGMENT_SUM coopmat<float, gl_ScopeSubgroup, FM, FN, gl_MatrixUseAccumulator>
#define ZERO FRAGMENT_SUM(0.0)
const int A_LAYOUT = A_COLUMN_MAJOR ? gl_CooperativeMatrixLayoutColumnMajor : gl_CooperativeMatrixLayoutRowMajor;
const int B_LAYOUT = B_COLUMN_MAJOR ? gl_CooperativeMatrixLayoutColumnMajor : gl_CooperativeMatrixLayoutRowMajor;
#define LOAD_A(m, at) coopMatLoad(m, tile_a, at, A_LINE, A_LAYOUT)
#define LOAD_B(m, at) coopMatLoad(m, tile_b, at, B_LINE, B_LAYOUT)
#define MULTIPLY_ADD(a, b, sum) sum = coopMatMulAdd(a, b, sum)
#define STORE(sum, at) coopMatStore(sum, tile_out, at, FN, gl_CooperativeMatrixLayoutRowMajor)
#elif AD_MATRIX == NV
#define FRAGMENT_A fcoopmatNV<16, gl_ScopeSubgroup, FM, FK>
#define FRAGMENT_B fcoopmatNV<16, gl_ScopeSubgroup, FK, FN>
#define FRAGMENT_SUM fcoopmatNV<32, gl_ScopeSubgroup, FM, FN>
#define ZERO FRAGMENT_SUM(0.0)
#define LOAD_A(m, at) coopMatLoadNV(m, tile_a, at, A_LINE, A_COLUMN_MAJOR)
#define LOAD_B(m, at) coopMatLoadNV(m, tile_b, at, B_LINE, B_COLUMN_MAJOR)
#define MULTIPLY_ADD(a, b, sum) sum = coopMatMulAddNV(a, b, sum)
#define STORE(sum, at) coopMatStoreNV(sum, tile_out, at, FN, false)
#else
/* Fragments are where they begin in shared memory; sums are spread over the lanes. */
const int LANES = int(gl_WorkGroupSize.x) / AD_MATRIX_SUBGROUPS;
struct ad_sums { float v[64]; }; /* FM FN / LANES of them are used */
#define FRAGMENT_A int
#define FRAGMENT_B int
#define FRAGMENT_SUM ad_sums
#define ZERO ad_zero()
#define LOAD_A(m, at) m = at
#define LOAD_B(m, at) m = at
#define MULTIPLY_ADD(a, b, sum) ad_multiply_add(a, b, sum)
#define STORE(sum, at) ad_store(sum, at)
ad_sums ad_zero() {
    ad_sums sum;
    [[dont_unroll]] for (int e = 0; e < FM * FN / LANES; e++) sum.v[e] = 0.0;
    return sum;
}
void ad_multiply_add(int a, int b, inout ad_sums sum) {
    [[dont_unroll]] for (int e = 0; e < FM * FN / LANES; e++) {
        int at = e * LANES + int(gl_SubgroupInvocationID), row = at / FN, column = at % FN;
        [[dont_unroll]] for (int k = 0; k < FK; k++) {
            float left = A_COLUMN_MAJOR ? ad_value(tile_a[a + k * A_LINE + row / 4])[row % 4]
                                        : ad_value(tile_a[a + row * A_LINE + k / 4])[k % 4];
            float right = B_COLUMN_MAJOR ? ad_value(tile_b[b + column * B_LINE + k / 4])[k % 4]
                                         : ad_value(tile_b[b + k * B_LINE + column / 4])[column % 4];
            sum.v[e] += left * right;
        }
    }
}
void ad_store(ad_sums sum, int at) {
    [[dont_unroll]] for (int e = 0; e < FM * FN / LANES; e++)
        tile_out[at + e * LANES + int(gl_SubgroupInvocationID)] = sum.v[e];
}
#endif

/* Where the fragment (row, depth) of A and (depth, column) of B begins. */
int ad_at_a(int row, int depth) { return A_COLUMN_MAJOR ? depth * A_LINE + row / 4 : row * A_LINE + depth / 4; }
int ad_at_b(int depth, int column) {
    return B_COLUMN_MAJOR ? column * B_LINE + depth / 4 : depth * B_LINE + column / 4;
}

void main() {
    if (ad_group() >= p.count) return;
    const int SIZE = int(gl_WorkGroupSize.x), A_LOADS = A_LINES * A_UNITS / SIZE, B_LOADS = B_LINES * B_UNITS / SIZE;
    const int DOWN = ROWS / 2 / FM, ACROSS = COLUMNS / 2 / FN; /* fragments of a subgroup */
    int id = int(gl_LocalInvocationID.x), subgroup = int(gl_SubgroupID), lane = int(gl_SubgroupInvocationID);
    int first_row = subgroup / 2 * (ROWS / 2), first_column = subgroup % 2 * (COLUMNS / 2);
    FRAGMENT_SUM sum[DOWN * ACROSS];
    [[unroll]] for (int i = 0; i < DOWN * ACROSS; i++) sum[i] = ZERO;
    uvec2 next_a[A_LOADS], next_b[B_LOADS];
    begin();
    barrier();
    int count = stages();
    for (int stage = -1; stage < count; stage++) {
        if (stage >= 0) {
            barrier(); /* the tiles of the stage before have been read */
            [[unroll]] for (int l = 0; l < A_LOADS; l++)
                tile_a[(l * SIZE + id) / A_UNITS * A_LINE + (l * SIZE + id) % A_UNITS] = next_a[l];
            [[unroll]] for (int l = 0; l < B_LOADS; l++)
                tile_b[(l * SIZE + id) / B_UNITS * B_LINE + (l * SIZE + id) % B_UNITS] = next_b[l];
            prepare(stage + 1);
            barrier();
        }
        if (stage + 1 < count) { /* in flight while this stage is multiplied */
            [[unroll]] for (int l = 0; l < A_LOADS; l++)
                next_a[l] = ad_stage(load_a(stage + 1, (l * SIZE + id) / A_UNITS, (l * SIZE + id) % A_UNITS));
            [[unroll]] for (int l = 0; l < B_LOADS; l++)
                next_b[l] = ad_stage(load_b(stage + 1, (l * SIZE + id) / B_UNITS, (l * SIZE + id) % B_UNITS));
        }
        if (stage < 0) continue;
        [[unroll]] for (int depth = 0; depth < DEPTH; depth += FK) {
            FRAGMENT_A a[DOWN];
            [[unroll]] for (int i = 0; i < DOWN; i++) LOAD_A(a[i], ad_at_a(first_row + i * FM, depth));
            [[unroll]] for (int j = 0; j < ACROSS; j++) {
                FRAGMENT_B b;
                LOAD_B(b, ad_at_b(depth, first_column + j * FN));
                [[unroll]] for (int i = 0; i < DOWN; i++) MULTIPLY_ADD(a[i], b, sum[i * ACROSS + j]);
            }
        }
    }
    /* Which lane holds which sum is the driver's secret: they go through shared memory. */
    int own = subgroup * FM * FN;
    [[unroll]] for (int i = 0; i < DOWN; i++)
        [[unroll]] for (int j = 0; j < ACROSS; j++) {
            barrier();
            STORE(sum[i * ACROSS + j], own);
            barrier();
            for (int e = lane; e < FM * FN / 4; e += SIZE / AD_MATRIX_SUBGROUPS) {
                int from = own + 4 * e;
                put(first_row + i * FM + e / (FN / 4), first_column / 4 + j * FN / 4 + e % (FN / 4),
                    vec4(tile_out[from], tile_out[from + 1], tile_out[from + 2], tile_out[from + 3]));
            }
        }
}

/* The register-tiled inner loops, compiled once per instruction set from tile.inc. Everything that depends on the width
 * of vectors or the number of registers is in there. */
#ifndef AD_CPU_TILE_H
#define AD_CPU_TILE_H

#include <stdbool.h>
#include <stddef.h>

enum { AD_CPU_TILE_ROWS = 6 };

/* Of a number, where it may be in half precision. */
static inline size_t ad_cpu_bytes(bool half) { return half ? 2 : 4; }

/* What may follow the sum s of a tile: out[r][v] = act(scale[v]*s + shift[v] + residual[r][v]). bent: act(v) = min(v >
 * 0 ? v : slope*v, limit), 0 <= slope <= 1, else act(v) = v. */
typedef struct ad_cpu_epilogue {
    const float *scale, *shift; /* both may be NULL */
    const float *residual[AD_CPU_TILE_ROWS];
    bool has_residual, bent;
    float slope, limit;
} ad_cpu_epilogue;

/* A convolution's tile: rows positions x columns outputs,
 * out[r][v] (+)= bias[v] + sum over i < lines, j < steps, e < length: a[r][i*line + j*step + e] * b[(i*steps+j)*length
 * + e][v]. b is a panel: `ld` numbers a row, at least `columns` rounded up to `vector`, zeros past columns; ld =
 * `width` where columns are more than that less a vector. All AD_CPU_TILE_ROWS pointers of a must be readable. half:
 * out takes halves, never more than the largest of them, and is not added to.
 *
 * product_diagonals: groups of `length` channels lie side by side, columns <= `vector` of them, and ld = `vector`;
 * `length` is 4 or 8, less than `vector`. Output v gets the inputs of its own group only. With e(d) the place (v - d)
 * mod length in v's group, out[r][v] (+)= bias[v] + sum over i, j, d < length: a[r][i*line + j*step + e(d)] *
 * b[(i*steps+j)*length + d][e(d)]. */
typedef struct ad_cpu_product {
    const float *a[AD_CPU_TILE_ROWS];
    void *out[AD_CPU_TILE_ROWS];
    size_t rows, columns;
    size_t from, to; /* numbers of a[r], and of out[r] and residual[r], that come before those of this product */
    size_t lines, steps, length, line, step;
    const float *b, *bias; /* bias: may be NULL */
    size_t ld;
    const ad_cpu_epilogue *after; /* NULL: nothing follows the sum. Not with half */
    bool accumulate, half;
} ad_cpu_product;

/* out[r*ld + v] += sum over lines l < lines, t < count: a[l*a_line + t*a_step + r] * b[l*b_line + t*b_step + v], r <
 * rows, v < columns <= width. ld is a multiple of `vector` unless columns are `width`.
 *
 * outer_diagonals: as above, out[(j*length + d)*vector + v] += sum over l, t: a[l*a_line + t*a_step + j*a_tap + v] *
 * b[l*b_line + t*b_step + the place (v + d) mod length in v's group], j < rows, v < columns <= vector. */
typedef struct ad_cpu_outer {
    const float *a, *b;
    size_t a_line, a_step, b_line, b_step, lines, count, rows, columns;
    size_t a_tap, length;
    float *out;
    size_t ld;
} ad_cpu_outer;

/* Inner products: out[r*columns + k] (+)= scale * (sum over e < count: a[r*count + e] * b[k*count + e]) + bias[k]. */
typedef struct ad_cpu_dots {
    const float *a, *b, *bias; /* bias: may be NULL */
    float *out, scale;
    size_t rows, columns, count;
    bool accumulate;
} ad_cpu_dots;

/* ATOMS with 3 x 3 atoms, stride 1, dilation 1: what a row of u adds to positions r < rows of up to three output rows,
 * out[l][r*o + v] += sum over m, j: psi[m*9 + l*3 + j] * at[r + j][m*o + v], l < lines, v < o.
 * All pointers of at must be readable (zeros outside the image); next: what to fetch into the cache meanwhile, rows * m
 * * o. half: at and next are of halves. */
typedef struct ad_cpu_atoms {
    const void *at[AD_CPU_TILE_ROWS + 2];
    const char *next;
    const float *psi;
    float *out[3];
    size_t lines, rows, m, o; /* o is a multiple of `vector` */
    bool half;
} ad_cpu_atoms;

/* ATOMS_DU and DEPTH*, any geometry, one position. at[t], t < taps, is what tap number index[t] of the kernel reads (or
 * is read by); taps outside the image are left out. psi is [k*k][ld], ld = m rounded up to AD_CPU_TILE_ATOMS with
 * zeros. In atoms_du count is a multiple of `vector`; in the others it is a multiple of 4, and m of AD_CPU_TILE_ATOMS.
 *
 *   atoms_du    out[a*count + v] (+)= sum over t: psi[index[t]*ld + a] * at[t][v], a < m, v < count
 *
 *   depth       out[v*m + a] (+)= sum over t: psi[index[t]*ld + a] * at[t][v]
 *
 *   depth_dx    out[v] (+)= sum over t, a: psi[index[t]*ld + a] * at[t][v*m + a]
 *
 *   depth_dpsi  out[index[t]*ld + a] += sum over v: at[t][v] * dz[v*m + a] */
enum { AD_CPU_TILE_ATOMS = 8 };
typedef struct ad_cpu_taps {
    const float **at;
    int *index;
    size_t taps;
    float *psi, *out;
    const float *dz;
    size_t m, ld, count;
    bool accumulate;
} ad_cpu_taps;

/* ATOMS_DPSI under the conditions of ad_cpu_atoms, one row of u:
 * sum[a*9 + i*3 + j][lane] += the lane's part of sum over x < w, v < o: u[x*m*o + a*o + v] * dy[i][(x + 2 - j)*o + v].
 * half: u and next are of halves. */
typedef struct ad_cpu_correlation {
    const void *u;
    const char *next;   /* as in ad_cpu_atoms, a whole row */
    const float *dy[3]; /* rows of w + 2 positions */
    size_t w, m, o;
    float *sum;
    bool half;
} ad_cpu_correlation;

/* DEPTHWISE*: `count` outputs of one line and c channels each. Output q reads, by tap (i,j) with weights at w + i*w_row
 * + j*w_step, the position s = q*stride + j of row i, i < rows, j < taps; it is at x + x_first + i*x_row + s*x_step and
 * zero unless low <= s < high. All steps are in floats.
 *
 *   depthwise     out[q*out_step + v] (+)= act(coef[v] (bias[v] + the sum over the taps) + coef[c + v] + residual),
 *                 residual at the place of out; act as in ad_cpu_epilogue
 *
 *   depthwise_dw  out[i*w_row + j*w_step + v] += sum over q: dy[q*out_step + v] * what output q reads by tap (i,j) */
typedef struct ad_cpu_depthwise {
    const float *x, *w, *dy;
    const float *bias, *coef, *residual; /* each may be NULL */
    float *out;
    ptrdiff_t x_first, x_row, x_step, w_row, w_step, low, high;
    size_t rows, taps, stride, count, out_step, c;
    float slope, limit;
    bool bent, accumulate;
} ad_cpu_depthwise;

/* The transforms of F(4x4, 3x3) (winograd.h), of `channels` channels, a multiple of `vector`. All steps are in
 * floats.
 *
 *   winograd_input    `to` takes B^T d B of the 6 x 6 numbers of each channel, [36] to_step apart; d is at from +
 *                     i*from_line + j*from_step
 *
 *   winograd_kernel   likewise G g G^T of the 3 x 3 numbers g
 *
 *   winograd_output   y = A^T m A, of the 36 numbers m from_step apart: 4 x 4 numbers, of which rows x columns go to
 *                     `to` + i*to_line + j*to_step, with bias and what follows as in ad_cpu_epilogue; residual at the
 *                     place of `to`
 *
 *   winograd_result   `to` takes A y A^T of the 4 x 4 numbers y, as winograd_input
 *
 *   winograd_gradient G^T m G, of the 36 numbers m from_step apart: 3 x 3 numbers at `to` + i*to_line + j*to_step,
 * added to those there with `accumulate` */
typedef struct ad_cpu_winograd {
    const float *from;
    float *to;
    size_t from_line, from_step, to_line, to_step, channels, rows, columns;
    const float *bias, *scale, *shift, *residual; /* each may be NULL, but shift with scale */
    float slope, limit;
    bool bent, accumulate;
} ad_cpu_winograd;

typedef struct ad_cpu_tiles {
    const char *name; /* of the instruction set */
    size_t vector;    /* numbers in a vector */
    size_t width;     /* columns of a product tile */
    void (*product)(const ad_cpu_product *);
    void (*product_diagonals)(const ad_cpu_product *);
    void (*outer)(const ad_cpu_outer *);
    void (*outer_diagonals)(const ad_cpu_outer *);
    void (*dots)(const ad_cpu_dots *);
    void (*atoms)(const ad_cpu_atoms *);
    void (*atoms_dpsi)(const ad_cpu_correlation *);
    void (*atoms_du)(const ad_cpu_taps *);
    void (*depth)(const ad_cpu_taps *);
    void (*depth_dx)(const ad_cpu_taps *);
    void (*depth_dpsi)(const ad_cpu_taps *);
    void (*depthwise)(const ad_cpu_depthwise *);
    void (*depthwise_dw)(const ad_cpu_depthwise *);
    void (*winograd_input)(const ad_cpu_winograd *);
    void (*winograd_kernel)(const ad_cpu_winograd *);
    void (*winograd_output)(const ad_cpu_winograd *);
    void (*winograd_result)(const ad_cpu_winograd *);
    void (*winograd_gradient)(const ad_cpu_winograd *);
} ad_cpu_tiles;

/* NULL where the architecture or compiler lacks them. */
extern const ad_cpu_tiles *const ad_cpu_tiles_avx512, *const ad_cpu_tiles_avx2;
extern const ad_cpu_tiles ad_cpu_tiles_baseline;
#endif

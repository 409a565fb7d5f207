/* The register-tiled inner loops, compiled once per instruction set from tile.inc. Everything that depends on the width of
 * vectors or the number of registers is in there. */
#ifndef AD_CPU_TILE_H
#define AD_CPU_TILE_H

#include <stdbool.h>
#include <stddef.h>

enum { AD_CPU_TILE_ROWS = 6 };

/* A convolution's tile: rows positions x columns outputs,
 * out[r][v] (+)= bias[v] + sum over i < lines, j < steps, e < length: a[r][i*line + j*step + e] * b[(i*steps+j)*length + e][v].
 * b is a panel: `width` numbers a row, zeros past columns. All AD_CPU_TILE_ROWS pointers of a must be readable. */
typedef struct ad_cpu_product {
    const float *a[AD_CPU_TILE_ROWS];
    float *out[AD_CPU_TILE_ROWS];
    size_t rows, columns;
    size_t lines, steps, length, line, step;
    const float *b, *bias; /* bias: may be NULL */
    bool accumulate;
} ad_cpu_product;

/* out[r*ld + v] += sum over lines l < lines, t < count: a[l*a_line + t*a_step + r] * b[l*b_line + t*b_step + v], r < rows,
 * v < width. */
typedef struct ad_cpu_outer {
    const float *a, *b;
    size_t a_line, a_step, b_line, b_step, lines, count, rows;
    float *out;
    size_t ld;
} ad_cpu_outer;

typedef struct ad_cpu_tiles {
    const char *name;  /* of the instruction set */
    size_t vector;     /* numbers in a vector */
    size_t width;      /* columns of a product tile */
    void (*product)(const ad_cpu_product *);
    void (*outer)(const ad_cpu_outer *);
} ad_cpu_tiles;

/* NULL where the architecture or compiler lacks them. */
extern const ad_cpu_tiles *const ad_cpu_tiles_avx512, *const ad_cpu_tiles_avx2;
extern const ad_cpu_tiles ad_cpu_tiles_baseline;
#endif

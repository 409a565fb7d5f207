/* CONV and CONV_DX (conv_winograd.c) and CONV_DW (dw_winograd.c) by Winograd's F(4x4, 3x3): outputs are cut into
 * squares of 4 x 4, which read patches of 6 x 6. */
#ifndef AD_CPU_WINOGRAD_H
#define AD_CPU_WINOGRAD_H

#include "cpu/conv_shape.h"

enum { AD_CPU_SQUARE = 4, AD_CPU_PATCH = 6, AD_CPU_POSITIONS = AD_CPU_PATCH * AD_CPU_PATCH };

/* Squares of an image's columns and rows, and of all images of a task. */
typedef struct ad_cpu_squares {
    size_t down, across, count;
} ad_cpu_squares;
ad_cpu_squares ad_cpu_squares_of(const ad_geometry *g);

/* Where a square lies: row and column of its first output. */
typedef struct ad_cpu_square {
    size_t image;
    int row, column;
} ad_cpu_square;
ad_cpu_square ad_cpu_square_of(const ad_cpu_squares *s, size_t number);

/* side x side positions from row `top`, column `left` on of an image, zero outside it: where they are, and how far
 * rows are apart. room: side*side*channels floats, for those that are not all inside. */
typedef struct ad_cpu_image {
    const float *numbers;
    int height, width;
    size_t channels;
} ad_cpu_image;
typedef struct ad_cpu_patch {
    const float *from;
    size_t line;
} ad_cpu_patch;
ad_cpu_patch ad_cpu_patch_of(const ad_cpu_image *image, int top, int left, int side, float *room);

/* For all three. pays: it is faster than tiles. */
bool ad_cpu_winograd_applies(const ad_op *op, const ad_cpu_tiles *tiles);
bool ad_cpu_winograd_pays(const ad_op *op, const ad_cpu_tiles *tiles);
void ad_cpu_winograd_run(const ad_cpu_call *call);
size_t ad_cpu_winograd_scratch(const ad_cpu_call *call);
size_t ad_cpu_winograd_kept(const ad_cpu_call *call);
void ad_cpu_dw_winograd_run(const ad_cpu_call *call);
size_t ad_cpu_dw_winograd_scratch(const ad_cpu_call *call);
#endif

/* How the products of CONV, CONV_DX and CONV_DW lie over images, groups of channels and panels of columns (conv.c). */
#ifndef AD_CPU_CONV_SHAPE_H
#define AD_CPU_CONV_SHAPE_H

#include "cpu/cpu_internal.h"

/* One dimension of a phase. Output number n is row out + n*out_step; its taps read rows base + n*base_step +
 * t*tap_stride, t < taps, of the source, with row index + t*index_step of the kernel. */
typedef struct ad_cpu_axis {
    int outputs, out, out_step;
    int base, base_step;
    int taps, tap_stride, index, index_step;
    int source; /* rows there are */
} ad_cpu_axis;

/* A product of the convolution: phase, depth per tap (channels of the source) and columns of a group. */
typedef struct ad_cpu_shape {
    ad_cpu_axis y, x;
    size_t depth, columns, groups;
    bool diagonals; /* a vector holds several groups */
} ad_cpu_shape;

/* Numbers of a position of the source and of the result. */
static inline size_t ad_cpu_source_pixel(const ad_cpu_shape *s) { return s->groups * s->depth; }
static inline size_t ad_cpu_result_pixel(const ad_cpu_shape *s) { return s->groups * s->columns; }
static inline size_t ad_cpu_taps_of(const ad_cpu_shape *s) { return (size_t)s->y.taps * (size_t)s->x.taps; }

static inline int ad_cpu_phases(const ad_op *op) { return op->kind == AD_OP_CONV_DX ? op->g.stride * op->g.stride : 1; }
ad_cpu_shape ad_cpu_shape_of(const ad_cpu_call *call, int phase);

/* Some columns of the result, which are computed together. */
typedef struct ad_cpu_panel {
    size_t source, result; /* the first channels that it reads and writes */
    size_t columns, ld;    /* of its weights, whole vectors */
    size_t before;         /* the sum of ld over the panels before it */
} ad_cpu_panel;

size_t ad_cpu_panels(const ad_cpu_call *call, const ad_cpu_shape *s);
ad_cpu_panel ad_cpu_panel_of(const ad_cpu_call *call, const ad_cpu_shape *s, size_t number);
/* The sum of ld over all panels. */
size_t ad_cpu_padded_columns(const ad_cpu_call *call, const ad_cpu_shape *s);

/* Panels that read neighbouring channels, which share a window: all of them where there are no groups. */
typedef struct ad_cpu_chunk {
    size_t first, panels;     /* numbers of panels */
    size_t channel, channels; /* of the source */
} ad_cpu_chunk;

size_t ad_cpu_chunks(const ad_cpu_call *call, const ad_cpu_shape *s);
ad_cpu_chunk ad_cpu_chunk_of(const ad_cpu_call *call, const ad_cpu_shape *s, size_t number);

/* Rows [first, first + count) of the outputs that read some channels of an image, of which row image_row and what
 * follows are at `image`. */
typedef struct ad_cpu_output_rows {
    const float *image;
    int image_row, first, count;
    size_t channel, channels;
} ad_cpu_output_rows;

/* What they read, in the image itself or in a window: the address for the first output and the first tap, the distances
 * of rows and of positions. */
typedef struct ad_cpu_source {
    const float *base;
    size_t line, pixel;
} ad_cpu_source;

/* Output rows of a block: as many as have their window in half a usual second-level cache. channels: of the window. */
int ad_cpu_block_rows(const ad_cpu_shape *s, size_t channels);
/* Floats of the window of so many output rows; 0: the image itself is read. */
size_t ad_cpu_window_floats(const ad_cpu_shape *s, int rows, size_t channels);
ad_cpu_source ad_cpu_window(const ad_cpu_shape *s, const ad_cpu_output_rows *of, float *buffer);

/* CONV_DW (conv_dw.c). */
void ad_cpu_conv_dw(const ad_cpu_call *call);
size_t ad_cpu_conv_dw_scratch(const ad_cpu_call *call);
#endif

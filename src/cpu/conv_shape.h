/* The products that CONV and CONV_DX are (conv.c): which rows and columns of the source a tap reads. */
#ifndef AD_CPU_CONV_SHAPE_H
#define AD_CPU_CONV_SHAPE_H

#include "cpu/cpu_internal.h"

/* One dimension of a phase. Output number n is row out + n*out_step; its taps read rows base + n*base_step +
 * t*tap_stride, t < taps, of the source, with row index + t*index_step of the kernel. */
typedef struct axis {
    int outputs, out, out_step;
    int base, base_step;
    int taps, tap_stride, index, index_step;
    int source; /* rows there are */
} axis;

static inline axis forward_axis(const ad_geometry *g, int in, int out) {
    return (axis){out, 0, 1, -g->pad, g->stride, g->k, g->dil, 0, 1, in};
}

static inline axis backward_axis(const ad_geometry *g, int in, int out, int phase) {
    const int s = g->stride;
    axis a = {.out = ((phase - g->pad) % s + s) % s, .out_step = s, .base_step = 1, .tap_stride = 1, .source = out};
    a.outputs = in > a.out ? (in - a.out + s - 1) / s : 0;
    for (int i = g->k - 1, last = -1; i >= 0; i--) { /* the largest i reads the first row */
        if ((phase - i * g->dil) % s) continue;
        if (a.taps == 0) {
            a.base = (a.out + g->pad - i * g->dil) / s;
            a.index = i;
        } else {
            a.index_step = i - last;
            a.tap_stride = (last - i) * g->dil / s;
        }
        last = i;
        a.taps++;
    }
    return a;
}

/* Source rows that outputs [first, first+count) read. */
static inline int span(const axis *a, int count) {
    return (count - 1) * a->base_step + (a->taps - 1) * a->tap_stride + 1;
}
static inline bool padded(const axis *a) { return a->base < 0 || a->base + span(a, a->outputs) > a->source; }

/* A product of the convolution: phase, depth per tap (channels of the source) and columns of a group. */
typedef struct shape {
    axis y, x;
    size_t depth, columns, groups;
    bool diagonals; /* a vector holds several groups */
} shape;

/* Numbers of a position of the source and of the result. */
static inline size_t source_pixel(const shape *s) { return s->groups * s->depth; }
static inline size_t result_pixel(const shape *s) { return s->groups * s->columns; }

static inline int phases_of(const ad_op *op) { return op->kind == AD_OP_CONV_DX ? op->g.stride * op->g.stride : 1; }

static inline shape shape_of(const ad_cpu_call *call, int phase) {
    const ad_geometry *g = &call->op->g;
    const bool back = call->op->kind == AD_OP_CONV_DX;
    const size_t in = (size_t)ad_group_inputs(g), out = (size_t)ad_group_outputs(g);
    shape s = {.depth = back ? out : in, .columns = back ? in : out, .groups = (size_t)ad_groups(g)};
    s.diagonals = s.groups > 1 && in == out && (in == 4 || in == 8) && in < call->tiles->vector;
    s.y = back ? backward_axis(g, g->h, g->oh, phase / g->stride) : forward_axis(g, g->h, g->oh);
    s.x = back ? backward_axis(g, g->w, g->ow, phase % g->stride) : forward_axis(g, g->w, g->ow);
    if (s.y.taps == 0 || s.x.taps == 0) s.y.taps = s.x.taps = 0; /* nothing reaches these outputs */
    return s;
}

#endif

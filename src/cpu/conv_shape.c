#include "cpu/conv_shape.h"

#include <string.h>

/* Of a window: the other half of the cache is for the weights. Of groups the window has the channels that are used
 * together, so that more rows find room. */
enum { WINDOW_BYTES = 128 << 10, CHUNK_CHANNELS = 32 };

static ad_cpu_axis forward_axis(const ad_geometry *g, int in, int out) {
    return (ad_cpu_axis){out, 0, 1, -g->pad, g->stride, g->k, g->dil, 0, 1, in};
}

static ad_cpu_axis backward_axis(const ad_geometry *g, int in, int out, int phase) {
    const int s = g->stride;
    ad_cpu_axis a = {
        .out = ((phase - g->pad) % s + s) % s, .out_step = s, .base_step = 1, .tap_stride = 1, .source = out};
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
static int span(const ad_cpu_axis *a, int count) {
    return (count - 1) * a->base_step + (a->taps - 1) * a->tap_stride + 1;
}
static bool padded(const ad_cpu_axis *a) { return a->base < 0 || a->base + span(a, a->outputs) > a->source; }

ad_cpu_shape ad_cpu_shape_of(const ad_cpu_call *call, int phase) {
    const ad_geometry *g = &call->op->g;
    const bool back = call->op->kind == AD_OP_CONV_DX;
    const size_t in = (size_t)ad_group_inputs(g), out = (size_t)ad_group_outputs(g);
    ad_cpu_shape s = {.depth = back ? out : in, .columns = back ? in : out, .groups = (size_t)ad_groups(g)};
    s.diagonals = s.groups > 1 && in == out && (in == 4 || in == 8) && in < call->tiles->vector;
    s.y = back ? backward_axis(g, g->h, g->oh, phase / g->stride) : forward_axis(g, g->h, g->oh);
    s.x = back ? backward_axis(g, g->w, g->ow, phase % g->stride) : forward_axis(g, g->w, g->ow);
    if (s.y.taps == 0 || s.x.taps == 0) s.y.taps = s.x.taps = 0; /* nothing reaches these outputs */
    return s;
}

size_t ad_cpu_panels(const ad_cpu_call *call, const ad_cpu_shape *s) {
    const size_t width = call->tiles->width, vector = call->tiles->vector;
    return s->diagonals ? (ad_cpu_result_pixel(s) + vector - 1) / vector
                        : s->groups * ((s->columns + width - 1) / width);
}

size_t ad_cpu_padded_columns(const ad_cpu_call *call, const ad_cpu_shape *s) {
    const size_t vector = call->tiles->vector;
    return s->diagonals ? ad_cpu_round_up(ad_cpu_result_pixel(s), vector)
                        : s->groups * ad_cpu_round_up(s->columns, vector);
}

ad_cpu_panel ad_cpu_panel_of(const ad_cpu_call *call, const ad_cpu_shape *s, size_t number) {
    const size_t width = call->tiles->width, vector = call->tiles->vector;
    if (s->diagonals) {
        const size_t first = number * vector;
        return (ad_cpu_panel){first, first, AD_MIN(vector, ad_cpu_result_pixel(s) - first), vector, first};
    }
    const size_t panels = s->groups == 1 ? 0 : (s->columns + width - 1) / width;
    const size_t group = panels ? number / panels : 0, first = (number - group * panels) * width;
    const size_t columns = AD_MIN(width, s->columns - first),
                 ld = columns == width ? width : ad_cpu_round_up(columns, vector);
    return (ad_cpu_panel){group * s->depth, group * s->columns + first, columns, ld,
                          panels ? group * ad_cpu_round_up(s->columns, vector) + first : first};
}

static size_t chunk_panels(const ad_cpu_call *call, const ad_cpu_shape *s) {
    const size_t width = call->tiles->width, most = CHUNK_CHANNELS;
    if (s->groups == 1) return ad_cpu_panels(call, s);
    return s->diagonals ? AD_MAX(most / call->tiles->vector, 1)
                        : AD_MAX(most / s->depth, 1) * ((s->columns + width - 1) / width);
}

size_t ad_cpu_chunks(const ad_cpu_call *call, const ad_cpu_shape *s) {
    const size_t each = chunk_panels(call, s);
    return (ad_cpu_panels(call, s) + each - 1) / each;
}

ad_cpu_chunk ad_cpu_chunk_of(const ad_cpu_call *call, const ad_cpu_shape *s, size_t number) {
    const size_t each = chunk_panels(call, s);
    ad_cpu_chunk c = {.first = number * each, .panels = AD_MIN(each, ad_cpu_panels(call, s) - number * each)};
    const ad_cpu_panel last = ad_cpu_panel_of(call, s, c.first + c.panels - 1);
    c.channel = ad_cpu_panel_of(call, s, c.first).source;
    c.channels = last.source + (s->diagonals ? last.columns : s->depth) - c.channel;
    return c;
}

static bool needs_window(const ad_cpu_shape *s) {
    return s->y.taps && s->y.outputs && s->x.outputs && (padded(&s->y) || padded(&s->x));
}

int ad_cpu_block_rows(const ad_cpu_shape *s, size_t channels) {
    if (s->y.outputs == 0 || s->x.outputs == 0) return 1;
    const size_t row = (size_t)AD_MAX(span(&s->x, s->x.outputs), 1) * channels * sizeof(float) * (size_t)s->y.base_step;
    return AD_MAX(AD_MIN((int)(WINDOW_BYTES / row) - s->y.taps + 1, s->y.outputs), 1);
}

size_t ad_cpu_window_floats(const ad_cpu_shape *s, int rows, size_t channels) {
    return needs_window(s) ? (size_t)span(&s->y, rows) * (size_t)span(&s->x, s->x.outputs) * channels : 0;
}

static void copy_channels(float *to, const float *from, size_t positions, const ad_cpu_output_rows *of, size_t pixel) {
    if (of->channels == pixel)
        memcpy(to, from, positions * pixel * sizeof *to);
    else
        for (size_t at = 0; at < positions; at++)
            memcpy(to + at * of->channels, from + at * pixel + of->channel, of->channels * sizeof *to);
}

ad_cpu_source ad_cpu_window(const ad_cpu_shape *s, const ad_cpu_output_rows *of, float *buffer) {
    const size_t pixel = ad_cpu_source_pixel(s), width = (size_t)s->x.source * pixel, depth = of->channels;
    const int top = s->y.base + of->first * s->y.base_step, left = s->x.base;
    if (!needs_window(s)) {
        const float *base = of->image + of->channel;
        return (ad_cpu_source){s->y.taps ? base + (size_t)(top - of->image_row) * width + (size_t)left * pixel : base,
                               width, pixel};
    }
    const int columns = span(&s->x, s->x.outputs), height = span(&s->y, of->count);
    const int before = AD_MIN(AD_MAX(-left, 0), columns), end = AD_MAX(AD_MIN(s->x.source - left, columns), before);
    const size_t line = (size_t)columns * depth;
    for (int r = 0; r < height; r++) {
        float *to = buffer + (size_t)r * line;
        if (top + r < 0 || top + r >= s->y.source || before == end) {
            memset(to, 0, line * sizeof *to);
            continue;
        }
        memset(to, 0, (size_t)before * depth * sizeof *to);
        copy_channels(to + (size_t)before * depth,
                      of->image + (size_t)(top - of->image_row + r) * width + (size_t)(left + before) * pixel,
                      (size_t)(end - before), of, pixel);
        memset(to + (size_t)end * depth, 0, (size_t)(columns - end) * depth * sizeof *to);
    }
    return (ad_cpu_source){buffer, line, depth};
}

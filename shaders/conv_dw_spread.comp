#version 450
/* CONV_DW, spread: the formula and layouts of conv_dw.comp, for the drivers of conv_spread.comp. A workgroup computes
 * TILE_A vec4 of (ij,c) x LANES vec4 of o over one split of the positions, LANES of them at a time: each lane loads x
 * at one of these positions and dy at all of them for its own o, and the numbers of x are passed from lane to lane
 * (lib/spread.glsl).
 * C % 4 == 0, O % 4 == 0, task strides multiples of 4. First pass; conv_reduce.comp adds the splits (with one split
 * this writes dw).
 * Grid: (split, TILE_A vec4 of (ij,c), LANES vec4 of o), o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position; x read O/(4 LANES) K^2 times, dy K^2 C/(4 TILE_A) times. x and dy are texel buffers.
 * Double reference: CONV_DW. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/spread.glsl"

AD_IN4(0, x)
AD_IN4(1, dy)
AD_OUT(2, vec4, partial)

const int UNITS = K * K * C4;
const int COLUMN_TILES = (O4 + LANES - 1) / LANES, ROW_TILES = (UNITS + TILE_A - 1) / TILE_A;

/* The place LANES after this one, past the last, too. */
ad_place next(ad_place at) {
    at.col += LANES % p.ow;
    int line_end = int(at.col >= p.ow);
    at.col -= line_end * p.ow;
    at.row += LANES / p.ow % p.oh + line_end;
    int image_end = int(at.row >= p.oh);
    at.row -= image_end * p.oh;
    at.image += LANES / p.ow / p.oh + image_end;
    return at;
}

void main() {
    int lane = int(gl_LocalInvocationID.x), column = ad_group() % COLUMN_TILES * LANES + lane;
    int first = ad_group() / COLUMN_TILES % ROW_TILES * TILE_A, split = ad_group() / COLUMN_TILES / ROW_TILES;
    int begin = split * p.span, end = min(begin + p.span, p.n * p.oh * p.ow);
    int from_dy = ad_task_offset(1, 4) + min(column, O4 - 1);
    int tap_row[TILE_A], tap_col[TILE_A], channel[TILE_A];
    vec4 sum[4 * TILE_A];
    [[unroll]] for (int a = 0; a < TILE_A; a++) {
        int unit = min(first + a, UNITS - 1), tap = unit / C4;
        tap_row[a] = tap / K * DIL - PAD;
        tap_col[a] = tap % K * DIL - PAD;
        channel[a] = ad_task_offset(0, 4) + unit % C4;
    }
    [[unroll]] for (int s = 0; s < 4 * TILE_A; s++) sum[s] = vec4(0);

    ad_place at = ad_place_of(begin + lane, p.oh, p.ow);
    for (int start = begin; start < end; start += LANES) {
        vec4 d[LANES];
        [[unroll]] for (int l = 0; l < LANES; l++) d[l] = dy(from_dy + min(start + l, end - 1) * O4);
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int row = at.row * STRIDE + tap_row[a], col = at.col * STRIDE + tap_col[a];
            bool inside = start + lane < end && row >= 0 && row < p.h && col >= 0 && col < p.w;
            int pixel = inside ? (at.image * p.h + row) * p.w + col : 0;
            vec4 mine = ad_keep(x(channel[a] + pixel * C4), inside);
            [[unroll]] for (int e = 0; e < 4; e++)
                [[unroll]] for (int l = 0; l < LANES; l++) sum[4 * a + e] += subgroupShuffle(mine[e], l) * d[l];
        }
        at = next(at);
    }

    [[unroll]] for (int a = 0; a < TILE_A; a++)
        [[unroll]] for (int e = 0; e < 4; e++) {
            int to = ad_task_offset(2, 4) + (4 * (split * UNITS + first + a) + e) * O4 + column;
            if (ad_group() < p.count && first + a < UNITS && column < O4)
                partial[to] = ACCUMULATE ? partial[to] + sum[4 * a + e] : sum[4 * a + e];
        }
}

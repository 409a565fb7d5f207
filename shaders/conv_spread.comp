#version 450
/* CONV, spread: the formula and layouts of conv.comp, for software drivers, which load lane by lane. An invocation
 * computes TILE_A positions x TILE_V vec4 of outputs; neighbouring lanes have neighbouring positions and share the
 * loads of w (lib/spread.glsl).
 * C % 4 == 0, O % 4 == 0, task strides multiples of 4. y may be AD_F16.
 * Grid: tiles of LANES*TILE_A positions x TILE_V vec4 of outputs, o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position; x read K^2 O/(4 TILE_V) times, w once per LANES*TILE_A positions. All but y are texel
 * buffers. AD_EPILOGUE: lib/epilogue.glsl. AD_GROUPED: lib/conv_groups.glsl; TILE_V divides the vec4 of a group.
 * Double reference: CONV. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/half.glsl"
#include "lib/spread.glsl"
#include "lib/conv_groups.glsl"
#include "lib/epilogue.glsl"

AD_IN4(0, x)
AD_IN4(1, w)
AD_IN4(2, bias)
AD_OUT_F16(3, y)

const int COLUMN_TILES = (O4 + TILE_V - 1) / TILE_V;
/* vec4 of c in a turn of the loop: at its end llvmpipe copies every sum under the mask of lanes, but code should stay
 * in cache. */
const int VECTORS = C4 % 4 == 0 ? 4 : C4 % 2 == 0 ? 2 : 1, TURNS = C4 / VECTORS;

void main() {
    /* No return from workgroups past the last: all that follows would be masked. Their positions are past the last,
     * too. */
    int lane = int(gl_LocalInvocationID.x), column = ad_group() % COLUMN_TILES * TILE_V;
    int first = ad_group() / COLUMN_TILES * LANES * TILE_A + lane;
    ad_place window[TILE_A];
    vec4 sum[TILE_A * TILE_V];
    [[unroll]] for (int a = 0; a < TILE_A; a++) window[a] = ad_window_of(first + a * LANES);
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sum[s] = vec4(0);

    for (int turn = 0; turn < K * K * TURNS; turn++) {
        int tap = turn / TURNS, from[TILE_A];
        bool inside[TILE_A];
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int pixel = ad_pixel(window[a], tap / K, tap % K);
            inside[a] = pixel >= 0;
            from[a] = ad_task_offset(0, 4) + max(pixel, 0) * PIXEL4;
#ifdef AD_GROUPED
            from[a] += column / GROUP_O4 * C4;
#endif
        }
        [[unroll]] for (int u = 0; u < VECTORS; u++) {
            int c = turn % TURNS * VECTORS + u;
            vec4 values[TILE_A], weights[AD_LOADS(4 * TILE_V)];
            [[unroll]] for (int a = 0; a < TILE_A; a++) values[a] = ad_keep(x(from[a] + c), inside[a]);
            [[unroll]] for (int l = 0; l < AD_LOADS(4 * TILE_V); l++) {
                int row = min((l * LANES + lane) / TILE_V, 3), v = (l * LANES + lane) % TILE_V;
                weights[l] = w(ad_task_offset(1, 4) + (tap * C + 4 * c + row) * O4 + min(column + v, O4 - 1));
            }
            [[unroll]] for (int v = 0; v < TILE_V; v++) {
                vec4 w0 = AD_SPREAD(weights, v), w1 = AD_SPREAD(weights, TILE_V + v);
                vec4 w2 = AD_SPREAD(weights, 2 * TILE_V + v), w3 = AD_SPREAD(weights, 3 * TILE_V + v);
                [[unroll]] for (int a = 0; a < TILE_A; a++)
                    sum[a * TILE_V + v] += values[a].x * w0 + values[a].y * w1 + values[a].z * w2 + values[a].w * w3;
            }
        }
    }

    vec4 add[AD_LOADS(TILE_V)];
    [[unroll]] for (int l = 0; l < AD_LOADS(TILE_V); l++)
        add[l] = ad_keep(bias(ad_task_offset(2, 4) + min(column + l * LANES + lane, O4 - 1)), p.optional != 0);
#ifdef AD_EPILOGUE
    vec4 scales[AD_LOADS(TILE_V)], shifts[AD_LOADS(TILE_V)];
    [[unroll]] for (int l = 0; l < AD_LOADS(TILE_V); l++) {
        scales[l] = ad_has_coef() ? ad_scale(min(column + l * LANES + lane, O4 - 1)) : vec4(1);
        shifts[l] = ad_has_coef() ? ad_shift(min(column + l * LANES + lane, O4 - 1)) : vec4(0);
    }
#endif
    [[unroll]] for (int a = 0; a < TILE_A; a++) {
        int position = first + a * LANES, at = ad_task_offset(3, 4) + position * O4 + column;
        [[unroll]] for (int v = 0; v < TILE_V; v++) {
            vec4 result = sum[a * TILE_V + v] + AD_SPREAD(add, v);
#ifdef AD_EPILOGUE
            /* Loaded by all lanes: those past the end take the last. */
            int there = min(position, p.n * p.oh * p.ow - 1) * O4 + min(column + v, O4 - 1);
            result = ad_finish(result, AD_SPREAD(scales, v), AD_SPREAD(shifts, v), there);
#endif
            if (position < p.n * p.oh * p.ow && column + v < O4) y_put(at + v, result);
        }
    }
}

#version 450
/* CONV, register tiles: the formula and layouts of conv.comp, without shared memory or barriers, for drivers that run a
 * workgroup as the lanes of one SIMD unit (llvmpipe, SwiftShader). An invocation computes TILE_A positions x TILE_V
 * vec4 of outputs; neighbouring lanes have neighbouring positions. C % 4 == 0, O % 4 == 0, task strides multiples of 4.
 * y may be AD_F16.
 * Grid: tiles of LANES*TILE_A positions x TILE_V vec4 of outputs, o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position; x read K^2 O/(4 TILE_V) times, w once per TILE_A positions. AD_TEXEL: x, w, and coef and
 * residual of AD_EPILOGUE (lib/epilogue.glsl) are texel buffers. AD_GROUPED: lib/conv_groups.glsl; TILE_V divides the
 * vec4 of a group.
 * Double reference: CONV. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/half.glsl"
#include "lib/conv_groups.glsl"
#include "lib/epilogue.glsl"

AD_IN4(0, x)
AD_IN4(1, w)
AD_IN1(2, bias)
AD_OUT_F16(3, y)

#ifdef ADATOM_TEST_DROP_TAP
const int TAPS = K * K - 1;
#else
const int TAPS = K * K;
#endif
const int COLUMN_TILES = (O4 + TILE_V - 1) / TILE_V;

void main() {
    if (ad_group() >= p.count) return;
    int first = ad_group() / COLUMN_TILES * int(gl_WorkGroupSize.x) * TILE_A + int(gl_LocalInvocationID.x);
    int column = ad_group() % COLUMN_TILES * TILE_V;
    ad_place window[TILE_A];
    vec4 sum[TILE_A * TILE_V];
    [[unroll]] for (int a = 0; a < TILE_A; a++) window[a] = ad_window_of(first + a * int(gl_WorkGroupSize.x));
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sum[s] = vec4(0);

    for (int tap = 0; tap < TAPS; tap++) {
        int from[TILE_A];
        bool inside[TILE_A];
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int pixel = ad_pixel(window[a], tap / K, tap % K);
            inside[a] = pixel >= 0;
            from[a] = ad_task_offset(0, 4) + max(pixel, 0) * PIXEL4;
#ifdef AD_GROUPED
            from[a] += column / GROUP_O4 * C4;
#endif
        }
        int weights = ad_task_offset(1, 4) + tap * C * O4;
        for (int c = 0; c < C4; c++) {
            vec4 values[TILE_A];
            [[unroll]] for (int a = 0; a < TILE_A; a++) values[a] = ad_keep(x(from[a] + c), inside[a]);
            [[unroll]] for (int v = 0; v < TILE_V; v++) {
                int at = weights + 4 * c * O4 + min(column + v, O4 - 1);
                vec4 w0 = w(at), w1 = w(at + O4), w2 = w(at + 2 * O4), w3 = w(at + 3 * O4);
                [[unroll]] for (int a = 0; a < TILE_A; a++)
                    sum[a * TILE_V + v] += values[a].x * w0 + values[a].y * w1 + values[a].z * w2 + values[a].w * w3;
            }
        }
    }

    [[unroll]] for (int v = 0; v < TILE_V; v++) {
        if (column + v >= O4) return;
        int b = ad_task_offset(2, 1) + 4 * (column + v);
        vec4 add = p.optional != 0 ? AD_FOUR(bias, b) : vec4(0);
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int position = first + a * int(gl_WorkGroupSize.x);
            if (position >= p.n * p.oh * p.ow) continue;
#ifdef AD_EPILOGUE
            sum[a * TILE_V + v] = ad_finish_at(sum[a * TILE_V + v] + add, column + v, position * O4 + column + v);
            y_put(ad_task_offset(3, 4) + position * O4 + column + v, sum[a * TILE_V + v]);
#else
            y_put(ad_task_offset(3, 4) + position * O4 + column + v, sum[a * TILE_V + v] + add);
#endif
        }
    }
}

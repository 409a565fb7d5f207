#version 450
/* CONV on matrix units: y[n][p][q][o] = bias[o] + sum_ijc w[ij][c][o] x@(p,q,i,j)[c], an implicit product of positions
 * x (taps, c) by (taps, c) x o; operands in half precision, sums in float32 (lib/matrix.glsl).
 * x [task][n][h][w][C], w [task][K*K][C][O], bias [task][O] or absent, y [task][n][oh][ow][O]. C % 4 == 0, O % 4 == 0.
 * Task strides are multiples of 4. y may be AD_F16.
 * Grid: tiles of ROWS positions x COLUMNS outputs, o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position; each input read about K^2 O/64 times (mostly from cache), w once per 128 positions.
 * Double reference: CONV. */
#extension GL_GOOGLE_include_directive : require
#include "lib/matrix.glsl"
#include "lib/accumulate.glsl"
#include "lib/half.glsl"

AD_IN4(0, x)
AD_IN4(1, w)
AD_IN4(2, bias)
AD_OUT_F16(3, y)

const int UNITS = K * K * C4; /* depth of the product, in vec4 */
int first, first_column4;
shared ad_place windows[ROWS];

void begin() {
    const int column_tiles = (O + COLUMNS - 1) / COLUMNS;
    first = ad_group() / column_tiles * ROWS;
    first_column4 = ad_group() % column_tiles * (COLUMNS / 4);
    for (int row = int(gl_LocalInvocationID.x); row < ROWS; row += int(gl_WorkGroupSize.x))
        windows[row] = ad_window_of(first + row);
}

int stages() { return (4 * UNITS + DEPTH - 1) / DEPTH; }
void prepare(int stage) {}

vec4 load_a(int stage, int row, int unit) {
    unit += stage * (DEPTH / 4);
    int tap = unit / C4, pixel = unit < UNITS ? ad_pixel(windows[row], tap / K, tap % K) : -1;
    return pixel >= 0 ? x(ad_task_offset(0, 4) + pixel * C4 + unit % C4) : vec4(0);
}

vec4 load_b(int stage, int depth, int column) {
    depth += stage * DEPTH;
    column += first_column4;
    return depth < 4 * UNITS && column < O4 ? w(ad_task_offset(1, 4) + depth * O4 + column) : vec4(0);
}

void put(int row, int column, vec4 v) {
    int position = first + row;
    column += first_column4;
    if (position >= p.n * p.oh * p.ow || column >= O4) return;
    if (p.optional != 0) v += bias(ad_task_offset(2, 4) + column);
    y_put(ad_task_offset(3, 4) + position * O4 + column, v);
}

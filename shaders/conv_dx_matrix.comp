#version 450
/* CONV_DX on matrix units: dx[n][h][w][c] = sum over (i,j,o) and the (p,q) that read (h,w): w[ij][c][o] dy[n][p][q][o],
 * an implicit product of pixels x (taps, o) by (taps, o) x c; operands in half precision, sums in float32
 * (lib/matrix.glsl).
 * dy [task][n][oh][ow][O], w [task][K*K][C][O], dx [task][n][h][w][C]. C % 4 == 0, O % 4 == 0. Task strides are
 * multiples of 4.
 * Grid: (class, tile of ROWS pixels of the class, tile of COLUMNS c), c fastest, folded over x and y; z = task. See
 * conv_place.glsl; the depth runs over the taps that reach the class only.
 * 2 K^2 C O flops an output position. Double reference: CONV_DX. */
#extension GL_GOOGLE_include_directive : require
#define B_BY_COLUMN
#include "lib/matrix.glsl"

AD_IN4(0, dy)
AD_IN4(1, w)
AD_OUT(2, vec4, dx)

int first_column;
shared ad_place pixels[ROWS];
shared int taps[K * K], tap_count;

void begin() {
    const int column_tiles = (C + COLUMNS - 1) / COLUMNS;
    int row_tile = ad_group() / column_tiles, class_ = row_tile % (STRIDE * STRIDE), id = int(gl_LocalInvocationID.x);
    first_column = ad_group() % column_tiles * COLUMNS;
    for (int row = id; row < ROWS; row += int(gl_WorkGroupSize.x))
        pixels[row] = ad_pixel_of_class(row_tile / (STRIDE * STRIDE) * ROWS + row, class_);
    if (id > 0) return;
    int count = 0;
    for (int tap = 0; tap < K * K; tap++)
        if (ad_tap_reaches(class_, tap / K, tap % K)) taps[count++] = tap;
    tap_count = count;
}

int stages() { return (tap_count * O4 + DEPTH / 4 - 1) / (DEPTH / 4); }
void prepare(int stage) {}

vec4 load_a(int stage, int row, int unit) {
    unit += stage * (DEPTH / 4);
    if (unit >= tap_count * O4) return vec4(0);
    int tap = taps[unit / O4], position = ad_reader(pixels[row], tap / K, tap % K);
    return position >= 0 ? GRADIENT * dy(ad_task_offset(0, 4) + position * O4 + unit % O4) : vec4(0);
}

vec4 load_b(int stage, int column, int unit) {
    unit += stage * (DEPTH / 4);
    column += first_column;
    if (unit >= tap_count * O4 || column >= C) return vec4(0);
    return w(ad_task_offset(1, 4) + (taps[unit / O4] * C + column) * O4 + unit % O4);
}

void put(int row, int column, vec4 v) {
    ad_place pixel = pixels[row];
    column += first_column / 4;
    if (!pixel.inside || column >= C4) return;
    int at = ad_task_offset(2, 4) + ((pixel.image * p.h + pixel.row) * p.w + pixel.col) * C4 + column;
    v *= UNSCALE;
    dx[at] = p.accumulate != 0 ? dx[at] + v : v;
}

#version 450
/* CONV_DW on matrix units: dw[ij][c][o] = sum_npq x@(p,q,i,j)[c] dy[n][p][q][o], a product of (taps, c) x positions by
 * positions x o whose depth is cut into splits; operands in half precision, sums in float32 (lib/matrix.glsl). First
 * pass; conv_reduce.comp adds the splits (with one split this writes dw).
 * x [task][n][h][w][C], dy [task][n][oh][ow][O], partial [task][split][K*K][C][O]. C % 4 == 0, O % 4 == 0. Task strides
 * are multiples of 4; span is a multiple of AD_MATRIX_DEPTH.
 * Grid: (split, tile of ROWS (ij,c), tile of COLUMNS o), o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position. Double reference: CONV_DW. */
#extension GL_GOOGLE_include_directive : require
#define A_BY_DEPTH
#include "lib/matrix.glsl"

AD_IN4(0, x)
AD_IN4(1, dy)
AD_OUT(2, vec4, partial)

const int UNITS = K * K * C4; /* rows of the result, in vec4 */
int split, first4, first_column4;
shared ad_place windows[2][DEPTH]; /* of two stages in turn */

int begin_of(int stage) { return split * p.span + stage * DEPTH; }
int end_of_split() { return min((split + 1) * p.span, p.n * p.oh * p.ow); }

void prepare(int stage) {
    for (int line = int(gl_LocalInvocationID.x); line < DEPTH; line += int(gl_WorkGroupSize.x))
        windows[stage % 2][line] = ad_window_of(begin_of(stage) + line);
}

void begin() {
    const int column_tiles = (O + COLUMNS - 1) / COLUMNS, row_tiles = (4 * UNITS + ROWS - 1) / ROWS;
    first_column4 = ad_group() % column_tiles * (COLUMNS / 4);
    first4 = ad_group() / column_tiles % row_tiles * (ROWS / 4);
    split = ad_group() / column_tiles / row_tiles;
    prepare(0);
}

int stages() { return (end_of_split() - begin_of(0) + DEPTH - 1) / DEPTH; }

vec4 load_a(int stage, int line, int unit) {
    unit += first4;
    int tap = unit / C4, pixel = unit < UNITS ? ad_pixel(windows[stage % 2][line], tap / K, tap % K) : -1;
    return pixel >= 0 ? x(ad_task_offset(0, 4) + pixel * C4 + unit % C4) : vec4(0);
}

vec4 load_b(int stage, int line, int column) {
    int position = begin_of(stage) + line;
    column += first_column4;
    return position < p.n * p.oh * p.ow && column < O4 ? GRADIENT * dy(ad_task_offset(1, 4) + position * O4 + column)
                                                       : vec4(0);
}

void put(int row, int column, vec4 v) {
    row += 4 * first4;
    column += first_column4;
    if (row >= 4 * UNITS || column >= O4) return;
    int at = ad_task_offset(2, 4) + (split * 4 * UNITS + row) * O4 + column;
    v *= UNSCALE;
    partial[at] = p.accumulate != 0 ? partial[at] + v : v;
}

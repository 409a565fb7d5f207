#version 450
/* DEPTHWISE_DX: dx[n][h][w][c] = sum over (i,j), (p,q) that read (h,w): w[ij][c] dy[n][p][q][c]. An invocation computes
 * STRIDE rows of TILE_A pixels, a multiple of STRIDE, for four channels: which taps reach which of them is then known
 * beforehand, and each dy is loaded once for all of them.
 * dy [task][n][oh][ow][C], w [task][K*K][C], dx [task][n][h][w][C]. C % 4 == 0, task strides multiples of 4.
 * Grid: (n, STRIDE rows of h, strip of w, c) invocations, c fastest, folded over x and y; z = task. 2 (K/STRIDE)^2
 * flops a pixel. AD_TEXEL: dy and w are texel buffers. Double reference: DEPTHWISE_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN4(0, dy)
AD_IN4(1, w)
AD_OUT(2, vec4, dx)

/* A pixel's outputs: number (pixel + PAD - tap * DIL)/STRIDE where that is whole. LOW keeps the dividend positive. */
const int LOW = ((K - 1) * DIL + STRIDE - 1) / STRIDE;
const int ROWS = (STRIDE - 1 + PAD) / STRIDE + LOW + 1, COLUMNS = (TILE_A - 1 + PAD) / STRIDE + LOW + 1;
bool reaches(int pixel, int tap) { return (pixel + PAD - tap * DIL + LOW * STRIDE) % STRIDE == 0; }
int output_of(int pixel, int tap) { return (pixel + PAD - tap * DIL + LOW * STRIDE) / STRIDE; }

void main() {
    int index = ad_invocation(), strips = (p.w + TILE_A - 1) / TILE_A, blocks = (p.h + STRIDE - 1) / STRIDE;
    int c = index % C4, first = index / C4 % strips * TILE_A, block = index / C4 / strips;
    int image = block / blocks, above = block % blocks * STRIDE;
    bool alive = index < p.count;
    vec4 sum[STRIDE * TILE_A];
    [[unroll]] for (int s = 0; s < STRIDE * TILE_A; s++) sum[s] = vec4(0);
    [[unroll]] for (int r = 0; r < ROWS; r++) {
        int row = above / STRIDE + r - LOW, from = (image * p.oh + row) * p.ow + first / STRIDE - LOW;
        vec4 d[COLUMNS];
        [[unroll]] for (int s = 0; s < COLUMNS; s++) {
            int col = first / STRIDE + s - LOW;
            bool inside = alive && row >= 0 && row < p.oh && col >= 0 && col < p.ow;
            d[s] = ad_keep(dy(ad_task_offset(0, 4) + (inside ? from + s : 0) * C4 + c), inside);
        }
        [[unroll]] for (int y = 0; y < STRIDE; y++) {
            /* The tap of pixel y that is output r's. */
            int distance = y + PAD + (LOW - r) * STRIDE, i = distance / DIL;
            if (distance < 0 || distance % DIL != 0 || i >= K) continue;
            [[unroll]] for (int j = 0; j < K; j++) {
                vec4 weight = w(ad_task_offset(1, 4) + (i * K + j) * C4 + c);
                [[unroll]] for (int a = 0; a < TILE_A; a++)
                    if (reaches(a, j)) sum[y * TILE_A + a] += weight * d[output_of(a, j)];
            }
        }
    }
    [[unroll]] for (int y = 0; y < STRIDE; y++)
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int at = ad_task_offset(2, 4) + ((image * p.h + above + y) * p.w + first + a) * C4 + c;
            if (alive && above + y < p.h && first + a < p.w)
                dx[at] = ACCUMULATE ? dx[at] + sum[y * TILE_A + a] : sum[y * TILE_A + a];
        }
}

/* Convolutions, decomposition and linear heads: one push-constant block and one set of specialization constants. What
 * fixes the inner loops (kernel, stride, channels, tile) is specialised; sizes that only bound the outer loops are
 * pushed. */
struct ad_push_conv {
    AD_INT n, h, w, oh, ow; /* ad_geometry */
    AD_INT task[6];         /* elements from one task to the next of bindings 0..5 (0: shared by all tasks) */
    AD_INT count;           /* workgroups or invocations with work; the grid may be larger */
    AD_INT accumulate;      /* 1: add to the output */
    AD_INT optional;        /* 1: the optional operand (bias, scale, dbias) is there; COMPOSE: AD_COMPOSE_* */
    AD_INT splits, span;    /* reductions: partial sums per task, and items summed by each */
    AD_INT ld, rows;        /* shared coefficients: o and c of the shared tensor */
    AD_FLOAT scale;
};

#define AD_COMPOSE_SCALE 1
#define AD_COMPOSE_BASE 2

/* Specialization constants, in this order in every kernel whose push constants are ad_push_conv. */
#define AD_SPEC_K 0
#define AD_SPEC_STRIDE 1
#define AD_SPEC_PAD 2
#define AD_SPEC_DIL 3
#define AD_SPEC_C 4
#define AD_SPEC_O 5
#define AD_SPEC_M 6
#define AD_SPEC_LANES 7     /* invocations of a workgroup (fixed in the shared-memory kernels) */
#define AD_SPEC_TILE_A 8    /* register tile: rows (positions), see each kernel */
#define AD_SPEC_TILE_V 9    /* register tile: vectors of 4 columns */
#define AD_SPEC_MATRIX_K 10 /* lib/matrix.glsl: fragments are TILE_A x MATRIX_K by MATRIX_K x TILE_V */
#define AD_SPEC_MATRIX_ROWS 11
#define AD_SPEC_MATRIX_COLUMNS 12
#define AD_SPEC_ACCUMULATE 13 /* what ad_push_conv.accumulate says */
#define AD_SPEC_F16 14        /* lib/half.glsl: the operand that may be in half precision is */
#define AD_SPEC_COUNT 15

/* The shared-memory kernels: 64 x 64 outputs a workgroup of 128 invocations, 8 x 4 of them each, depth 16. */
#define AD_TILE_ROWS 64
#define AD_TILE_VECTORS 16
#define AD_TILE_INVOCATIONS 128

/* The kernels for matrix units: 2 x 2 subgroups make a tile of MATRIX_ROWS x MATRIX_COLUMNS, a step of the depth at a
 * time. */
#define AD_MATRIX_DEPTH 32
#define AD_MATRIX_SUBGROUPS 4

/* Push constants of the kernels that are no convolutions (abi_conv.h). Members named *_task are the elements from one
 * task to the next of that operand (0: shared). `channels4` = channels/4; `positions` = n*h*w of a task. */

/* Activations: the numbers of src/plan/activation.h. lib/activation.glsl computes them. */
#define AD_ACTIVATION_NONE 0
#define AD_ACTIVATION_RELU 1
#define AD_ACTIVATION_LEAKY 2
#define AD_ACTIVATION_RELU6 3
#define AD_ACTIVATION_SILU 4
#define AD_ACTIVATION_HARD_SWISH 5
#define AD_ACTIVATION_SIGMOID 6
#define AD_ACTIVATION_HARD_SIGMOID 7
#define AD_ACTIVATION_GELU 8
#define AD_ACTIVATION_GELU_TANH 9

struct ad_push_elementwise {
    AD_INT a_task, b_task, y_task, count;
    AD_INT a_begin; /* a multiple of 4 */
    AD_INT apart;   /* of FILL: element number apart - 1 becomes `other` */
    AD_FLOAT value, other;
};

struct ad_push_gather {
    AD_INT x_task, images, h, w;         /* output [images][h][w][4] */
    AD_INT first, chunk, data_h, data_w; /* the images [first, first + chunk) of the data set */
    AD_INT rounds, tasks, pad;
    AD_UINT seed, stream;
    AD_FLOAT area_min, area_max, log_ratio_min, log_ratio_max;
    AD_FLOAT brightness, contrast, saturation, grey;
};

struct ad_push_gather_rows {
    AD_INT x_task, rows, columns, first, chunk, rounds, tasks;
};

struct ad_push_mix {
    AD_INT x_task, y_task, images, h, w, channels4, rounds;
};

/* In place: where ops.def lets a result be the same tensor as an operand, and it is, the kernel reads and writes it
 * through the operand's binding. SPIR-V's compilers may assume that two bindings share no memory, and then read an
 * operand once more after its place was written. A specialization constant says where the result is. */
#define AD_AFFINE_APART 0       /* y of AFFINE has a tensor of its own, */
#define AD_AFFINE_IN_X 1        /* or is x, */
#define AD_AFFINE_IN_RESIDUAL 2 /* or is the residual */

/* AFFINE and AFFINE_BACK take the vec4 elements i, i + slice, i + 2 slice ... < elements4 of a task in one invocation i
 * < slice; slice is a multiple of channels4, so all of them have the same channels. */
struct ad_push_affine {
    AD_INT x_task, coef_task, residual_task, y_task;
    AD_INT channels4, slice, elements4;
    AD_FLOAT slope;
};

struct ad_push_affine_back {
    AD_INT y_task, dy_task, back_task, x_task, dx_task, dresidual_task, coef_task;
    AD_INT channels4, slice, elements4;
    AD_FLOAT slope;
};

/* Reductions over the positions: runs of positions become parts of two numbers per channel, [task][part][2][c], and
 * runs of parts become parts, until one is left, the result. `to`: first vec4 of the parts that are written; to_task:
 * elements (of the result) from one task to the next. */
struct ad_push_affine_sums {
    AD_INT x_task, y_task, dy_task, stats_task, coef_task, to_task;
    AD_INT channels4, positions;
    AD_FLOAT slope;
};

struct ad_push_bn_stats {
    AD_INT x_task, to_task;
    AD_INT channels4, positions;
};

struct ad_push_merge {
    AD_INT from, to, to_task; /* from, to: first vec4 of the parts read and written */
    AD_INT width, parts;      /* vec4 of a part; parts read of a task */
    AD_INT positions, run;    /* part i read stands for the positions i*run .. min(positions, (i + 1)*run) - 1 */
};

struct ad_push_bn_fold {
    AD_INT stats_task, gamma_task, beta_task, coef_task, channels;
    AD_FLOAT epsilon;
};

struct ad_push_bn_running {
    AD_INT stats_task, running_task, channels;
    AD_FLOAT momentum, correction;
};

struct ad_push_bn_back {
    AD_INT sums_task, stats_task, gamma_task, dgamma_task, dbeta_task, back_task, channels;
    AD_FLOAT epsilon, positions;
};

struct ad_push_pool {
    AD_INT x_task, y_task, dx_task, images;
};

struct ad_push_affine_pool {
    AD_INT x_task, coef_task, residual_task, y_task, winner_task, images;
    AD_FLOAT slope;
};

struct ad_push_affine_pool_back {
    AD_INT y_task, winner_task, dy_task, back_task, x_task, dx_task, dresidual_task, images;
    AD_FLOAT slope;
};

struct ad_push_affine_pool_sums { /* parts as in ad_push_affine_sums, of runs of windows */
    AD_INT x_task, y_task, winner_task, dy_task, stats_task, to_task, windows;
    AD_FLOAT slope;
};

struct ad_push_drop_mask {
    AD_INT mask_task, images, h, w, channels4, side, ramp;
    AD_UINT seed, stream, chance; /* chance: ad_op_drop_chance */
};

struct ad_push_drop_apply {
    AD_INT x_task, mask_task, stats_task, y_task, channels4, elements4;
};

struct ad_push_layer_norm {
    AD_INT x_task, gamma_task, beta_task, y_task, stats_task, positions;
    AD_FLOAT epsilon;
};

struct ad_push_layer_norm_back {
    AD_INT x_task, gamma_task, stats_task, dy_task, dx_task, positions;
};

struct ad_push_layer_norm_sums { /* parts as in ad_push_affine_sums */
    AD_INT x_task, stats_task, dy_task, to_task;
    AD_INT channels4, positions;
};

struct ad_push_channel_scale { /* slice as in ad_push_affine, of the elements4 of an image */
    AD_INT x_task, s_task, y_task;
    AD_INT channels4, slice, elements4, images;
};

struct ad_push_channel_scale_back { /* parts of runs of the positions of an image: [task][part][images][c] */
    AD_INT x_task, s_task, dy_task, dx_task, to_task;
    AD_INT channels4, positions, images;
};

struct ad_push_rows {
    AD_INT x_task, y_task, inverse_task, rows, columns;
};

struct ad_push_rows_back {
    AD_INT y_task, inverse_task, dy_task, dx_task, rows, columns;
};

struct ad_push_class_mean {
    AD_INT x_task, mean_task, rows, columns, classes;
};

struct ad_push_class_mean_back {
    AD_INT dmean_task, dx_task, rows, columns, classes, accumulate;
};

struct ad_push_mean_head {
    AD_INT mean_task, w_task, bias_task, scale_task, classes, columns;
    AD_FLOAT scale; /* f[0] of the operation */
};

struct ad_push_mean_head_back {
    AD_INT mean_task, dw_task, dbias_task, scale_task, dmean_task, dscale_task, classes, columns;
    AD_FLOAT scale;
};

struct ad_push_softmax {
    AD_INT logits_task, dlogits_task, rows, classes, rounds, tasks;
    AD_FLOAT smoothing, taught, temperature; /* taught: the teacher's part of the loss */
};

struct ad_push_task_sum {
    AD_INT x_task, count, tasks, accumulate;
    AD_FLOAT factor;
};

struct ad_push_weights {
    AD_INT w_task, gain_task, norms_task, dy_task, y_task, dgain_task; /* y: what is written, norms, y or dw */
    AD_INT taps, inputs, outputs;                                      /* kernels [taps][inputs][outputs] */
};

struct ad_push_optimiser {
    AD_INT p_task, grad_task, first_task, second_task, count, column;
    AD_FLOAT f0, f1, f2, f3; /* f[] of the operation */
};

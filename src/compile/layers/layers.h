/* The layers of a network and what else writes operations: each file has the forward, backward and update or start of
 * its family side by side. They know the tape and each other only downwards: a file uses those whose sections stand
 * below its own here. */
#ifndef AD_COMPILE_LAYERS_H
#define AD_COMPILE_LAYERS_H

#include "compile/tape.h"

/* A kind of node. forward makes the node's output; backward takes pass->dy[node], the gradient of that output, to the
 * gradients of its parameters and of its inputs, where something adapts. */
typedef struct ad_layer {
    adatom_status (*check)(const ad_tape *); /* USAGE: what the plan asks of such nodes is not possible. May be NULL */
    bool (*adapts)(const ad_tape *, int node); /* something of the node itself adapts. NULL: it has no parameters */
    void (*forward)(ad_tape *, ad_pass *, int node);
    void (*backward)(ad_tape *, ad_pass *, int node);
} ad_layer;

/* Each kind of net/network.h has its layer, ad_layer_NAME. */
#define AD_LAYER_DECLARED(KIND, name) extern const ad_layer ad_layer_##name;
AD_LAYERS(AD_LAYER_DECLARED)
#undef AD_LAYER_DECLARED

/* ---- adapted.c: the block of numbers that adapt, its gradient and the optimiser's moments ----------------------- */
/* Lays the block out, with views for the parameters, and writes what it starts from. */
void ad_adapted_begin(ad_tape *tape);

/* ---- outer.c: meta-training's gradient of the numbers that all tasks share, its sum over tasks and the update ------
 */
/* From now on what adapts is what the outer gradient is of: blocks for it, and views for the parameters. */
void ad_outer_begin(ad_tape *tape);
/* SUM, and UPDATE with the statistics of norms where those of batches are used: `pictures` a task. */
void ad_outer_finish(ad_tape *tape, int pictures);

/* ---- prototypes.c: queries classified by the class means of support pictures in the same pass, and back ------------
 */
typedef struct ad_head_pass {
    int features;   /* as the head sees them: aligned where there is an alignment */
    int x, weights; /* what LINEAR multiplies: features and head, or their unit vectors */
    int x_inverse, w_inverse, logits;
    int means; /* prototypes.c: what the weights are made of, class means or their unit vectors */
} ad_head_pass;
/* means: labels of the support pictures for the class means, -1 of queries. */
ad_head_pass ad_prototypes_forward(ad_tape *tape, const ad_pass *pass, int means);
void ad_prototypes_backward(ad_tape *tape, ad_pass *pass, const ad_head_pass *head, int means, int dlogits);

/* ---- regular.c: what keeps trainings from fitting their pictures too closely (ad_regular) ------------------------ */
typedef struct ad_batch {
    int n, rounds;              /* pictures per task of a round; a run takes those of one round */
    int index, labels, counter; /* tensors; labels -1: not known; counter -1: it is always round 0 */
    bool augmented;
    bool mirrored; /* n more come after them, their mirror images */
    int draw;      /* tensor, -1: augmented by step and place */
} ad_batch;
size_t ad_regular_layout(const ad_tape *tape,
                         size_t end); /* the head that tells turns, in the head's role; the new end */
void ad_regular_begin(ad_tape *tape); /* that head, and averages */
void ad_regular_start(ad_tape *tape); /* these start where the parameters do, which are there already */
/* Returns the pictures mixed, or as they are; later the labels of the batch are, too. */
int ad_regular_mix(ad_tape *tape, ad_segment_id segment, const ad_batch *batch, int pictures);
/* DropBlock after a node where it is one of those: then its output is another tensor. */
void ad_regular_drop(ad_tape *tape, ad_pass *pass, int node);
/* To the gradient of the node's own output, which pass->y is again. */
void ad_regular_drop_back(ad_tape *tape, ad_pass *pass, int node);
/* The loss of the head that tells turns, its gradient, and what it adds to that of the features. */
void ad_regular_turned(ad_tape *tape, ad_pass *pass);
void ad_regular_average(ad_tape *tape);                     /* after a step */
void ad_regular_logits(ad_tape *tape, const ad_pass *pass); /* of a teacher */

/* ---- gather.c: pictures, or rows of features, of the data set --------------------------------------------------- */
void ad_gather_begin(ad_tape *tape); /* the data's tensors and the pixels' scale and shift */
int ad_gather(ad_tape *tape, ad_segment_id segment, const ad_batch *batch);

/* ---- head.c: linear, cosine and centroid heads, and the loss ---------------------------------------------------- */
bool ad_head_trains(const ad_tape *tape);
/* The head's part of the adapted block; returns the block's new end. */
size_t ad_head_layout(const ad_tape *tape, size_t end);
void ad_head_begin(ad_tape *tape);
/* Rows of features divided by their lengths; *inverse is given their inverses. */
int ad_head_unit_rows(ad_tape *tape, ad_segment_id segment, int rows, int n, const char *const names[2], int *inverse);
/* The head from the class means of the features: the centroid's own, or where the trained head starts. */
void ad_head_from_means(ad_tape *tape, int n, int features);
ad_head_pass ad_head_forward(ad_tape *tape, const ad_pass *pass);
/* Returns the gradient of the logits. loss, predicted: tensors as of SOFTMAX_CE; predicted may be -1. */
int ad_head_loss(ad_tape *tape, const ad_pass *pass, const ad_head_pass *head, const ad_batch *batch, int loss,
                 int predicted);
void ad_head_predict(ad_tape *tape, const ad_head_pass *head, const ad_batch *batch);
/* Gradients of the head and, where the backbone is live, of the features: pass->dy of the last node. */
void ad_head_backward(ad_tape *tape, ad_pass *pass, const ad_head_pass *head, int dlogits);
/* The features of n queries, for the host. */
void ad_head_features(ad_tape *tape, int features, int n);

/* ---- optimiser.c ------------------------------------------------------------------------------------------------ */
void ad_optimiser_begin(ad_tape *tape); /* the schedule and the counter of steps */
/* Blocks that are laid out alike, and how the second changes the first. */
typedef struct ad_update {
    const ad_optimiser *how;
    ad_segment_id segment;
    int value, gradient, first, second; /* tensors; second: of Adam only */
    int schedule, counter;
    size_t value_begin; /* the number of the blocks that value begins with */
    bool shared;        /* one copy for all tasks */
} ad_update;
/* The numbers from begin to end of the blocks. */
void ad_optimiser_update(ad_tape *tape, const ad_update *u, size_t begin, size_t end, ad_schedule_column rate,
                         float decay);
void ad_optimiser_step(ad_tape *tape);
void ad_optimiser_advance(ad_tape *tape, ad_segment_id segment, int counter);

/* ---- conv.c, which hands decomposed convolutions to the file of their way --------------------------------------- */
/* Forward, pass->y[node] is made already; bias: the shift of the norm that folds into the convolution, or -1. */
enum {
    AD_CONV_KERNEL, /* made: the kernel as it is applied */
    AD_CONV_PACKED, /* made: the coefficients, packed and scaled */
    AD_CONV_LOWRANK /* made, the first of those of weights.c */
};
enum { AD_CONV_RESPONSES /* kept: u of coefficients-first, z of atoms-first with groups */ };

/* Numbers of a convolution's kernel as it lies in memory. */
static inline size_t ad_conv_kernel_count(const ad_node *node) {
    const int32_t inputs = node->groups > 1 ? node->channels : node->c;
    return (size_t)(node->k * node->k) * (size_t)inputs * (size_t)node->o;
}

/* depth.c: atoms first; forward only with groups of channels, whose sums are taken first. */
void ad_depth_forward(ad_tape *tape, ad_pass *pass, int node, int bias);
void ad_depth_backward(ad_tape *tape, ad_pass *pass, int node);

/* fused_atoms.c: atoms first in one operation. */
void ad_fused_atoms_forward(ad_tape *tape, ad_pass *pass, int node, int bias);
void ad_fused_atoms_dx(ad_tape *tape, ad_pass *pass, int node);

/* atoms.c: coefficients first. */
void ad_atoms_forward(ad_tape *tape, ad_pass *pass, int node, int bias);
void ad_atoms_backward(ad_tape *tape, ad_pass *pass, int node);

/* ---- weights.c: adapters of kernels (net/lowrank.h) -------------------------------------------------------------- */
adatom_status ad_weights_check(const ad_tape *tape);
/* Places their tensors from `end` on in the adapted block; returns its new end. */
size_t ad_weights_layout(ad_tape *tape, size_t end);
void ad_weights_begin(ad_tape *tape); /* views, and gains at their start */
/* The kernel of a convolution as it is applied, with its adapter where it has one. */
int ad_weights_kernel(ad_tape *tape, ad_segment_id segment, int node);
/* dw: gradient of the kernel, which is changed. */
void ad_weights_backward(ad_tape *tape, const ad_pass *pass, int node, int dw);

/* ---- compose.c: kernels and packed coefficients from what a decomposed layer has -------------------------------- */
int ad_compose_kernel(ad_tape *tape, ad_segment_id segment, int node);
int ad_compose_packed(ad_tape *tape, ad_segment_id segment, int node);
/* From the gradient of the composed kernel to those of atoms and coefficients. */
void ad_compose_backward(ad_tape *tape, const ad_pass *pass, int node, int dw);

/* ---- norm.c: batch norm, activation and residual ---------------------------------------------------------------- */
enum { AD_NORM_FOLDED /* made: coef of running statistics */ };
enum { AD_NORM_STATS, AD_NORM_COEF, AD_NORM_WINNER /* kept: the last where a pool is computed with its norm */ };
/* coef of a norm that is frozen and does not adapt: once per program. */
int ad_norm_folded(ad_tape *tape, int node);
/* Its shift alone, as the bias of the convolution that it folds into. */
int ad_norm_bias(ad_tape *tape, int node);
/* Adds statistics of a batch of so many pictures a task to the running ones. */
ad_op *ad_norm_running(ad_tape *tape, ad_segment_id segment, int node, int pictures, int stats);
/* Copies the statistics that a pass used to where the host can read them: laid out as the network's role. */
void ad_norm_keep_statistics(ad_tape *tape, const ad_pass *pass);
/* Keeps the statistics, and the scale and shift, that the pass uses. */
void ad_norm_prepare(ad_tape *tape, ad_pass *pass, int node);

/* ---- epilogue.c: a norm and its activation computed with the convolution before them ---------------------------- */
typedef struct ad_epilogue {
    int norm;              /* node of the norm that the convolution computes itself; -1: none */
    int y, coef, residual; /* tensors: the output of both nodes, and the norm's operands or -1 */
} ad_epilogue;
/* Makes the output of convolution `node` and, where it computes the norm behind it itself, that of the norm: then what
 * lies between them never reaches memory. */
ad_epilogue ad_epilogue_begin(ad_tape *tape, ad_pass *pass, int node);

/* ---- affine_pool.c: a norm's activation computed with the maximum pool behind it -------------------------------- */
typedef struct ad_affine_back {
    int back, x, dx, dresidual; /* tensors of AFFINE_BACK and AFFINE_POOL_BACK */
    uint16_t flags;
} ad_affine_back;
/* The pool that alone reads norm `node` and whose windows lie side by side. The output of both nodes is then the
 * pool's, and so is the gradient of it. -1: there is none. */
int ad_affine_pool_of(const ad_tape *tape, int node);
void ad_affine_pool_forward(ad_tape *tape, ad_pass *pass, int node, int coef);
void ad_affine_pool_sums(ad_tape *tape, const ad_pass *pass, int node, int sums);
void ad_affine_pool_back(ad_tape *tape, const ad_pass *pass, int node, const ad_affine_back *back);
/* The activation of a norm, for all operations of AFFINE. */
static inline void ad_affine_activation(ad_op *op, const ad_node *norm) {
    op->i[0] = norm->act;
    op->f[0] = norm->slope;
}

/* ---- elementwise.c ---------------------------------------------------------------------------------------------- */
ad_op *ad_elementwise_zero(ad_tape *tape, ad_segment_id segment, int x, size_t count);
ad_op *ad_elementwise_copy(ad_tape *tape, ad_segment_id segment, int x, int y, size_t count);
/* The numbers of x from `begin` on, a multiple of 4. */
/* y = stays*y + (1-stays)*x */
void ad_elementwise_blend(ad_tape *tape, ad_segment_id segment, int x, int y, size_t count, float stays);
ad_op *ad_elementwise_copy_from(ad_tape *tape, ad_segment_id segment, int x, size_t begin, int y, size_t count);

/* ---- way.c: how a convolution is computed. It writes no operation ----------------------------------------------- */
/* USAGE: a way of computing convolutions that this network has not. */
adatom_status ad_way_check(const ad_tape *tape);
/* Never AUTO. wants_gradient: in a pass that goes backward. */
ad_conv_path ad_way_of(const ad_tape *tape, int node, bool wants_gradient);
/* Whether the input's gradient is FUSED_ATOMS_DX, else CONV_DX with the composed kernel. */
bool ad_way_fused_dx(const ad_tape *tape, int node);
/* An adapter adds to the kernel. */
bool ad_way_lowrank(const ad_tape *tape, int node);
/* More than the atoms of a decomposed layer adapts; any of a convolution's parameters does. */
bool ad_way_coefficients_adapt(const ad_tape *tape, const ad_node *node);
bool ad_way_weights_adapt(const ad_tape *tape, const ad_node *node);
/* The norm that alone follows convolution `node` folds into it: frozen, not adapted, nothing but atoms adapted. */
bool ad_way_folds(const ad_tape *tape, int node);
#endif

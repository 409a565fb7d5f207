/* Private to nn/build*.c: the state of a plan under construction. */
#ifndef AD_NN_BUILDER_H
#define AD_NN_BUILDER_H

#include "compile/build.h"

typedef struct ad_op_list {
    ad_op *ops;
    int count, capacity;
} ad_op_list;

/* One batch going forward through the network. */
typedef struct ad_pass {
    int n;                      /* pictures per task */
    ad_segment_id frozen, live; /* segments of the nodes without and with an adapted tensor at or below them */
    bool batch_statistics;      /* batch norm uses statistics of this batch */
    bool wants_gradient;        /* backward follows: keep what it needs */
    const int *statistics_of; /* else: statistics tensors per node to use instead of the running ones; NULL: running */
    int *y;                   /* output tensor per node */
    int *u;                   /* coefficients-first: u per node; sum-first: z; -1 */
    int *stats, *coef;        /* NORM: tensors per node */
    int *winner;              /* NORM computed with its pool, if backward follows: where the maxima are */
} ad_pass;

/* Tensors of a layer with a low-rank adapter; -1. w, norms: what the step segment scales to each gain. */
typedef struct ad_lowrank_node {
    int a, b, da, db;
    int gain[AD_LOWRANK_GAINS], dgain[AD_LOWRANK_GAINS], w[AD_LOWRANK_GAINS], norms[AD_LOWRANK_GAINS];
} ad_lowrank_node;

typedef struct ad_builder {
    adatom_context *ctx;
    const ad_build_params *p;
    const ad_network *net;
    ad_built *out;
    ad_plan *plan;
    adatom_status status; /* the first failure; later calls do nothing */
    ad_op_list lists[AD_SEGMENT_COUNT];
    int arena_host, arena_constant, arena_adapted, arena_work;
    bool *dirty;                    /* node depends on an adapted tensor */
    int *base, *adapted, *gradient; /* per parameter: tensors; -1 */
    bool *gradient_written;
    int *composed[AD_SEGMENT_COUNT], *packed[AD_SEGMENT_COUNT], *folded; /* per node, made at most once per segment */
    int *grad;                                                           /* per node: gradient of its output */
    ad_lowrank_node *lowrank;                                            /* per node */
    int *storage;                                                        /* the memory behind all those int arrays */
} ad_builder;

/* One copy per task: placed by liveness. One for all tasks: made once per program, kept. */
int ad_builder_tensor(ad_builder *b, const char *name, ad_type type, size_t count, bool tasked);
/* Never NULL: after a failure a scratch operation is returned and nothing is kept. */
ad_op *ad_builder_op(ad_builder *b, ad_segment_id segment, int kind);
/* A view of part of a per-task block. */
int ad_builder_view(ad_builder *b, int block, const char *name, size_t offset, size_t count);
/* Elements up to the next tensor of a block. */
static inline size_t ad_builder_round(size_t n) { return (n + 63) / 64 * 64; }
bool ad_builder_adapts(const ad_builder *b, int param);
int ad_builder_param(ad_builder *b, int param); /* the tensor the forward pass reads: adapted or base */
ad_geometry ad_builder_geometry(const ad_node *node, int n);
/* The matrix product of atoms-first (y = z a) as a 1x1 convolution: one row a position, with groups one for each group
 * of outputs. */
ad_geometry ad_builder_product(const ad_node *node, int n);
/* More than the atoms of a decomposed layer adapts; any of a convolution's parameters does. */
bool ad_builder_coefficients_adapt(const ad_builder *b, const ad_node *node);
bool ad_builder_weights_adapt(const ad_builder *b, const ad_node *node);
/* The norm that alone follows conv `node` folds into it: frozen, not adapted, nothing but atoms adapted. */
bool ad_builder_folds(const ad_builder *b, int node);
/* The maximum pool that alone reads norm `node` and is computed with it, as AFFINE_POOL: its windows lie side by side.
 * The y of both nodes is then the pool's. -1: there is none. */
int ad_builder_pooled(const ad_builder *b, int node);
/* The kernel of convolution `node` as it is applied, with a low-rank adapter where there is one. */
int ad_builder_kernel(ad_builder *b, ad_segment_id segment, int node);
int ad_builder_composed(ad_builder *b, ad_segment_id segment, int node);
int ad_builder_packed(ad_builder *b, ad_segment_id segment, int node);

void ad_builder_forward(ad_builder *b, ad_pass *pass); /* nodes whose y is -1 */
/* From b->grad[last node] down to the lowest adapted tensor. */
void ad_builder_backward(ad_builder *b, const ad_pass *pass);

/* compile/build_path.c */
/* USAGE: a way of computing convolutions that this network has not. */
adatom_status ad_builder_path_check(const ad_builder *b);
/* The way node is computed (never AUTO) when its atoms adapt or not. */
ad_conv_path ad_builder_path(const ad_builder *b, int node, bool wants_gradient);
/* Whether its input gradient is FUSED_ATOMS_DX, else CONV_DX with the composed kernel. */
bool ad_builder_fused_dx(const ad_builder *b, int node);

/* compile/build_lowrank.c */
bool ad_builder_lowrank(const ad_builder *b, int node);
adatom_status ad_builder_lowrank_check(const ad_builder *b); /* USAGE: the combination is not supported */
size_t ad_builder_lowrank_layout(ad_builder *b,
                                 size_t end); /* places the tensors from `end` on in the adapted block; its new end */
void ad_builder_lowrank_begin(ad_builder *b, int gradient); /* views, gains at their start; gradient: the block or -1 */
void ad_builder_lowrank_backward(ad_builder *b, int node, const ad_geometry *g, int x, int dy);
#endif

/* The tape: a plan under construction, as the layers write it. It adds tensors and operations, knows what adapts and
 * keeps the first failure: after it every call does nothing and returns -1 or a scratch operation, so that a layer need
 * not ask after each. It knows no layer. */
#ifndef AD_COMPILE_TAPE_H
#define AD_COMPILE_TAPE_H

#include "compile/build.h"

enum {
    AD_MADE_SLOTS = 16, /* tensors that a layer makes at most once per segment and node (ad_tape_made) */
    AD_KEPT_SLOTS = 4,  /* tensors of a pass that a layer keeps for its backward pass (ad_pass.kept) */
    AD_DROPPED_SLOTS = 3
};

/* One batch that goes forward through the network and perhaps backward. */
typedef struct ad_pass {
    int n;                               /* pictures per task */
    ad_segment_id frozen, live;          /* segments of the nodes that are not live, and of those that are */
    bool batch_statistics;               /* norms use statistics of this batch */
    bool wants_gradient;                 /* a backward pass follows: layers keep what it needs */
    const struct ad_pass *statistics_of; /* else: norms use those of that pass; NULL: the running ones */
    int *y, *dy;                         /* per node: the tensors of its output and of the gradient of it; -1 */
    int (*kept)[AD_KEPT_SLOTS];          /* per node: what the slots mean is the layer's business; -1 */
    int (*dropped)[AD_DROPPED_SLOTS];    /* per node: see regular.c; -1 */
} ad_pass;

/* Where a tensor lies and how many copies of it there are. */
typedef enum ad_place {
    AD_PLACE_HOST,       /* one copy, which the host reads or writes */
    AD_PLACE_CONSTANT,   /* one copy, made once per program and kept */
    AD_PLACE_ADAPTED,    /* a copy per task, kept */
    AD_PLACE_WORK,       /* a copy per task, in memory that tensors share by liveness */
    AD_PLACE_HOST_TASKS, /* a copy per task, which the host reads; in the arena of AD_PLACE_HOST */
    AD_PLACE_COUNT
} ad_place;

typedef struct ad_op_list {
    ad_op *ops;
    int count, capacity;
} ad_op_list;

typedef struct ad_tape {
    adatom_context *ctx;
    const ad_build_params *params;
    const ad_network *net;
    ad_built *built;
    ad_plan *plan;
    adatom_status status; /* the first failure */
    ad_op_list segments[AD_SEGMENT_COUNT];
    ad_op scratch; /* what is handed out after a failure */
    int arenas[AD_PLACE_COUNT];
    bool *live;                      /* per node: its output depends on an adapted tensor */
    int *base, *adapted, *gradient;  /* per parameter: tensors; -1 */
    int parameters;                  /* all of base as one tensor */
    bool *adapts, *gradient_written; /* per parameter */
    int *data;                       /* per chunk of the data set: its tensor */
    int *made;                       /* see ad_tape_made */
    int *numbers;                    /* the memory behind these int arrays */
} ad_tape;

/* Lays the base parameters (external arena 0) and makes the arenas of the data (external, 1 .. chunk_count) and of all
 * places. On failure the tape is still to be cleared. */
void ad_tape_begin(ad_tape *tape, adatom_context *ctx, const ad_build_params *params, ad_built *built);
/* Puts the segments together, places the tensors and validates the plan. */
void ad_tape_finish(ad_tape *tape);
/* Frees all but the plan. */
void ad_tape_clear(ad_tape *tape);
void ad_tape_fail(ad_tape *tape, adatom_status status);

/* ---- tensors: all of them return a number, or -1 --------------------------------------------------------------- */
int ad_tape_tensor(ad_tape *tape, ad_place place, const char *name, ad_type type, size_t count);
/* Floats in AD_PLACE_WORK. */
int ad_tape_floats(ad_tape *tape, const char *name, size_t count);
/* In an external arena. */
int ad_tape_external(ad_tape *tape, int arena, const char *name, ad_type type, size_t count);
/* Part of a tensor of floats, of each copy of it; not of one in AD_PLACE_WORK, which has its place only at the end. */
int ad_tape_view(ad_tape *tape, int block, const char *name, size_t offset, size_t count);
/* Elements up to the next tensor of a block. */
static inline size_t ad_tape_round(size_t count) { return (count + 63) / 64 * 64; }
/* The number of a tensor that a layer makes at most once per segment: -1 until the layer has written it there. */
int *ad_tape_made(ad_tape *tape, ad_segment_id segment, int node, int slot);

/* ---- parameters ------------------------------------------------------------------------------------------------- */
bool ad_tape_adapts(const ad_tape *tape, int param); /* false for parameter -1 */
int ad_tape_param(const ad_tape *tape, int param);   /* what the forward pass reads: the adapted tensor or the base */
/* The tensor that takes the gradient of an adapted parameter. *flags: AD_ACCUMULATE where another layer has written it
 * before; NULL: the operation cannot add, and the parameter is of this layer only. */
int ad_tape_gradient(ad_tape *tape, int param, uint16_t *flags);

/* ---- operations ------------------------------------------------------------------------------------------------- */
typedef struct ad_operands {
    int count, t[AD_OP_TENSORS];
} ad_operands;
/* Tensors in the order of the roles in ops.def; -1: absent, and so are those that are not named. */
#define AD_OPERANDS(...) ((ad_operands){.count = sizeof((const int[]){__VA_ARGS__}) / sizeof(int), .t = {__VA_ARGS__}})
/* For all tasks. The address is valid until the next operation of the segment; never NULL. */
ad_op *ad_tape_op(ad_tape *tape, ad_segment_id segment, ad_op_kind kind, ad_geometry g, ad_operands operands);

ad_geometry ad_geometry_node(const ad_node *node, int n);
/* The same for operations on the kernel of a convolution: its inputs are those that one filter reads. */
ad_geometry ad_geometry_kernel(const ad_node *node, int n);
/* Pixels of n pictures, or cells of them, each from c numbers to o: a matrix product. */
ad_geometry ad_geometry_pixels(int n, int h, int w, int c, int o);
/* The same of n rows that are no pictures. */
static inline ad_geometry ad_geometry_rows(int n, int c, int o) { return ad_geometry_pixels(n, 1, 1, c, o); }

/* ---- passes ----------------------------------------------------------------------------------------------------- */
/* Makes the arrays of a pass. False: failed. */
bool ad_pass_begin(ad_tape *tape, ad_pass *pass);
void ad_pass_clear(ad_pass *pass);
ad_segment_id ad_pass_segment(const ad_tape *tape, const ad_pass *pass, int node);
/* Makes the tensor of the node's output; its number is in pass->y, too. */
int ad_pass_output(ad_tape *tape, ad_pass *pass, int node);
/* The tensor that takes the gradient of the node's output; *flags: AD_ACCUMULATE where it is there already. */
int ad_pass_gradient(ad_tape *tape, ad_pass *pass, int node, uint16_t *flags);
/* What the head reads: the last node's output, or the rows that are the input. */
int ad_pass_features(const ad_tape *tape, const ad_pass *pass);
#endif

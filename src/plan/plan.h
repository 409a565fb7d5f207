/* A plan is pure data: operations over tensors in a few arenas, in segments that are run in order, some many times.
 * It is built by compile/segments.c (networks) or by hand (kernel check: one operation) and run by an engine. */
#ifndef AD_PLAN_PLAN_H
#define AD_PLAN_PLAN_H

#include "base/base.h"

#define AD_OP_TENSORS 8
#define AD_MOST_TASKS INT16_MAX /* ad_op.tasks */
/* Tensors begin at multiples of this inside an arena: the largest minStorageBufferOffsetAlignment a driver may ask
 * for. */
#define AD_TENSOR_ALIGN_BYTES 256

typedef enum ad_op_kind {
#define AD_OP(NAME, name, roles) AD_OP_##NAME,
#include "plan/ops.def"
    AD_OP_COUNT
} ad_op_kind;

typedef enum ad_type { AD_F32, AD_I32, AD_U8, AD_F16 } ad_type;
static inline size_t ad_type_bytes(ad_type type) { return type == AD_U8 ? 1 : type == AD_F16 ? 2 : 4; }

/* What SOFTMAX_CE predicts where the logits don't tell: one is not finite; all are equal, and class 0 is as good as
 * any. */
enum { AD_PREDICTED_LOST = -1, AD_PREDICTED_TIED = -2 };

/* ad_op.flags. AD_FAST, of CONV, CONV_DX and CONV_DW: the engine may choose a variant with larger errors
 * (ad_engine_api.variant_winograd). AD_CHAINED, of CONV and DEPTHWISE: x is the y of the operation before and nothing
 * else needs it, so that an engine may make both some rows at a time and never has the whole of x. AD_FLIP,
 * AD_TURN, AD_MIRROR: of GATHER. */
enum { AD_ACCUMULATE = 1, AD_FLIP = 2, AD_FAST = 4, AD_CHAINED = 8, AD_TURN = 16, AD_MIRROR = 32 };

/* Columns of a schedule, which has a row a step: learning rates, one of which i[1] of SGD and ADAM names, and what ADAM
 * divides its moments by. Of the engines only the width and the last two are known. */
typedef enum ad_schedule_column {
    AD_RATE_ATOMS,
    AD_RATE_HEAD,
    AD_RATE_NORM,
    AD_RATE_COEFFICIENTS,
    AD_RATE_ORDINARY,
    AD_RATE_LOWRANK,
    AD_RATE_COUNT,
    AD_SCHEDULE_FIRST = AD_RATE_COUNT, /* 1 - beta1^(step+1) */
    AD_SCHEDULE_SECOND,                /* 1 - beta2^(step+1) */
    AD_SCHEDULE_COLUMNS
} ad_schedule_column;

/* Columns of the table `mix`, which has a row a round: how MIX mixes pictures, and SOFTMAX_CE their labels. */
typedef enum ad_mix_column {
    AD_MIX_LAMBDA,
    AD_MIX_TOP, /* rows TOP <= h < BOTTOM, columns LEFT <= w < RIGHT are the next picture's */
    AD_MIX_BOTTOM,
    AD_MIX_LEFT,
    AD_MIX_RIGHT,
    AD_MIX_SHARE, /* of a picture's own label */
    AD_MIX_COLUMNS = 8
} ad_mix_column;

/* One numeric array per task. Element e of task t (of its lane, where `lane`) is at byte
 * arena base + offset + (t*stride + e)*size. */
typedef struct ad_tensor {
    char name[40]; /* for messages */
    ad_type type;
    int arena;
    size_t offset; /* bytes from the start of the arena, a multiple of AD_TENSOR_ALIGN_BYTES */
    size_t count;  /* elements per task */
    size_t stride; /* elements from one task to the next; 0: one copy shared by all tasks */
    bool lane;     /* one copy per lane of the plan, not per task */
} ad_tensor;

/* Bytes from the tensor's offset to its end, with that many copies: ad_tensor_copies, or the tasks of a plan without
 * lanes. */
static inline size_t ad_tensor_bytes(const ad_tensor *t, int copies) {
    return ((t->stride ? (size_t)(copies - 1) * t->stride : 0) + t->count) * ad_type_bytes(t->type);
}

typedef struct ad_geometry {
    int32_t n;         /* images per task */
    int32_t h, w, c;   /* input */
    int32_t oh, ow, o; /* output */
    int32_t k, stride, pad, dil;
    int32_t m;      /* atoms */
    int32_t group;  /* COMPOSE*, DEPTH*: channels of a group that shares coefficients, a multiple of 4; 0: no groups */
    int32_t groups; /* CONV, CONV_DX, CONV_DW: groups of channels that are convolved apart; 0: one */
} ad_geometry;

/* Groups of a convolution, and the inputs and outputs of one. */
static inline int32_t ad_groups(const ad_geometry *g) { return AD_MAX(g->groups, 1); }
static inline int32_t ad_group_inputs(const ad_geometry *g) { return g->c / ad_groups(g); }
static inline int32_t ad_group_outputs(const ad_geometry *g) { return g->o / ad_groups(g); }

typedef struct ad_op {
    uint16_t kind;
    uint16_t flags;
    int16_t variant; /* 0: the engine chooses; v > 0: its v-th variant for this kind (an error if that doesn't apply) */
    int16_t tasks;   /* 1 or plan->tasks */
    int16_t t[AD_OP_TENSORS]; /* tensor numbers in the order of the roles in ops.def; -1: absent */
    ad_geometry g;
    int32_t i[8];
    float f[8];
} ad_op;

/* Pictures of a task whose numbers a GATHER is given. */
static inline size_t ad_gather_shown(const ad_op *op) { return (size_t)op->g.n / (op->flags & AD_MIRROR ? 2 : 1); }

#define AD_MAX_ARENAS 48
typedef struct ad_arena {
    size_t bytes;
    bool external; /* memory that outlives the program (data set, features, parameters): bound at program creation */
} ad_arena;

typedef enum ad_segment_id {
    AD_SEGMENT_INIT,
    AD_SEGMENT_PREFIX,
    AD_SEGMENT_STEP,
    AD_SEGMENT_EVAL,
    AD_SEGMENT_OUTER,
    AD_SEGMENT_SUM,
    AD_SEGMENT_UPDATE,
    AD_SEGMENT_COUNT
} ad_segment_id;

typedef struct ad_plan {
    int tasks;
    /* 0: a tensor's tasks lie together, so that what an operation binds is small. Else the tensors of one task lie
     * together, and so many tasks at most may be worked on side by side, each in a lane: what a task needs only while
     * it is in its lane has one copy per lane. It stays there for a run of a segment. */
    int lanes;
    /* Long sums are cut into parts, and variants chosen, as for so many tasks, so that the bytes do not depend on how
     * many there are at once; 0: as for those of the plan. */
    int divided;
    bool through;      /* PREFIX, STEP and EVAL are run by one call: a task stays in its lane for all of them */
    size_t lane_bytes; /* of one lane, by ad_plan_place */
    /* What an engine may take beside the arenas to keep what it makes of parameters; no limit if nobody sets one. */
    size_t spare_bytes;
    ad_tensor *tensors;
    int tensor_count, tensor_capacity;
    ad_op *ops;
    int op_count, op_capacity;
    struct {
        int first, count;
    } segments[AD_SEGMENT_COUNT]; /* ranges of ops, in order */
    bool eval_between;            /* EVAL also runs between runs of STEP: what STEP needs survives it */
    ad_arena arenas[AD_MAX_ARENAS];
    int arena_count;
} ad_plan;

const char *ad_op_name(int kind);
typedef enum ad_access { AD_ACCESS_NONE, AD_READ, AD_WRITE, AD_UPDATE } ad_access;
/* Role r of an operation kind; AD_ACCESS_NONE past the last. *optional and *name (not NUL-ended, *length) may be
 * NULL. */
ad_access ad_op_role(int kind, int role, bool *optional, const char **name, int *length);
/* Whether ops.def lets the role be AD_F16. */
bool ad_op_role_half(int kind, int role);
ad_type ad_op_role_type(int kind, int role); /* AD_F32 where it may be AD_F16, too */
/* Whether AD_ACCUMULATE makes the operation add to the role. */
bool ad_op_role_adds(int kind, int role);
/* Whether the role, which is written, may be the same tensor as the role `other`. */
bool ad_op_role_same(int kind, int role, int other);
/* The activation (activation.h) of an operation that has one; AD_ACT_NONE of others. */
int ad_op_act(const ad_op *op);
/* How op uses its r-th tensor, absent tensors and AD_ACCUMULATE considered. */
ad_access ad_op_access(const ad_op *op, int role);

/* Tasks of an operation as far as its sums are concerned. */
static inline int ad_plan_divided(const ad_plan *plan, const ad_op *op) {
    return plan->divided && op->tasks == plan->tasks ? plan->divided : op->tasks;
}

static inline int ad_tensor_copies(const ad_plan *plan, const ad_tensor *t) {
    return t->lane ? plan->lanes : plan->tasks;
}
/* Whether the tasks go through the segment without waiting for each other: each of its operations is for every task,
 * but for one at the end that advances a counter. */
bool ad_plan_by_task(const ad_plan *plan, int segment);

ad_plan *ad_plan_create(adatom_context *ctx, int tasks);
void ad_plan_destroy(ad_plan **plan);
/* Adds an arena; returns its number, or -1 (out of memory or arenas, message set). bytes grow with ad_plan_place. */
int ad_plan_arena(adatom_context *ctx, ad_plan *plan, bool external);
/* Adds a tensor at the end of an arena (aligned; the arena grows) with stride = count rounded up to 4 elements if
 * tasked, else 0. Returns its number or -1. */
int ad_plan_tensor(adatom_context *ctx, ad_plan *plan, const char *name, ad_type type, int arena, size_t count,
                   bool tasked);
/* Appends an operation to the segment being built; segments must be filled in order. Returns its address or NULL. The
 * address is valid until the next append. All t[] start at -1. */
ad_op *ad_plan_op(adatom_context *ctx, ad_plan *plan, ad_segment_id segment, int kind);
/* Checks everything an engine relies on: tensor numbers, roles present, sizes against geometry, arena bounds,
 * alignment, types, flags, no forbidden aliasing. Engines call it first. */
adatom_status ad_plan_validate(adatom_context *ctx, const ad_plan *plan);
/* The least number of elements role r of op must have per task, from the geometry (0: not known / any). */
size_t ad_op_elements(const ad_op *op, int role);
/* Whether y of a CONV is more than the sum: coef, residual or an activation is there. */
bool ad_op_has_epilogue(const ad_op *op);
/* gamma of DROP_MASK in units of 2^-24, at most 2^24. */
uint32_t ad_op_drop_chance(const ad_op *op);
/* Floating-point operations (a multiply-add counts 2) and least bytes moved by one run of op, all tasks. */
double ad_op_flops(const ad_op *op);
double ad_op_bytes(const ad_plan *plan, const ad_op *op);

/* Whether any copy of the one tensor shares a byte with any of the other. */
bool ad_tensors_overlap(const ad_plan *plan, const ad_tensor *a, const ad_tensor *b);

/* plan/chains.c: operations that are chained to the one before them (AD_CHAINED). What an operation of a chain binds is
 * alive for all of the chain. */
enum { AD_CHAIN_MOST = 8 }; /* operations of a chain */
/* Chains those operations of the plan where that is worth it: convolutions of few weights with large images between
 * them. Kernels that are composed between them are composed before. To be called before ad_plan_place. */
void ad_plan_chain(ad_plan *plan);
/* Operations of the chain that begins with op; 1: none begins there. */
int ad_plan_chain_length(const ad_plan *plan, int op);
/* For ad_plan_validate: what is chained can be. */
adatom_status ad_plan_check_chains(adatom_context *ctx, const ad_plan *plan);

/* plan/place.c */
/* Gives the tensors of an arena memory by liveness: two tensors share bytes when no operation can need both. They must
 * all be tasked. With lanes: as for a single task, and those of the next task or lane follow. */
adatom_status ad_plan_place(adatom_context *ctx, ad_plan *plan, int arena);
/* Bytes of all owned arenas. */
size_t ad_plan_owned_bytes(const ad_plan *plan);
/* Of all arenas: parameters and data too. */
size_t ad_plan_bytes(const ad_plan *plan);
/* Bytes of the largest tensor in an owned arena that an operation binds, all tasks included. */
size_t ad_plan_largest_tensor(const ad_plan *plan);
#endif

/* From a network, a set of adapted roles and a batch geometry to a plan: forward, loss, pruned backward and update.
 * Pretraining (one task, everything adapts, new pictures at each step), adaptation to episodes (many tasks, fixed
 * support pictures) and feature extraction (no head) are this one mechanism. */
#ifndef AD_COMPILE_BUILD_H
#define AD_COMPILE_BUILD_H

#include "plan/engine.h"
#include "net/layer_choice.h"
#include "net/network.h"
#include "plan/plan.h"

typedef enum ad_bn_mode {
    AD_BN_FROZEN,       /* running statistics */
    AD_BN_SUPPORT,      /* statistics of the support set, kept for the queries; USAGE without a support set */
    AD_BN_TRANSDUCTIVE, /* support statistics while adapting, those of the query batch for the queries */
    AD_BN_TRAIN         /* statistics of the batch; the running ones are updated (pretraining) */
} ad_bn_mode;
typedef enum ad_head_kind {
    AD_HEAD_NONE,
    AD_HEAD_LINEAR,
    AD_HEAD_COSINE,
    AD_HEAD_CENTROID,
    AD_HEAD_CENTROID_COSINE
} ad_head_kind;
/* HOST: whoever runs the program writes the head of each task after the init segment. */
typedef enum ad_head_init { AD_HEAD_ZERO, AD_HEAD_HOST, AD_HEAD_MEANS, AD_HEAD_BASE } ad_head_init;
typedef enum ad_conv_path {
    AD_PATH_AUTO,
    AD_PATH_COEFFICIENTS_FIRST,
    AD_PATH_ATOMS_FIRST,
    AD_PATH_COMPOSED
} ad_conv_path;

/* How gradients change numbers. */
typedef struct ad_optimiser {
    bool adam, nesterov;
    float momentum, dampening; /* Adam: beta1, beta2 */
    float weight_decay[AD_ROLE_COUNT];
} ad_optimiser;

/* What keeps a training of one task from fitting its pictures too closely. */
typedef struct ad_regular {
    bool mixed; /* pictures and labels are mixed as the host says (ad_built.mix) */
    /* The pictures are four times the same, turned (AD_TURN), and a second linear head without bias, which starts at
     * zero, tells how far; its loss counts that much. 0: they are not. */
    float turned;
    float average; /* of the parameters: so much of it stays at each step. 0: none is kept */
    /* Share of the loss that compares the classes' probabilities with a teacher's (ad_built.teacher), both at this
     * temperature. */
    float teacher, temperature;
    float dropped;            /* DropBlock: part of the activations after each of the last two stages. 0: none */
    int drop_side, drop_ramp; /* of the blocks; steps until that part is reached */
} ad_regular;

/* Meta-training: of what the numbers that all tasks share have their gradient. */
typedef enum ad_outer_kind {
    AD_OUTER_NONE,
    AD_OUTER_QUERY,      /* the queries' loss with what the steps led to: first-order MAML, ANIL */
    AD_OUTER_DIFFERENCE, /* the same, but for what the steps change: how far they went (Reptile) */
    AD_OUTER_PROTOTYPES  /* the loss of queries classified by the support set's class means (ProtoNet); no steps */
} ad_outer_kind;
typedef struct ad_outer {
    ad_outer_kind kind;
    int tasks; /* of a meta-batch: gradients are the mean over so many */
    int steps; /* rows of the outer schedule */
    ad_optimiser optimiser;
    bool cosine; /* PROTOTYPES: cosines times a scale that is learned, not squared distances */
} ad_outer;

typedef struct ad_build_params {
    const ad_network *net;
    bool from_features; /* the input is rows of a feature table (net->features floats), not pictures */
    int tasks, way;
    int lanes;      /* of the plan */
    bool through;   /* of the plan */
    unsigned adapt; /* bit 1 << role */
    /* Per node: what of these roles, or of adapters of kernels, adapts (net/layer_choice.h); NULL: all. */
    const bool *layers;
    ad_lowrank lowrank; /* besides; whoever runs the program writes A of each layer and task after the init segment */
    int support;        /* pictures per task and step; 0: the plan only evaluates. PROTOTYPES: with the queries */
    int support_rounds; /* 0: the same pictures at every step; R: those of round step % R */
    int query;          /* pictures per task and run of the eval segment; 0: no eval segment */
    int query_rounds;   /* meta-training: 1, and labels of the queries in outer_labels */
    int steps;          /* rows of the schedule, AD_SCHEDULE_COLUMNS each */
    bool eval_between;  /* the eval segment runs between steps too */
    ad_head_kind head;
    ad_head_init head_init;
    float cosine_scale; /* logits = cosine_scale * cosine */
    float mean_scale;   /* f[0] of MEAN_HEAD for a linear head started from unit class means */
    ad_bn_mode bn;
    ad_conv_path path;
    const ad_conv_costs *costs; /* of the engine: what path AUTO goes by */
    bool chains;                /* of the engine, too */
    bool half;                  /* u of coefficients-first is AD_F16 */
    bool fast;                  /* convolutions are AD_FAST */
    float label_smoothing;
    ad_optimiser optimiser;
    float lowrank_decay;
    /* Support pictures, those of the outer pass, and queries where there is no support set, are augmented by numbers
     * that the host gives each of them (ad_built.support_draw, query_draw). */
    bool drawn;
    ad_outer outer;
    ad_regular regular;
    bool mirror;         /* the queries' features are means over a picture and its mirror image */
    bool query_features; /* the eval segment gives the queries' features besides, as the head sees them */
    bool logits;         /* no step, but the scores of the support pictures of each round (ad_built.logits) */
    /* the data set on the device: chunks of pictures (or of feature rows), one external arena each */
    int data_size;         /* side of the stored pictures */
    const int32_t *chunks; /* pictures in each chunk */
    int chunk_count;
    /* augmentation of support pictures, as i[4], i[5], flags, i[6], f[] of GATHER */
    int augment_mode, augment_pad, augment_flags;
    int32_t augment_seed;
    float augment[8];
} ad_build_params;

#define AD_NOT_ADAPTED SIZE_MAX

/* Tensor numbers (-1: not in this plan). Arena 0 holds the base parameters (external), 1..chunk_count the data
 * (external). */
typedef struct ad_built {
    ad_plan *plan;
    int support_draw, query_draw;                   /* laid out as the indices are */
    int support_index, support_labels, query_index; /* int32 [rounds][tasks][pictures] */
    int schedule, counter, eval_counter; /* float [steps][AD_SCHEDULE_COLUMNS]; int32 [1], the host sets them to 0 */
    int norm;                            /* float [2][4]: scale, shift of pixels; the host writes it */
    int support_predicted, loss, query_predicted; /* int32 [rounds][tasks][n]; float [rounds][tasks] */
    int features; /* of the queries of a round, head NONE or query_features: float [query][net->features] */
    int adapted, velocity, second, gradient; /* [tasks][adapted_count]: roles in order, then adapters of kernels */
    int statistics;                          /* [tasks][role], bn SUPPORT: of the support set, after an eval run */
    int head, head_bias;                     /* views into adapted (or the centroid's own) */
    size_t adapted_count;                    /* floats per task, padding included */
    size_t *at;                              /* per parameter: floats from the start of adapted; AD_NOT_ADAPTED */
    size_t adapted_logical;                  /* numbers that adapt per task */
    size_t role_offset[AD_ROLE_COUNT];       /* of the adapted roles, in floats from the start of adapted */
    size_t lowrank_offset, gains_offset;     /* of adapters of kernels (A, B, alignment), and of their gains */
    size_t alignment_offset;                 /* TSA */
    int mix;                                 /* float [rounds][8], as MIX wants it */
    int teacher;                             /* float [rounds][support][way] scores */
    int logits;                              /* float [support][way] of the round before */
    int turned_labels, turned_loss;          /* int32 [tasks][support], the host writes number % 4; float [tasks] */
    int turned;                              /* view into adapted, [4][features] */
    size_t turned_offset;
    int average, average_statistics; /* [adapted_count]; as the network's role */
    /* Meta-training. Laid out as the base parameters are, and behind them the scale of cosines: the gradient of each
     * task, the sum over tasks and the moments of its optimiser. */
    int outer_gradient, outer_sum, outer_velocity, outer_second;
    int outer_schedule, outer_counter;
    int outer_labels;                 /* int32 [tasks][pictures of the outer pass]; -1: counts for nothing */
    int outer_loss, outer_predicted;  /* float [tasks]; int32 [tasks][pictures of the outer pass] */
    int scale;                        /* float [1]: of cosines; the host writes where it starts */
    size_t outer_count, scale_offset; /* floats of these blocks, and where the scale is in them */
    int alignment; /* TSA: view into adapted, D [features][features]; the head sees f + D f; -1: none */
    ad_lowrank_layer *lowrank;
    int lowrank_count;
} ad_built;

adatom_status ad_build(adatom_context *ctx, const ad_build_params *params, ad_built *out);
void ad_built_clear(ad_built *built);
/* The schedule's column with the learning rate of a role that adapts. */
ad_schedule_column ad_rate_of(ad_role role);
#endif

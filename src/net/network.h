/* Networks as data: a table of parameters and a list of nodes. Built from an architecture's name (net/arch.c), from
 * which sizes, file format, gradients, optimiser ranges, reports and plans are all derived. */
#ifndef AD_NET_NETWORK_H
#define AD_NET_NETWORK_H

#include "base/base.h"
#include <adatom/model.h>

/* Order of the roles = order in the parameter arena: what adapts is a contiguous range. */
typedef enum ad_role {
    AD_ROLE_ATOMS,
    AD_ROLE_HEAD,
    AD_ROLE_NORM,
    AD_ROLE_COEFFICIENTS,
    AD_ROLE_ORDINARY,
    AD_ROLE_STATISTICS,
    AD_ROLE_COUNT
} ad_role;

typedef enum ad_param_kind {
    AD_PARAM_ATOMS,        /* arena [m][k*k]            file [m,k,k]; with groups before it [o/group][c/group],
                              [o/group,c/group] */
    AD_PARAM_HEAD,         /* arena [way][features]     file [way,features] */
    AD_PARAM_HEAD_BIAS,    /* arena [way]               file [way] */
    AD_PARAM_GAMMA,        /* [c] */
    AD_PARAM_BETA,         /* [c] */
    AD_PARAM_COEFFICIENTS, /* arena [c_padded][m][o]    file [o,c,m]; c_padded as for kernels */
    AD_PARAM_KERNEL, /* arena [k*k][c_padded][o_padded]  file [o,c,k,k]; both rounded up to 4, padding zero; but c = 1
                        of depthwise kernels stays 1 */
    AD_PARAM_BIAS,   /* arena [o_padded]          file [o]: of a convolution that no norm follows */
    AD_PARAM_SCALE,  /* [c]: one factor a channel, before a residual sum */
    AD_PARAM_STATISTICS /* arena [2][c] mean, var    file two tensors NAME.running_mean, NAME.running_var [c] */
} ad_param_kind;

typedef struct ad_param {
    char name[64]; /* name in the file, e.g. "layer2.atoms", "shared.coefficients", "layer1.kernel",
                      "layer1.norm.weight" */
    ad_role role;
    ad_param_kind kind;
    int32_t o, c, k, m; /* logical sizes; c not padded (atoms: o and c of their layer) */
    int32_t group;      /* ATOMS: channels of a group, 0: one dictionary */
    size_t offset;      /* elements from the start of the parameter arena, a multiple of 64 */
    size_t count;       /* elements in the arena (padding of c included) */
    size_t logical;     /* numbers that count as parameters: without padding */
} ad_param;

/* The kinds of nodes besides the input: AD_NODE_X and its name, which compile/layers/NAME.c computes.
 *   NORM: act(batch norm + residual); without gamma act(x + residual), with `scale` act(scale x + residual).
 *   LAYER_NORM: over the channels of each position.
 *   CHANNEL_SCALE: x times one factor a picture and channel, which are the 1 x 1 output of node `gate`. */
#define AD_LAYERS(LAYER)                                                                                               \
    LAYER(CONV, conv)                                                                                                  \
    LAYER(NORM, norm)                                                                                                  \
    LAYER(LAYER_NORM, layer_norm)                                                                                      \
    LAYER(CHANNEL_SCALE, channel_scale)                                                                                \
    LAYER(POOL, pool)
#define AD_NODE_KIND(KIND, name) AD_NODE_##KIND,
typedef enum ad_node_kind { AD_NODE_INPUT, AD_LAYERS(AD_NODE_KIND) } ad_node_kind;
#undef AD_NODE_KIND

/* What a convolution is in its block: other programs name the tensors by it. */
typedef enum ad_part {
    AD_PART_STEM,
    AD_PART_LAYER, /* one of the block's equal convolutions, number `place` */
    AD_PART_SHORTCUT,
    AD_PART_EXPAND,    /* 1x1, to more channels; of ConvNeXt the first of its two */
    AD_PART_DEPTHWISE, /* of a block with EXPAND before it, or of ConvNeXt */
    AD_PART_PROJECT,   /* 1x1, to fewer channels, after DEPTHWISE */
    AD_PART_LONE,      /* depthwise, of a block without EXPAND */
    AD_PART_LONE_PROJECT,
    AD_PART_SQUEEZE, /* the two of squeeze-and-excite */
    AD_PART_EXCITE,
    AD_PART_DOWNSAMPLE, /* between two stages */
    AD_PART_TOP,        /* after the last stage */
    AD_PART_HIDDEN,     /* after the mean over positions */
    AD_PART_COUNT
} ad_part;

/* Node 0 is the input. A node reads earlier nodes only. The last node's output, flattened channels-last, is the
 * features. */
typedef struct ad_node {
    ad_node_kind kind;
    char name[48];     /* "layer1.conv" ... */
    int input;         /* node number */
    int residual;      /* NORM: node added before the activation, or -1 */
    int gate;          /* CHANNEL_SCALE: the factors' node; else -1 */
    int32_t h, w, c;   /* input (c padded to 4) */
    int32_t oh, ow, o; /* output (o padded to 4) */
    int32_t k, stride, dil;
    int32_t pad;      /* before the first row and column; what is after the last follows from oh and ow */
    int32_t groups;   /* CONV: of channels that see each other; 1: all do; c: depthwise */
    int32_t channels; /* CONV: that one filter reads, padding not counted: 3 from the picture, else c / groups */
    int32_t filters;  /* CONV: o without padding */
    int32_t m;        /* CONV: atoms; 0 = ordinary kernel only */
    int32_t group;    /* CONV, m > 0: channels of the groups that share coefficients, a multiple of 4; 0: no groups */
    int act;          /* NORM: enum ad_act */
    float slope;      /* of AD_ACT_LEAKY */
    float epsilon;    /* NORM, LAYER_NORM: added to variances */
    int average;      /* POOL: 0 maximum, 1 average */
    int kernel; /* CONV: parameter numbers, -1 absent; with m > 0 the kernel that a residual layer adds its atoms to */
    int coefficients, atoms; /* CONV, m > 0; coefficients may be shared with other nodes and larger than this layer */
    int bias;                /* CONV */
    int gamma, beta;         /* NORM, LAYER_NORM */
    int statistics;          /* NORM with gamma */
    int scale;               /* NORM without gamma */
    int stage;               /* for sharing by stage and reports; 0: the stem */
    ad_part part;            /* CONV; of the nodes after it, that of their convolution */
    int block, place;        /* block of the stage, convolution of the block, from 0: for names in other layouts */
} ad_node;

typedef struct ad_network {
    char arch[32], sharing[32];
    adatom_model_params
        made_from; /* defaults filled in; arch is static (stem: default where the architecture has none) */
    ad_node *nodes;
    int node_count;
    ad_param *params; /* ordered by role, then by layer */
    int param_count;
    size_t role_begin[AD_ROLE_COUNT + 1]; /* elements; role r is [role_begin[r], role_begin[r+1]); multiples of 64 */
    int32_t image_size;                   /* square */
    int32_t features;
    int32_t way; /* classes of the head in the arena (0: none); heads for episodes are made by the plan builder */
    int head, head_bias; /* parameter numbers or -1 */
} ad_network;

/* Whose names the tensors had where a model was imported from, and what stood before those of the backbone and of the
 * classifier. */
typedef struct ad_origin {
    char layout[32]; /* empty: made here */
    char prefix[64], head_prefix[64];
} ad_origin;

/* The model: a network, its parameters (host, arena layout) and preprocessing. */
struct adatom_model {
    adatom_context *ctx;
    ad_network net;
    float *values;                      /* role_begin[AD_ROLE_COUNT] floats */
    float mean[3], std[3];              /* of pixels in [0,1] */
    int resize;                         /* shorter side of a picture before image_size is cropped from it */
    adatom_interpolation interpolation; /* how it is scaled to that; not default */
    ad_origin origin;
    float *base_mean; /* [net.features] mean features of the pictures it was trained with; NULL: not known */
    char *notes;      /* JSON object text carried in the file's metadata (training command, seed, ...); may be NULL */
    uint64_t hash;    /* of values and description, which decide the features; recomputed by ad_model_rehash */
};

/* Builds nodes and params for params->arch etc. (net/arch.c). params->classes = classes of the head kept in the arena
 * (0: none). Parameters that make no network: USAGE. */
adatom_status ad_network_build(adatom_context *ctx, const adatom_model_params *params, ad_network *out);
/* Whether params say of norms and padding what their architecture says itself: files and hashes leave it out then. */
bool ad_network_usual(const adatom_model_params *params);
/* The width of an architecture's first stage; *others: whether it can be made with other widths. */
int ad_network_width(const char *arch, bool *others);
/* The size of the pictures that published weights of the architecture were trained with. */
int ad_network_pictures(const char *arch);
void ad_network_clear(ad_network *net);

/* For builders of networks (net/arch.c). Both return a number, or -1 when out of memory. A parameter whose name is
 * there already is shared: it grows to the largest o and c asked for. */
int ad_network_add_node(adatom_context *ctx, ad_network *net, const ad_node *node);
int ad_network_add_param(adatom_context *ctx, ad_network *net, ad_param_kind kind, const char *name, int o, int c,
                         int k, int m);
/* Last step: orders the parameters by role, then by age, and places them in the arena. */
adatom_status ad_network_layout(adatom_context *ctx, ad_network *net);

/* Whether a decomposed convolution may have its coefficients in common with others: those whose filters see a part of
 * the channels never do. */
bool ad_node_shares(const ad_network *net, const ad_node *node);

/* Numbers that count as parameters in a role. */
uint64_t ad_network_parameters(const ad_network *net, ad_role role);
/* What shares coefficients, as sharing without "group-": none, layer, stage or net. */
const char *ad_network_scope(const ad_network *net);
/* Whether each channel has a kernel of its own. */
static inline bool ad_node_depthwise(const ad_node *node) { return node->groups > 1 && node->channels == 1; }
/* Multiply-adds of one image: dense, k^2 c o for each output position; coefficients-first, m c o for each input
 * position and m k^2 o for each output position; 0 for other nodes. The two stages of sum-first, for groups of s
 * channels: m k^2 c o/s and m s o for each output position; 0 without groups. docs/methods.md, "Three exact ways to
 * compute a layer". */
uint64_t ad_node_macs(const ad_node *node);
uint64_t ad_node_macs_coefficients_first(const ad_node *node);
uint64_t ad_node_macs_group_sums(const ad_node *node);
uint64_t ad_node_macs_group_product(const ad_node *node);

/* A parameter's tensors in a file: one, or two for statistics (part 0 mean, 1 variance). Fills name and shape, returns
 * the rank. */
#define AD_PARAM_NAME 80
#define AD_PARAM_RANK 5
int ad_param_parts(const ad_param *param);
int ad_param_file(const ad_param *param, int part, char name[AD_PARAM_NAME], int64_t shape[AD_PARAM_RANK]);
/* Whether it is among those that files keep as float16, if nothing is lost by it: atoms, coefficients, kernels and the
 * classifier's weights, nearly all of a model. Norms and biases are few, and variances of any magnitude. */
bool ad_param_halved(const ad_param *param);
/* Where element `index` of the file's tensor lies, counted from the parameter's offset in the arena. */
size_t ad_param_at(const ad_param *param, int part, size_t index);

/* Default preprocessing, all parameters zero. */
adatom_status ad_model_create_blank(adatom_context *ctx, const adatom_model_params *params, adatom_model **out);
/* A model of features alone: a network that has no layer and no parameter. hash: of the network that made them; "": not
 * known, and the hash is 0. */
adatom_status ad_model_create_bare(adatom_context *ctx, int features, const char *hash, adatom_model **out);
/* Preprocessing, origin and notes of another model. */
adatom_status ad_model_inherit(adatom_model *model, const adatom_model *from);
/* Values of the parameters that have the same name and size in another model. */
void ad_model_copy_values(adatom_model *model, const adatom_model *from);
void ad_model_rehash(adatom_model *model);
/* He-correct start (docs/methods.md, "Initialisation"): alpha ~ N(0,1/m), psi ~ N(0, 2/(k^2 c)), kernels He, gamma 1,
 * beta 0, mean 0, var 1, head 0. */
void ad_model_initialise(adatom_model *model, uint64_t seed);
#endif

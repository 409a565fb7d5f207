/* The names and shapes that other programs give a network's tensors. */
#ifndef AD_TRANSFER_LAYOUT_H
#define AD_TRANSFER_LAYOUT_H

#include "net/network.h"

#define AD_LAYOUT_NAME 160
enum { AD_LAYOUT_ARCHS = 8, AD_LAYOUT_IGNORED = 4 };

/* The names of a convolution and of the norm beside it. Patterns, in which these stand for numbers:
 *   %s stage from 1       %S stage from 0     %d 2 S, %D 2 S + 1: stages with something between them
 *   %b block of the stage from 0              %n block of the network from 0, %N from 1
 *   %p convolution of the block from 1
 *   %m its place among the block's modules from 0, of which squeeze-and-excite is one; %M the place after it
 *   %u the block's place in a list that begins with the stem's modules
 *   %f the convolution's place in a flat list of all modules; %g the place after it */
typedef struct ad_naming {
    const char *conv, *norm;
    bool linear; /* convolutions of one pixel are linear layers there */
} ad_naming;

typedef struct ad_layout {
    const char *name, *project;
    const char *archs[AD_LAYOUT_ARCHS];
    ad_naming parts[AD_PART_COUNT];
    ad_naming again;   /* second names under which a state_dict lists the layers' tensors */
    const char *scale; /* of the factors before a residual sum */
    bool scale_planes; /* they have the shape [c,1,1] there, not [c] */
    const char *top;   /* of the norm behind the mean over positions */
    const char *head;
    bool bias;                                  /* convolutions before a batch norm have biases */
    float epsilon;                              /* of batch norms; 0: as the architecture says */
    adatom_padding padding;                     /* of convolutions; default: as the architecture says */
    const char *ignored[AD_LAYOUT_IGNORED + 1]; /* left out on import; a * at the end stands for anything */
} ad_layout;

extern const ad_layout ad_layouts[];
extern const int ad_layout_count;
/* What may stand before all names, alone or one after the other, in the order in which they are looked for; ends with
 * NULL. Other prefixes are found, too, after these. */
extern const char *const ad_layout_prefixes[];

typedef enum ad_outer_kind {
    AD_OUTER_KERNEL,
    AD_OUTER_BIAS, /* before a batch norm, in whose mean it is kept */
    AD_OUTER_PARAM,
    AD_OUTER_COUNTER,
    AD_OUTER_HEAD
} ad_outer_kind;

/* A tensor as the layout has it. */
typedef struct ad_outer {
    ad_outer_kind kind;
    bool again;                /* a second name of one that came before */
    char name[AD_LAYOUT_NAME]; /* there; prefix not included */
    char own[AD_PARAM_NAME];   /* in a model without decomposition */
    int rank;
    /* On import 1x1 kernels and factors may also be without, or with, the 1s at the end. */
    int64_t shape[AD_PARAM_RANK];
    int node;        /* of a KERNEL, BIAS (convolution) or COUNTER (norm) */
    int param, part; /* of a PARAM or HEAD */
} ad_outer;

typedef struct ad_outer_list {
    ad_outer *items;
    int count;
} ad_outer_list;

/* Every tensor that this layout has for a network. ad_free(out->items). layout NULL: own names. */
adatom_status ad_layout_list(adatom_context *ctx, const ad_layout *layout, const ad_network *net, ad_outer_list *out);
bool ad_layout_knows(const ad_layout *layout, const char *arch);
/* Whether name is pattern, or begins with what stands before its *. */
bool ad_layout_matches(const char *pattern, const char *name);
/* Numbers of a tensor. */
size_t ad_outer_elements(const ad_outer *outer);
/* Where element `index` of a HEAD or PARAM lies, from the parameter's offset: other programs flatten features
 * channels-first. */
size_t ad_outer_at(const ad_network *net, const ad_outer *outer, size_t index);

/* preparation.c: how a source prepares pictures for networks whose tensors have a layout's names. A pixel from 0 to 1
 * becomes (pixel - mean) / std. */
typedef struct ad_preparation {
    const char *layout, *archs; /* names of networks, separated by spaces */
    const char *weights;        /* which of the source's weights: names, separated by spaces */
    int size, resize;           /* resize 0: by crop */
    float crop;                 /* size / resize, rounded down, as timm has it */
    adatom_interpolation interpolation;
    float mean[3], std[3];
} ad_preparation;
extern const ad_preparation ad_preparations[];
extern const int ad_preparation_count;
bool ad_preparation_is_for(const ad_preparation *row, const char *layout, const char *arch);
/* The row of these weights, or with NULL the first one; NULL where there is none. */
const ad_preparation *ad_preparation_find(const char *layout, const char *arch, const char *weights);
/* To what the shorter side is scaled so that size is the fraction crop of it. */
int ad_resize_for_crop(int size, double crop);
int ad_preparation_resize(const ad_preparation *row);

/* A JSON map (include/adatom/transfer.h). */
typedef struct ad_name_map {
    void *json;                                    /* owns the names */
    struct ad_name_pair *named, *omitted, *starts; /* names with one here; left out; left out by what they begin with */
    size_t named_count, omitted_count, start_count;
} ad_name_map;
/* path NULL: empty. */
adatom_status ad_name_map_read(adatom_context *ctx, const char *path, ad_name_map *out);
void ad_name_map_clear(ad_name_map *map);
/* The source's name for a tensor, or NULL; second names have none. */
const char *ad_name_map_source(const ad_name_map *map, const ad_outer *outer);
/* Whether the map says that the source's tensor is to be left out. */
bool ad_name_map_omits(const ad_name_map *map, const char *source);
/* Every name of ours in it is one of the list's: else BAD_DATA. */
adatom_status ad_name_map_check(adatom_context *ctx, const ad_name_map *map, const char *path,
                                const ad_outer_list *list);
#endif

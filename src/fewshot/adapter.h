/* An adapter in memory. Numbers are in the order of files. */
#ifndef AD_FEWSHOT_ADAPTER_H
#define AD_FEWSHOT_ADAPTER_H

#include "fewshot/calibration.h"
#include "net/layer_choice.h"
#include <adatom/adapter.h>
#include <jansson.h>
#include <string.h>

typedef struct ad_adapter_tensor {
    char name[AD_PARAM_NAME];
    char module[AD_PARAM_NAME]; /* the same, or the convolution to whose kernel it adds; all parts
                                   (net/lowrank.h) in order */
    int rank;
    int64_t shape[AD_PARAM_RANK];
    size_t elements;
    float *values;
} ad_adapter_tensor;

struct adatom_adapter {
    adatom_context *ctx;
    json_t *config; /* everything else: adapter_config.json */
    char *config_text;
    adatom_adapter_info info;
    bool cosine; /* logits: scale * cosine, else scale * <w, x> + bias */
    float scale;
    bool mirror;        /* features are means over a picture and its mirror image */
    float *head, *bias; /* [classes][features], [classes]; cosine heads have no bias */
    ad_lowrank lowrank; /* kind NONE: all tensors are the model's */
    ad_adapter_tensor *tensors;
    int count, room;  /* of them; info.tensors counts modules */
    int32_t *answers; /* [answer_count] adatom_adapter_answers(); NULL: not known */
    size_t answer_count;
    float *scores; /* [answer_count][classes] adatom_adapter_scores(); NULL: not known */
    ad_calibration calibration;
};

/* An adapter with room for its classifier; no tensors, no configuration. */
adatom_status ad_adapter_create(adatom_context *ctx, int classes, int features, bool cosine, float scale,
                                adatom_adapter **out);
/* Adds a tensor of zeros. */
adatom_status ad_adapter_add(adatom_adapter *adapter, const char *module, const char *name, int rank,
                             const int64_t *shape);
/* adapter_config.json from the members that `config` (taken) holds already and those the adapter knows; fills info. */
adatom_status ad_adapter_finish(adatom_adapter *adapter, json_t *config);
/* The files, by their names in the folder. */
#define AD_ADAPTER_TENSORS "adapter.safetensors"
#define AD_ADAPTER_CONFIG "adapter_config.json"
#define AD_ADAPTER_HEAD "head.weight"
#define AD_ADAPTER_BIAS "head.bias"
/* The model's hash of an adapter that was made of features of an unknown network. */
#define AD_ADAPTER_UNKNOWN "0000000000000000"
#define AD_ADAPTER_ALIGNMENT "head.alignment" /* TSA: D [features][features]; the classifier sees f + D f */
uint64_t ad_adapter_hash(const adatom_adapter *adapter);

static inline bool ad_adapter_is_lowrank(const ad_adapter_tensor *tensor) {
    return strcmp(tensor->name, tensor->module) != 0;
}
static inline bool ad_adapter_is_alignment(const adatom_adapter *adapter, const ad_adapter_tensor *tensor) {
    return adapter->lowrank.kind == AD_LOWRANK_TSA && strcmp(tensor->name, AD_ADAPTER_ALIGNMENT) == 0;
}
/* NULL: there is none. */
const float *ad_adapter_alignment(const adatom_adapter *adapter);
/* aligned[features] = f + D f. */
void ad_adapter_align(const adatom_adapter *adapter, const float *alignment, const float *features, float *aligned);
/* The tensor with which module number `module` begins. */
int ad_adapter_module(const adatom_adapter *adapter, int module);
/* The model's convolution of that name, or NULL: there is none that can have the adapter's kind of adapter. */
const ad_node *ad_adapter_node(const adatom_adapter *adapter, const adatom_model *model, const char *module);
/* Parameter and part of the model that tensor i, no adapter of a kernel, stands for. BAD_DATA where there is none of
 * that name and shape. */
adatom_status ad_adapter_param(const adatom_adapter *adapter, const adatom_model *model, int i, int *param, int *part);
/* The adapter belongs to the model; *roles: bits of the roles of the model's tensors that it holds, whose nodes are
 * marked in layers[node_count] (may be NULL). */
adatom_status ad_adapter_check(const adatom_adapter *adapter, const adatom_model *model, unsigned *roles, bool *layers);

/* adatom_adapter_merge() without its warning. */
adatom_status ad_adapter_merge(const adatom_adapter *adapter, const adatom_model *model, adatom_model **out);

/* The adapter classifies features of that many numbers, of the network of that hash ("": not known, which is told). */
adatom_status ad_adapter_check_features(const adatom_adapter *adapter, const adatom_dataset_info *features);

/* Which task of the estimate leaves each picture out (fold[images]; AD_FOLD_NONE: none does) and how many tasks there
 * are (0: none); fills in params->estimate. Class by class in a drawn order, each class beginning where the one before
 * ended, so that folds and classes are even. A class keeps at least one picture in every support set, which lacks
 * `together` folds. */
enum { AD_FOLD_NONE = -1 };
adatom_status ad_choose_folds(adatom_context *ctx, const adatom_dataset *dataset, adatom_fit_params *params,
                              uint64_t seed, int together, int32_t *fold, int *folds);

/* scores[classes] (logits) of one row of features, aligned where there is an alignment. Returns how familiar it looks:
 * the largest cosine, or the largest score of a linear classifier divided by the features' length, which says how long
 * a picture's features happen to be and little of what is on it. */
double ad_adapter_scores(const adatom_adapter *adapter, const float *features, float *scores);
/* From scores[classes] to probabilities, in place. */
void ad_adapter_probabilities(float *scores, int classes, double temperature);
#endif

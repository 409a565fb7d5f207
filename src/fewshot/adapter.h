/* An adapter in memory. Numbers are in the order of files. */
#ifndef AD_FEWSHOT_ADAPTER_H
#define AD_FEWSHOT_ADAPTER_H

#include "nn/network.h"
#include <adatom/adapter.h>
#include <jansson.h>

typedef struct ad_adapter_tensor {
    char name[AD_PARAM_NAME];
    int rank;
    int64_t shape[4];
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
    float *head, *bias; /* [classes][features], [classes]; cosine heads have no bias */
    ad_adapter_tensor *tensors;
};

/* An adapter with room for its classifier; no tensors, no configuration. */
adatom_status ad_adapter_create(adatom_context *ctx, int classes, int features, bool cosine, float scale, adatom_adapter **out);
/* Adds a tensor of zeros. */
adatom_status ad_adapter_add(adatom_adapter *adapter, const char *name, int rank, const int64_t *shape);
/* adapter_config.json from the members that `config` (taken) holds already and those the adapter knows; fills info. */
adatom_status ad_adapter_finish(adatom_adapter *adapter, json_t *config);
uint64_t ad_adapter_hash(const adatom_adapter *adapter);

/* Parameter and part of the model that tensor i stands for. BAD_DATA where there is none of that name and shape. */
adatom_status ad_adapter_param(const adatom_adapter *adapter, const adatom_model *model, int i, int *param, int *part);
/* The adapter belongs to the model; *roles: bits of the roles that it holds. */
adatom_status ad_adapter_check(const adatom_adapter *adapter, const adatom_model *model, unsigned *roles);

/* probabilities[classes] of one row of features. */
void ad_adapter_probabilities(const adatom_adapter *adapter, const float *features, float *probabilities);
#endif

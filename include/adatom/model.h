/* Models: a network description with its parameters, kept as safetensors. A model does not change once it is made; it
 * is used by one thread at a time, that of its context. */
#ifndef ADATOM_MODEL_H
#define ADATOM_MODEL_H

#include <adatom/adatom.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_model adatom_model;

typedef struct adatom_model_params {
    size_t size;
    const char *arch;       /* a name of adatom_model_arch(); NULL: conv4 */
    adatom_sharing sharing; /* default: net */
    int atoms;              /* m, 1..64; 0: 8. Ignored with sharing none */
    int image_size;         /* square input, pixels, 1..1024; 0: 84 */
    int width;              /* channels of the first stage, a multiple of 4, 4..1024; 0: the architecture's own (64) */
    int classes;            /* outputs of the classifier kept in the model, at most 65536; 0: none */
    bool decompose_first;   /* decompose the first convolution too (default: ordinary) */
    adatom_stem stem;       /* of resnet10, resnet18 and resnet34; USAGE where the network has none to choose */
    bool residual; /* decomposed layers keep an ordinary kernel to which atoms are added (adatom_model_decompose) */
    int group; /* with sharing group-*: channels of a group, a multiple of 4 that divides the width of every decomposed
                  layer; 0: the largest of these up to 64. Else 0 */
    uint64_t seed; /* of the initialisation [normal, He et al., ICCV 2015] */
} adatom_model_params;

/* The name of the network numbered index, from 0; NULL past the last. Static; any thread. */
ADATOM_API const char *adatom_model_arch(size_t index);
/* A network with random parameters. params may be NULL. USAGE: the description makes no network. The caller owns *out,
 * as of every function here that makes a model. */
ADATOM_API adatom_status adatom_model_create(adatom_context *context, const adatom_model_params *params,
                                             adatom_model **out);
/* Reads a safetensors file written by adatom_model_save(). BAD_DATA names the tensor and what was expected. */
ADATOM_API adatom_status adatom_model_load(adatom_context *context, const char *path, adatom_model **out);
/* The same from memory; name is used in messages. */
ADATOM_API adatom_status adatom_model_parse(adatom_context *context, const char *name, const void *bytes, size_t size,
                                            adatom_model **out);
/* As adatom_write_file() writes. IO: the place cannot be written to. */
ADATOM_API adatom_status adatom_model_save(const adatom_model *model, const char *path);
ADATOM_API void adatom_model_destroy(adatom_model **model);

typedef struct adatom_model_info {
    size_t size;
    const char *arch; /* owned by the model */
    adatom_sharing sharing;
    int atoms, group, image_size, features, classes, layers; /* group: channels of one, 0 where there are none */
    bool residual;
    int resize;         /* preprocessing: shorter side of a picture before image_size is cropped from its centre */
    const char *layout; /* whose names the tensors had where the model was imported from, or NULL; owned by the model */
    uint64_t parameters; /* all, statistics and head excluded */
    uint64_t atoms_parameters, head_parameters, norm_parameters, coefficients_parameters, ordinary_parameters;
    uint64_t macs;                      /* multiply-adds of one image, composed */
    float mean[3], std[3];              /* preprocessing: (pixel/255 - mean)/std */
    const char *notes;                  /* JSON text or NULL */
    char hash[17];                      /* of description and parameters */
    adatom_interpolation interpolation; /* preprocessing: how pictures are scaled; not default */
} adatom_model_info;
ADATOM_API adatom_status adatom_model_describe(const adatom_model *model, adatom_model_info *out);

typedef struct adatom_layer_info {
    size_t size;
    const char *name; /* owned by the model */
    char kind[16];    /* conv, norm, pool, head */
    int in_height, in_width, in_channels, out_height, out_width, out_channels;
    int kernel, stride, padding, dilation, atoms; /* conv; atoms 0: ordinary */
    const char *coefficients;                     /* name of the (shared) coefficient tensor or NULL */
    uint64_t own_parameters;                      /* without shared coefficients */
    uint64_t macs;                                /* dense */
    uint64_t macs_coefficients_first;             /* coefficients before atoms; 0 for ordinary layers and with groups */
    uint64_t macs_sum_first; /* atoms, summed over groups of inputs, before coefficients; 0 without groups */
} adatom_layer_info;
/* USAGE if index is outside 0..layers-1. */
ADATOM_API adatom_status adatom_model_layer(const adatom_model *model, int index, adatom_layer_info *out);

#ifdef __cplusplus
}
#endif
#endif

/* Models: a network's description with its parameters, kept as safetensors. A model does not change once it is made; it
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
    const char *arch;       /* a name of adatom_model_arch(); NULL: "conv4" */
    adatom_sharing sharing; /* default: net */
    int atoms;              /* atoms of a dictionary, 1..64; 0: 8. Not used with sharing none */
    int image_size;         /* square input, pixels, 1..1024; 0: 84 */
    int width;   /* channels of the first stage, a multiple of 4 in 4..1024; 0: the architecture's own; others only with
                    networks of equal stages */
    int classes; /* outputs of the model's classifier, 1..65536; 0: it has none */
    bool decompose_first; /* the first convolution is decomposed, too; not with sharing group-* */
    adatom_stem stem;     /* first layer of resnet10, resnet18 and resnet34; USAGE for other networks */
    /* Whether decomposed layers have an ordinary kernel, too, to which the atoms' kernel is added, as
     * adatom_model_decompose() makes them. */
    bool residual;
    /* Channels of a group, with sharing group-*: a multiple of 4 that divides the width of every decomposed layer; 0:
     * the largest such number up to 64. With other sharing it must be 0. */
    int group;
    uint64_t seed;          /* of the initialisation, which is normal [He et al., ICCV 2015]; docs/methods.md */
    float norm_epsilon;     /* added to the variances of batch norms, 0..1; 0: the architecture's own */
    adatom_padding padding; /* of convolutions; default: the architecture's own */
} adatom_model_params;

/* The name of architecture number index, from 0; NULL past the last. Static storage; any thread. */
ADATOM_API const char *adatom_model_arch(size_t index);
/* Makes a network with random parameters. params may be NULL. USAGE: the params describe no network. The caller owns
 * *out. */
ADATOM_API adatom_status adatom_model_create(adatom_context *context, const adatom_model_params *params,
                                             adatom_model **out);
/* Reads a safetensors file that adatom_model_save() wrote. BAD_DATA: the message names the tensor and what was
 * expected. The caller owns *out. */
ADATOM_API adatom_status adatom_model_load(adatom_context *context, const char *path, adatom_model **out);
/* The same from bytes[size] in memory, of which nothing is kept; name: for messages. */
ADATOM_API adatom_status adatom_model_parse(adatom_context *context, const char *name, const void *bytes, size_t size,
                                            adatom_model **out);
/* Writes the model as adatom_write_file() writes. What adatom_model_round() rounds is written as F16 if nothing is lost
 * by it, else as F32, as everything else is. */
ADATOM_API adatom_status adatom_model_save(const adatom_model *model, const char *path);
ADATOM_API void adatom_model_destroy(adatom_model **model);

typedef struct adatom_model_info {
    size_t size;
    const char *arch;       /* name of the architecture */
    adatom_sharing sharing; /* what shares coefficients */
    /* group: channels of a group, 0: there are none; features: width of the classifier's input; classes: outputs of the
     * model's classifier, 0: it has none; layers: how many adatom_model_layer() tells of. */
    int atoms, group, image_size, features, classes, layers;
    bool residual; /* decomposed layers have an ordinary kernel, too */
    /* Preprocessing: pictures are scaled so that their shorter side has this many pixels, then image_size is cropped
     * from the centre. */
    int resize;
    const char *layout;  /* the text of adatom_layout that the model was imported with, or NULL */
    uint64_t parameters; /* of the whole network, without batch norm's statistics and the classifier (head) */
    /* How many of them have each role; the head, not one of them, is the classifier. */
    uint64_t atoms_parameters, head_parameters, norm_parameters, coefficients_parameters, ordinary_parameters;
    uint64_t macs;         /* multiply-adds of one picture with composed kernels */
    float mean[3], std[3]; /* preprocessing of each colour: (pixel/255 - mean)/std */
    /* Notes on how the model was made, as the text of a JSON object, or NULL. `classes`, where it is there, is an array
     * with the names of the classifier's classes. */
    const char *notes;
    char hash[17];                      /* of description and parameters; 16 hex digits */
    adatom_interpolation interpolation; /* preprocessing: how pictures are scaled; never default */
    bool base_mean; /* whether it knows the mean features of its training pictures (method simpleshot) */
} adatom_model_info;
ADATOM_API adatom_status adatom_model_describe(const adatom_model *model, adatom_model_info *out);

typedef struct adatom_layer_info {
    size_t size;
    const char *name; /* of the layer; owned by the model */
    char kind[16];    /* "conv", "norm", "layer_norm", "channel_scale", "pool", "head" */
    int in_height, in_width, in_channels, out_height, out_width, out_channels; /* of one picture */
    int kernel, stride, padding, dilation, atoms; /* of a conv, else 0; atoms 0: an ordinary convolution */
    const char *coefficients;         /* name of the coefficient tensor, which layers may share; NULL: none */
    uint64_t own_parameters;          /* the layer's numbers without coefficients that it shares */
    uint64_t macs;                    /* multiply-adds of one picture with composed kernels */
    uint64_t macs_coefficients_first; /* multiply-adds of coefficients-first; 0 for ordinary layers and groups */
    /* Multiply-adds of sum-first: atoms, sums over groups of inputs, then coefficients; 0 without groups. */
    uint64_t macs_sum_first;
    int groups; /* of a conv: groups of channels that see only each other, in_channels where it is depthwise; else 0 */
} adatom_layer_info;
/* Describes layer `index`, 0..layers-1 (else USAGE), in the order of the network. */
ADATOM_API adatom_status adatom_model_layer(const adatom_model *model, int index, adatom_layer_info *out);

#ifdef __cplusplus
}
#endif
#endif

/* Networks from elsewhere and back: import, decomposition, export; what a model's layers are made of. */
#ifndef ADATOM_TRANSFER_H
#define ADATOM_TRANSFER_H

#include <adatom/device.h>
#include <adatom/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* By default everything is found out from the file. */
typedef struct adatom_import_params {
    size_t size;
    const char *arch; /* resnet18, resnet34, vgg16_bn, conv4, conv6, resnet10, resnet12; NULL or "auto": by the tensors'
                         names */
    adatom_layout layout;
    const char *map; /* a JSON file, or NULL: {"name in the source": "name here" or null (leave it out), ...}. It goes
                        before the layout's names. A name here is that of a model without decomposition:
                        "layer1.kernel", "layer1.bias" (of the convolution), "layer1.norm.weight", ".bias",
                        ".running_mean", ".running_var", "head.weight", "head.bias". A name in the source that ends with
                        * stands for all that begin so; it can only be left out */
    int image_size;  /* of the preprocessing; 0: the source's, where it is known, else 224, or 84 for conv4, conv6 and
                        resnet12 */
    int resize; /* pictures are scaled so that their shorter side is this, then image_size is cropped from the centre;
                   0: the source's at its size, 256 for 224 where none is known, else image_size */
    float mean[3], std[3]; /* of pixels in [0,1]; std all 0: the source's, or ImageNet's (0.485, 0.456, 0.406), (0.229,
                              0.224, 0.225) */
    adatom_progress_callback progress; /* only polled */
    void *user;
    float crop;                         /* in place of resize: it becomes image_size / crop, rounded down; 0: none */
    adatom_interpolation interpolation; /* default: the source's, or fast-bilinear */
    const char *weights; /* which of the source's weights these are, where pictures are prepared differently for some:
                            v1 or v2 of torchvision, the beginning of a tag of timm (a1, tv, ra, ...); NULL: the
                            source's default */
} adatom_import_params;

/* Reads a network's state_dict as safetensors (F32, F16 or BF16) of torchvision or timm (resnet18, resnet34, vgg16_bn),
 * of Chen et al.'s CloserLookFewShot (conv4, conv6, resnet10, resnet18, resnet34) or of Tian et al.'s RFS (resnet12). A
 * prefix common to all names
 * ("module.", "feature.") is found. The network's width, stem and classes come from the tensors' shapes. Biases of
 * convolutions move into the running means of the batch norms that follow, which changes nothing. The three-layer
 * classifier of torchvision's VGG is left out: the features are the 512 means over positions. num_batches_tracked is
 * passed over. BAD_DATA: every other tensor that is missing, left over, of another shape or type is named; a pickle
 * (.pth) is refused. params may be NULL. */
ADATOM_API adatom_status adatom_model_import(adatom_context *context, const char *path,
                                             const adatom_import_params *params, adatom_model **out);
/* The same from memory; name is used in messages. */
ADATOM_API adatom_status adatom_model_import_bytes(adatom_context *context, const char *name, const void *bytes,
                                                   size_t size, const adatom_import_params *params, adatom_model **out);

typedef struct adatom_export_params {
    size_t size;
    adatom_layout layout; /* names to write; auto: those the model was imported with, else the first that knows it */
    const char *map;      /* as for import, read backwards, or NULL */
} adatom_export_params;

/* Writes composed weights (model->classifier included, if there is one) for load_state_dict(strict=True): float32, with
 * biases of zero and num_batches_tracked of zero where the layout has them. Written to a temporary name and renamed.
 * USAGE: a layout that does not know the network. params may be NULL. */
ADATOM_API adatom_status adatom_model_export(const adatom_model *model, const char *path,
                                             const adatom_export_params *params);

typedef struct adatom_decompose_params {
    size_t size;
    adatom_sharing sharing; /* default: layer; not none */
    int atoms; /* m; 0: 8. At most k*k of the smallest decomposed kernel, unless residual; with groups of s channels s*s
                */
    int group; /* as in adatom_model_params */
    bool residual;        /* keep the kernels and add atoms of zero to them: W = W0 + sum alpha dpsi */
    bool decompose_first; /* the first convolution too */
    int iterations; /* of alternating least squares, for sharing stage and net; 0: 100 (it ends earlier where nothing
                       improves) */
    adatom_progress_callback progress; /* DECOMPOSING */
    void *user;
} adatom_decompose_params;

/* A decomposed network with nearly the same kernels. sharing layer: truncated singular value decompositions, exact with
 * k*k atoms. Shared: alternating least squares between the coefficients (each layer uses its slice) and the layers'
 * atoms, from the singular vectors of all layers together. Groups: the truncated singular value decomposition of all
 * pairs of groups that share, side by side. residual: the kernels stay, the atoms are zero, and the coefficients are
 * those singular vectors; atoms beyond their number get directions at random, orthogonal to the others. Coefficients
 * are scaled to a mean square of 1/m for each atom, as in a new network, so that learning rates mean the same.
 * Everything else is copied. params may be NULL. */
ADATOM_API adatom_status adatom_model_decompose(const adatom_model *model, const adatom_decompose_params *params,
                                                adatom_model **out);

/* Below: layer is an index of adatom_model_layer(); USAGE if it is no convolution. values NULL: only *count is set;
 * USAGE if there are more than capacity numbers. */

/* The composed kernel [out][in][k][k]. */
ADATOM_API adatom_status adatom_model_kernel(const adatom_model *model, int layer, float *values, size_t capacity,
                                             size_t *count);
/* The atoms [m][k][k], of groups [out group][in group][m][k][k]; none in an ordinary layer. */
ADATOM_API adatom_status adatom_model_atoms(const adatom_model *model, int layer, float *values, size_t capacity,
                                            size_t *count);
/* Singular values of the composed kernel as a matrix [out*in][k*k], falling: of m atoms of its own, a layer keeps the
 * first m, and the relative error is sqrt(sum of the other squares / sum of all squares). */
ADATOM_API adatom_status adatom_model_singular_values(const adatom_model *model, int layer, float *values,
                                                      size_t capacity, size_t *count);
/* |W - W'| / |W| between the composed kernels of a layer of two models of the same shape (Frobenius). */
ADATOM_API adatom_status adatom_model_distance(const adatom_model *model, const adatom_model *other, int layer,
                                               double *relative);
typedef struct adatom_run_params {
    size_t size;
    const uint8_t *pixels;             /* [count][image_size][image_size][3], RGB, before normalisation */
    size_t count;                      /* pictures, 1..INT32_MAX */
    adatom_progress_callback progress; /* only polled */
    void *user;
} adatom_run_params;

/* Where results go; NULL: not wanted. */
typedef struct adatom_run_outputs {
    size_t size;
    float *features; /* [count][features], channels last: features_capacity numbers */
    size_t features_capacity;
    float *logits; /* [count][classes]: logits_capacity numbers */
    size_t logits_capacity;
} adatom_run_outputs;

/* The model as a function of pictures. USAGE: no pictures, an output that has no room, or logits of a model without
 * classifier. */
ADATOM_API adatom_status adatom_model_run(adatom_device *device, const adatom_model *model,
                                          const adatom_run_params *params, const adatom_run_outputs *outputs);

#ifdef __cplusplus
}
#endif
#endif

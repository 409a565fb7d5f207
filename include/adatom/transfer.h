/* Networks from other programs and back: import, decomposition, export; and what a model's layers are made of. */
#ifndef ADATOM_TRANSFER_H
#define ADATOM_TRANSFER_H

#include <adatom/device.h>
#include <adatom/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How to read a network. By default everything follows from the file. */
typedef struct adatom_import_params {
    size_t size;
    /* A network's name (adatom_import_source tells those that can be read); NULL or "auto": found out by the tensors'
     * names. */
    const char *arch;
    adatom_layout layout; /* whose names the tensors have; auto: found out */
    /* A JSON file that maps names, {"name in the source": "name here", ...}, and goes before the layout's names; null
     * in place of a name leaves the tensor out. A name here is that of a model without decomposition: "layer1.kernel",
     * "layer1.bias" (of the convolution), "layer1.norm.weight", ".bias", ".running_mean", ".running_var",
     * "head.weight", "head.bias". A source name that ends with * stands for all names that begin so, which can only be
     * left out. NULL: no map. */
    const char *map;
    /* Of the preprocessing, 1..1024. 0: the size for which the source prepares pictures, if its preparation is known,
     * else that of the pictures the architecture's published weights were trained with. */
    int image_size;
    /* Pictures are scaled so that their shorter side has this many pixels, image_size..4096, then image_size is cropped
     * from the centre. 0: the source's at the source's size; 256 for 224 if the source's is not known; else
     * image_size. */
    int resize;
    /* Of pixels in [0, 1], RGB; each std in 1e-6..1e6. All std 0: the source's or, if they are not known, ImageNet's
     * (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225). */
    float mean[3], std[3];
    adatom_progress_callback progress; /* only polled; may be NULL */
    void *user;
    float crop;                         /* in place of resize: it becomes image_size / crop, rounded down; 0: none */
    adatom_interpolation interpolation; /* default: the source's, or fast-bilinear */
    const char *weights; /* which of the source's weights these are, where pictures are prepared differently for some:
                            v1 or v2 of torchvision, the beginning of a tag of timm (a1, tv, ra, ...); NULL: the
                            source's default */
} adatom_import_params;

/* Reads a network's state_dict under the names of one of adatom_import_source(). path: safetensors
 * (F32, F16, BF16), the index of safetensors in shards or the folder it is in, or what torch.save wrote (float32,
 * float16, bfloat16, float64; a zip archive, or a pickle as before PyTorch 1.6); its contents say which. Of a pickle
 * nothing is ever run: what no state_dict is made of is refused by its name. In a checkpoint the network is looked for
 * under the names of adatom_import_wrapper(), in their order; before the tensors' names may be any prefix common to all
 * of them, those of adatom_import_prefix() first. The network's width, stem and classes come from the tensors' shapes.
 * Biases of convolutions move into the running means of the batch norms that follow, which changes nothing. The
 * three-layer classifier of torchvision's VGG is left out: the features are the 512 means over positions.
 * num_batches_tracked is passed over. BAD_DATA: every other tensor that is missing, left over, of another shape or type
 * is named. params may be NULL. The caller
 * owns *out. */
ADATOM_API adatom_status adatom_model_import(adatom_context *context, const char *path,
                                             const adatom_import_params *params, adatom_model **out);
/* The same from bytes[size] in memory, of which nothing is kept; name: for messages. */
ADATOM_API adatom_status adatom_model_import_bytes(adatom_context *context, const char *name, const void *bytes,
                                                   size_t size, const adatom_import_params *params, adatom_model **out);

/* What import knows. Texts are static. */
typedef struct adatom_import_source_info {
    size_t size;
    const char *arch;    /* of adatom_model_arch() */
    const char *layout;  /* of adatom_layout */
    const char *project; /* whose names these are: its address */
    size_t preparations; /* ways to prepare pictures that are known of its weights; 0: none */
} adatom_import_source_info;
/* How many networks by whose names. */
ADATOM_API size_t adatom_import_sources(void);
/* One of them; USAGE: there are no more. */
ADATOM_API adatom_status adatom_import_source(adatom_context *context, size_t index, adatom_import_source_info *out);

/* How pictures are prepared for some of a source's weights: the shorter side is scaled to `resize`, the centre of
 * image_size x image_size is cropped, and a pixel from 0 to 1 becomes (pixel - mean) / std. Texts are static. */
typedef struct adatom_import_preparation_info {
    size_t size;
    const char *weights; /* names for adatom_import_params, separated by spaces */
    int image_size, resize;
    adatom_interpolation interpolation;
    float mean[3], std[3];
} adatom_import_preparation_info;
/* One of a source's ways, first that of its default weights; USAGE: there are no more. */
ADATOM_API adatom_status adatom_import_preparation(adatom_context *context, size_t source, size_t index,
                                                   adatom_import_preparation_info *out);

/* The kinds of files, what each holds (holds may be NULL), the names under which checkpoints keep a network, and what
 * may stand before all names of tensors, each in the order in which it is looked for. NULL: there are no more. */
ADATOM_API const char *adatom_import_format(size_t index, const char **holds);
ADATOM_API const char *adatom_import_wrapper(size_t index);
ADATOM_API const char *adatom_import_prefix(size_t index);

typedef struct adatom_export_params {
    size_t size;
    /* Whose names to write. auto: those that the model was imported with, else those of the first layout that knows the
     * network. */
    adatom_layout layout;
    const char *map; /* a map as for import, applied backwards; NULL: none */
} adatom_export_params;

/* Writes composed weights, with the model's classifier if it has one, for load_state_dict(strict=True): float32, with
 * biases of zero and num_batches_tracked of zero where the layout has them. Written as by adatom_write_file(). USAGE:
 * the layout does not know the network. params may be NULL. */
ADATOM_API adatom_status adatom_model_export(const adatom_model *model, const char *path,
                                             const adatom_export_params *params);

typedef struct adatom_onnx_params {
    size_t size;
    /* Batch norms, and factors of channels, stay nodes of their own. false: they become part of the convolutions before
     * them, which gives the same but for rounding. */
    bool keep_norms;
    /* The classifier reads features divided by their length. Of a model from adatom_adapter_merge() these two are those
     * of adatom_adapter_info, so that the logits are the adapter's. USAGE: cosine, and the model has no classifier. */
    bool cosine;
    bool mirror; /* features are means over a picture and its mirror image; takes twice the time */
    /* With cosine: what the features are multiplied by before their length is taken, [features][features], row by row;
     * the `after` of an adapter's tensor head.alignment (method tsa). NULL: nothing. USAGE: without cosine. */
    const float *alignment;
} adatom_onnx_params;

/* Writes the network as a graph for onnxruntime and other programs: a file of ONNX [onnx.ai], IR version 8, of
 * operators of the standard domain in version 17, with composed kernels. All values are float32, N is free.
 *   input:   pixels [N][3][image_size][image_size], RGB from 0 to 1, as after scaling and cropping; the graph subtracts
 *            the mean and divides by std.
 *   outputs: features [N][features]; before it, if the model has a classifier, logits [N][classes].
 *   metadata: image_size, resize, interpolation, mean, std (adatom_model_info; the latter two as JSON), mirror, arch,
 *            model_hash, adatom_version, pixels, and, if the model's notes name them, classes, a JSON array.
 * Written as by adatom_write_file(). USAGE: the file would have 2 GiB or more, the most that the format can hold.
 * params may be NULL. */
ADATOM_API adatom_status adatom_model_export_onnx(const adatom_model *model, const char *path,
                                                  const adatom_onnx_params *params);

typedef struct adatom_decompose_params {
    size_t size;
    adatom_sharing sharing; /* default: layer; USAGE: none */
    /* Atoms of a dictionary, 1..64; 0: 8. At most k*k of the smallest decomposed kernel, unless residual; with groups
     * of s channels at most s*s. */
    int atoms;
    int group;            /* as in adatom_model_params */
    bool residual;        /* keep the kernels W0 and add atoms of zero: W = W0 + sum alpha dpsi */
    bool decompose_first; /* decompose the first convolution, too */
    /* Most iterations of alternating least squares, for sharing stage and net; it ends earlier if nothing improves. 0:
     * 100. */
    int iterations;
    adatom_progress_callback progress; /* phase DECOMPOSING; may be NULL */
    void *user;
} adatom_decompose_params;

/* Makes a decomposed network with nearly the same kernels; docs/methods.md has the equations.
 *   layer: truncated singular value decompositions, exact with k*k atoms.
 *   stage, net: alternating least squares between the coefficients, of which each layer uses its slice, and the layers'
 *     atoms, starting from the singular vectors of all layers together.
 *   group-*: the truncated singular value decomposition of all pairs of groups that share, side by side.
 *   residual: the kernels stay, the atoms are zero, and the coefficients are those singular vectors; atoms beyond their
 *     number get random directions, orthogonal to the others.
 * The coefficients of each atom are scaled to a mean square of 1/m, as in a new network, so that learning rates mean
 * the same. Everything else is copied. params may be NULL. The caller owns *out. */
ADATOM_API adatom_status adatom_model_decompose(const adatom_model *model, const adatom_decompose_params *params,
                                                adatom_model **out);

/* Rounds a model's atoms, coefficients, kernels and classifier's weights to half precision, so that its file is about
 * half as large; norms, biases and statistics stay as they are. It is another model, with another hash: adapters and
 * recipes of the one do not fit the other. BAD_DATA: a number is larger than the 65504 that half precision reaches. The
 * caller owns *out. */
ADATOM_API adatom_status adatom_model_round(const adatom_model *model, adatom_model **out);

/* The functions below look into a layer, whose index is that of adatom_model_layer(); USAGE: it is no convolution. They
 * write *count numbers to values[capacity]. values NULL: only *count is set. USAGE: capacity is less than *count. */

/* The composed kernel [out][in][k][k]. */
ADATOM_API adatom_status adatom_model_kernel(const adatom_model *model, int layer, float *values, size_t capacity,
                                             size_t *count);
/* The atoms [m][k][k], with groups [out group][in group][m][k][k]; an ordinary layer has none. */
ADATOM_API adatom_status adatom_model_atoms(const adatom_model *model, int layer, float *values, size_t capacity,
                                            size_t *count);
/* The singular values, falling, of the composed kernel as a matrix [out*in][k*k]. A layer that keeps the first m of
 * them in m atoms of its own has the relative error sqrt(sum of the other squares / sum of all squares). */
ADATOM_API adatom_status adatom_model_singular_values(const adatom_model *model, int layer, float *values,
                                                      size_t capacity, size_t *count);
/* *relative: |W - W'| / |W| (Frobenius norms) of the composed kernels of a layer in `model` and `other`. USAGE: the
 * kernels have different shapes. */
ADATOM_API adatom_status adatom_model_distance(const adatom_model *model, const adatom_model *other, int layer,
                                               double *relative);
typedef struct adatom_run_params {
    size_t size;
    const uint8_t *pixels; /* [count][image_size][image_size][3] bytes, RGB, before the model's preprocessing */
    size_t count;          /* pictures, 1..INT32_MAX */
    adatom_progress_callback progress; /* only polled; may be NULL */
    void *user;
} adatom_run_params;

/* Where the results go; a NULL array is not wanted. */
typedef struct adatom_run_outputs {
    size_t size;
    float *features; /* [count][features], with room for features_capacity numbers */
    size_t features_capacity;
    float *logits; /* [count][classes], with room for logits_capacity numbers */
    size_t logits_capacity;
} adatom_run_outputs;

/* Computes the model's features and logits of pictures. USAGE: there are no pictures, an array is too small, or logits
 * are wanted of a model without a classifier. */
ADATOM_API adatom_status adatom_model_run(adatom_device *device, const adatom_model *model,
                                          const adatom_run_params *params, const adatom_run_outputs *outputs);

#ifdef __cplusplus
}
#endif
#endif

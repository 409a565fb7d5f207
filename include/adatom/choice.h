/* The enums of the interface, with the texts that the command line and files use for their values. Value 0 is the
 * default. A later version may add values at the end of a list. */
#ifndef ADATOM_CHOICE_H
#define ADATOM_CHOICE_H

#include <adatom/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each list X(VALUE, text) below gives the enum `type` and two functions that any thread may call at any time.
 *   const char *TYPE_name(value): the text, in static storage; "unknown" for a value outside the list.
 *   bool TYPE_parse(text, out): finds the value of a text; false, with *out unchanged, if no value has that text or
 *     text is NULL. */
#define ADATOM_CHOICE_VALUE(value, text) value,
#define ADATOM_CHOICE(type, LIST)                                                                                      \
    typedef enum type { LIST(ADATOM_CHOICE_VALUE) } type;                                                              \
    ADATOM_API const char *type##_name(type value);                                                                    \
    ADATOM_API bool type##_parse(const char *text, type *out)

/* In which precision a device may keep tensors and multiply: float32, or half precision where it helps; see
 * adatom_device_params. */
#define ADATOM_PRECISION_LIST(X)                                                                                       \
    X(ADATOM_PRECISION_FP32, "fp32")                                                                                   \
    X(ADATOM_PRECISION_FP16, "fp16")
ADATOM_CHOICE(adatom_precision, ADATOM_PRECISION_LIST);

/* What shares the coefficients of decomposed kernels. none: nothing is decomposed; layer: each layer has its own;
 * stage, net: the layers of a stage or of the whole network share; group-*: the groups of channels of a layer, a stage
 * or the network share. The default depends on the function. [Qiu et al., DCFNet, ICML 2018; Wang et al., ACDC, arXiv
 * 2009.02386] */
#define ADATOM_SHARING_LIST(X)                                                                                         \
    X(ADATOM_SHARING_DEFAULT, "default")                                                                               \
    X(ADATOM_SHARING_NONE, "none")                                                                                     \
    X(ADATOM_SHARING_LAYER, "layer")                                                                                   \
    X(ADATOM_SHARING_STAGE, "stage")                                                                                   \
    X(ADATOM_SHARING_NET, "net")                                                                                       \
    X(ADATOM_SHARING_GROUP_LAYER, "group-layer")                                                                       \
    X(ADATOM_SHARING_GROUP_STAGE, "group-stage")                                                                       \
    X(ADATOM_SHARING_GROUP_NET, "group-net")
ADATOM_CHOICE(adatom_sharing, ADATOM_SHARING_LIST);

/* The first layer of resnet10, resnet18 and resnet34. 7x7: stride 2, then a 3x3 maximum pool, as in the few-shot
 * backbones; the default. 3x3: stride 1, for 32x32 pictures. */
#define ADATOM_STEM_LIST(X)                                                                                            \
    X(ADATOM_STEM_DEFAULT, "default")                                                                                  \
    X(ADATOM_STEM_7X7, "7x7")                                                                                          \
    X(ADATOM_STEM_3X3, "3x3")
ADATOM_CHOICE(adatom_stem, ADATOM_STEM_LIST);

/* How convolutions pad their input: by k/2 on each side (even), or as TensorFlow's SAME does, where ceil(size/stride)
 * outputs come out and the smaller half of the padding stands first. The two differ where the stride is 2. The default
 * is the network's own. */
#define ADATOM_PADDING_LIST(X)                                                                                         \
    X(ADATOM_PADDING_DEFAULT, "default")                                                                               \
    X(ADATOM_PADDING_EVEN, "even")                                                                                     \
    X(ADATOM_PADDING_SAME, "same")
ADATOM_CHOICE(adatom_padding, ADATOM_PADDING_LIST);

/* What adapts to an episode; docs/methods.md has the equations and sources. The default is atoms.
 *   centroid: nothing; the classifier is the nearest class mean [Snell et al., Prototypical Networks, NeurIPS 2017];
 *   head, cosine: a linear or a cosine classifier on frozen features [Chen et al., A Closer Look at Few-shot
 *     Classification, ICLR 2019];
 *   atoms, norm, atoms+norm, full: a classifier and these parameters of the backbone (full: all of them);
 *   lora [Hu et al., ICLR 2022], dora [Liu et al., ICML 2024], bora [Wang et al., arXiv 2412.06441]: a classifier and
 *     low-rank adapters of the kernels;
 *   tsa [Li et al., CVPR 2022]: a classifier, 1x1 convolutions beside the kernels, and a linear map of the features;
 *   logistic [Tian et al., Rethinking Few-shot Image Classification, ECCV 2020]: logistic regression on frozen features
 *     of length 1, solved to convergence;
 *   lda: linear discriminant analysis on frozen features, with a shrunk covariance [Ledoit and Wolf, 2004];
 *   knn: the nearest of the support features by cosine, votes weighted by exp(cosine / 0.07);
 *   bd-cspn [Liu et al., Prototype Rectification, ECCV 2020]: class means that the queries correct. Transductive: it
 *     looks at all queries of an episode together.
 *   simpleshot [Wang et al., arXiv 1911.04623]: nearest class mean of features less the mean of the pictures that the
 *     network was trained with, to length 1; for models that know that mean, as those of adatom_pretrain() do.
 * From logistic on they are for episodes: no adapter holds them. */
#define ADATOM_ADAPT_LIST(X)                                                                                           \
    X(ADATOM_ADAPT_DEFAULT, "default")                                                                                 \
    X(ADATOM_ADAPT_CENTROID, "centroid")                                                                               \
    X(ADATOM_ADAPT_HEAD, "head")                                                                                       \
    X(ADATOM_ADAPT_COSINE, "cosine")                                                                                   \
    X(ADATOM_ADAPT_ATOMS, "atoms")                                                                                     \
    X(ADATOM_ADAPT_NORM, "norm")                                                                                       \
    X(ADATOM_ADAPT_ATOMS_NORM, "atoms+norm")                                                                           \
    X(ADATOM_ADAPT_FULL, "full")                                                                                       \
    X(ADATOM_ADAPT_LORA, "lora")                                                                                       \
    X(ADATOM_ADAPT_DORA, "dora")                                                                                       \
    X(ADATOM_ADAPT_BORA, "bora")                                                                                       \
    X(ADATOM_ADAPT_TSA, "tsa")                                                                                         \
    X(ADATOM_ADAPT_LOGISTIC, "logistic")                                                                               \
    X(ADATOM_ADAPT_LDA, "lda")                                                                                         \
    X(ADATOM_ADAPT_KNN, "knn")                                                                                         \
    X(ADATOM_ADAPT_BD_CSPN, "bd-cspn")                                                                                 \
    X(ADATOM_ADAPT_SIMPLESHOT, "simpleshot")
ADATOM_CHOICE(adatom_adapt_kind, ADATOM_ADAPT_LIST);

/* The optimiser of gradient steps. The default depends on the function: adam in adaptation, sgd in pretraining. */
#define ADATOM_OPTIMIZER_LIST(X)                                                                                       \
    X(ADATOM_OPTIMIZER_DEFAULT, "default")                                                                             \
    X(ADATOM_OPTIMIZER_SGD, "sgd")                                                                                     \
    X(ADATOM_OPTIMIZER_ADAM, "adam")
ADATOM_CHOICE(adatom_optimizer, ADATOM_OPTIMIZER_LIST);

/* The kind of classifier that is trained; the default is the method's. */
#define ADATOM_HEAD_LIST(X)                                                                                            \
    X(ADATOM_HEAD_DEFAULT, "default")                                                                                  \
    X(ADATOM_HEAD_LINEAR, "linear")                                                                                    \
    X(ADATOM_HEAD_COSINE, "cosine")
ADATOM_CHOICE(adatom_head, ADATOM_HEAD_LIST);

/* Where that classifier starts: at zero, at random (as torch.nn.Linear does), at the directions of the class means (the
 * default), or at the classifier that the model has. */
#define ADATOM_HEAD_INIT_LIST(X)                                                                                       \
    X(ADATOM_HEAD_INIT_DEFAULT, "default")                                                                             \
    X(ADATOM_HEAD_INIT_ZERO, "zero")                                                                                   \
    X(ADATOM_HEAD_INIT_RANDOM, "random")                                                                               \
    X(ADATOM_HEAD_INIT_MEANS, "means")                                                                                 \
    X(ADATOM_HEAD_INIT_MODEL, "model")
ADATOM_CHOICE(adatom_head_init, ADATOM_HEAD_INIT_LIST);

/* How tasks teach what they have in common (metatrain). */
#define ADATOM_META_LIST(X)                                                                                            \
    X(ADATOM_META_DEFAULT, "default")                                                                                  \
    X(ADATOM_META_PROTONET, "protonet")                                                                                \
    X(ADATOM_META_MAML, "maml")                                                                                        \
    X(ADATOM_META_ANIL, "anil")                                                                                        \
    X(ADATOM_META_REPTILE, "reptile")
ADATOM_CHOICE(adatom_meta, ADATOM_META_LIST);

/* Which statistics batch norms use in metatrain: the running ones, or those of a task's pictures. */
#define ADATOM_META_NORMS_LIST(X)                                                                                      \
    X(ADATOM_META_NORMS_DEFAULT, "default")                                                                            \
    X(ADATOM_META_NORMS_RUNNING, "running")                                                                            \
    X(ADATOM_META_NORMS_TASK, "task")
ADATOM_CHOICE(adatom_meta_norms, ADATOM_META_NORMS_LIST);

/* The distance between features and class means (method centroid); euclidean: squared. */
#define ADATOM_DISTANCE_LIST(X)                                                                                        \
    X(ADATOM_DISTANCE_EUCLIDEAN, "euclidean")                                                                          \
    X(ADATOM_DISTANCE_COSINE, "cosine")
ADATOM_CHOICE(adatom_distance, ADATOM_DISTANCE_LIST);

/* Which statistics batch norm uses: the model's (frozen), those of the support set (support), or those of the support
 * set in the steps and of the queries in the evaluation (transductive). */
#define ADATOM_BN_LIST(X)                                                                                              \
    X(ADATOM_BN_FROZEN, "frozen")                                                                                      \
    X(ADATOM_BN_SUPPORT, "support")                                                                                    \
    X(ADATOM_BN_TRANSDUCTIVE, "transductive")
ADATOM_CHOICE(adatom_bn, ADATOM_BN_LIST);

/* How decomposed layers are computed: by the way that costs least on the device (auto), coefficients-first (not for
 * groups of channels), atoms-first, or with composed kernels. The results differ by rounding only. */
#define ADATOM_CONV_LIST(X)                                                                                            \
    X(ADATOM_CONV_AUTO, "auto")                                                                                        \
    X(ADATOM_CONV_COEFFICIENTS_FIRST, "coefficients-first")                                                            \
    X(ADATOM_CONV_ATOMS_FIRST, "atoms-first")                                                                          \
    X(ADATOM_CONV_COMPOSED, "composed")
ADATOM_CHOICE(adatom_conv, ADATOM_CONV_LIST);

/* A published procedure, which decides all settings of a method but its seed. closerlook-baseline: the fine-tuning of
 * the Baseline of Chen et al., ICLR 2019 (for method head: a new linear classifier, 100 epochs in batches of 4). */
#define ADATOM_PROCEDURE_LIST(X)                                                                                       \
    X(ADATOM_PROCEDURE_NONE, "none")                                                                                   \
    X(ADATOM_PROCEDURE_CLOSERLOOK_BASELINE, "closerlook-baseline")
ADATOM_CHOICE(adatom_procedure, ADATOM_PROCEDURE_LIST);

/* How an adapter's accuracy is estimated, before the adapter itself is made of all pictures. The default: leave-one-out
 * with at most 64 pictures, else folds. */
#define ADATOM_ESTIMATE_LIST(X)                                                                                        \
    X(ADATOM_ESTIMATE_DEFAULT, "default")                                                                              \
    X(ADATOM_ESTIMATE_LEAVE_ONE_OUT, "leave-one-out")                                                                  \
    X(ADATOM_ESTIMATE_FOLDS, "folds")                                                                                  \
    X(ADATOM_ESTIMATE_HOLDOUT, "holdout")                                                                              \
    X(ADATOM_ESTIMATE_NONE, "none")
ADATOM_CHOICE(adatom_estimate, ADATOM_ESTIMATE_LIST);

/* Whose names the tensors of a network outside this library have: torchvision's or timm's (resnet18, resnet34,
 * vgg16_bn), those of Chen et al.'s CloserLookFewShot or of Tian et al.'s RFS. auto: in import found out by the
 * tensors' names, in export those that the model was imported with. */
#define ADATOM_LAYOUT_LIST(X)                                                                                          \
    X(ADATOM_LAYOUT_AUTO, "auto")                                                                                      \
    X(ADATOM_LAYOUT_TORCHVISION, "torchvision")                                                                        \
    X(ADATOM_LAYOUT_TIMM, "timm")                                                                                      \
    X(ADATOM_LAYOUT_CLOSERLOOK, "closerlook")                                                                          \
    X(ADATOM_LAYOUT_RFS, "rfs")                                                                                        \
    X(ADATOM_LAYOUT_TIMM_TF, "timm-tf")                                                                                \
    X(ADATOM_LAYOUT_EFFICIENTNET_LITE_PYTORCH, "efficientnet_lite_pytorch")                                            \
    X(ADATOM_LAYOUT_HUGGINGFACE, "huggingface")
ADATOM_CHOICE(adatom_layout, ADATOM_LAYOUT_LIST);

/* How pictures are scaled. Every filter is as wide as the reduction factor (antialiased). The default is fast-bilinear.
 *   fast-bilinear: a triangle filter whose result is rounded once. JPEG pictures are decoded at 1/2, 1/4 or 1/8 of
 * their size if they are then still 4 times too large (2 times, from 4 megapixels on). If the crop leaves an odd number
 * of pixels out, one more of them is on the right or at the bottom. Networks that this program trains have it, and
 *   imported models whose file names no interpolation;
 *   bilinear, bicubic: the same bytes as Pillow's filters of these names (a triangle; a cubic with a = -1/2) and
 *   torchvision's CenterCrop, which most pretrained networks expect. JPEG pictures are decoded at a part of their size
 *   only if they are then still 5 times too large (3.75 times, from 16 megapixels on), which changes the values of a
 *   photograph by less than 0.2 of 255 in the mean. */
#define ADATOM_INTERPOLATION_LIST(X)                                                                                   \
    X(ADATOM_INTERPOLATION_DEFAULT, "default")                                                                         \
    X(ADATOM_INTERPOLATION_FAST_BILINEAR, "fast-bilinear")                                                             \
    X(ADATOM_INTERPOLATION_BILINEAR, "bilinear")                                                                       \
    X(ADATOM_INTERPOLATION_BICUBIC, "bicubic")
ADATOM_CHOICE(adatom_interpolation, ADATOM_INTERPOLATION_LIST);

/* The cases of a benchmark. quick: ends within 60 s; full: all cases; scaling: series of cases in which one number
 * grows. */
#define ADATOM_SUITE_LIST(X)                                                                                           \
    X(ADATOM_SUITE_QUICK, "quick")                                                                                     \
    X(ADATOM_SUITE_FULL, "full")                                                                                       \
    X(ADATOM_SUITE_SCALING, "scaling")
ADATOM_CHOICE(adatom_suite, ADATOM_SUITE_LIST);

/* What became of a benchmark's case: it was measured, is not possible on this device, was left out for lack of time, or
 * failed. */
#define ADATOM_BENCH_STATUS_LIST(X)                                                                                    \
    X(ADATOM_BENCH_OK, "ok")                                                                                           \
    X(ADATOM_BENCH_UNSUPPORTED, "unsupported")                                                                         \
    X(ADATOM_BENCH_SKIPPED, "skipped")                                                                                 \
    X(ADATOM_BENCH_ERROR, "error")
ADATOM_CHOICE(adatom_bench_status, ADATOM_BENCH_STATUS_LIST);

/* What a long call is doing, and what its progress counts. */
#define ADATOM_PHASE_LIST(X)                                                                                           \
    X(ADATOM_PHASE_NONE, "none")               /* nothing has been counted yet */                                      \
    X(ADATOM_PHASE_DECODING, "decoding")       /* pictures */                                                          \
    X(ADATOM_PHASE_EPISODES, "episodes")       /* episodes that were adapted to and evaluated */                       \
    X(ADATOM_PHASE_FITTING, "fitting")         /* tasks of an adapter's estimate, and the adapter itself */            \
    X(ADATOM_PHASE_CLASSIFYING, "classifying") /* pictures, under all adapters */                                      \
    X(ADATOM_PHASE_TRAINING, "training")       /* optimiser steps */                                                   \
    X(ADATOM_PHASE_CHECKING, "checking")       /* cases of the kernel check */                                         \
    X(ADATOM_PHASE_TIMING, "timing")           /* cases of a benchmark */                                              \
    X(ADATOM_PHASE_TUNING, "tuning")           /* classes of operations */                                             \
    X(ADATOM_PHASE_DECOMPOSING, "decomposing") /* dictionaries of coefficients */                                      \
    X(ADATOM_PHASE_EXTRACTING, "extracting")   /* pictures whose features are computed */                              \
    X(ADATOM_PHASE_CHOOSING, "choosing")       /* parts of the work, where ways to adapt are tried */
ADATOM_CHOICE(adatom_phase, ADATOM_PHASE_LIST);

/* Random changes to the pictures of a training step, as flags. 0: the function's default. none: no change; beside other
 * flags it has no effect. shift: a translation by up to some pixels; crop: a resized crop of 35 to 100 % of the area,
 * of aspect 3:4 to 4:3; flip: a horizontal flip with probability 1/2; jitter: brightness, contrast and saturation by
 * factors in 0.6..1.4. shift and crop exclude each other. */
#define ADATOM_AUGMENT_LIST(X)                                                                                         \
    X(ADATOM_AUGMENT_NONE, 1, "none")                                                                                  \
    X(ADATOM_AUGMENT_SHIFT, 2, "shift")                                                                                \
    X(ADATOM_AUGMENT_CROP, 4, "crop")                                                                                  \
    X(ADATOM_AUGMENT_FLIP, 8, "flip")                                                                                  \
    X(ADATOM_AUGMENT_JITTER, 16, "jitter")
#define ADATOM_AUGMENT_VALUE(name, value, text) name = value,
enum { ADATOM_AUGMENT_LIST(ADATOM_AUGMENT_VALUE) };
enum {
    ADATOM_AUGMENT_TEXT_BYTES = 64 /* bytes that hold the text of any flags, with its NUL */
};
/* Writes the flags' texts, joined by + in the order of the list, e.g. "shift+flip", into out[capacity]. Returns how
 * many bytes the whole text needs without the NUL, as snprintf does; out may be NULL if capacity is 0. */
ADATOM_API size_t adatom_augment_text(uint32_t flags, char *out, size_t capacity);
/* Reads texts joined by +, in any order. Returns false, with *flags unchanged, for an unknown text or a NULL text. */
ADATOM_API bool adatom_augment_parse(const char *text, uint32_t *flags);

#ifdef __cplusplus
}
#endif
#endif

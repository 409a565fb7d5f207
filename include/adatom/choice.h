/* What an option can be: enums whose value 0 is the default, each with the text that the command line and files have
 * for a value. A later version may add values at the end of a list. */
#ifndef ADATOM_CHOICE_H
#define ADATOM_CHOICE_H

#include <adatom/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of each list X(VALUE, text) below: the enum `type`, and two functions that any thread may call at any time.
 *   const char *TYPE_name(value): the text, static; "unknown" for a value outside the list.
 *   bool TYPE_parse(text, out): the value of a text; false, with *out unchanged, if no value has it or it is NULL. */
#define ADATOM_CHOICE_VALUE(value, text) value,
#define ADATOM_CHOICE(type, LIST)                                                                                      \
    typedef enum type { LIST(ADATOM_CHOICE_VALUE) } type;                                                              \
    ADATOM_API const char *type##_name(type value);                                                                    \
    ADATOM_API bool type##_parse(const char *text, type *out)

/* The type of what a device keeps and multiplies (device.h). */
#define ADATOM_PRECISION_LIST(X)                                                                                       \
    X(ADATOM_PRECISION_FP32, "fp32")                                                                                   \
    X(ADATOM_PRECISION_FP16, "fp16")
ADATOM_CHOICE(adatom_precision, ADATOM_PRECISION_LIST);

/* What shares the coefficients of decomposed kernels: nothing is decomposed (none), each layer has its own, a stage's
 * layers or the whole net share, or (group-*) the groups of channels of a layer, a stage or the net do. The default
 * depends on the function. */
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

/* The first layer of resnet10, resnet18 and resnet34: 7x7 (stride 2, then a 3x3 maximum pool; the few-shot backbones;
 * the default) or 3x3 (stride 1, for 32x32 pictures). */
#define ADATOM_STEM_LIST(X)                                                                                            \
    X(ADATOM_STEM_DEFAULT, "default")                                                                                  \
    X(ADATOM_STEM_7X7, "7x7")                                                                                          \
    X(ADATOM_STEM_3X3, "3x3")
ADATOM_CHOICE(adatom_stem, ADATOM_STEM_LIST);

/* What adapts to an episode; docs/methods.md has the sources. The default is atoms.
 *   centroid: nothing, the nearest class mean [Snell et al., Prototypical Networks, NeurIPS 2017];
 *   head, cosine: a linear or cosine classifier on frozen features [Chen et al., A Closer Look at Few-shot
 *   Classification, ICLR 2019];
 *   atoms, norm, atoms+norm, full: these parameters of the backbone and a classifier;
 *   lora [Hu et al., ICLR 2022], dora [Liu et al., ICML 2024], bora: low-rank adapters of the kernels and a classifier.
 */
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
    X(ADATOM_ADAPT_BORA, "bora")
ADATOM_CHOICE(adatom_adapt_kind, ADATOM_ADAPT_LIST);

/* The default depends on the function: adam where a method adapts, sgd in pretraining. */
#define ADATOM_OPTIMIZER_LIST(X)                                                                                       \
    X(ADATOM_OPTIMIZER_DEFAULT, "default")                                                                             \
    X(ADATOM_OPTIMIZER_SGD, "sgd")                                                                                     \
    X(ADATOM_OPTIMIZER_ADAM, "adam")
ADATOM_CHOICE(adatom_optimizer, ADATOM_OPTIMIZER_LIST);

/* The classifier that is trained; the default is the method's. */
#define ADATOM_HEAD_LIST(X)                                                                                            \
    X(ADATOM_HEAD_DEFAULT, "default")                                                                                  \
    X(ADATOM_HEAD_LINEAR, "linear")                                                                                    \
    X(ADATOM_HEAD_COSINE, "cosine")
ADATOM_CHOICE(adatom_head, ADATOM_HEAD_LIST);

/* Where it starts: zero, random (as torch.nn.Linear does), or the directions of the class means (the default). */
#define ADATOM_HEAD_INIT_LIST(X)                                                                                       \
    X(ADATOM_HEAD_INIT_DEFAULT, "default")                                                                             \
    X(ADATOM_HEAD_INIT_ZERO, "zero")                                                                                   \
    X(ADATOM_HEAD_INIT_RANDOM, "random")                                                                               \
    X(ADATOM_HEAD_INIT_MEANS, "means")
ADATOM_CHOICE(adatom_head_init, ADATOM_HEAD_INIT_LIST);

/* Of features to class means. */
#define ADATOM_DISTANCE_LIST(X)                                                                                        \
    X(ADATOM_DISTANCE_EUCLIDEAN, "euclidean")                                                                          \
    X(ADATOM_DISTANCE_COSINE, "cosine")
ADATOM_CHOICE(adatom_distance, ADATOM_DISTANCE_LIST);

/* The statistics of batch norm: the model's, those of the support set, or those of the queries too. */
#define ADATOM_BN_LIST(X)                                                                                              \
    X(ADATOM_BN_FROZEN, "frozen")                                                                                      \
    X(ADATOM_BN_SUPPORT, "support")                                                                                    \
    X(ADATOM_BN_TRANSDUCTIVE, "transductive")
ADATOM_CHOICE(adatom_bn, ADATOM_BN_LIST);

/* How decomposed layers are computed: what costs least on the device (auto), coefficients-first (not for groups of
 * channels), atoms-first, or with composed kernels. The numbers are the same but for rounding. */
#define ADATOM_CONV_LIST(X)                                                                                            \
    X(ADATOM_CONV_AUTO, "auto")                                                                                        \
    X(ADATOM_CONV_COEFFICIENTS_FIRST, "coefficients-first")                                                            \
    X(ADATOM_CONV_ATOMS_FIRST, "atoms-first")                                                                          \
    X(ADATOM_CONV_COMPOSED, "composed")
ADATOM_CHOICE(adatom_conv, ADATOM_CONV_LIST);

/* A published procedure that decides all of a method but its seed. closerlook-baseline: the fine-tuning of the Baseline
 * of Chen et al., ICLR 2019 (method head: a fresh linear classifier, 100 epochs in batches of 4). */
#define ADATOM_PROCEDURE_LIST(X)                                                                                       \
    X(ADATOM_PROCEDURE_NONE, "none")                                                                                   \
    X(ADATOM_PROCEDURE_CLOSERLOOK_BASELINE, "closerlook-baseline")
ADATOM_CHOICE(adatom_procedure, ADATOM_PROCEDURE_LIST);

/* How an adapter's accuracy is estimated before all pictures are used. The default: leave-one-out with at most 64
 * pictures, else folds. */
#define ADATOM_ESTIMATE_LIST(X)                                                                                        \
    X(ADATOM_ESTIMATE_DEFAULT, "default")                                                                              \
    X(ADATOM_ESTIMATE_LEAVE_ONE_OUT, "leave-one-out")                                                                  \
    X(ADATOM_ESTIMATE_FOLDS, "folds")                                                                                  \
    X(ADATOM_ESTIMATE_HOLDOUT, "holdout")                                                                              \
    X(ADATOM_ESTIMATE_NONE, "none")
ADATOM_CHOICE(adatom_estimate, ADATOM_ESTIMATE_LIST);

/* Whose names a network's tensors have: torchvision's or timm's (resnet18, resnet34, vgg16_bn), those of Chen et al.'s
 * CloserLookFewShot or of Tian et al.'s RFS; auto: by the tensors' names, or those a model was imported with. */
#define ADATOM_LAYOUT_LIST(X)                                                                                          \
    X(ADATOM_LAYOUT_AUTO, "auto")                                                                                      \
    X(ADATOM_LAYOUT_TORCHVISION, "torchvision")                                                                        \
    X(ADATOM_LAYOUT_TIMM, "timm")                                                                                      \
    X(ADATOM_LAYOUT_CLOSERLOOK, "closerlook")                                                                          \
    X(ADATOM_LAYOUT_RFS, "rfs")
ADATOM_CHOICE(adatom_layout, ADATOM_LAYOUT_LIST);

/* How pictures are scaled, always by a filter as wide as the reduction (antialiased). The default is fast-bilinear.
 *   fast-bilinear: a triangle, rounded once. JPEG pictures are decoded at 1/2, 1/4 or 1/8 of their size where that
 *   leaves them 4 times too large (2 times, from 4 megapixels on). Of an odd number of pixels too many, the last is
 *   cropped from the right or the bottom. The networks trained by this program have it, and those imported before there
 *   was a choice;
 *   bilinear, bicubic: the bytes that Pillow's filters of that name (a triangle; a cubic with a = -1/2) and
 *   torchvision's CenterCrop give, as most pretrained networks expect them. JPEG pictures are decoded at a part of
 *   their size only where that leaves them 5 times too large (3.75 times, from 16 megapixels on), which changes the
 *   values of a photograph by less than 0.2 of 255 in the mean. */
#define ADATOM_INTERPOLATION_LIST(X)                                                                                   \
    X(ADATOM_INTERPOLATION_DEFAULT, "default")                                                                         \
    X(ADATOM_INTERPOLATION_FAST_BILINEAR, "fast-bilinear")                                                             \
    X(ADATOM_INTERPOLATION_BILINEAR, "bilinear")                                                                       \
    X(ADATOM_INTERPOLATION_BICUBIC, "bicubic")
ADATOM_CHOICE(adatom_interpolation, ADATOM_INTERPOLATION_LIST);

/* The cases of a benchmark: quick ends within 60 s; scaling: one number at a time grows. */
#define ADATOM_SUITE_LIST(X)                                                                                           \
    X(ADATOM_SUITE_QUICK, "quick")                                                                                     \
    X(ADATOM_SUITE_FULL, "full")                                                                                       \
    X(ADATOM_SUITE_SCALING, "scaling")
ADATOM_CHOICE(adatom_suite, ADATOM_SUITE_LIST);

/* What became of a case: measured, not possible on this device, left out for want of time, or failed. */
#define ADATOM_BENCH_STATUS_LIST(X)                                                                                    \
    X(ADATOM_BENCH_OK, "ok")                                                                                           \
    X(ADATOM_BENCH_UNSUPPORTED, "unsupported")                                                                         \
    X(ADATOM_BENCH_SKIPPED, "skipped")                                                                                 \
    X(ADATOM_BENCH_ERROR, "error")
ADATOM_CHOICE(adatom_bench_status, ADATOM_BENCH_STATUS_LIST);

/* What a long call is at, and what its progress counts. */
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
    X(ADATOM_PHASE_DECOMPOSING, "decomposing") /* dictionaries of coefficients */
ADATOM_CHOICE(adatom_phase, ADATOM_PHASE_LIST);

/* Changes to the pictures of a training step, as flags; 0: the function's default. shift (a random translation) and
 * crop (a random resized crop) exclude each other; none takes nothing away from the flags beside it. */
#define ADATOM_AUGMENT_LIST(X)                                                                                         \
    X(ADATOM_AUGMENT_NONE, 1, "none")                                                                                  \
    X(ADATOM_AUGMENT_SHIFT, 2, "shift")                                                                                \
    X(ADATOM_AUGMENT_CROP, 4, "crop")                                                                                  \
    X(ADATOM_AUGMENT_FLIP, 8, "flip")                                                                                  \
    X(ADATOM_AUGMENT_JITTER, 16, "jitter")
#define ADATOM_AUGMENT_VALUE(name, value, text) name = value,
enum { ADATOM_AUGMENT_LIST(ADATOM_AUGMENT_VALUE) };
enum {
    ADATOM_AUGMENT_TEXT_BYTES = 64 /* room for the text of any flags */
};
/* The flags' texts joined by +, in the order of the list, e.g. "shift+flip", into out[capacity]; returns the bytes that
 * all of it needs without the NUL, as snprintf does. */
ADATOM_API size_t adatom_augment_text(uint32_t flags, char *out, size_t capacity);
/* Flags of texts joined by +, in any order; false, with *flags unchanged, if one is not known. */
ADATOM_API bool adatom_augment_parse(const char *text, uint32_t *flags);

#ifdef __cplusplus
}
#endif
#endif

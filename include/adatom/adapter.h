/* Adapters: what adapting a model to a folder of pictures leaves behind, kept apart from the model. An adapter holds
 * the changes of the model's atoms (or norms, or everything), a few kilobytes in the case of atoms, and a classifier of
 * the new classes. It does not change once it is made; adapters and predictions are used by one thread at a time, that
 * of their context. */
#ifndef ADATOM_ADAPTER_H
#define ADATOM_ADAPTER_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_adapter adatom_adapter;

typedef struct adatom_fit_params {
    size_t size;
    /* NULL: method atoms with its defaults. USAGE: bn transductive (pictures are classified one by one), or a
     * procedure. */
    const adatom_method *method;
    /* Pictures of a step if there are more than this, or they are augmented; >= 1; 0: 64. Otherwise all are in each
     * step. */
    int batch;
    uint32_t augment;         /* ADATOM_AUGMENT flags, for the support pictures of each step; 0: none */
    int shift;                /* most pixels of augmentation shift, 1..1024; 0: image_size/10 */
    adatom_estimate estimate; /* pictures that are alone in their class are not tested */
    int folds;                /* of folds, >= 2; 0: 5; each class is spread evenly over the folds */
    /* Of holdout: part of each class that is tested, in (0, 1); 0: 0.2. At least one picture of each class is adapted
     * to. */
    float holdout;
    /* Whether the best of ten numbers of steps is taken, chosen by the estimate's pictures; the estimate is then
     * optimistic. */
    bool early_stop;
    /* The model's file and the command, which the adapter's configuration keeps; NULL: not kept. */
    const char *base_model, *command;
    adatom_progress_callback progress; /* phase FITTING; may be NULL */
    void *user;
} adatom_fit_params;

/* Adapts the model to all classes of a data set: first to parts of it, many of them at once, to estimate the accuracy,
 * then to all pictures. There must be two or more classes with any numbers of pictures, which must be at least as large
 * as the model's. params may be NULL. Without a number of steps, mini-batches take the method's steps, or five passes
 * over the pictures if those are more. Tasks of the estimate that diverge are left out of it, counted, and told by a
 * warning in the log. BAD_DATA: fewer than two classes, two whose names differ only in case, spaces or Unicode form, or
 * pictures that are too small; FAILED: all tasks of the estimate diverged, or adapting to all pictures did. Of features
 * (adatom/features.h) model may be NULL; the method must be one that leaves the network as it is, and the adapter
 * belongs to the network that made them, if that is known. The caller owns *out. */
ADATOM_API adatom_status adatom_adapter_fit(adatom_device *device, const adatom_model *model,
                                            const adatom_dataset *dataset, const adatom_fit_params *params,
                                            adatom_adapter **out);
/* Writes an adapter in the layout of PEFT:
 *   FOLDER/adapter.safetensors: the parameters by the model's names, head.weight and head.bias; of a low-rank adapter
 *     LAYER.conv.lora_A.weight [rank][in][k][k], LAYER.conv.lora_B.weight [out][rank][1][1], with dora and bora
 *     LAYER.conv.lora_magnitude_vector [out], and with bora LAYER.conv.lora_magnitude_vector_in [in]; of tsa
 *     LAYER.conv.tsa.weight [out][in][1][1] and head.alignment D [features][features] (the classifier sees f + D f);
 *   FOLDER/adapter_config.json.
 * The folder is made if it is missing. When saving fails or is cut off, the folder holds the old adapter, the new one,
 * or none if none was there. */
ADATOM_API adatom_status adatom_adapter_save(const adatom_adapter *adapter, const char *folder);
/* Reads an adapter. BAD_DATA: a file is missing or damaged, or the files contradict each other. If a writer was cut off
 * between the two files, the adapter that it meant is read, with a warning in the log. The caller owns *out. */
ADATOM_API adatom_status adatom_adapter_load(adatom_context *context, const char *folder, adatom_adapter **out);
/* The two files of an adapter in memory. */
typedef struct adatom_adapter_files {
    size_t size;
    const char *name;   /* the folder's name, for messages; NULL: "adapter" */
    const char *config; /* adapter_config.json: config_size bytes */
    size_t config_size;
    const void *tensors; /* adapter.safetensors: tensors_size bytes */
    size_t tensors_size;
} adatom_adapter_files;
/* The same as adatom_adapter_load(), from memory, of which nothing is kept. */
ADATOM_API adatom_status adatom_adapter_parse(adatom_context *context, const adatom_adapter_files *files,
                                              adatom_adapter **out);
ADATOM_API void adatom_adapter_destroy(adatom_adapter **adapter);

typedef struct adatom_adapter_info {
    size_t size;
    const char *method;           /* the text of adatom_adapt_kind */
    char model_hash[17];          /* hash of the model that it belongs to; 16 hex digits, all 0: not known (features) */
    char hash[17];                /* hash of the adapter's numbers; 16 hex digits */
    int classes, features, steps; /* classes; the classifier's inputs; optimiser steps */
    int tensors;                  /* tensors that adapted; of an adapter of kernels: kernels, and the alignment */
    bool cosine;                  /* the classifier is a scaled cosine between features and weights; false: linear */
    uint64_t adapted;             /* numbers that adapted, without the classifier */
    uint64_t head;                /* numbers of the classifier */
    const char *estimate;         /* how the accuracy was estimated: a text of adatom_estimate */
    int tested, right;            /* pictures that the estimate tested, and those of them that it classified right */
    double accuracy, low, high;   /* right/tested and its 95 % interval [Wilson 1927]; 0, 0, 1 if none was tested */
    int fitted_right, fitted;     /* of the `fitted` pictures that it was adapted to, how many it classifies right */
    const char *config_json;      /* everything that decided the adapter: the text of adapter_config.json */
    /* How many of the estimate's `tasks` diverged and are left out of it; both are 0 if none did. */
    int diverged, tasks;
    bool mirror; /* a picture's features are the mean of its own and those of its mirror image (adatom_method.mirror) */
    /* Pictures of the estimate that calibrate the classifier, for adatom_classify_params.calibrated and reject; 0: it
     * is not calibrated (there was no estimate, or a program made it that did not calibrate). */
    int calibrated;
    /* By which class scores are divided before they become probabilities, so that answers of probability p are right in
     * about a part p of the cases [Guo et al., ICML 2017]: above 1 the adapter is too sure of itself; 1 if not
     * calibrated. And the mean of -log(probability of the true class) over those pictures, without and with it. */
    double temperature, loss_before, loss;
} adatom_adapter_info;
ADATOM_API adatom_status adatom_adapter_describe(const adatom_adapter *adapter, adatom_adapter_info *out);

typedef struct adatom_adapter_class {
    size_t size;
    const char *name;          /* the class's name; owned by the adapter */
    int images, tested, right; /* pictures of the class; those tested; those classified right */
} adatom_adapter_class;
/* Describes class c: its pictures, and how many of them were tested and right. USAGE: c is outside 0..classes-1. */
ADATOM_API adatom_status adatom_adapter_get_class(const adatom_adapter *adapter, int c, adatom_adapter_class *out);

enum {
    ADATOM_ANSWER_NOT_ASKED = -2, /* the estimate did not ask about the picture */
    ADATOM_ANSWER_DIVERGED = -1   /* it did, but the task that was asked diverged */
};
/* What the estimate answered about each picture of the data set that the adapter was fitted to: [*images] classes, or
 * one of the numbers above; owned by the adapter. It is kept in memory only: NULL, and *images is 0, for an adapter
 * that was read from files, and without an estimate. */
ADATOM_API const int32_t *adatom_adapter_answers(const adatom_adapter *adapter, size_t *images);
/* The class scores [*images][classes] (logits, temperature 1) of each of those pictures by the task that left it out,
 * NaN where none was asked or it diverged. Where the method was chosen, they are the chosen one's, though answers are
 * those of the choice made without the picture. Kept in memory only, as answers are; NULL also where they would take
 * more than 1 GiB (told in the log). */
ADATOM_API const float *adatom_adapter_scores(const adatom_adapter *adapter, size_t *images);

typedef struct adatom_adapter_tensor {
    size_t size;
    const char *name; /* the tensor's name in the model, e.g. "layer2.atoms"; owned by the adapter */
    bool atoms;       /* the tensor holds atoms */
    int rank;         /* number of dimensions, 1..5 */
    int64_t shape[5]; /* [rank]; atoms are [m][k][k], with groups [out group][in group][m][k][k] */
    size_t elements;  /* product of the shape: the tensor's numbers */
    double moved;     /* Euclidean length of the change */
    double relative;  /* `moved` divided by the length before; infinite if that is 0 */
} adatom_adapter_tensor;
/* Describes an adapted tensor (not the classifier), or, of an adapter of kernels, a composed kernel [out][in][k][k],
 * which has its layer's name, or the map I + D of the features. BAD_DATA: the adapter belongs to another model; USAGE:
 * index is outside 0..tensors-1. */
ADATOM_API adatom_status adatom_adapter_get_tensor(const adatom_adapter *adapter, const adatom_model *model, int index,
                                                   adatom_adapter_tensor *out);
/* Reads that tensor's numbers without and with the adapter, `elements` each, into before[capacity] and after[capacity]
 * (each may be NULL). USAGE also if capacity is less than elements. */
ADATOM_API adatom_status adatom_adapter_read_tensor(const adatom_adapter *adapter, const adatom_model *model, int index,
                                                    float *before, float *after, size_t capacity);
/* Makes the model with the adapter's numbers, and its classifier in place of the model's own; with an adapter of
 * kernels the result has ordinary ones. A cosine classifier becomes a linear one with the weights scale*w/|w| and no
 * bias, which gives the same classes, and the same logits if features (with tsa f + D f) are divided by their length
 * before it. A model has no `mirror`: for such an adapter's classes take the mean of the logits of a picture and of its
 * mirror image (a warning in the log). BAD_DATA: the adapter belongs to another model. The caller owns *out. */
ADATOM_API adatom_status adatom_adapter_merge(const adatom_adapter *adapter, const adatom_model *model,
                                              adatom_model **out);

typedef struct adatom_predictions adatom_predictions;

typedef struct adatom_classify_params {
    size_t size;
    const adatom_adapter *const *adapters; /* [adapter_count]; count 0: the model's own classifier */
    size_t adapter_count;
    int batch;                         /* pictures that are classified at once, >= 1; 0: 32, by the CPU engine 8 */
    size_t memory_bytes;               /* most bytes of device memory for tensors; 0: half of what is free */
    adatom_progress_callback progress; /* phase CLASSIFYING; may be NULL */
    void *user;
    /* Whether scores are divided by the adapter's temperature, which changes probabilities and no answer. USAGE: an
     * adapter is not calibrated, or it is the model's own classifier. */
    bool calibrated;
    /* In (0, 1): pictures that look less familiar than this part of the pictures of the adapter's own classes do are
     * refused, as of none of them: about so many of its own are refused wrongly. 0: none is. USAGE: as above, or
     * calibrated by fewer than 1/reject - 1 pictures, which cannot tell so small a part. */
    float reject;
} adatom_classify_params;

typedef struct adatom_predictions_info {
    size_t size;
    size_t images; /* pictures that were classified */
    int results;   /* the number of adapters; 1 for the model's own classifier */
    /* How many of the results use the model's own features, which are computed once for all of them. */
    int shared;
    /* Answers (pictures times results) whose class scores are not finite: their probabilities are NaN. */
    size_t lost;
    double seconds, images_per_s; /* wall time; pictures a second, under all adapters */
    size_t refused;               /* answers that params.reject refuses */
} adatom_predictions_info;

/* Computes the class probabilities of every picture of the data set, whose labels are not used, under each adapter, or
 * by the model's own classifier (USAGE if it has none). Adapters that change parameters of the model run as tasks of
 * one program. params may be NULL. Of features (adatom/features.h) model may be NULL, and adapters must not change the
 * network; if it is not known whether features and adapter are of one network, a warning in the log tells. BAD_DATA: an
 * adapter belongs to another model, or the pictures have another size than the model's. The caller owns *out. */
ADATOM_API adatom_status adatom_classify(adatom_device *device, const adatom_model *model,
                                         const adatom_dataset *dataset, const adatom_classify_params *params,
                                         adatom_predictions **out);
ADATOM_API adatom_status adatom_predictions_describe(const adatom_predictions *predictions,
                                                     adatom_predictions_info *out);
/* The probabilities of picture `image` under adapter number `result`: [*classes], which add up to 1 or are all NaN;
 * owned by the predictions. NULL: result or image is outside. */
ADATOM_API const float *adatom_predictions_get(const adatom_predictions *predictions, int result, size_t image,
                                               int *classes);
/* The part, in (0, 1], of the pictures of the adapter's own classes that look no more familiar than picture `image`:
 * the conformal p-value [Vovk et al. 2005] of "it is one of these classes", which params.reject is compared with
 * (refused: at most that). How familiar a picture looks is its largest cosine, or its largest score divided by the
 * length of its features. NaN: the adapter is not calibrated, or result or image is outside; its scores are not finite.
 */
ADATOM_API double adatom_predictions_typicality(const adatom_predictions *predictions, int result, size_t image);
/* Whether params.reject refuses picture `image` under adapter number `result`; false if either is outside. */
ADATOM_API bool adatom_predictions_refused(const adatom_predictions *predictions, int result, size_t image);
ADATOM_API void adatom_predictions_destroy(adatom_predictions **predictions);

/* The 95 % interval of the proportion successes/trials [Wilson, JASA 1927]; trials 0: 0 to 1. Any thread. */
ADATOM_API void adatom_wilson_interval(uint64_t successes, uint64_t trials, double *low, double *high);

#ifdef __cplusplus
}
#endif
#endif

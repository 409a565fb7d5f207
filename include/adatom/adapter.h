/* Adapters: what adapting a model to a folder of pictures leaves behind, kept apart from the model. A few kilobytes say
 * how the model's atoms (or norms, or everything) moved and hold a classifier of the new classes. An adapter does not
 * change once it is made; adapters and predictions are used by one thread at a time, that of their context. */
#ifndef ADATOM_ADAPTER_H
#define ADATOM_ADAPTER_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_adapter adatom_adapter;

typedef struct adatom_fit_params {
    size_t size;
    const adatom_method
        *method;      /* NULL: atoms. bn transductive and procedures are USAGE: a picture is classified by itself */
    int batch;        /* pictures of a step where there are more of them or they are augmented; 0: 64 */
    uint32_t augment; /* ADATOM_AUGMENT flags, of the support pictures at each step; 0: none */
    int shift;        /* pixels; 0: image size / 10 */
    adatom_estimate estimate; /* pictures alone in their class are left out of it */
    int folds;                /* 0: 5; classes are spread evenly over the folds */
    float holdout;   /* part of each class that is held out; 0: 0.2; at least one picture of each class remains */
    bool early_stop; /* tries ten numbers of steps on the estimate's pictures and takes the best; the estimate is then
                        optimistic */
    const char *base_model, *command;  /* kept in the configuration: the model's file, the command; NULL: not kept */
    adatom_progress_callback progress; /* FITTING */
    void *user;
} adatom_fit_params;

/* Adapts the model to all classes of a data set with any numbers of pictures (at least one a class, at least two
 * classes): first to parts of it, many parts at once, to estimate the accuracy, then to all of it. The data set's
 * pictures must be at least as large as the model's. params may be NULL. Steps without a number given are the method's,
 * or five passes over the pictures where those are more. Tasks of the estimate that diverge are left out of it,
 * counted, and told as a warning. BAD_DATA: fewer than two classes, or two whose names differ in case only; FAILED: all
 * tasks of the estimate diverged, or adapting to all pictures did; USAGE; INTERRUPTED; OUT_OF_MEMORY. The caller owns
 * *out. */
ADATOM_API adatom_status adatom_adapter_fit(adatom_device *device, const adatom_model *model,
                                            const adatom_dataset *dataset, const adatom_fit_params *params,
                                            adatom_adapter **out);
/* FOLDER/adapter.safetensors (parameters by the model's names, head.weight, head.bias; of low-rank adapters
 * LAYER.conv.lora_A.weight [rank] [in][k][k], .lora_B.weight [out][rank][1][1], .lora_magnitude_vector [out] and, for
 * bora, .lora_magnitude_vector_in [in]) and FOLDER/adapter_config.json, as PEFT lays them out. The folder is made where
 * it is missing. Whenever it fails or is cut off, the folder holds the old adapter, the new one, or none if none was
 * there. */
ADATOM_API adatom_status adatom_adapter_save(const adatom_adapter *adapter, const char *folder);
/* BAD_DATA: a file is missing, damaged, or they contradict each other. What a writer that was cut off between the two
 * left is read as it was meant, with a warning in the log. */
ADATOM_API adatom_status adatom_adapter_load(adatom_context *context, const char *folder, adatom_adapter **out);
/* The two files in memory. */
typedef struct adatom_adapter_files {
    size_t size;
    const char *name;   /* of the folder, for messages; NULL: "adapter" */
    const char *config; /* adapter_config.json: config_size bytes */
    size_t config_size;
    const void *tensors; /* adapter.safetensors: tensors_size bytes */
    size_t tensors_size;
} adatom_adapter_files;
/* As adatom_adapter_load(), from memory; nothing of it is kept. */
ADATOM_API adatom_status adatom_adapter_parse(adatom_context *context, const adatom_adapter_files *files,
                                              adatom_adapter **out);
ADATOM_API void adatom_adapter_destroy(adatom_adapter **adapter);

typedef struct adatom_adapter_info {
    size_t size;
    const char *method;  /* as the configuration names it; owned by the adapter, as all texts here */
    char model_hash[17]; /* of the model it belongs to */
    char hash[17];       /* of its numbers */
    int classes, features, steps;
    int tensors;                /* that adapted; of a low-rank adapter: kernels */
    bool cosine;                /* the classifier: scale times the cosine between features and weights; else linear */
    uint64_t adapted;           /* numbers that adapted, classifier excluded */
    uint64_t head;              /* numbers of the classifier */
    const char *estimate;       /* how the accuracy was estimated: a text of adatom_estimate */
    int tested, right;          /* pictures of the estimate */
    double accuracy, low, high; /* right/tested and its 95 % interval (Wilson); 0, 0, 1 if nothing was tested */
    int fitted_right, fitted;   /* of the pictures it was adapted to */
    const char *config_json;    /* everything that decided it: the text of adapter_config.json */
    int diverged,
        tasks; /* tasks of the estimate that diverged and are left out of it, of all its tasks; both 0 if none did */
} adatom_adapter_info;
ADATOM_API adatom_status adatom_adapter_describe(const adatom_adapter *adapter, adatom_adapter_info *out);

typedef struct adatom_adapter_class {
    size_t size;
    const char *name; /* owned by the adapter */
    int images, tested, right;
} adatom_adapter_class;
/* USAGE outside 0..classes-1. */
ADATOM_API adatom_status adatom_adapter_get_class(const adatom_adapter *adapter, int c, adatom_adapter_class *out);

typedef struct adatom_adapter_tensor {
    size_t size;
    const char *name; /* the model's, e.g. "layer2.atoms"; owned by the adapter */
    bool atoms;
    int rank;
    int64_t shape[5]; /* atoms: [m][k][k], of groups [out group][in group][m][k][k] */
    size_t elements;
    double moved;    /* Euclidean length of the change */
    double relative; /* the same over the length before; infinite where that is 0 */
} adatom_adapter_tensor;
/* An adapted tensor, without the classifier, or a composed kernel [out][in][k][k] under its low-rank adapter (name: its
 * layer). BAD_DATA: the adapter belongs to another model; USAGE outside 0..tensors-1. */
ADATOM_API adatom_status adatom_adapter_get_tensor(const adatom_adapter *adapter, const adatom_model *model, int index,
                                                   adatom_adapter_tensor *out);
/* Its numbers without and with the adapter, `elements` each, into before[capacity] and after[capacity] (each may be
 * NULL). USAGE also where capacity is less than that. */
ADATOM_API adatom_status adatom_adapter_read_tensor(const adatom_adapter *adapter, const adatom_model *model, int index,
                                                    float *before, float *after, size_t capacity);
/* The model with the adapter's numbers and its classifier in place of the model's own; under a low-rank adapter it has
 * ordinary kernels. A cosine classifier becomes a linear one with the weights scale*w/|w| and no bias: the same
 * classes, and the same logits where features are divided by their length before it. BAD_DATA: another model's adapter.
 * The caller owns *out. */
ADATOM_API adatom_status adatom_adapter_merge(const adatom_adapter *adapter, const adatom_model *model,
                                              adatom_model **out);

typedef struct adatom_predictions adatom_predictions;

typedef struct adatom_classify_params {
    size_t size;
    const adatom_adapter *const *adapters; /* [adapter_count]; 0: the model's own classifier */
    size_t adapter_count;
    int batch;                         /* pictures at once; 0: 32 */
    size_t memory_bytes;               /* limit; 0: half of what the device has free */
    adatom_progress_callback progress; /* CLASSIFYING */
    void *user;
} adatom_classify_params;

typedef struct adatom_predictions_info {
    size_t size;
    size_t images;
    int results; /* adapters, or 1: the model's own classifier */
    int shared;  /* of them, how many use the model's features as they are, which are computed once */
    size_t lost; /* pictures, under all adapters, whose class scores are not finite: their probabilities are NaN */
    double seconds, images_per_s;
} adatom_predictions_info;

/* Probabilities of every picture of the data set (its labels are not looked at) under each adapter, or under the
 * model's own classifier (USAGE if it has none). Adapters that move parameters run as tasks of one program.
 * params may be NULL. BAD_DATA: an adapter of another model, or pictures of another size than the model's. The caller
 * owns *out. */
ADATOM_API adatom_status adatom_classify(adatom_device *device, const adatom_model *model,
                                         const adatom_dataset *dataset, const adatom_classify_params *params,
                                         adatom_predictions **out);
ADATOM_API adatom_status adatom_predictions_describe(const adatom_predictions *predictions,
                                                     adatom_predictions_info *out);
/* Probabilities of the classes (they add up to 1, or all are NaN), owned by the predictions; NULL outside. */
ADATOM_API const float *adatom_predictions_get(const adatom_predictions *predictions, int result, size_t image,
                                               int *classes);
ADATOM_API void adatom_predictions_destroy(adatom_predictions **predictions);

/* 95 % interval of a proportion [Wilson, JASA 1927]; trials 0: 0 to 1. */
ADATOM_API void adatom_wilson_interval(uint64_t successes, uint64_t trials, double *low, double *high);

#ifdef __cplusplus
}
#endif
#endif

/* Adaptation of a model to episodes, and the evaluation of the result. */
#ifndef ADATOM_ADAPT_H
#define ADATOM_ADAPT_H

#include <adatom/device.h>
#include <adatom/episode.h>
#include <adatom/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How to adapt. Zero means the default, which for heads, steps and rates depends on `adapt` and, with Adam, on whether
 * the model was imported; docs/episodes.md lists the defaults. A negative rate, momentum or dampening stands for 0.
 * Rates are 0..1000. */
typedef struct adatom_method {
    size_t size;
    adatom_adapt_kind adapt;    /* what adapts; default: atoms */
    int steps;                  /* optimiser steps, 1..1e6; 0: the method's default */
    adatom_optimizer optimizer; /* default: adam */
    float lr;                   /* learning rate of the classifier (head) */
    /* Learning rates of atoms; of the scale and shift of norms; of everything else with method full. */
    float lr_atoms, lr_norm, lr_full;
    float lr_adapter; /* rate of adapters of kernels (lora, dora, bora, tsa) */
    int rank;         /* rank of low-rank adapters, 1..256; 0: 4 */
    /* Kernels change by adapter_scale/rank times the product of the low-rank matrices; the quotient's magnitude is at
     * most 1000. 0: the rank, so that it is 1. */
    float adapter_scale;
    /* sgd: momentum in [0, 1), dampening in [0, 1]; 0: 0.9 and none. adam: beta1 and beta2, in [0, 1); 0: 0.9 and
     * 0.999. */
    float momentum, dampening;
    bool nesterov;         /* sgd uses Nesterov's momentum */
    float weight_decay;    /* 0..100; applies to everything that adapts but norms */
    float label_smoothing; /* in [0, 1); of the support labels */
    adatom_head head;      /* classifier of the methods that train one */
    /* Start of that classifier. means (default): the directions of the class means; zero: not of a cosine; random:
     * drawn from `seed`; model: the model's own, as adatom_metatrain() learns one, which must have as many classes as
     * the task (USAGE). */
    adatom_head_init head_init;
    float cosine_scale;       /* factor of cosine heads, 1e-6..1000; 0: 10 */
    adatom_distance distance; /* of method centroid */
    adatom_bn bn;             /* statistics of batch norm */
    adatom_conv conv;         /* how decomposed layers are computed */
    uint64_t seed;            /* of random heads and low-rank adapters */
    int tasks_at_once;        /* episodes that adapt at the same time; 0: as many as are useful and fit the device */
    /* Most bytes of device memory for tensors; 0: half of what the device has free, more if one task needs it. */
    size_t memory_bytes;
    adatom_procedure procedure; /* a published procedure, which decides the settings above */
    /* Which layers of the network adapt, beside the classifier: names of adatom_layer_info or patterns (* stands for
     * any text, ? for any letter), with commas between them; NULL: all. A name also stands for those that go on with a
     * dot: layer3 for layer3.conv, layer3.norm and layer3.shortcut.conv, which are one layer. Coefficients that layers
     * share adapt if all of these layers do. What is below the first layer that adapts is computed once, but in each
     * step of mini-batches. USAGE: a name that the network has not, or layers in which nothing adapts. Methods that
     * adapt the classifier alone have no use for it. */
    const char *layers;
    /* Of these the last so many that have numbers that adapt; 0: all. USAGE if there are fewer. */
    int last;
    float inverse_penalty; /* logistic: C of the penalty |W|^2 / (2C), 1e-6..1e6; 0: 1 */
    float shrinkage;       /* lda: of the covariance, towards a multiple of I; in (0, 1]; 0: Ledoit and Wolf's */
    int neighbours;        /* knn: support pictures that vote, 1..1e6; 0: 5; all where there are fewer */
    /* Part of each class's support pictures, in [0, 1), rounded to whole ones, that have the label of the episode's
     * next class: a class has as many as before. 0: none. For experiments on robustness; adapters refuse it. */
    float label_noise;
    /* Each support picture is shown so many times, 1..64, shifted by up to a tenth of its size, flipped and jittered by
     * numbers that the picture and `seed` decide: the same in every episode; 0: once, as it is. Adapters refuse it
     * (adatom_fit_params.augment), and so do data sets of features. */
    int support_views;
    /* The features of a picture to classify are the mean of its own and those of its mirror image, which takes twice
     * the time; so are those of support pictures where the network stays as it is. An adapter keeps it. USAGE with data
     * sets of features. */
    bool mirror;
} adatom_method;

/* Writes the method with the model's defaults filled in as a JSON object into out[capacity]. Methods with the same text
 * give the same numbers. method may be NULL: the default; so may model: the defaults of networks made here. USAGE: a
 * value is out of range, or the text with its NUL needs more than capacity bytes. */
ADATOM_API adatom_status adatom_method_text(adatom_context *context, const adatom_method *method,
                                            const adatom_model *model, char *out, size_t capacity);

/* The result of adapting to a list of episodes. An evaluation is used by one thread at a time, that of its context. */
typedef struct adatom_evaluation adatom_evaluation;

typedef struct adatom_evaluation_info {
    size_t size;
    adatom_adapt_kind method;           /* the method, its default resolved */
    int tasks, way, shot, query, steps; /* number of episodes; their sizes; optimiser steps of each */
    /* Episodes that have no accuracy because they diverged: class scores or adapted numbers are not finite, or training
     * left all scores the same for every query. */
    int diverged;
    /* Mean accuracy (0..1) over the episodes that did not diverge, and the half width of its 95 % interval (Student's t
     * over episodes); NaN if all diverged. */
    double mean, ci95;
    const float *accuracy;      /* [tasks] 0..1, in the order of the episodes; NaN: diverged */
    const int32_t *predictions; /* [tasks][way][query] predicted labels, 0..way-1; -1: the episode diverged */
    uint64_t adapted;           /* numbers that adapt in each task */
    double seconds;             /* wall time of the run, with that of computing features */
    double episodes_per_s;
    size_t arena_bytes;      /* bytes of device memory for tensors */
    int tasks_at_once;       /* episodes that adapted at the same time */
    const char *config_json; /* everything that decided the numbers, as a JSON object */
} adatom_evaluation_info;

/* What to adapt to. dataset and episodes are required (USAGE if NULL). Where the data set holds features
 * (adatom/features.h) the functions below take a model of NULL, else the model that made them, and methods that leave
 * the network as it is: centroid, head, cosine, logistic, lda, knn, bd-cspn and, with a model, simpleshot (others:
 * USAGE). */
typedef struct adatom_adapt_params {
    size_t size;
    const adatom_dataset *dataset;
    const adatom_episodes *episodes; /* a list drawn from that data set */
    const adatom_method *method;     /* NULL: every default */
    int first, count;                /* episodes first..first+count-1 of the list are run; count 0: all from first on */
    const int *steps;                /* for adatom_adapt_steps(): [step_count] numbers of steps, ascending, >= 0 */
    size_t step_count;               /* length of steps */
    adatom_progress_callback progress; /* phase EPISODES; may be NULL */
    void *user;
} adatom_adapt_params;

typedef struct adatom_adapt_plan_info {
    size_t size;
    size_t arena_bytes; /* bytes of device memory for tensors */
    int tasks_at_once;  /* episodes that adapt at the same time */
} adatom_adapt_plan_info;

/* Tells what a run would need, without starting it. step_count > 1 stands for a run of adatom_adapt_steps(), which
 * needs more memory. Fails as the run would fail, as far as can be known before it. */
ADATOM_API adatom_status adatom_adapt_plan(adatom_device *device, const adatom_model *model,
                                           const adatom_adapt_params *params, adatom_adapt_plan_info *out);
/* Adapts the model to every episode and classifies the episode's queries. The params' steps and step_count are not
 * used. The device keeps the features of the last model and data set whose backbone stayed frozen (images x features
 * floats of host memory), so that later methods, shots and episodes need not compute them. The caller owns *out.
 * BAD_DATA: the list was drawn from another data set, or the data's pictures are smaller than the model's.
 * INTERRUPTED comes between two groups of tasks or submissions. */
ADATOM_API adatom_status adatom_adapt_episodes(adatom_device *device, const adatom_model *model,
                                               const adatom_adapt_params *params, adatom_evaluation **out);
/* Evaluates one run after several numbers of steps: out[k] is what adatom_adapt_episodes() gives with method->steps =
 * steps[k]. (Rates are constant, so that a shorter run is the beginning of a longer one.) After 0 steps, which may be
 * the first number, it is the start: the network as it is, the classifier from class means, zero or random. out[k]'s
 * time is that of the run up to there, earlier evaluations included; method->steps is not used. out[capacity]: the
 * first step_count are written (USAGE if capacity is less), and the caller owns each; on failure all of them are NULL.
 * USAGE: a method without steps, or a procedure. */
ADATOM_API adatom_status adatom_adapt_steps(adatom_device *device, const adatom_model *model,
                                            const adatom_adapt_params *params, adatom_evaluation **out,
                                            size_t capacity);
ADATOM_API adatom_status adatom_evaluation_describe(const adatom_evaluation *evaluation, adatom_evaluation_info *out);
ADATOM_API void adatom_evaluation_destroy(adatom_evaluation **evaluation);

/* The mean of a[i] - b[i] (b NULL: of a[i]) over i < n, and the half width of its 95 % Student interval, without the
 * differences that are NaN (episodes that diverged). Of one number the interval is infinite, of none both results are
 * NaN. Any thread. */
ADATOM_API void adatom_mean_interval(const float *a, const float *b, size_t n, double *mean, double *ci95);

#ifdef __cplusplus
}
#endif
#endif

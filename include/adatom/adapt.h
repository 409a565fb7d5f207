/* Adaptation to episodes and its evaluation. */
#ifndef ADATOM_ADAPT_H
#define ADATOM_ADAPT_H

#include <adatom/device.h>
#include <adatom/episode.h>
#include <adatom/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero means the default, which depends on the method and is written in README.md. A negative rate, momentum or
 * dampening is none: it counts as 0. Rates are 0..1000. */
typedef struct adatom_method {
    size_t size;
    adatom_adapt_kind adapt;
    int steps;                        /* 1..1e6; 0: the method's default */
    adatom_optimizer optimizer;       /* default: adam */
    float lr;                         /* of the head */
    float lr_atoms, lr_norm, lr_full; /* of atoms, batch-norm affine, everything else (full) */
    float lr_adapter;                 /* of low-rank adapters (lora, dora, bora) */
    int rank;                         /* of them, 1..256; 0: 4 */
    float adapter_scale; /* a: kernels change by a/rank times the product of the adapter's matrices; 0: the rank */
    float momentum, dampening; /* of sgd (0: 0.9 and none); beta1 and beta2 of adam (0: 0.9 and 0.999) */
    bool nesterov;
    float weight_decay;    /* 0..100; of everything that adapts but norms */
    float label_smoothing; /* 0..1, 1 excluded; of the support labels */
    adatom_head head;
    adatom_head_init head_init;
    float cosine_scale;       /* tau, 1e-6..1000; 0: 10 */
    adatom_distance distance; /* of centroid */
    adatom_bn bn;
    adatom_conv conv;
    uint64_t seed;       /* random head, low-rank adapters */
    int tasks_at_once;   /* 0: as many as are useful and fit the device */
    size_t memory_bytes; /* limit for arenas; 0: half of what the device has free, more if one task needs it */
    adatom_procedure procedure;
} adatom_method;

/* What the method comes to with its defaults filled in, as a JSON object, into out[capacity]. Two methods with the same
 * text give the same numbers. method may be NULL: the default. USAGE: a value that is out of range, or the text is
 * longer than capacity - 1. */
ADATOM_API adatom_status adatom_method_text(adatom_context *context, const adatom_method *method, char *out,
                                            size_t capacity);

/* An evaluation is used by one thread at a time, that of its context. */
typedef struct adatom_evaluation adatom_evaluation;

typedef struct adatom_evaluation_info {
    size_t size;
    adatom_adapt_kind method; /* as given, the default resolved */
    int tasks, way, shot, query, steps;
    int diverged; /* episodes without an accuracy: class scores or adapted numbers are not finite, or training left all
                     scores the same for every query */
    double mean, ci95; /* accuracy 0..1 and half width of its 95 % interval (Student t over episodes), of the episodes
                          that did not diverge; NaN where all did */
    const float *accuracy;      /* [tasks] in the order of the episodes; NaN: diverged; owned by the evaluation */
    const int32_t *predictions; /* [tasks][way*query]; -1: diverged; owned by the evaluation */
    uint64_t adapted;           /* numbers adapted per task */
    double seconds;             /* wall, this method, feature extraction included */
    double episodes_per_s;
    size_t arena_bytes; /* device memory of the arenas */
    int tasks_at_once;
    const char *config_json; /* everything that decided the numbers, as a JSON object; owned by the evaluation */
} adatom_evaluation_info;

/* dataset and episodes are needed (USAGE without them). */
typedef struct adatom_adapt_params {
    size_t size;
    const adatom_dataset *dataset;
    const adatom_episodes *episodes; /* drawn from the data set */
    const adatom_method *method;     /* NULL: the default */
    int first, count;                /* episodes first..first+count-1 of the list; count 0: all from there */
    const int *steps;                /* adatom_adapt_steps(): [step_count], ascending, >= 1 */
    size_t step_count;
    adatom_progress_callback progress; /* EPISODES */
    void *user;
} adatom_adapt_params;

typedef struct adatom_adapt_plan_info {
    size_t size;
    size_t arena_bytes; /* device memory of the arenas */
    int tasks_at_once;
} adatom_adapt_plan_info;

/* What a run would need, without starting it; with a step_count above 1, one of adatom_adapt_steps(), which needs more
 * memory. Fails as the run would, as far as can be known before it. */
ADATOM_API adatom_status adatom_adapt_plan(adatom_device *device, const adatom_model *model,
                                           const adatom_adapt_params *params, adatom_adapt_plan_info *out);
/* Adapts to every episode and classifies its queries; steps of the params are ignored. Of the last model and data set
 * whose backbone stayed frozen the device keeps the features (images x features floats on the host), so that other
 * methods, shots and episodes find them there. The caller owns *out. USAGE; BAD_DATA; OUT_OF_MEMORY; DEVICE_LOST;
 * INTERRUPTED between two batches of tasks or submissions. */
ADATOM_API adatom_status adatom_adapt_episodes(adatom_device *device, const adatom_model *model,
                                               const adatom_adapt_params *params, adatom_evaluation **out);
/* One run evaluated on its way: out[k] is what adatom_adapt_episodes gives with method->steps = steps[k] (rates are
 * constant, so that a shorter run is the beginning of a longer one), its time that of the run up to there, earlier
 * evaluations included; method->steps is ignored. out[capacity]: the first step_count are written (USAGE if there are
 * fewer), the caller owns each; on failure all of them are NULL. USAGE for a method without steps and for procedures.
 */
ADATOM_API adatom_status adatom_adapt_steps(adatom_device *device, const adatom_model *model,
                                            const adatom_adapt_params *params, adatom_evaluation **out,
                                            size_t capacity);
ADATOM_API adatom_status adatom_evaluation_describe(const adatom_evaluation *evaluation, adatom_evaluation_info *out);
ADATOM_API void adatom_evaluation_destroy(adatom_evaluation **evaluation);

/* Mean of a[i]-b[i] (b NULL: of a), i < n, and half width of its 95 % Student interval, without those that are NaN
 * (episodes that diverged). Of one number the interval is infinite, of none both are NaN. Any thread. */
ADATOM_API void adatom_mean_interval(const float *a, const float *b, size_t n, double *mean, double *ci95);

#ifdef __cplusplus
}
#endif
#endif

/* Adaptation to episodes and its evaluation. */
#ifndef ADATOM_ADAPT_H
#define ADATOM_ADAPT_H

#include <adatom/device.h>
#include <adatom/episode.h>
#include <adatom/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Zero or NULL means the default, which depends on the method and is written in README.md. A negative rate, momentum or
 * dampening is none: it counts as 0. */
typedef struct adatom_method {
    const char *adapt;     /* centroid, head, cosine, atoms, norm, atoms+norm, full, lora, dora, bora; NULL: atoms */
    int steps;             /* 0: the method's default */
    const char *optimizer; /* sgd or adam; NULL: adam */
    float lr;              /* of the head */
    float lr_atoms, lr_norm, lr_full; /* of atoms, batch-norm affine, everything else (full) */
    float lr_adapter;                 /* of low-rank adapters (lora, dora, bora) */
    int rank;                         /* of them, 1..256; 0: 4 */
    float adapter_scale; /* a: kernels change by a/rank times the product of the adapter's matrices; 0: the rank */
    float momentum, dampening; /* of sgd (0: 0.9 and none); beta1 and beta2 of adam (0: 0.9 and 0.999) */
    bool nesterov;
    float weight_decay;
    float label_smoothing;
    const char *head;      /* linear or cosine; NULL: the method's default */
    const char *head_init; /* zero, random, means (their directions); NULL: means */
    float cosine_scale;    /* tau; 0: 10 */
    const char *distance;  /* centroid: euclidean or cosine; NULL: euclidean */
    const char *bn;        /* frozen, support, transductive; NULL: frozen */
    const char *conv; /* decomposed layers: auto (what costs least on the device), coefficients-first (not for groups of
                       * channels), atoms-first, composed */
    uint64_t seed;    /* random head */
    int tasks_at_once;   /* 0: as many as are useful and fit the device */
    size_t memory_bytes; /* limit for arenas; 0: half of what the device has free, more if one task needs it */
    const char *recipe; /* NULL, or "closerlook-baseline": Closer Look's exact fine-tuning (batches of 4, 100 epochs) */
} adatom_method;

/* What the method comes to with its defaults filled in, as a JSON object. Two methods with the same text give the same
 * numbers. USAGE: a name or number that is not known or out of range, or the text is longer than capacity - 1. */
ADATOM_API adatom_status adatom_method_text(adatom_context *context, const adatom_method *method, char *out,
                                            size_t capacity);

typedef struct adatom_progress {
    /* Called now and then: done of total episodes, running mean accuracy (0..1) and half width of its 95 % interval, as
     * in adatom_evaluation_info: NaN while all of them diverged. */
    void (*call)(void *user, int done, int total, double mean, double ci95);
    void *user;
} adatom_progress;

typedef struct adatom_evaluation adatom_evaluation;

typedef struct adatom_evaluation_info {
    const char *method; /* as given */
    int tasks, way, shot, query, steps;
    int diverged; /* episodes without an accuracy: class scores or adapted numbers are not finite, or training left all
                     scores the same for every query */
    double mean, ci95; /* accuracy 0..1 and half width of its 95 % interval (Student t over episodes), of the episodes
                          that did not diverge; NaN where all did */
    const float *accuracy;      /* [tasks] in the order of the episodes; NaN: diverged */
    const int32_t *predictions; /* [tasks][way*query]; -1: diverged */
    uint64_t adapted;           /* numbers adapted per task */
    double seconds;             /* wall, this method, feature extraction included */
    double episodes_per_s;
    size_t arena_bytes; /* device memory of the arenas */
    int tasks_at_once;
    const char *config_json; /* everything that decided the numbers, as a JSON object */
} adatom_evaluation_info;

/* Plans the run without starting it: bytes of device memory and tasks at once. on_the_way: for adatom_adapt_steps with
 * several numbers of steps, which needs more memory. */
ADATOM_API adatom_status adatom_adapt_plan(adatom_device *device, const adatom_model *model,
                                           const adatom_dataset *dataset, const adatom_episodes *episodes,
                                           const adatom_method *method, bool on_the_way, size_t *arena_bytes,
                                           int *tasks_at_once);
/* Adapts to every episode and classifies its queries. first..first+count-1 of the list (count 0: all). Of the last
 * model and data set whose backbone stayed frozen the device keeps the features (images x features floats on the host),
 * so that other methods, shots and episodes find them there. INTERRUPTED leaves *out NULL. */
ADATOM_API adatom_status adatom_adapt_episodes(adatom_device *device, const adatom_model *model,
                                               const adatom_dataset *dataset, const adatom_episodes *episodes,
                                               const adatom_method *method, int first, int count,
                                               const adatom_progress *progress, adatom_evaluation **out);
/* One run evaluated on its way: out[k] is what adatom_adapt_episodes gives with method->steps = steps[k] (rates are
 * constant, so that a shorter run is the beginning of a longer one), its time that of the run up to there, earlier
 * evaluations included. steps[0..step_count-1]: ascending, >= 1; method->steps is ignored. USAGE for a method without
 * steps and for recipes. out: room for step_count; on failure all NULL. */
ADATOM_API adatom_status adatom_adapt_steps(adatom_device *device, const adatom_model *model,
                                            const adatom_dataset *dataset, const adatom_episodes *episodes,
                                            const adatom_method *method, const int *steps, int step_count, int first,
                                            int count, const adatom_progress *progress, adatom_evaluation **out);
ADATOM_API void adatom_evaluation_describe(const adatom_evaluation *evaluation, adatom_evaluation_info *out);
ADATOM_API void adatom_evaluation_destroy(adatom_evaluation **evaluation);

/* Mean of a[i]-b[i] (b NULL: of a) and half width of its 95 % Student interval, without those that are NaN (episodes
 * that diverged). Of one number the interval is infinite, of none both are NaN. */
ADATOM_API void adatom_mean_interval(const float *a, const float *b, size_t n, double *mean, double *ci95);

#ifdef __cplusplus
}
#endif
#endif

/* Checking and timing kernels on a device. Nothing here keeps an object. */
#ifndef ADATOM_BENCH_H
#define ADATOM_BENCH_H

#include <adatom/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One check: an operation, a variant of it, a shape, one kind of operands. Valid during the callback only. */
typedef struct adatom_check_result {
    size_t size;
    const char *operation, *variant;
    const char
        *shape; /* in words, e.g. "t2 n3 h7 w7 c8 o12 k3 s2 p1 d1 shared-w": tasks, images, sizes, kernel, stride ... */
    const char
        *data; /* "integers": equal where sums of products are exact; "reals": within the bound; "repeat": same bytes */
    bool passed;
    bool not_offered; /* nothing was checked: a variant that this device lacks or that needs ADATOM_PRECISION_FP16. Told
                         once for each, with shape and data empty and passed true, and not counted */
    const char *detail; /* on failure: tensor, index, got, wanted, bound, seed, command that repeats it; else "" */
} adatom_check_result;

/* By default every case, seed 0. */
typedef struct adatom_check_params {
    size_t size;
    const char *filter; /* part of "operation/variant/shape"; NULL: all */
    bool quick;         /* only the few small shapes that find most mistakes; a quarter of the time */
    uint64_t seed;      /* of the operands; a case has the same operands whatever else is run */
    void (*report)(void *user, const adatom_check_result *result); /* after each check; NULL: none */
    adatom_progress_callback progress;                             /* CHECKING */
    void *user;
} adatom_check_params;

/* Every operation x variant x shape that this device can run, against double precision, with bounds on the
 * rounding of sums that follow from the number of their terms [Higham, Accuracy and Stability of Numerical Algorithms,
 * 2002, section 3.1].
 * params may be NULL. The numbers of checks and of failed ones are written to *checks and *failures (may be NULL),
 * whatever is returned: OK; CHECK_FAILED if a check failed or an operation cannot be run; USAGE if the filter matches
 * nothing; DEVICE_LOST; OUT_OF_MEMORY; INTERRUPTED between two cases. */
ADATOM_API adatom_status adatom_check_device(adatom_device *device, const adatom_check_params *params, int *checks,
                                             int *failures);

/* ---- timing ------------------------------------------------------------------------------------------------------ */

/* Names of cases say what decides their time. Any values are accepted, not only those of the suites; t1 and m8 may be
 * left out. peak/fp32 fp16 matrix read write copy        multiply-adds, matrix units (half precision, float32 sums),
 * memory peak/launch, peak/submit                     one more operation in a program; one more program run
 *   conv/PASS/PATH/CxOxK[sS]/SIZE/bN[tT][mM][gG] C to O channels, K x K taps, stride S, SIZE x SIZE inputs, N images
 * each of T tasks: composed: forward dx dw, fused (a norm and relu6 follow), fused-add (a residual, too)
 * grouped: G groups of channels: forward dx dw fused        M atoms (8) coefficients-first: forward (product and stage)
 * product stage dpsi du atoms-first: forward (stage and product) product stage dpsi dx; with groups of G channels
 * sum-first atoms-first-fused: forward dx           both stages in one operation, without groups
 *   depthwise/PASS/C/K[sS]/SIZE/bN[tT]           one K x K kernel for each of C channels: forward (a norm and relu6
 * follow) dx dw op/NAME/C/SIZE/bN[tT]
 * affine affine-back affine-sums bn-stats add copy max-pool max-pool-back average-pool average-pool-back
 *   head/NAME/FxW/bN[tT]                         F features, W classes: linear linear-dx linear-dw class-mean row-norm
 * softmax-ce optimiser/sgd, optimiser/adam/COUNT[tT]      COUNT numbers
 *   adapt/METHOD/ARCH[-SHARING]/SIZE/WwSsQq/STEPS[tT]  whole adaptation: METHOD a text of adatom_adapt_kind, way, shot,
 * query; T at once pretrain/ARCH[-SHARING]/SIZE/bN[dD][mM]      whole training steps: batches of N out of D pictures,
 * in M MiB of device memory startup/cold, startup/warm                   device, pipelines and a first episode, without
 * and with the cache of pipelines (drivers may keep caches of their own) */
typedef struct adatom_bench_result {
    size_t size;
    const char *name;
    adatom_bench_status status;
    const char *reason;       /* where not ok; else "" */
    const char *unit;         /* of value: GFLOP/s, GB/s, us, ms, episodes/s or images/s */
    double value;             /* at the median; more is better but for us and ms */
    const char *variant;      /* what ran, e.g. "texel" or "texel+registers" */
    const char *verified;     /* against what, e.g. "double precision, b1"; "" where nothing is computed */
    const char *timer;        /* "device" (timestamps) or "wall" */
    const double *samples_ns; /* of one run, one episode or one image, after the warm-up */
    int sample_count;
    double min_ns, median_ns, p95_ns;
    double gflop, gbyte; /* of one run: work, least traffic; 0: not counted */
    double gflops, gbytes_per_s;
    double share_of_peak;     /* of the measured multiply-add rate; 0: not known */
    double share_of_memory;   /* of the measured memory rate; above 1 where caches serve it */
    double share_of_roofline; /* least time by both rates / median */
    /* Convolutions on the CPU engine: of OpenBLAS's rate on the equal matrix product. 0 where libopenblas.so.0 cannot
     * be loaded (Debian's package libopenblas0), of which a warning tells. */
    double share_of_sgemm;
    double episodes_per_s, images_per_s; /* of adapt and pretrain; else 0 */
    double arena_bytes;                  /* device memory of their arenas */
    int tasks_at_once;                   /* of adapt; else 0 */
} adatom_bench_result;

typedef struct adatom_bench_params {
    size_t size;
    adatom_suite suite;
    /* Each is the full name of a case, which is then made, or part of the names of the suite's cases. Count 0: the
     * whole suite. The peaks are measured first in any case. */
    const char *const *filters;
    size_t filter_count;
    int tasks_at_once; /* of adapt where the name doesn't say; 0: as many as the library would take */
    uint64_t seed;     /* of operands and episodes */
    double seconds; /* for the whole; cases that would end later are skipped. 0: 40 (quick), 600 (scaling), 3600 (full),
                       and no limit for cases asked for by their full names, which are also measured longer than those
                       of the quick suite */
    const char *select; /* for start-up cases: the device as given to adatom_device_open(); NULL: they are skipped */
    const char *temporary_dir; /* where pretrain and warm start-up cases make a folder for their files, which is
                                  removed; NULL: /tmp */
    void (*report)(void *user,
                   const adatom_bench_result *result); /* after each case; its texts are valid during the call only */
    adatom_progress_callback progress;                 /* TIMING */
    void *user;
} adatom_bench_params;

/* Verifies and times the cases. A kernel case is first checked like adatom_check_device() on its shape with one image,
 * whole adaptation and training on the shapes of their networks' convolutions (larger ones cut to 12x12, which is said
 * in `verified`). *errors (may be NULL): cases that ended in error. OK also when there are such; USAGE: a filter that
 * is no case and part of none; INTERRUPTED; DEVICE_LOST; OUT_OF_MEMORY. params may be NULL. */
ADATOM_EXPERIMENTAL ADATOM_API adatom_status adatom_bench_device(adatom_device *device,
                                                                 const adatom_bench_params *params, int *errors);

/* Compares two sets of samples (durations; n >= 1 each) by their spread. Returns 1 if the new ones are slower, -1 if
 * they are faster, 0 if the difference may be noise. Slower means both
 *   - the median grew by more than 5 % and by more than three standard deviations, estimated from the samples below
 * each median (1.4826 times their median distance from it, both sets added as variances): more than the spread
 * explains;
 *   - even the fastest new sample is slower than the old median: load from elsewhere slows some samples, slower code
 * slows all. Faster is the same with the sets exchanged. All samples count but NANs; 0 with a *ratio of NAN where a set
 * has no other. *ratio (may be NULL): new median / old median. */
ADATOM_API int adatom_bench_compare(const double *old_samples, size_t old_count, const double *new_samples,
                                    size_t new_count, double *ratio);

/* One class of operations the tuner looked at; valid during the callback. */
typedef struct adatom_tune_result {
    size_t size;
    const char *operation, *shape;
    const char *before, *best; /* variants: what ran without tuning, and the fastest that passed the check */
    double before_ns, best_ns;
    int candidates, failed; /* variants that apply; those that failed the check */
} adatom_tune_result;

typedef struct adatom_tune_params {
    size_t size;
    const char *arch; /* of the network, as in adatom_model_params */
    adatom_sharing sharing;
    int image_size;       /* 0: 84 */
    int way, shot, query; /* 0: 5, 5, 15 */
    int tasks_at_once;    /* 0: 4 */
    double seconds;       /* no operation is begun later; 0: 60 */
    void (*report)(void *user, const adatom_tune_result *result);
    adatom_progress_callback progress; /* TUNING */
    void *user;
} adatom_tune_params;

/* For each class of operations (kind, shape, work within a factor of two) of adapting atoms, of fine-tuning everything
 * and of evaluation: checks the variants that apply against double precision, times those that passed, and prefers the
 * fastest from then on; with a cache folder also in later runs on the same device, driver and shaders. The library
 * never tunes unasked. *tuned (may be NULL): classes looked at. params may be NULL. */
ADATOM_EXPERIMENTAL ADATOM_API adatom_status adatom_tune_device(adatom_device *device, const adatom_tune_params *params,
                                                                int *tuned);

#ifdef __cplusplus
}
#endif
#endif

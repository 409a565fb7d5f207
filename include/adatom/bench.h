/* Checks and times kernels on a device. Nothing here makes an object. */
#ifndef ADATOM_BENCH_H
#define ADATOM_BENCH_H

#include <adatom/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The result of one check: of an operation in a variant, with a shape and one kind of operands. Valid during the
 * callback only. */
typedef struct adatom_check_result {
    size_t size;
    const char *operation, *variant; /* names; a variant is a kernel */
    /* E.g. "t2 n3 h7 w7 c8 o12 k3 s2 p1 d1 shared-w": tasks, images, sizes, channels, kernel, stride, padding, dilation
     * ... */
    const char *shape;
    /* The operands. "integers": results must be equal, as sums are exact; "reals": within the bound; "repeat": the same
     * bytes. */
    const char *data;
    bool passed; /* the check did not fail */
    /* True: nothing was checked, since this device lacks the variant or the variant needs ADATOM_PRECISION_FP16. It is
     * told once for each variant, with shape and data "" and passed true, and not counted. */
    bool not_offered;
    /* Of a failure: tensor, index, result, expected result, bound, seed, and the command that repeats it; else "". */
    const char *detail;
} adatom_check_result;

/* Which checks to run. By default all, with seed 0. */
typedef struct adatom_check_params {
    size_t size;
    const char *filter; /* only checks whose "operation/variant/shape" contains this text; NULL: all */
    bool quick;         /* only the few small shapes that find most mistakes, in a quarter of the time */
    uint64_t seed;      /* of the operands, which do not depend on the other checks of the run */
    void (*report)(void *user, const adatom_check_result *result); /* called after each check; NULL: not */
    adatom_progress_callback progress;                             /* phase CHECKING; may be NULL */
    void *user;
} adatom_check_params;

/* Checks every operation, variant and shape that this device can run against a reference in double precision. The
 * bounds follow from the number of terms of each sum [Higham, Accuracy and Stability of Numerical Algorithms, 2002,
 * section 3.1]. params may be NULL. The numbers of checks and of failed ones are written to *checks and *failures
 * (either may be NULL), whatever is returned. CHECK_FAILED: a check failed, or no variant can run an operation; USAGE:
 * the filter matches nothing; INTERRUPTED comes between two cases. */
ADATOM_API adatom_status adatom_check_device(adatom_device *device, const adatom_check_params *params, int *checks,
                                             int *failures);

/* ---- timing ------------------------------------------------------------------------------------------------------ */

/* The result of one case; valid during the callback only.
 *
 * A case's name says what decides its time. Any values may stand in it, not only those of the suites. Parts in
 * brackets may be left out (tT and mM: 1 and 8). A d before a letter stands for its gradient.
 *   peak/fp32, peak/fp16, peak/matrix    multiply-adds in float32, in half precision, and by matrix units (half
 *                                        precision, float32 sums)
 *   peak/read, peak/write, peak/copy     memory
 *   peak/launch, peak/submit             one more operation in a program; one more program run
 *   conv/PASS/PATH/CxOxK[sS]/SIZE/bN[tT][mM][gG]
 *                                        C to O channels, K x K taps, stride S, SIZE x SIZE inputs, N images for each
 *                                        of T tasks, M atoms, G channels in a group. PATH and its PASSes:
 *     composed                           forward, dx, dw, fused (a norm and relu6 follow), fused-add (a residual sum,
 *                                        too)
 *     grouped                            forward, dx, dw, fused: G groups of channels that see only each other
 *     coefficients-first                 forward (product, then stage), product, stage, dpsi, du
 *     atoms-first                        forward (stage, then product), product, stage, dpsi, dx; with groups sum-first
 *     atoms-first-fused                  forward, dx: both stages in one operation; not with groups
 *   depthwise/PASS/C/K[sS]/SIZE/bN[tT]   C channels, K x K taps, stride S: forward (with a norm and relu6), dx, dw
 *   op/NAME/C/SIZE/bN[tT]                affine, affine-back, affine-sums (each also with another activation than relu:
 *                                        affine-gelu), bn-stats, add, blend, copy, mix, drop-mask, drop-apply,
 *                                        max-pool, max-pool-back, average-pool, average-pool-back, layer-norm,
 *                                        layer-norm-back, layer-norm-sums, channel-scale, channel-scale-back
 *   head/NAME/FxW/bN[tT]                 F features, W classes: linear, linear-dx, linear-dw, class-mean,
 *                                        class-mean-back, mean-head, mean-head-back, row-norm, softmax-ce,
 *                                        softmax-ce-soft (of mixed pictures, with a teacher)
 *   optimiser/sgd/COUNT[tT]              COUNT numbers; the same for optimiser/adam and optimiser/task-sum
 *   adapt/METHOD/ARCH[-SHARING]/SIZE/WwSsQq/STEPS[tT]
 *                                        whole adaptation: METHOD is a text of adatom_adapt_kind; W classes, S shots,
 *                                        Q queries; T tasks at once
 *   pretrain/ARCH[-SHARING]/SIZE/bN[dD][mM]
 *                                        whole training steps: batches of N of D pictures, in M MiB of device memory
 *   infer/ARCH[-SHARING]/SIZE/bN         classifying N pictures at a time (1000 classes; ordinary kernels unless
 * SHARING says otherwise) startup/cold, startup/warm           opening the device, making pipelines and adapting to a
 * first episode, without and with the cache of pipelines (drivers may have caches of their own) */
typedef struct adatom_bench_result {
    size_t size;
    const char *name;           /* full name of the case */
    adatom_bench_status status; /* if it is not ok, all numbers are 0 */
    const char *reason;         /* why the case is not ok; else "" */
    const char *unit;           /* of value: "GFLOP/s", "GB/s", "us", "ms", "episodes/s" or "images/s" */
    double value;               /* from the median; larger is better, but for us and ms */
    const char *variant;        /* which kernel variant ran, e.g. "texel" or "texel+registers" */
    const char *verified;       /* what it was checked against, e.g. "double precision, b1"; "": nothing is computed */
    const char *timer;          /* "device" (timestamps) or "wall" */
    const double *samples_ns;   /* [sample_count] times of one run, one episode or one image, after the warm-up */
    int sample_count;
    double min_ns, median_ns, p95_ns; /* of the samples: least, median and 95th percentile, ns */
    double gflop, gbyte;         /* of one run: 1e9 operations; least memory traffic in 1e9 bytes; 0: not counted */
    double gflops, gbytes_per_s; /* gflop and gbyte divided by the median */
    double share_of_peak;        /* gflops divided by the measured peak; 0: not known */
    double share_of_memory;      /* gbytes_per_s divided by the measured memory rate; above 1 where caches help */
    double share_of_roofline;    /* the least time that both rates allow, divided by the median */
    /* Convolutions on the CPU engine: gflops divided by OpenBLAS's rate on the equal matrix product. 0:
     * libopenblas.so.0 cannot be loaded (Debian's package libopenblas0), which a warning in the log tells. */
    double share_of_sgemm;
    double episodes_per_s, images_per_s; /* of adapt, pretrain and infer cases; else 0 */
    double arena_bytes;                  /* of adapt and pretrain cases: bytes of device memory for tensors */
    int tasks_at_once;                   /* of adapt cases; else 0 */
} adatom_bench_result;

typedef struct adatom_bench_params {
    size_t size;
    adatom_suite suite; /* the cases to run */
    /* [filter_count] texts. Each is the full name of a case, which is then run even if it is in no suite, or a part of
     * the names of the suite's cases. Count 0: the whole suite. The peaks are always measured first. */
    const char *const *filters;
    size_t filter_count;
    int tasks_at_once; /* of adapt cases whose names do not say; 0: as many as the library would take */
    uint64_t seed;     /* of operands and episodes */
    /* Time for all cases together; cases that would end later are skipped. 0: 40 (quick), 600 (scaling) or 3600 (full),
     * and no limit for cases that are asked for by their full names, which are also measured longer than those of the
     * quick suite. */
    double seconds;
    /* For start-up cases: the device, as for adatom_device_open(); NULL: start-up cases are skipped. */
    const char *select;
    /* Where pretrain and warm start-up cases make a folder for their files, which is removed; NULL: "/tmp". */
    const char *temporary_dir;
    /* Called after each case; NULL: not. */
    void (*report)(void *user, const adatom_bench_result *result);
    adatom_progress_callback progress; /* phase TIMING; may be NULL */
    void *user;
} adatom_bench_params;

/* Checks and times the cases. A kernel case is first checked as by adatom_check_device(), with its shape and one image;
 * cases of whole adaptation, training and classifying with the shapes of their networks' convolutions (larger ones are
 * cut to 12x12, which `verified` tells). *errors (may be NULL): how many cases ended in error; OK is also returned if
 * there are some. USAGE: a filter is neither a case nor a part of one's name. params may be NULL. */
ADATOM_EXPERIMENTAL ADATOM_API adatom_status adatom_bench_device(adatom_device *device,
                                                                 const adatom_bench_params *params, int *errors);

/* Writes the name and version of the BLAS that convolutions of the CPU engine are compared with, e.g. "OpenBLAS
 * 0.3.21", into a buffer of `capacity` bytes. It is loaded for that, and stays so with the threads that it starts.
 * UNSUPPORTED, with "" and a message that names the package: there is none. */
ADATOM_EXPERIMENTAL ADATOM_API adatom_status adatom_bench_blas(adatom_context *context, char *out, size_t capacity);

/* Compares two sets of durations, of one or more samples each, by their spread. Returns 1 if the new ones are slower,
 * -1 if they are faster, 0 if the difference may be noise. Slower means both
 *   - the median grew by more than 5 % and by more than three standard deviations, estimated from the samples below
 *     each median (1.4826 times their median distance from it; the variances of both sets are added);
 *   - even the fastest new sample is slower than the old median: other load slows some samples, slower code all.
 *
 * Faster is the same with the sets exchanged. Samples that are NaN are ignored; if a set has no others, the result is
 * 0 and *ratio NaN. *ratio (may be NULL): new median / old median. Any thread. */
ADATOM_API int adatom_bench_compare(const double *old_samples, size_t old_count, const double *new_samples,
                                    size_t new_count, double *ratio);

/* The result for one class of operations; valid during the callback only. */
typedef struct adatom_tune_result {
    size_t size;
    const char *operation, *shape; /* the operation, and the shape that stands for the class */
    const char *before, *best; /* variants: the one that runs without tuning, and the fastest that passed the check */
    double before_ns, best_ns; /* ns of one run by each of them */
    int candidates, failed;    /* how many variants apply, and how many of them failed the check */
} adatom_tune_result;

typedef struct adatom_tune_params {
    size_t size;
    const char *arch;       /* architecture of the network, as in adatom_model_params */
    adatom_sharing sharing; /* what shares coefficients; default: net */
    int image_size;         /* its square input in pixels; 0: 84 */
    int way, shot, query;   /* sizes of an episode; 0: 5, 5, 15 */
    int tasks_at_once;      /* episodes that adapt at the same time; 0: 4 */
    double seconds;         /* no operation is begun after this time; 0: 60 */
    void (*report)(void *user, const adatom_tune_result *result); /* called after each class; NULL: not */
    adatom_progress_callback progress;                            /* phase TUNING; may be NULL */
    void *user;
} adatom_tune_params;

/* Tunes the kernels that adapting atoms, training everything and evaluation use with a network and a size of episodes.
 * For each class of operations (kind, shape, work within a factor of two) it checks the variants that apply against
 * double precision, times those that passed, and prefers the fastest from then on; if the device has a cache folder,
 * also in later runs with the same device, driver and shaders. The library never tunes unasked. *tuned (may be NULL):
 * how many classes were timed. params may be NULL. UNSUPPORTED: the CPU engine, which has nothing to tune. */
ADATOM_EXPERIMENTAL ADATOM_API adatom_status adatom_tune_device(adatom_device *device, const adatom_tune_params *params,
                                                                int *tuned);

#ifdef __cplusplus
}
#endif
#endif

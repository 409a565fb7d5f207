/* What the files of the benchmark share: cases by name, timing, peaks. include/adatom/bench.h is the manual. */
#ifndef AD_BENCH_BENCH_H
#define AD_BENCH_BENCH_H

#include "verify/case_list.h"
#include "device/device.h"
#include <adatom/bench.h>

enum { AD_BENCH_MAX_SAMPLES = 101 };

typedef enum ad_bench_kind {
    AD_BENCH_PEAK,
    AD_BENCH_KERNEL,
    AD_BENCH_ADAPT,
    AD_BENCH_PRETRAIN,
    AD_BENCH_INFER,
    AD_BENCH_STARTUP
} ad_bench_kind;

/* A case read from its name. */
typedef struct ad_bench_case {
    char name[128];
    ad_bench_kind kind;
    int peak;         /* PEAK: ad_probe_kind, or one of: */
    ad_case steps[2]; /* KERNEL: one operation, or two of which the second's role 0 is the first's output */
    int step_count;
    char method[32], arch[32], sharing[32]; /* ADAPT, PRETRAIN, INFER */
    int size, way, shot, query, optimiser_steps, tasks, batch;
    int pictures, memory_mib; /* PRETRAIN; 0: as many as are needed, no limit */
    bool warm;                /* STARTUP */
} ad_bench_case;
enum { AD_BENCH_LAUNCH = AD_PROBE_SGEMM + 1, AD_BENCH_SUBMIT };

/* False: the text is no full name of a case. */
bool ad_bench_parse(const char *name, ad_bench_case *out);
/* The names of a suite, NULL-ended; NULL: no such suite. */
const char *const *ad_bench_suite(const char *suite);

typedef struct ad_bench {
    adatom_device *device;
    adatom_context *ctx;
    ad_engine *engine;
    adatom_bench_params params;
    double deadline;      /* ad_seconds() */
    bool brief;           /* little time for a case: every suite but full */
    bool without_sgemm;   /* there is nothing to compare convolutions with */
    double flops, bytes;  /* measured peaks a second; 0: unknown */
    uint64_t done;        /* cases */
    uint64_t verified[8]; /* networks whose convolutions were checked in this run (hashes) */
    int verified_count;
} ad_bench;

/* A result with room for what its pointers point at. */
typedef struct ad_bench_record {
    adatom_bench_result result;
    char reason[400], variant[80], verified[80];
    double samples[AD_BENCH_MAX_SAMPLES];
} ad_bench_record;

/* Runs once and adds what one run took. */
typedef adatom_status (*ad_bench_run)(void *user, double *ns);
/* Warm-up until three runs in a row are within 3 % (or its share of the time is used up), then at least 5 samples, more
 * while there is time. UNSUPPORTED (ad_bench_late) when the deadline doesn't allow five runs. */
adatom_status ad_bench_sample(ad_bench *b, ad_bench_run run, void *user, ad_bench_record *out);
/* Fills min, median and p95 from the samples. */
void ad_bench_statistics(adatom_bench_result *result);
double ad_bench_median(const double *samples, size_t count);
/* What one case may use of the time, in seconds. */
double ad_bench_budget(const ad_bench *b);
/* UNSUPPORTED with a message that begins "skipped" if that many seconds are not left. */
adatom_status ad_bench_late(ad_bench *b, double needed);

/* One family of cases each. They fill everything but name, status and what ad_bench_rates derives. */
adatom_status ad_bench_peak(ad_bench *b, const ad_bench_case *c, ad_bench_record *out);
adatom_status ad_bench_kernel(ad_bench *b, const ad_bench_case *c, ad_bench_record *out);
adatom_status ad_bench_adapt(ad_bench *b, const ad_bench_case *c, ad_bench_record *out);
adatom_status ad_bench_pretrain(ad_bench *b, const ad_bench_case *c, ad_bench_record *out);
adatom_status ad_bench_infer(ad_bench *b, const ad_bench_case *c, ad_bench_record *out);
adatom_status ad_bench_startup(ad_bench *b, const ad_bench_case *c, ad_bench_record *out);
#endif

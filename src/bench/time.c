/* Samples and what is said of them. */
#include "bench/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_SAMPLES = 5, STABLE_RUNS = 3 };
#define STABLE_WITHIN 0.03

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between the neighbours; q in 0..1. sorted. */
static double quantile(const double *sorted, size_t count, double q) {
    const double at = q * (double)(count - 1);
    const size_t low = (size_t)at, high = AD_MIN(low + 1, count - 1);
    return sorted[low] + (at - (double)low) * (sorted[high] - sorted[low]);
}

/* All samples but those that are no numbers. NAN: there are none, or no memory to sort them in. */
double ad_bench_median(const double *samples, size_t count) {
    double few[AD_BENCH_MAX_SAMPLES] = {0},
           *sorted = count <= AD_COUNT(few) ? few : ad_malloc(NULL, count, sizeof *sorted);
    size_t numbers = 0;
    for (size_t i = 0; sorted && i < count; i++)
        if (!isnan(samples[i])) sorted[numbers++] = samples[i];
    if (numbers) qsort(sorted, numbers, sizeof *sorted, ascending);
    const double median = numbers ? quantile(sorted, numbers, 0.5) : NAN;
    if (sorted != few) ad_free(sorted);
    return median;
}

void ad_bench_statistics(adatom_bench_result *result) {
    double sorted[AD_BENCH_MAX_SAMPLES];
    const size_t count = (size_t)result->sample_count;
    if (!count) return;
    memcpy(sorted, result->samples_ns, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, ascending);
    result->min_ns = sorted[0];
    result->median_ns = quantile(sorted, count, 0.5);
    result->p95_ns = quantile(sorted, count, 0.95);
}

/* 1.4826 times the median distance of the samples below the median from it: the standard deviation, were the samples
 * normal. Other load only ever adds time, so the lower half shows the noise of the thing itself, and outliers don't
 * count. */
static double deviation(const double *samples, size_t count, double median) {
    double few[AD_BENCH_MAX_SAMPLES] = {0},
           *distances = count <= AD_COUNT(few) ? few : ad_malloc(NULL, count, sizeof *distances);
    size_t below = 0;
    for (size_t i = 0; distances && i < count; i++)
        if (samples[i] <= median) distances[below++] = median - samples[i];
    const double found = 1.4826 * ad_bench_median(distances, below);
    if (distances != few) ad_free(distances);
    return found;
}

static double least(const double *samples, size_t count) {
    double minimum = INFINITY;
    for (size_t i = 0; i < count; i++)
        if (samples[i] < minimum) minimum = samples[i];
    return minimum;
}

int adatom_bench_compare(const double *old_samples, size_t old_count, const double *new_samples, size_t new_count,
                         double *ratio) {
    const double before = ad_bench_median(old_samples, old_count), after = ad_bench_median(new_samples, new_count);
    const double noise = 3 * hypot(deviation(old_samples, old_count, before), deviation(new_samples, new_count, after));
    if (ratio) *ratio = after / before;
    if (!(before > 0) || !(after > 0) || isnan(noise)) return 0; /* nothing can be said */
    if (after - before > AD_MAX(noise, 0.05 * before) && least(new_samples, new_count) > before) return 1;
    if (before - after > AD_MAX(noise, 0.05 * after) && least(old_samples, old_count) > after) return -1;
    return 0;
}

double ad_bench_budget(const ad_bench *b) { return b->brief ? 0.4 : 2; }

adatom_status ad_bench_late(ad_bench *b, double needed) {
    const double left = b->deadline - ad_seconds();
    if (needed <= left) return ADATOM_OK;
    if (left <= 0) return ad_fail(b->ctx, ADATOM_UNSUPPORTED, "skipped: the time allowed is used up");
    return ad_fail(b->ctx, ADATOM_UNSUPPORTED, "skipped: it would take %.1f s, and %.1f s are left of the time allowed",
                   needed, left);
}

static bool stable(const double *latest, int count) {
    if (count < STABLE_RUNS) return false;
    double low = latest[0], high = latest[0];
    for (int i = 1; i < STABLE_RUNS; i++) {
        low = AD_MIN(low, latest[i]);
        high = AD_MAX(high, latest[i]);
    }
    return high <= low * (1 + STABLE_WITHIN);
}

adatom_status ad_bench_sample(ad_bench *b, ad_bench_run run, void *user, ad_bench_record *out) {
    adatom_status status = ADATOM_OK;
    adatom_bench_result *r = &out->result;
    double latest[STABLE_RUNS] = {0};
    double began = ad_seconds();
    /* The first run touches memory and compiles; what it took says little but bounds what follows. */
    AD_TRY(run(user, &latest[0]));
    AD_TRY(ad_bench_late(b, LEAST_SAMPLES * AD_MIN(latest[0] * 1e-9, ad_seconds() - began)));
    began = ad_seconds();
    for (int i = 1; !stable(latest, i) && ad_seconds() - began < ad_bench_budget(b) / 2; i++) {
        AD_TRY(ad_interrupted(b->ctx));
        AD_TRY(run(user, &latest[i % STABLE_RUNS]));
    }
    began = ad_seconds();
    r->samples_ns = out->samples;
    for (r->sample_count = 0; r->sample_count < AD_BENCH_MAX_SAMPLES; r->sample_count++) {
        const double now = ad_seconds();
        if (r->sample_count >= LEAST_SAMPLES && (now - began > ad_bench_budget(b) || now > b->deadline)) break;
        AD_TRY(ad_interrupted(b->ctx));
        AD_TRY(run(user, &out->samples[r->sample_count]));
    }
done:
    return status;
}

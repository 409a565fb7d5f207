#include <adatom/adapter.h>

#include <math.h>

/* P(|T| <= t) of Student's distribution with v degrees of freedom: the finite series for whole v, Abramowitz &
 * Stegun 26.7.3 and 26.7.4, with theta = atan(t/sqrt(v)). */
static double student_within(double t, size_t v) {
    const double theta = atan(t / sqrt((double)v)), cosine = cos(theta), square = cosine * cosine;
    double sum = 0, term = v % 2 ? cosine : 1;
    for (size_t j = v % 2 ? 3 : 2; j <= v; j += 2) {
        sum += term;
        term *= square * (double)(j - 1) / (double)j;
    }
    return v % 2 ? 0.63661977236758134 * (theta + sin(theta) * sum) : sin(theta) * sum;
}

/* The t with P(|T| <= t) = 0.95, by bisection between the limits of infinitely many and of one degree of freedom. */
static double student_95(size_t v) {
    double low = 1.95, high = 12.71;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (student_within(middle, v) < 0.95)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

static double difference(const float *a, const float *b, size_t i) { return (double)a[i] - (b ? (double)b[i] : 0); }

void adatom_mean_interval(const float *a, const float *b, size_t n, double *mean, double *ci95) {
    double sum = 0, squares = 0;
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        const double one = difference(a, b, i);
        if (isnan(one)) continue;
        sum += one;
        known++;
    }
    *mean = known ? sum / (double)known : (double)NAN;
    *ci95 = known ? (double)INFINITY : (double)NAN;
    if (known < 2) return;
    for (size_t i = 0; i < n; i++) {
        const double deviation = difference(a, b, i) - *mean;
        if (!isnan(deviation)) squares += deviation * deviation;
    }
    *ci95 = student_95(known - 1) * sqrt(squares / (double)(known - 1) / (double)known);
}

void adatom_wilson_interval(uint64_t successes, uint64_t trials, double *low, double *high) {
    const double n = (double)trials, p = n > 0 ? (double)successes / n : 0.5, z = 1.959963984540054, z2 = z * z;
    if (trials == 0) {
        *low = 0;
        *high = 1;
        return;
    }
    const double middle = p + z2 / (2 * n), half = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)), scale = 1 + z2 / n;
    /* The bounds of none and of all are exactly 0 and 1; rounding may miss them. */
    *low = successes == 0 ? 0 : (middle - half) / scale;
    *high = successes == trials ? 1 : (middle + half) / scale;
}

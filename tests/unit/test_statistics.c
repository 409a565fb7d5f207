#include "tests/run_suite.h"

#include <adatom/adapter.h>
#include <math.h>

/* Two values at +-1 around the mean, repeated: the standard error is known, so that ci95 gives the t quantile. */
static double quantile(size_t pairs, double *mean) {
    static float values[2000];
    for (size_t i = 0; i < 2 * pairs; i++) values[i] = i % 2 ? 3.0f : 1.0f;
    double ci95 = 0;
    adatom_mean_interval(values, NULL, 2 * pairs, mean, &ci95);
    const double n = 2.0 * (double)pairs;
    return ci95 / sqrt(n / (n - 1) / n);
}

START_TEST(test_student_quantiles) {
    /* t(0.975, v): v = 1 is tan(0.475 pi); the others by numerical integration of the density. */
    static const struct {
        size_t pairs;
        double t;
    } known[] = {{1, 12.706204736174707}, {2, 3.1824463053},  {3, 2.5705818356},
                 {15, 2.0452296421},      {50, 1.9842169516}, {300, 1.9639322489}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        double mean = 0, t = quantile(known[i].pairs, &mean);
        ck_assert_double_eq(mean, 2);
        ck_assert_double_eq_tol(t, known[i].t, 1e-9);
    }
}
END_TEST

START_TEST(test_even_degrees) {
    const float values[] = {1, 2, 3}; /* standard error 1/sqrt(3), t(0.975, 2) = 0.95 sqrt(2 / (1 - 0.95^2)) */
    double mean = 0, ci95 = 0;
    adatom_mean_interval(values, NULL, 3, &mean, &ci95);
    ck_assert_double_eq(mean, 2);
    ck_assert_double_eq_tol(ci95 * sqrt(3), 0.95 * sqrt(2 / (1 - 0.95 * 0.95)), 1e-12);
}
END_TEST

START_TEST(test_paired_difference) {
    const float a[] = {0.5f, 0.75f, 1.0f, 0.25f}, b[] = {0.25f, 0.5f, 0.75f, 0.0f};
    double mean = 0, ci95 = -1;
    adatom_mean_interval(a, b, 4, &mean, &ci95);
    ck_assert_double_eq(mean, 0.25);
    ck_assert_double_eq(ci95, 0); /* always the same difference */
    adatom_mean_interval(b, a, 4, &mean, &ci95);
    ck_assert_double_eq(mean, -0.25);
}
END_TEST

START_TEST(test_single_value) {
    const float value = 0.5f;
    double mean = 0, ci95 = 0;
    adatom_mean_interval(&value, NULL, 1, &mean, &ci95);
    ck_assert_double_eq(mean, 0.5);
    ck_assert(isinf(ci95) && ci95 > 0);
}
END_TEST

START_TEST(test_wilson) {
    /* The bounds are the p where |p - right/n| is 1.96 standard errors of p itself. */
    static const struct { uint64_t right, n; } cases[] = {{13, 25}, {0, 25}, {25, 25}, {1, 1}, {81, 263}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double n = (double)cases[i].n, p = (double)cases[i].right / n;
        double low, high;
        adatom_wilson_interval(cases[i].right, cases[i].n, &low, &high);
        ck_assert(low >= 0 && low <= p && p <= high && high <= 1);
        if (cases[i].right > 0) ck_assert_double_eq_tol((p - low) / sqrt(low * (1 - low) / n), 1.959963984540054, 1e-9);
        if (cases[i].right < cases[i].n)
            ck_assert_double_eq_tol((high - p) / sqrt(high * (1 - high) / n), 1.959963984540054, 1e-9);
    }
    double low, high;
    adatom_wilson_interval(0, 0, &low, &high);
    ck_assert(low == 0 && high == 1);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("statistics");
    tcase_add_test(tests, test_student_quantiles);
    tcase_add_test(tests, test_even_degrees);
    tcase_add_test(tests, test_paired_difference);
    tcase_add_test(tests, test_single_value);
    tcase_add_test(tests, test_wilson);
    Suite *suite = suite_create("statistics");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

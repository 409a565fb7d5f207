/* Heads that are solved on the host: their own properties, and as methods. What scikit-learn says is in
 * tests/e2e/test_heads.py. */
#include "fewshot/heads/solver.h"
#include "net/network.h"
#include "tests/choices.h"
#include "tests/shapes_fixture.h"

#include <adatom/adapter.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WAY = 4, SHOT = 3, SUPPORTS = WAY * SHOT, QUERIES = 9, ROWS = SUPPORTS + QUERIES, FEATURES = 33 };

typedef struct fixture {
    float table[ROWS * FEATURES];
    int32_t rows[ROWS], labels[SUPPORTS];
} fixture;

static fixture make(void) {
    fixture f;
    ad_random random = ad_random_make(3, AD_STREAM_CHECK, 0);
    for (int i = 0; i < ROWS; i++) {
        f.rows[i] = i;
        if (i < SUPPORTS) f.labels[i] = i % WAY; /* in no order */
        for (int e = 0; e < FEATURES; e++)
            f.table[i * FEATURES + e] = ad_random_normal(&random) + (e % WAY == i % WAY ? 1.0f : 0.0f);
    }
    return f;
}

static ad_solver_settings settings_of(int solver) {
    return (ad_solver_settings){.solver = (ad_solver)solver, .inverse_penalty = 1, .neighbours = 5};
}

static void solve(const fixture *f, const ad_solver_settings *s, int supports, double *out) {
    static float centre[FEATURES]; /* zeros: the other solvers know none */
    const ad_solver_task task = {.table = f->table,
                                 .centre = centre,
                                 .features = FEATURES,
                                 .way = WAY,
                                 .supports = supports,
                                 .queries = QUERIES,
                                 .support = f->rows,
                                 .query = f->rows + SUPPORTS,
                                 .labels = f->labels};
    const size_t count = ad_solver_scratch(s, &task);
    double *scratch = malloc((count + 1) * sizeof *scratch);
    for (size_t i = 0; i < count; i++) scratch[i] = NAN; /* nothing is read before it is written */
    scratch[count] = 1234;
    for (int i = 0; i < QUERIES * WAY; i++) out[i] = NAN;
    ad_solve(s, &task, scratch, out);
    ck_assert_msg(scratch[count] == 1234.0, "more scratch than asked for");
    free(scratch);
}

/* Probabilities; the same whatever the scale of the features and the order of the supports; those of query 0 alone are
 * the same as beside others, but for the transductive one. */
START_TEST(probabilities) {
    const ad_solver_settings s = settings_of(_i);
    fixture f = make(), scaled = f, turned = f;
    double p[QUERIES * WAY], other[QUERIES * WAY];
    solve(&f, &s, SUPPORTS, p);
    int right = 0;
    for (int q = 0; q < QUERIES; q++) {
        double sum = 0;
        for (int k = 0; k < WAY; k++) sum += exp(p[q * WAY + k]);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        int best = 0;
        for (int k = 1; k < WAY; k++)
            if (p[q * WAY + k] > p[q * WAY + best]) best = k;
        right += best == (SUPPORTS + q) % WAY;
    }
    ck_assert_int_ge(right, 6);
    for (int i = 0; i < ROWS * FEATURES; i++) scaled.table[i] *= 64;
    for (int i = 0; i < SUPPORTS; i++) {
        turned.rows[i] = f.rows[SUPPORTS - 1 - i];
        turned.labels[i] = f.labels[SUPPORTS - 1 - i];
    }
    solve(&scaled, &s, SUPPORTS, other);
    for (int i = 0; i < QUERIES * WAY; i++) ck_assert(p[i] == other[i] || fabs(exp(p[i]) - exp(other[i])) < 1e-9);
    solve(&turned, &s, SUPPORTS, other);
    for (int i = 0; i < QUERIES * WAY; i++) ck_assert(p[i] == other[i] || fabs(exp(p[i]) - exp(other[i])) < 1e-9);
    memcpy(turned.table, f.table, sizeof f.table);
    turned = f;
    for (int i = (SUPPORTS + 1) * FEATURES; i < ROWS * FEATURES; i++) turned.table[i] = -turned.table[i];
    solve(&turned, &s, SUPPORTS, other);
    double most = 0;
    for (int k = 0; k < WAY; k++) most = fmax(most, fabs(exp(p[k]) - exp(other[k])));
    ck_assert_msg(_i == AD_SOLVER_RECTIFIED ? most > 1e-6 : most < 1e-12, "query 0 is off by %g beside others", most);
}
END_TEST

/* One support a class, the same picture several times, features of zeros: still probabilities. */
START_TEST(degenerate) {
    ad_solver_settings s = settings_of(_i);
    fixture f = make();
    double p[QUERIES * WAY];
    for (int turn = 0; turn < 4; turn++) {
        if (turn == 1) memcpy(f.table + WAY * FEATURES, f.table, WAY * FEATURES * sizeof(float));
        if (turn == 2) memset(f.table, 0, FEATURES * sizeof(float));
        if (turn == 3) memset(f.table + SUPPORTS * FEATURES, 0, FEATURES * sizeof(float));
        for (int supports = WAY; supports <= SUPPORTS; supports += WAY) {
            solve(&f, &s, supports, p);
            for (int i = 0; i < QUERIES * WAY; i++) ck_assert_msg(!isnan(p[i]), "turn %d, %d supports", turn, supports);
        }
    }
    s.shrinkage = 1e-30; /* as good as none */
    solve(&f, &s, SUPPORTS, p);
    for (int i = 0; i < QUERIES * WAY; i++) ck_assert(!isnan(p[i]));
    f.table[3] = NAN; /* of a support: nothing can be said */
    solve(&f, &s, SUPPORTS, p);
    int numbers = 0;
    for (int i = 0; i < QUERIES * WAY; i++) numbers += !isnan(p[i]);
    ck_assert_msg(_i == AD_SOLVER_NEIGHBOURS || numbers == 0, "%d numbers of no number", numbers);
}
END_TEST

/* Without shrinkage towards I the discriminant sees what correlates; with all of it only the class means. */
START_TEST(shrunk_to_means) {
    ad_solver_settings s = settings_of(AD_SOLVER_DISCRIMINANT);
    fixture f = make();
    double p[QUERIES * WAY], centre[WAY][FEATURES] = {{0}};
    s.shrinkage = 1;
    solve(&f, &s, SUPPORTS, p);
    for (int i = 0; i < SUPPORTS; i++)
        for (int e = 0; e < FEATURES; e++) centre[f.labels[i]][e] += (double)f.table[i * FEATURES + e] / SHOT;
    for (int q = 0; q < QUERIES; q++) {
        int nearest = 0, best = 0;
        double least = INFINITY;
        for (int k = 0; k < WAY; k++) {
            double distance = 0;
            for (int e = 0; e < FEATURES; e++)
                distance += pow((double)f.table[(SUPPORTS + q) * FEATURES + e] - centre[k][e], 2);
            if (distance < least) {
                least = distance;
                nearest = k;
            }
            if (p[q * WAY + k] > p[q * WAY + best]) best = k;
        }
        ck_assert_int_eq(best, nearest);
    }
}
END_TEST

/* As methods: the same bytes with one thread and several, on a part of the list, and what they say of themselves. */
START_TEST(as_methods) {
    const adatom_episodes_params of = {.size = sizeof of, .way = 3, .shot = 2, .query = 3, .tasks = 70, .seed = 9};
    adatom_episodes *list;
    OK(adatom_episodes_create(ctx, novel, &of, &list));
    const adatom_method method = {.size = sizeof method, .adapt = (adatom_adapt_kind)_i};
    model->base_mean = ad_calloc(ctx, 8, sizeof(float));
    for (int e = 0; e < 8; e++) model->base_mean[e] = 0.1f * (float)e;
    adatom_evaluation *all, *part;
    adatom_evaluation_info a = ADATOM_INIT(adatom_evaluation_info), b = ADATOM_INIT(adatom_evaluation_info);
    adatom_adapt_plan_info plan = ADATOM_INIT(adatom_adapt_plan_info);
    OK(adatom_adapt_plan(device, model, RUN(novel, list, method), &plan));
    OK(adatom_adapt_episodes(device, model, RUN(novel, list, method), &all));
    adatom_evaluation_describe(all, &a);
    const adatom_device_params more = {.size = sizeof more, .select = "cpu", .threads = 3}; /* the fixture's has 2 */
    adatom_device *other;
    OK(adatom_device_open(ctx, &more, &other));
    OK(adatom_adapt_episodes(other, model, RUN(novel, list, method, .first = 3, .count = 66), &part));
    adatom_evaluation_describe(part, &b);
    ck_assert_mem_eq(b.accuracy, a.accuracy + 3, 66 * sizeof(float));
    ck_assert_mem_eq(b.predictions, a.predictions + 3 * 9, 66 * 9 * sizeof(int32_t));
    ck_assert(a.diverged == 0 && a.steps == 0);
    ck_assert_ptr_nonnull(strstr(a.config_json, adatom_adapt_kind_name(method.adapt)));
    adatom_evaluation_destroy(&all);
    adatom_evaluation_destroy(&part);
    adatom_device_destroy(&other);
    adatom_adapter *adapter;
    const adatom_fit_params fit = {.size = sizeof fit, .method = &method};
    ck_assert_int_eq(adatom_adapter_fit(device, model, novel, &fit, &adapter), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "is for episodes: no adapter holds it"));
    adatom_episodes_destroy(&list);
}
END_TEST

int main(void) {
    TCase *numbers = tcase_create("numbers"), *methods = tcase_create("methods");
    tcase_add_loop_test(numbers, probabilities, AD_SOLVER_LOGISTIC, AD_SOLVER_CENTRED + 1);
    tcase_add_loop_test(numbers, degenerate, AD_SOLVER_LOGISTIC, AD_SOLVER_CENTRED + 1);
    tcase_add_test(numbers, shrunk_to_means);
    tcase_add_checked_fixture(methods, setup, teardown);
    tcase_add_loop_test(methods, as_methods, SOLVED_KINDS, ADAPT_KINDS);
    Suite *suite = suite_create("solvers");
    suite_add_tcase(suite, numbers);
    suite_add_tcase(suite, methods);
    return run_suite(suite, CK_NOFORK);
}

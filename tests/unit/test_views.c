/* Views of support pictures: the same of a picture in every episode, whatever runs beside it, whether the network runs
 * for each episode or its features are kept. */
#include "fewshot/method.h"
#include "tests/shapes_fixture.h"

#include <adatom/adapter.h>
#include <adatom/features.h>

#include <string.h>

enum { TASKS = 12, QUERIES = 15, ALL = TASKS * QUERIES };

static adatom_episodes *list;

static void begin(void) {
    setup();
    const adatom_episodes_params e = {.size = sizeof e, .way = 3, .shot = 2, .query = 5, .tasks = TASKS, .seed = 2};
    OK(adatom_episodes_create(ctx, novel, &e, &list));
}

static void end(void) {
    adatom_episodes_destroy(&list);
    teardown();
}

static void run(adatom_method m, int first, int count, int32_t *predictions, float *accuracy) {
    adatom_evaluation *evaluation = NULL;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    m.size = sizeof m;
    const adatom_adapt_params p = {
        .size = sizeof p, .dataset = novel, .episodes = list, .method = &m, .first = first, .count = count};
    OK(adatom_adapt_episodes(device, model, &p, &evaluation));
    adatom_evaluation_describe(evaluation, &info);
    ck_assert_int_eq(info.diverged, 0);
    ck_assert((strstr(info.config_json, "\"support_views\"") != NULL) == (m.support_views > 0));
    memcpy(predictions, info.predictions, (size_t)(count * QUERIES) * sizeof *predictions);
    if (accuracy) *accuracy = (float)info.mean;
    adatom_evaluation_destroy(&evaluation);
}

static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_COSINE, ADATOM_ADAPT_LOGISTIC,
                                          ADATOM_ADAPT_KNN,      ADATOM_ADAPT_ATOMS,  ADATOM_ADAPT_FULL};

START_TEST(test_the_same_everywhere) {
    const adatom_method m = {.adapt = kinds[_i], .support_views = 3, .seed = 4};
    adatom_method plain = m, other = m, one = m;
    int32_t want[ALL], got[ALL];
    plain.support_views = 0;
    run(m, 0, TASKS, want, NULL);
    run(plain, 0, TASKS, got, NULL);
    ck_assert(memcmp(want, got, sizeof want) != 0);
    other.seed = 5;
    run(other, 0, TASKS, got, NULL);
    ck_assert(memcmp(want, got, sizeof want) != 0);
    run(m, 0, TASKS, got, NULL); /* after other views */
    ck_assert_mem_eq(want, got, sizeof want);
    one.tasks_at_once = 1;
    run(one, 0, TASKS, got, NULL);
    ck_assert_mem_eq(want, got, sizeof want);
    run(m, 5, 4, got, NULL); /* some of the episodes */
    ck_assert_mem_eq(want + 5 * QUERIES, got, 4 * QUERIES * sizeof *got);
    adatom_device_destroy(&device); /* nothing is kept */
    const adatom_device_params cpu = {.size = sizeof cpu, .select = "cpu", .threads = 1};
    OK(adatom_device_open(ctx, &cpu, &device));
    run(m, 0, TASKS, got, NULL);
    ck_assert_mem_eq(want, got, sizeof want);
}
END_TEST

/* A step that moves nothing leaves the class means of features of the frozen network, whichever way these came. */
START_TEST(test_kept_features_are_of_the_same_views) {
    const adatom_method kept = {.adapt = ADATOM_ADAPT_COSINE, .support_views = 4, .seed = 4, .steps = 1, .lr = 1e-30f};
    adatom_method again = kept;
    int32_t a[ALL], b[ALL];
    again.adapt = ADATOM_ADAPT_ATOMS;
    again.lr_atoms = 1e-30f;
    run(kept, 0, TASKS, a, NULL);
    run(again, 0, TASKS, b, NULL);
    int differ = 0;
    for (int i = 0; i < ALL; i++) differ += a[i] != b[i];
    ck_assert_msg(differ <= 2, "%d of %d predictions differ", differ, ALL); /* folded norms round otherwise */
}
END_TEST

START_TEST(test_refused) {
    adatom_dataset *features = NULL;
    adatom_evaluation *evaluation = NULL;
    adatom_adapter *adapter = NULL;
    adatom_method m = {.size = sizeof m, .adapt = ADATOM_ADAPT_COSINE, .support_views = 65};
    adatom_adapt_params p = {.size = sizeof p, .dataset = novel, .episodes = list, .method = &m};
    ck_assert_int_eq(adatom_adapt_episodes(device, model, &p, &evaluation), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "65 views of a support picture"));
    m.support_views = -1;
    ck_assert_int_eq(adatom_adapt_episodes(device, model, &p, &evaluation), ADATOM_USAGE);
    m.support_views = 2;
    const adatom_fit_params fit = {.size = sizeof fit, .method = &m};
    ck_assert_int_eq(adatom_adapter_fit(device, model, novel, &fit, &adapter), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "are for episodes"));
    OK(adatom_features_compute(device, model, novel, NULL, &features));
    p.dataset = features;
    adatom_episodes *of = NULL;
    const adatom_episodes_params e = {.size = sizeof e, .way = 3, .shot = 2, .query = 5, .tasks = 2};
    OK(adatom_episodes_create(ctx, features, &e, &of));
    p.episodes = of;
    ck_assert_int_eq(adatom_adapt_episodes(device, model, &p, &evaluation), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "holds features, of which there are no other views"));
    adatom_episodes_destroy(&of);
    adatom_dataset_destroy(&features);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("views");
    TCase *c = tcase_create("views");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_loop_test(c, test_the_same_everywhere, 0, (int)AD_COUNT(kinds));
    tcase_add_test(c, test_kept_features_are_of_the_same_views);
    tcase_add_test(c, test_refused);
    suite_add_tcase(suite, c);
    return run_suite(suite, CK_NOFORK);
}

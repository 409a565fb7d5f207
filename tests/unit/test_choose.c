/* Choosing how to adapt: whom the answers speak for, what is tried within a budget, and the whole through the public
 * API. */
#include "fewshot/choose.h"
#include "tests/run_suite.h"

#include <adatom/choose.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 3, IMAGES = 60, MOST = 200 };

static int32_t fold[IMAGES];
static int rank[MOST];
static bool tried[MOST];
static int8_t right[MOST][FOLDS][IMAGES];

static ad_choose_table table_of(int candidates) {
    for (int i = 0; i < IMAGES; i++) fold[i] = i % FOLDS;
    return (ad_choose_table){.candidates = candidates,
                             .folds = FOLDS,
                             .images = IMAGES,
                             .fold = fold,
                             .rank = rank,
                             .tried = tried,
                             .right = &right[0][0][0]};
}

/* A candidate of a kind that gets the pictures first .. first+count-1 right, whatever it learns from. */
static void candidate(int c, int kind, int first, int count) {
    rank[c] = kind;
    tried[c] = true;
    for (int a = 0; a < FOLDS; a++)
        for (int i = 0; i < IMAGES; i++) right[c][a][i] = i >= first && i < first + count;
}

START_TEST(test_ties_and_leads) {
    const ad_choose_table t = table_of(3);
    double error;
    int answers;
    candidate(0, 1, 0, 40);
    candidate(1, 0, 20, 40);
    candidate(2, 2, 0, 40);
    ck_assert_int_eq(ad_choose_right(&t, 0, AD_CHOOSE_BY_ALL, &answers), 80);
    ck_assert_int_eq(answers, 120);
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 1); /* a tie: the simplest kind */
    ck_assert_int_eq(ad_choose_most(&t, -1, AD_CHOOSE_BY_ALL), 0);
    candidate(2, 2, 15, 45);
    /* It has everything that 1 has and 5 of 60 more: 0.083 with a standard error of 0.036. */
    ck_assert_double_eq_tol(ad_choose_ahead(&t, 2, 1, AD_CHOOSE_BY_ALL, &error), 5.0 / 60, 1e-12);
    ck_assert_double_eq_tol(error, sqrt((5.0 / 60 - 25.0 / 3600) / 59), 1e-12);
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 0); /* ahead of 0 by as much, but on other pictures */
    tried[0] = false;
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 2);
    candidate(2, 2, 19, 41); /* one more: 0.0167 with an error of 0.0167 */
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 1);
    candidate(2, 2, 0, 42); /* two more, but different pictures: 0.033 with an error of about 0.1 */
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 1);
    tried[0] = true;
    tried[1] = false;
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 2); /* two more than 0, and all that 0 has */
    tried[0] = tried[2] = false;
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), -1);
    ck_assert_int_eq(ad_choose_most(&t, -1, AD_CHOOSE_BY_ALL), -1);
}
END_TEST

START_TEST(test_within_a_kind) {
    /* Rates and steps of one kind are equally simple: the best is taken, however little ahead, and the first of
     * equals. */
    const ad_choose_table t = table_of(3);
    candidate(0, 4, 0, 30);
    candidate(1, 4, 0, 31);
    candidate(2, 4, 29, 31);
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 1);
    right[1][0][1] = -1; /* what diverged is wrong */
    right[1][2][1] = -1;
    ck_assert_int_eq(ad_choose_best(&t, AD_CHOOSE_BY_ALL), 2);
}
END_TEST

START_TEST(test_knows_nothing_of_its_fold) {
    const ad_choose_table t = table_of(2);
    int answers;
    candidate(0, 0, 0, 30);
    candidate(1, 1, 0, 50);
    for (int without = 0; without < FOLDS; without++) {
        ck_assert_int_eq(ad_choose_best(&t, without), 1);
        ad_choose_right(&t, 1, without, &answers);
        ck_assert_int_eq(answers, IMAGES - IMAGES / FOLDS);
        /* Whatever is answered about the fold, or by tasks that learned from it, changes nothing. */
        for (int a = 0; a < FOLDS; a++)
            for (int i = 0; i < IMAGES; i++)
                if (a != without || fold[i] == without) right[1][a][i] = 0;
        ck_assert_int_eq(ad_choose_best(&t, without), 1);
        candidate(1, 1, 0, 50);
        for (int i = 0; i < IMAGES; i++)
            if (fold[i] != without) right[1][without][i] = 0;
        ck_assert_int_eq(ad_choose_best(&t, without), 0);
        candidate(1, 1, 0, 50);
    }
    fold[0] = AD_FOLD_NONE; /* a picture that is never left out does not count */
    ad_choose_right(&t, 1, AD_CHOOSE_BY_ALL, &answers);
    ck_assert_int_eq(answers, (IMAGES - 1) * (FOLDS - 1));
}
END_TEST

START_TEST(test_honest_among_guesses) {
    /* Candidates that guess among four classes: the best of two hundred looks far better than chance, and what the
     * choices without a fold answer about it does not. */
    enum { TRIALS = 40 };
    const ad_choose_table t = table_of(MOST);
    double best = 0, honest = 0;
    int answers;
    ad_random random = ad_random_make(5, AD_STREAM_CHECK, 0);
    for (int trial = 0; trial < TRIALS; trial++) {
        for (int c = 0; c < MOST; c++) {
            rank[c] = c / 50;
            tried[c] = true;
            for (int i = 0; i < IMAGES; i++) {
                const bool lucky = ad_random_below(&random, 4) == 0;
                for (int a = 0; a < FOLDS; a++) right[c][a][i] = lucky;
            }
        }
        const int chosen = ad_choose_most(&t, -1, AD_CHOOSE_BY_ALL);
        best += (double)ad_choose_right(&t, chosen, AD_CHOOSE_BY_ALL, &answers) / answers;
        for (int i = 0; i < IMAGES; i++) honest += right[ad_choose_most(&t, -1, fold[i])][fold[i]][i] / (double)IMAGES;
    }
    ck_assert_double_gt(best / TRIALS, 0.37);
    ck_assert_double_eq_tol(honest / TRIALS, 0.25, 0.03); /* 2400 answers: three standard errors */
}
END_TEST

/* ---- the plan ---- */

static adatom_context *ctx;

static void setup(void) { OK(adatom_context_create(NULL, &ctx)); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static adatom_choice *plan(const ad_choose_scope *scope, double budget, int *folds) {
    adatom_choice *c = ad_calloc(ctx, 1, sizeof *c);
    c->ctx = ctx;
    c->info.budget = budget;
    OK(ad_choose_plan(scope, c, folds));
    return c;
}

/* How many candidates of a kind are tried; -1: none, and it is said why. */
static int count_of(const adatom_choice *c, adatom_adapt_kind kind) {
    int count = 0;
    for (int k = 0; k < c->info.candidates; k++) {
        if (c->candidates[k].method.adapt != kind) continue;
        if (c->candidates[k].run < 0) {
            ck_assert_ptr_nonnull(c->candidates[k].why_not);
            return -1;
        }
        count++;
    }
    return count;
}

START_TEST(test_budget_decides) {
    const adatom_fit_params fit = {.size = sizeof fit};
    ad_choose_scope s = {.fit = &fit,
                         .picture_work = 1e6,
                         .has_atoms = true,
                         .has_norms = true,
                         .images = 64,
                         .asked = 64,
                         .estimated = true};
    int folds;
    adatom_choice *c = plan(&s, 1e15, &folds);
    ck_assert_int_eq(folds, 5);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_CENTROID), 2);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_ATOMS), 9);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_NORM), 9);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_FULL), 0);
    adatom_choice_destroy(&c);
    /* Less work: fewer rates, steps and folds, then fewer kinds, the last of the list first; never more. */
    int before = 100;
    for (double budget = 1e13; budget > 1; budget /= 1.5) {
        c = plan(&s, budget, &folds);
        ck_assert_int_ge(folds, 3);
        int now = 0;
        for (int k = 0; k < c->info.candidates; k++) now += c->candidates[k].run >= 0;
        ck_assert_int_le(now, before);
        if (count_of(c, ADATOM_ADAPT_NORM) > 0) ck_assert_int_gt(count_of(c, ADATOM_ADAPT_ATOMS_NORM), 0);
        if (count_of(c, ADATOM_ADAPT_ATOMS_NORM) > 0) ck_assert_int_gt(count_of(c, ADATOM_ADAPT_ATOMS), 0);
        ck_assert_int_gt(count_of(c, ADATOM_ADAPT_COSINE), 0);
        before = now;
        adatom_choice_destroy(&c);
    }
    ck_assert_int_eq(before, 8); /* two of centroid, six of cosine */
    /* What is given is not tried at other values. */
    s.method = (adatom_method){.size = sizeof s.method, .lr_atoms = 0.02f, .steps = 7};
    c = plan(&s, 1e15, &folds);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_ATOMS), 1);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_ATOMS_NORM), 3); /* rates of norms */
    for (int k = 0; k < c->info.candidates; k++)
        if (c->candidates[k].method.adapt != ADATOM_ADAPT_CENTROID) ck_assert_int_eq(c->candidates[k].method.steps, 7);
    adatom_choice_destroy(&c);
    s.has_atoms = false;
    c = plan(&s, 1e15, &folds);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_ATOMS), -1);
    ck_assert_int_eq(count_of(c, ADATOM_ADAPT_NORM), 3);
    adatom_choice_destroy(&c);
}
END_TEST

START_TEST(test_batches_of_parts) {
    ck_assert_int_eq(ad_choose_batch(16, 64, 0, 0), 16);
    ck_assert_int_eq(ad_choose_batch(16, 64, 2, 16), 12);
    ck_assert_int_eq(ad_choose_batch(16, 64, 2, 44), 8); /* not fewer */
    ck_assert_int_eq(ad_choose_batch(4, 64, 2, 32), 4);
    ck_assert_int_eq(ad_choose_batch(16, 9, 2, 3), 6); /* not more than there are */
    ck_assert_int_eq(ad_choose_batch(64, 10, 2, 5), 5);
    ck_assert_int_eq(ad_choose_batch(16, 64, 1, 22), 16);
    ck_assert_int_eq(ad_choose_batch(16, 12, 1, 4), 8);
}
END_TEST

/* ---- the whole ---- */

typedef struct world {
    adatom_device *device;
    adatom_dataset *pictures;
    adatom_model *model;
} world;

static world make_world(int threads, int per_class, adatom_sharing sharing) {
    world w;
    const adatom_device_params cpu = {.size = sizeof cpu, .select = "cpu", .threads = threads};
    OK(adatom_device_open(ctx, &cpu, &w.device));
    const adatom_dataset_params p = {
        .size = sizeof p, .image_size = 16, .split = "val", .builtin_per_class = per_class};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &p, &w.pictures));
    const adatom_model_params m = {
        .size = sizeof m, .image_size = 16, .width = 8, .atoms = 4, .seed = 3, .sharing = sharing};
    OK(adatom_model_create(ctx, &m, &w.model));
    return w;
}

static void end_world(world *w) {
    adatom_model_destroy(&w->model);
    adatom_dataset_destroy(&w->pictures);
    adatom_device_destroy(&w->device);
}

/* Every picture was asked about once, by a task of what was chosen without it. */
static void check_answers(const adatom_adapter *adapter, const adatom_dataset *pictures, int correct) {
    size_t images, first, count;
    const char *name;
    const int32_t *answers = adatom_adapter_answers(adapter, &images);
    ck_assert_uint_eq(images, 64);
    for (int c = 0; adatom_dataset_class(pictures, c, &name, &first, &count) == ADATOM_OK; c++)
        for (size_t i = first; i < first + count; i++) {
            ck_assert_int_ge(answers[i], 0);
            correct -= answers[i] == c;
        }
    ck_assert_int_eq(correct, 0);
}

START_TEST(test_choice_and_repetition) {
    static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_NORM, ADATOM_ADAPT_COSINE};
    adatom_choice *choice, *again;
    adatom_adapter *adapter, *other, *named;
    adatom_choice_info info = ADATOM_INIT(adatom_choice_info);
    adatom_candidate candidate = ADATOM_INIT(adatom_candidate);
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info), b = ADATOM_INIT(adatom_adapter_info);
    const adatom_choose_params p = {.size = sizeof p, .kinds = kinds, .kind_count = 2, .budget = 3e9};
    world one = make_world(1, 4, ADATOM_SHARING_DEFAULT), three = make_world(3, 4, ADATOM_SHARING_DEFAULT);
    OK(adatom_adapter_choose(one.device, one.model, one.pictures, &p, &choice, &adapter));
    OK(adatom_choice_describe(choice, &info));
    OK(adatom_adapter_describe(adapter, &a));
    ck_assert_int_eq(info.tested, 64);
    ck_assert_int_eq(info.estimated, 64);
    ck_assert_int_eq(a.tested, info.estimated);
    ck_assert_int_eq(a.right, info.right);
    ck_assert_str_eq(a.estimate, "folds");
    check_answers(adapter, one.pictures, info.right);
    ck_assert(info.work > 0 && info.work <= info.budget);
    ck_assert(strstr(a.config_json, "\"choice\""));
    int chosen = 0;
    for (int k = 0; k < info.candidates; k++) {
        OK(adatom_choice_candidate(choice, k, &candidate));
        ck_assert(candidate.tried && candidate.tested == 64);
        ck_assert(candidate.low <= candidate.accuracy && candidate.accuracy <= candidate.high);
        chosen += candidate.folds_chosen;
    }
    ck_assert_int_eq(chosen, info.folds);
    /* What is estimated of a fold is chosen without it, which here is not always what is chosen by all. */
    const ad_choose_table table = ad_choose_table_of(choice);
    int others = 0;
    for (int f = 0; f < info.folds; f++) {
        ck_assert_int_eq(choice->by_fold[f], ad_choose_best(&table, f));
        others += choice->by_fold[f] != info.chosen;
    }
    ck_assert_int_gt(others, 0);
    ck_assert_int_eq(adatom_choice_candidate(choice, info.candidates, &candidate), ADATOM_USAGE);
    /* Any number of threads: the same bytes. */
    OK(adatom_adapter_choose(three.device, three.model, three.pictures, &p, &again, &other));
    OK(adatom_adapter_describe(other, &b));
    ck_assert_str_eq(a.config_json, b.config_json);
    ck_assert_str_eq(a.hash, b.hash);
    /* The candidate's method and batch make the same adapter again. */
    OK(adatom_choice_candidate(choice, info.chosen, &candidate));
    const adatom_fit_params fit = {
        .size = sizeof fit, .method = candidate.method, .batch = candidate.batch, .estimate = ADATOM_ESTIMATE_NONE};
    OK(adatom_adapter_fit(one.device, one.model, one.pictures, &fit, &named));
    OK(adatom_adapter_describe(named, &b));
    ck_assert_str_eq(a.hash, b.hash);
    adatom_adapter_destroy(&named);
    adatom_adapter_destroy(&adapter);
    adatom_adapter_destroy(&other);
    adatom_choice_destroy(&choice);
    adatom_choice_destroy(&again);
    end_world(&one);
    end_world(&three);
}
END_TEST

/* A task is asked about both of its folds and learns from neither: which of them is named first changes no answer. */
START_TEST(test_two_folds_left_out) {
    enum { ASKS = 3, PICTURES = 64, NOT_ASKED = 9 };
    static const int32_t leaves[ASKS][2] = {{0, 1}, {1, 0}, {0, AD_FOLD_NONE}};
    const adatom_method means = {.size = sizeof means, .adapt = ADATOM_ADAPT_CENTROID};
    const adatom_fit_params p = {.size = sizeof p, .method = &means, .estimate = ADATOM_ESTIMATE_FOLDS, .folds = 3};
    int8_t answers[ASKS][PICTURES];
    int folds;
    world w = make_world(1, 4, ADATOM_SHARING_DEFAULT);
    ad_adapter_fit f;
    OK(ad_adapter_fit_open(&f, w.device, w.model, w.pictures, &p));
    ck_assert_int_eq(f.images, PICTURES);
    OK(ad_choose_folds(ctx, w.pictures, &f.p, 1, 2, f.fold, &folds));
    f.folds = ASKS;
    f.leaves = leaves;
    memset(answers, NOT_ASKED, sizeof answers);
    OK(ad_adapter_fit_settle(&f));
    f.checkpoints[0].answers = answers[0];
    OK(ad_adapter_fit_ask(&f));
    for (int i = 0; i < PICTURES; i++) {
        ck_assert_int_eq(answers[0][i] == NOT_ASKED, f.fold[i] > 1);
        ck_assert_int_eq(answers[2][i] == NOT_ASKED, f.fold[i] > 0);
        ck_assert_int_eq(answers[0][i], answers[1][i]);
    }
    ad_adapter_fit_close(&f);
    end_world(&w);
}
END_TEST

START_TEST(test_single_pictures_and_dense_models) {
    adatom_choice *choice;
    adatom_adapter *adapter;
    adatom_choice_info info = ADATOM_INIT(adatom_choice_info);
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_candidate candidate = ADATOM_INIT(adatom_candidate);
    world w = make_world(2, 1, ADATOM_SHARING_NONE);
    OK(adatom_adapter_choose(w.device, w.model, w.pictures, NULL, &choice, &adapter));
    OK(adatom_choice_describe(choice, &info));
    OK(adatom_adapter_describe(adapter, &a));
    ck_assert_int_eq(info.folds, 0);
    ck_assert_ptr_nonnull(strstr(info.reason, "only 0 of the pictures"));
    ck_assert_str_eq(a.method, "centroid");
    ck_assert_str_eq(a.estimate, "none");
    adatom_adapter_destroy(&adapter);
    adatom_choice_destroy(&choice);
    /* The simplest is one that can be tried. */
    static const adatom_adapt_kind kinds[] = {ADATOM_ADAPT_NORM, ADATOM_ADAPT_ATOMS};
    const adatom_choose_params listed = {.size = sizeof listed, .kinds = kinds, .kind_count = 2};
    OK(adatom_adapter_choose(w.device, w.model, w.pictures, &listed, &choice, &adapter));
    OK(adatom_choice_describe(choice, &info));
    OK(adatom_adapter_describe(adapter, &a));
    OK(adatom_choice_candidate(choice, info.chosen, &candidate));
    ck_assert_int_eq(candidate.method->adapt, ADATOM_ADAPT_NORM);
    ck_assert_str_eq(candidate.name, "norm");
    ck_assert_str_eq(a.method, "norm");
    adatom_adapter_destroy(&adapter);
    adatom_choice_destroy(&choice);
    end_world(&w);
    /* Of two pictures of a class one can be left out; without atoms the norms are tried. */
    w = make_world(2, 2, ADATOM_SHARING_NONE);
    const adatom_choose_params p = {.size = sizeof p, .budget = 1e9};
    OK(adatom_adapter_choose(w.device, w.model, w.pictures, &p, &choice, &adapter));
    OK(adatom_choice_describe(choice, &info));
    ck_assert_int_eq(info.tested, 16);
    bool norm = false, atoms = false;
    for (int k = 0; k < info.candidates; k++) {
        OK(adatom_choice_candidate(choice, k, &candidate));
        norm |= candidate.method->adapt == ADATOM_ADAPT_NORM && candidate.tried;
        atoms |= candidate.method->adapt == ADATOM_ADAPT_ATOMS && !candidate.tried &&
                 strstr(candidate.why_not, "--mode residual");
    }
    ck_assert(norm && atoms);
    adatom_adapter_destroy(&adapter);
    adatom_choice_destroy(&choice);
    end_world(&w);
}
END_TEST

static bool stop_at_network(void *user, const adatom_progress *now) {
    int *candidates = user;
    if (now->phase == ADATOM_PHASE_CHOOSING && !now->poll && now->what) {
        ck_assert_uint_le(now->done, now->total);
        ++*candidates;
        return strncmp(now->what, "norm", 4) != 0;
    }
    return true;
}

START_TEST(test_interrupted) {
    adatom_choice *choice;
    adatom_adapter *adapter;
    adatom_choice_info info = ADATOM_INIT(adatom_choice_info);
    adatom_candidate candidate = ADATOM_INIT(adatom_candidate);
    int told = 0;
    world w = make_world(2, 3, ADATOM_SHARING_NONE);
    const adatom_fit_params fit = {.size = sizeof fit, .progress = stop_at_network, .user = &told};
    const adatom_choose_params p = {.size = sizeof p, .fit = &fit, .budget = 1e9};
    ck_assert_int_eq(adatom_adapter_choose(w.device, w.model, w.pictures, &p, &choice, &adapter), ADATOM_INTERRUPTED);
    ck_assert_ptr_null(adapter);
    ck_assert_ptr_nonnull(choice);
    OK(adatom_choice_describe(choice, &info));
    ck_assert_int_eq(info.chosen, -1);
    ck_assert_int_gt(told, 3);
    int done = 0;
    for (int k = 0; k < info.candidates; k++) {
        OK(adatom_choice_candidate(choice, k, &candidate));
        if (candidate.method->adapt == ADATOM_ADAPT_NORM) ck_assert(!candidate.tried);
        done += candidate.tried;
    }
    ck_assert_int_eq(done, 8);
    adatom_choice_destroy(&choice);
    end_world(&w);
}
END_TEST

START_TEST(test_refused) {
    static const adatom_adapt_kind twice[] = {ADATOM_ADAPT_NORM, ADATOM_ADAPT_NORM}, atoms[] = {ADATOM_ADAPT_ATOMS};
    const adatom_method named = {.size = sizeof named, .adapt = ADATOM_ADAPT_HEAD},
                        support = {.size = sizeof support, .bn = ADATOM_BN_SUPPORT};
    const adatom_fit_params fits[] = {
        {.size = sizeof *fits, .method = &named},   {.size = sizeof *fits, .method = &support},
        {.size = sizeof *fits, .early_stop = true}, {.size = sizeof *fits, .folds = 2},
        {.size = sizeof *fits, .folds = 1001},      {.size = sizeof *fits, .estimate = ADATOM_ESTIMATE_HOLDOUT}};
    const adatom_choose_params lists[] = {
        {.size = sizeof *lists, .kinds = twice, .kind_count = 2},
        {.size = sizeof *lists, .kinds = atoms, .kind_count = 1}, /* of a dense model */
        {.size = sizeof *lists, .budget = -1},
    };
    world w = make_world(1, 3, ADATOM_SHARING_NONE);
    adatom_choice *choice;
    adatom_adapter *adapter;
    for (size_t k = 0; k < AD_COUNT(fits) + AD_COUNT(lists); k++) {
        const adatom_choose_params by_fit = {.size = sizeof by_fit, .fit = &fits[k % AD_COUNT(fits)]};
        const adatom_choose_params *p = k < AD_COUNT(fits) ? &by_fit : &lists[k - AD_COUNT(fits)];
        ck_assert_int_eq(adatom_adapter_choose(w.device, w.model, w.pictures, p, &choice, &adapter), ADATOM_USAGE);
        ck_assert(!choice && !adapter && adatom_context_message(ctx)[0]);
    }
    end_world(&w);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("choose");
    TCase *rule = tcase_create("rule"), *whole = tcase_create("whole");
    tcase_add_test(rule, test_ties_and_leads);
    tcase_add_test(rule, test_within_a_kind);
    tcase_add_test(rule, test_knows_nothing_of_its_fold);
    tcase_add_test(rule, test_honest_among_guesses);
    tcase_add_checked_fixture(whole, setup, teardown);
    tcase_add_test(whole, test_budget_decides);
    tcase_add_test(whole, test_batches_of_parts);
    tcase_add_test(whole, test_choice_and_repetition);
    tcase_add_test(whole, test_two_folds_left_out);
    tcase_add_test(whole, test_single_pictures_and_dense_models);
    tcase_add_test(whole, test_interrupted);
    tcase_add_test(whole, test_refused);
    suite_add_tcase(suite, rule);
    suite_add_tcase(suite, whole);
    return run_suite(suite, CK_NOFORK);
}

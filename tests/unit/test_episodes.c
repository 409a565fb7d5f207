#include "base/base.h"
#include "tests/fake_dataset.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

#include <adatom/episode.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t equal_sizes[] = {20, 20, 20, 20, 20, 20, 20, 20}, unequal_sizes[] = {40, 6, 12, 7, 25};
static const adatom_dataset equal = {8, equal_sizes, "0123456789abcdef"},
                            unequal = {5, unequal_sizes, "fedcba9876543210"};
static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static adatom_episodes *draw(const adatom_dataset *dataset, adatom_episodes_params params) {
    adatom_episodes *list = NULL;
    ck_assert_msg(adatom_episodes_create(ctx, dataset, &params, &list) == ADATOM_OK, "%s", adatom_context_message(ctx));
    return list;
}

static int class_of(const adatom_dataset *dataset, int32_t picture) {
    int c = 0;
    for (size_t end = dataset->sizes[0]; (size_t)picture >= end; end += dataset->sizes[c]) c++;
    return c;
}

/* Every episode: way different classes, the right number of pictures of each, none twice. */
static void check_lawful(const adatom_dataset *dataset, const adatom_episodes *list, bool without_replacement) {
    adatom_episodes_info info = ADATOM_INIT(adatom_episodes_info);
    adatom_dataset_info set = ADATOM_INIT(adatom_dataset_info);
    adatom_episodes_describe(list, &info);
    adatom_dataset_describe(dataset, &set);
    int *seen = calloc(set.images, sizeof *seen);
    for (int e = 0; e < info.tasks; e++) {
        const int32_t *support = NULL, *query = NULL;
        ck_assert_int_eq(adatom_episodes_get(list, e, &support, &query), ADATOM_OK);
        unsigned classes = 0;
        for (int w = 0; w < info.way; w++) {
            const int c = class_of(dataset, support[w * info.shot]);
            ck_assert(!(classes & 1u << c));
            classes |= 1u << c;
            for (int i = 0; i < info.shot + info.query; i++) {
                const int32_t picture =
                    i < info.shot ? support[w * info.shot + i] : query[w * info.query + i - info.shot];
                ck_assert(picture >= 0 && (size_t)picture < set.images);
                ck_assert_int_eq(class_of(dataset, picture), c);
                ck_assert(without_replacement ? !seen[picture] : seen[picture] != e + 1);
                seen[picture] = e + 1;
            }
        }
    }
    free(seen);
}

START_TEST(test_defaults) {
    static const size_t sizes[] = {16, 30, 16, 30, 16};
    const adatom_dataset dataset = {5, sizes, "0"};
    adatom_episodes *list = NULL;
    adatom_episodes_info info = ADATOM_INIT(adatom_episodes_info);
    ck_assert_int_eq(adatom_episodes_create(ctx, &dataset, NULL, &list), ADATOM_OK);
    adatom_episodes_describe(list, &info);
    ck_assert(info.way == 5 && info.shot == 1 && info.query == 15 && info.tasks == 600 && info.seed == 0);
    ck_assert_str_eq(info.dataset_hash, "0");
    check_lawful(&dataset, list, false);
    adatom_episodes_destroy(&list);
    ck_assert_ptr_null(list);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_same_seed_same_episodes) {
    adatom_episodes_params params = {
        .size = sizeof(adatom_episodes_params), .way = 3, .shot = 2, .query = 4, .tasks = 40, .seed = 1ull << 40};
    adatom_episodes_info a = ADATOM_INIT(adatom_episodes_info), b = ADATOM_INIT(adatom_episodes_info),
                         c = ADATOM_INIT(adatom_episodes_info);
    adatom_episodes *one = draw(&equal, params), *two = draw(&equal, params);
    params.seed = 0; /* the upper half of the seed counts */
    adatom_episodes *other = draw(&equal, params);
    adatom_episodes_describe(one, &a);
    adatom_episodes_describe(two, &b);
    adatom_episodes_describe(other, &c);
    ck_assert_str_eq(a.hash, b.hash);
    ck_assert_str_ne(a.hash, c.hash);
    adatom_episodes_destroy(&one);
    adatom_episodes_destroy(&two);
    adatom_episodes_destroy(&other);
}
END_TEST

/* Both lists have the same classes and queries, and the first's support begins the second's. */
static void check_prefix(const adatom_episodes *few, const adatom_episodes *more, int episodes) {
    adatom_episodes_info f = ADATOM_INIT(adatom_episodes_info), m = ADATOM_INIT(adatom_episodes_info);
    adatom_episodes_describe(few, &f);
    adatom_episodes_describe(more, &m);
    for (int e = 0; e < episodes; e++) {
        const int32_t *few_support = NULL, *few_query = NULL, *support = NULL, *query = NULL;
        ck_assert_int_eq(adatom_episodes_get(few, e, &few_support, &few_query), ADATOM_OK);
        ck_assert_int_eq(adatom_episodes_get(more, e, &support, &query), ADATOM_OK);
        ck_assert_mem_eq(few_query, query, (size_t)(f.way * f.query) * sizeof *query);
        for (int w = 0; w < f.way; w++)
            ck_assert_mem_eq(few_support + w * f.shot, support + w * m.shot, (size_t)f.shot * sizeof *support);
    }
}

START_TEST(test_shots_and_tasks_are_prefixes) {
    adatom_episodes_params params = {
        .size = sizeof(adatom_episodes_params), .way = 5, .shot = 1, .query = 6, .tasks = 50, .seed = 7};
    adatom_episodes *one = draw(&equal, params);
    params.shot = 5;
    adatom_episodes *five = draw(&equal, params);
    params.tasks = 9;
    adatom_episodes *fewer = draw(&equal, params);
    check_lawful(&equal, five, false);
    check_prefix(one, five, 50);
    check_prefix(fewer, five, 9);
    adatom_episodes_destroy(&one);
    adatom_episodes_destroy(&five);
    adatom_episodes_destroy(&fewer);
}
END_TEST

START_TEST(test_draws_are_uniform) {
    /* 4000 episodes of 2 of 8 classes, 1 + 1 of 20 pictures: each class 1000 times, each picture 100 times; within five
     * standard deviations of the binomial. */
    adatom_episodes *list = draw(
        &equal, (adatom_episodes_params){
                    .size = sizeof(adatom_episodes_params), .way = 2, .shot = 1, .query = 1, .tasks = 4000, .seed = 3});
    int pictures[160] = {0}, classes[8] = {0};
    for (int e = 0; e < 4000; e++) {
        const int32_t *support = NULL, *query = NULL;
        ck_assert_int_eq(adatom_episodes_get(list, e, &support, &query), ADATOM_OK);
        for (int w = 0; w < 2; w++) {
            pictures[support[w]]++;
            pictures[query[w]]++;
            classes[support[w] / 20]++;
        }
    }
    for (int c = 0; c < 8; c++) ck_assert_int_le(abs(classes[c] - 1000), 137);  /* sqrt(4000 * 1/4 * 3/4) = 27.4 */
    for (int p = 0; p < 160; p++) ck_assert_int_le(abs(pictures[p] - 100), 50); /* sqrt(4000 * 1/40 * 39/40) = 9.9 */
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_without_replacement) {
    /* Classes of 40, 6, 12, 7, 25 pictures serve 13, 2, 4, 2, 8 episodes with 3 of theirs: 29 in all, so that 14
     * episodes of 2 classes can be had, if the large ones are spread well, and 15 not. */
    adatom_episodes_params params = {.size = sizeof(adatom_episodes_params),
                                     .way = 2,
                                     .shot = 1,
                                     .query = 2,
                                     .tasks = 14,
                                     .seed = 1,
                                     .without_replacement = true};
    for (params.seed = 0; params.seed < 50; params.seed++) {
        adatom_episodes *list = draw(&unequal, params);
        check_lawful(&unequal, list, true);
        adatom_episodes_destroy(&list);
    }
    adatom_episodes *list = NULL;
    params.tasks = 15;
    ck_assert_int_eq(adatom_episodes_create(ctx, &unequal, &params, &list), ADATOM_BAD_DATA);
    ck_assert_ptr_null(list);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "15 were asked for"));
    /* A set that is used up to the last picture. */
    list = draw(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params),
                                                 .way = 4,
                                                 .shot = 2,
                                                 .query = 8,
                                                 .tasks = 4,
                                                 .without_replacement = true});
    check_lawful(&equal, list, true);
    adatom_episodes_destroy(&list);
}
END_TEST

static void check_create_fails(const adatom_dataset *dataset, adatom_episodes_params params, adatom_status status,
                               const char *says) {
    adatom_episodes *list = (adatom_episodes *)&params;
    ck_assert_int_eq(adatom_episodes_create(ctx, dataset, &params, &list), status);
    ck_assert_ptr_null(list);
    ck_assert_msg(strstr(adatom_context_message(ctx), says) != NULL, "'%s' lacks '%s'", adatom_context_message(ctx),
                  says);
}

START_TEST(test_refusals) {
    check_create_fails(
        &unequal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .way = 5, .shot = 5, .query = 2},
        ADATOM_BAD_DATA, "class 'bee'");
    check_create_fails(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .way = 9},
                       ADATOM_BAD_DATA, "9-way");
    check_create_fails(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .way = -1},
                       ADATOM_USAGE, "way is -1");
    check_create_fails(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .shot = -1},
                       ADATOM_USAGE, "shot is -1");
    check_create_fails(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .query = 2000000},
                       ADATOM_USAGE, "query is 2000000");
    check_create_fails(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .tasks = -5},
                       ADATOM_USAGE, "episodes is -5");
    adatom_episodes *list =
        draw(&equal, (adatom_episodes_params){.size = sizeof(adatom_episodes_params), .tasks = 3, .query = 2});
    const int32_t *support = NULL, *query = NULL;
    ck_assert_int_eq(adatom_episodes_get(list, 3, &support, &query), ADATOM_USAGE);
    ck_assert_int_eq(adatom_episodes_get(list, -1, &support, &query), ADATOM_USAGE);
    adatom_episodes_destroy(&list);
}
END_TEST

static char *save_and_read(const adatom_episodes *list, size_t *size) {
    char path[] = "/tmp/adatom-episodes-XXXXXX", *text = NULL;
    make_file(path);
    ck_assert_int_eq(adatom_episodes_save(list, path), ADATOM_OK);
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &text, size), ADATOM_OK);
    adatom_episodes *loaded = NULL;
    ck_assert_int_eq(adatom_episodes_load(ctx, path, &equal, &loaded), ADATOM_OK);
    adatom_episodes_destroy(&loaded);
    unlink(path);
    return text;
}

static const adatom_episodes_params small = {
    .size = sizeof(adatom_episodes_params), .way = 2, .shot = 2, .query = 1, .tasks = 3, .seed = UINT64_MAX};

START_TEST(test_file_round_trip) {
    adatom_episodes *list = draw(&equal, small), *again = NULL;
    adatom_episodes_info a = ADATOM_INIT(adatom_episodes_info), b = ADATOM_INIT(adatom_episodes_info);
    size_t size = 0;
    char *text = save_and_read(list, &size);
    ck_assert_int_eq(adatom_episodes_parse(ctx, "list", text, size, &equal, &again), ADATOM_OK);
    adatom_episodes_describe(list, &a);
    adatom_episodes_describe(again, &b);
    ck_assert_mem_eq(&a, &b, sizeof a);
    check_prefix(list, again, small.tasks);
    adatom_episodes_destroy(&list);
    adatom_episodes_destroy(&again);
    ad_free(text);
    ck_assert_int_eq(adatom_episodes_load(ctx, "/nonexistent/list.json", &equal, &again), ADATOM_BAD_DATA);
}
END_TEST

/* One change to a good list, and a part of the sentence that refuses it. */
static void check_damage(const char *text, size_t size, const adatom_dataset *dataset, const char *key, json_t *value,
                         const char *says) {
    json_t *json = json_loadb(text, size, 0, NULL);
    ck_assert_int_eq(json_object_set_new(json, key, value), 0);
    char *damaged = json_dumps(json, JSON_COMPACT);
    adatom_episodes *list = NULL;
    ck_assert_int_eq(adatom_episodes_parse(ctx, "list.json", damaged, strlen(damaged), dataset, &list),
                     ADATOM_BAD_DATA);
    ck_assert_ptr_null(list);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "list.json") && strstr(message, says), "'%s' lacks '%s'", message, says);
    free(damaged);
    json_decref(json);
}

/* The three episodes with the numbers of the first replaced. */
static json_t *first_episode(const char *text, size_t size, const int support[4], const int query[2]) {
    json_t *json = json_loadb(text, size, 0, NULL), *list = json_deep_copy(json_object_get(json, "episodes"));
    json_array_set_new(list, 0,
                       json_pack("{s:[i,i,i,i], s:[i,i]}", "support", support[0], support[1], support[2], support[3],
                                 "query", query[0], query[1]));
    json_decref(json);
    return list;
}

START_TEST(test_damaged_files) {
    adatom_episodes *list = draw(&equal, small);
    size_t size = 0;
    char *text = save_and_read(list, &size);
    check_damage(text, size, &unequal, "way", json_integer(2), "fedcba9876543210");
    check_damage(text, size, &equal, "dataset_hash", json_string("x"), "drawn from a data set");
    check_damage(text, size, &equal, "format_version", json_integer(2), "version 2");
    check_damage(text, size, &equal, "way", json_integer(-2), "positive");
    check_damage(text, size, &equal, "shot", json_integer(1), "lists 'support' and 'query'");
    check_damage(text, size, &equal, "query", json_integer(1ll << 40), "positive");
    check_damage(text, size, &equal, "tasks", json_integer(4), "announces 4");
    check_damage(text, size, &equal, "seed", json_string("-1"), "seed");
    check_damage(text, size, &equal, "seed", json_string("99999999999999999999"), "seed");
    check_damage(text, size, &equal, "hash", json_string("0000000000000000"), "damaged");
    check_damage(text, size, &equal, "extra", json_true(), "not a list of episodes");
    check_damage(text, size, &equal, "episodes", json_string("none"), "has 0");
#define EPISODES(s0, s1, s2, s3, q0, q1) first_episode(text, size, (int[]){s0, s1, s2, s3}, (int[]){q0, q1})
    check_damage(text, size, &equal, "episodes", EPISODES(0, 1, 20, 21, 2, 160), "no picture of the data set");
    check_damage(text, size, &equal, "episodes", EPISODES(0, -1, 20, 21, 2, 22), "no picture of the data set");
    check_damage(text, size, &equal, "episodes", EPISODES(0, 1, 20, 21, 1, 22), "picture 1 is twice");
    check_damage(text, size, &equal, "episodes", EPISODES(0, 1, 2, 3, 4, 5), "same class twice");
    check_damage(text, size, &equal, "episodes", EPISODES(0, 20, 21, 22, 4, 25), "another class");
    check_damage(text, size, &equal, "episodes", EPISODES(0, 1, 20, 21, 23, 2), "another class");
    check_damage(text, size, &equal, "episodes", EPISODES(0, 1, 20, 21, 2, 22),
                 "damaged"); /* lawful, but not what was saved */
    /* Every truncation is refused, and nothing is read past the end (address sanitizer). */
    for (size_t length = 0; length < size; length++) {
        char *cut = malloc(length + !length);
        memcpy(cut, text, length);
        adatom_episodes *parsed = NULL;
        ck_assert_int_eq(adatom_episodes_parse(ctx, "cut", cut, length, &equal, &parsed), ADATOM_BAD_DATA);
        ck_assert_ptr_null(parsed);
        free(cut);
    }
    ad_free(text);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_repeated_without_replacement) {
    adatom_episodes_params params = small;
    params.without_replacement = true;
    params.query = 8;
    adatom_episodes *list = draw(&equal, params);
    size_t size = 0;
    char *text = save_and_read(list, &size);
    json_t *json = json_loadb(text, size, 0, NULL), *episodes = json_object_get(json, "episodes");
    json_array_set(episodes, 2, json_array_get(episodes, 1));
    check_damage(text, size, &equal, "episodes", json_incref(episodes), "without replacement");
    json_decref(json);
    ad_free(text);
    adatom_episodes_destroy(&list);
}
END_TEST

START_TEST(test_allocation_failures) {
    adatom_episodes *list = draw(&equal, small), *made = NULL;
    size_t size = 0;
    char *text = save_and_read(list, &size);
    adatom_status status = ADATOM_FAILED;
    int failures = 0;
    for (long n = 0; status != ADATOM_OK; n++, failures++) {
        ad_test_fail_allocation(n);
        status = adatom_episodes_create(ctx, &equal, &small, &made);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK ? made != NULL : status == ADATOM_OUT_OF_MEMORY && !made);
    }
    ck_assert_int_gt(failures, 5);
    adatom_episodes_destroy(&made);
    status = ADATOM_FAILED;
    for (long n = 0; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_episodes_parse(ctx, "list", text, size, &equal, &made);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK ? made != NULL : status == ADATOM_OUT_OF_MEMORY && !made);
    }
    adatom_episodes_destroy(&made);
    adatom_episodes_destroy(&list);
    ad_free(text);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("episodes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_defaults);
    tcase_add_test(tests, test_same_seed_same_episodes);
    tcase_add_test(tests, test_shots_and_tasks_are_prefixes);
    tcase_add_test(tests, test_draws_are_uniform);
    tcase_add_test(tests, test_without_replacement);
    tcase_add_test(tests, test_refusals);
    tcase_add_test(tests, test_file_round_trip);
    tcase_add_test(tests, test_damaged_files);
    tcase_add_test(tests, test_repeated_without_replacement);
    tcase_add_test(tests, test_allocation_failures);
    Suite *suite = suite_create("episodes");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

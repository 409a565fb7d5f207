/* builtin:shapes: splits, determinism, and that it is neither trivial nor hopeless. */
#include "data_files.h"

START_TEST(splits_share_no_class) {
    static const struct {
        const char *spec;
        int classes;
    } splits[] = {
        {"builtin:shapes/base", 64}, {"builtin:shapes/val", 16}, {"builtin:shapes/novel", 24}, {"builtin:shapes", 104}};
    adatom_dataset *sets[4];
    for (int k = 0; k < 4; k++) {
        sets[k] = open_well(
            splits[k].spec,
            &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 16, .builtin_per_class = 2});
        ck_assert_int_eq(describe(sets[k]).classes, splits[k].classes);
        ck_assert_uint_eq(describe(sets[k]).images, 2 * (size_t)splits[k].classes);
    }
    const char *all = NULL, *name = NULL, *before = "";
    size_t first = 0, count = 0;
    for (int c = 0; c < 104; c++) {
        ck_assert_int_eq(adatom_dataset_class(sets[3], c, &all, &first, &count), ADATOM_OK);
        ck_assert_msg(strcmp(before, all) < 0, "'%s' after '%s'", all, before);
        before = all;
        int found = 0;
        for (int k = 0; k < 3; k++) {
            for (int i = 0; i < splits[k].classes; i++) {
                size_t there = 0;
                ck_assert_int_eq(adatom_dataset_class(sets[k], i, &name, &there, &count), ADATOM_OK);
                if (strcmp(name, all)) continue;
                found++; /* and its pictures don't depend on the split */
                ck_assert_mem_eq(adatom_dataset_pixels(sets[k], there), adatom_dataset_pixels(sets[3], first),
                                 2 * 16 * 16 * 3);
            }
        }
        ck_assert_int_eq(found, 1);
    }
    for (int k = 0; k < 4; k++) adatom_dataset_destroy(&sets[k]);
}
END_TEST

START_TEST(same_pictures_everywhere) {
    /* The hash is part of the contract: saved episode lists name it. */
    adatom_dataset *d = open_well(
        "builtin:shapes/novel",
        &(adatom_dataset_params){
            .size = sizeof(adatom_dataset_params), .image_size = 33, .builtin_per_class = 3, .seed = 7, .threads = 1});
    adatom_dataset *e = open_well("builtin:shapes", &(adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                                                             .image_size = 33,
                                                                             .builtin_per_class = 3,
                                                                             .seed = 7,
                                                                             .threads = 3,
                                                                             .split = "novel"});
    adatom_dataset *f =
        open_well("builtin:shapes/novel",
                  &(adatom_dataset_params){
                      .size = sizeof(adatom_dataset_params), .image_size = 33, .builtin_per_class = 3, .seed = 8});
    ck_assert_str_eq(describe(d).hash, describe(e).hash);
    ck_assert_str_ne(describe(d).hash, describe(f).hash);
    ck_assert_str_eq(describe(d).hash, "d91db639900a0e53");
    adatom_dataset_destroy(&d);
    adatom_dataset_destroy(&e);
    adatom_dataset_destroy(&f);
}
END_TEST

/* 5-way 5-shot accuracy of the nearest mean of raw pixels. */
static double pixel_accuracy(const adatom_dataset *d, int tasks) {
    adatom_dataset_info info = describe(d);
    size_t n = (size_t)info.image_size * (size_t)info.image_size * 3;
    double *means = calloc(5 * n, sizeof *means);
    int right = 0, all = 0;
    for (int t = 0; t < tasks; t++) {
        ad_random r = ad_random_make(3, AD_STREAM_CHECK, (uint32_t)t);
        size_t first[5], count;
        const char *name;
        memset(means, 0, 5 * n * sizeof *means);
        for (int c = 0; c < 5; c++) {
            ck_assert_int_eq(adatom_dataset_class(d, (int)ad_random_below(&r, 4) + 4 * c, &name, &first[c], &count),
                             ADATOM_OK);
            for (size_t i = 0; i < 5; i++) {
                const uint8_t *p = adatom_dataset_pixels(d, first[c] + i);
                for (size_t k = 0; k < n; k++) means[(size_t)c * n + k] += p[k] / 5.0;
            }
        }
        for (int c = 0; c < 5; c++) {
            for (size_t i = 5; i < count; i++) {
                const uint8_t *p = adatom_dataset_pixels(d, first[c] + i);
                int best = 0;
                double least = 1e300;
                for (int g = 0; g < 5; g++) {
                    double distance = 0;
                    for (size_t k = 0; k < n; k++)
                        distance += (p[k] - means[(size_t)g * n + k]) * (p[k] - means[(size_t)g * n + k]);
                    if (distance < least) {
                        least = distance;
                        best = g;
                    }
                }
                right += best == c;
                all++;
            }
        }
    }
    free(means);
    return (double)right / all;
}

START_TEST(pixels_alone_tell_little) {
    adatom_dataset *d = open_well(
        "builtin:shapes/novel",
        &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 32, .builtin_per_class = 20});
    double accuracy = pixel_accuracy(d, 100);
    ck_assert_double_gt(accuracy, 0.18);
    ck_assert_double_lt(accuracy, 0.35);
    adatom_dataset_destroy(&d);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("shapes");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, splits_share_no_class);
    tcase_add_test(tests, same_pictures_everywhere);
    tcase_add_test(tests, pixels_alone_tell_little);
    Suite *suite = suite_create("data: shapes");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

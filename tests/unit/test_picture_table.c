/* Pictures in memory become the data set that files of the same pixels become. */
#include "tests/support/hooks.h"
#include "tests/unit/data_files.h"

enum { PICTURES = 12, CLASSES = 3, LARGEST = 40 * 33 * 4 };

static uint8_t pixels[PICTURES][LARGEST];
static int widths[PICTURES], heights[PICTURES], channels[PICTURES];
static const uint8_t *rows[PICTURES];
static int64_t labels[PICTURES];
static const char *const classes[] = {"apple", "\xD8\xAA\xD9\x81\xD8\xA7\xD8\xAD", "never", "\xE8\x8B\xB9\xE6\x9E\x9C"};

/* Pictures of all channels, sizes and classes, in memory and as files CLASS/ROW.pam. */
static adatom_picture_table make_pictures(void) {
    ad_random random = ad_random_make(9, AD_STREAM_CHECK, 0);
    for (int i = 0; i < PICTURES; i++) {
        char bytes[LARGEST + 200], path[64];
        widths[i] = i == 5 ? 16 : 1 + (int)ad_random_below(&random, 40);
        heights[i] = i == 5 ? 16 : 1 + (int)ad_random_below(&random, 33);
        channels[i] = 1 + i % 4;
        labels[i] = (int64_t[]){3, 0, 1}[i * 7 % CLASSES];
        rows[i] = pixels[i];
        const size_t size = (size_t)(widths[i] * heights[i] * channels[i]);
        for (size_t p = 0; p < size; p++) pixels[i][p] = (uint8_t)ad_random_below(&random, 256);
        static const char *const types[] = {"GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};
        const int header = sprintf(bytes, "P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n",
                                   widths[i], heights[i], channels[i], types[channels[i] - 1]);
        memcpy(bytes + header, pixels[i], size);
        snprintf(path, sizeof path, "set/%s/%02d.pam", classes[labels[i]], i);
        put_file(path, bytes, (size_t)header + size);
    }
    return (adatom_picture_table){.size = sizeof(adatom_picture_table),
                                  .rows = PICTURES,
                                  .pixels = rows,
                                  .widths = widths,
                                  .heights = heights,
                                  .channels = channels,
                                  .labels = labels,
                                  .classes = classes,
                                  .class_count = 4};
}

START_TEST(as_files) {
    const adatom_picture_table table = make_pictures();
    const adatom_dataset_params params = {.size = sizeof params,
                                          .image_size = 16,
                                          .resize = _i ? 20 : 0,
                                          .background = _i ? "102030" : NULL,
                                          .interpolation =
                                              _i == 2 ? ADATOM_INTERPOLATION_BICUBIC : ADATOM_INTERPOLATION_DEFAULT,
                                          .threads = 1 + _i};
    adatom_dataset *memory = NULL, *files = NULL;
    ck_assert_msg(adatom_dataset_create(ctx, &table, &params, &memory) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ck_assert_int_eq(adatom_dataset_open(ctx, in_test("set"), &params, &files), ADATOM_OK);
    adatom_dataset_info a = ADATOM_INIT(adatom_dataset_info), b = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(memory, &a);
    adatom_dataset_describe(files, &b);
    ck_assert_str_eq(a.hash, b.hash);
    ck_assert_str_eq(a.background, b.background);
    ck_assert_int_eq(a.classes, CLASSES);
    ck_assert_uint_eq(a.images, PICTURES);
    ck_assert_mem_eq(adatom_dataset_pixels(memory, 0), adatom_dataset_pixels(files, 0), PICTURES * 16 * 16 * 3);
    for (int c = 0; c < CLASSES; c++) {
        const char *x = NULL, *y = NULL;
        size_t first = 0, count = 0, first_of_files = 0, count_of_files = 0;
        ck_assert_int_eq(adatom_dataset_class(memory, c, &x, &first, &count), ADATOM_OK);
        ck_assert_int_eq(adatom_dataset_class(files, c, &y, &first_of_files, &count_of_files), ADATOM_OK);
        ck_assert_str_eq(x, y);
        ck_assert_uint_eq(first, first_of_files);
        ck_assert_uint_eq(count, count_of_files);
    }
    ck_assert_str_eq(adatom_dataset_path(memory, 0), "row 1");
    adatom_dataset_destroy(&memory);
    adatom_dataset_destroy(&files);
}
END_TEST

/* Without labels there is one class; without channels pictures are RGB; without parameters they become 84 x 84. */
START_TEST(defaults) {
    adatom_picture_table table = make_pictures();
    static const char *const names[] = {"a", "b"};
    const uint8_t *two[] = {pixels[6], pixels[2]};
    const int size[] = {widths[6], widths[2]}, high[] = {heights[6], heights[2]};
    adatom_dataset *d = NULL;
    table = (adatom_picture_table){
        .size = sizeof table, .rows = 2, .pixels = two, .widths = size, .heights = high, .names = names, .name = "two"};
    ck_assert_int_eq(adatom_dataset_create(ctx, &table, NULL, &d), ADATOM_OK);
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(d, &info);
    ck_assert_int_eq(info.classes, 1);
    ck_assert_int_eq(info.image_size, 84);
    ck_assert_str_eq(info.name, "two");
    ck_assert_str_eq(adatom_dataset_path(d, 1), "b");
    adatom_dataset_destroy(&d);
}
END_TEST

static void refused(adatom_picture_table table, adatom_status expected, const char *sentence) {
    adatom_dataset *d = NULL;
    const adatom_dataset_params params = {.size = sizeof params, .image_size = 8, .max_pixels = 2000};
    const adatom_status status = adatom_dataset_create(ctx, &table, &params, &d);
    ck_assert_msg(status == expected, "%s: %s", sentence, adatom_status_name(status));
    ck_assert_ptr_null(d);
    ck_assert_msg(strstr(adatom_context_message(ctx), sentence) != NULL, "'%s' is not in '%s'", sentence,
                  adatom_context_message(ctx));
}

START_TEST(refusals) {
    const adatom_picture_table good = make_pictures();
    adatom_picture_table t = good;
    t.rows = 0;
    refused(t, ADATOM_USAGE, "0 pictures: 1 to");
    t = good;
    t.widths = NULL;
    refused(t, ADATOM_USAGE, "12 pictures without pixels or sizes");
    t = good;
    t.labels = NULL;
    refused(t, ADATOM_USAGE, "names of 4 classes and no labels");
    t = good;
    t.class_count = 3;
    refused(t, ADATOM_BAD_DATA, "has the label 3, and there are names of only 3 classes");
    channels[7] = 5;
    refused(good, ADATOM_USAGE, "row 7 (counted from 0) has 5 channels");
    channels[7] = 4;
    rows[4] = NULL;
    refused(good, ADATOM_USAGE, "row 4 (counted from 0) has no pixels");
    rows[4] = pixels[4];
    widths[4] = 0;
    refused(good, ADATOM_BAD_DATA, "the picture of row 4 (counted from 0) is 0 x ");
    widths[4] = 2001;
    refused(good, ADATOM_BAD_DATA, "more than the 2000 accepted");
    widths[4] = 1;
    labels[2] = -1;
    refused(good, ADATOM_BAD_DATA, "row 2 (counted from 0) has the label -1");
}
END_TEST

START_TEST(allocation_failures) {
    const adatom_picture_table table = make_pictures();
    const adatom_dataset_params params = {.size = sizeof params, .image_size = 8, .threads = 1};
    adatom_status status = ADATOM_FAILED;
    adatom_dataset *d = NULL;
    long n = 0;
    for (; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_dataset_create(ctx, &table, &params, &d);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK ? d != NULL : status == ADATOM_OUT_OF_MEMORY && !d);
    }
    ck_assert_int_gt(n, PICTURES);
    adatom_dataset_destroy(&d);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pictures in memory");
    TCase *cases = tcase_create("pictures in memory");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_loop_test(cases, as_files, 0, 3);
    tcase_add_test(cases, defaults);
    tcase_add_test(cases, refusals);
    tcase_add_test(cases, allocation_failures);
    suite_add_tcase(suite, cases);
    return run_suite(suite, CK_FORK);
}

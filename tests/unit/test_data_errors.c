/* Data that can't be read: one sentence, nothing leaked, nothing half done. */
#include "data_files.h"
#include "tests/support/hooks.h"

static const adatom_dataset_params small = {.size = sizeof(adatom_dataset_params), .image_size = 4, .threads = 2};

START_TEST(missing_or_strange_specs) {
    open_badly(in_test("nowhere"), &small, ADATOM_BAD_DATA, "nowhere");
    open_badly("", &small, ADATOM_USAGE, "no data set");
    open_badly("/dev/null", &small, ADATOM_BAD_DATA, "neither a folder nor a file");
    put_text("page.zip", "  <!DOCTYPE html>\n<html><body>404</body></html>");
    open_badly(in_test("page.zip"), &small, ADATOM_BAD_DATA, "is an HTML page, not a");
    put_text("empty.tar", "");
    open_badly(in_test("empty.tar"), &small, ADATOM_BAD_DATA, "is an empty file");
    put_text("text", "hello");
    open_badly(in_test("text"), &small, ADATOM_BAD_DATA, "is a text file");
    put_text("none/a/readme.txt", "nothing to see");
    open_badly(in_test("none"), &small, ADATOM_BAD_DATA, "holds no pictures (looked for JPEG");
    put_picture("flat/1.ppm", 4, 4, 0);
    open_badly(in_test("flat"), &small, ADATOM_BAD_DATA, "put those of each class into a folder");
    open_badly("builtin:nothing", &small, ADATOM_BAD_DATA, "builtin:shapes");
    open_badly("builtin:shapes/none", &small, ADATOM_BAD_DATA, "base, val, novel");
    open_badly("builtin:shapes/base", &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .split = "val"},
               ADATOM_USAGE, "contradict");
    open_badly(in_test("flat"), &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 5000},
               ADATOM_USAGE, "5000");
    open_badly(in_test("flat"), &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .threads = -1},
               ADATOM_USAGE, "-1 threads");
}
END_TEST

START_TEST(pictures_that_do_not_decode) {
    put_picture("d/a/1.ppm", 4, 4, 0);
    put_text("d/b/2.jpg", "<html><head></head></html>");
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "'b/2.jpg' in ");
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "is an HTML page, not an image");
    const char *files[] = {"d/a/1.ppm", "d/b/2.jpg"};
    put_archive("d.tar.gz", "tar.gz", files, 2);
    open_badly(in_test("d.tar.gz"), &small, ADATOM_BAD_DATA, "'d/b/2.jpg' in ");
    put_text("d/b/2.jpg", "");
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "is empty");
    put_text("d/b/2.jpg", "version https://git-lfs.github.com/spec/v1\n");
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "a Git LFS pointer");
    put_text("d/b/2.jpg", "\xFF\x0Ajxl");
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "a JPEG XL picture, not an image of a kind that is read");
    put_text("d/b/2.jpg", "P6\n60000 60000\n255\nxxxx"); /* 3.6 thousand million pixels, it says */
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "60000 x 60000 pixels, more than the 67108864 accepted");
    put_text("d/b/2.jpg", "P6\n8 8\n255\nxxxx");
    open_badly(in_test("d"), &small, ADATOM_BAD_DATA, "'b/2.jpg'");
    put_picture("d/b/2.jpg", 9, 9, 0);
    open_badly(in_test("d"),
               &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .max_pixels = 80},
               ADATOM_BAD_DATA, "9 x 9 pixels, more than the 80");
}
END_TEST

START_TEST(lists_that_do_not_fit) {
    put_picture("m/p1.ppm", 4, 4, 1);
    put_picture("m/x/p2.ppm", 4, 4, 2);
    put_picture("m/y/p2.ppm", 4, 4, 2);
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "is an empty file: the first line must name"},
        {"<html></html>", "is an HTML page: the first line must name"},
        {"file,class\np1.ppm,a\n", "columns 'filename' and 'label'"},
        {"filename,label\n", "lists no pictures"},
        {"filename,label\np1.ppm,a\np1.ppm\n", "line 3: 'p1.ppm' has no label"},
        {"filename,label\np1.ppm,\n", "line 2: 'p1.ppm' has no label"},
        {"filename,label\n,a\n", "line 2: there is no file name"},
        {"filename,label\n\"p1.ppm,a\n", "line 2: a quoted field"},
        {"filename,label\n\"p1\"x,a\n", "line 2: a quoted field"},
        {"filename,label\np1.ppm,a\np7.ppm,a\n", "line 3: picture 'p7.ppm' is not in"},
        {"filename,label\np1.ppm,a\n\np1.ppm,b\n", "line 4: 'p1.ppm' is already listed in line 2"},
        {"filename,label\np2.ppm,a\n", "could be 'x/p2.ppm' or 'y/p2.ppm'"},
    };
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        put_text("m/list.csv", cases[i].text);
        open_badly(in_test("m/list.csv"), &small, ADATOM_BAD_DATA, cases[i].message);
    }
    put_file("m/list.csv", "filename,label\0", 15);
    open_badly(in_test("m/list.csv"), &small, ADATOM_BAD_DATA, "not a CSV list");
    open_badly(in_test("m/list.csv"),
               &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .csv = "other.csv"}, ADATOM_USAGE,
               "other.csv");
    open_badly(in_test("m"),
               &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .csv = in_test("none.csv")},
               ADATOM_BAD_DATA, "none.csv");
}
END_TEST

static const char *const members[] = {"d/a/1.ppm", "d/a/2.ppm", "d/b/1.ppm", "d/b/2.ppm", "d/zlicence"};

static void put_members(void) {
    char licence[1500];
    memset(licence, 'x', sizeof licence);
    put_file("d/zlicence", licence, sizeof licence);
    for (size_t i = 0; i + 1 < AD_COUNT(members); i++) put_picture(members[i], 4, 4, 0x010305u * (unsigned)(i + 1));
}

START_TEST(truncated_archives) {
    put_members();
    const char *kinds[] = {"zip", "tar", "tar.gz", "tar.xz"};
    for (size_t k = 0; k < AD_COUNT(kinds); k++) {
        put_archive("whole", kinds[k], members, AD_COUNT(members));
        char *bytes = NULL;
        size_t size = 0;
        ck_assert_int_eq(ad_read_file(ctx, in_test("whole"), SIZE_MAX, &bytes, &size), ADATOM_OK);
        /* A tar ends in zeros, of which only the first blocks count: cut before them. */
        size_t end = size;
        if (!strcmp(kinds[k], "tar")) {
            while (bytes[end - 1] == 0) end--;
            end = (end + 511) / 512 * 512 + 1;
        }
        size_t step = strcmp(kinds[k], "tar") ? 1 + end / 150
                                              : 128; /* between members, too: nothing is missing there but the end */
        for (size_t cut = 0; cut <= end - 1; cut += step) {
            put_file("cut", bytes, cut);
            adatom_dataset *d = NULL;
            adatom_status status = adatom_dataset_open(ctx, in_test("cut"), &small, &d);
            ck_assert_msg(status == ADATOM_BAD_DATA && !d, "%s of %zu bytes cut to %zu: %s", kinds[k], size, cut,
                          adatom_status_name(status));
            ck_assert_str_ne(adatom_context_message(ctx), "");
        }
        ad_free(bytes);
    }
    const char *twice[] = {"d/a/1.ppm", "d/a/1.ppm"};
    put_archive("twice.tar", "tar", twice, 2);
    open_badly(in_test("twice.tar"), &small, ADATOM_BAD_DATA, "holds 'd/a/1.ppm' twice");
}
END_TEST

static bool stop(void *user, const adatom_progress *now) {
    (void)user;
    (void)now;
    return false;
}

START_TEST(interrupted) {
    put_members();
    adatom_dataset_params params = small;
    params.progress = stop;
    open_badly(in_test("d"), &params, ADATOM_INTERRUPTED, "interrupted");
    open_badly("builtin:shapes", &params, ADATOM_INTERRUPTED, "interrupted");
    adatom_context_interrupt(ctx); /* no call runs */
    adatom_dataset *d = open_well(in_test("d"), &small);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(out_of_memory_anywhere) {
    put_members();
    put_text("d/list.csv", "filename,label\na/1.ppm,x\nb/2.ppm,y\n");
    put_archive("d.tar.gz", "tar.gz", members, AD_COUNT(members));
    const char *specs[] = {"d", "d.tar.gz", "d/list.csv", "builtin"};
    for (size_t k = 0; k < AD_COUNT(specs); k++) {
        char spec[128];
        snprintf(spec, sizeof spec, "%s", strcmp(specs[k], "builtin") ? in_test(specs[k]) : "builtin:shapes/val");
        adatom_dataset_params params = {
            .size = sizeof(adatom_dataset_params), .image_size = 3, .threads = 2, .builtin_per_class = 1};
        long failures = 0;
        for (long n = 0;; n++) {
            adatom_dataset *d = NULL;
            ad_test_fail_allocation(n);
            adatom_status status = adatom_dataset_open(ctx, spec, &params, &d);
            ad_test_fail_allocation(-1);
            if (status == ADATOM_OK) {
                adatom_dataset_destroy(&d);
                break;
            }
            ck_assert_msg(status == ADATOM_OUT_OF_MEMORY, "%s, allocation %ld: %s: %s", spec, n,
                          adatom_status_name(status), adatom_context_message(ctx));
            ck_assert_ptr_null(d);
            ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "memory"));
            failures++;
        }
        ck_assert_int_gt(failures, 5);
    }
    for (long n = 0, problems = 1; problems; n++) {
        size_t found = 0;
        ad_test_fail_allocation(n);
        adatom_status status = adatom_dataset_verify(
            ctx, in_test("d.tar.gz"), &(adatom_verify_params){.size = sizeof(adatom_verify_params), .dataset = &small},
            &found);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK || status == ADATOM_OUT_OF_MEMORY);
        problems = status != ADATOM_OK;
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("errors");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, missing_or_strange_specs);
    tcase_add_test(tests, pictures_that_do_not_decode);
    tcase_add_test(tests, lists_that_do_not_fit);
    tcase_add_test(tests, truncated_archives);
    tcase_add_test(tests, interrupted);
    tcase_add_test(tests, out_of_memory_anywhere);
    Suite *suite = suite_create("data: errors");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

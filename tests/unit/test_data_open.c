/* Data sets from folders, lists and archives; their cache; verify. */
#include "data_files.h"

#include <fcntl.h>
#include <sys/time.h>

static const adatom_dataset_params small = {.size = sizeof(adatom_dataset_params), .image_size = 4, .threads = 2};

static const char *const tree[] = {"set/train/cat/2.ppm", "set/train/cat/10.ppm", "set/train/dog/a.ppm",
                                   "set/train/ant/x.PPM", "set/train/ant/y.ppm"};

static void put_tree(void) {
    for (size_t i = 0; i < AD_COUNT(tree); i++) put_picture(tree[i], 4, 4, 0x102030u * (unsigned)(i + 1));
}

static void check_class(const adatom_dataset *d, int c, const char *wanted_name, size_t wanted_first,
                        size_t wanted_count) {
    const char *name = NULL;
    size_t first = 0, count = 0;
    ck_assert_int_eq(adatom_dataset_class(d, c, &name, &first, &count), ADATOM_OK);
    ck_assert_str_eq(name, wanted_name);
    ck_assert_uint_eq(first, wanted_first);
    ck_assert_uint_eq(count, wanted_count);
}

START_TEST(folder_per_class) {
    put_tree();
    put_picture("set/train/cat/._10.ppm", 4, 4, 0);
    put_picture("set/__MACOSX/cat/10.ppm", 4, 4, 0);
    put_text("set/README.txt", "not a picture");
    put_text("set/Thumbs.db", "junk");
    adatom_dataset *d = open_well(in_test("set"), &small);
    adatom_dataset_info info = describe(d);
    ck_assert_int_eq(info.classes, 3);
    ck_assert_int_eq(info.image_size, 4);
    ck_assert_uint_eq(info.images, 5);
    ck_assert_str_eq(info.name, in_test("set"));
    check_class(d, 0, "ant", 0, 2);
    check_class(d, 1, "cat", 2, 2);
    check_class(d, 2, "dog", 4, 1);
    ck_assert_str_eq(adatom_dataset_path(d, 2), "train/cat/10.ppm");
    const uint8_t wanted[3] = {0x20, 0x40, 0x60}; /* of cat/10, the second written */
    ck_assert_mem_eq(adatom_dataset_pixels(d, 2), wanted, 3);
    ck_assert_ptr_eq(adatom_dataset_pixels(d, 2), adatom_dataset_pixels(d, 0) + 2 * 4 * 4 * 3);
    ck_assert_ptr_null(adatom_dataset_pixels(d, 5));
    ck_assert_ptr_null(adatom_dataset_path(d, 5));
    const char *name = NULL;
    size_t first = 0, count = 0;
    ck_assert_int_eq(adatom_dataset_class(d, 3, &name, &first, &count), ADATOM_USAGE);
    ck_assert_int_eq(warnings, 0);
    adatom_dataset_destroy(&d);
    ck_assert_ptr_null(d);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(pictures_beside_the_classes_are_left_out) {
    put_tree();
    put_picture("set/logo.ppm", 4, 4, 0);
    put_picture("set/train/montage.ppm", 4, 4, 0);
    adatom_dataset *d = open_well(in_test("set"), &small);
    ck_assert_uint_eq(describe(d).images, 5);
    check_class(d, 0, "ant", 0, 2);
    ck_assert_int_eq(warnings, 1);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(pictures_of_other_kinds_are_left_out) {
    put_tree();
    put_text("set/train/cat/4.jxl", "RIFF....WEBP");
    adatom_dataset *d = open_well(in_test("set"), &small);
    ck_assert_uint_eq(describe(d).images, 5);
    ck_assert_int_eq(warnings, 1);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(one_class) {
    put_picture("set/train/cat/1.ppm", 4, 4, 0);
    adatom_dataset *d = open_well(in_test("set"), &small);
    check_class(d, 0, "cat", 0, 1);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(links_back_end_the_walk) {
    put_tree();
    ck_assert_int_eq(symlink("..", in_test("set/train/cat/up")), 0);
    ck_assert_int_eq(symlink("nowhere", in_test("set/train/cat/lost.ppm")), 0);
    adatom_dataset *d = open_well(in_test("set"), &small);
    ck_assert_uint_eq(describe(d).images, 5);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(alphabets_and_characters) {
    put_picture("o/images/Greek/character01/1.ppm", 4, 4, 1);
    put_picture("o/images/Greek/character02/1.ppm", 4, 4, 2);
    put_picture("o/images/Latin/character01/1.ppm", 4, 4, 3);
    adatom_dataset *d = open_well(in_test("o"), &small);
    check_class(d, 0, "Greek/character01", 0, 1);
    check_class(d, 1, "Greek/character02", 1, 1);
    check_class(d, 2, "Latin/character01", 2, 1);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(archives_are_the_same_as_folders) {
    put_tree();
    adatom_dataset *folder = open_well(in_test("set"), &small);
    const char *kinds[] = {"zip", "tar", "tar.gz", "tar.xz"};
    for (size_t k = 0; k < AD_COUNT(kinds); k++) {
        char name[32];
        snprintf(name, sizeof name, "archive.%s", kinds[k]);
        put_archive(name, kinds[k], tree, AD_COUNT(tree));
        adatom_dataset *d = open_well(in_test(name), &small);
        ck_assert_str_eq(describe(d).hash, describe(folder).hash);
        ck_assert_str_eq(adatom_dataset_path(d, 2), "set/train/cat/10.ppm");
        adatom_dataset_destroy(&d);
    }
    adatom_dataset_destroy(&folder);
}
END_TEST

START_TEST(archives_can_be_read_twice) {
    /* What wasn't kept while listing comes from a second pass; asking for an earlier one starts over. */
    put_tree();
    put_archive("a.tar.gz", "tar.gz", tree, AD_COUNT(tree));
    ad_source kept, again;
    ck_assert_int_eq(ad_source_open(ctx, in_test("a.tar.gz"), &kept), ADATOM_OK);
    ck_assert_int_eq(ad_source_scan(&kept, SIZE_MAX), ADATOM_OK);
    ck_assert_int_eq(ad_source_open(ctx, in_test("a.tar.gz"), &again), ADATOM_OK);
    ck_assert_int_eq(ad_source_scan(&again, 60), ADATOM_OK);
    ck_assert_uint_eq(kept.count, AD_COUNT(tree));
    ck_assert_uint_eq(again.count, AD_COUNT(tree));
    ck_assert_ptr_nonnull(again.entries[0].bytes);
    ck_assert_ptr_null(again.entries[2].bytes);
    const size_t order[] = {0, 2, 4, 1, 3};
    for (size_t k = 0; k < AD_COUNT(order); k++) {
        char *a = NULL, *b = NULL;
        size_t a_size = 0, b_size = 0;
        ck_assert_int_eq(ad_source_read(&kept, order[k], &a, &a_size), ADATOM_OK);
        ck_assert_int_eq(ad_source_read(&again, order[k], &b, &b_size), ADATOM_OK);
        ck_assert_uint_gt(a_size, 0);
        ck_assert_uint_eq(a_size, b_size);
        ck_assert_mem_eq(a, b, a_size);
        ad_free(a);
        ad_free(b);
    }
    ad_source_close(&kept);
    ad_source_close(&again);
}
END_TEST

START_TEST(csv_beside_or_over_images) {
    put_picture("m/images/p1.ppm", 4, 4, 1);
    put_picture("m/images/p2.ppm", 4, 4, 2);
    put_picture("m/images/p3.ppm", 4, 4, 3);
    put_text("m/train.csv", "filename,label\np2.ppm,n02\np1.ppm,n01\n");
    put_text("m/val.csv", "\xEF\xBB\xBF"
                          "label,note,filename\r\n\"n\"\"03\",\"a,b\",images/p3.ppm\r\n\r\n");
    adatom_dataset *d = open_well(in_test("m/train.csv"), &small);
    ck_assert_uint_eq(describe(d).images, 2);
    check_class(d, 0, "n01", 0, 1);
    check_class(d, 1, "n02", 1, 1);
    ck_assert_str_eq(adatom_dataset_path(d, 0), "p1.ppm");
    adatom_dataset *by_split =
        open_well(in_test("m"),
                  &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .split = "train"});
    ck_assert_str_eq(describe(d).hash, describe(by_split).hash);
    adatom_dataset_destroy(&d);
    adatom_dataset_destroy(&by_split);
    d = open_well(in_test("m"),
                  &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .split = "val"});
    check_class(d, 0, "n\"03", 0, 1);
    adatom_dataset_destroy(&d);
    open_badly(in_test("m"), &small, ADATOM_BAD_DATA, "choose with a split");
    open_badly(in_test("m"),
               &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .split = "test"},
               ADATOM_BAD_DATA, "'test.csv'");
    ck_assert_int_eq(unlink(in_test("m/val.csv")), 0);
    d = open_well(in_test("m"), &small); /* the only list */
    ck_assert_uint_eq(describe(d).images, 2);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(csv_over_an_archive) {
    put_tree();
    put_archive("a.zip", "zip", tree, AD_COUNT(tree));
    put_text("list.csv", "filename,label\n10.ppm,x\ndog/a.ppm,y\n");
    adatom_dataset *d = open_well(
        in_test("a.zip"),
        &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .csv = in_test("list.csv")});
    check_class(d, 0, "x", 0, 1);
    check_class(d, 1, "y", 1, 1);
    ck_assert_str_eq(adatom_dataset_path(d, 1), "set/train/dog/a.ppm");
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(split_folders) {
    put_picture("s/train/a/1.ppm", 4, 4, 1);
    put_picture("s/test/b/1.ppm", 4, 4, 2);
    put_picture("s/test/c/1.ppm", 4, 4, 3);
    adatom_dataset *d =
        open_well(in_test("s"),
                  &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .split = "test"});
    ck_assert_int_eq(describe(d).classes, 2);
    check_class(d, 0, "b", 0, 1);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(threads_change_nothing) {
    for (unsigned i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "t/%u/%02u.ppm", i % 3, i);
        put_picture(name, 5 + (int)i % 7, 9, 0x030507u * i);
    }
    char first[17];
    for (int threads = 1; threads <= 4; threads++) {
        adatom_dataset *d = open_well(
            in_test("t"),
            &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 6, .threads = threads});
        if (threads == 1) strcpy(first, describe(d).hash);
        ck_assert_str_eq(describe(d).hash, first);
        adatom_dataset_destroy(&d);
    }
}
END_TEST

/* --- cache
 * ------------------------------------------------------------------------------------------------------------ */

static size_t progress_calls;
static bool count_progress(void *user, const adatom_progress *now) {
    (void)user;
    if (now->poll) return true;
    ck_assert_int_eq(now->phase, ADATOM_PHASE_DECODING);
    ck_assert_uint_le(now->done, now->total);
    progress_calls++;
    return true;
}

/* Opens with the cache; returns whether the pictures were decoded. */
static bool decodes(const char *spec, const char *hash) {
    adatom_dataset_params params = {.size = sizeof(adatom_dataset_params),
                                    .image_size = 4,
                                    .cache_dir = in_test("deep/cache"),
                                    .progress = count_progress};
    progress_calls = 0;
    adatom_dataset *d = open_well(spec, &params);
    if (hash) ck_assert_str_eq(describe(d).hash, hash);
    ck_assert_uint_eq(describe(d).images, 5);
    check_class(d, 1, "cat", 2, 2);
    adatom_dataset_destroy(&d);
    return progress_calls > 0;
}

static char cache_file[256];
static int find_cache(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    (void)where;
    if (type == FTW_F) snprintf(cache_file, sizeof cache_file, "%s", path);
    return 0;
}

START_TEST(cache_is_used_and_mended) {
    put_tree();
    adatom_dataset *d = open_well(in_test("set"), &small);
    char hash[17];
    strcpy(hash, describe(d).hash);
    adatom_dataset_destroy(&d);
    ck_assert(decodes(in_test("set"), hash));
    ck_assert(!decodes(in_test("set"), hash));
    ck_assert_int_eq(nftw(in_test("deep/cache"), find_cache, 8, FTW_PHYS), 0);
    struct stat info;
    ck_assert_int_eq(stat(cache_file, &info), 0);
    ck_assert_int_eq(warnings, 0);
    for (off_t at = 0; at < info.st_size; at += 13) { /* one wrong byte anywhere */
        int file = open(cache_file, O_RDWR);
        char byte = 0;
        ck_assert_int_eq(pread(file, &byte, 1, at), 1);
        byte ^= 0x40;
        ck_assert_int_eq(pwrite(file, &byte, 1, at), 1);
        close(file);
        ck_assert_msg(decodes(in_test("set"), hash), "byte %ld", (long)at);
        ck_assert(!decodes(in_test("set"), hash));
    }
    for (off_t size = 0; size < info.st_size; size += 97) {
        ck_assert_int_eq(truncate(cache_file, size), 0);
        ck_assert(decodes(in_test("set"), hash));
    }
    ck_assert_int_gt(warnings, 0);
    ck_assert(!decodes(in_test("set"), hash));
    put_picture(tree[1], 4, 4, 0x777777);
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, in_test(tree[1]), times, 0), 0);
    ck_assert(decodes(in_test("set"), NULL));
}
END_TEST

START_TEST(cache_that_cannot_be_written_is_a_warning) {
    put_tree();
    put_text("file", "in the way");
    adatom_dataset *d = open_well(
        in_test("set"),
        &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .cache_dir = in_test("file")});
    ck_assert_int_eq(warnings, 1);
    adatom_dataset_destroy(&d);
}
END_TEST

/* --- verify
 * ----------------------------------------------------------------------------------------------------------- */

static char reports[4096];
static void note(void *user, const char *sentence) {
    (void)user;
    strcat(strcat(reports, sentence), "\n");
}

static size_t verify(const char *spec, const adatom_dataset_params *params, size_t least) {
    size_t problems = 99;
    reports[0] = 0;
    adatom_status status = adatom_dataset_verify(
        ctx, spec,
        &(adatom_verify_params){
            .size = sizeof(adatom_verify_params), .dataset = params, .least = least, .report = note},
        &problems);
    ck_assert_msg(status == ADATOM_OK, "%s", adatom_context_message(ctx));
    return problems;
}

static void reported(const char *part) {
    ck_assert_msg(strstr(reports, part) != NULL, "'%s' is not in:\n%s", part, reports);
}

START_TEST(verify_names_every_problem) {
    put_tree();
    ck_assert_uint_eq(verify(in_test("set"), &small, 1), 0);
    put_picture("set/train/dog/b.ppm", 4, 4, 0x102030); /* as cat/2 */
    put_picture("set/train/cat/3.ppm", 4, 4, 0x102030);
    put_text("set/train/ant/bad.jpg", "<!DOCTYPE html><html>not found</html>");
    put_text("set/train/ant/new.jxl", "RIFF....WEBP");
    put_picture("set/train/Dog/c.ppm", 4, 4, 0x99);
    ck_assert_uint_eq(verify(in_test("set"), &small, 2), 6);
    reported("'train/ant/new.jxl' is a picture of a kind that is not read");
    reported("'train/ant/bad.jpg'");
    reported("an HTML page");
    reported("'train/cat/2.ppm' and 'train/cat/3.ppm' are the same file\n");
    reported("'train/cat/3.ppm' and 'train/dog/b.ppm' are the same file in different classes");
    reported("class 'Dog' has 1 picture, fewer than 2");
    reported("classes 'Dog' and 'dog' differ only in case");
}
END_TEST

START_TEST(verify_compares_list_and_files) {
    put_picture("m/images/p1.ppm", 4, 4, 1);
    put_picture("m/images/p2.ppm", 4, 4, 2);
    put_picture("m/images/p3.ppm", 4, 4, 3);
    put_text("m/list.csv", "filename,label\np1.ppm,a\np9.ppm,a\np2.ppm,b\np1.ppm,b\n");
    ck_assert_uint_eq(verify(in_test("m/list.csv"), &small, 1), 3);
    reported("line 3: picture 'p9.ppm' is not in");
    reported("line 5: 'p1.ppm' is already listed in line 2");
    reported("no row for picture 'p3.ppm'");
    size_t problems = 0;
    ck_assert_int_eq(
        adatom_dataset_verify(ctx, in_test("none"),
                              &(adatom_verify_params){
                                  .size = sizeof(adatom_verify_params), .dataset = &small, .least = 1, .report = note},
                              &problems),
        ADATOM_BAD_DATA);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("open");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, folder_per_class);
    tcase_add_test(tests, pictures_beside_the_classes_are_left_out);
    tcase_add_test(tests, pictures_of_other_kinds_are_left_out);
    tcase_add_test(tests, one_class);
    tcase_add_test(tests, links_back_end_the_walk);
    tcase_add_test(tests, alphabets_and_characters);
    tcase_add_test(tests, archives_are_the_same_as_folders);
    tcase_add_test(tests, archives_can_be_read_twice);
    tcase_add_test(tests, csv_beside_or_over_images);
    tcase_add_test(tests, csv_over_an_archive);
    tcase_add_test(tests, split_folders);
    tcase_add_test(tests, threads_change_nothing);
    tcase_add_test(tests, cache_is_used_and_mended);
    tcase_add_test(tests, cache_that_cannot_be_written_is_a_warning);
#ifndef _WIN32 /* where no two names differ in case only */
    tcase_add_test(tests, verify_names_every_problem);
#endif
    tcase_add_test(tests, verify_compares_list_and_files);
    Suite *suite = suite_create("data: open");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

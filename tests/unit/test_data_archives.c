/* Archives: names in any encoding, links, and the same data set as the folder they were made of. */
#include "data_files.h"

#include <locale.h>

static const adatom_dataset_params small = {.size = sizeof(adatom_dataset_params), .image_size = 4, .threads = 2};
static char red[64], blue[64], green[64], video[64] = "no picture";
static size_t size;

#define COMPOSED "caf\xC3\xA9"
#define DECOMPOSED "cafe\xCC\x81"
#define JAPANESE "\xE5\x86\x99\xE7\x9C\x9F"

static void check_hash(const char *a, const char *b, size_t images) {
    adatom_dataset *x = open_well(in_test(a), &small), *y = open_well(in_test(b), &small);
    ck_assert_uint_eq(describe(x).images, images);
    ck_assert_uint_eq(describe(y).images, images);
    ck_assert_str_eq(describe(x).hash, describe(y).hash);
    adatom_dataset_destroy(&x);
    adatom_dataset_destroy(&y);
}

static void put_tree_of(const char *folder, const stored *members, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, members[i].name);
        if (!members[i].link) put_file(path, members[i].content, members[i].size);
    }
}

START_TEST(names_in_utf8) {
    size = make_colours(red, blue, green);
    const stored flagged[] = {UTF8_OF("a/" JAPANESE ".ppm", red), UTF8_OF(COMPOSED "/1.ppm", blue),
                              UTF8_OF("a/" DECOMPOSED ".ppm", green), FILE_OF("a/plain.ppm", green)};
    stored plain[4];
    memcpy(plain, flagged, sizeof plain);
    for (size_t i = 0; i < 4; i++) plain[i].flags = 0;
    put_zip("flagged.zip", flagged, 4);
    put_zip("plain.zip", plain, 4);
    put_tar("plain.tar", plain, 4);
    put_tree_of("folder", plain, 4);
#ifdef _WIN32 /* whose C library has no other that has these letters */
    static const char *const locales[] = {"C"};
#else
    static const char *const locales[] = {"C", "C.UTF-8"};
#endif
    for (size_t k = 0; k < AD_COUNT(locales); k++) { /* as programs that use the library may have it */
        ck_assert_ptr_nonnull(setlocale(LC_ALL, locales[k]));
        check_hash("flagged.zip", "folder", 4);
        check_hash("plain.zip", "folder", 4);
        check_hash("plain.tar", "folder", 4);
    }
    setlocale(LC_ALL, "C");
    ck_assert_int_eq(warnings, 0);
}
END_TEST

START_TEST(names_in_two_unicode_forms) {
    size = make_colours(red, blue, green);
    const stored members[] = {UTF8_OF(COMPOSED "/1.ppm", red), UTF8_OF(DECOMPOSED "/1.ppm", blue),
                              UTF8_OF("b/1.ppm", green)};
    put_zip("set.zip", members, 3);
    put_tree_of("folder", members, 3);
    check_hash("set.zip", "folder", 3);
}
END_TEST

START_TEST(names_in_other_encodings) {
    size = make_colours(red, blue, green);
    const stored members[] = {FILE_OF("\x94L/1.ppm", red), FILE_OF("inu/\xE9t\xE9%.ppm", blue)};
    put_zip("set.zip", members, 2);
    put_tar("set.tar", members, 2);
    put_tree_of("folder", members, 2);
    check_hash("set.zip", "folder", 2);
    check_hash("set.tar", "folder", 2);
    adatom_dataset *d = open_well(in_test("set.zip"), &small);
    const char *name = NULL;
    size_t first = 0, count = 0;
    ck_assert_int_eq(adatom_dataset_class(d, 0, &name, &first, &count), ADATOM_OK);
    ck_assert_str_eq(name, "%94L");
    ck_assert_str_eq(adatom_dataset_path(d, 0), "%94L/1.ppm");
    ck_assert_str_eq(adatom_dataset_path(d, 1), "inu/%E9t%E9%25.ppm");
    adatom_dataset_destroy(&d);
    put_picture("folder/%94L/2.ppm", 2, 2, 0); /* that is how the other one is shown */
    open_badly(in_test("folder"), &small, ADATOM_BAD_DATA, "are both shown as '%94L'");
}
END_TEST

START_TEST(links_to_files) {
    size = make_colours(red, blue, green);
    const stored members[] = {LINK_OF("a/2.ppm", "ha/1.ppm"), /* before its target */
                              FILE_OF("a/1.ppm", red),
                              FILE_OF("b/1.ppm", blue),
                              LINK_OF("b/2.ppm", "s1.ppm"),
                              LINK_OF("b/3.ppm", "s../a/./2.ppm"),
                              FILE_OF("store/01ab", green), /* git-annex, DVC */
                              LINK_OF("b/4.ppm", "s../store/01ab"),
                              LINK_OF("b/5.ppm", "s4.ppm"),
                              LINK_OF("./b//6.ppm", "h./store/01ab")};
    put_tar("set.tar", members, AD_COUNT(members));
    const stored files[] = {FILE_OF("a/1.ppm", red),   FILE_OF("a/2.ppm", red),  FILE_OF("b/1.ppm", blue),
                            FILE_OF("b/2.ppm", blue),  FILE_OF("b/3.ppm", red),  FILE_OF("b/4.ppm", green),
                            FILE_OF("b/5.ppm", green), FILE_OF("b/6.ppm", green)};
    put_tree_of("folder", files, AD_COUNT(files));
    check_hash("set.tar", "folder", 8);
    /* Nothing kept in memory: each member is read once again. */
    ad_source source;
    ck_assert_int_eq(ad_source_open(ctx, in_test("set.tar"), &source), ADATOM_OK);
    ck_assert_int_eq(ad_source_scan(&source, 0), ADATOM_OK);
    ck_assert_uint_eq(source.count, 8);
    for (size_t i = 0; i < source.count; i++) {
        char *bytes = NULL;
        size_t got = 0;
        ck_assert_int_eq(ad_source_read(&source, i, &bytes, &got), ADATOM_OK);
        ck_assert_uint_eq(got, size);
        const char *path = source.entries[i].path;
        const char *wanted = path[0] == 'a' || path[2] == '3' ? red : path[2] < '3' ? blue : green;
        ck_assert_msg(!memcmp(bytes, wanted, size), "%s", path);
        ad_free(bytes);
    }
    ad_source_close(&source);
}
END_TEST

START_TEST(links_to_folders) {
    size = make_colours(red, blue, green);
    const stored members[] = {FILE_OF("store/x/1.ppm", red), FILE_OF("store/x/sub/2.ppm", blue),
                              LINK_OF("a", "sstore/x"), LINK_OF("b", "sa/sub"), FILE_OF("c/1.ppm", green)};
    put_tar("set.tar", members, AD_COUNT(members));
    put_tree_of("folder", members, AD_COUNT(members));
    ck_assert_int_eq(symlink("store/x", in_test("folder/a")), 0);
    ck_assert_int_eq(symlink("a/sub", in_test("folder/b")), 0);
    adatom_dataset *x = open_well(in_test("set.tar"), &small), *y = open_well(in_test("folder"), &small);
    ck_assert_str_eq(describe(x).hash, describe(y).hash);
    ck_assert_int_eq(describe(x).classes, describe(y).classes);
    adatom_dataset_destroy(&x);
    adatom_dataset_destroy(&y);
}
END_TEST

START_TEST(links_that_lead_nowhere) {
    size = make_colours(red, blue, green);
    const stored members[] = {FILE_OF("a/1.ppm", red),
                              FILE_OF("b/1.ppm", blue),
                              LINK_OF("a/2.ppm", "s/etc/passwd"),
                              LINK_OF("a/3.ppm", "s../../x/1.ppm"),
                              LINK_OF("a/4.ppm", "hgone.ppm"),
                              LINK_OF("a/5.ppm", "s6.ppm"),
                              LINK_OF("a/6.ppm", "s5.ppm"),
                              LINK_OF("a/7.ppm", "s7.ppm"),
                              LINK_OF("a/loop", "s.."),
                              LINK_OF("a/readme.txt", "sgone"),
                              FILE_OF("../up/1.ppm", green),
                              FILE_OF("a/1.webm", video)};
    put_tar("set.tar", members, AD_COUNT(members));
    adatom_dataset *d = open_well(in_test("set.tar"), &small);
    ck_assert_uint_eq(describe(d).images, 2);
    ck_assert_int_eq(warnings, 2);
    ck_assert_uint_eq(describe(d).passed_over, 8);
    const char *what = NULL, *example = NULL;
    size_t count = 0;
    ck_assert_int_eq(describe(d).passed_kinds, 3);
    ck_assert_int_eq(adatom_dataset_passed_over(d, 0, &what, &count, &example), ADATOM_OK);
    ck_assert_str_eq(what, "links to something that is not there");
    ck_assert_uint_eq(count, 6);
    ck_assert_str_eq(example, "a/2.ppm");
    ck_assert_int_eq(adatom_dataset_passed_over(d, 1, &what, &count, &example), ADATOM_OK);
    ck_assert_str_eq(example, "../up/1.ppm");
    ck_assert_int_eq(adatom_dataset_passed_over(d, 2, &what, &count, &example), ADATOM_OK);
    ck_assert_str_eq(example, "a/loop");
    ck_assert_int_eq(adatom_dataset_passed_over(d, 3, &what, &count, &example), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "no such kind"));
    adatom_dataset_destroy(&d);
    /* A few links that stand for very many folders. */
    stored bomb[40];
    char names[40][16], targets[40][16];
    for (int i = 0; i < 19; i++) {
        for (int k = 0; k < 2; k++) {
            snprintf(names[2 * i + k], 16, "f%02d/%d", i, k);
            snprintf(targets[2 * i + k], 16, "s../f%02d", i + 1);
            bomb[2 * i + k] = (stored)LINK_OF(names[2 * i + k], targets[2 * i + k]);
        }
    }
    bomb[38] = (stored)FILE_OF("f19/1.ppm", red);
    bomb[39] = (stored)FILE_OF("f19/2.ppm", red);
    put_tar("bomb.tar", bomb, 40);
    open_badly(in_test("bomb.tar"), &small, ADATOM_BAD_DATA, "links in");
}
END_TEST

START_TEST(packed_twice) { /* tar stores the second as a link to itself */
    size = make_colours(red, blue, green);
    const stored members[] = {FILE_OF("a/1.ppm", red), FILE_OF("b/1.ppm", blue), LINK_OF("a/1.ppm", "ha/1.ppm")};
    put_tar("set.tar", members, AD_COUNT(members));
    adatom_dataset *d = open_well(in_test("set.tar"), &small);
    ck_assert_uint_eq(describe(d).images, 2);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(archives_that_are_not_read) {
    size = make_colours(red, blue, green);
    const stored locked[] = {{.name = "a/1.ppm", .content = red, .size = size, .flags = 1}, FILE_OF("b/1.ppm", blue)};
    put_zip("locked.zip", locked, 2);
    open_badly(in_test("locked.zip"), &small, ADATOM_BAD_DATA, "is encrypted ('a/1.ppm')");
    const stored other[] = {{.name = "secret.txt", .content = red, .size = size, .flags = 1},
                            FILE_OF("a/1.ppm", red),
                            FILE_OF("b/1.ppm", blue)};
    put_zip("other.zip", other, 3);
    adatom_dataset *d = open_well(in_test("other.zip"), &small);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(folders_without_pictures) {
    size = make_colours(red, blue, green);
    const stored members[] = {FILE_OF("a/1.ppm", red), FILE_OF("b/1.ppm", blue), LINK_OF("c", "d"),
                              FILE_OF("c/readme.txt", red)};
    put_tar("set.tar", members, AD_COUNT(members));
    const adatom_dataset_params strict = {.size = sizeof(adatom_dataset_params), .image_size = 4, .refuse_empty = true};
    open_badly(in_test("set.tar"), &strict, ADATOM_BAD_DATA, "the folder 'c' in");
    adatom_dataset *d = open_well(in_test("set.tar"), &small);
    ck_assert_uint_eq(describe(d).images, 2);
    adatom_dataset_destroy(&d);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("archives");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, names_in_utf8);
    tcase_add_test(tests, names_in_two_unicode_forms);
#ifndef _WIN32 /* where every name of a file is a Unicode text, and links need a right that few have */
    tcase_add_test(tests, names_in_other_encodings);
    tcase_add_test(tests, links_to_folders);
#endif
    tcase_add_test(tests, links_to_files);
    tcase_add_test(tests, links_that_lead_nowhere);
    tcase_add_test(tests, packed_twice);
    tcase_add_test(tests, archives_that_are_not_read);
    tcase_add_test(tests, folders_without_pictures);
    Suite *suite = suite_create("data: archives");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

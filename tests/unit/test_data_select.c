/* What of a folder is taken and what is passed over: splits, lists, links, hidden and service folders, names that look
 * alike. */
#include "data_files.h"

#include <fcntl.h>

static const adatom_dataset_params small = {.size = sizeof(adatom_dataset_params), .image_size = 4, .threads = 2};

static char reports[8192];
static void note(void *user, const char *sentence) {
    (void)user;
    strcat(strcat(reports, sentence), "\n");
}

static size_t verify(const char *spec) {
    size_t problems = 99;
    reports[0] = 0;
    adatom_status status = adatom_dataset_verify(
        ctx, spec,
        &(adatom_verify_params){.size = sizeof(adatom_verify_params), .dataset = &small, .least = 1, .report = note},
        &problems);
    ck_assert_msg(status == ADATOM_OK, "%s", adatom_context_message(ctx));
    return problems;
}

static void reported(const char *part) {
    ck_assert_msg(strstr(reports, part) != NULL, "'%s' is not in:\n%s", part, reports);
}
static void warned(const char *part) {
    ck_assert_msg(strstr(last_warning, part) != NULL, "'%s' is not in '%s'", part, last_warning);
}

/* Opens and checks the number of pictures and of what was passed over. */
static void check_counts(const char *spec, size_t images, size_t passed_over, int wanted_warnings) {
    warnings = 0;
    adatom_dataset *d = open_well(spec, &small);
    ck_assert_uint_eq(describe(d).images, images);
    ck_assert_uint_eq(describe(d).passed_over, passed_over);
    ck_assert_int_eq(warnings, wanted_warnings);
    adatom_dataset_destroy(&d);
}

static unsigned colour;
static void put(const char *path) { put_picture(path, 4, 4, colour += 0x010203); }

static void put_two(void) {
    put("set/a/1.ppm");
    put("set/b/1.ppm");
}

START_TEST(service_folders) {
    static const char *const names[] = {
        "@eaDir",       "#recycle", "$RECYCLE.BIN", "lost+found", "System Volume Information", ".Trash-1000",
        ".AppleDouble", "__MACOSX", "@Recycle",     ".@__thumb",  ".ipynb_checkpoints",        "thumbs.db"};
    put_two();
    for (size_t i = 0; i < AD_COUNT(names); i++) {
        char path[64];
        snprintf(path, sizeof path, "set/a/%s/1.jpg/x.ppm", names[i]);
        put(path);
    }
    put_text("set/._b.jpg", "Mac OS X");
    check_counts(in_test("set"), 2, AD_COUNT(names) + 1, 0);
    ck_assert_uint_eq(verify(in_test("set")), 0);
    put("set/a/.hidden.ppm");
    check_counts(in_test("set"), 2, AD_COUNT(names) + 2, 1);
    warned("1 picture whose name begins with a dot");
}
END_TEST

START_TEST(links_to_nothing) {
    put_two();
    ck_assert_int_eq(symlink("/nowhere/1.jpg", in_test("set/a/2.jpg")), 0);
    ck_assert_int_eq(symlink("3.jpg", in_test("set/a/3.jpg")), 0);
    ck_assert_int_eq(symlink("/mnt/nowhere/c", in_test("set/c")), 0); /* a disk that isn't mounted */
    ck_assert_int_eq(symlink("nothing", in_test("set/a/README.txt")), 0);
    ck_assert_int_eq(symlink("../a", in_test("set/a/up")), 0);
    check_counts(in_test("set"), 2, 4, 1);
    warned("3 links to something that is not there left out");
    ck_assert_uint_eq(verify(in_test("set")), 3);
    reported("'a/2.jpg' is a link to something that is not there");
    reported("'a/3.jpg'");
    reported("'c' is a link");
    ck_assert_int_eq(symlink("gone", in_test("gone.jpg")), 0);
    mkdir(in_test("only"), 0777);
    mkdir(in_test("only/a"), 0777);
    ck_assert_int_eq(symlink("gone", in_test("only/a/1.jpg")), 0);
    open_badly(in_test("only"), &small, ADATOM_BAD_DATA, "1 link to something that is not there, 'a/1.jpg' for one");
}
END_TEST

START_TEST(folders_that_cannot_be_looked_into) {
    put_two();
    put("set/c/1.ppm");
    put("set/d/1.ppm");
    ck_assert_int_eq(chmod(in_test("set/c"), 0444), 0);
    ck_assert_int_eq(chmod(in_test("set/d"), 0), 0);
    ck_assert_int_eq(chmod(test_folder, 0755), 0);
    const bool is_root = geteuid() == 0; /* who may do everything */
    if (is_root) ck_assert_int_eq(seteuid(65534), 0);
    check_counts(in_test("set"), 2, 2, 1);
    warned("2 folders that cannot be looked into left out, 'c' for one");
    ck_assert_uint_eq(verify(in_test("set")), 2);
    reported("folder 'd' cannot be looked into: permission denied");
    if (is_root) ck_assert_int_eq(seteuid(0), 0);
    chmod(in_test("set/c"), 0755);
    chmod(in_test("set/d"), 0755);
}
END_TEST

START_TEST(pictures_by_content_only) {
    put_two();
    put_text("set/a/photo.jpg?w=640", "\x89PNG\r\n\x1a\n");
    put_text("set/a/0123abcd", "GIF89a....");
    put_text("set/a/notes", "Nothing to see.");
    put_text("set/a/list.txt", "\xFF\xD8\xFF");
    ck_assert_int_eq(mkfifo(in_test("set/a/pipe.png"), 0600), 0);
    ck_assert_int_eq(mkfifo(in_test("set/a/pipe"), 0600), 0);
    check_counts(in_test("set"), 2, 3, 2);
    ck_assert_uint_eq(verify(in_test("set")), 3);
    reported("'a/photo.jpg?w=640' is a picture, but its name does not end like one");
    reported("'a/0123abcd'");
    reported("'a/pipe.png' is a pipe, socket or device");
    static const char *const members[] = {"set/a/1.ppm", "set/b/1.ppm", "set/a/0123abcd", "set/a/notes"};
    put_archive("set.tar.gz", "tar.gz", members, AD_COUNT(members));
    check_counts(in_test("set.tar.gz"), 2, 1, 1);
}
END_TEST

START_TEST(pictures_beside_classes) {
    put_two();
    put("set/logo.ppm");
    put("set/montage.ppm");
    mkdir(in_test("set/empty"), 0777);
    mkdir(in_test("set/empty/below"), 0777);
    mkdir(in_test("set/void"), 0777);
    check_counts(in_test("set"), 2, 4, 1);
    warned("2 pictures outside the class folders left out, 'logo.ppm' for one");
    ck_assert_uint_eq(verify(in_test("set")), 4);
    reported("'montage.ppm' lies outside the class folders");
    reported("folder 'empty' holds no pictures");
    reported("folder 'void' holds no pictures");
}
END_TEST

/* The classes of a split, as one text. */
static void check_split(const char *spec, const char *split, const char *wanted) {
    char found[256] = "";
    adatom_dataset *d = open_well(
        spec, &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .split = split});
    for (int c = 0; c < describe(d).classes; c++) {
        const char *name = NULL;
        size_t first = 0, count = 0;
        ck_assert_int_eq(adatom_dataset_class(d, c, &name, &first, &count), ADATOM_OK);
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s:%zu ", name, count);
    }
    ck_assert_str_eq(found, wanted);
    adatom_dataset_destroy(&d);
}

START_TEST(classes_called_like_splits) {
    put("set/train/exam/1.ppm");
    put("set/train/test/1.ppm");
    put("set/train/test/2.ppm");
    put("set/test/exam/1.ppm");
    put("set/test/test/1.ppm");
    check_split(in_test("set"), "test", "exam:1 test:1 ");
    check_split(in_test("set"), "train", "exam:1 test:2 ");
    /* The parts below the classes. */
    put("inner/test/train/1.ppm");
    put("inner/test/test/1.ppm");
    put("inner/test/test/2.ppm");
    put("inner/cat/train/1.ppm");
    put("inner/cat/test/1.ppm");
    check_split(in_test("inner"), "test", "cat/test:1 test/test:2 ");
    /* Parts of other names: the topmost folder counts. */
    put("folds/fold1/a/1.ppm");
    put("folds/fold1/fold2/1.ppm");
    put("folds/fold2/a/1.ppm");
    put("folds/fold2/b/1.ppm");
    check_split(in_test("folds"), "fold2", "a:1 b:1 ");
    static const char *const members[] = {"set/train/exam/1.ppm", "set/train/test/1.ppm", "set/test/exam/1.ppm",
                                          "set/test/test/1.ppm"};
    put_archive("set.zip", "zip", members, 4);
    check_split(in_test("set.zip"), "test", "exam:1 test:1 ");
}
END_TEST

START_TEST(splits_inside) {
    static const char *const pairs[][2] = {{"train", "val"},          {"training", "Testing"},
                                           {"base", "novel"},         {"train2017", "val2017"},
                                           {"train_set", "test_set"}, {"images_background", "images_evaluation"}};
    for (size_t i = 0; i < AD_COUNT(pairs); i++) {
        char path[64], spec[16];
        for (int k = 0; k < 4; k++) {
            snprintf(path, sizeof path, "set%zu/data/%s/%s/1.ppm", i, pairs[i][k & 1], k & 2 ? "cat" : "dog");
            put(path);
        }
        snprintf(spec, sizeof spec, "set%zu", i);
        check_counts(in_test(spec), 4, 0, 1);
        warned("2 splits inside");
        ck_assert_uint_eq(verify(in_test(spec)), 1);
        reported("are taken as different classes; choose a split (such as --split");
        warnings = 0;
        check_split(in_test(spec), pairs[i][0], "cat:1 dog:1 ");
        ck_assert_int_eq(warnings, 0);
    }
    /* Different classes in each: told, but nothing is wrong with them. */
    put("other/base/a/1.ppm");
    put("other/novel/b/1.ppm");
    check_counts(in_test("other"), 2, 0, 1);
    ck_assert_uint_eq(verify(in_test("other")), 0);
    /* Classes that only look a little like it. */
    put("trains/train/1.ppm");
    put("trains/tram/1.ppm");
    check_counts(in_test("trains"), 2, 0, 0);
}
END_TEST

START_TEST(names_that_look_alike) {
    put("set/Caf\xC3\xA9/1.ppm");
    put("set/caf\xC3\xA9/1.ppm");
    put("set/cafe\xCC\x81/1.ppm");
    put("set/\xC3\x96l/1.ppm");
    put("set/\xC3\xB6l/1.ppm");
    put("set/oak/1.ppm");
    put("set/oak /1.ppm");
    put("set/Oak /1.ppm");
    put("set/cafe/1.ppm");
    ck_assert_uint_eq(verify(in_test("set")), 5);
    reported("are one name written in two Unicode forms (NFC and NFD)");
    reported("classes '\xC3\x96l' and '\xC3\xB6l' differ only in case");
    reported("differ only in spaces");
    reported("differ only in case and spaces");
}
END_TEST

START_TEST(lists_as_people_write_them) {
    put("m/images/photos/1.ppm");
    put("m/images/photos/2.ppm");
    put("m/images/photos/3.ppm");
    put("m/scans/1.ppm");
    put_text("m/paths.csv", "filename,label\r\n./images/photos/1.ppm,oak\r\nimages/photos/2.ppm,fir\r\n");
    check_split(in_test("m/paths.csv"), NULL, "fir:1 oak:1 ");
    put_text("m/scans.csv", "filename,label\nscans/1.ppm,oak\nimages/photos/2.ppm,fir\n");
    check_split(in_test("m/scans.csv"), NULL, "fir:1 oak:1 ");
    put_text("m/spaces.csv",
             " Filename , LABEL \nphotos/1.ppm, oak\n photos/2.ppm ,oak \t\n \n\"photos/3.ppm\" , \" oak\xC2\xA0\" \n");
    check_split(in_test("m/spaces.csv"), NULL, "oak:3 ");
    put_text("m/windows.csv", "filename,label\r\nphotos\\1.ppm,oak\r\n.\\photos\\2.ppm,fir\r\n");
    check_split(in_test("m/windows.csv"), NULL, "fir:1 oak:1 ");
    put_file("m/utf16.csv",
             "\xFF\xFE"
             "f\0i\0l\0e\0",
             10);
    open_badly(in_test("m/utf16.csv"), &small, ADATOM_BAD_DATA, "UTF-16");
    put_text("m/other.csv", "filename;label\nphotos/1.ppm;oak\n");
    open_badly(in_test("m/other.csv"), &small, ADATOM_BAD_DATA, "begins with 'filename;label'");
}
END_TEST

static int failed;
static void count_failed(void *user, const char *picture, const char *sentence) {
    (void)user;
    failed++;
    strcat(strcat(strcat(strcat(reports, picture), " | "), sentence), "\n");
}

START_TEST(single_pictures) {
    put("dir/1.ppm");
    put("dir/3.ppm");
    put_text("dir/2.ppm", "P6 nonsense");
    put("photo.jpg?w=640");
    put("README");
    put_text("bad.jpg", "");
    put_text("page.html", "<html></html>");
    put_two();
    static const char *const members[] = {"set/a/1.ppm", "set/b/1.ppm"};
    put_archive("archive.jpg", "zip", members, 2); /* an archive by its content */
    char specs[8][128];
    const char *paths[8],
        *names[] = {"photo.jpg?w=640", "bad.jpg", "dir", "README", "archive.jpg", "nowhere.png", "page.html"};
    for (size_t i = 0; i < AD_COUNT(names); i++) {
        snprintf(specs[i], sizeof specs[i], "%s", in_test(names[i]));
        paths[i] = specs[i];
    }
    adatom_dataset *d = NULL;
    adatom_dataset_params params = {.size = sizeof(adatom_dataset_params), .image_size = 4, .unreadable = count_failed};
    reports[0] = 0;
    ck_assert_int_eq(adatom_dataset_open_pictures(ctx, paths, AD_COUNT(names), &params, &d), ADATOM_OK);
    ck_assert_uint_eq(describe(d).images, 6);
    ck_assert_int_eq(failed, 4);
    reported("bad.jpg' is empty");
    reported("nowhere.png | cannot open");
    reported("page.html' is an HTML page");
    reported("dir/2.ppm | '2.ppm' in ");
    ck_assert_ptr_nonnull(strstr(adatom_dataset_path(d, 2), "dir/3.ppm"));
    /* The pixels moved along with the names. */
    adatom_dataset *one = NULL;
    const char *third = in_test("dir/3.ppm");
    ck_assert_int_eq(adatom_dataset_open_pictures(ctx, &third, 1, &params, &one), ADATOM_OK);
    ck_assert_mem_eq(adatom_dataset_pixels(d, 2), adatom_dataset_pixels(one, 0), 4 * 4 * 3);
    adatom_dataset_destroy(&one);
    adatom_dataset_destroy(&d);
    ck_assert_int_eq(adatom_dataset_open_pictures(ctx, paths + 1, 1, &params, &d), ADATOM_BAD_DATA);
    ck_assert_int_eq(adatom_dataset_open_pictures(ctx, paths + 5, 2, &params, &d), ADATOM_BAD_DATA);
    ck_assert_ptr_null(d);
    params.unreadable = NULL; /* the first fails */
    ck_assert_int_eq(adatom_dataset_open_pictures(ctx, paths, AD_COUNT(names), &params, &d), ADATOM_BAD_DATA);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("select");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, service_folders);
    tcase_add_test(tests, links_to_nothing);
    tcase_add_test(tests, folders_that_cannot_be_looked_into);
    tcase_add_test(tests, pictures_by_content_only);
    tcase_add_test(tests, pictures_beside_classes);
    tcase_add_test(tests, classes_called_like_splits);
    tcase_add_test(tests, splits_inside);
    tcase_add_test(tests, names_that_look_alike);
    tcase_add_test(tests, lists_as_people_write_them);
    tcase_add_test(tests, single_pictures);
    Suite *suite = suite_create("data: select");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

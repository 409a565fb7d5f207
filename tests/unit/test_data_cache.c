/* The cache of decoded pictures: right pixels whatever the files are called, how large or how old they are. */
#include "data_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/time.h>

/* All files have one size and one time; only their colours differ. */
static void put_old(const char *relative, unsigned colour) {
    const struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    put_picture(relative, 4, 4, colour);
    ck_assert_int_eq(utimensat(AT_FDCWD, in_test(relative), times, 0), 0);
}

static uint64_t decoded; /* pictures of the last data set that was opened; 0: it came from the cache */
static bool count_decoded(void *user, const adatom_progress *now) {
    (void)user;
    if (!now->poll) decoded = now->done;
    return true;
}

static adatom_dataset *open_cached(const char *spec) {
    decoded = 0;
    return open_well(spec, &(adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                                    .image_size = 4,
                                                    .cache_dir = in_test("cache"),
                                                    .progress = count_decoded});
}

static void check_colour(const adatom_dataset *d, size_t image, unsigned colour) {
    const uint8_t wanted[3] = {(uint8_t)(colour >> 16), (uint8_t)(colour >> 8), (uint8_t)colour};
    ck_assert_mem_eq(adatom_dataset_pixels(d, image), wanted, 3);
}

/* Opens with the cache and expects these colours of the two pictures. */
static void check_colours(const char *spec, unsigned first, unsigned second) {
    adatom_dataset *d = open_cached(spec);
    ck_assert_uint_eq(describe(d).images, 2);
    check_colour(d, 0, first);
    check_colour(d, 1, second);
    adatom_dataset_destroy(&d);
}

START_TEST(folders_that_look_alike) {
    put_old("one/a/0.ppm", 0x111111);
    put_old("one/b/0.ppm", 0x222222);
    put_old("two/a/0.ppm", 0x333333);
    put_old("two/b/0.ppm", 0x444444);
    for (int again = 0; again < 2; again++) {
        check_colours(in_test("one"), 0x111111, 0x222222);
        check_colours(in_test("two"), 0x333333, 0x444444);
    }
    ck_assert_uint_eq(decoded, 0);
}
END_TEST

START_TEST(archives_that_look_alike) {
    static const char *const files[] = {"a/0.ppm", "b/0.ppm"};
    mkdir(in_test("x"), 0777);
    mkdir(in_test("y"), 0777);
    const struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    for (unsigned k = 0; k < 2; k++) {
        const char *archive = k ? "y/set.tar" : "x/set.tar";
        put_picture(files[0], 4, 4, 0x111111 * (1 + k));
        put_picture(files[1], 4, 4, 0x444444 * (1 + k));
        put_archive(archive, "tar", files, 2);
        ck_assert_int_eq(utimensat(AT_FDCWD, in_test(archive), times, 0), 0);
    }
    for (int again = 0; again < 2; again++) {
        check_colours(in_test("x/set.tar"), 0x111111, 0x444444);
        check_colours(in_test("y/set.tar"), 0x222222, 0x888888);
    }
    ck_assert_uint_eq(decoded, 0);
}
END_TEST

static void swap(const char *a, const char *b) {
    ck_assert_int_eq(rename(in_test(a), in_test("aside")), 0);
    ck_assert_int_eq(rename(in_test(b), in_test(a)), 0);
    ck_assert_int_eq(rename(in_test("aside"), in_test(b)), 0);
}

START_TEST(a_label_is_corrected) {
    put_old("set/a/0.ppm", 0x111111);
    put_old("set/b/0.ppm", 0x222222);
    check_colours(in_test("set"), 0x111111, 0x222222);
    swap("set/a/0.ppm", "set/b/0.ppm");
    check_colours(in_test("set"), 0x222222, 0x111111);
    swap("set/a", "set/b");
    check_colours(in_test("set"), 0x111111, 0x222222);
    ck_assert_uint_eq(decoded, 0);
    put_old("other/a/0.ppm", 0x555555);
    put_old("other/b/0.ppm", 0x666666);
    swap("set", "other"); /* another folder in the place of the first */
    check_colours(in_test("set"), 0x555555, 0x666666);
}
END_TEST

START_TEST(the_same_pictures_elsewhere) {
    put_picture("set/a/0.ppm", 4, 4, 0x111111);
    put_picture("set/b/0.ppm", 4, 4, 0x222222);
    check_colours(in_test("set"), 0x111111, 0x222222);
    ck_assert_uint_eq(decoded, 2);
    ck_assert_int_eq(rename(in_test("set"), in_test("moved")), 0);
    check_colours(in_test("moved"), 0x111111, 0x222222);
    ck_assert_uint_eq(decoded, 0);
}
END_TEST

/* How many files of a source are known without being read. */
static size_t count_known(const char *spec) {
    ad_source source;
    size_t known = 0;
    ck_assert_int_eq(ad_source_open(ctx, spec, &source), ADATOM_OK);
    ck_assert_int_eq(ad_seen_load(&source, in_test("cache")), ADATOM_OK);
    for (size_t i = 0; i < source.count; i++) known += source.entries[i].hash != 0;
    ad_source_close(&source);
    return known;
}

START_TEST(only_settled_files_are_known) {
    static const char *const files[] = {"set/a/0.ppm", "set/b/0.ppm"};
    put_old(files[0], 0x111111);
    put_old(files[1], 0x222222);
    put_archive("set.tar.gz", "tar.gz", files, 2);
    check_colours(in_test("set"), 0x111111, 0x222222);
    ck_assert_uint_eq(count_known(in_test("set")), 0); /* they were written just now and may be written again */
    check_colours(in_test("set.tar.gz"), 0x111111, 0x222222);
    ck_assert_uint_eq(count_known(in_test("set.tar.gz")), 0);
    usleep(3000000);
    check_colours(in_test("set"), 0x111111, 0x222222);
    check_colours(in_test("set.tar.gz"), 0x111111, 0x222222);
    struct stat info;
    ck_assert_int_eq(stat(in_test("set"), &info), 0);
    if (count_known(in_test("set")) == 0) return; /* a file system that isn't believed */
    ck_assert_uint_eq(count_known(in_test("set")), 2);
    ck_assert_uint_eq(count_known(in_test("set.tar.gz")), 2);
    check_colours(in_test("set.tar.gz"), 0x111111, 0x222222);
    ck_assert_uint_eq(decoded, 0);
    /* Of what is known, the archive can be decoded to another size. */
    adatom_dataset *d = open_well(in_test("set.tar.gz"), &(adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                                                                  .image_size = 2,
                                                                                  .cache_dir = in_test("cache")});
    check_colour(d, 1, 0x222222);
    adatom_dataset_destroy(&d);
    /* Another content with the same name, size and time of writing. */
    put_old(files[1], 0x777777);
    ck_assert_uint_eq(count_known(in_test("set")), 1);
    check_colours(in_test("set"), 0x111111, 0x777777);
    ck_assert_int_eq(rename(in_test("set.tar.gz"), in_test("other")), 0);
    put_archive("set.tar.gz", "tar.gz", files, 2);
    ck_assert_uint_eq(count_known(in_test("set.tar.gz")), 0);
    check_colours(in_test("set.tar.gz"), 0x111111, 0x777777);
}
END_TEST

/* Names of the cache's files that begin so; returns how many. */
static size_t list_cache(const char *prefix, char names[][64], size_t most) {
    size_t count = 0;
    DIR *stream = opendir(in_test("cache"));
    ck_assert_ptr_nonnull(stream);
    for (const struct dirent *item; (item = readdir(stream));) {
        if (strncmp(item->d_name, prefix, strlen(prefix))) continue;
        if (count < most) snprintf(names[count], 64, "cache/%.57s", item->d_name);
        count++;
    }
    closedir(stream);
    return count;
}

START_TEST(damage_is_noticed) {
    put_old("set/a/0.ppm", 0x111111);
    put_old("set/b/0.ppm", 0x222222);
    usleep(2600000);
    check_colours(in_test("set"), 0x111111, 0x222222);
    char name[2][64];
    const char *const prefixes[] = {"pictures-", "sources-"};
    for (size_t k = 0; k < AD_COUNT(prefixes); k++) {
        char *bytes = NULL;
        size_t size = 0;
        if (list_cache(prefixes[k], name, 2) == 0) continue; /* nothing is believed on this file system */
        ck_assert_int_eq(ad_read_file(ctx, in_test(name[0]), SIZE_MAX, &bytes, &size), ADATOM_OK);
        for (size_t at = 0; at < size; at += 1 + size / 60) {
            bytes[at] ^= 0x10;
            put_file(name[0], bytes, size);
            check_colours(in_test("set"), 0x111111, 0x222222);
            bytes[at] ^= 0x10;
        }
        for (size_t cut = 0; cut < size; cut += 1 + size / 20) {
            put_file(name[0], bytes, cut);
            check_colours(in_test("set"), 0x111111, 0x222222);
        }
        ad_free(bytes);
    }
}
END_TEST

START_TEST(the_cache_is_bounded) {
    char names[8][64];
    adatom_dataset_params params = {
        .size = sizeof(adatom_dataset_params), .image_size = 64, .cache_dir = in_test("cache")};
    for (unsigned k = 0; k < 3; k++) {
        char path[32];
        snprintf(path, sizeof path, "set%u/a/0.ppm", k);
        put_picture(path, 4, 4, 0x111111 * k);
        snprintf(path, sizeof path, "set%u/b/0.ppm", k);
        put_picture(path, 4, 4, 0x111111 * k + 1);
        params.cache_bytes = k < 2 ? 0 : 30000; /* a block is 24 KiB and a little: one may stay besides the newest */
        snprintf(path, sizeof path, "set%u", k);
        adatom_dataset *d = open_well(in_test(path), &params);
        adatom_dataset_destroy(&d);
        ck_assert_uint_eq(list_cache("pictures-", names, 8), k < 2 ? k + 1 : 2);
        if (k == 1) { /* the first is used again, so that the second goes */
            usleep(20000);
            d = open_well(in_test("set0"), &params);
            adatom_dataset_destroy(&d);
        }
    }
    params.progress = count_decoded;
    decoded = 0;
    adatom_dataset *d = open_well(in_test("set0"), &params);
    adatom_dataset_destroy(&d);
    ck_assert_uint_eq(decoded, 0);
    d = open_well(in_test("set1"), &params);
    adatom_dataset_destroy(&d);
    ck_assert_uint_eq(decoded, 2);
}
END_TEST

/* A picture of 6 x 4 columns of different colours, whose scaled pixels tell how they were made. */
static void put_stripes(const char *relative) {
    char bytes[128];
    int size = snprintf(bytes, sizeof bytes, "P6 6 4 255\n");
    for (int i = 0; i < 6 * 4 * 3; i++) bytes[size++] = (char)(i / 3 % 6 % 2 ? 200 : 10);
    put_file(relative, bytes, (size_t)size);
}

START_TEST(interpolations_are_kept_apart) {
    put_stripes("set/a/0.ppm");
    put_stripes("set/b/0.ppm");
    enum { KINDS = 4, BYTES = 3 * 3 * 3 };
    uint8_t pixels[KINDS][BYTES];
    char names[8][64];
    for (int again = 0; again < 2; again++)
        for (int k = 0; k < KINDS; k++) {
            decoded = 0;
            adatom_dataset *d =
                open_well(in_test("set"), &(adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                                                   .image_size = 3,
                                                                   .cache_dir = in_test("cache"),
                                                                   .interpolation = (adatom_interpolation)k,
                                                                   .progress = count_decoded});
            /* The default is the first kind. */
            ck_assert_uint_eq(decoded, again || k == ADATOM_INTERPOLATION_FAST_BILINEAR ? 0 : 2);
            if (again) ck_assert_mem_eq(pixels[k], adatom_dataset_pixels(d, 1), BYTES);
            memcpy(pixels[k], adatom_dataset_pixels(d, 1), BYTES);
            adatom_dataset_destroy(&d);
        }
    ck_assert_uint_eq(list_cache("pictures-", names, 8), KINDS - 1);
    ck_assert_mem_eq(pixels[ADATOM_INTERPOLATION_DEFAULT], pixels[ADATOM_INTERPOLATION_FAST_BILINEAR], BYTES);
    ck_assert_mem_ne(pixels[ADATOM_INTERPOLATION_BILINEAR], pixels[ADATOM_INTERPOLATION_BICUBIC], BYTES);
    open_badly(
        in_test("set"),
        &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .interpolation = (adatom_interpolation)KINDS},
        ADATOM_USAGE, "interpolation");
}
END_TEST

/* What earlier versions kept is found again: the key of pictures scaled as ever is what it was. */
START_TEST(the_key_is_as_it_was) {
    char *names[] = {(char[]){"a"}, (char[]){"b"}};
    ad_picture pictures[] = {{.path = "a/0.ppm"}, {.path = "b/0.ppm"}};
    const uint64_t known = UINT64_C(0xca5f5b6bf7348cbb);
    const ad_selection s = {.classes = 2, .names = names, .counts = (size_t[]){1, 1}, .count = 2, .pictures = pictures};
    adatom_dataset_params params = {.image_size = 84, .resize = 96, .background = "white"};
    ck_assert_uint_eq(ad_cache_name(&s, &params), known);
    params.interpolation = ADATOM_INTERPOLATION_FAST_BILINEAR;
    ck_assert_uint_eq(ad_cache_name(&s, &params), known);
    params.interpolation = ADATOM_INTERPOLATION_BILINEAR;
    const uint64_t bilinear = ad_cache_name(&s, &params);
    params.interpolation = ADATOM_INTERPOLATION_BICUBIC;
    const uint64_t bicubic = ad_cache_name(&s, &params);
    ck_assert(bilinear != known && bicubic != known && bilinear != bicubic);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("cache");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, folders_that_look_alike);
    tcase_add_test(tests, archives_that_look_alike);
    tcase_add_test(tests, a_label_is_corrected);
    tcase_add_test(tests, the_same_pictures_elsewhere);
    tcase_add_test(tests, only_settled_files_are_known);
    tcase_add_test(tests, damage_is_noticed);
    tcase_add_test(tests, the_cache_is_bounded);
    tcase_add_test(tests, interpolations_are_kept_apart);
    tcase_add_test(tests, the_key_is_as_it_was);
    Suite *suite = suite_create("data: cache");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

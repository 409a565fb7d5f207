/* Kinds of pictures: samples of each whole, cut and short of memory; orientation, names, backgrounds, the budget of
 * memory. */
#include "data_files.h"
#include "tests/support/hooks.h"

#include "io/decode.h"
#include <dirent.h>
#include <omp.h>

#define SAMPLES "tests/fuzz/corpus/image"
enum { SIDE = 10 };

static const ad_image_params plain = {
    .size = SIDE, .resize = SIDE, .max_pixels = 1 << 20, .background = {255, 255, 255}};

typedef struct sample {
    char name[64], *bytes;
    size_t size;
} sample;

/* Those that are whole and of a kind this build reads. */
static size_t read_samples(sample *out, size_t capacity) {
    size_t count = 0;
    DIR *folder = opendir(SAMPLES);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *item; (item = readdir(folder));) {
        char path[512];
        sample s = {.size = 0};
        if (ad_kind_of_name(item->d_name) != AD_ENTRY_PICTURE || !strcmp(item->d_name, "codes257.jpg") ||
            !strcmp(item->d_name, "no_scan.jpg"))
            continue;
        snprintf(path, sizeof path, SAMPLES "/%s", item->d_name);
        snprintf(s.name, sizeof s.name, "%.60s", item->d_name);
        ck_assert_int_eq(ad_read_file(ctx, path, SIZE_MAX, &s.bytes, &s.size), ADATOM_OK);
        ck_assert_uint_lt(count, capacity);
        out[count++] = s;
    }
    closedir(folder);
    ck_assert_uint_gt(count, 30);
    return count;
}

static void each_sample(void (*look)(const sample *)) {
    sample samples[100];
    size_t count = read_samples(samples, AD_COUNT(samples));
    for (size_t i = 0; i < count; i++) {
        look(&samples[i]);
        ad_free(samples[i].bytes);
    }
}

static void is_read(const sample *s) {
    uint8_t out[SIDE * SIDE * 3];
    ad_image_error error;
    ck_assert_msg(ad_image_decode(s->bytes, s->size, &plain, out, &error) == ADATOM_OK && !*error.text, "%s: %s",
                  s->name, error.text);
}

START_TEST(samples_are_read) { each_sample(is_read); }
END_TEST

/* What may be missing at the end without anyone being able to tell: digits of the last number, and what libtiff does
 * not look at. */
static void is_noticed_when_cut(const sample *s) {
    uint8_t out[SIDE * SIDE * 3];
    ad_image_error error;
    size_t spare = strstr(s->name, ".tif")                                ? 8
                   : strstr(s->name, ".heic") || strstr(s->name, ".avif") ? 4
                   : strstr(s->name, "pnm_2") || strstr(s->name, "pnm_3") ? 4
                                                                          : 0;
    for (size_t cut = 0; cut + spare < s->size; cut++) {
        adatom_status status = ad_image_decode(s->bytes, cut, &plain, out, &error);
        ck_assert_msg(status == ADATOM_BAD_DATA && *error.text, "%s cut to %zu of %zu: %s %s", s->name, cut, s->size,
                      adatom_status_name(status), error.text);
    }
}

START_TEST(cuts_are_noticed) { each_sample(is_noticed_when_cut); }
END_TEST

/* Damaged pictures are taken where that is allowed: with a word, the same each time. */
static void is_taken_when_cut(const sample *s) {
    uint8_t a[SIDE * SIDE * 3], b[SIDE * SIDE * 3];
    ad_image_error error;
    ad_image_params params = plain;
    params.allow_truncated = true;
    for (size_t cut = 1; cut < s->size; cut += 1 + s->size / 40) {
        memset(a, 1, sizeof a);
        memset(b, 2, sizeof b);
        adatom_status status = ad_image_decode(s->bytes, cut, &params, a, &error);
        if (status != ADATOM_OK) continue;
        ck_assert_int_eq(ad_image_decode(s->bytes, cut, &params, b, &error), ADATOM_OK);
        ck_assert_msg(!memcmp(a, b, sizeof a), "%s cut to %zu", s->name, cut);
    }
}

START_TEST(cuts_can_be_allowed) { each_sample(is_taken_when_cut); }
END_TEST

static void survives_without_memory(const sample *s) {
    uint8_t out[SIDE * SIDE * 3];
    ad_image_error error;
    ad_image_params params = plain;
    params.size = 7; /* so that it is scaled */
    params.resize = 8;
    for (long n = 0;; n++) {
        ad_test_fail_allocation(n);
        adatom_status status = ad_image_decode(s->bytes, s->size, &params, out, &error);
        ad_test_fail_allocation(-1);
        if (status == ADATOM_OK && n > 2) return;
        ck_assert_msg(status == ADATOM_OUT_OF_MEMORY && strstr(error.text, "memory"), "%s, allocation %ld: %s %s",
                      s->name, n, adatom_status_name(status), error.text);
        ck_assert_int_lt(n, 200);
    }
}

START_TEST(every_allocation_may_fail) { each_sample(survives_without_memory); }
END_TEST

START_TEST(lying_jpegs_are_refused) {
    static const char *const files[] = {SAMPLES "/codes257.jpg", SAMPLES "/no_scan.jpg"};
    for (size_t i = 0; i < AD_COUNT(files); i++) {
        uint8_t out[SIDE * SIDE * 3];
        ad_image_error error;
        char *bytes = NULL;
        size_t size = 0;
        ck_assert_int_eq(ad_read_file(ctx, files[i], SIZE_MAX, &bytes, &size), ADATOM_OK);
        ck_assert_int_eq(ad_image_decode(bytes, size, &plain, out, &error), ADATOM_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(error.text, "is a JPEG picture that cannot be read"));
        ad_free(bytes);
    }
}
END_TEST

START_TEST(sixteen_bits_are_as_eight) {
    uint8_t wide[3][SIDE * SIDE * 3];
    ad_image_error error;
    static const unsigned maxima[3] = {255, 65535, 1020};
    for (int k = 0; k < 3; k++) {
        char bytes[4096];
        size_t at = (size_t)sprintf(bytes, "P5 %d %d %u\n", SIDE, SIDE, maxima[k]);
        for (unsigned i = 0; i < SIDE * SIDE; i++) {
            unsigned value = i * 37 % 256 * (maxima[k] / 255);
            if (maxima[k] > 255) bytes[at++] = (char)(value >> 8);
            bytes[at++] = (char)value;
        }
        ck_assert_int_eq(ad_image_decode(bytes, at, &plain, wide[k], &error), ADATOM_OK);
        ck_assert_mem_eq(wide[k], wide[0], sizeof wide[0]);
    }
    ck_assert_int_eq(ad_image_decode("P5 1 1 9\n\x0a", 10, &plain, wide[0], &error), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(error.text, "a sample is 10, its maximum is 9"));
}
END_TEST

START_TEST(exif_is_read_within_its_bounds) {
    static const uint8_t
        little[] = "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
        big[] = "MM\0*\0\0\0\x08\0\x02\x01\x0F\0\x02\0\0\0\x04pho\0\x01\x12\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\0";
    ck_assert_int_eq(ad_exif_orientation(little, sizeof little - 1), 6);
    ck_assert_int_eq(ad_exif_orientation(big, sizeof big - 1), 8);
    for (size_t cut = 0; cut < sizeof little - 1; cut++) {
        uint8_t *copy = ad_malloc(ctx, cut + 1, 1); /* so that a sanitizer sees what is read behind it */
        memcpy(copy, little, cut);
        int found = ad_exif_orientation(copy, cut);
        ck_assert_int_eq(found, cut >= 28 ? 6 : 1);
        ad_free(copy);
    }
    uint8_t changed[sizeof big];
    for (size_t at = 0; at < sizeof big - 1; at++) {
        for (int value = 0; value < 256; value++) {
            memcpy(changed, big, sizeof big);
            changed[at] = (uint8_t)value;
            int found = ad_exif_orientation(changed, sizeof big - 1);
            ck_assert(found >= 1 && found <= 8);
        }
    }
}
END_TEST

START_TEST(names_tell_the_kind) {
    static const struct {
        const char *name;
        ad_entry_kind kind;
    } cases[] = {{"a.JPG", AD_ENTRY_PICTURE}, {"b/a.jfif", AD_ENTRY_PICTURE}, {"a.pbm", AD_ENTRY_PICTURE},
                 {"a.pam", AD_ENTRY_PICTURE}, {"a.jxl", AD_ENTRY_UNREAD},     {"a.jp2", AD_ENTRY_UNREAD},
                 {"a.TGA", AD_ENTRY_UNREAD},  {"a.psd", AD_ENTRY_UNREAD},     {"a.dng", AD_ENTRY_UNREAD},
                 {"a.cr3", AD_ENTRY_UNREAD},  {"a.svg", AD_ENTRY_UNREAD},     {"list.CSV", AD_ENTRY_CSV},
                 {"a.txt", AD_ENTRY_OTHER},   {"jpg", AD_ENTRY_OTHER},        {"a.jpg/b", AD_ENTRY_OTHER},
                 {"a.", AD_ENTRY_OTHER}};
    for (size_t i = 0; i < AD_COUNT(cases); i++)
        ck_assert_msg(ad_kind_of_name(cases[i].name) == cases[i].kind, "%s", cases[i].name);
    static const struct {
        const char *kind, *name;
    } optional[] = {{"WebP", "a.webp"}, {"TIFF", "a.tiff"}, {"HEIC", "a.heic"}, {"HEIC", "a.hif"}, {"AVIF", "a.avif"}};
    for (size_t i = 0; i < AD_COUNT(optional); i++)
        ck_assert_int_eq(ad_kind_of_name(optional[i].name),
                         strstr(adatom_picture_kinds(), optional[i].kind) ? AD_ENTRY_PICTURE : AD_ENTRY_UNREAD);
}
END_TEST

START_TEST(contents_tell_the_kind) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *what;
    } cases[] = {{"MM\0*\0\0\0\x08", 8, "a TIFF picture"},
                 {"Rar!\x1A\x07\0", 7, "a RAR archive"},
                 {"7z\xBC\xAF\x27\x1C", 6, "a 7z archive"},
                 {"8BPS\0\1", 6, "a Photoshop document"},
                 {"\xFF\x0A\0\0", 4, "a JPEG XL picture"},
                 {"\0\0\1\0", 4, "an icon"},
                 {"GIF89a", 6, "a GIF picture"},
                 {"\0\0\0\x1C"
                  "ftypavif",
                  12, "an AVIF picture"},
                 {"hello", 5, "a text file"}};
    for (size_t i = 0; i < AD_COUNT(cases); i++)
        ck_assert_str_eq(ad_sniff(cases[i].bytes, cases[i].size), cases[i].what);
}
END_TEST

START_TEST(kinds_that_a_build_lacks_are_named) {
    static const struct {
        const char *bytes;
        size_t size;
        const char *kind, *sentence;
    } cases[] = {
        {"RIFF\x10\0\0\0WEBPVP8 ", 16, "WebP", "is a WebP picture; this build reads no WebP (built without libwebp)"},
        {"II*\0\x08\0\0\0", 8, "TIFF", "is a TIFF picture; this build reads no TIFF (built without libtiff 4.5)"},
        {"\0\0\0\x1C"
         "ftypavif",
         12, "AVIF", "is an AVIF picture; this build reads no HEIC or AVIF (built without libheif)"}};
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        uint8_t out[SIDE * SIDE * 3];
        ad_image_error error;
        ck_assert_int_eq(ad_image_decode(cases[i].bytes, cases[i].size, &plain, out, &error), ADATOM_BAD_DATA);
        if (!strstr(adatom_picture_kinds(), cases[i].kind)) ck_assert_str_eq(error.text, cases[i].sentence);
    }
}
END_TEST

START_TEST(backgrounds) {
    uint8_t rgb[3];
    ck_assert(ad_parse_background(NULL, rgb) && rgb[0] == 255 && rgb[1] == 255 && rgb[2] == 255);
    ck_assert(ad_parse_background("black", rgb) && rgb[0] == 0 && rgb[2] == 0);
    ck_assert(ad_parse_background("#01aBfF", rgb) && rgb[0] == 1 && rgb[1] == 0xAB && rgb[2] == 0xFF);
    ck_assert(ad_parse_background("Grey", rgb) && rgb[1] == 128);
    static const char *const wrong[] = {"", "red", "fff", "0011223", "00112g", "##11223"};
    for (size_t i = 0; i < AD_COUNT(wrong); i++) ck_assert_msg(!ad_parse_background(wrong[i], rgb), "'%s'", wrong[i]);
    put_picture("d/a/1.ppm", 4, 4, 0);
    put_picture("d/b/1.ppm", 4, 4, 1);
    open_badly(in_test("d"),
               &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 4, .background = "red"},
               ADATOM_USAGE, "'red' is no background");
}
END_TEST

START_TEST(background_shines_through) {
    char hashes[2][17];
    static const char pam[] = "P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";
    char bytes[sizeof pam - 1 + 16] = {0};
    memcpy(bytes, pam, sizeof pam - 1);
    put_file("d/a/1.pam", bytes, sizeof bytes);
    put_file("d/b/1.pam", bytes, sizeof bytes);
    for (int k = 0; k < 2; k++) { /* with a cache, which must not mix them up */
        adatom_dataset *d = open_well(in_test("d"), &(adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                                                             .image_size = 2,
                                                                             .background = k ? "102030" : NULL,
                                                                             .cache_dir = in_test("cache")});
        adatom_dataset_info info = describe(d);
        const uint8_t wanted[2][3] = {{255, 255, 255}, {16, 32, 48}};
        ck_assert_mem_eq(adatom_dataset_pixels(d, 1), wanted[k], 3);
        ck_assert_str_eq(info.background, k ? "102030" : "FFFFFF");
        strcpy(hashes[k], info.hash);
        adatom_dataset_destroy(&d);
    }
    ck_assert_str_ne(hashes[0], hashes[1]);
}
END_TEST

START_TEST(damaged_pictures_are_counted) {
    char bytes[4096];
    size_t size = make_pnm(4, 4, 0x102030, bytes);
    put_file("d/a/1.ppm", bytes, size);
    put_file("d/b/1.ppm", bytes, size - 20);
    put_file("d/b/2.ppm", bytes, size - 1);
    adatom_dataset_params params = {
        .size = sizeof(adatom_dataset_params), .image_size = 4, .cache_dir = in_test("cache")};
    open_badly(in_test("d"), &params, ADATOM_BAD_DATA, "is truncated");
    params.allow_truncated = true;
    for (int k = 1; k <= 2; k++) { /* the second time no cache keeps it from being said */
        adatom_dataset *d = open_well(in_test("d"), &params);
        ck_assert_uint_eq(describe(d).damaged, 2);
        ck_assert_int_eq(warnings, k);
        ck_assert_int_eq(adatom_dataset_pixels(d, 1)[0], 0x10);
        ck_assert_int_eq(adatom_dataset_pixels(d, 1)[3 * 15],
                         255); /* a row that is missing is of the background's colour */
        adatom_dataset_destroy(&d);
    }
    size_t problems = 0;
    ck_assert_int_eq(adatom_dataset_verify(
                         ctx, in_test("d"),
                         &(adatom_verify_params){.size = sizeof(adatom_verify_params), .dataset = &params, .least = 1},
                         &problems),
                     ADATOM_OK);
    ck_assert_uint_ge(problems, 2);
}
END_TEST

START_TEST(budget_is_kept) {
    enum { TAKES = 400, BYTES = 100 };
    ad_budget *budget = NULL;
    ck_assert_int_eq(ad_budget_make(ctx, BYTES, &budget), ADATOM_OK);
    atomic_int held = 0;
    atomic_bool exceeded = false;
    ad_budget_set_aside(budget, 10);
#pragma omp parallel for num_threads(8) schedule(dynamic)
    for (int i = 0; i < TAKES; i++) {
        int bytes = i % 7 == 0 ? 150 : 1 + i % 60; /* the first kind fits only alone */
        ad_budget_take(budget, (uint64_t)bytes);
        int now = atomic_fetch_add(&held, bytes) + bytes;
        if (now > BYTES - 10 && now != bytes) atomic_store(&exceeded, true);
        for (volatile int k = 0; k < 2000; k++) {
        }
        atomic_fetch_sub(&held, bytes);
        ad_budget_give(budget, (uint64_t)bytes);
    }
    ad_budget_destroy(budget);
    ck_assert(!exceeded);
    /* The least budget there can be changes nothing but the time. */
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "d/%c/%d.ppm", "ab"[i % 2], i);
        put_picture(name, 16, 16, (unsigned)i);
    }
    adatom_dataset *few = open_well(in_test("d"), &(adatom_dataset_params){.size = sizeof(adatom_dataset_params),
                                                                           .image_size = 8,
                                                                           .threads = 4,
                                                                           .decode_bytes = 1}),
                   *many = open_well(
                       in_test("d"),
                       &(adatom_dataset_params){.size = sizeof(adatom_dataset_params), .image_size = 8, .threads = 4});
    ck_assert_str_eq(describe(few).hash, describe(many).hash);
    adatom_dataset_destroy(&few);
    adatom_dataset_destroy(&many);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("kinds");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, samples_are_read);
    tcase_add_test(tests, cuts_are_noticed);
    tcase_add_test(tests, cuts_can_be_allowed);
    tcase_add_test(tests, every_allocation_may_fail);
    tcase_add_test(tests, lying_jpegs_are_refused);
    tcase_add_test(tests, sixteen_bits_are_as_eight);
    tcase_add_test(tests, exif_is_read_within_its_bounds);
    tcase_add_test(tests, names_tell_the_kind);
    tcase_add_test(tests, contents_tell_the_kind);
    tcase_add_test(tests, kinds_that_a_build_lacks_are_named);
    tcase_add_test(tests, backgrounds);
    tcase_add_test(tests, background_shines_through);
    tcase_add_test(tests, damaged_pictures_are_counted);
    tcase_add_test(tests, budget_is_kept);
    Suite *suite = suite_create("data: kinds of pictures");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}

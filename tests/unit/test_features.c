/* Features as files and in memory: what is read, what is refused and with which sentence, what is written is read back.
 */
#include "base/half.h"
#include "io/feature_rows.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "tests/unit/data_files.h"
#include "tests/support/hooks.h"

#include <adatom/features.h>
#include <math.h>
#include <stdarg.h>

/* A .npy file: a header of any text, then numbers. */
typedef struct file_bytes {
    unsigned char bytes[4096];
    size_t size;
} file_bytes;

static file_bytes npy(const char *header, const void *numbers, size_t size) {
    file_bytes f = {.bytes = "\x93NUMPY\x01"};
    const size_t length = strlen(header);
    f.bytes[8] = (unsigned char)length;
    f.bytes[9] = (unsigned char)(length >> 8);
    memcpy(f.bytes + 10, header, length);
    if (size) memcpy(f.bytes + 10 + length, numbers, size);
    f.size = 10 + length + size;
    return f;
}

static file_bytes tensors(const char *header, const void *numbers, size_t size) {
    file_bytes f = {0};
    const size_t length = strlen(header);
    f.bytes[0] = (unsigned char)length;
    f.bytes[1] = (unsigned char)(length >> 8);
    memcpy(f.bytes + 8, header, length);
    if (size) memcpy(f.bytes + 8 + length, numbers, size);
    f.size = 8 + length + size;
    return f;
}

static adatom_status parse(const file_bytes *f, const file_bytes *labels, adatom_dataset **out) {
    const adatom_feature_files files = {.size = sizeof files,
                                        .name = "F",
                                        .bytes = f->bytes,
                                        .bytes_size = f->size,
                                        .labels = labels ? labels->bytes : NULL,
                                        .labels_size = labels ? labels->size : 0};
    return adatom_features_parse(ctx, &files, out);
}

static void refused(file_bytes f, const file_bytes *labels, const char *sentence) {
    adatom_dataset *d = NULL;
    const adatom_status status = parse(&f, labels, &d);
    ck_assert_msg(status == ADATOM_BAD_DATA, "%s: %s", sentence, adatom_status_name(status));
    ck_assert_ptr_null(d);
    ck_assert_msg(strstr(adatom_context_message(ctx), sentence) != NULL, "'%s' is not in '%s'", sentence,
                  adatom_context_message(ctx));
}

static void check_row(const adatom_dataset *d, size_t image, const char *path, float first, float second) {
    const float *row = adatom_dataset_features(d, image);
    ck_assert_ptr_nonnull(row);
    ck_assert_float_eq(row[0], first);
    ck_assert_float_eq(row[1], second);
    ck_assert_str_eq(adatom_dataset_path(d, image), path);
}

static void check_class(const adatom_dataset *d, int c, const char *name, size_t first, size_t count) {
    const char *is = NULL;
    size_t begins = 0, has = 0;
    OK(adatom_dataset_class(d, c, &is, &begins, &has));
    ck_assert_str_eq(is, name);
    ck_assert_uint_eq(begins, first);
    ck_assert_uint_eq(has, count);
}

#define HEAD(type, order, shape) "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }\n"

START_TEST(npy_of_all_types_and_orders) {
    static const float narrow[] = {1, -2, 3.5f, 0.25f, 65504, 6}, by_column[] = {1, 3.5f, 65504, -2, 0.25f, 6};
    static const double wide[] = {1, -2, 3.5, 0.25, 65504, 6};
    uint16_t half[6];
    for (int i = 0; i < 6; i++) half[i] = ad_half_from_float(narrow[i]);
    const file_bytes files[] = {
        npy(HEAD("<f4", "False", "(3, 2)"), narrow, sizeof narrow),
        npy(HEAD("<f4", "True", "(3, 2)"), by_column, sizeof by_column),
        npy(HEAD("<f8", "False", "(3, 2)"), wide, sizeof wide),
        npy(HEAD("<f2", "False", "(3, 2)"), half, sizeof half),
        npy("{\"shape\":(3L,2L),\"fortran_order\":False,\"descr\":\"<f4\"}", narrow, sizeof narrow),
        tensors("{\"features\":{\"dtype\":\"F64\",\"shape\":[3,2],\"data_offsets\":[0,48]}}", wide, sizeof wide),
        tensors("{\"features\":{\"dtype\":\"F16\",\"shape\":[3,2],\"data_offsets\":[0,12]}}", half, sizeof half)};
    char hash[17] = "";
    for (size_t k = 0; k < AD_COUNT(files); k++) {
        adatom_dataset *d = NULL;
        adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
        OK(parse(&files[k], NULL, &d));
        adatom_dataset_describe(d, &info);
        ck_assert_int_eq(info.features, 2);
        ck_assert_uint_eq(info.images, 3);
        ck_assert_int_eq(info.image_size, 0);
        ck_assert_str_eq(info.model_hash, "");
        ck_assert_ptr_null(info.origin);
        ck_assert_ptr_null(adatom_dataset_pixels(d, 0));
        ck_assert_ptr_null(adatom_dataset_features(d, 3));
        check_class(d, 0, "", 0, 3);
        check_row(d, 0, "row 0", 1, -2);
        check_row(d, 1, "row 1", 3.5f, 0.25f);
        check_row(d, 2, "row 2", 65504, 6);
        if (k) ck_assert_str_eq(info.hash, hash); /* the same numbers */
        memcpy(hash, info.hash, sizeof hash);
        adatom_dataset_destroy(&d);
    }
}
END_TEST

START_TEST(npy_that_is_wrong) {
    static const float numbers[6] = {1, 2, 3, 4, 5, 6};
#define REFUSED(header, bytes, sentence) refused(npy(header, numbers, bytes), NULL, sentence)
    REFUSED(HEAD(">f4", "False", "(3, 2)"), 24, "'F' holds big-endian numbers ('>f4'); save it as '<f4'");
    REFUSED(HEAD("<f4", "False", "(3, 2)"), 23,
            "'F' has 23 bytes of numbers, and its shape needs more (is it cut off?)");
    REFUSED(HEAD("<f4", "False", "(2, 2)"), 24, "needs fewer");
    REFUSED(HEAD("<f4", "False", "(6,)"), 24, "features of the shape [6]; [pictures, numbers] was expected");
    REFUSED(HEAD("<f4", "False", "(1, 3, 2)"), 24, "features of the shape [1, 3, 2]");
    REFUSED(HEAD("<f4", "False", "(0, 2)"), 0, "features of the shape [0, 2]");
    REFUSED(HEAD("<f4", "False", "()"), 4, "features of the shape []");
    REFUSED(HEAD("<f4", "False", "(1, 2097152)"), 24, "needs more");
    REFUSED(HEAD("<f4", "False", "(4294967296, 4294967296)"), 24, "impossible shape");
    REFUSED(HEAD("<f4", "False", "(99999999999999999999, 2)"), 24, "header is damaged");
    REFUSED(HEAD("<f4", "False", "(6)"), 24, "header is damaged");
    REFUSED(HEAD("<f4", "False", "(3, -2)"), 24, "header is damaged");
    REFUSED(HEAD("<f4", "Maybe", "(3, 2)"), 24, "header is damaged");
    REFUSED(HEAD("<i4", "False", "(3, 2)"), 24, "'F' holds whole numbers");
    REFUSED(HEAD("<c8", "False", "(3, 1)"), 24, "type '<c8'; float16, float32, float64");
    REFUSED(HEAD("|b1", "False", "(24, 1)"), 24, "type '|b1'");
    REFUSED(HEAD("=f4", "False", "(3, 2)"), 24, "type '=f4'");
    REFUSED(HEAD("", "False", "(3, 2)"), 24, "type ''");
    REFUSED("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", 24, "records of several numbers");
    REFUSED("{'descr': '<f4', 'fortran_order': False}", 24, "lacks descr, fortran_order or shape");
    REFUSED("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", 24, "header is damaged");
    REFUSED("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), 'more': 1}", 24, "header is damaged");
    REFUSED("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)} x", 24, "header is damaged");
    REFUSED("['descr']", 24, "header is damaged");
    file_bytes f = npy(HEAD("<f4", "False", "(3, 2)"), numbers, 24);
    f.bytes[6] = 9;
    refused(f, NULL, "version 9; versions 1 to 3");
    for (size_t size = 6; size < 60; size++) { /* cut off anywhere in its header */
        f = npy(HEAD("<f4", "False", "(3, 2)"), numbers, 24);
        f.size = size;
        refused(f, NULL, "'F' is no .npy file of an array, or cut off in its header");
    }
    f = (file_bytes){.bytes = "PK\x03\x04 an archive", .size = 64};
    refused(f, NULL, "'F' is neither safetensors nor .npy, but a zip archive (of an .npz, save the one array");
    f = (file_bytes){.bytes = "\x89PNG\r\n\x1a\n", .size = 64};
    refused(f, NULL, "neither safetensors nor .npy");
}
END_TEST

START_TEST(rows_that_are_not_finite) {
    float numbers[6] = {1, 2, 3, INFINITY, NAN, 6};
    refused(
        npy(HEAD("<f4", "False", "(3, 2)"), numbers, 24), NULL,
        "'F': 2 of 3 rows hold numbers that are not finite as float32; the first is row 1 (counted from 0), in column "
        "1");
    /* The number is that of the file's row, wherever the classes put it. */
    const file_bytes labels = npy(HEAD("<i4", "False", "(3,)"), (int32_t[]){0, 2, 1}, 12);
    numbers[3] = 4;
    refused(npy(HEAD("<f4", "False", "(3, 2)"), numbers, 24), &labels, "1 of 3 rows hold numbers that are not finite");
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "row 2 (counted from 0), in column 0"));
    refused(npy(HEAD("<f8", "False", "(1, 1)"), &(double){1e300}, 8), NULL, "row 0");
}
END_TEST

#define FEATURES "\"features\":{\"dtype\":\"F32\",\"shape\":[4,2],\"data_offsets\":[0,32]}"
#define LABELS(type, bytes) "\"labels\":{\"dtype\":\"" type "\",\"shape\":[4],\"data_offsets\":[32," bytes "]}"

/* Four rows, then labels. */
static file_bytes labelled(const char *metadata, int32_t a, int32_t b, int32_t c, int32_t d) {
    struct {
        float rows[8];
        int32_t labels[4];
    } data = {{0, 1, 10, 11, 20, 21, 30, 31}, {a, b, c, d}};
    char header[1024];
    snprintf(header, sizeof header, "{%s" FEATURES "," LABELS("I32", "48") "}", metadata);
    return tensors(header, &data, sizeof data);
}

START_TEST(labels_in_any_order) {
    adatom_dataset *d = NULL;
    file_bytes f = labelled("", 7, 3, 7, 3);
    OK(parse(&f, NULL, &d));
    check_class(d, 0, "3", 0, 2);
    check_class(d, 1, "7", 2, 2);
    check_row(d, 0, "row 1", 10, 11);
    check_row(d, 1, "row 3", 30, 31);
    check_row(d, 2, "row 0", 0, 1);
    check_row(d, 3, "row 2", 20, 21);
    adatom_dataset_destroy(&d);
    f = labelled("\"__metadata__\":{\"classes\":\"[\\\"oak\\\",\\\"elm\\\",\\\"fir\\\"]\","
                 "\"pictures\":\"[\\\"a\\\",\\\"b\\\",\\\"c\\\",\\\"d\\\"]\"},",
                 2, 0, 2, 0);
    OK(parse(&f, NULL, &d));
    check_class(d, 0, "oak", 0, 2);
    check_class(d, 1, "fir", 2, 2); /* a class without pictures is none */
    check_row(d, 0, "b", 10, 11);
    check_row(d, 2, "a", 0, 1);
    adatom_dataset_destroy(&d);
    /* The same from a list beside an array: classes by name. */
    static const float rows[8] = {0, 1, 10, 11, 20, 21, 30, 31};
    file_bytes array = npy(HEAD("<f4", "False", "(4, 2)"), rows, sizeof rows), list = {0};
    list.size = (size_t)sprintf((char *)list.bytes, "filename,label\na,oak\nb,elm\nc,oak\nd,elm\n");
    OK(parse(&array, &list, &d));
    check_class(d, 0, "elm", 0, 2);
    check_class(d, 1, "oak", 2, 2);
    check_row(d, 0, "b", 10, 11);
    check_row(d, 3, "c", 20, 21);
    adatom_dataset_destroy(&d);
    list.size = (size_t)sprintf((char *)list.bytes, "filename,label\na,\nb,\nc,\nd,\n");
    OK(parse(&array, &list, &d));
    check_class(d, 0, "", 0, 4);
    check_row(d, 3, "d", 30, 31);
    adatom_dataset_destroy(&d);
    file_bytes longs = npy(HEAD("<i8", "False", "(4,)"), (int64_t[]){INT64_C(1) << 40, 0, INT64_C(1) << 40, 5}, 32);
    OK(parse(&array, &longs, &d));
    check_class(d, 0, "0", 0, 1);
    check_class(d, 2, "1099511627776", 2, 2);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(labels_that_are_wrong) {
    refused(labelled("", 0, 1, -1, 0), NULL, "'F': row 2 (counted from 0) has the label -1; none is negative");
    refused(labelled("\"__metadata__\":{\"classes\":\"[\\\"a\\\",\\\"b\\\"]\"},", 0, 1, 2, 0), NULL,
            "row 2 (counted from 0) has the label 2, and there are names of only 2 classes");
    refused(labelled("\"__metadata__\":{\"classes\":\"[\\\"a\\\",\\\"a\\\"]\"},", 0, 1, 1, 0), NULL,
            "two classes have the name 'a'");
    refused(labelled("\"__metadata__\":{\"classes\":\"[\\\"a\\\",\\\"\\\"]\"},", 0, 1, 1, 0), NULL, "an empty name");
    refused(labelled("\"__metadata__\":{\"classes\":\"[1]\"},", 0, 0, 0, 0), NULL,
            "'classes' is no JSON array of names");
    refused(labelled("\"__metadata__\":{\"classes\":\"[]\"},", 0, 0, 0, 0), NULL, "'classes' names no class");
    refused(labelled("\"__metadata__\":{\"classes\":\"{\"},", 0, 0, 0, 0), NULL, "'classes' is no JSON array of names");
    refused(labelled("\"__metadata__\":{\"pictures\":\"[\\\"a\\\"]\"},", 0, 0, 0, 0), NULL,
            "'pictures' has 1 names of 4");
    refused(labelled("\"__metadata__\":{\"adatom_features\":\"{}\"},", 0, 0, 0, 0), NULL,
            "its metadata 'adatom_features' is damaged");
    static const float rows[12] = {0};
    refused(tensors("{" FEATURES "," LABELS("F32", "48") "}", rows, 48), NULL, "labels are int32 or int64, [pictures]");
    refused(tensors("{\"vectors\":{\"dtype\":\"F32\",\"shape\":[4,2],\"data_offsets\":[0,32]}}", rows, 32), NULL,
            "'F' has no tensor 'features' [pictures, numbers]");
    refused(tensors("{" FEATURES ",\"labels\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[32,44]}}", rows, 44),
            NULL, "'F' has 3 labels; 'F' has features of 4 pictures");
    refused(tensors("{" FEATURES "}", rows, 31), NULL, "'F'");
    const file_bytes array = npy(HEAD("<f4", "False", "(4, 2)"), rows, 32);
    file_bytes list = npy(HEAD("<i4", "False", "(3,)"), rows, 12);
    refused(array, &list, "'labels' has 3 labels; 'F' has features of 4 pictures");
    list = npy(HEAD("<f4", "False", "(4,)"), rows, 16);
    refused(array, &list, "'labels': labels are int32 or int64");
    list = npy(HEAD("<i4", "False", "(4, 1)"), rows, 16);
    refused(array, &list, "'labels': labels are int32 or int64, [pictures]");
    list.size = (size_t)sprintf((char *)list.bytes, "filename,label\na,x\nb,\nc,x\nd,x\n");
    refused(array, &list, "'labels', line 3: there is no label, and other rows have one");
    list.size = (size_t)sprintf((char *)list.bytes, "filename,label\na,x\n");
    refused(array, &list, "'labels' lists 1 pictures; 'F' has features of 4");
    adatom_dataset *d = NULL;
    const file_bytes own = labelled("", 0, 0, 1, 1);
    ck_assert_int_eq(parse(&own, &list, &d), ADATOM_USAGE);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "'F' has labels of its own"));
}
END_TEST

/* ---- files ---- */

static adatom_status load(const char *path, const char *labels, adatom_dataset **out) {
    const adatom_features_load_params p = {.size = sizeof p, .labels = labels};
    return adatom_features_load(ctx, path, &p, out);
}

static const char *const class_names[] = {"an \"oak\", old", "\xC3\xBCl\nme"}, *const row_names[] = {"a,b", "c\"d", "e",
                                                                                                     "f"};
static const adatom_feature_table table = {.size = sizeof table,
                                           .rows = 4,
                                           .width = 3,
                                           .values = (const float[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.3f},
                                           .labels = (const int64_t[]){1, 0, 0, 1},
                                           .classes = class_names,
                                           .class_count = 2,
                                           .names = row_names,
                                           .name = "table"};

/* Every tensor of a file begins at a multiple of the size of its numbers, and there is no hole between two, however
 * many numbers there are. */
START_TEST(tensors_are_aligned) {
    for (int k = 0; k < 2; k++) {
        adatom_feature_table odd = table;
        adatom_dataset *d = NULL;
        ad_safetensors file = {0};
        odd.rows = 3;
        const adatom_features_save_params save = {.size = sizeof save, .half = k};
        OK(adatom_features_create(ctx, &odd, &d));
        OK(adatom_features_save(d, in_test("A.safetensors"), &save));
        adatom_dataset_destroy(&d);
        OK(ad_safetensors_load(ctx, "A", in_test("A.safetensors"), &file));
        const ad_st_tensor *features = ad_safetensors_find(&file, "features"),
                           *labels = ad_safetensors_find(&file, "labels");
        ck_assert_uint_eq(features->elements, 9);
        ck_assert_uint_eq(features->end - features->begin, k ? 18 : 36);
        ck_assert_uint_eq(labels->begin % 4, 0);
        ck_assert_uint_eq(features->begin % 4, 0);
        ck_assert_uint_eq(k ? features->begin : labels->begin, k ? labels->end : features->end);
        ad_safetensors_clear(&file);
    }
}
END_TEST

/* Names that would make the file's header too long are left out, and that is said. A quote takes four bytes there: with
 * a backslash in the list of names, which is a text in the header, where both get another. */
START_TEST(names_that_are_too_long) {
    enum { ROWS = 70000, LENGTH = 100 };
    const char **paths = malloc(ROWS * sizeof *paths);
    float *values = calloc(ROWS, 3 * sizeof *values);
    char name[LENGTH + 1];
    adatom_dataset *d = NULL, *again = NULL;
    memset(name, '"', LENGTH);
    name[LENGTH] = 0;
    for (size_t i = 0; i < ROWS; i++) paths[i] = name;
    const adatom_feature_table long_names = {
        .size = sizeof long_names, .rows = ROWS, .width = 3, .values = values, .names = paths, .name = "table"};
    OK(adatom_features_create(ctx, &long_names, &d));
    OK(adatom_features_save(d, in_test("N.safetensors"), NULL));
    ck_assert_msg(strstr(last_warning, "the names of 70000 pictures take 27 MiB and are left out"), "%s", last_warning);
    OK(load(in_test("N.safetensors"), NULL, &again));
    adatom_dataset_destroy(&again);
    adatom_dataset_destroy(&d);
    free(paths);
    free(values);
}
END_TEST

/* Files of both kinds hold what was saved, in the order of the classes. */
START_TEST(saved_and_loaded) {
    static const char *const names[] = {"F.safetensors", "F.npy"};
    adatom_dataset *d = NULL;
    OK(adatom_features_create(ctx, &table, &d));
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info), read = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(d, &info);
    ck_assert_str_eq(info.name, "table");
    for (int k = 0; k < 4; k++) {
        const bool half = k > 1;
        adatom_dataset *again = NULL;
        const adatom_features_save_params save = {.size = sizeof save, .half = half};
        OK(adatom_features_check(ctx, in_test(names[k % 2])));
        OK(adatom_features_save(d, in_test(names[k % 2]), &save));
        OK(load(in_test(names[k % 2]), NULL, &again));
        adatom_dataset_describe(again, &read);
        ck_assert_uint_eq(read.images, 4);
        ck_assert_int_eq(read.features, 3);
        ck_assert_int_eq(read.classes, 2);
        if (!half) ck_assert_str_eq(read.hash, info.hash);
        check_class(again, 0, class_names[0], 0, 2);
        check_class(again, 1, class_names[1], 2, 2);
        for (size_t i = 0; i < 4; i++) {
            ck_assert_str_eq(adatom_dataset_path(again, i), adatom_dataset_path(d, i));
            for (int f = 0; f < 3; f++) {
                const float value = adatom_dataset_features(d, i)[f];
                ck_assert_float_eq(adatom_dataset_features(again, i)[f],
                                   half ? ad_half_to_float(ad_half_from_float(value)) : value);
            }
        }
        adatom_dataset_destroy(&again);
    }
    ck_assert_int_eq(adatom_features_save(d, in_test("F.npz"), NULL), ADATOM_USAGE);
    ck_assert_int_eq(adatom_features_check(ctx, in_test("no/F.npy")), ADATOM_IO);
    ck_assert_int_eq(mkdir(in_test("D.labels.csv"), 0777), 0); /* where the list would be */
    ck_assert_int_eq(adatom_features_check(ctx, in_test("D.npy")), ADATOM_IO);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "D.labels.csv"));
    OK(adatom_features_check(ctx, in_test("D.safetensors")));
    adatom_dataset_destroy(&d);
    /* Beside X.npy its labels are found; of two files of them one must be named, and a third may be. */
    OK(load(in_test("F.npy"), in_test("F.labels.csv"), &d));
    adatom_dataset_destroy(&d);
    const file_bytes numbers = npy(HEAD("<i4", "False", "(4,)"), (int32_t[]){0, 0, 0, 9}, 16);
    put_file("F.labels.npy", numbers.bytes, numbers.size);
    ck_assert_int_eq(load(in_test("F.npy"), NULL, &d), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "name the one with its labels"));
    remove(in_test("F.labels.csv"));
    OK(load(in_test("F.npy"), NULL, &d));
    check_class(d, 1, "9", 3, 1);
    adatom_dataset_destroy(&d);
    remove(in_test("F.labels.npy"));
    OK(load(in_test("F.npy"), NULL, &d));
    check_class(d, 0, "", 0, 4);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(what_a_file_cannot_keep) {
    adatom_dataset *d = NULL;
    adatom_feature_table t = table;
    t.values = (const float[]){0, 1, 2, 3, 4, 70000, 6, 7, 8, 9, 10, 11};
    OK(adatom_features_create(ctx, &t, &d));
    ck_assert_int_eq(
        adatom_features_save(d, in_test("F.npy"),
                             &(adatom_features_save_params){.size = sizeof(adatom_features_save_params), .half = true}),
        ADATOM_BAD_DATA);
    ck_assert_str_eq(adatom_context_message(ctx),
                     "the features of 'c\"d' hold 70000, which float16 cannot: write float32");
    adatom_dataset_destroy(&d);
    /* A list would lose the space: two classes could become one. */
    t = table;
    t.classes = (const char *const[]){"oak", "oak "};
    OK(adatom_features_create(ctx, &t, &d));
    ck_assert_int_eq(adatom_features_save(d, in_test("F.npy"), NULL), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "of its class 'oak ': write .safetensors"));
    ck_assert_int_ne(access(in_test("F.npy"), F_OK), 0);
    OK(adatom_features_save(d, in_test("F.safetensors"), NULL));
    adatom_dataset_destroy(&d);
    OK(load(in_test("F.safetensors"), NULL, &d));
    check_class(d, 1, "oak ", 2, 2);
    adatom_dataset_destroy(&d);
}
END_TEST

START_TEST(tables_that_are_wrong) {
    adatom_dataset *d = NULL;
    adatom_feature_table t = table;
    t.values = NULL;
    ck_assert_int_eq(adatom_features_create(ctx, &t, &d), ADATOM_USAGE);
    t = table;
    t.width = 0;
    ck_assert_int_eq(adatom_features_create(ctx, &t, &d), ADATOM_USAGE);
    t = table;
    t.labels = NULL;
    ck_assert_int_eq(adatom_features_create(ctx, &t, &d), ADATOM_USAGE);
    t = table;
    t.labels = (const int64_t[]){0, 1, 2, 0};
    ck_assert_int_eq(adatom_features_create(ctx, &t, &d), ADATOM_BAD_DATA);
    ck_assert_ptr_null(d);
}
END_TEST

/* ---- memory ---- */

START_TEST(out_of_memory_anywhere) {
    adatom_dataset *d = NULL;
    OK(adatom_features_create(ctx, &table, &d));
    OK(adatom_features_save(d, in_test("F.safetensors"), NULL));
    OK(adatom_features_save(d, in_test("F.npy"), NULL));
    for (int k = 0; k < 5; k++) {
        long failures = 0;
        for (long n = 0;; n++) {
            adatom_dataset *again = NULL;
            ad_test_fail_allocation(n);
            const adatom_status status = k == 0   ? load(in_test("F.safetensors"), NULL, &again)
                                         : k == 1 ? load(in_test("F.npy"), NULL, &again)
                                         : k == 2 ? adatom_features_create(ctx, &table, &again)
                                         : k == 3 ? adatom_features_save(d, in_test("G.safetensors"), NULL)
                                                  : adatom_features_save(d, in_test("G.npy"), NULL);
            ad_test_fail_allocation(-1);
            if (status == ADATOM_OK) {
                adatom_dataset_destroy(&again);
                break;
            }
            ck_assert_msg(status == ADATOM_OUT_OF_MEMORY, "%d, allocation %ld: %s", k, n, adatom_context_message(ctx));
            ck_assert_ptr_null(again);
            failures++;
        }
        ck_assert_int_gt(failures, 5);
    }
    adatom_dataset_destroy(&d);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("features");
    TCase *tests = tcase_create("features");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, npy_of_all_types_and_orders);
    tcase_add_test(tests, npy_that_is_wrong);
    tcase_add_test(tests, rows_that_are_not_finite);
    tcase_add_test(tests, labels_in_any_order);
    tcase_add_test(tests, labels_that_are_wrong);
    tcase_add_test(tests, tensors_are_aligned);
    tcase_add_test(tests, names_that_are_too_long);
    tcase_add_test(tests, saved_and_loaded);
    tcase_add_test(tests, what_a_file_cannot_keep);
    tcase_add_test(tests, tables_that_are_wrong);
    tcase_add_test(tests, out_of_memory_anywhere);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}

/* Files of very many names are read in a time that grows with their size, without more memory than they deserve, and
 * can be interrupted. Each of the first tests took minutes when every name was compared with every other. */
#include "fewshot/adapter.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "tests/run_suite.h"
#include "transfer/layout.h"

#include <adatom/adapter.h>
#include <adatom/model.h>
#include <adatom/transfer.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static adatom_context *ctx;
static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

typedef struct text {
    char *bytes;
    size_t size, room;
} text;

static void add(text *t, const char *format, ...) {
    va_list args;
    if (t->room - t->size < 300) t->bytes = realloc(t->bytes, t->room = 2 * t->room + 1000);
    va_start(args, format);
    t->size += (size_t)vsnprintf(t->bytes + t->size, 300, format, args);
    va_end(args);
}

/* A safetensors file: 8 bytes, the header, the data. free(). */
static unsigned char *file_of(const text *header, size_t data, size_t *size) {
    unsigned char *bytes = calloc(*size = 8 + header->size + data, 1);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(header->size >> 8 * i);
    memcpy(bytes + 8, header->bytes, header->size);
    return bytes;
}

/* The address sanitizer keeps what was freed, so that the most memory in use says nothing there. */
#ifdef __SANITIZE_ADDRESS__
static const bool keeps_freed_memory = true;
#else
static const bool keeps_freed_memory = false;
#endif

static double processor_seconds(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

enum { MODULES = 60000, TENSORS = 200000, PATTERNS = 100000 };

static adatom_status parse_adapter(void) {
    adatom_adapter *adapter = NULL;
    text config = {0}, header = {0};
    size_t size = 0;
    add(&config, "{\"format_version\":1,\"base_model\":{\"hash\":\"0123456789abcdef\"},\"method\":{\"adapt\":\"atoms\","
                 "\"steps\":1},"
                 "\"features\":1,\"head\":{\"kind\":\"cosine\",\"scale\":1.0},\"classes\":[{\"name\":\"a\",\"images\":"
                 "1,\"tested\":0,");
    add(&config, "\"right\":0},{\"name\":\"b\",\"images\":1,\"tested\":0,\"right\":0}],\"estimate\":{\"kind\":\"none\","
                 "\"tested\":0,"
                 "\"right\":0,\"fitted\":0,\"fitted_right\":0},\"tensors_hash\":\"0000000000000000\",\"target_"
                 "modules\":[\"m0\"");
    add(&header, "{\"head.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]}");
    for (int i = 0; i < MODULES; i++) {
        if (i) add(&config, ",\"m%d\"", i);
        add(&header, ",\"m%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}", i);
    }
    add(&config, "]}");
    add(&header, "}");
    unsigned char *bytes = file_of(&header, 8, &size);
    const adatom_status status = adatom_adapter_parse(ctx,
                                                      &(adatom_adapter_files){.size = sizeof(adatom_adapter_files),
                                                                              .name = "many",
                                                                              .config = config.bytes,
                                                                              .config_size = config.size,
                                                                              .tensors = bytes,
                                                                              .tensors_size = size},
                                                      &adapter);
    ck_assert_ptr_null(adapter);
    free(bytes);
    free(config.bytes);
    free(header.bytes);
    return status;
}

static bool stop(void *user, const adatom_progress *now) {
    (void)user;
    (void)now;
    return false;
}

START_TEST(adapter_of_many_modules) {
    const double before = processor_seconds();
    ck_assert_int_eq(parse_adapter(), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "do not belong together")); /* all of it was read */
    ck_assert_double_lt(processor_seconds() - before, 10);
    const ad_call outer = ad_call_begin(ctx, stop, NULL);
    ck_assert_int_eq(parse_adapter(), ADATOM_INTERRUPTED);
    ad_call_end(ctx, &outer, ADATOM_INTERRUPTED);
}
END_TEST

/* tensors beside a first convolution, as networks of other programs have it. */
static unsigned char *many_tensors(size_t *size) {
    text header = {0};
    add(&header, "{\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[64,3,7,7],\"data_offsets\":[0,37632]}");
    for (int i = 0; i < TENSORS; i++)
        add(&header, ",\"layer1.0.x%d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[37632,37632]}", i);
    add(&header, "}");
    unsigned char *bytes = file_of(&header, 37632, size);
    free(header.bytes);
    return bytes;
}

START_TEST(import_of_many_tensors) {
    char map[] = "/tmp/adatom-map-XXXXXX";
    adatom_model *model = NULL;
    size_t size = 0;
    unsigned char *bytes = many_tensors(&size);
    text names = {0};
    add(&names, "{\"a\":\"layer1.conv1.kernel\"");
    for (int i = 0; i < PATTERNS; i++) add(&names, ",\"y%d.*\":null,\"z%d\":null", i, i);
    add(&names, "}");
    make_file(map);
    FILE *file = fopen(map, "w");
    ck_assert_uint_eq(fwrite(names.bytes, 1, names.size, file), names.size);
    fclose(file);
    adatom_import_params params = {.size = sizeof(adatom_import_params), .map = map};
    const double before = processor_seconds();
    ck_assert_int_eq(adatom_model_import_bytes(ctx, "many", bytes, size, &params, &model), ADATOM_BAD_DATA);
    ck_assert_double_lt(processor_seconds() - before, 20);
    params.progress = stop;
    ck_assert_int_eq(adatom_model_import_bytes(ctx, "many", bytes, size, &params, &model), ADATOM_INTERRUPTED);
    unlink(map);
    free(names.bytes);
    free(bytes);
}
END_TEST

/* Which names a map leaves out, against comparing with every pattern. */
START_TEST(omitted_names) {
    static const char *const omitted[] = {"a*", "ab*", "abc", "b.c*", "b.d", "c*d", "z.*"};
    static const struct {
        const char *name;
        bool omitted;
    } cases[] = {{"a", true},   {"abx", true},   {"abc", true},  {"b", false},   {"b.c", true}, {"b.cx", true},
                 {"b.d", true}, {"b.dx", false}, {"c*d", true},  {"cxd", false}, {"z", false},  {"z.", true},
                 {"zz", false}, {"", false},     {"b.b", false}, {"b.e", false}};
    char path[] = "/tmp/adatom-map-XXXXXX";
    ad_name_map map;
    make_file(path);
    FILE *file = fopen(path, "w");
    for (size_t i = 0; i < AD_COUNT(omitted); i++) fprintf(file, "%s\"%s\":null", i ? "," : "{", omitted[i]);
    fputs(",\"second\":\"x\",\"first\":\"y\",\"third\":\"x\"}", file);
    fclose(file);
    OK(ad_name_map_read(ctx, path, &map));
    for (size_t i = 0; i < AD_COUNT(cases); i++)
        ck_assert_msg(ad_name_map_omits(&map, cases[i].name) == cases[i].omitted, "'%s'", cases[i].name);
    ck_assert_str_eq(ad_name_map_source(&map, &(ad_outer){.own = "x"}), "second");
    ck_assert_str_eq(ad_name_map_source(&map, &(ad_outer){.own = "y"}), "first");
    ck_assert_ptr_null(ad_name_map_source(&map, &(ad_outer){.own = "z"}));
    ck_assert_ptr_null(ad_name_map_source(&map, &(ad_outer){.own = "x", .again = true}));
    ad_name_map_clear(&map);
    unlink(path);
}
END_TEST

/* Values that would take much more memory than their text: empty arrays and objects, one in another. */
START_TEST(swollen_headers) {
    static const char *const values[] = {"[],", "{},", "\"\","};
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (size_t v = 0; v < AD_COUNT(values); v++) {
        text header = {0};
        ad_safetensors file;
        size_t size = 0;
        add(&header, "{\"a\":[");
        while (header.size < (size_t)20 << 20)
            add(&header, "%s%s%s%s%s%s%s%s", values[v], values[v], values[v], values[v], values[v], values[v],
                values[v], values[v]);
        add(&header, "[]]}");
        unsigned char *bytes = file_of(&header, 0, &size);
        ck_assert_int_eq(ad_safetensors_parse(ctx, "swollen", bytes, size, &file), ADATOM_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "its values would take"));
        ad_safetensors_clear(&file);
        free(bytes);
        free(header.bytes);
    }
    getrusage(RUSAGE_SELF, &after);
    if (!keeps_freed_memory) ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 200 << 10); /* KiB */
}
END_TEST

/* The shortest episodes there are, as a list of them is written: the bound on swelling lets a long list pass. */
START_TEST(long_lists) {
    text list = {0};
    json_t *json = NULL;
    json_error_t error;
    add(&list, "{\"episodes\":[");
    for (int i = 0; i < 100000; i++) add(&list, "%s{\"support\":[11,22],\"query\":[33,44]}", i ? "," : "");
    add(&list, "]}");
    ck_assert_int_eq(ad_json_parse(ctx, list.bytes, list.size, &json, &error), ADATOM_OK);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "episodes")), 100000);
    json_decref(json);
    free(list.bytes);
}
END_TEST

START_TEST(deep_header) {
    text header = {0};
    ad_safetensors file;
    size_t size = 0;
    add(&header, "{\"a\":");
    for (int i = 0; i < 3000; i++) add(&header, "[");
    for (int i = 0; i < 3000; i++) add(&header, "]");
    add(&header, "}");
    unsigned char *bytes = file_of(&header, 0, &size);
    ck_assert_int_eq(ad_safetensors_parse(ctx, "deep", bytes, size, &file), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "deeper than"));
    ad_safetensors_clear(&file);
    free(bytes);
    free(header.bytes);
}
END_TEST

/* A file of gigabytes, nearly all of it a hole, is refused by its header. */
START_TEST(sparse_files) {
    static const char *const headers[] = {"{}", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"};
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (size_t h = 0; h < AD_COUNT(headers); h++) {
        char path[] = "/tmp/adatom-sparse-XXXXXX";
        const uint64_t length = strlen(headers[h]);
        adatom_model *model = NULL;
        make_file(path);
        FILE *file = fopen(path, "w");
        for (int i = 0; i < 8; i++) fputc((int)(length >> 8 * i & 255), file);
        fputs(headers[h], file);
        fclose(file);
        ck_assert_int_eq(truncate(path, (off_t)3 << 30), 0);
        ck_assert_int_eq(adatom_model_load(ctx, path, &model), ADATOM_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "bytes follow the last tensor"));
        ck_assert_int_eq(adatom_model_import(ctx, path, NULL, &model), ADATOM_BAD_DATA);
        unlink(path);
    }
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 100 << 10);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("linear");
    TCase *tests = tcase_create("linear");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, adapter_of_many_modules);
    tcase_add_test(tests, import_of_many_tensors);
    tcase_add_test(tests, omitted_names);
    tcase_add_test(tests, swollen_headers);
    tcase_add_test(tests, long_lists);
    tcase_add_test(tests, deep_header);
    tcase_add_test(tests, sparse_files);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}

/* safetensors in shards with their index, and folders with one file. */
#include "io/tensor_file.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

#include <stdio.h>

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-shards-XXXXXX", path[64];
static const float values[] = {0.5f, 1.5f};

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}
static void teardown(void) {
    static const char *const files[] = {"model.safetensors.index.json", "a.safetensors", "b.safetensors",
                                        "model.safetensors", "pytorch_model.bin"};
    for (size_t i = 0; i < AD_COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
    adatom_context_destroy(&ctx);
}

static void said(const char *says) {
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, says) != NULL, "'%s' lacks '%s'", message, says);
}

static void write_file(const char *name, const char *text, size_t size) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    ck_assert_int_eq(ad_write_file(ctx, path, text, size), ADATOM_OK);
}

/* Two numbers behind this header. */
static void write_shard(const char *name, const char *header) {
    const size_t length = strlen(header);
    const uint64_t stored = length;
    char bytes[400];
    ck_assert_uint_le(8 + length + sizeof values, sizeof bytes);
    memcpy(bytes, &stored, 8);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, values, sizeof values);
    write_file(name, bytes, 8 + length + sizeof values);
}
#define TWO(a, b)                                                                                                      \
    "{\"" a "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"                                             \
    "\"" b "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"
static const char index_name[] = "model.safetensors.index.json";

static void shards_refused(const char *index, const char *says) {
    ad_tensor_file file;
    write_file(index_name, index, strlen(index));
    ck_assert_msg(ad_tensor_file_open(ctx, path, &file) == ADATOM_BAD_DATA, "accepted %s", index);
    said(says);
    ck_assert_ptr_null(file.shards);
}

START_TEST(test_shards) {
    static const char good[] =
        " {\"metadata\": {\"total_size\": 16}, \"weight_map\": {\"p\": \"a.safetensors\", \"q\": "
        "\"a.safetensors\", \"r\": \"b.safetensors\", \"s\": \"b.safetensors\"}}";
    ad_tensor_file file;
    ck_assert_int_eq(ad_tensor_file_open(ctx, folder, &file), ADATOM_BAD_DATA);
    said("has no model.safetensors.index.json, model.safetensors or pytorch_model.bin");
    write_file("pytorch_model.bin", "\x80\2N.", 4);
    ck_assert_int_eq(ad_tensor_file_open(ctx, folder, &file), ADATOM_BAD_DATA);
    said("is a pickle that torch.save did not write");
    write_shard("model.safetensors", TWO("x", "y"));
    ck_assert_int_eq(ad_tensor_file_open(ctx, folder, &file), ADATOM_OK);
    ck_assert_uint_eq(file.count, 2);
    ad_tensor_file_clear(&file);
    write_shard("a.safetensors", TWO("p", "q"));
    shards_refused(good, "b.safetensors");
    write_shard("b.safetensors", TWO("r", "s"));
    write_file(index_name, good, sizeof good - 1);
    for (int k = 0; k < 2; k++) { /* the index, and its folder */
        ck_assert_msg(ad_tensor_file_open(ctx, k ? folder : path, &file) == ADATOM_OK, "%s",
                      adatom_context_message(ctx));
        ck_assert_uint_eq(file.count, 4);
        float value = 0;
        ad_file_tensor_floats(ad_tensor_file_find(&file, "s"), 0, 1, &value);
        ck_assert_float_eq(value, 1.5f);
        ad_tensor_file_clear(&file);
    }
    ck_assert_int_eq(ad_tensor_file_parse(ctx, "f", good, sizeof good - 1, &file), ADATOM_BAD_DATA);
    said("an index of shards is read where its shards are");
#define MAP(text) "{\"weight_map\": {" text "}}"
    shards_refused(MAP("\"p\": \"a.safetensors\", \"q\": \"a.safetensors\", \"t\": \"a.safetensors\""),
                   "a.safetensors': tensor 't' is missing");
    shards_refused(MAP("\"p\": \"a.safetensors\""), "does not say that tensor 'q' is in 'a.safetensors'");
    shards_refused(MAP("\"p\": \"b.safetensors\", \"q\": \"a.safetensors\""), "does not say that tensor 'p' is in");
    shards_refused(MAP("\"p\": \"/etc/passwd\""), "no name of a file beside the index");
    shards_refused(MAP("\"p\": \"..\""), "no name of a file beside the index");
    shards_refused(MAP("\"p\": 1"), "no name of a file beside the index");
    shards_refused(MAP(""), "names 0 shards");
    shards_refused("{\"weight_map\": []}", "it has no weight_map");
    shards_refused("{\"weight_map\"", "the index is not valid JSON");
    write_shard("b.safetensors", TWO("p", "q"));
    shards_refused(good, "does not say that tensor 'p' is in 'b.safetensors'");
}
END_TEST

START_TEST(test_allocation_failures) {
    static const char good[] = "{\"weight_map\": {\"p\": \"a.safetensors\", \"q\": \"a.safetensors\"}}";
    write_shard("a.safetensors", TWO("p", "q"));
    write_file(index_name, good, sizeof good - 1);
    ad_tensor_file file = {0};
    adatom_status status = ADATOM_FAILED;
    long n = 0;
    for (; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = ad_tensor_file_open(ctx, folder, &file);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK || (status == ADATOM_OUT_OF_MEMORY && !file.tensors && !file.shards));
    }
    ck_assert_int_gt(n, 8);
    ad_tensor_file_clear(&file);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("shards");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_shards);
    tcase_add_test(tests, test_allocation_failures);
    Suite *suite = suite_create("shards");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

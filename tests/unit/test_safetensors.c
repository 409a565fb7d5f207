#include "io/safetensors.h"
#include "tests/run_suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

/* A file of this header and data; exactly as long as it is, so that the address sanitizer sees a read past its end. */
static unsigned char *make(const char *header, const void *data, size_t data_bytes, size_t *size) {
    const size_t length = strlen(header);
    unsigned char *bytes = malloc(8 + length + data_bytes);
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    memcpy(bytes + 8 + length, data, data_bytes);
    *size = 8 + length + data_bytes;
    return bytes;
}

static void check_refused(const char *header, size_t data_bytes, const char *says) {
    static const unsigned char zeros[64];
    ad_safetensors file;
    size_t size = 0;
    unsigned char *bytes = make(header, zeros, data_bytes, &size);
    ck_assert_msg(ad_safetensors_parse(ctx, "f.safetensors", bytes, size, &file) == ADATOM_BAD_DATA, "accepted: %s",
                  header);
    ad_safetensors_clear(&file);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "'f.safetensors'") && strstr(message, says), "'%s' lacks '%s'", message, says);
    free(bytes);
}

START_TEST(test_round_trip) {
    const int64_t a[] = {2, 3}, b[] = {0, 5}, c[] = {4};
    const ad_st_entry entries[] = {{"a", 2, a, AD_ST_F32},
                                   {"none", 2, b, AD_ST_F32},
                                   {"scalar", 0, NULL, AD_ST_F32},
                                   {"c\"\xc3\xa4", 1, c, AD_ST_F32}};
    const char *metadata[] = {"key", "value", "left out", NULL, "notes", "{\"x\": 1}", NULL};
    unsigned char *bytes = NULL;
    size_t size = 0;
    float *values = NULL;
    ck_assert_int_eq(ad_safetensors_make(ctx, metadata, entries, 4, &bytes, &size, &values), ADATOM_OK);
    for (int i = 0; i < 11; i++) values[i] = 0.5f * (float)i;
    ad_safetensors file;
    ck_assert_msg(ad_safetensors_parse(ctx, "f", bytes, size, &file) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ck_assert_uint_eq(file.count, 4);
    ck_assert_uint_eq((size_t)(file.data - bytes) % 8, 0);
    ck_assert_str_eq(ad_safetensors_metadata(&file, "key"), "value");
    ck_assert_str_eq(ad_safetensors_metadata(&file, "notes"), "{\"x\": 1}");
    ck_assert_ptr_null(ad_safetensors_metadata(&file, "left out"));
    static const struct {
        const char *name;
        int rank;
        size_t elements, first;
    } expected[] = {{"a", 2, 6, 0}, {"none", 2, 0, 6}, {"scalar", 0, 1, 6}, {"c\"\xc3\xa4", 1, 4, 7}};
    for (size_t i = 0; i < AD_COUNT(expected); i++) {
        const ad_st_tensor *t = ad_safetensors_find(&file, expected[i].name);
        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(t->rank, expected[i].rank);
        ck_assert_uint_eq(t->elements, expected[i].elements);
        for (size_t e = 0; e < t->elements; e++)
            ck_assert_float_eq(ad_safetensors_float(&file, t, e), 0.5f * (float)(expected[i].first + e));
    }
    ck_assert_ptr_null(ad_safetensors_find(&file, "b"));
    ad_safetensors_clear(&file);
    ad_free(bytes);
}
END_TEST

START_TEST(test_half_precision) {
    /* 1, -2, the largest, the least normal, the least subnormal, -0; infinity and NaN are passed on */
    static const uint16_t half[] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0xfc00, 0x7e00};
    static const float half_is[] = {1, -2, 65504, 0x1p-14f, 0x1p-24f, -0.0f};
    static const uint16_t brain[] = {0x3f80, 0xc049, 0x7f7f, 0x0001};
    static const float brain_is[] = {1, -3.140625f, 0x1.fep127f, 0x1p-133f};
    unsigned char data[sizeof half + sizeof brain];
    memcpy(data, half, sizeof half);
    memcpy(data + sizeof half, brain, sizeof brain);
    size_t size = 0;
    unsigned char *bytes = make("{\"b\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[16,24]},"
                                "\"h\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[0,16]}}",
                                data, sizeof data, &size);
    ad_safetensors file;
    ck_assert_int_eq(ad_safetensors_parse(ctx, "f", bytes, size, &file), ADATOM_OK);
    ck_assert_str_eq(file.tensors[0].name, "h"); /* in the order of the bytes */
    const ad_st_tensor *h = ad_safetensors_find(&file, "h"), *b = ad_safetensors_find(&file, "b");
    for (size_t i = 0; i < AD_COUNT(half_is); i++) {
        const float value = ad_safetensors_float(&file, h, i);
        ck_assert_mem_eq(&value, &half_is[i], sizeof value);
    }
    ck_assert_float_eq(ad_safetensors_float(&file, h, 6), -INFINITY);
    ck_assert(isnan(ad_safetensors_float(&file, h, 7)));
    for (size_t i = 0; i < AD_COUNT(brain_is); i++) ck_assert_float_eq(ad_safetensors_float(&file, b, i), brain_is[i]);
    ad_safetensors_clear(&file);
    free(bytes);
}
END_TEST

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

START_TEST(test_lying_headers) {
    check_refused("", 0, "no header");
    check_refused("[]", 0, "no header");
    check_refused(" {}", 0, "no header");
    check_refused("{\"a\":", 0, "not valid JSON");
    check_refused("{\"a\":1,\"a\":1}", 0, "not valid JSON");
    check_refused("{\"a\":1}", 0, "'a'");
    check_refused("{\"__metadata__\":[]}", 0, "__metadata__");
    check_refused("{\"__metadata__\":{\"k\":1}}", 0, "'k' is not a string");
    check_refused("{}", 4, "4 bytes follow");
    check_refused("{\"a\":" T("U8", "[8]", "[0,8]") "}", 8, "'a' has the type U8");
    check_refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "(none)");
    check_refused("{\"a\":" T("F32", "4", "[0,4]") "}", 4, "'a' has no shape");
    check_refused("{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "'a' has no shape");
    check_refused("{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "impossible shape");
    check_refused("{\"a\":" T("F32", "[1.5]", "[0,4]") "}", 4, "impossible shape");
    check_refused("{\"a\":" T("F32", "[4611686018427387904,8]", "[0,4]") "}", 4, "impossible shape"); /* 2^65 */
    /* What 32 bits do not hold is no smaller number. */
    check_refused("{\"a\":" T("F32", "[4294967297]", "[0,4]") "}", 4, "tensor 'a'");
    check_refused("{\"a\":" T("F32", "[1]", "[0,4294967300]") "}", 4, "do not lie");
    check_refused("{\"a\":" T("F32", "[4611686018427387904]", "[0,0]") "}", 0,
                  sizeof(size_t) > 4 ? "shape and type" : "impossible shape"); /* 2^64 bytes */
    check_refused("{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "shape and type");
    check_refused("{\"a\":" T("F16", "[2]", "[0,8]") "}", 8, "shape and type");
    check_refused("{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 4, "offsets");
    check_refused("{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "offsets");
    check_refused("{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, "offsets");
    check_refused("{\"a\":" T("F32", "[1]", "[\"0\",4]") "}", 4, "offsets");
    check_refused("{\"a\":" T("F32", "[2]", "[0,8]") "}", 4, "truncated");
    check_refused("{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[8,12]") "}", 12,
                  "'b' begins at byte 8 of the data; 4");
    check_refused("{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("F32", "[2]", "[4,12]") "}", 12,
                  "'b' begins at byte 4 of the data; 8");
    check_refused("{\"a\":" T("F32", "[1]", "[4,8]") "}", 8, "'a' begins at byte 4 of the data; 0");
    check_refused("{\"a\":" T("F32", "[1]", "[0,4]") "}", 8, "4 bytes follow");
}
END_TEST

START_TEST(test_header_lengths) {
    static const uint64_t lengths[] = {0, 1, 3, 100000001, UINT64_MAX, UINT64_MAX - 7, 1ull << 63};
    for (size_t i = 0; i < AD_COUNT(lengths); i++) {
        unsigned char bytes[10] = {[8] = '{', [9] = '}'};
        memcpy(bytes, &lengths[i], 8);
        ad_safetensors file;
        ck_assert_int_eq(ad_safetensors_parse(ctx, "f", bytes, sizeof bytes, &file), ADATOM_BAD_DATA);
        ad_safetensors_clear(&file);
    }
}
END_TEST

START_TEST(test_truncated) {
    size_t size = 0;
    unsigned char *bytes = make("{\"a\":" T("F32", "[3]", "[0,12]") "}", "abcdefghijkl", 12, &size);
    for (size_t length = 0; length <= size; length++) {
        unsigned char *cut = malloc(length + !length);
        memcpy(cut, bytes, length);
        ad_safetensors file;
        ck_assert_int_eq(ad_safetensors_parse(ctx, "f", cut, length, &file),
                         length < size ? ADATOM_BAD_DATA : ADATOM_OK);
        ad_safetensors_clear(&file);
        free(cut);
    }
    free(bytes);
}
END_TEST

START_TEST(test_not_utf8) {
    const int64_t shape[] = {1};
    const ad_st_entry entry = {"a\xff", 1, shape, AD_ST_F32};
    unsigned char *bytes = NULL;
    size_t size = 0;
    float *values = NULL;
    ck_assert_int_ne(ad_safetensors_make(ctx, NULL, &entry, 1, &bytes, &size, &values), ADATOM_OK);
    ck_assert_ptr_null(bytes);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("safetensors");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_half_precision);
    tcase_add_test(tests, test_lying_headers);
    tcase_add_test(tests, test_header_lengths);
    tcase_add_test(tests, test_truncated);
    tcase_add_test(tests, test_not_utf8);
    Suite *suite = suite_create("safetensors");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

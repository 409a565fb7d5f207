/* Files of torch.save as tables of tensors, put together byte by byte. */
#include "base/half.h"
#include "io/tensor_file.h"
#include "io/torch_file.h"
#include "pickle_bytes.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

#include <stdio.h>

static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static void said(const char *says) {
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, says) != NULL, "'%s' lacks '%s'", message, says);
}

static void check_refused(bytes b, const char *says) {
    ad_tensor_file file;
    unsigned char *exact = seal(&b);
    ck_assert_msg(ad_tensor_file_parse(ctx, "f.pth", exact, b.size, &file) == ADATOM_BAD_DATA, "accepted what is '%s'",
                  says);
    said("'f.pth'");
    said(says);
    ck_assert(!file.tensors && !file.by_name && !file.text);
    free(exact);
}

/* ---- files ---- */

typedef struct content { /* of the storage "0", "1", ... */
    const void *bytes;
    size_t size;
} content;

static bytes zip_of(bytes pickle, const content *contents, int count) {
    zip z = {0};
    zip_add(&z, (zip_member){.name = "net/data.pkl", .content = pickle.at, .size = pickle.size});
    zip_add(&z, (zip_member){.name = "net/byteorder", .content = "little", .size = 6});
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "net/data/%d", i);
        zip_add(&z, (zip_member){.name = name, .content = contents[i].bytes, .size = contents[i].size});
    }
    zip_add(&z, (zip_member){.name = "net/version", .content = "3\n", .size = 2});
    free(pickle.at);
    return zip_end(&z, 0);
}

static bytes legacy_of(bytes pickle, const content *contents, const int64_t *numbers, int count) {
    bytes b = {0};
    put(&b, "\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15);
    put(&b, "\x80\x02M\xe9\x03.", 6);
    put(&b, "\x80\x02}X\x0d\0\0\0little_endian\x88s.", 24);
    put(&b, pickle.at, pickle.size);
    put_text(&b, "\x80\x02](");
    for (int i = 0; i < count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        put_string(&b, key);
    }
    put_text(&b, "e.");
    for (int i = 0; i < count; i++) {
        put_number(&b, (uint64_t)numbers[i], 8);
        put(&b, contents[i].bytes, contents[i].size);
    }
    free(pickle.at);
    return b;
}

/* Six numbers of each type, and what is made of them. */
enum { NUMBERS = 6 };
static float f32[NUMBERS];
static uint16_t f16[NUMBERS], bf16[NUMBERS];
static double f64[NUMBERS];
static int64_t i64[1] = {7};
static const content storages[] = {{f32, sizeof f32}, {f16, sizeof f16}, {bf16, sizeof bf16},
                                   {f64, sizeof f64}, {i64, sizeof i64}, {NULL, 0}};
static const int64_t storage_numbers[] = {NUMBERS, NUMBERS, NUMBERS, NUMBERS, 1, 0};
static const stored tensors[] = {
    {"plain", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}},
    {"turned", "FloatStorage", "0", 6, 0, 2, {3, 2}, {1, 3}},
    {"part", "FloatStorage", "0", 6, 1, 1, {2}, {2}}, /* elements 1 and 3 */
    {"half", "HalfStorage", "1", 6, 0, 3, {1, 6, 1}, {99, 1, 77}},
    {"brain", "BFloat16Storage", "2", 6, 0, 3, {3, 1, 2}, {2, 6, 1}},
    {"wide", "DoubleStorage", "3", 6, 5, 0, {0}, {0}},
    {"count", "LongStorage", "4", 1, 0, 0, {0}, {0}},
    {"empty", "FloatStorage", "5", 0, 0, 2, {0, 5}, {5, 1}},
};

static void fill(void) {
    for (int i = 0; i < NUMBERS; i++) {
        uint32_t bits;
        f32[i] = 0.5f + (float)i;
        memcpy(&bits, &f32[i], sizeof bits);
        f16[i] = ad_half_from_float(f32[i]);
        bf16[i] = (uint16_t)(bits >> 16);
        f64[i] = (double)f32[i] + 1e-12;
    }
}

static void check_table(const ad_tensor_file *file) {
    static const struct {
        const char *name;
        size_t count;
        float values[6];
    } expected[] = {{"plain", 6, {0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f}},
                    {"turned", 6, {0.5f, 3.5f, 1.5f, 4.5f, 2.5f, 5.5f}},
                    {"part", 2, {1.5f, 3.5f}},
                    {"half", 6, {0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f}},
                    {"brain", 6, {0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f}},
                    {"wide", 1, {5.5f}},
                    {"empty", 0, {0}}};
    ck_assert_uint_eq(file->count, AD_COUNT(tensors));
    for (size_t i = 0; i < AD_COUNT(expected); i++) {
        float values[6];
        const ad_file_tensor *t = ad_tensor_file_find(file, expected[i].name);
        ck_assert_ptr_nonnull(t);
        ck_assert(ad_file_tensor_is_float(t));
        ck_assert_uint_eq(t->elements, expected[i].count);
        for (size_t first = 0; first < t->elements; first++)
            for (size_t count = 1; first + count <= t->elements; count++) {
                ad_file_tensor_floats(t, first, count, values);
                ck_assert_mem_eq(values, expected[i].values + first, count * sizeof *values);
            }
    }
    ck_assert_str_eq(file->tensors[1].name, "turned"); /* in the file's order */
    ck_assert(!ad_file_tensor_is_float(ad_tensor_file_find(file, "count")));
    ck_assert_ptr_null(ad_tensor_file_find(file, "nothing"));
    ck_assert(!file->is_model);
}

static bytes good_zip(void) { return zip_of(state_of(tensors, AD_COUNT(tensors)), storages, AD_COUNT(storages)); }
static bytes good_legacy(void) {
    return legacy_of(state_of(tensors, AD_COUNT(tensors)), storages, storage_numbers, AD_COUNT(storages));
}

START_TEST(test_tables) {
    ad_tensor_file file;
    fill();
    for (int legacy = 0; legacy < 2; legacy++) {
        bytes b = legacy ? good_legacy() : good_zip();
        unsigned char *exact = seal(&b);
        ck_assert_msg(ad_tensor_file_parse(ctx, "f", exact, b.size, &file) == ADATOM_OK, "%s",
                      adatom_context_message(ctx));
        check_table(&file);
        ad_tensor_file_clear(&file);
        for (size_t size = 0; size < b.size; size++) { /* cut anywhere, it is refused */
            bytes part = {0};
            put(&part, exact, size);
            unsigned char *cut = seal(&part);
            ck_assert_msg(ad_tensor_file_parse(ctx, "f", cut, size, &file) == ADATOM_BAD_DATA, "accepted %zu of %zu",
                          size, b.size);
            free(cut);
        }
        free(exact);
    }
}
END_TEST

START_TEST(test_bad_tensors) {
    static const int64_t most = INT64_MAX;
    const struct {
        stored t;
        const char *says;
    } cases[] = {
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 4}, {4, 1}}, "'w' runs past its storage"},
        {{"w", "FloatStorage", "0", 6, 1, 2, {2, 3}, {3, 1}}, "'w' runs past its storage"},
        {{"w", "FloatStorage", "0", 6, 7, 0, {0}, {0}}, "'w' runs past its storage"},
        {{"w", "FloatStorage", "0", 6, most, 1, {2}, {1}}, "'w' runs past its storage"},
        {{"w", "FloatStorage", "0", 6, 0, 1, {2}, {6}}, "'w' runs past its storage"},
        {{"w", "FloatStorage", "0", 6, 0, 1, {3}, {most}}, "'w' runs past its storage"},
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 2}, {most, most}}, "'w' has elements that overlap"},
        {{"w", "FloatStorage", "0", 6, 0, 1, {1000}, {0}}, "'w' has elements that overlap"}, /* expand() */
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {1, 1}}, "'w' has elements that overlap"},
        {{"w", "FloatStorage", "0", 6, 0, 2, {2, 3}, {2, 1}}, "'w' has elements that overlap"},
        {{"w", "FloatStorage", "0", 6, 0, 2, {-2, 3}, {3, 1}}, "none of them negative"},
        {{"w", "FloatStorage", "0", 6, 5, 1, {2}, {-1}}, "none of them negative"},
        {{"w", "FloatStorage", "0", 6, -1, 1, {2}, {1}}, "'w' is described in a way that PyTorch does not"},
        {{"w", "FloatStorage", "0", 6, 0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {0}}, "at most 8 numbers"},
        {{"w", "FloatStorage", "0", 6, 0, 2, {most, 8}, {8, 1}}, "'w' has an impossible shape"},
        {{"w", "FloatStorage", "0", most, 0, 1, {1}, {1}}, "'w' has a storage of an impossible size"},
        {{"w", "FloatStorage", "0", most / 4, 0, 1, {1}, {1}}, "24 bytes; 9223372036854775804 were expected"},
        {{"w", "FloatStorage", "0", 7, 0, 1, {1}, {1}}, "the storage of tensor 'w' has 24 bytes; 28 were expected"},
        {{"w", "FloatStorage", "0", -1, 0, 1, {1}, {1}}, "describes a storage in a way that PyTorch does not"},
        {{"w", "Size", "0", 6, 0, 1, {1}, {1}}, "describes a storage in a way that PyTorch does not"},
        {{"w", "FloatStorage", "9", 6, 0, 1, {1}, {1}}, "the storage '9' is missing"},
        {{"w", "FloatStorage", "", 6, 0, 1, {1}, {1}}, "the storage '' is missing"},
        {{"", "FloatStorage", "0", 6, 0, 1, {1}, {1}}, "the name '' of a tensor is empty or not UTF-8"},
        {{"\xff", "FloatStorage", "0", 6, 0, 1, {1}, {1}}, "is empty or not UTF-8"},
    };
    fill();
    for (size_t i = 0; i < AD_COUNT(cases); i++)
        check_refused(zip_of(state_of(&cases[i].t, 1), storages, 6), cases[i].says);
    const stored twice[] = {tensors[0], tensors[0]};
    check_refused(zip_of(state_of(twice, 2), storages, 6), "two tensors have the name 'plain'");
    /* A name that is there once and used twice. */
    bytes b = {0};
    put(&b, "\x80\x02}(X\1\0\0\0wq\0", 12);
    put_tensor(&b, &tensors[0]);
    put(&b, "h\0", 2);
    put_tensor(&b, &tensors[0]);
    put_text(&b, "u.");
    check_refused(zip_of(b, storages, 6), "two tensors have the name 'w'");
}
END_TEST

/* The third form of a tensor, whose storage has no type. */
static bytes untyped(const char *module, const char *type) {
    bytes b = {0};
    put_text(&b, "\x80\x02}");
    put_string(&b, "w");
    put_global(&b, "torch._utils", "_rebuild_tensor_v3");
    put_text(&b, "((");
    put_string(&b, "storage");
    put_global(&b, "torch.storage", "UntypedStorage");
    put_string(&b, "0");
    put_string(&b, "cpu");
    put(&b, "K\x18tQK\3K\2\x85K\1\x85\x89N", 14);
    put_global(&b, module, type);
    put_text(&b, "tRs.");
    return zip_of(b, storages, 6);
}

START_TEST(test_untyped_storage) {
    ad_tensor_file file;
    float values[2];
    fill();
    bytes b = untyped("torch", "float32");
    ck_assert_msg(ad_tensor_file_parse(ctx, "f", b.at, b.size, &file) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ck_assert_uint_eq(file.tensors[0].elements, 2);
    ad_file_tensor_floats(&file.tensors[0], 0, 2, values);
    ck_assert_mem_eq(values, f32 + 3, sizeof values);
    ad_tensor_file_clear(&file);
    free(b.at);
    check_refused(untyped("torch", "float64"), "'w' runs past its storage");
    check_refused(untyped("torch", "Size"), "'w' is described in a way that PyTorch does not");
    check_refused(untyped("torch", "float8_e4m3fn"), "names 'torch.float8_e4m3fn'");
}
END_TEST

START_TEST(test_too_many_tensors) {
    bytes b = {0};
    put_text(&b, "\x80\x02}");
    put_string(&b, "w");
    put_tensor(&b, &tensors[0]);
    put_byte(&b, 's');
    for (int i = 0; i < 600; i++) {
        put_byte(&b, '(');
        for (int k = 0; k < 1000; k++) put(&b, "X\6\0\0\0abcdefK\1", 13);
        put_byte(&b, 'u');
    }
    put_byte(&b, '.');
    check_refused(zip_of(b, storages, 6), "has 600001 tensors");
}
END_TEST

/* One storage as many large tensors. */
START_TEST(test_sharing_is_bounded) {
    enum { LARGE = 100000 };
    static float zeros[LARGE];
    const content large = {zeros, sizeof zeros};
    for (int count = 8; count <= 10; count += 2) {
        ad_tensor_file file;
        bytes b = {0};
        put_text(&b, "\x80\x02}(");
        for (int i = 0; i < count; i++) {
            char name[2] = {(char)('a' + i), 0};
            put_string(&b, name);
            put_tensor(&b, &(stored){"w", "FloatStorage", "0", LARGE, 0, 1, {LARGE}, {1}});
        }
        put_text(&b, "u.");
        b = zip_of(b, &large, 1);
        if (count == 10) {
            check_refused(b, "more than 8 times the file");
            continue;
        }
        ck_assert_int_eq(ad_tensor_file_parse(ctx, "f", b.at, b.size, &file), ADATOM_OK);
        ad_tensor_file_clear(&file);
        free(b.at);
    }
}
END_TEST

/* ---- containers ---- */

static bytes odd_zip(zip_member odd, bool wide) {
    zip z = {0};
    bytes pickle = state_of(tensors, 1);
    const zip_member usual[] = {{.name = "x/data.pkl", .content = pickle.at, .size = pickle.size},
                                {.name = "x/data/0", .content = f32, .size = sizeof f32}};
    for (size_t i = 0; i < AD_COUNT(usual); i++)
        zip_add(&z,
                odd.name && strcmp(odd.name, usual[i].name) == 0 && odd.content == usual[i].content ? odd : usual[i]);
    if (odd.name && odd.content != f32) zip_add(&z, odd);
    free(pickle.at);
    return zip_end(&z, wide);
}

START_TEST(test_zip) {
    ad_tensor_file file;
    fill();
    for (int wide = 0; wide < 2; wide++) {
        bytes b = odd_zip((zip_member){0}, wide);
        ck_assert_msg(ad_tensor_file_parse(ctx, "f", b.at, b.size, &file) == ADATOM_OK, "%s",
                      adatom_context_message(ctx));
        ck_assert_uint_eq(file.count, 1);
        ad_tensor_file_clear(&file);
        free(b.at);
    }
#define ODD(...) odd_zip((zip_member){__VA_ARGS__}, false)
    const char *zero = "x/data/0";
    check_refused(ODD(.name = zero, .content = f32, .size = sizeof f32, .crc = 1),
                  "'0' in it does not have its checksum");
    check_refused(ODD(.name = zero, .content = f32, .size = sizeof f32, .method = 8), "'0' in it is compressed");
    check_refused(ODD(.name = zero, .content = f32, .size = sizeof f32, .flags = 1),
                  "'0' in it is compressed or encrypted");
    check_refused(ODD(.name = zero, .content = f32, .size = sizeof f32, .shift = 1), "not where it should be");
    check_refused(ODD(.name = zero, .content = f32, .size = sizeof f32, .shift = 1 << 30), "not where it should be");
    check_refused(ODD(.name = zero, .content = f64, .size = 8), "the storage '0' is in it twice");
    check_refused(ODD(.name = "y/data.pkl", .content = "N.", .size = 2), "data.pkl is in it twice");
    check_refused(ODD(.name = "x/byteorder", .content = "big", .size = 3), "has the byte order 'big'");
    check_refused(ODD(.name = "x/version", .content = "11", .size = 2), "has version 11");
    check_refused(ODD(.name = "x/version", .content = "", .size = 0), "has version 0");
    check_refused(ODD(.name = "x/constants.pkl", .content = "N.", .size = 2), "is a TorchScript program");
    zip z = {0};
    zip_add(&z, (zip_member){.name = "x/y/data.pkl", .content = "N.", .size = 2});
    check_refused(zip_end(&z, false), "it has no data.pkl");
    z = (zip){0};
    zip_add(&z, (zip_member){.name = "x/data.pkl", .content = "N.", .size = 2, .crc = 5});
    check_refused(zip_end(&z, false), "'data.pkl' in it does not have its checksum");
    bytes long_member = odd_zip((zip_member){0}, false);
    for (size_t i = 0; i + 4 < long_member.size; i++)
        if (memcmp(long_member.at + i, "PK\1\2", 4) == 0) memset(long_member.at + i + 20, 0x70, 8);
    check_refused(long_member, "runs past its end");
    bytes far_directory = odd_zip((zip_member){0}, false);
    memset(far_directory.at + far_directory.size - 6, 0x70, 4);
    check_refused(far_directory, "the list of its members lies outside of it");
    bytes broken_directory = odd_zip((zip_member){0}, false);
    broken_directory.at[broken_directory.size - 10]--;
    check_refused(broken_directory, "the list of its members is broken");
    /* Two members in one place. */
    z = (zip){0};
    bytes pickle = state_of(tensors, 1);
    zip_add(&z, (zip_member){.name = "x/data.pkl", .content = pickle.at, .size = pickle.size});
    free(pickle.at);
    static char block[2000];
    for (int i = 0; i < 4; i++) {
        const char name[] = {'x', '/', 'd', 'a', 't', 'a', '/', (char)('0' + i), 0};
        const size_t at = z.file.size;
        zip_add(&z, (zip_member){.name = name, .content = block, .size = sizeof block});
        if (i == 0) continue;
        z.file.size = at; /* only its record stays */
        put_number(&(bytes){z.directory.at + z.directory.size - 8 - 4, 0, 4}, pickle.size + 40, 4);
    }
    check_refused(zip_end(&z, false), "its members overlap");
}
END_TEST

START_TEST(test_legacy) {
    fill();
    static const int64_t other[] = {5, 6, 6, 6, 1, 0};
    check_refused(legacy_of(state_of(tensors, 1), storages, other, 1), "a storage has 5 numbers, its tensors say 6");
    check_refused(legacy_of(state_of(tensors, 1), storages, storage_numbers, 2), "has a storage that no tensor has");
    check_refused(legacy_of(state_of(tensors, 4), storages, storage_numbers, 1), "the storage '1' is missing");
    const stored typed[] = {tensors[0], {"as double", "DoubleStorage", "0", 6, 0, 1, {1}, {1}}};
    check_refused(legacy_of(state_of(typed, 2), storages, storage_numbers, 1), "describes a storage in two ways");
    bytes b = legacy_of(state_of(tensors, 1), storages, storage_numbers, 1);
    b.at[18] = 0xea;
    check_refused(b, "another version of PyTorch's old format than 1001");
    b = legacy_of(state_of(tensors, 1), storages, storage_numbers, 1);
    b.at[42] = 0x89;
    check_refused(b, "is of a big-endian machine");
    b = legacy_of(state_of(tensors, 1), storages, storage_numbers, 0);
    b.at[b.size - 4] = '}'; /* ](e. */
    b.at[b.size - 2] = 'u';
    check_refused(b, "has no list of its storages");
    b = legacy_of(state_of(tensors, 1), storages, storage_numbers, 0);
    b.size -= 3;
    put(&b, "K\1a.\0\0\0\0\0\0\0\0", 12);
    check_refused(b, "has a storage whose key is no text");
    b = (bytes){0};
    put(&b, "\x80\x03X\5\0\0\0helloq\0.", 15);
    check_refused(b, "is a pickle that torch.save did not write");
    b = (bytes){0};
    put(&b, "\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.cos\nsystem\n.", 27);
    check_refused(b, "names 'os.system'");
    /* A view of a storage, as until 2017. */
    b = (bytes){0};
    put_text(&b, "\x80\x02}");
    put_string(&b, "w");
    put_global(&b, "torch._utils", "_rebuild_tensor");
    put_text(&b, "((");
    put_string(&b, "storage");
    put_global(&b, "torch", "FloatStorage");
    put_string(&b, "0");
    put_string(&b, "cpu");
    put(&b, "K\6(", 3);
    put_string(&b, "1");
    put(&b, "K\0K\6ttQK\0))tRs.", 15);
    check_refused(legacy_of(b, storages, storage_numbers, 1), "is a view of another");
}
END_TEST

/* ---- which dictionary ---- */

/* {key: {tensor}, ...}; a key that begins with + has a dictionary around that, under "state_dict". */
static bytes checkpoint(const char *const *keys) {
    bytes b = {0};
    put_text(&b, "\x80\x02}(");
    for (int i = 0; keys[i]; i++) {
        const bool nested = keys[i][0] == '+';
        put_string(&b, keys[i] + nested);
        put_byte(&b, '}');
        if (nested) put_string(&b, "state_dict");
        if (nested) put_byte(&b, '}');
        char name[32];
        snprintf(name, sizeof name, "of %s", keys[i] + nested);
        put_string(&b, name);
        put_tensor(&b, &tensors[0]);
        put_text(&b, nested ? "ss" : "s");
    }
    put_string(&b, "epoch");
    put_int(&b, 3);
    put_text(&b, "u.");
    return zip_of(b, storages, 6);
}

START_TEST(test_which_dictionary) {
    static const struct {
        const char *keys[4], *name;
    } cases[] = {{{"state_dict"}, "of state_dict"},
                 {{"optimizer", "state_dict"}, "of state_dict"},
                 {{"state_dict", "state_dict_ema"}, "of state_dict_ema"},
                 {{"model", "model_ema", "optimizer"}, "of model_ema"},
                 {{"params", "params_ema"}, "of params_ema"},
                 {{"+model", "optimizer"}, "of model"},
                 {{"generator"}, "of generator"}};
    fill();
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        ad_tensor_file file;
        bytes b = checkpoint(cases[i].keys);
        ck_assert_msg(ad_tensor_file_parse(ctx, "f", b.at, b.size, &file) == ADATOM_OK, "%s",
                      adatom_context_message(ctx));
        ck_assert_uint_eq(file.count, 1);
        ck_assert_str_eq(file.tensors[0].name, cases[i].name);
        ad_tensor_file_clear(&file);
        free(b.at);
    }
    const char *const two[] = {"generator", "critic", NULL}, *const none[] = {NULL};
    check_refused(checkpoint(two), "has tensors under 'generator' and under 'critic'");
    check_refused(checkpoint(none), "holds no dictionary of tensors");
    bytes b = {0};
    put_text(&b, "\x80\x02]");
    put_tensor(&b, &tensors[0]);
    put_text(&b, "a.");
    check_refused(zip_of(b, storages, 6), "holds no dictionary of tensors");
    /* Dictionaries that hold themselves, and each other a thousand times. */
    b = (bytes){0};
    put(&b, "\x80\x02}q\0(", 6);
    for (int i = 0; i < 1000; i++) {
        put_string(&b, ad_torch_wrappers[i % 3]);
        put(&b, "h\0", 2);
    }
    put_text(&b, "u.");
    check_refused(zip_of(b, storages, 6), "holds no dictionary of tensors");
    b = (bytes){0};
    put_text(&b, "\x80\x02");
    for (int i = 0; i < 1000; i++) {
        put_byte(&b, '}');
        put_string(&b, "model");
    }
    put_text(&b, "}");
    for (int i = 0; i < 1000; i++) put_byte(&b, 's');
    put_byte(&b, '.');
    check_refused(zip_of(b, storages, 6), "holds no dictionary of tensors");
}
END_TEST

/* ---- memory ---- */

START_TEST(test_allocation_failures) {
    fill();
    bytes files[] = {good_zip(), good_legacy(), checkpoint((const char *const[]){"generator", NULL})};
    for (size_t f = 0; f < AD_COUNT(files); f++) {
        ad_tensor_file file = {0};
        adatom_status status = ADATOM_FAILED;
        long n = 0;
        for (; status != ADATOM_OK; n++) {
            ad_test_fail_allocation(n);
            status = ad_tensor_file_parse(ctx, "f", files[f].at, files[f].size, &file);
            ad_test_fail_allocation(-1);
            ck_assert(status == ADATOM_OK || (status == ADATOM_OUT_OF_MEMORY && !file.tensors));
        }
        ck_assert_int_gt(n, 8);
        ad_tensor_file_clear(&file);
        free(files[f].at);
    }
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("torch files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_tables);
    tcase_add_test(tests, test_bad_tensors);
    tcase_add_test(tests, test_untyped_storage);
    tcase_add_test(tests, test_too_many_tensors);
    tcase_add_test(tests, test_sharing_is_bounded);
    tcase_add_test(tests, test_zip);
    tcase_add_test(tests, test_legacy);
    tcase_add_test(tests, test_which_dictionary);
    tcase_add_test(tests, test_allocation_failures);
    Suite *suite = suite_create("torch files");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

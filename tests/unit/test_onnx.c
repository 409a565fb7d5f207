/* ONNX files: the wire format that they are written in, refusals, and lack of memory. tests/e2e/test_onnx.py compares
 * what graphs compute. */
#include "net/network.h"
#include "plan/activation.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "transfer/onnx/onnx_graph.h"
#include "transfer/onnx/protobuf.h"

#include <adatom/transfer.h>
#include <stdint.h>
#include <stdio.h>

static adatom_context *ctx;
static ad_protobuf p;
static char folder[] = "/tmp/adatom-onnx-XXXXXX", path[64];

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.onnx", folder);
    p = (ad_protobuf){.ctx = ctx};
}
static void teardown(void) {
    ad_protobuf_clear(&p);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0); /* no temporary file is left */
    adatom_context_destroy(&ctx);
}

static void wrote(const void *bytes, size_t size) {
    ck_assert(!p.failed);
    ck_assert_uint_eq(p.count, size);
    ck_assert_mem_eq(p.bytes, bytes, size);
    p.count = 0;
}
#define WROTE(...) wrote((const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__}))

/* ---- the wire format; the bytes are those of Protocol Buffers' own encoder ---- */

START_TEST(test_integers) {
    ad_protobuf_integer(&p, 1, 0);
    WROTE(0x08, 0x00);
    ad_protobuf_integer(&p, 1, 127);
    WROTE(0x08, 0x7f);
    ad_protobuf_integer(&p, 1, 128);
    WROTE(0x08, 0x80, 0x01);
    ad_protobuf_integer(&p, 1, 300);
    WROTE(0x08, 0xac, 0x02);
    ad_protobuf_integer(&p, 3, INT64_MAX);
    WROTE(0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
    ad_protobuf_integer(&p, 3, -1);
    WROTE(0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    ad_protobuf_integer(&p, 3, INT64_MIN);
    WROTE(0x18, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01);
    /* From field 16 on the tag takes two bytes. */
    ad_protobuf_integer(&p, 15, 1);
    WROTE(0x78, 0x01);
    ad_protobuf_integer(&p, 20, 7);
    WROTE(0xa0, 0x01, 0x07);
}
END_TEST

START_TEST(test_other_fields) {
    ad_protobuf_float(&p, 2, 1.5f);
    WROTE(0x15, 0x00, 0x00, 0xc0, 0x3f);
    ad_protobuf_float(&p, 2, -0.0f);
    WROTE(0x15, 0x00, 0x00, 0x00, 0x80);
    ad_protobuf_text(&p, 2, "testing");
    WROTE(0x12, 0x07, 't', 'e', 's', 't', 'i', 'n', 'g');
    ad_protobuf_text(&p, 2, "");
    WROTE(0x12, 0x00);
    ad_protobuf_bytes(&p, 9, "a\0b", 3);
    WROTE(0x4a, 0x03, 'a', 0, 'b');
    ad_protobuf_announce(&p, 7, 300);
    WROTE(0x3a, 0xac, 0x02);
}
END_TEST

START_TEST(test_messages) {
    size_t outer = ad_protobuf_open(&p, 1);
    ad_protobuf_close(&p, outer); /* an empty one */
    WROTE(0x0a, 0x00);
    outer = ad_protobuf_open(&p, 3);
    ad_protobuf_integer(&p, 1, 150);
    const size_t inner = ad_protobuf_open(&p, 2);
    ad_protobuf_text(&p, 1, "x");
    ad_protobuf_close(&p, inner);
    ad_protobuf_integer(&p, 4, 5);
    ad_protobuf_close(&p, outer);
    ad_protobuf_integer(&p, 1, 1);
    WROTE(0x1a, 0x0a, 0x08, 0x96, 0x01, 0x12, 0x03, 0x0a, 0x01, 'x', 0x20, 0x05, 0x08, 0x01);
}
END_TEST

static size_t read_varint(size_t *at) {
    size_t value = 0, shift = 0;
    for (; p.bytes[*at] & 0x80; shift += 7) value |= (size_t)(p.bytes[(*at)++] & 0x7f) << shift;
    return value | (size_t)p.bytes[(*at)++] << shift;
}

/* Bytes of a field of `size` bytes whose number is below 16: the tag, the length and they. */
static size_t field_bytes(size_t size) {
    return 1 + (size < 128 ? 1 : size < 16384 ? 2 : size < 2097152 ? 3 : 4) + size;
}

/* Bytes in a message in a message, around the sizes where the length of one of them takes another byte, in memory that
 * has to grow meanwhile. */
static void nest(size_t size) {
    static const unsigned char tags[] = {0x0a, 0x12, 0x2a};
    const size_t sizes[] = {field_bytes(field_bytes(size)), field_bytes(size), size};
    unsigned char *content = ad_malloc(ctx, size, 1);
    for (size_t b = 0; b < size; b++) content[b] = (unsigned char)(b * 7 + b / 256);
    const size_t outer = ad_protobuf_open(&p, 1), inner = ad_protobuf_open(&p, 2);
    ad_protobuf_bytes(&p, 5, content, size);
    ad_protobuf_close(&p, inner);
    ad_protobuf_close(&p, outer);
    ad_protobuf_integer(&p, 6, 1);
    ck_assert(!p.failed);
    ck_assert_uint_eq(p.count, field_bytes(sizes[0]) + 2);
    size_t at = 0;
    for (size_t level = 0; level < AD_COUNT(tags); level++) {
        ck_assert_uint_eq(p.bytes[at++], tags[level]);
        ck_assert_uint_eq(read_varint(&at), sizes[level]);
    }
    ck_assert_mem_eq(p.bytes + at, content, size);
    ck_assert_mem_eq(p.bytes + at + size, "\x30\x01", 2);
    ad_free(content);
    ad_protobuf_clear(&p);
}

START_TEST(test_message_sizes) {
    static const size_t boundaries[] = {128, 16384, 2097152};
    for (size_t i = 0; i < AD_COUNT(boundaries); i++)
        for (size_t size = boundaries[i] - 12; size <= boundaries[i] + 1; size++) nest(size);
}
END_TEST

START_TEST(test_lack_of_memory_stays) {
    ad_protobuf_text(&p, 1, "before");
    const size_t opened = ad_protobuf_open(&p, 2), count = p.count;
    ad_test_fail_allocation(0);
    ad_protobuf_reserve(&p, 1 << 20);
    ck_assert(p.failed);
    ad_protobuf_text(&p, 1, "after");
    ad_protobuf_integer(&p, 1, 1);
    ad_protobuf_close(&p, opened);
    ad_protobuf_reserve(&p, 1 << 20);
    ck_assert(p.failed);
    ck_assert_uint_eq(p.count, count);
    ad_protobuf_clear(&p);
    ck_assert(!p.failed && !p.bytes);
}
END_TEST

/* ---- files ---- */

static adatom_model *make(const char *arch, int size, int width, int classes) {
    adatom_model *model = NULL;
    OK(adatom_model_create(ctx,
                           &(adatom_model_params){.size = sizeof(adatom_model_params),
                                                  .arch = arch,
                                                  .sharing = ADATOM_SHARING_LAYER,
                                                  .image_size = size,
                                                  .width = width,
                                                  .classes = classes,
                                                  .seed = 3},
                           &model));
    return model;
}

static void refused(adatom_status status, adatom_status expected, const char *text) {
    ck_assert_int_eq(status, expected);
    ck_assert_msg(strstr(adatom_context_message(ctx), text) != NULL, "no '%s' in: %s", text,
                  adatom_context_message(ctx));
    ck_assert_int_ne(access(path, F_OK), 0);
}

static bool holds(const char *bytes, size_t size, const char *text) {
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

START_TEST(test_what_a_file_holds) {
    adatom_model *model = make("conv4", 16, 8, 3);
    char *bytes = NULL, *again = NULL;
    size_t size = 0, size_again = 0;
    model->notes = ad_strdup(ctx, "{\"classes\": [\"Frauenschuh\", \"\xce\xb1\", \"three\"]}");
    OK(adatom_model_export_onnx(model, path, NULL));
    OK(ad_read_file(ctx, path, 1 << 20, &bytes, &size));
    ck_assert_mem_eq(bytes,
                     "\x08\x08\x12\x06"
                     "adatom",
                     10);                              /* IR version 8, the producer */
    ck_assert(holds(bytes, size, "\x42\x02\x10\x11")); /* opset 17 of the default domain */
    ck_assert(holds(bytes, size, "[\"Frauenschuh\",\"\xce\xb1\",\"three\"]"));
    ck_assert(holds(bytes, size, "pixels") && holds(bytes, size, "logits") && holds(bytes, size, "features"));
    ck_assert(!holds(bytes, size, "BatchNormalization") && !holds(bytes, size, ".atoms"));
    ck_assert_uint_le(size, ad_onnx_graph_bytes(model, &(adatom_onnx_params){0}));
    OK(adatom_model_export_onnx(model, path, &(adatom_onnx_params){.size = sizeof(adatom_onnx_params)}));
    OK(ad_read_file(ctx, path, 1 << 20, &again, &size_again));
    ck_assert_uint_eq(size_again, size);
    ck_assert_mem_eq(again, bytes, size);
    ad_free(again);
    OK(adatom_model_export_onnx(
        model, path, &(adatom_onnx_params){.size = sizeof(adatom_onnx_params), .keep_norms = true, .mirror = true}));
    OK(ad_read_file(ctx, path, 1 << 20, &again, &size_again));
    ck_assert(holds(again, size_again, "BatchNormalization") && holds(again, size_again, "Slice"));
    ad_free(again);
    ad_free(bytes);
    adatom_model_destroy(&model);
    /* Without a classifier, and names that are not as many as its classes, there is neither. */
    model = make("conv4", 16, 8, 0);
    model->notes = ad_strdup(ctx, "{\"classes\": [\"one\"]}");
    OK(adatom_model_export_onnx(model, path, NULL));
    OK(ad_read_file(ctx, path, 1 << 20, &bytes, &size));
    ck_assert(!holds(bytes, size, "logits") && !holds(bytes, size, "classes") && holds(bytes, size, "features"));
    ad_free(bytes);
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_refusals) {
    adatom_onnx_params params = {.size = sizeof params, .cosine = true};
    adatom_model *model = make("mobilenet_v3_small", 32, 0, 0);
    static const float alignment[4];
    refused(adatom_model_export_onnx(model, path, &params), ADATOM_USAGE, "the model has no classifier");
    params = (adatom_onnx_params){.size = sizeof params, .alignment = alignment};
    refused(adatom_model_export_onnx(model, path, &params), ADATOM_USAGE, "an alignment was given");
    params = (adatom_onnx_params){0};
    refused(adatom_model_export_onnx(model, path, &params), ADATOM_USAGE, "adatom_onnx_params");
    /* What no network has. */
    for (int i = 0; i < model->net.node_count; i++) {
        ad_node *node = &model->net.nodes[i];
        if (node->kind == AD_NODE_POOL) {
            node->k--;
            refused(adatom_model_export_onnx(model, path, NULL), ADATOM_UNSUPPORTED, "is no mean over all positions");
            node->k++;
        } else if (node->act != AD_ACT_NONE) {
            const int act = node->act;
            node->act = AD_ACT_GELU_TANH;
            refused(adatom_model_export_onnx(model, path, NULL), ADATOM_UNSUPPORTED, "the activation gelu-tanh of");
            node->act = act;
        }
    }
    OK(adatom_model_export_onnx(model, path, NULL));
    unlink(path);
    ck_assert_int_eq(adatom_model_export_onnx(model, "/nonexistent/a.onnx", NULL), ADATOM_IO);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "/nonexistent/a.onnx"));
    adatom_model_destroy(&model);
}
END_TEST

/* Protocol Buffers' messages have less than 2 GiB. The classifier alone would have 6; its numbers are not made for it.
 */
START_TEST(test_too_large) {
    const adatom_model_params params = {.arch = "conv4", .width = 1024, .image_size = 84, .classes = 65536};
    adatom_model model = {.ctx = ctx};
    OK(ad_network_build(ctx, &params, &model.net));
    refused(adatom_model_export_onnx(&model, path, NULL), ADATOM_USAGE, "a file of ONNX holds less than 2 GiB");
    ad_network_clear(&model.net);
}
END_TEST

START_TEST(test_allocation_failures) {
    adatom_model *model = make("resnet10", 33, 4, 3);
    float *alignment = ad_calloc(ctx, (size_t)model->net.features * (size_t)model->net.features, sizeof *alignment);
    const adatom_onnx_params params = {
        .size = sizeof params, .keep_norms = true, .cosine = true, .mirror = true, .alignment = alignment};
    adatom_status status = ADATOM_FAILED;
    long n = 0;
    model->notes = ad_strdup(ctx, "{\"classes\": [\"a\", \"b\", \"c\"]}");
    for (; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_model_export_onnx(model, path, &params);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK || status == ADATOM_OUT_OF_MEMORY);
        ck_assert(status == ADATOM_OK || adatom_context_message(ctx)[0]);
        ck_assert_int_eq(access(path, F_OK), status == ADATOM_OK ? 0 : -1);
    }
    ck_assert_int_gt(n, 12); /* the parts of the file, the graph's five tables, names of files */
    ad_free(alignment);
    adatom_model_destroy(&model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ONNX");
    TCase *wire = tcase_create("wire format"), *files = tcase_create("files");
    tcase_add_checked_fixture(wire, setup, teardown);
    tcase_add_test(wire, test_integers);
    tcase_add_test(wire, test_other_fields);
    tcase_add_test(wire, test_messages);
    tcase_add_test(wire, test_message_sizes);
    tcase_add_test(wire, test_lack_of_memory_stays);
    suite_add_tcase(suite, wire);
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_set_timeout(files, 120);
    tcase_add_test(files, test_what_a_file_holds);
    tcase_add_test(files, test_refusals);
    tcase_add_test(files, test_too_large);
    tcase_add_test(files, test_allocation_failures);
    suite_add_tcase(suite, files);
    return run_suite(suite, CK_NOFORK);
}

/* A model as a file of ONNX: the graph, and what tells programs how to prepare pictures for it. */
#include "io/json.h"
#include "transfer/onnx/messages.h"
#include "transfer/onnx/onnx_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES ((uint64_t)INT32_MAX) /* of a message of Protocol Buffers */

/* A ModelProto in parts, which the file has one behind the other: its beginning, the graph's fields (nodes, name and
 * tensors, input and outputs), and its end. The numbers of a large network thus lie in memory once. */
enum { BEGINNING, NODES, TENSORS, VALUES, END, PARTS };

static void put_entry(ad_protobuf *p, const char *key, const char *value) {
    const size_t opened = ad_protobuf_open(p, AD_ONNX_MODEL_METADATA);
    ad_protobuf_text(p, AD_ONNX_ENTRY_KEY, key);
    ad_protobuf_text(p, AD_ONNX_ENTRY_VALUE, value);
    ad_protobuf_close(p, opened);
}

static void put_number(ad_protobuf *p, const char *key, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    put_entry(p, key, text);
}

static void put_colour(ad_protobuf *p, const char *key, const float value[3]) {
    char text[64];
    ad_print(text, sizeof text, "[%.9g,%.9g,%.9g]", (double)value[0], (double)value[1], (double)value[2]);
    put_entry(p, key, text);
}

/* The names of the classes, where the notes tell them. */
static adatom_status put_classes(ad_protobuf *p, const adatom_model *model) {
    json_t *notes = NULL;
    json_error_t error;
    adatom_status status = ADATOM_OK;
    char *text = NULL;
    if (!model->notes || model->net.way == 0) return ADATOM_OK;
    if (ad_json_parse(model->ctx, model->notes, strlen(model->notes), &notes, &error) == ADATOM_OUT_OF_MEMORY)
        AD_TRY(ADATOM_OUT_OF_MEMORY);
    const json_t *names = json_object_get(notes, "classes");
    if (json_array_size(names) != (size_t)model->net.way) goto done;
    if (!(text = ad_json_dump(names, JSON_COMPACT)))
        AD_TRY(ad_fail(model->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the names of classes"));
    put_entry(p, "classes", text);
done:
    free(text); /* jansson's */
    json_decref(notes);
    return status;
}

static adatom_status put_metadata(ad_protobuf *p, const adatom_model *model, const adatom_onnx_params *params) {
    char hash[17];
    ad_hash_hex(model->hash, hash);
    put_entry(p, "pixels", "RGB, from 0 to 1");
    put_number(p, "image_size", model->net.image_size);
    put_number(p, "resize", model->resize);
    put_entry(p, "interpolation", adatom_interpolation_name(model->interpolation));
    put_colour(p, "mean", model->mean);
    put_colour(p, "std", model->std);
    put_entry(p, "mirror", params->mirror ? "true" : "false");
    put_entry(p, "arch", model->net.arch);
    put_entry(p, "model_hash", hash);
    put_entry(p, "adatom_version", adatom_version());
    return put_classes(p, model);
}

static adatom_status check(const adatom_model *model, const adatom_onnx_params *params) {
    if (params->cosine && model->net.way == 0)
        return ad_fail(model->ctx, ADATOM_USAGE, "a cosine classifier was asked for, but the model has no classifier");
    if (params->alignment && !params->cosine)
        return ad_fail(model->ctx, ADATOM_USAGE,
                       "an alignment was given, but only the lengths for a cosine classifier are taken by it");
    const uint64_t bytes =
        ad_onnx_graph_bytes(model, params) + (model->notes ? (uint64_t)strlen(model->notes) : 0) + 65536;
    if (bytes <= MOST_BYTES) return ADATOM_OK;
    char text[32];
    ad_bytes_text(bytes, text);
    return ad_fail(model->ctx, ADATOM_USAGE, "the network takes %s, and a file of ONNX holds less than 2 GiB", text);
}

static void put_values(ad_protobuf *p, const ad_network *net) {
    const int64_t pixels[] = {0, 3, net->image_size, net->image_size}, features[] = {0, net->features},
                  logits[] = {0, net->way};
    ad_onnx_put_value(p, AD_ONNX_GRAPH_INPUT, AD_ONNX_PIXELS, 4, pixels);
    if (net->way > 0) ad_onnx_put_value(p, AD_ONNX_GRAPH_OUTPUT, AD_ONNX_LOGITS, 2, logits);
    ad_onnx_put_value(p, AD_ONNX_GRAPH_OUTPUT, AD_ONNX_FEATURES, 2, features);
}

static adatom_status write_parts(adatom_context *ctx, const char *path, const ad_protobuf parts[PARTS]) {
    ad_bytes bytes[PARTS];
    ad_staged staged;
    for (int i = 0; i < PARTS; i++) {
        if (parts[i].failed) return ADATOM_OUT_OF_MEMORY;
        bytes[i] = (ad_bytes){parts[i].bytes, parts[i].count};
    }
    const adatom_status status = ad_write_stage_parts(ctx, path, bytes, PARTS, &staged);
    return status == ADATOM_OK ? ad_write_commit(ctx, path, &staged) : status;
}

adatom_status adatom_model_export_onnx(const adatom_model *model, const char *path, const adatom_onnx_params *params) {
    adatom_context *ctx = model->ctx;
    adatom_onnx_params p;
    ad_protobuf parts[PARTS];
    const ad_call outer = ad_call_begin(ctx, NULL, NULL);
    adatom_status status;
    for (int i = 0; i < PARTS; i++) parts[i] = (ad_protobuf){.ctx = ctx};
    AD_TRY(AD_PARAMS(ctx, adatom_onnx_params, params, &p));
    AD_TRY(check(model, &p));
    ad_protobuf_reserve(&parts[TENSORS], (size_t)ad_onnx_graph_bytes(model, &p));
    ad_protobuf_text(&parts[TENSORS], AD_ONNX_GRAPH_NAME, model->net.arch);
    AD_TRY(ad_onnx_graph(model, &p, &parts[NODES], &parts[TENSORS]));
    put_values(&parts[VALUES], &model->net);
    ad_protobuf_integer(&parts[BEGINNING], AD_ONNX_MODEL_IR, AD_ONNX_IR);
    ad_protobuf_text(&parts[BEGINNING], AD_ONNX_MODEL_PRODUCER, "adatom");
    ad_protobuf_text(&parts[BEGINNING], AD_ONNX_MODEL_PRODUCER_VERSION, adatom_version());
    ad_protobuf_announce(&parts[BEGINNING], AD_ONNX_MODEL_GRAPH,
                         parts[NODES].count + parts[TENSORS].count + parts[VALUES].count);
    const size_t opset = ad_protobuf_open(&parts[END], AD_ONNX_MODEL_OPSET);
    ad_protobuf_integer(&parts[END], AD_ONNX_OPSET_VERSION, AD_ONNX_OPSET);
    ad_protobuf_close(&parts[END], opset);
    AD_TRY(put_metadata(&parts[END], model, &p));
    AD_TRY(write_parts(ctx, path, parts));
done:
    for (int i = 0; i < PARTS; i++) ad_protobuf_clear(&parts[i]);
    return ad_call_end(ctx, &outer, status);
}

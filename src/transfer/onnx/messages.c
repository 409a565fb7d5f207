#include "transfer/onnx/messages.h"

/* Numbers of fields and values in onnx.proto. */
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_F = 2, ATTRIBUTE_I = 3, ATTRIBUTE_INTS = 8, ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TYPE_ELEMENT = 1, TYPE_SHAPE = 2 };
enum { SHAPE_DIMENSION = 1, DIMENSION_VALUE = 1, DIMENSION_NAME = 2 };

static void put_attribute(ad_protobuf *p, const ad_onnx_attribute *a) {
    static const int types[] = {[AD_ONNX_INT] = TYPE_INT, [AD_ONNX_LIST] = TYPE_INTS, [AD_ONNX_FLOAT] = TYPE_FLOAT};
    const size_t opened = ad_protobuf_open(p, NODE_ATTRIBUTE);
    ad_protobuf_text(p, ATTRIBUTE_NAME, a->name);
    if (a->kind == AD_ONNX_FLOAT) ad_protobuf_float(p, ATTRIBUTE_F, a->value);
    if (a->kind == AD_ONNX_INT) ad_protobuf_integer(p, ATTRIBUTE_I, a->ints[0]);
    for (size_t i = 0; i < a->count; i++) ad_protobuf_integer(p, ATTRIBUTE_INTS, a->ints[i]);
    ad_protobuf_integer(p, ATTRIBUTE_TYPE, types[a->kind]);
    ad_protobuf_close(p, opened);
}

void ad_onnx_put_node(ad_protobuf *p, const ad_onnx_node *node) {
    const size_t opened = ad_protobuf_open(p, AD_ONNX_GRAPH_NODE);
    for (size_t i = 0; node->inputs[i]; i++) ad_protobuf_text(p, NODE_INPUT, node->inputs[i]);
    ad_protobuf_text(p, NODE_OUTPUT, node->output);
    ad_protobuf_text(p, NODE_NAME, node->output);
    ad_protobuf_text(p, NODE_OP, node->op);
    for (size_t i = 0; i < node->count; i++) put_attribute(p, &node->attributes[i]);
    ad_protobuf_close(p, opened);
}

static void put_tensor(ad_protobuf *p, const char *name, int type, int rank, const int64_t *shape, const void *values,
                       size_t element) {
    const size_t opened = ad_protobuf_open(p, AD_ONNX_GRAPH_INITIALIZER);
    for (int i = 0; i < rank; i++) {
        ad_protobuf_integer(p, TENSOR_DIMS, shape[i]);
        element *= (size_t)shape[i];
    }
    ad_protobuf_integer(p, TENSOR_TYPE, type);
    ad_protobuf_text(p, TENSOR_NAME, name);
    ad_protobuf_bytes(p, TENSOR_RAW, values, element); /* little-endian, as this processor has them */
    ad_protobuf_close(p, opened);
}

void ad_onnx_put_floats(ad_protobuf *p, const char *name, int rank, const int64_t *shape, const float *values) {
    put_tensor(p, name, ELEMENT_FLOAT, rank, shape, values, sizeof *values);
}

void ad_onnx_put_integers(ad_protobuf *p, const char *name, const int64_t *values, size_t count) {
    put_tensor(p, name, ELEMENT_INT64, 1, &(const int64_t){(int64_t)count}, values, sizeof *values);
}

void ad_onnx_put_value(ad_protobuf *p, int field, const char *name, int rank, const int64_t *shape) {
    const size_t value = ad_protobuf_open(p, field);
    ad_protobuf_text(p, VALUE_NAME, name);
    const size_t type = ad_protobuf_open(p, VALUE_TYPE), tensor = ad_protobuf_open(p, TYPE_TENSOR);
    ad_protobuf_integer(p, TYPE_ELEMENT, ELEMENT_FLOAT);
    const size_t dimensions = ad_protobuf_open(p, TYPE_SHAPE);
    for (int i = 0; i < rank; i++) {
        const size_t dimension = ad_protobuf_open(p, SHAPE_DIMENSION);
        if (shape[i] > 0)
            ad_protobuf_integer(p, DIMENSION_VALUE, shape[i]);
        else
            ad_protobuf_text(p, DIMENSION_NAME, "N");
        ad_protobuf_close(p, dimension);
    }
    ad_protobuf_close(p, dimensions);
    ad_protobuf_close(p, tensor);
    ad_protobuf_close(p, type);
    ad_protobuf_close(p, value);
}

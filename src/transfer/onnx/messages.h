/* The parts of an ONNX graph [onnx.ai, onnx/onnx.proto, IR version 8]: nodes, their attributes, constant tensors. */
#ifndef AD_TRANSFER_ONNX_MESSAGES_H
#define AD_TRANSFER_ONNX_MESSAGES_H

#include "transfer/onnx/protobuf.h"

enum { AD_ONNX_IR = 8, AD_ONNX_OPSET = 17, AD_ONNX_INTS = 4 };

/* Fields of ModelProto, OperatorSetIdProto, StringStringEntryProto and GraphProto, by their numbers in onnx.proto. */
enum {
    AD_ONNX_MODEL_IR = 1,
    AD_ONNX_MODEL_PRODUCER = 2,
    AD_ONNX_MODEL_PRODUCER_VERSION = 3,
    AD_ONNX_MODEL_GRAPH = 7,
    AD_ONNX_MODEL_OPSET = 8,
    AD_ONNX_MODEL_METADATA = 14,
    AD_ONNX_OPSET_VERSION = 2,
    AD_ONNX_ENTRY_KEY = 1,
    AD_ONNX_ENTRY_VALUE = 2,
    AD_ONNX_GRAPH_NODE = 1,
    AD_ONNX_GRAPH_NAME = 2,
    AD_ONNX_GRAPH_INITIALIZER = 5,
    AD_ONNX_GRAPH_INPUT = 11,
    AD_ONNX_GRAPH_OUTPUT = 12
};

typedef struct ad_onnx_attribute {
    const char *name;
    enum { AD_ONNX_INT, AD_ONNX_LIST, AD_ONNX_FLOAT } kind;
    int64_t ints[AD_ONNX_INTS]; /* INT: the first; LIST: count of them */
    size_t count;
    float value; /* FLOAT */
} ad_onnx_attribute;
#define AD_ONNX_I(text, number)                                                                                        \
    {                                                                                                                  \
        .name = (text), .kind = AD_ONNX_INT, .ints = {(number) }                                                       \
    }
#define AD_ONNX_F(text, number)                                                                                        \
    { .name = (text), .kind = AD_ONNX_FLOAT, .value = (number) }
#define AD_ONNX_L(text, numbers, ...)                                                                                  \
    {                                                                                                                  \
        .name = (text), .kind = AD_ONNX_LIST, .count = (numbers), .ints = { __VA_ARGS__ }                              \
    }

/* A node with one output, which it is named after. inputs: ended by NULL. */
typedef struct ad_onnx_node {
    const char *op, *output;
    const char *const *inputs;
    const ad_onnx_attribute *attributes;
    size_t count;
} ad_onnx_node;
#define AD_ONNX_INPUTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define AD_ONNX_ATTRIBUTES(...)                                                                                        \
    .attributes = (const ad_onnx_attribute[]){__VA_ARGS__},                                                            \
    .count = sizeof((const ad_onnx_attribute[]){__VA_ARGS__}) / sizeof(ad_onnx_attribute)

void ad_onnx_put_node(ad_protobuf *nodes, const ad_onnx_node *node);
/* A tensor of float32 with that shape; rank 0: a scalar. */
void ad_onnx_put_floats(ad_protobuf *tensors, const char *name, int rank, const int64_t *shape, const float *values);
/* count integers. */
void ad_onnx_put_integers(ad_protobuf *tensors, const char *name, const int64_t *values, size_t count);
/* An input or output of the graph, float32. A dimension of 0 is the batch, whose size is free. */
void ad_onnx_put_value(ad_protobuf *graph, int field, const char *name, int rank, const int64_t *shape);
#endif

/* Values are [N][channels][height][width], as ONNX has pictures, without the channels that pad ours. A node's value is
 * named after the node and what was done last. */
#include "transfer/onnx/onnx_graph.h"
#include "plan/activation.h"
#include "transfer/dense.h"
#include "transfer/onnx/messages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME = 96, BYTES_OF_NODE = 4096 /* more than the names and shapes of a layer's nodes take */ };

/* Numbers that operators read as tensors of one element. */
enum { ZERO, ONE, SIX, HALF, ROOT_HALF, LEAST_LENGTH, CONSTANTS };
static const struct {
    const char *name;
    float value;
} constants[CONSTANTS] = {[ZERO] = {"zero", 0},
                          [ONE] = {"one", 1},
                          [SIX] = {"six", 6},
                          [HALF] = {"half", 0.5f},
                          [ROOT_HALF] = {"root_half", 0.707106781f},
                          [LEAST_LENGTH] = {"least_length", 1e-12f}};

typedef struct graph {
    const adatom_model *model;
    const ad_network *net;
    const adatom_onnx_params *params;
    ad_protobuf *nodes, *tensors;
    char (*values)[NAME];     /* [node_count] the name of what each node gives */
    double *kernel;           /* of the largest convolution */
    float *numbers;           /* as many */
    double *factors, *shifts; /* [the most filters] what a norm does to its channels */
    bool made[CONSTANTS];
} graph;

static const float *param_values(const graph *g, int param) { return g->model->values + g->net->params[param].offset; }

static const char *constant(graph *g, int which) {
    if (!g->made[which]) ad_onnx_put_floats(g->tensors, constants[which].name, 0, NULL, &constants[which].value);
    g->made[which] = true;
    return constants[which].name;
}

static const char *join(char out[NAME], const char *name, const char *suffix) {
    snprintf(out, NAME, "%s%s", name, suffix);
    return out;
}

/* One factor or shift a channel: [channels], or [channels][1][1] (spread) for operators that do not know which
 * dimension channels are. */
static const char *put_channels(graph *g, char out[NAME], const ad_node *node, const char *suffix, bool spread,
                                const float *values) {
    const int64_t shape[] = {node->filters, 1, 1};
    ad_onnx_put_floats(g->tensors, join(out, node->name, suffix), spread ? 3 : 1, shape, values);
    return out;
}

/* An operator of the value and, unless it is NULL, another one; its result is the value from here on. */
static void step(graph *g, const ad_node *node, char value[NAME], const char *suffix, const char *op,
                 const char *other) {
    char output[NAME];
    ad_onnx_put_node(
        g->nodes,
        &(ad_onnx_node){.op = op, .output = join(output, node->name, suffix), .inputs = AD_ONNX_INPUTS(value, other)});
    memcpy(value, output, NAME);
}

/* ---- convolutions and norms ---- */

/* The norm whose factors and shifts the convolution's numbers take in, or NULL: it must be all that reads the
 * convolution. */
static const ad_node *norm_folded_into(const graph *g, int conv) {
    const ad_node *found = NULL;
    int readers = 0;
    for (int i = conv + 1; i < g->net->node_count; i++) {
        const ad_node *node = &g->net->nodes[i];
        readers += (node->input == conv) + (node->residual == conv) + (node->gate == conv);
        if (node->kind == AD_NODE_NORM && node->input == conv && (node->gamma >= 0 || node->scale >= 0)) found = node;
    }
    return readers == 1 && !g->params->keep_norms ? found : NULL;
}

/* g->factors and g->shifts of a norm: y = factor x + shift in each channel. NULL: those that change nothing. */
static void find_affine(graph *g, const ad_node *norm, int32_t channels) {
    for (int32_t c = 0; c < channels; c++) {
        g->factors[c] = !norm || norm->scale < 0 ? 1 : (double)param_values(g, norm->scale)[c];
        g->shifts[c] = 0;
        if (!norm || norm->gamma < 0) continue;
        const float *mean = param_values(g, norm->statistics), *variance = mean + g->net->params[norm->statistics].c;
        g->factors[c] = (double)param_values(g, norm->gamma)[c] / sqrt((double)variance[c] + (double)norm->epsilon);
        g->shifts[c] = (double)param_values(g, norm->beta)[c] - (double)mean[c] * g->factors[c];
    }
}

/* Padding behind the last row and column. Negative where windows leave some rows out, which ONNX does by itself. */
static int32_t pad_behind(const ad_node *node, int32_t size, int32_t out) {
    return AD_MAX(0, (out - 1) * node->stride + (node->k - 1) * node->dil + 1 - size - node->pad);
}

static void put_conv(graph *g, int number) {
    const ad_node *node = &g->net->nodes[number], *norm = norm_folded_into(g, number);
    const size_t count = ad_dense_count(node), each = count / (size_t)node->filters;
    char weight[NAME], bias[NAME];
    find_affine(g, norm, node->filters);
    ad_dense_kernel(g->model, node, g->kernel);
    for (size_t e = 0; e < count; e++) g->numbers[e] = (float)(g->factors[e / each] * g->kernel[e]);
    ad_onnx_put_floats(g->tensors, join(weight, node->name, ".weight"), 4,
                       (const int64_t[]){node->filters, node->channels, node->k, node->k}, g->numbers);
    const bool shifted = norm || node->bias >= 0;
    for (int32_t c = 0; shifted && c < node->filters; c++) {
        const double own = node->bias < 0 ? 0 : (double)param_values(g, node->bias)[c];
        g->numbers[c] = (float)(g->shifts[c] + g->factors[c] * own);
    }
    if (shifted) put_channels(g, bias, node, ".bias", false, g->numbers);
    ad_onnx_put_node(g->nodes,
                     &(ad_onnx_node){.op = "Conv",
                                     .output = g->values[number],
                                     .inputs = AD_ONNX_INPUTS(g->values[node->input], weight, shifted ? bias : NULL),
                                     AD_ONNX_ATTRIBUTES(AD_ONNX_L("kernel_shape", 2, node->k, node->k),
                                                        AD_ONNX_L("strides", 2, node->stride, node->stride),
                                                        AD_ONNX_L("dilations", 2, node->dil, node->dil),
                                                        AD_ONNX_L("pads", 4, node->pad, node->pad,
                                                                  pad_behind(node, node->h, node->oh),
                                                                  pad_behind(node, node->w, node->ow)),
                                                        AD_ONNX_I("group", node->groups))});
}

static void put_batch_norm(graph *g, const ad_node *node, char value[NAME]) {
    char gamma[NAME], beta[NAME], mean[NAME], variance[NAME], output[NAME];
    const float *statistics = param_values(g, node->statistics);
    put_channels(g, gamma, node, ".weight", false, param_values(g, node->gamma));
    put_channels(g, beta, node, ".bias", false, param_values(g, node->beta));
    put_channels(g, mean, node, ".running_mean", false, statistics);
    put_channels(g, variance, node, ".running_var", false, statistics + g->net->params[node->statistics].c);
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "BatchNormalization",
                                               .output = join(output, node->name, ".affine"),
                                               .inputs = AD_ONNX_INPUTS(value, gamma, beta, mean, variance),
                                               AD_ONNX_ATTRIBUTES(AD_ONNX_F("epsilon", node->epsilon))});
    memcpy(value, output, NAME);
}

static void put_simple(graph *g, const ad_node *node, char value[NAME], const char *op, const ad_onnx_attribute *a,
                       size_t count) {
    char output[NAME];
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = op,
                                               .output = join(output, node->name, ".act"),
                                               .inputs = AD_ONNX_INPUTS(value),
                                               .attributes = a,
                                               .count = count});
    memcpy(value, output, NAME);
}

static adatom_status put_activation(graph *g, const ad_node *node, char value[NAME]) {
    const ad_onnx_attribute alpha = AD_ONNX_F("alpha", node->slope), sixth = AD_ONNX_F("alpha", 1.0f / 6);
    char inner[NAME], output[NAME];
    memcpy(inner, value, NAME);
    switch (node->act) {
    case AD_ACT_NONE: break;
    case AD_ACT_RELU: put_simple(g, node, value, "Relu", NULL, 0); break;
    case AD_ACT_LEAKY: put_simple(g, node, value, "LeakyRelu", &alpha, 1); break;
    case AD_ACT_HARD_SWISH: put_simple(g, node, value, "HardSwish", NULL, 0); break;
    case AD_ACT_SIGMOID: put_simple(g, node, value, "Sigmoid", NULL, 0); break;
    case AD_ACT_HARD_SIGMOID: /* max(0, min(1, v/6 + 1/2)): beta is 1/2 by default */
        put_simple(g, node, value, "HardSigmoid", &sixth, 1);
        break;
    case AD_ACT_RELU6:
        ad_onnx_put_node(g->nodes,
                         &(ad_onnx_node){.op = "Clip",
                                         .output = join(output, node->name, ".act"),
                                         .inputs = AD_ONNX_INPUTS(value, constant(g, ZERO), constant(g, SIX))});
        memcpy(value, output, NAME);
        break;
    case AD_ACT_SILU:
        step(g, node, inner, ".sigmoid", "Sigmoid", NULL);
        step(g, node, value, ".act", "Mul", inner);
        break;
    case AD_ACT_GELU: /* Gelu is an operator from opset 20 on */
        step(g, node, inner, ".scaled", "Mul", constant(g, ROOT_HALF));
        step(g, node, inner, ".erf", "Erf", NULL);
        step(g, node, inner, ".shifted", "Add", constant(g, ONE));
        step(g, node, inner, ".halved", "Mul", constant(g, HALF));
        step(g, node, value, ".act", "Mul", inner);
        break;
    default:
        return ad_fail(g->model->ctx, ADATOM_UNSUPPORTED, "the activation %s of %s cannot be written as ONNX",
                       ad_act_name(node->act), node->name);
    }
    return ADATOM_OK;
}

/* act(norm + residual), of which the norm may be in the convolution already. */
static adatom_status put_norm(graph *g, int number) {
    const ad_node *node = &g->net->nodes[number];
    char scale[NAME], *value = g->values[number];
    const bool conv = g->net->nodes[node->input].kind == AD_NODE_CONV;
    const bool folded = conv && norm_folded_into(g, node->input) == node;
    memcpy(value, g->values[node->input], NAME);
    if (!folded && node->gamma >= 0) put_batch_norm(g, node, value);
    if (!folded && node->scale >= 0)
        step(g, node, value, ".affine", "Mul",
             put_channels(g, scale, node, ".factors", true, param_values(g, node->scale)));
    if (node->residual >= 0) step(g, node, value, ".sum", "Add", g->values[node->residual]);
    return put_activation(g, node, value);
}

static void permute(graph *g, const char *input, const char *output, int64_t b, int64_t c, int64_t d) {
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Transpose",
                                               .output = output,
                                               .inputs = AD_ONNX_INPUTS(input),
                                               AD_ONNX_ATTRIBUTES(AD_ONNX_L("perm", 4, 0, b, c, d))});
}

/* ONNX normalises over last dimensions. */
static void put_layer_norm(graph *g, int number) {
    const ad_node *node = &g->net->nodes[number];
    char gamma[NAME], beta[NAME], last[NAME], output[NAME];
    put_channels(g, gamma, node, ".weight", false, param_values(g, node->gamma));
    put_channels(g, beta, node, ".bias", false, param_values(g, node->beta));
    permute(g, g->values[node->input], join(last, node->name, ".last"), 2, 3, 1);
    ad_onnx_put_node(g->nodes,
                     &(ad_onnx_node){.op = "LayerNormalization",
                                     .output = join(output, node->name, ".normal"),
                                     .inputs = AD_ONNX_INPUTS(last, gamma, beta),
                                     AD_ONNX_ATTRIBUTES(AD_ONNX_I("axis", -1), AD_ONNX_F("epsilon", node->epsilon))});
    permute(g, output, g->values[number], 3, 1, 2);
}

static adatom_status put_pool(graph *g, int number) {
    const ad_node *node = &g->net->nodes[number];
    const char *const *inputs = AD_ONNX_INPUTS(g->values[node->input]);
    if (!node->average) {
        ad_onnx_put_node(g->nodes,
                         &(ad_onnx_node){.op = "MaxPool",
                                         .output = g->values[number],
                                         .inputs = inputs,
                                         AD_ONNX_ATTRIBUTES(AD_ONNX_L("kernel_shape", 2, node->k, node->k),
                                                            AD_ONNX_L("strides", 2, node->stride, node->stride),
                                                            AD_ONNX_L("pads", 4, node->pad, node->pad,
                                                                      pad_behind(node, node->h, node->oh),
                                                                      pad_behind(node, node->w, node->ow)))});
        return ADATOM_OK;
    }
    if (node->oh != 1 || node->k != node->h || node->pad != 0) /* no network has others */
        return ad_fail(g->model->ctx, ADATOM_UNSUPPORTED,
                       "%s is no mean over all positions and cannot be written as ONNX", node->name);
    ad_onnx_put_node(g->nodes,
                     &(ad_onnx_node){.op = "GlobalAveragePool", .output = g->values[number], .inputs = inputs});
    return ADATOM_OK;
}

static adatom_status put_layer(graph *g, int number) {
    const ad_node *node = &g->net->nodes[number];
    join(g->values[number], node->name, "");
    switch (node->kind) {
    case AD_NODE_INPUT: break; /* put_pixels() */
    case AD_NODE_CONV: put_conv(g, number); break;
    case AD_NODE_NORM: return put_norm(g, number);
    case AD_NODE_LAYER_NORM: put_layer_norm(g, number); break;
    case AD_NODE_CHANNEL_SCALE:
        ad_onnx_put_node(g->nodes,
                         &(ad_onnx_node){.op = "Mul",
                                         .output = g->values[number],
                                         .inputs = AD_ONNX_INPUTS(g->values[node->input], g->values[node->gate])});
        break;
    case AD_NODE_POOL: return put_pool(g, number);
    }
    return ADATOM_OK;
}

/* ---- what is before and behind the network ---- */

/* (pixel - mean)/std; this cannot go into the first convolution, whose padding is zero behind it. With mirror images
 * the batch is twice as large. */
static void put_pixels(graph *g) {
    static const int64_t shape[] = {3, 1, 1};
    const char *centred = "input.centred", *input = "input", *mirrored = "input.mirrored";
    ad_onnx_put_floats(g->tensors, "input.mean", 3, shape, g->model->mean);
    ad_onnx_put_floats(g->tensors, "input.std", 3, shape, g->model->std);
    ad_onnx_put_node(
        g->nodes,
        &(ad_onnx_node){.op = "Sub", .output = centred, .inputs = AD_ONNX_INPUTS(AD_ONNX_PIXELS, "input.mean")});
    ad_onnx_put_node(g->nodes,
                     &(ad_onnx_node){.op = "Div", .output = input, .inputs = AD_ONNX_INPUTS(centred, "input.std")});
    join(g->values[0], g->params->mirror ? "input.both" : input, "");
    if (!g->params->mirror) return;
    /* The columns from the last to the first, the one before which is the end. */
    ad_onnx_put_integers(g->tensors, "mirror.last", (const int64_t[]){-1}, 1);
    ad_onnx_put_integers(g->tensors, "mirror.end", (const int64_t[]){-(int64_t)g->net->image_size - 1}, 1);
    ad_onnx_put_integers(g->tensors, "mirror.axis", (const int64_t[]){3}, 1);
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Slice",
                                               .output = mirrored,
                                               .inputs = AD_ONNX_INPUTS(input, "mirror.last", "mirror.end",
                                                                        "mirror.axis", "mirror.last")});
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Concat",
                                               .output = g->values[0],
                                               .inputs = AD_ONNX_INPUTS(input, mirrored),
                                               AD_ONNX_ATTRIBUTES(AD_ONNX_I("axis", 0))});
}

/* The last node's value, flattened channels-last; of mirror images the mean with the picture's. */
static void put_features(graph *g) {
    const int last = g->net->node_count - 1;
    const ad_node *node = &g->net->nodes[last];
    const bool mirror = g->params->mirror;
    const char *value = g->values[last], *flat = mirror ? AD_ONNX_FEATURES ".both" : AD_ONNX_FEATURES;
    if (node->oh * node->ow > 1) {
        permute(g, value, AD_ONNX_FEATURES ".map", 2, 3, 1);
        value = AD_ONNX_FEATURES ".map";
    }
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Flatten",
                                               .output = flat,
                                               .inputs = AD_ONNX_INPUTS(value),
                                               AD_ONNX_ATTRIBUTES(AD_ONNX_I("axis", 1))});
    if (!mirror) return;
    ad_onnx_put_integers(g->tensors, "mirror.halves", (const int64_t[]){2, -1, g->net->features}, 3);
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Reshape",
                                               .output = AD_ONNX_FEATURES ".halves",
                                               .inputs = AD_ONNX_INPUTS(flat, "mirror.halves")});
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "ReduceMean",
                                               .output = AD_ONNX_FEATURES,
                                               .inputs = AD_ONNX_INPUTS(AD_ONNX_FEATURES ".halves"),
                                               AD_ONNX_ATTRIBUTES(AD_ONNX_L("axes", 1, 0), AD_ONNX_I("keepdims", 0))});
}

/* <w, x> + b, for a cosine classifier of x = f/max(|M f|, 1e-12), where M is the alignment. */
static void put_classifier(graph *g) {
    const int64_t shape[] = {g->net->way, g->net->features}, square[] = {g->net->features, g->net->features};
    const char *x = AD_ONNX_FEATURES, *measured = x;
    if (g->params->cosine && g->params->alignment) {
        measured = "head.aligned";
        ad_onnx_put_floats(g->tensors, "head.alignment", 2, square, g->params->alignment);
        ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Gemm",
                                                   .output = measured,
                                                   .inputs = AD_ONNX_INPUTS(x, "head.alignment"),
                                                   AD_ONNX_ATTRIBUTES(AD_ONNX_I("transB", 1))});
    }
    if (g->params->cosine) {
        ad_onnx_put_node(g->nodes,
                         &(ad_onnx_node){.op = "ReduceL2",
                                         .output = "head.length",
                                         .inputs = AD_ONNX_INPUTS(measured),
                                         AD_ONNX_ATTRIBUTES(AD_ONNX_L("axes", 1, 1), AD_ONNX_I("keepdims", 1))});
        ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Max",
                                                   .output = "head.divisor",
                                                   .inputs = AD_ONNX_INPUTS("head.length", constant(g, LEAST_LENGTH))});
        ad_onnx_put_node(
            g->nodes, &(ad_onnx_node){.op = "Div", .output = "head.unit", .inputs = AD_ONNX_INPUTS(x, "head.divisor")});
        x = "head.unit";
    }
    ad_onnx_put_floats(g->tensors, "head.weight", 2, shape, param_values(g, g->net->head));
    ad_onnx_put_floats(g->tensors, "head.bias", 1, shape, param_values(g, g->net->head_bias));
    ad_onnx_put_node(g->nodes, &(ad_onnx_node){.op = "Gemm",
                                               .output = AD_ONNX_LOGITS,
                                               .inputs = AD_ONNX_INPUTS(x, "head.weight", "head.bias"),
                                               AD_ONNX_ATTRIBUTES(AD_ONNX_I("transB", 1))});
}

uint64_t ad_onnx_graph_bytes(const adatom_model *model, const adatom_onnx_params *params) {
    const ad_network *net = &model->net;
    const uint64_t features = (uint64_t)net->features;
    uint64_t numbers = ((uint64_t)net->way + 1) * (features + 1);
    if (params->cosine && params->alignment) numbers += features * features;
    for (int i = 0; i < net->node_count; i++) {
        const ad_node *node = &net->nodes[i];
        numbers += 4 * (uint64_t)node->filters; /* a norm's numbers, or a bias */
        if (node->kind == AD_NODE_CONV) numbers += ad_dense_count(node);
    }
    return sizeof(float) * numbers + (uint64_t)BYTES_OF_NODE * (uint64_t)(net->node_count + 4);
}

adatom_status ad_onnx_graph(const adatom_model *model, const adatom_onnx_params *params, ad_protobuf *nodes,
                            ad_protobuf *tensors) {
    adatom_context *ctx = model->ctx;
    graph g = {.model = model, .net = &model->net, .params = params, .nodes = nodes, .tensors = tensors};
    size_t largest = 1, filters = 1;
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < g.net->node_count; i++) {
        filters = AD_MAX(filters, (size_t)g.net->nodes[i].filters);
        if (g.net->nodes[i].kind == AD_NODE_CONV) largest = AD_MAX(largest, ad_dense_count(&g.net->nodes[i]));
    }
    g.values = ad_calloc(ctx, (size_t)g.net->node_count, sizeof *g.values);
    g.kernel = ad_malloc(ctx, largest, sizeof *g.kernel);
    g.numbers = ad_malloc(ctx, AD_MAX(largest, filters), sizeof *g.numbers);
    g.factors = ad_malloc(ctx, filters, sizeof *g.factors);
    g.shifts = ad_malloc(ctx, filters, sizeof *g.shifts);
    if (!g.values || !g.kernel || !g.numbers || !g.factors || !g.shifts) goto done;
    put_pixels(&g);
    for (int i = 1; i < g.net->node_count; i++) AD_TRY(put_layer(&g, i));
    put_features(&g);
    if (g.net->way > 0) put_classifier(&g);
    status = nodes->failed || tensors->failed ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
done:
    ad_free(g.values);
    ad_free(g.kernel);
    ad_free(g.numbers);
    ad_free(g.factors);
    ad_free(g.shifts);
    return status;
}

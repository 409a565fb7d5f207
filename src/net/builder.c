#include "net/builder.h"

#include <stdio.h>
#include <string.h>

static int add_param(ad_builder *b, ad_param_kind kind, const char *prefix, const char *suffix, int o, int c, int k,
                     int m) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    int number = b->status == ADATOM_OK ? ad_network_add_param(b->ctx, b->net, kind, name, o, c, k, m) : 0;
    if (number < 0) b->status = ADATOM_OUT_OF_MEMORY;
    return AD_MAX(number, 0);
}

/* Rows or columns of the output; 0: nothing is left. *pad becomes TensorFlow's where `same`. */
static int output_size(int size, int k, int stride, bool same, int *pad) {
    if (same) {
        const int out = (size + stride - 1) / stride, all = AD_MAX((out - 1) * stride + k - size, 0);
        *pad = all / 2; /* the smaller half comes first */
        return out;
    }
    return size + 2 * *pad < k ? 0 : (size + 2 * *pad - k) / stride + 1;
}

/* Takes the input's size, completes the output's and appends. */
static int add_node(ad_builder *b, const char *prefix, const char *suffix, ad_node node, bool same) {
    if (b->status != ADATOM_OK) return 0;
    const ad_node *input = &b->net->nodes[node.input];
    snprintf(node.name, sizeof node.name, "%s%s", prefix, suffix);
    node.stage = b->stage;
    node.block = b->block;
    node.place = b->place;
    node.h = input->oh;
    node.w = input->ow;
    node.c = input->o;
    if (node.o == 0) node.o = node.c;
    if (node.channels == 0) node.channels = node.c;
    if (node.filters == 0) node.filters = node.o;
    node.oh = output_size(node.h, node.k, node.stride, same, &node.pad);
    node.ow = output_size(node.w, node.k, node.stride, same, &node.pad);
    if (node.oh == 0 || node.ow == 0)
        b->status =
            ad_fail(b->ctx, ADATOM_USAGE, "pictures of %d x %d are too small for %s: nothing would be left for %s",
                    b->net->image_size, b->net->image_size, b->net->arch, node.name);
    int number = b->status == ADATOM_OK ? ad_network_add_node(b->ctx, b->net, &node) : 0;
    if (number < 0) b->status = ADATOM_OUT_OF_MEMORY;
    return AD_MAX(number, 0);
}

const ad_node ad_build_bare = {.residual = -1,
                               .gate = -1,
                               .k = 1,
                               .stride = 1,
                               .dil = 1,
                               .groups = 1,
                               .kernel = -1,
                               .coefficients = -1,
                               .atoms = -1,
                               .bias = -1,
                               .gamma = -1,
                               .beta = -1,
                               .statistics = -1,
                               .scale = -1};

static int padded(int channels) { return (channels + 3) / 4 * 4; }

static const ad_node *node_of(const ad_builder *b, int number) { return &b->net->nodes[number]; }

int ad_build_input(ad_builder *b) {
    ad_node input = ad_build_bare;
    input.kind = AD_NODE_INPUT;
    input.input = -1;
    input.h = input.w = input.oh = input.ow = b->net->image_size;
    input.c = input.o = 4;
    input.channels = input.filters = 3;
    snprintf(input.name, sizeof input.name, "input");
    const int number = ad_network_add_node(b->ctx, b->net, &input);
    if (number < 0) b->status = ADATOM_OUT_OF_MEMORY;
    return AD_MAX(number, 0);
}

static void check_groups(ad_builder *b, const char *prefix, int c, int o) {
    const int group = b->net->made_from.group;
    if (b->status != ADATOM_OK || (c % group == 0 && o % group == 0)) return;
    b->status = ad_fail(b->ctx, ADATOM_USAGE, "groups of %d channels do not divide the %d channels of %s", group,
                        c % group ? c : o, prefix);
}

/* Atoms of a decomposed kernel; 0: it stays ordinary. More atoms than numbers are of no use to a depthwise kernel,
 * whose only input leaves no other directions. */
static int atoms_of(const ad_builder *b, const ad_conv_spec *spec, bool depthwise) {
    const adatom_model_params *p = &b->net->made_from;
    if (spec->ordinary || spec->k < 2 || (b->layer == 1 && !p->decompose_first)) return 0;
    return depthwise ? AD_MIN(p->atoms, spec->k * spec->k) : p->atoms;
}

/* The parameters of a decomposed kernel. */
static void add_decomposition(ad_builder *b, const char *prefix, ad_node *node) {
    const int c = node->channels, o = node->o;
    const bool shares = ad_node_shares(b->net, node);
    const int group = node->group = node->groups > 1 ? 0 : b->net->made_from.group;
    const char *scope = ad_network_scope(b->net);
    char owner[40];
    if (shares && strcmp(scope, "net") == 0)
        snprintf(owner, sizeof owner, "shared");
    else if (shares && strcmp(scope, "stage") == 0)
        snprintf(owner, sizeof owner, "stage%d", b->stage);
    else
        snprintf(owner, sizeof owner, "%s", prefix);
    if (group > 0) check_groups(b, prefix, c, o);
    node->coefficients =
        add_param(b, AD_PARAM_COEFFICIENTS, owner, ".coefficients", group ? group : o, group ? group : c, 0, node->m);
    node->atoms = add_param(b, AD_PARAM_ATOMS, prefix, ".atoms", o, c, node->k, node->m);
    if (b->status == ADATOM_OK) b->net->params[node->atoms].group = group;
}

int ad_build_conv(ad_builder *b, const char *prefix, const ad_conv_spec *spec) {
    if (b->status != ADATOM_OK) return 0;
    ad_node node = ad_build_bare;
    const ad_node *input = node_of(b, spec->input);
    node.kind = AD_NODE_CONV;
    node.input = spec->input;
    node.part = spec->part;
    node.k = AD_MAX(spec->k, 1);
    node.stride = AD_MAX(spec->stride, 1);
    node.groups = AD_MAX(spec->groups, 1);
    node.pad = spec->whole ? 0 : node.k / 2;
    node.filters = spec->o;
    node.o = padded(spec->o);
    node.channels = input->filters / node.groups;
    node.m = atoms_of(b, spec, ad_node_depthwise(&node));
    if (node.m == 0 || b->net->made_from.residual)
        node.kernel = add_param(b, AD_PARAM_KERNEL, prefix, ".kernel", node.filters, node.channels, node.k, 0);
    if (node.m > 0) add_decomposition(b, prefix, &node);
    if (spec->bias) node.bias = add_param(b, AD_PARAM_BIAS, prefix, ".bias", node.filters, 0, 0, 0);
    return add_node(b, prefix, ".conv", node, b->same && !spec->whole);
}

/* The node's channels are those of its input. */
static int add_after(ad_builder *b, const char *prefix, const char *suffix, int input, ad_node node) {
    if (b->status != ADATOM_OK) return 0;
    const ad_node *before = node_of(b, input);
    node.input = input;
    node.part = before->part;
    node.channels = node.filters = before->filters;
    return add_node(b, prefix, suffix, node, false);
}

int ad_build_norm(ad_builder *b, const char *prefix, int input, int residual, bool activation) {
    ad_node node = ad_build_bare;
    if (b->status != ADATOM_OK) return 0;
    node.kind = AD_NODE_NORM;
    node.residual = residual;
    node.act = activation ? b->act : AD_ACT_NONE;
    node.slope = node.act == AD_ACT_LEAKY ? b->slope : 0;
    node.epsilon = b->epsilon;
    const int c = node_of(b, input)->o;
    node.gamma = add_param(b, AD_PARAM_GAMMA, prefix, ".norm.weight", 0, c, 0, 0);
    node.beta = add_param(b, AD_PARAM_BETA, prefix, ".norm.bias", 0, c, 0, 0);
    node.statistics = add_param(b, AD_PARAM_STATISTICS, prefix, ".norm", 0, c, 0, 0);
    return add_after(b, prefix, ".norm", input, node);
}

void ad_build_next(ad_builder *b, char prefix[24]) { snprintf(prefix, 24, "layer%d", ++b->layer); }

int ad_build_layer(ad_builder *b, const ad_conv_spec *spec, int residual, bool activation) {
    char prefix[24];
    ad_build_next(b, prefix);
    return ad_build_norm(b, prefix, ad_build_conv(b, prefix, spec), residual, activation);
}

int ad_build_act(ad_builder *b, const char *prefix, int input, int act) {
    ad_node node = ad_build_bare;
    node.kind = AD_NODE_NORM;
    node.act = act;
    return add_after(b, prefix, ".act", input, node);
}

int ad_build_scale(ad_builder *b, const char *prefix, int input, int residual) {
    ad_node node = ad_build_bare;
    if (b->status != ADATOM_OK) return 0;
    node.kind = AD_NODE_NORM;
    node.residual = residual;
    node.scale = add_param(b, AD_PARAM_SCALE, prefix, ".scale", 0, node_of(b, input)->o, 0, 0);
    return add_after(b, prefix, ".sum", input, node);
}

int ad_build_layer_norm(ad_builder *b, const char *prefix, int input, float epsilon) {
    ad_node node = ad_build_bare;
    if (b->status != ADATOM_OK) return 0;
    node.kind = AD_NODE_LAYER_NORM;
    node.epsilon = epsilon;
    const int c = node_of(b, input)->o;
    node.gamma = add_param(b, AD_PARAM_GAMMA, prefix, ".norm.weight", 0, c, 0, 0);
    node.beta = add_param(b, AD_PARAM_BETA, prefix, ".norm.bias", 0, c, 0, 0);
    return add_after(b, prefix, ".norm", input, node);
}

int ad_build_gate(ad_builder *b, const char *prefix, int input, int gate) {
    ad_node node = ad_build_bare;
    node.kind = AD_NODE_CHANNEL_SCALE;
    node.gate = gate;
    return add_after(b, prefix, ".gate", input, node);
}

int ad_build_pool(ad_builder *b, const char *prefix, int input, int k, int stride, int pad, bool average) {
    ad_node node = ad_build_bare;
    node.kind = AD_NODE_POOL;
    node.k = k;
    node.stride = stride;
    node.pad = pad;
    node.average = average;
    return add_after(b, prefix, prefix[0] ? ".pool" : "pool", input, node);
}

int ad_build_mean(ad_builder *b, int input) {
    if (b->status != ADATOM_OK) return 0;
    const int size = node_of(b, input)->oh;
    return ad_build_pool(b, "", input, size, size, 0, true);
}

#include "transfer/layout.h"

#include <stdio.h>
#include <string.h>

#define RESNET_BLOCKS                                                                                                  \
    .layer = {"layer%s.%b.conv%p", "layer%s.%b.bn%p"},                                                                 \
    .shortcut = {"layer%s.%b.downsample.0", "layer%s.%b.downsample.1"}

#define TORCHVISION "torchvision", "https://github.com/pytorch/vision"
#define TIMM "timm", "https://github.com/huggingface/pytorch-image-models"
#define CLOSERLOOK "closerlook", "https://github.com/wyharveychen/CloserLookFewShot"
#define RFS "rfs", "https://github.com/WangYueFt/rfs"

const ad_layout ad_layouts[] = {
    {TORCHVISION, {"resnet18", "resnet34"}, .stem = {"conv1", "bn1"}, RESNET_BLOCKS, .head = "fc"},
    {TORCHVISION,
     {"vgg16_bn"},
     .layer = {"features.%f", "features.%g"},
     .head = "classifier",
     .bias = true,
     .ignored = {"classifier.0.*", "classifier.3.*", "classifier.6.*"}},
    {TIMM, {"resnet18", "resnet34"}, .stem = {"conv1", "bn1"}, RESNET_BLOCKS, .head = "fc"},
    {TIMM,
     {"vgg16_bn"},
     .layer = {"features.%f", "features.%g"},
     .head = "classifier",
     .bias = true,
     .ignored = {"pre_logits.*", "head.*"}},
    {CLOSERLOOK,
     {"conv4", "conv6"},
     .layer = {"trunk.%u.C", "trunk.%u.BN"},
     .again = {"trunk.%u.trunk.0", "trunk.%u.trunk.1"},
     .head = "classifier",
     .bias = true},
    {CLOSERLOOK,
     {"resnet10", "resnet18", "resnet34"},
     .stem = {"trunk.%f", "trunk.%g"},
     .layer = {"trunk.%u.C%p", "trunk.%u.BN%p"},
     .shortcut = {"trunk.%u.shortcut", "trunk.%u.BNshortcut"},
     .head = "classifier"},
    {RFS, {"resnet12"}, RESNET_BLOCKS, .head = "classifier"},
};
const int ad_layout_count = (int)AD_COUNT(ad_layouts);

const char *const ad_layout_prefixes[] = {"module.",  "_orig_mod.", "model.",   "backbone.", "encoder.",
                                          "feature.", "net.",       "network.", NULL};

bool ad_layout_knows(const ad_layout *layout, const char *arch) {
    for (int i = 0; i < AD_LAYOUT_ARCHS && layout->archs[i]; i++)
        if (strcmp(layout->archs[i], arch) == 0) return true;
    return false;
}

bool ad_layout_matches(const char *pattern, const char *name) {
    const size_t length = strlen(pattern);
    return length && pattern[length - 1] == '*' ? strncmp(pattern, name, length - 1) == 0 : strcmp(pattern, name) == 0;
}

typedef struct place {
    int stage, block, conv, unit, flat;
} place;

static void expand(const char *pattern, const place *at, char *out, size_t capacity) {
    size_t used = 0;
    for (; *pattern && used + 1 < capacity; pattern++) {
        if (*pattern != '%') {
            out[used++] = *pattern;
            continue;
        }
        pattern++;
        const int number = *pattern == 's'   ? at->stage
                           : *pattern == 'b' ? at->block
                           : *pattern == 'p' ? at->conv + 1
                           : *pattern == 'u' ? at->unit
                           : *pattern == 'f' ? at->flat
                                             : at->flat + 1;
        used += (size_t)snprintf(out + used, capacity - used, "%d", number);
    }
    out[AD_MIN(used, capacity - 1)] = 0;
}

typedef struct lister {
    const ad_network *net;
    ad_outer_list *list;
} lister;

/* Appends base ".suffix". */
static ad_outer *add(lister *l, ad_outer_kind kind, const char *base, const char *suffix, const char *own,
                     const char *own_suffix) {
    ad_outer *outer = &l->list->items[l->list->count++];
    *outer = (ad_outer){.kind = kind, .node = -1, .param = -1};
    snprintf(outer->name, sizeof outer->name, "%.100s.%s", base, suffix);
    snprintf(outer->own, sizeof outer->own, "%.60s.%s", own, own_suffix);
    return outer;
}

static void add_param(lister *l, ad_outer_kind kind, const char *base, const char *suffix, const char *own,
                      const char *own_suffix, int param, int part) {
    char name[AD_PARAM_NAME];
    ad_outer *outer = add(l, kind, base, suffix, own, own_suffix);
    outer->param = param;
    outer->part = part;
    outer->rank = ad_param_file(&l->net->params[param], part, name, outer->shape);
}

static void add_conv(lister *l, int number, const char *conv, const char *norm, const char *prefix, bool bias,
                     bool again) {
    const ad_node *node = &l->net->nodes[number], *after = node + 1;
    const int first = l->list->count;
    char own[60];
    ad_outer *outer = add(l, AD_OUTER_KERNEL, conv, "weight", prefix, "kernel");
    outer->node = number;
    outer->rank = 4;
    memcpy(outer->shape, (int64_t[AD_PARAM_RANK]){node->o, ad_node_channels(node), node->k, node->k},
           sizeof outer->shape);
    if (bias) {
        outer = add(l, AD_OUTER_BIAS, conv, "bias", prefix, "bias");
        outer->node = number;
        outer->rank = 1;
        outer->shape[0] = node->o;
    }
    snprintf(own, sizeof own, "%.50s.norm", prefix);
    add_param(l, AD_OUTER_PARAM, norm, "weight", own, "weight", after->gamma, 0);
    add_param(l, AD_OUTER_PARAM, norm, "bias", own, "bias", after->beta, 0);
    add_param(l, AD_OUTER_PARAM, norm, "running_mean", own, "running_mean", after->statistics, 0);
    add_param(l, AD_OUTER_PARAM, norm, "running_var", own, "running_var", after->statistics, 1);
    add(l, AD_OUTER_COUNTER, norm, "num_batches_tracked", own, "num_batches_tracked")->node = number + 1;
    for (int i = first; i < l->list->count; i++) l->list->items[i].again = again;
}

adatom_status ad_layout_list(adatom_context *ctx, const ad_layout *layout, const ad_network *net, ad_outer_list *out) {
    lister l = {net, out};
    /* A convolution with its norm has 7 tensors at most, under two names. */
    *out = (ad_outer_list){.items = ad_calloc(ctx, 14 * (size_t)net->node_count + 2, sizeof *out->items)};
    if (!out->items) return ADATOM_OUT_OF_MEMORY;
    int flat = 0, stem = 0, blocks = -1, last = -1;
    for (int i = 1; i < net->node_count; i++) {
        const ad_node *node = &net->nodes[i];
        if (node->kind != AD_NODE_CONV) {
            flat += 1 + (node->kind == AD_NODE_NORM && node->act); /* the activation is a module of its own */
            continue;
        }
        if (node->stage > 0 && node->stage * 1000 + node->block != last) {
            last = node->stage * 1000 + node->block;
            if (++blocks == 0) stem = flat;
        }
        const place at = {node->stage, node->block, node->place, stem + blocks, flat++};
        const char *const *patterns = node->place < 0    ? layout->shortcut
                                      : node->stage == 0 ? layout->stem
                                                         : layout->layer;
        char conv[100], norm[100], prefix[AD_PARAM_NAME];
        snprintf(prefix, sizeof prefix, "%.*s", (int)(strlen(node->name) - strlen(".conv")), node->name);
        expand(patterns[0], &at, conv, sizeof conv);
        expand(patterns[1], &at, norm, sizeof norm);
        add_conv(&l, i, conv, norm, prefix, layout->bias, false);
        if (!layout->again[0]) continue;
        expand(layout->again[0], &at, conv, sizeof conv);
        expand(layout->again[1], &at, norm, sizeof norm);
        add_conv(&l, i, conv, norm, prefix, layout->bias, true);
    }
    if (net->way > 0) {
        add_param(&l, AD_OUTER_HEAD, layout->head, "weight", "head", "weight", net->head, 0);
        add_param(&l, AD_OUTER_HEAD, layout->head, "bias", "head", "bias", net->head_bias, 0);
    }
    return ADATOM_OK;
}

size_t ad_outer_elements(const ad_outer *outer) {
    size_t count = 1;
    for (int i = 0; i < outer->rank; i++) count *= (size_t)outer->shape[i];
    return count;
}

size_t ad_outer_at(const ad_network *net, const ad_outer *outer, size_t index) {
    const ad_node *last = &net->nodes[net->node_count - 1];
    const size_t places = (size_t)last->oh * (size_t)last->ow, channels = (size_t)last->o, features = places * channels;
    if (outer->kind != AD_OUTER_HEAD || outer->rank != 2)
        return ad_param_at(&net->params[outer->param], outer->part, index);
    const size_t feature = index % features; /* [channel][place] */
    return index / features * features + feature % places * channels + feature / places;
}

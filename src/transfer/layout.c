#include "transfer/layout.h"

#include <stdio.h>
#include <string.h>

#define RESNET                                                                                                         \
    [AD_PART_STEM] = {"conv1", "bn1"}, [AD_PART_LAYER] = {"layer%s.%b.conv%p", "layer%s.%b.bn%p"},                     \
    [AD_PART_SHORTCUT] = {"layer%s.%b.downsample.0", "layer%s.%b.downsample.1"}
#define RESNETS                                                                                                        \
    { "resnet18", "resnet34", "resnet50", "wide_resnet50_2", "resnext50_32x4d" }
#define EFFICIENTNETS                                                                                                  \
    { "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3" }
#define EFFICIENTNETS_LITE                                                                                             \
    { "efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2", "efficientnet_lite3", "efficientnet_lite4" }
#define CONVNEXTS                                                                                                      \
    {                                                                                                                  \
        "convnext_atto", "convnext_femto", "convnext_pico", "convnext_nano", "convnext_tiny", "convnext_small",        \
            "convnext_base"                                                                                            \
    }
#define TIMM_BLOCKS                                                                                                    \
    [AD_PART_STEM] = {"conv_stem", "bn1"}, [AD_PART_EXPAND] = {"blocks.%S.%b.conv_pw", "blocks.%S.%b.bn1"},            \
    [AD_PART_DEPTHWISE] = {"blocks.%S.%b.conv_dw", "blocks.%S.%b.bn2"},                                                \
    [AD_PART_PROJECT] = {"blocks.%S.%b.conv_pwl", "blocks.%S.%b.bn3"},                                                 \
    [AD_PART_LONE] = {"blocks.%S.%b.conv_dw", "blocks.%S.%b.bn1"},                                                     \
    [AD_PART_LONE_PROJECT] = {"blocks.%S.%b.conv_pw", "blocks.%S.%b.bn2"},                                             \
    [AD_PART_SQUEEZE] = {"blocks.%S.%b.se.conv_reduce"}, [AD_PART_EXCITE] = {"blocks.%S.%b.se.conv_expand"}
#define TIMM_CONVNEXT                                                                                                  \
    [AD_PART_STEM] = {"stem.0", "stem.1"},                                                                             \
    [AD_PART_DEPTHWISE] = {"stages.%S.blocks.%b.conv_dw", "stages.%S.blocks.%b.norm"},                                 \
    [AD_PART_DOWNSAMPLE] = {"stages.%S.downsample.1", "stages.%S.downsample.0"}

#define TORCHVISION "torchvision", "https://github.com/pytorch/vision"
#define TIMM "timm", "https://github.com/huggingface/pytorch-image-models"
#define TIMM_TF "timm-tf", "https://github.com/huggingface/pytorch-image-models"
#define EFFICIENTNET_LITE_PYTORCH "efficientnet_lite_pytorch", "https://pypi.org/project/efficientnet-lite-pytorch"
#define HUGGINGFACE "huggingface", "https://huggingface.co/docs/transformers/model_doc/convnext"
#define CLOSERLOOK "closerlook", "https://github.com/wyharveychen/CloserLookFewShot"
#define RFS "rfs", "https://github.com/WangYueFt/rfs"

const ad_layout ad_layouts[] = {
    {TORCHVISION, RESNETS, .parts = {RESNET}, .head = "fc"},
    {TORCHVISION,
     {"vgg16_bn"},
     .parts = {[AD_PART_LAYER] = {"features.%f", "features.%g"}},
     .head = "classifier",
     .bias = true,
     .ignored = {"classifier.0.*", "classifier.3.*", "classifier.6.*"}},
    {TORCHVISION,
     {"mobilenet_v2"},
     .parts = {[AD_PART_STEM] = {"features.0.0", "features.0.1"},
               [AD_PART_EXPAND] = {"features.%N.conv.%m.0", "features.%N.conv.%m.1"},
               [AD_PART_DEPTHWISE] = {"features.%N.conv.%m.0", "features.%N.conv.%m.1"},
               [AD_PART_PROJECT] = {"features.%N.conv.%m", "features.%N.conv.%M"},
               [AD_PART_LONE] = {"features.%N.conv.%m.0", "features.%N.conv.%m.1"},
               [AD_PART_LONE_PROJECT] = {"features.%N.conv.%m", "features.%N.conv.%M"},
               [AD_PART_TOP] = {"features.18.0", "features.18.1"}},
     .head = "classifier.1"},
    {TORCHVISION,
     {"mobilenet_v3_small", "mobilenet_v3_large"},
     .parts = {[AD_PART_STEM] = {"features.0.0", "features.0.1"},
               [AD_PART_EXPAND] = {"features.%N.block.%m.0", "features.%N.block.%m.1"},
               [AD_PART_DEPTHWISE] = {"features.%N.block.%m.0", "features.%N.block.%m.1"},
               [AD_PART_PROJECT] = {"features.%N.block.%m.0", "features.%N.block.%m.1"},
               [AD_PART_LONE] = {"features.%N.block.%m.0", "features.%N.block.%m.1"},
               [AD_PART_LONE_PROJECT] = {"features.%N.block.%m.0", "features.%N.block.%m.1"},
               [AD_PART_SQUEEZE] = {"features.%N.block.%m.fc1"},
               [AD_PART_EXCITE] = {"features.%N.block.%m.fc2"},
               [AD_PART_TOP] = {"features.%N.0", "features.%N.1"},
               [AD_PART_HIDDEN] = {"classifier.0", .linear = true}},
     .head = "classifier.3"},
    {TORCHVISION, EFFICIENTNETS,
     .parts = {[AD_PART_STEM] = {"features.0.0", "features.0.1"},
               [AD_PART_EXPAND] = {"features.%s.%b.block.%m.0", "features.%s.%b.block.%m.1"},
               [AD_PART_DEPTHWISE] = {"features.%s.%b.block.%m.0", "features.%s.%b.block.%m.1"},
               [AD_PART_PROJECT] = {"features.%s.%b.block.%m.0", "features.%s.%b.block.%m.1"},
               [AD_PART_LONE] = {"features.%s.%b.block.%m.0", "features.%s.%b.block.%m.1"},
               [AD_PART_LONE_PROJECT] = {"features.%s.%b.block.%m.0", "features.%s.%b.block.%m.1"},
               [AD_PART_SQUEEZE] = {"features.%s.%b.block.%m.fc1"},
               [AD_PART_EXCITE] = {"features.%s.%b.block.%m.fc2"},
               [AD_PART_TOP] = {"features.%s.0", "features.%s.1"}},
     .head = "classifier.1"},
    {TORCHVISION, CONVNEXTS,
     .parts = {[AD_PART_STEM] = {"features.0.0", "features.0.1"},
               [AD_PART_DEPTHWISE] = {"features.%D.%b.block.0", "features.%D.%b.block.2"},
               [AD_PART_EXPAND] = {"features.%D.%b.block.3", .linear = true},
               [AD_PART_PROJECT] = {"features.%D.%b.block.5", .linear = true},
               [AD_PART_DOWNSAMPLE] = {"features.%d.1", "features.%d.0"}},
     .scale = "features.%D.%b.layer_scale", .scale_planes = true, .top = "classifier.0", .head = "classifier.2"},
    {TIMM, RESNETS, .parts = {RESNET}, .head = "fc"},
    {TIMM,
     {"vgg16_bn"},
     .parts = {[AD_PART_LAYER] = {"features.%f", "features.%g"}},
     .head = "classifier",
     .bias = true,
     .ignored = {"pre_logits.*", "head.*"}},
    {TIMM,
     {"mobilenet_v2", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3"},
     .parts = {TIMM_BLOCKS, [AD_PART_TOP] = {"conv_head", "bn2"}},
     .head = "classifier"},
    {TIMM, EFFICIENTNETS_LITE, .parts = {TIMM_BLOCKS, [AD_PART_TOP] = {"conv_head", "bn2"}}, .head = "classifier",
     .epsilon = 1e-5f, .padding = ADATOM_PADDING_EVEN},
    {TIMM,
     {"mobilenet_v3_small", "mobilenet_v3_large"},
     .parts = {TIMM_BLOCKS, [AD_PART_TOP] = {"blocks.%S.0.conv", "blocks.%S.0.bn1"}, [AD_PART_HIDDEN] = {"conv_head"}},
     .head = "classifier",
     .epsilon = 1e-5f},
    /* timm's networks whose names begin with tf_: TensorFlow's weights, with its padding and epsilon. */
    {TIMM_TF, EFFICIENTNETS, .parts = {TIMM_BLOCKS, [AD_PART_TOP] = {"conv_head", "bn2"}}, .head = "classifier",
     .epsilon = 1e-3f, .padding = ADATOM_PADDING_SAME},
    {TIMM_TF, EFFICIENTNETS_LITE, .parts = {TIMM_BLOCKS, [AD_PART_TOP] = {"conv_head", "bn2"}}, .head = "classifier",
     .epsilon = 1e-3f, .padding = ADATOM_PADDING_SAME},
    {TIMM_TF,
     {"mobilenet_v3_small", "mobilenet_v3_large"},
     .parts = {TIMM_BLOCKS, [AD_PART_TOP] = {"blocks.%S.0.conv", "blocks.%S.0.bn1"}, [AD_PART_HIDDEN] = {"conv_head"}},
     .head = "classifier",
     .epsilon = 1e-3f,
     .padding = ADATOM_PADDING_SAME},
    {TIMM,
     {"convnext_atto", "convnext_femto", "convnext_pico", "convnext_nano"},
     .parts = {TIMM_CONVNEXT, [AD_PART_EXPAND] = {"stages.%S.blocks.%b.mlp.fc1"},
               [AD_PART_PROJECT] = {"stages.%S.blocks.%b.mlp.fc2"}},
     .scale = "stages.%S.blocks.%b.gamma",
     .top = "head.norm",
     .head = "head.fc"},
    {TIMM,
     {"convnext_tiny", "convnext_small", "convnext_base"},
     .parts = {TIMM_CONVNEXT, [AD_PART_EXPAND] = {"stages.%S.blocks.%b.mlp.fc1", .linear = true},
               [AD_PART_PROJECT] = {"stages.%S.blocks.%b.mlp.fc2", .linear = true}},
     .scale = "stages.%S.blocks.%b.gamma",
     .top = "head.norm",
     .head = "head.fc"},
    {EFFICIENTNET_LITE_PYTORCH, EFFICIENTNETS_LITE,
     .parts = {[AD_PART_STEM] = {"_conv_stem", "_bn0"},
               [AD_PART_EXPAND] = {"_blocks.%n._expand_conv", "_blocks.%n._bn0"},
               [AD_PART_DEPTHWISE] = {"_blocks.%n._depthwise_conv", "_blocks.%n._bn1"},
               [AD_PART_PROJECT] = {"_blocks.%n._project_conv", "_blocks.%n._bn2"},
               [AD_PART_LONE] = {"_blocks.%n._depthwise_conv", "_blocks.%n._bn1"},
               [AD_PART_LONE_PROJECT] = {"_blocks.%n._project_conv", "_blocks.%n._bn2"},
               [AD_PART_TOP] = {"_conv_head", "_bn1"}},
     .head = "_fc"},
    {HUGGINGFACE, CONVNEXTS,
     .parts = {[AD_PART_STEM] = {"embeddings.patch_embeddings", "embeddings.layernorm"},
               [AD_PART_DEPTHWISE] = {"encoder.stages.%S.layers.%b.dwconv", "encoder.stages.%S.layers.%b.layernorm"},
               [AD_PART_EXPAND] = {"encoder.stages.%S.layers.%b.pwconv1", .linear = true},
               [AD_PART_PROJECT] = {"encoder.stages.%S.layers.%b.pwconv2", .linear = true},
               [AD_PART_DOWNSAMPLE] = {"encoder.stages.%S.downsampling_layer.1",
                                       "encoder.stages.%S.downsampling_layer.0"}},
     .scale = "encoder.stages.%S.layers.%b.layer_scale_parameter", .top = "layernorm", .head = "classifier"},
    {CLOSERLOOK,
     {"conv4", "conv6"},
     .parts = {[AD_PART_LAYER] = {"trunk.%u.C", "trunk.%u.BN"}},
     .again = {"trunk.%u.trunk.0", "trunk.%u.trunk.1"},
     .head = "classifier",
     .bias = true},
    {CLOSERLOOK,
     {"resnet10", "resnet18", "resnet34"},
     .parts = {[AD_PART_STEM] = {"trunk.%f", "trunk.%g"},
               [AD_PART_LAYER] = {"trunk.%u.C%p", "trunk.%u.BN%p"},
               [AD_PART_SHORTCUT] = {"trunk.%u.shortcut", "trunk.%u.BNshortcut"}},
     .head = "classifier"},
    {RFS, {"resnet12"}, .parts = {RESNET}, .head = "classifier"},
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

/* Where a convolution stands; what the patterns' letters mean. */
typedef struct place {
    int stage, block, conv, unit, flat, number, module;
} place;

static int number_of(char letter, const place *at) {
    switch (letter) {
    case 's': return at->stage;
    case 'S': return at->stage - 1;
    case 'd': return 2 * (at->stage - 1);
    case 'D': return 2 * (at->stage - 1) + 1;
    case 'b': return at->block;
    case 'n': return at->number;
    case 'N': return at->number + 1;
    case 'p': return at->conv + 1;
    case 'm': return at->module;
    case 'M': return at->module + 1;
    case 'u': return at->unit;
    case 'f': return at->flat;
    default: return at->flat + 1;
    }
}

static void expand(const char *pattern, const place *at, char *out, size_t capacity) {
    size_t used = 0;
    for (; *pattern && used + 1 < capacity; pattern++) {
        if (*pattern == '%')
            used += (size_t)snprintf(out + used, capacity - used, "%d", number_of(*++pattern, at));
        else
            out[used++] = *pattern;
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

/* Factors, whose tensor is no member of a module. */
static void add_scale(lister *l, const char *name, int param, bool planes) {
    ad_outer *outer = &l->list->items[l->list->count++];
    *outer = (ad_outer){.kind = AD_OUTER_PARAM, .node = -1, .param = param};
    snprintf(outer->name, sizeof outer->name, "%s", name);
    outer->rank = ad_param_file(&l->net->params[param], 0, outer->own, outer->shape);
    while (planes && outer->rank < 3) outer->shape[outer->rank++] = 1;
}

static void add_kernel(lister *l, int number, const char *conv, const char *prefix, bool linear) {
    const ad_node *node = &l->net->nodes[number];
    ad_outer *outer = add(l, AD_OUTER_KERNEL, conv, "weight", prefix, "kernel");
    outer->node = number;
    outer->rank = linear && node->k == 1 ? 2 : 4;
    memcpy(outer->shape, (int64_t[AD_PARAM_RANK]){node->filters, node->channels, node->k, node->k},
           sizeof outer->shape);
    if (node->bias >= 0) add_param(l, AD_OUTER_PARAM, conv, "bias", prefix, "bias", node->bias, 0);
}

/* A norm's tensors; those of batch norms have statistics. */
static void add_norm(lister *l, int number, const char *norm) {
    const ad_node *node = &l->net->nodes[number];
    const char *own = node->name; /* its parameters' names begin with it */
    add_param(l, AD_OUTER_PARAM, norm, "weight", own, "weight", node->gamma, 0);
    add_param(l, AD_OUTER_PARAM, norm, "bias", own, "bias", node->beta, 0);
    if (node->statistics < 0) return;
    add_param(l, AD_OUTER_PARAM, norm, "running_mean", own, "running_mean", node->statistics, 0);
    add_param(l, AD_OUTER_PARAM, norm, "running_var", own, "running_var", node->statistics, 1);
    add(l, AD_OUTER_COUNTER, norm, "num_batches_tracked", own, "num_batches_tracked")->node = number;
}

/* A convolution and the norm behind it, or, between stages, before it. */
static void add_conv(lister *l, int number, const ad_naming *naming, const place *at, bool bias, bool again) {
    const ad_node *node = &l->net->nodes[number], *after = node + 1;
    const int first = l->list->count;
    char conv[100], norm[100], prefix[AD_PARAM_NAME];
    snprintf(prefix, sizeof prefix, "%.*s", (int)(strlen(node->name) - strlen(".conv")), node->name);
    expand(naming->conv, at, conv, sizeof conv);
    add_kernel(l, number, conv, prefix, naming->linear);
    if (bias) {
        ad_outer *outer = add(l, AD_OUTER_BIAS, conv, "bias", prefix, "bias");
        outer->node = number;
        outer->rank = 1;
        outer->shape[0] = node->filters;
    }
    if (naming->norm) {
        expand(naming->norm, at, norm, sizeof norm);
        const bool behind = after < l->net->nodes + l->net->node_count && after->input == number && after->gamma >= 0;
        add_norm(l, behind ? number + 1 : node->input, norm);
    }
    for (int i = first; i < l->list->count; i++) l->list->items[i].again = again;
}

/* Moves `at` on to convolution `node`. */
static void step(place *at, const ad_node *node, int *stem) {
    const bool excite = node->part == AD_PART_EXCITE; /* belongs to the module of its SQUEEZE */
    at->conv = node->place;
    if (node->part != AD_PART_SHORTCUT && !excite) at->module++;
    if (node->stage == at->stage && node->block == at->block && node->part != AD_PART_TOP) return;
    at->stage = node->stage;
    at->block = node->block;
    at->module = 0;
    if (++at->number == 0) *stem = at->flat;
    at->unit = *stem + at->number;
}

adatom_status ad_layout_list(adatom_context *ctx, const ad_layout *layout, const ad_network *net, ad_outer_list *out) {
    lister l = {net, out};
    /* A convolution with its norm has 7 tensors at most, under two names. */
    *out = (ad_outer_list){.items = ad_calloc(ctx, 14 * (size_t)net->node_count + 2, sizeof *out->items)};
    if (!out->items) return ADATOM_OUT_OF_MEMORY;
    place at = {.number = -1, .module = -1};
    int stem = 0;
    for (int i = 1; i < net->node_count; i++) {
        const ad_node *node = &net->nodes[i];
        if (node->kind == AD_NODE_CONV) {
            step(&at, node, &stem);
            add_conv(&l, i, &layout->parts[node->part], &at, layout->bias, false);
            if (layout->again.conv) add_conv(&l, i, &layout->again, &at, layout->bias, true);
            at.flat++;
        } else {
            at.flat += 1 + (node->kind == AD_NODE_NORM && node->act); /* the activation is a module of its own */
        }
        if (node->scale >= 0) {
            char name[100];
            expand(layout->scale, &at, name, sizeof name);
            add_scale(&l, name, node->scale, layout->scale_planes);
        }
    }
    if (layout->top) add_norm(&l, net->node_count - 1, layout->top);
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

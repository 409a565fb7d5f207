/* The networks, as one table: a stem, then stages of equal blocks. Adding a network of this kind is adding a row. */
#include "net/network.h"

#include <stdio.h>
#include <string.h>

#define MAX_STAGES 8

typedef struct stage {
    int width, blocks, stride; /* the stride is the first block's */
    bool pool;                 /* 2x2 maximum after the last block */
} stage;

typedef struct architecture {
    const char *name;
    bool stem;     /* a convolution before the first stage, see stems[] */
    int convs;     /* 3x3 convolutions of a block, each followed by batch norm and activation */
    bool residual; /* the block's input is added before its last activation */
    float slope;   /* of the leaky ReLU; 0: ReLU */
    bool average;  /* global average pooling at the end */
    stage stages[MAX_STAGES];
} architecture;

static const architecture architectures[] = {
    /* Vinyals et al., NeurIPS 2016; Snell et al., NeurIPS 2017 */
    {"conv4", .convs = 1, .stages = {{64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}}},
    /* Chen et al., ICLR 2019 */
    {"conv6", .convs = 1,
     .stages = {{64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}, {64, 2, 1, false}}},
    {"resnet10", .stem = true, .convs = 2, .residual = true, .average = true,
     .stages = {{64, 1, 1, false}, {128, 1, 2, false}, {256, 1, 2, false}, {512, 1, 2, false}}},
    /* Lee et al., CVPR 2019; Tian et al., ECCV 2020 */
    {"resnet12", .convs = 3, .residual = true, .slope = 0.1f, .average = true,
     .stages = {{64, 1, 1, true}, {160, 1, 1, true}, {320, 1, 1, true}, {640, 1, 1, true}}},
    /* He et al., CVPR 2016 */
    {"resnet18", .stem = true, .convs = 2, .residual = true, .average = true,
     .stages = {{64, 2, 1, false}, {128, 2, 2, false}, {256, 2, 2, false}, {512, 2, 2, false}}},
    {"resnet34", .stem = true, .convs = 2, .residual = true, .average = true,
     .stages = {{64, 3, 1, false}, {128, 4, 2, false}, {256, 6, 2, false}, {512, 3, 2, false}}},
    /* Simonyan and Zisserman, ICLR 2015, with batch norm; the mean over positions takes the place of the hidden linear
       layers */
    {"vgg16_bn", .convs = 1, .average = true,
     .stages = {{64, 2, 1, true}, {128, 2, 1, true}, {256, 3, 1, true}, {512, 3, 1, true}, {512, 3, 1, true}}},
};

static const struct {
    adatom_stem stem;
    int k, stride;
    bool pool; /* 3x3 maximum, stride 2 */
} stems[] = {{ADATOM_STEM_7X7, 7, 2, true}, {ADATOM_STEM_3X3, 3, 1, false}};

AD_CHOSEN(is_sharing, ADATOM_SHARING_LIST)
AD_CHOSEN(is_stem, ADATOM_STEM_LIST)

/* The first failure stays in status; node and parameter numbers are then 0 and whatever follows is harmless. */
typedef struct builder {
    adatom_context *ctx;
    ad_network *net;
    adatom_status status;
    float slope;
    int layer, stage, block, place;
} builder;

static int add_param(builder *b, ad_param_kind kind, const char *prefix, const char *suffix, int o, int c, int k,
                     int m) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    int number = b->status == ADATOM_OK ? ad_network_add_param(b->ctx, b->net, kind, name, o, c, k, m) : 0;
    if (number < 0) b->status = ADATOM_OUT_OF_MEMORY;
    return AD_MAX(number, 0);
}

/* Takes the input's size, completes the output's and appends. */
static int add_node(builder *b, const char *prefix, const char *suffix, ad_node node) {
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
    node.dil = 1;
    if (node.h + 2 * node.pad < node.k)
        b->status =
            ad_fail(b->ctx, ADATOM_USAGE, "pictures of %d x %d are too small for %s: nothing would be left for %s",
                    b->net->image_size, b->net->image_size, b->net->arch, node.name);
    node.oh = (node.h + 2 * node.pad - node.k) / node.stride + 1;
    node.ow = (node.w + 2 * node.pad - node.k) / node.stride + 1;
    int number = b->status == ADATOM_OK ? ad_network_add_node(b->ctx, b->net, &node) : 0;
    if (number < 0) b->status = ADATOM_OUT_OF_MEMORY;
    return AD_MAX(number, 0);
}

/* Only a node's parameters of its own kind are there; the others are -1. */
static const ad_node bare = {.residual = -1,
                             .k = 1,
                             .stride = 1,
                             .kernel = -1,
                             .coefficients = -1,
                             .atoms = -1,
                             .gamma = -1,
                             .beta = -1,
                             .statistics = -1};

static int add_pool(builder *b, const char *prefix, int input, int k, int stride, int pad, bool average) {
    ad_node node = bare;
    node.kind = AD_NODE_POOL;
    node.input = input;
    node.k = k;
    node.stride = stride;
    node.pad = pad;
    node.average = average;
    return add_node(b, prefix, prefix[0] ? ".pool" : "pool", node);
}

static void check_groups(builder *b, const char *prefix, int c, int o) {
    const int group = b->net->made_from.group;
    if (b->status != ADATOM_OK || (c % group == 0 && o % group == 0)) return;
    b->status = ad_fail(b->ctx, ADATOM_USAGE, "groups of %d channels do not divide the %d channels of %s", group,
                        c % group ? c : o, prefix);
}

/* m = 0: an ordinary kernel. "Same" padding. */
static int add_conv(builder *b, const char *prefix, int input, int o, int k, int stride, int m) {
    ad_node node = bare;
    node.kind = AD_NODE_CONV;
    node.input = input;
    node.k = k;
    node.stride = stride;
    node.pad = k / 2;
    node.o = o;
    node.m = m;
    const int c = input == 0 ? 3 : b->net->nodes[input].o;
    if (m == 0 || b->net->made_from.residual)
        node.kernel = add_param(b, AD_PARAM_KERNEL, prefix, ".kernel", o, c, k, 0);
    if (m > 0) {
        const int group = node.group = b->net->made_from.group;
        const char *scope = ad_network_scope(b->net);
        char owner[40];
        if (strcmp(scope, "net") == 0)
            snprintf(owner, sizeof owner, "shared");
        else if (strcmp(scope, "stage") == 0)
            snprintf(owner, sizeof owner, "stage%d", b->stage);
        else
            snprintf(owner, sizeof owner, "%s", prefix);
        if (group > 0) check_groups(b, prefix, c, o);
        node.coefficients =
            add_param(b, AD_PARAM_COEFFICIENTS, owner, ".coefficients", group ? group : o, group ? group : c, 0, m);
        node.atoms = add_param(b, AD_PARAM_ATOMS, prefix, ".atoms", o, c, k, m);
        if (b->status == ADATOM_OK) b->net->params[node.atoms].group = group;
    }
    return add_node(b, prefix, ".conv", node);
}

static int add_norm(builder *b, const char *prefix, int input, int residual, bool activation) {
    ad_node node = bare;
    node.kind = AD_NODE_NORM;
    node.input = input;
    node.residual = residual;
    node.act = !activation ? 0 : b->slope > 0 ? 2 : 1;
    node.slope = activation ? b->slope : 0;
    const int c = b->net->nodes[input].o;
    node.gamma = add_param(b, AD_PARAM_GAMMA, prefix, ".norm.weight", 0, c, 0, 0);
    node.beta = add_param(b, AD_PARAM_BETA, prefix, ".norm.bias", 0, c, 0, 0);
    node.statistics = add_param(b, AD_PARAM_STATISTICS, prefix, ".norm", 0, c, 0, 0);
    return add_node(b, prefix, ".norm", node);
}

/* The next layer: a k x k convolution with its batch norm and activation. The first of the network is ordinary by
 * default. */
static int add_layer(builder *b, int input, int width, int k, int stride, int residual) {
    char prefix[24];
    snprintf(prefix, sizeof prefix, "layer%d", ++b->layer);
    const adatom_model_params *p = &b->net->made_from;
    const int m = b->layer == 1 && !p->decompose_first ? 0 : p->atoms;
    return add_norm(b, prefix, add_conv(b, prefix, input, width, k, stride, m), residual, true);
}

static int add_block(builder *b, const architecture *arch, int input, int width, int stride, bool pool) {
    char prefix[40];
    int residual = -1;
    if (arch->residual) {
        residual = input;
        if (stride != 1 || input == 0 || b->net->nodes[input].o != width) {
            /* Named after the layer it leads around first. */
            snprintf(prefix, sizeof prefix, "layer%d.shortcut", b->layer + 1);
            b->place = -1;
            residual = add_norm(b, prefix, add_conv(b, prefix, input, width, 1, stride, 0), -1, false);
        }
    }
    int x = input;
    for (int i = 0; i < arch->convs; i++) {
        b->place = i;
        x = add_layer(b, x, width, 3, i == 0 ? stride : 1, i == arch->convs - 1 ? residual : -1);
    }
    snprintf(prefix, sizeof prefix, "layer%d", b->layer);
    return pool ? add_pool(b, prefix, x, 2, 2, 0, false) : x;
}

/* Channels of a stage: in proportion to the first, rounded up to a multiple of 4. */
static int stage_width(const architecture *arch, const stage *s, int first) {
    const int base = arch->stages[0].width;
    return (s->width * first + 4 * base - 1) / (4 * base) * 4;
}

static void add_nodes(builder *b, const architecture *arch) {
    ad_network *net = b->net;
    const adatom_model_params *p = &net->made_from;
    ad_node input = bare;
    input.kind = AD_NODE_INPUT;
    input.input = -1;
    input.h = input.w = input.oh = input.ow = net->image_size;
    input.c = input.o = 4;
    snprintf(input.name, sizeof input.name, "input");
    int x = ad_network_add_node(b->ctx, net, &input);
    if (x < 0) {
        b->status = ADATOM_OUT_OF_MEMORY;
        return;
    }
    for (size_t i = 0; arch->stem && i < AD_COUNT(stems); i++) {
        if (stems[i].stem != p->stem) continue;
        x = add_layer(b, x, p->width, stems[i].k, stems[i].stride, -1);
        if (stems[i].pool) x = add_pool(b, "layer1", x, 3, 2, 1, false);
    }
    for (const stage *s = arch->stages; s < arch->stages + MAX_STAGES && s->blocks > 0; s++) {
        b->stage++;
        const int width = stage_width(arch, s, p->width);
        for (b->block = 0; b->block < s->blocks; b->block++)
            x = add_block(b, arch, x, width, b->block == 0 ? s->stride : 1, s->pool && b->block == s->blocks - 1);
    }
    if (arch->average) x = add_pool(b, "", x, net->nodes[x].oh, net->nodes[x].oh, 0, true);
    net->features = net->nodes[x].oh * net->nodes[x].ow * net->nodes[x].o;
    if (p->classes > 0) {
        net->way = p->classes;
        net->head = add_param(b, AD_PARAM_HEAD, "head", ".weight", p->classes, net->features, 0, 0);
        net->head_bias = add_param(b, AD_PARAM_HEAD_BIAS, "head", ".bias", p->classes, 0, 0, 0);
    }
}

/* NULL, with a message that lists the names, where the name is none of them. */
static const architecture *find_architecture(adatom_context *ctx, const char *name) {
    char names[512] = "";
    for (size_t i = 0; i < AD_COUNT(architectures); i++) {
        if (strcmp(architectures[i].name, name) == 0) return &architectures[i];
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", architectures[i].name);
    }
    ad_fail(ctx, ADATOM_USAGE, "unknown architecture '%s'; known: %s", name, names);
    return NULL;
}

static adatom_status check_range(adatom_context *ctx, const char *what, int value, int least, int most) {
    if (value >= least && value <= most) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "%s is %d; it must be %d to %d", what, value, least, most);
}

/* The size of the groups where coefficients are shared by groups of channels; 0 elsewhere. */
static adatom_status resolve_group(adatom_context *ctx, adatom_model_params *p, const architecture *arch) {
    enum { USUAL_GROUP = 64 };
    if (p->sharing < ADATOM_SHARING_GROUP_LAYER)
        return p->group == 0
                   ? ADATOM_OK
                   : ad_fail(ctx, ADATOM_USAGE, "groups of %d channels were asked for, but sharing %s has no groups",
                             p->group, adatom_sharing_name(p->sharing));
    if (p->decompose_first)
        return ad_fail(
            ctx, ADATOM_USAGE,
            "the first convolution reads 3 channels, which make no groups: it stays ordinary with sharing %s",
            adatom_sharing_name(p->sharing));
    if (p->group < 0 || p->group % 4)
        return ad_fail(ctx, ADATOM_USAGE, "the size of groups is %d; it must be a multiple of 4", p->group);
    for (int group = USUAL_GROUP; group >= 4 && p->group == 0; group -= 4) {
        bool divides = true;
        for (const stage *s = arch->stages; s < arch->stages + MAX_STAGES && s->blocks > 0; s++)
            divides = divides && stage_width(arch, s, p->width) % group == 0;
        if (divides) p->group = group;
    }
    return ADATOM_OK;
}

/* Fills in defaults and replaces the name by a static one. */
static adatom_status resolve(adatom_context *ctx, adatom_model_params *p, const architecture **arch) {
    adatom_status status = ADATOM_OK;
    *arch = find_architecture(ctx, p->arch ? p->arch : "conv4");
    if (!*arch) return ADATOM_USAGE;
    p->arch = (*arch)->name;
    if (!is_sharing((int)p->sharing)) return ad_choice_refuse(ctx, "sharing", (int)p->sharing);
    if (!is_stem((int)p->stem)) return ad_choice_refuse(ctx, "stem", (int)p->stem);
    if (p->sharing == ADATOM_SHARING_DEFAULT) p->sharing = ADATOM_SHARING_NET;
    if (p->stem && !(*arch)->stem)
        return ad_fail(ctx, ADATOM_USAGE, "%s has no stem to choose ('%s' was asked for)", p->arch,
                       adatom_stem_name(p->stem));
    if ((*arch)->stem && p->stem == ADATOM_STEM_DEFAULT) p->stem = ADATOM_STEM_7X7;
    if (p->atoms == 0) p->atoms = 8;
    if (p->image_size == 0) p->image_size = 84;
    if (p->width == 0) p->width = (*arch)->stages[0].width;
    AD_TRY(check_range(ctx, "the number of atoms", p->atoms, 1, 64));
    AD_TRY(check_range(ctx, "the image size", p->image_size, 1, 1024));
    AD_TRY(check_range(ctx, "the width", p->width, 4, 1024));
    AD_TRY(check_range(ctx, "the number of classes", p->classes, 0, 65536));
    if (p->width % 4) return ad_fail(ctx, ADATOM_USAGE, "the width is %d; it must be a multiple of 4", p->width);
    if (p->sharing == ADATOM_SHARING_NONE) {
        if (p->residual) return ad_fail(ctx, ADATOM_USAGE, "a residual network has atoms; sharing none was asked for");
        p->atoms = 0;
    }
    AD_TRY(resolve_group(ctx, p, *arch));
done:
    return status;
}

const char *adatom_model_arch(size_t index) {
    return index < AD_COUNT(architectures) ? architectures[index].name : NULL;
}

adatom_status ad_network_build(adatom_context *ctx, const adatom_model_params *params, ad_network *out) {
    *out = (ad_network){.made_from = *params, .head = -1, .head_bias = -1};
    out->made_from.size = sizeof out->made_from; /* it may be passed on as a caller's */
    builder b = {.ctx = ctx, .net = out};
    const architecture *arch = NULL;
    adatom_status status = ADATOM_OK;
    AD_TRY(resolve(ctx, &out->made_from, &arch));
    snprintf(out->arch, sizeof out->arch, "%s", out->made_from.arch);
    snprintf(out->sharing, sizeof out->sharing, "%s", adatom_sharing_name(out->made_from.sharing));
    out->image_size = out->made_from.image_size;
    b.slope = arch->slope;
    add_nodes(&b, arch);
    AD_TRY(b.status);
    AD_TRY(ad_network_layout(ctx, out));
done:
    if (status != ADATOM_OK) ad_network_clear(out);
    return status;
}

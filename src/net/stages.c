/* Networks of a stem and stages of equal blocks of k x k convolutions: Conv-4, ResNets, VGG. */
#include "net/builder.h"

#include <stdio.h>

enum { MOST_STAGES = 8, EXPANSION = 4 };

typedef struct stage {
    int width, blocks, stride; /* the stride is the first block's */
    bool pool;                 /* 2x2 maximum after the last block */
} stage;

typedef struct row {
    ad_arch common;
    bool stem;     /* a convolution before the first stage, see stems[] */
    int convs;     /* 3x3 convolutions of a block, each followed by batch norm and activation */
    int inner;     /* BOTTLENECK: channels of the 3x3 convolution for 64 of the stage's width; 0: no bottleneck */
    int groups;    /* of the 3x3 convolution of a bottleneck; 0: 1 */
    bool residual; /* the block's input is added before its last activation */
    float slope;   /* of the leaky ReLU; 0: ReLU */
    bool average;  /* global average pooling at the end */
    stage stages[MOST_STAGES];
} row;

#define OF_64(name, size) .common = {name, .image_size = 84, .published = size, .width = 64, .widths = true}
#define RESNET(name, ...)                                                                                              \
    .common = {name, .published = 224, .width = 64, __VA_ARGS__}, .stem = true, .residual = true, .average = true
#define RESNET_STAGES(a, b, c, d)                                                                                      \
    .stages = {{64, a, 1, false}, {128, b, 2, false}, {256, c, 2, false}, {512, d, 2, false}}

static const row rows[] = {
    /* Vinyals et al., NeurIPS 2016; Snell et al., NeurIPS 2017 */
    {OF_64("conv4", 84), .convs = 1,
     .stages = {{64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}}},
    /* Chen et al., ICLR 2019 */
    {OF_64("conv6", 84), .convs = 1,
     .stages = {{64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}, {64, 1, 1, true}, {64, 2, 1, false}}},
    {RESNET("resnet10", .image_size = 84, .widths = true, .stems = true), .convs = 2, RESNET_STAGES(1, 1, 1, 1)},
    /* Lee et al., CVPR 2019; Tian et al., ECCV 2020 */
    {OF_64("resnet12", 84), .convs = 3, .residual = true, .slope = 0.1f, .average = true,
     .stages = {{64, 1, 1, true}, {160, 1, 1, true}, {320, 1, 1, true}, {640, 1, 1, true}}},
    /* He et al., CVPR 2016 */
    {RESNET("resnet18", .image_size = 84, .widths = true, .stems = true), .convs = 2, RESNET_STAGES(2, 2, 2, 2)},
    {RESNET("resnet34", .image_size = 84, .widths = true, .stems = true), .convs = 2, RESNET_STAGES(3, 4, 6, 3)},
    /* Simonyan and Zisserman, ICLR 2015, with batch norm; the mean over positions takes the place of the hidden linear
       layers */
    {OF_64("vgg16_bn", 224), .convs = 1, .average = true,
     .stages = {{64, 2, 1, true}, {128, 2, 1, true}, {256, 3, 1, true}, {512, 3, 1, true}, {512, 3, 1, true}}},
    /* He et al., CVPR 2016, with the stride in the 3x3 convolution */
    {RESNET("resnet50", .image_size = 224), .inner = 64, RESNET_STAGES(3, 4, 6, 3)},
    /* Zagoruyko and Komodakis, BMVC 2016 */
    {RESNET("wide_resnet50_2", .image_size = 224), .inner = 128, RESNET_STAGES(3, 4, 6, 3)},
    /* Xie et al., CVPR 2017 */
    {RESNET("resnext50_32x4d", .image_size = 224), .inner = 128, .groups = 32, RESNET_STAGES(3, 4, 6, 3)},
};

static const struct {
    adatom_stem stem;
    int k, stride;
    bool pool; /* 3x3 maximum, stride 2 */
} stems[] = {{ADATOM_STEM_7X7, 7, 2, true}, {ADATOM_STEM_3X3, 3, 1, false}};

/* The block's input, or a convolution of it where its size or width is another than the block's output. */
static int add_shortcut(ad_builder *b, int input, int width, int stride) {
    char prefix[40];
    if (b->status != ADATOM_OK || (stride == 1 && input != 0 && b->net->nodes[input].o == width)) return input;
    /* Named after the layer it leads around first. */
    snprintf(prefix, sizeof prefix, "layer%d.shortcut", b->layer + 1);
    const ad_conv_spec conv = {.input = input, .o = width, .k = 1, .stride = stride, .part = AD_PART_SHORTCUT};
    return ad_build_norm(b, prefix, ad_build_conv(b, prefix, &conv), -1, false);
}

static int add_bottleneck(ad_builder *b, const row *arch, int input, int width, int stride) {
    const int residual = add_shortcut(b, input, EXPANSION * width, stride), inner = width * arch->inner / 64;
    const ad_conv_spec convs[] = {
        {.o = inner, .k = 1}, {.o = inner, .k = 3, .stride = stride, .groups = arch->groups}, {.o = EXPANSION * width}};
    int x = input;
    for (int i = 0; i < 3; i++) {
        ad_conv_spec conv = convs[i];
        conv.input = x;
        conv.part = AD_PART_LAYER;
        b->place = i;
        x = ad_build_layer(b, &conv, i == 2 ? residual : -1, true);
    }
    return x;
}

static int add_block(ad_builder *b, const row *arch, int input, int width, int stride, bool pool) {
    char prefix[40];
    if (arch->inner) return add_bottleneck(b, arch, input, width, stride);
    const int residual = arch->residual ? add_shortcut(b, input, width, stride) : -1;
    int x = input;
    for (int i = 0; i < arch->convs; i++) {
        const ad_conv_spec conv = {
            .input = x, .o = width, .k = 3, .stride = i == 0 ? stride : 1, .part = AD_PART_LAYER};
        b->place = i;
        x = ad_build_layer(b, &conv, i == arch->convs - 1 ? residual : -1, true);
    }
    snprintf(prefix, sizeof prefix, "layer%d", b->layer);
    return pool ? ad_build_pool(b, prefix, x, 2, 2, 0, false) : x;
}

/* Channels of a stage: in proportion to the first, rounded up to a multiple of 4. */
static int stage_width(const row *arch, const stage *s, int first) {
    const int base = arch->stages[0].width;
    return (s->width * first + 4 * base - 1) / (4 * base) * 4;
}

static const stage *end_of(const row *arch) {
    const stage *s = arch->stages;
    while (s < arch->stages + MOST_STAGES && s->blocks > 0) s++;
    return s;
}

static void build(ad_builder *b, const ad_arch *common) {
    const row *arch = (const row *)common;
    const adatom_model_params *p = &b->net->made_from;
    int x = 0;
    b->act = arch->slope > 0 ? AD_ACT_LEAKY : AD_ACT_RELU;
    b->slope = arch->slope;
    for (size_t i = 0; arch->stem && i < AD_COUNT(stems); i++) {
        if (stems[i].stem != (common->stems ? p->stem : ADATOM_STEM_7X7)) continue;
        const ad_conv_spec conv = {
            .input = x, .o = p->width, .k = stems[i].k, .stride = stems[i].stride, .part = AD_PART_STEM};
        x = ad_build_layer(b, &conv, -1, true);
        if (stems[i].pool) x = ad_build_pool(b, "layer1", x, 3, 2, 1, false);
    }
    for (const stage *s = arch->stages; s < end_of(arch); s++) {
        b->stage++;
        const int width = stage_width(arch, s, p->width);
        for (b->block = 0; b->block < s->blocks; b->block++)
            x = add_block(b, arch, x, width, b->block == 0 ? s->stride : 1, s->pool && b->block == s->blocks - 1);
    }
    if (arch->average) ad_build_mean(b, x);
}

static bool divides(const ad_arch *common, int width, int group) {
    const row *arch = (const row *)common;
    for (const stage *s = arch->stages; s < end_of(arch); s++) {
        const int channels = stage_width(arch, s, width);
        if ((arch->inner ? channels * arch->inner / 64 : channels) % group) return false;
    }
    return true;
}

const ad_family ad_family_stages = {rows, AD_COUNT(rows), sizeof *rows, build, divides};

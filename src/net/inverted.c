/* Networks of inverted residual blocks: 1x1 to more channels, a depthwise convolution, squeeze-and-excite where there
 * is one, 1x1 to few channels; the input is added where sizes agree. MobileNetV2 [Sandler et al., CVPR 2018],
 * MobileNetV3 [Howard et al., ICCV 2019], EfficientNet [Tan and Le, ICML 2019] and its Lite form, without
 * squeeze-and-excite, for processors [TensorFlow, tpu/models/official/efficientnet/lite, 2020]. */
#include "net/builder.h"

#include <math.h>

enum { MOST_STAGES = 16, DIVISOR = 8 };

/* Blocks of equal sizes; the stride is the first block's. */
typedef struct blocks {
    int count, k, stride;
    int expand; /* channels of the depthwise convolution: so many times the input's; negative: so many */
    int o;
    bool squeeze;
    int act; /* AD_ACT_NONE: the network's */
} blocks;

typedef struct row {
    ad_arch common;
    float width, depth; /* what channels and numbers of blocks are multiplied by; 0: 1 */
    bool ends_stay;     /* stem, first and last stage and top are not scaled */
    int act;
    int squeeze_act, squeeze_gate;
    bool squeeze_of_input; /* a quarter of the block's input; else of the depthwise channels, a multiple of 8 */
    int top;               /* channels of the 1x1 convolution behind the last stage */
    int hidden;            /* and of a linear layer behind the mean over positions; 0: there is none */
    const blocks *stages;  /* ends with a count of 0 */
} row;

static const blocks mobilenet_v2[] = {{1, 3, 1, 1, 16, false, AD_ACT_NONE},  {2, 3, 2, 6, 24, false, AD_ACT_NONE},
                                      {3, 3, 2, 6, 32, false, AD_ACT_NONE},  {4, 3, 2, 6, 64, false, AD_ACT_NONE},
                                      {3, 3, 1, 6, 96, false, AD_ACT_NONE},  {3, 3, 2, 6, 160, false, AD_ACT_NONE},
                                      {1, 3, 1, 6, 320, false, AD_ACT_NONE}, {0}};
static const blocks mobilenet_v3_large[] = {{1, 3, 1, -16, 16, false, AD_ACT_RELU},
                                            {1, 3, 2, -64, 24, false, AD_ACT_RELU},
                                            {1, 3, 1, -72, 24, false, AD_ACT_RELU},
                                            {1, 5, 2, -72, 40, true, AD_ACT_RELU},
                                            {2, 5, 1, -120, 40, true, AD_ACT_RELU},
                                            {1, 3, 2, -240, 80, false, AD_ACT_NONE},
                                            {1, 3, 1, -200, 80, false, AD_ACT_NONE},
                                            {2, 3, 1, -184, 80, false, AD_ACT_NONE},
                                            {1, 3, 1, -480, 112, true, AD_ACT_NONE},
                                            {1, 3, 1, -672, 112, true, AD_ACT_NONE},
                                            {1, 5, 2, -672, 160, true, AD_ACT_NONE},
                                            {2, 5, 1, -960, 160, true, AD_ACT_NONE},
                                            {0}};
static const blocks mobilenet_v3_small[] = {
    {1, 3, 2, -16, 16, true, AD_ACT_RELU},  {1, 3, 2, -72, 24, false, AD_ACT_RELU},
    {1, 3, 1, -88, 24, false, AD_ACT_RELU}, {1, 5, 2, -96, 40, true, AD_ACT_NONE},
    {2, 5, 1, -240, 40, true, AD_ACT_NONE}, {1, 5, 1, -120, 48, true, AD_ACT_NONE},
    {1, 5, 1, -144, 48, true, AD_ACT_NONE}, {1, 5, 2, -288, 96, true, AD_ACT_NONE},
    {2, 5, 1, -576, 96, true, AD_ACT_NONE}, {0}};
static const blocks efficientnet[] = {{1, 3, 1, 1, 16, true, AD_ACT_NONE},  {2, 3, 2, 6, 24, true, AD_ACT_NONE},
                                      {2, 5, 2, 6, 40, true, AD_ACT_NONE},  {3, 3, 2, 6, 80, true, AD_ACT_NONE},
                                      {3, 5, 1, 6, 112, true, AD_ACT_NONE}, {4, 5, 2, 6, 192, true, AD_ACT_NONE},
                                      {1, 3, 1, 6, 320, true, AD_ACT_NONE}, {0}};
static const blocks efficientnet_lite[] = {{1, 3, 1, 1, 16, false, AD_ACT_NONE},  {2, 3, 2, 6, 24, false, AD_ACT_NONE},
                                           {2, 5, 2, 6, 40, false, AD_ACT_NONE},  {3, 3, 2, 6, 80, false, AD_ACT_NONE},
                                           {3, 5, 1, 6, 112, false, AD_ACT_NONE}, {4, 5, 2, 6, 192, false, AD_ACT_NONE},
                                           {1, 3, 1, 6, 320, false, AD_ACT_NONE}, {0}};

#define MOBILENET_V3(arch, last, linear)                                                                               \
    {                                                                                                                  \
        {#arch, .image_size = 224, .published = 224, .width = 16, .epsilon = 1e-3f},                                   \
            .act = AD_ACT_HARD_SWISH, .squeeze_act = AD_ACT_RELU, .squeeze_gate = AD_ACT_HARD_SIGMOID, .top = last,    \
            .hidden = linear, .stages = arch                                                                           \
    }
#define EFFICIENTNET(arch, side, stem, by, deep)                                                                       \
    {                                                                                                                  \
        {arch, .image_size = side, .published = side, .width = stem},                                                  \
            .width = by, .depth = deep, .act = AD_ACT_SILU, .squeeze_act = AD_ACT_SILU,                                \
            .squeeze_gate = AD_ACT_SIGMOID, .squeeze_of_input = true, .top = 1280, .stages = efficientnet              \
    }
#define EFFICIENTNET_LITE(arch, side, by, deep)                                                                        \
    {                                                                                                                  \
        {arch, .image_size = side, .published = side, .width = 32, .epsilon = 1e-3f, .same = true},                    \
            .width = by, .depth = deep, .ends_stay = true, .act = AD_ACT_RELU6, .top = 1280,                           \
            .stages = efficientnet_lite                                                                                \
    }

static const row rows[] = {
    {{"mobilenet_v2", .image_size = 224, .published = 224, .width = 32},
     .act = AD_ACT_RELU6,
     .top = 1280,
     .stages = mobilenet_v2},
    MOBILENET_V3(mobilenet_v3_small, 576, 1024),
    MOBILENET_V3(mobilenet_v3_large, 960, 1280),
    EFFICIENTNET_LITE("efficientnet_lite0", 224, 1.0f, 1.0f),
    EFFICIENTNET_LITE("efficientnet_lite1", 240, 1.0f, 1.1f),
    EFFICIENTNET_LITE("efficientnet_lite2", 260, 1.1f, 1.2f),
    EFFICIENTNET_LITE("efficientnet_lite3", 280, 1.2f, 1.4f),
    EFFICIENTNET_LITE("efficientnet_lite4", 300, 1.4f, 1.8f),
    EFFICIENTNET("efficientnet_b0", 224, 32, 1.0f, 1.0f),
    EFFICIENTNET("efficientnet_b1", 240, 32, 1.0f, 1.1f),
    EFFICIENTNET("efficientnet_b2", 260, 32, 1.1f, 1.2f),
    EFFICIENTNET("efficientnet_b3", 300, 40, 1.2f, 1.4f),
};

/* The multiple of 8 next to it, but at most a tenth less. */
static int divisible(double channels) {
    const int rounded = AD_MAX(DIVISOR, (int)(channels + DIVISOR / 2) / DIVISOR * DIVISOR);
    return rounded < 0.9 * channels ? rounded + DIVISOR : rounded;
}

static int scaled(const row *arch, int channels) {
    return arch->width > 0 ? divisible((double)arch->width * channels) : channels;
}

static int add_squeeze(ad_builder *b, const row *arch, int x, int inner) {
    if (b->status != ADATOM_OK) return 0;
    char prefix[24];
    const int c = b->net->nodes[x].filters, size = b->net->nodes[x].oh;
    ad_build_next(b, prefix);
    int gate = ad_build_pool(b, prefix, x, size, size, 0, true);
    gate = ad_build_conv(b, prefix, &(ad_conv_spec){.input = gate, .o = inner, .part = AD_PART_SQUEEZE, .bias = true});
    gate = ad_build_act(b, prefix, gate, arch->squeeze_act);
    ad_build_next(b, prefix);
    gate = ad_build_conv(b, prefix, &(ad_conv_spec){.input = gate, .o = c, .part = AD_PART_EXCITE, .bias = true});
    gate = ad_build_act(b, prefix, gate, arch->squeeze_gate);
    return ad_build_gate(b, prefix, x, gate);
}

static int add_block(ad_builder *b, const row *arch, const blocks *s, int input, int stride, int o) {
    if (b->status != ADATOM_OK) return 0;
    const int c = b->net->nodes[input].filters, wide = s->expand < 0 ? -s->expand : s->expand * c;
    const bool lone = wide == c; /* nothing to expand */
    int x = input;
    b->act = s->act == AD_ACT_NONE ? arch->act : s->act;
    if (!lone) x = ad_build_layer(b, &(ad_conv_spec){.input = x, .o = wide, .part = AD_PART_EXPAND}, -1, true);
    x = ad_build_layer(b,
                       &(ad_conv_spec){.input = x,
                                       .o = wide,
                                       .k = s->k,
                                       .stride = stride,
                                       .groups = wide,
                                       .part = lone ? AD_PART_LONE : AD_PART_DEPTHWISE},
                       -1, true);
    if (s->squeeze) x = add_squeeze(b, arch, x, arch->squeeze_of_input ? AD_MAX(1, c / 4) : divisible(wide / 4));
    return ad_build_layer(b, &(ad_conv_spec){.input = x, .o = o, .part = lone ? AD_PART_LONE_PROJECT : AD_PART_PROJECT},
                          stride == 1 && c == o ? input : -1, false);
}

static void build(ad_builder *b, const ad_arch *common) {
    const row *arch = (const row *)common;
    b->act = arch->act;
    int x = ad_build_layer(
        b, &(ad_conv_spec){.input = 0, .o = common->width, .k = 3, .stride = 2, .part = AD_PART_STEM}, -1, true);
    for (const blocks *s = arch->stages; s->count; s++) {
        const bool end = arch->ends_stay && (s == arch->stages || !s[1].count);
        const int count = arch->depth > 0 && !end ? (int)ceilf(arch->depth * (float)s->count) : s->count;
        if (s == arch->stages || s->o != s[-1].o) { /* rows of equal outputs are one stage */
            b->stage++;
            b->block = 0;
        }
        for (int i = 0; i < count; i++, b->block++)
            x = add_block(b, arch, s, x, i == 0 ? s->stride : 1, scaled(arch, s->o));
    }
    b->act = arch->act;
    b->stage++;
    b->block = 0;
    const int top = arch->ends_stay ? arch->top : scaled(arch, arch->top);
    x = ad_build_layer(b, &(ad_conv_spec){.input = x, .o = top, .part = AD_PART_TOP}, -1, true);
    x = ad_build_mean(b, x);
    if (!arch->hidden) return;
    char prefix[24];
    ad_build_next(b, prefix);
    x = ad_build_conv(b, prefix, &(ad_conv_spec){.input = x, .o = arch->hidden, .part = AD_PART_HIDDEN, .bias = true});
    ad_build_act(b, prefix, x, arch->act);
}

const ad_family ad_family_inverted = {rows, AD_COUNT(rows), sizeof *rows, build, NULL};

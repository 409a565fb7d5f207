/* ConvNeXt [Liu et al., CVPR 2022]: stages of blocks x + scale (W2 gelu(W1 norm(depthwise 7x7 x))), layer norms over
 * channels, and a norm and a 2x2 convolution between stages. */
#include "net/builder.h"

enum { STAGES = 4, EXPANSION = 4, PATCH = 4 };
static const float epsilon = 1e-6f;

typedef struct row {
    ad_arch common; /* the width of each stage is twice that of the one before */
    int blocks[STAGES];
} row;

#define CONVNEXT(size, channels, a, b, c, d)                                                                           \
    {                                                                                                                  \
        {"convnext_" #size, .image_size = 224, .published = 224, .width = channels}, { a, b, c, d }                    \
    }

static const row rows[] = {CONVNEXT(atto, 40, 2, 2, 6, 2),  CONVNEXT(femto, 48, 2, 2, 6, 2),
                           CONVNEXT(pico, 64, 2, 2, 6, 2),  CONVNEXT(nano, 80, 2, 2, 8, 2),
                           CONVNEXT(tiny, 96, 3, 3, 9, 3),  CONVNEXT(small, 96, 3, 3, 27, 3),
                           CONVNEXT(base, 128, 3, 3, 27, 3)};

static int add_block(ad_builder *b, int input, int width) {
    char prefix[24];
    ad_build_next(b, prefix);
    int x = ad_build_conv(
        b, prefix,
        &(ad_conv_spec){.input = input, .o = width, .k = 7, .groups = width, .part = AD_PART_DEPTHWISE, .bias = true});
    x = ad_build_layer_norm(b, prefix, x, epsilon);
    ad_build_next(b, prefix);
    x = ad_build_conv(b, prefix,
                      &(ad_conv_spec){.input = x, .o = EXPANSION * width, .part = AD_PART_EXPAND, .bias = true});
    x = ad_build_act(b, prefix, x, AD_ACT_GELU);
    ad_build_next(b, prefix);
    x = ad_build_conv(b, prefix, &(ad_conv_spec){.input = x, .o = width, .part = AD_PART_PROJECT, .bias = true});
    return ad_build_scale(b, prefix, x, input);
}

static void build(ad_builder *b, const ad_arch *common) {
    const row *arch = (const row *)common;
    char prefix[24];
    int x = 0, width = common->width;
    ad_build_next(b, prefix);
    x = ad_build_conv(
        b, prefix,
        &(ad_conv_spec){
            .input = x, .o = width, .k = PATCH, .stride = PATCH, .part = AD_PART_STEM, .bias = true, .whole = true});
    x = ad_build_layer_norm(b, prefix, x, epsilon);
    for (b->stage = 1; b->stage <= STAGES; b->stage++) {
        b->block = 0;
        if (b->stage > 1) {
            ad_build_next(b, prefix);
            x = ad_build_layer_norm(b, prefix, x, epsilon);
            x = ad_build_conv(b, prefix,
                              &(ad_conv_spec){.input = x,
                                              .o = width *= 2,
                                              .k = 2,
                                              .stride = 2,
                                              .part = AD_PART_DOWNSAMPLE,
                                              .bias = true,
                                              .whole = true});
        }
        for (; b->block < arch->blocks[b->stage - 1]; b->block++) x = add_block(b, x, width);
    }
    ad_build_layer_norm(b, "top", ad_build_mean(b, x), epsilon);
}

const ad_family ad_family_convnext = {rows, AD_COUNT(rows), sizeof *rows, build, NULL};

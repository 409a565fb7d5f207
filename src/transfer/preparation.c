/* How the sources of pretrained networks prepare pictures. */
#include "transfer/layout.h"

#include <math.h>
#include <string.h>

#define IMAGENET .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}
#define HALVES .mean = {0.5f, 0.5f, 0.5f}, .std = {0.5f, 0.5f, 0.5f}
#define CLIP .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .std = {0.26862954f, 0.26130258f, 0.27577711f}
#define UNCHANGED .mean = {0, 0, 0}, .std = {1, 1, 1}
/* (pixel - 127) / 128 */
#define TF_LITE .mean = {127 / 255.0f, 127 / 255.0f, 127 / 255.0f}, .std = {128 / 255.0f, 128 / 255.0f, 128 / 255.0f}
#define BILINEAR .interpolation = ADATOM_INTERPOLATION_BILINEAR
#define BICUBIC .interpolation = ADATOM_INTERPOLATION_BICUBIC

/* Of several rows for a network the first is taken unless another's weights are asked for. */
const ad_preparation ad_preparations[] = {
    /* torchvision/models/NAME.py: the transforms of NAME_Weights, first those of DEFAULT. */
    {"torchvision", "resnet18 resnet34 vgg16_bn mobilenet_v3_small", "v1", 224, .resize = 256, BILINEAR, IMAGENET},
    {"torchvision", "resnet50 wide_resnet50_2 resnext50_32x4d mobilenet_v2 mobilenet_v3_large", "v2", 224,
     .resize = 232, BILINEAR, IMAGENET},
    {"torchvision", "resnet50 wide_resnet50_2 resnext50_32x4d mobilenet_v2 mobilenet_v3_large", "v1", 224,
     .resize = 256, BILINEAR, IMAGENET},
    {"torchvision", "efficientnet_b0", "v1", 224, .resize = 256, BICUBIC, IMAGENET},
    {"torchvision", "efficientnet_b1", "v2", 240, .resize = 255, BILINEAR, IMAGENET},
    {"torchvision", "efficientnet_b1", "v1", 240, .resize = 256, BICUBIC, IMAGENET},
    {"torchvision", "efficientnet_b2", "v1", 288, .resize = 288, BICUBIC, IMAGENET},
    {"torchvision", "efficientnet_b3", "v1", 300, .resize = 320, BICUBIC, IMAGENET},
    {"torchvision", "convnext_tiny", "v1", 224, .resize = 236, BILINEAR, IMAGENET},
    {"torchvision", "convnext_small", "v1", 224, .resize = 230, BILINEAR, IMAGENET},
    {"torchvision", "convnext_base", "v1", 224, .resize = 232, BILINEAR, IMAGENET},

    /* The default_cfgs of timm's models, first that of the name without a tag; named by the beginning of the tag. */
    {"timm", "resnet18 resnet34 resnet50", "a1", 224, .crop = 0.95f, BICUBIC, IMAGENET},
    {"timm", "resnext50_32x4d", "a1h", 224, .crop = 0.95f, BICUBIC, IMAGENET},
    {"timm", "wide_resnet50_2", "racm", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "resnet18 resnet34 resnet50 resnext50_32x4d wide_resnet50_2 vgg16_bn", "tv", 224, .crop = 0.875f, BILINEAR,
     IMAGENET},
    {"timm", "mobilenet_v2 mobilenet_v3_large", "ra", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "mobilenet_v3_large", "ra4", 224, .crop = 0.95f, BICUBIC, HALVES},
    {"timm", "mobilenet_v3_large", "miil", 224, .crop = 0.875f, BILINEAR, UNCHANGED},
    {"timm", "mobilenet_v3_small", "lamb", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_b0", "ra", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_b0", "ra4", 224, .crop = 0.9f, BICUBIC, HALVES},
    {"timm", "efficientnet_b1", "ra4", 240, .crop = 0.9f, BICUBIC, HALVES},
    {"timm", "efficientnet_b1", "ft", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_b2", "ra", 256, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_b3", "ra2", 288, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_lite0", "ra", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    /* timm has no weights of these. */
    {"timm", "efficientnet_lite1", "untrained", 240, .crop = 0.882f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_lite2", "untrained", 260, .crop = 0.890f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_lite3", "untrained", 300, .crop = 0.904f, BICUBIC, IMAGENET},
    {"timm", "efficientnet_lite4", "untrained", 380, .crop = 0.922f, BICUBIC, IMAGENET},
    {"timm", "convnext_atto", "d2", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "convnext_femto convnext_pico", "d1", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "convnext_nano convnext_tiny convnext_small", "in12k", 224, .crop = 0.95f, BICUBIC, IMAGENET},
    {"timm", "convnext_nano", "d1h", 224, .crop = 0.95f, BICUBIC, IMAGENET},
    {"timm", "convnext_tiny convnext_small convnext_base", "fb", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm", "convnext_tiny convnext_small convnext_base", "dinov3", 224, .crop = 1, BICUBIC, IMAGENET},
    {"timm", "convnext_base", "clip", 256, .crop = 1, BICUBIC, CLIP},

    /* The default_cfgs of timm's models whose names begin with tf_. */
    {"timm-tf", "efficientnet_b0", "ns aa in1k", 224, .crop = 0.875f, BICUBIC, IMAGENET},
    {"timm-tf", "efficientnet_b1", "ns aa in1k", 240, .crop = 0.882f, BICUBIC, IMAGENET},
    {"timm-tf", "efficientnet_b2", "ns aa in1k", 260, .crop = 0.890f, BICUBIC, IMAGENET},
    {"timm-tf", "efficientnet_b3", "ns aa in1k", 300, .crop = 0.904f, BICUBIC, IMAGENET},
    {"timm-tf", "efficientnet_b0", "ap", 224, .crop = 0.875f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_b1", "ap", 240, .crop = 0.882f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_b2", "ap", 260, .crop = 0.890f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_b3", "ap", 300, .crop = 0.904f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_lite0", "in1k", 224, .crop = 0.875f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_lite1", "in1k", 240, .crop = 0.882f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_lite2", "in1k", 260, .crop = 0.890f, BICUBIC, HALVES},
    {"timm-tf", "efficientnet_lite3", "in1k", 300, .crop = 0.904f, BILINEAR, HALVES},
    {"timm-tf", "efficientnet_lite4", "in1k", 380, .crop = 0.920f, BILINEAR, HALVES},
    {"timm-tf", "mobilenet_v3_small mobilenet_v3_large", "in1k", 224, .crop = 0.875f, BILINEAR, HALVES},

    /* The package's weights are TensorFlow's and expect the pixels of tpu/models/official/efficientnet/lite: it crops
     * size / (size + 32) and scales bilinearly without antialiasing. For that, a cubic is the nearest at small sizes
     * and a triangle at large ones, as in timm's table. */
    {"efficientnet_lite_pytorch", "efficientnet_lite0", "tf", 224, .resize = 256, BICUBIC, TF_LITE},
    {"efficientnet_lite_pytorch", "efficientnet_lite1", "tf", 240, .resize = 272, BICUBIC, TF_LITE},
    {"efficientnet_lite_pytorch", "efficientnet_lite2", "tf", 260, .resize = 292, BICUBIC, TF_LITE},
    {"efficientnet_lite_pytorch", "efficientnet_lite3", "tf", 280, .resize = 312, BILINEAR, TF_LITE},
    {"efficientnet_lite_pytorch", "efficientnet_lite4", "tf", 300, .resize = 332, BILINEAR, TF_LITE},

    /* preprocessor_config.json of facebook/convnext-*-224. Its crop leaves an odd pixel too many always after it. */
    {"huggingface", "convnext_tiny convnext_small convnext_base", "fb", 224, .crop = 0.875f, BICUBIC, IMAGENET},
};
const int ad_preparation_count = (int)AD_COUNT(ad_preparations);

/* Whether the words, separated by spaces, have this one. */
static bool has_word(const char *words, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = words; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, length) == 0 && (at[length] == ' ' || at[length] == 0)) return true;
    }
    return false;
}

bool ad_preparation_is_for(const ad_preparation *row, const char *layout, const char *arch) {
    return strcmp(row->layout, layout) == 0 && has_word(row->archs, arch);
}

const ad_preparation *ad_preparation_find(const char *layout, const char *arch, const char *weights) {
    for (int i = 0; i < ad_preparation_count; i++) {
        const ad_preparation *row = &ad_preparations[i];
        if (ad_preparation_is_for(row, layout, arch) && (!weights || has_word(row->weights, weights))) return row;
    }
    return NULL;
}

int ad_resize_for_crop(int size, double crop) {
    /* The fraction may have been rounded to a float. */
    return (int)floor(size / crop + 1e-4);
}

int ad_preparation_resize(const ad_preparation *row) {
    return row->resize ? row->resize : ad_resize_for_crop(row->size, (double)row->crop);
}

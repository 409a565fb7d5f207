/* Networks of every kind, small, and their parameters. */
#ifndef AD_TESTS_MODEL_VARIANTS_H
#define AD_TESTS_MODEL_VARIANTS_H

#include "net/network.h"

#include <string.h>

static const adatom_model_params variants[] = {
    {.arch = "conv4", .sharing = ADATOM_SHARING_NONE, .width = 4, .image_size = 16, .classes = 3},
    {.arch = "conv4",
     .sharing = ADATOM_SHARING_LAYER,
     .decompose_first = true,
     .width = 8,
     .image_size = 20,
     .atoms = 3},
    {.arch = "conv6", .sharing = ADATOM_SHARING_STAGE, .width = 12, .image_size = 21, .atoms = 9, .classes = 5},
    {.arch = "resnet10", .sharing = ADATOM_SHARING_NET, .width = 4, .image_size = 33, .decompose_first = true},
    {.arch = "resnet12", .sharing = ADATOM_SHARING_STAGE, .width = 4, .image_size = 16, .classes = 2, .atoms = 1},
    {.arch = "resnet18",
     .sharing = ADATOM_SHARING_NET,
     .width = 8,
     .image_size = 8,
     .stem = ADATOM_STEM_3X3,
     .atoms = 2},
    {.arch = "resnet10",
     .sharing = ADATOM_SHARING_STAGE,
     .width = 4,
     .image_size = 33,
     .atoms = 12,
     .residual = true,
     .classes = 2},
    {.arch = "vgg16_bn", .sharing = ADATOM_SHARING_STAGE, .width = 4, .image_size = 32, .atoms = 2},
    {.arch = "conv4",
     .sharing = ADATOM_SHARING_GROUP_LAYER,
     .width = 24,
     .image_size = 16,
     .atoms = 3,
     .classes = 2,
     .group = 8},
    {.arch = "resnet10", .sharing = ADATOM_SHARING_GROUP_STAGE, .width = 8, .image_size = 33, .atoms = 2},
    {.arch = "resnet12",
     .sharing = ADATOM_SHARING_GROUP_NET,
     .width = 8,
     .image_size = 16,
     .atoms = 4,
     .residual = true,
     .group = 4},
};

static inline int param_number(const ad_network *net, const char *name) {
    for (int i = 0; i < net->param_count; i++)
        if (strcmp(net->params[i].name, name) == 0) return i;
    ck_abort_msg("no parameter %s", name);
}
#endif

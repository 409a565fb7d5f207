#include "net/network.h"

#include <stdio.h>
#include <stdlib.h>

adatom_status ad_model_create_bare(adatom_context *ctx, int features, const char *hash, adatom_model **out) {
    const ad_node input = {.kind = AD_NODE_INPUT,
                           .name = "features",
                           .residual = -1,
                           .gate = -1,
                           .h = 1,
                           .w = 1,
                           .c = features,
                           .oh = 1,
                           .ow = 1,
                           .o = features,
                           .k = 1,
                           .stride = 1,
                           .dil = 1,
                           .groups = 1,
                           .channels = features,
                           .filters = features,
                           .kernel = -1,
                           .coefficients = -1,
                           .atoms = -1,
                           .bias = -1,
                           .gamma = -1,
                           .beta = -1,
                           .statistics = -1,
                           .scale = -1};
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    adatom_model *model = *out = ad_calloc(ctx, 1, sizeof *model);
    if (!model) return ADATOM_OUT_OF_MEMORY;
    model->ctx = ctx;
    model->hash = strtoull(hash, NULL, 16);
    ad_network *net = &model->net;
    net->made_from =
        (adatom_model_params){.size = sizeof net->made_from, .arch = "features", .sharing = ADATOM_SHARING_NONE};
    snprintf(net->arch, sizeof net->arch, "%s", net->made_from.arch);
    snprintf(net->sharing, sizeof net->sharing, "%s", adatom_sharing_name(net->made_from.sharing));
    net->head = net->head_bias = -1;
    net->features = features;
    if (ad_network_add_node(ctx, net, &input) < 0) goto done;
    AD_TRY(ad_network_layout(ctx, net));
    if (!(model->values = ad_calloc(ctx, net->role_begin[AD_ROLE_COUNT], sizeof *model->values)))
        status = ADATOM_OUT_OF_MEMORY;
done:
    if (status != ADATOM_OK) adatom_model_destroy(out);
    return status;
}

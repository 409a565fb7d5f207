#include "net/builder.h"

#include <stdio.h>
#include <stdlib.h>

adatom_status ad_model_create_bare(adatom_context *ctx, int features, const char *hash, adatom_model **out) {
    ad_node input = ad_build_bare;
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    adatom_model *model = *out = ad_calloc(ctx, 1, sizeof *model);
    if (!model) return ADATOM_OUT_OF_MEMORY;
    model->ctx = ctx;
    model->hash = strtoull(hash, NULL, 16);
    ad_network *net = &model->net;
    input.kind = AD_NODE_INPUT;
    input.input = -1;
    input.h = input.w = input.oh = input.ow = 1;
    input.c = input.o = input.channels = input.filters = features;
    snprintf(input.name, sizeof input.name, "features");
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

/* Models: creation, initialisation, description. Their files are in net/model_file.c. */
#include "net/network.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

adatom_status adatom_model_create(adatom_context *context, const adatom_model_params *params, adatom_model **out) {
    adatom_status status = ADATOM_OK;
    adatom_model_params p;
    *out = NULL;
    adatom_model *model = NULL;
    AD_TRY(AD_PARAMS(context, adatom_model_params, params, &p));
    AD_TRY(ad_model_create_blank(context, &p, &model));
    ad_model_initialise(model, model->net.made_from.seed);
    *out = model;
    model = NULL;
done:
    adatom_model_destroy(&model);
    return ad_leave(context, status);
}

adatom_status ad_model_create_blank(adatom_context *ctx, const adatom_model_params *params, adatom_model **out) {
    adatom_status status = ADATOM_OK;
    /* Of the ImageNet training pictures, which miniImageNet's users normalise with too. */
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, std[3] = {0.229f, 0.224f, 0.225f};
    *out = NULL;
    adatom_model *model = ad_calloc(ctx, 1, sizeof *model);
    if (!model) return ADATOM_OUT_OF_MEMORY;
    model->ctx = ctx;
    memcpy(model->mean, mean, sizeof mean);
    memcpy(model->std, std, sizeof std);
    AD_TRY(ad_network_build(ctx, params, &model->net));
    model->resize = model->net.image_size;
    model->interpolation = ADATOM_INTERPOLATION_FAST_BILINEAR;
    if (!(model->values = ad_calloc(ctx, model->net.role_begin[AD_ROLE_COUNT], sizeof *model->values))) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    *out = model;
    model = NULL;
done:
    adatom_model_destroy(&model);
    return status;
}

void adatom_model_destroy(adatom_model **model) {
    if (!model || !*model) return;
    ad_network_clear(&(*model)->net);
    ad_free((*model)->values);
    ad_free((*model)->base_mean);
    ad_free((*model)->notes);
    ad_free(*model);
    *model = NULL;
}

/* Standard deviation of the normal start, or -1 for a constant one. */
static double deviation(const ad_param *p) {
    switch (p->kind) {
    case AD_PARAM_COEFFICIENTS: return sqrt(1.0 / p->m);
    case AD_PARAM_ATOMS:
    case AD_PARAM_KERNEL: return sqrt(2.0 / ((double)p->k * p->k * p->c)); /* He et al. 2015, fan-in */
    case AD_PARAM_HEAD:
    case AD_PARAM_HEAD_BIAS:
    case AD_PARAM_GAMMA:
    case AD_PARAM_BETA:
    case AD_PARAM_BIAS:
    case AD_PARAM_SCALE:
    case AD_PARAM_STATISTICS: break;
    }
    return -1;
}

void ad_model_initialise(adatom_model *model, uint64_t seed) {
    memset(model->values, 0, model->net.role_begin[AD_ROLE_COUNT] * sizeof *model->values);
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        float *values = model->values + p->offset;
        const double sigma = deviation(p);
        if (sigma > 0) {
            /* Drawn in the file's order, so that the arena's layout does not matter. */
            ad_random random = ad_random_make(seed, AD_STREAM_INIT, (uint32_t)i);
            for (size_t e = 0; e < p->logical; e++)
                values[ad_param_at(p, 0, e)] = (float)sigma * ad_random_normal(&random);
        } else if (p->kind == AD_PARAM_GAMMA || p->kind == AD_PARAM_SCALE ||
                   p->kind == AD_PARAM_STATISTICS) { /* gamma, scale and variance: 1 */
            for (int32_t c = 0; c < p->c; c++) values[ad_param_at(p, ad_param_parts(p) - 1, (size_t)c)] = 1;
        }
    }
    ad_model_rehash(model);
}

adatom_status ad_model_inherit(adatom_model *model, const adatom_model *from) {
    memcpy(model->mean, from->mean, sizeof model->mean);
    memcpy(model->std, from->std, sizeof model->std);
    model->origin = from->origin;
    model->resize = from->resize;
    model->interpolation = from->interpolation;
    ad_free(model->notes);
    model->notes = from->notes ? ad_strdup(model->ctx, from->notes) : NULL;
    return from->notes && !model->notes ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
}

void ad_model_copy_values(adatom_model *model, const adatom_model *from) {
    for (int i = 0; i < model->net.param_count; i++)
        for (int j = 0; j < from->net.param_count; j++) {
            const ad_param *p = &model->net.params[i], *q = &from->net.params[j];
            if (strcmp(p->name, q->name) == 0 && p->count == q->count)
                memcpy(model->values + p->offset, from->values + q->offset, p->count * sizeof *model->values);
        }
}

void ad_model_rehash(adatom_model *model) {
    const ad_network *net = &model->net;
    const adatom_model_params *p = &net->made_from;
    const char *stem = p->stem ? adatom_stem_name(p->stem) : "";
    const int32_t numbers[] = {p->atoms,           p->image_size, p->width,     p->classes,
                               p->decompose_first, p->residual,   model->resize};
    uint64_t hash = ad_hash(net->arch, strlen(net->arch), 0);
    hash = ad_hash(net->sharing, strlen(net->sharing), hash);
    hash = ad_hash(stem, strlen(stem), hash);
    hash = ad_hash(numbers, sizeof numbers, hash);
    if (p->group > 0) hash = ad_hash(&p->group, sizeof p->group, hash);
    if (!ad_network_usual(p)) {
        hash = ad_hash(&p->norm_epsilon, sizeof p->norm_epsilon, hash);
        hash = ad_hash(adatom_padding_name(p->padding), strlen(adatom_padding_name(p->padding)), hash);
    }
    if (model->interpolation != ADATOM_INTERPOLATION_FAST_BILINEAR) {
        const char *interpolation = adatom_interpolation_name(model->interpolation);
        hash = ad_hash(interpolation, strlen(interpolation), hash);
    }
    hash = ad_hash(model->mean, sizeof model->mean, hash);
    hash = ad_hash(model->std, sizeof model->std, hash);
    for (int i = 0; i < net->param_count; i++)
        hash = ad_hash(model->values + net->params[i].offset, net->params[i].count * sizeof(float), hash);
    model->hash = hash;
}

static uint64_t head_macs(const ad_network *net) { return (uint64_t)net->features * (uint64_t)net->way; }

adatom_status adatom_model_describe(const adatom_model *model, adatom_model_info *out) {
    const ad_network *net = &model->net;
    adatom_model_info info = {
        .arch = net->arch,
        .sharing = net->made_from.sharing,
        .atoms = net->made_from.atoms,
        .group = net->made_from.group,
        .image_size = net->image_size,
        .resize = model->resize,
        .interpolation = model->interpolation,
        .layout = model->origin.layout[0] ? model->origin.layout : NULL,
        .features = net->features,
        .classes = net->way,
        .layers = net->node_count - 1 + (net->way > 0),
        .residual = net->made_from.residual,
        .atoms_parameters = ad_network_parameters(net, AD_ROLE_ATOMS),
        .head_parameters = ad_network_parameters(net, AD_ROLE_HEAD),
        .norm_parameters = ad_network_parameters(net, AD_ROLE_NORM),
        .coefficients_parameters = ad_network_parameters(net, AD_ROLE_COEFFICIENTS),
        .ordinary_parameters = ad_network_parameters(net, AD_ROLE_ORDINARY),
        .macs = head_macs(net),
        .notes = model->notes,
        .base_mean = model->base_mean != NULL,
    };
    info.parameters =
        info.atoms_parameters + info.norm_parameters + info.coefficients_parameters + info.ordinary_parameters;
    for (int i = 0; i < net->node_count; i++) info.macs += ad_node_macs(&net->nodes[i]);
    memcpy(info.mean, model->mean, sizeof info.mean);
    memcpy(info.std, model->std, sizeof info.std);
    ad_hash_hex(model->hash, info.hash);
    return AD_INFO(model->ctx, adatom_model_info, &info, out);
}

static uint64_t logical(const ad_network *net, int param) { return param < 0 ? 0 : net->params[param].logical; }

static adatom_status describe_layer(const adatom_model *model, int index, adatom_layer_info *out) {
#define KIND_NAME(KIND, name) [AD_NODE_##KIND] = #name,
    static const char *const kinds[] = {AD_LAYERS(KIND_NAME)};
#undef KIND_NAME
    const ad_network *net = &model->net;
    const int nodes = net->node_count - 1, layers = nodes + (net->way > 0);
    *out = (adatom_layer_info){0};
    if (index < 0 || index >= layers)
        return ad_fail(model->ctx, ADATOM_USAGE, "the model has no layer %d, only 0 to %d", index, layers - 1);
    if (index == nodes) {
        *out = (adatom_layer_info){.name = "head",
                                   .kind = "head",
                                   .in_height = 1,
                                   .in_width = 1,
                                   .in_channels = net->features,
                                   .out_height = 1,
                                   .out_width = 1,
                                   .out_channels = net->way,
                                   .own_parameters = ad_network_parameters(net, AD_ROLE_HEAD),
                                   .macs = head_macs(net)};
        return ADATOM_OK;
    }
    const ad_node *node = &net->nodes[index + 1];
    *out = (adatom_layer_info){
        .name = node->name,
        .in_height = node->h,
        .in_width = node->w,
        .in_channels = node->channels,
        .out_height = node->oh,
        .out_width = node->ow,
        .out_channels = node->filters,
        .coefficients = node->coefficients < 0 ? NULL : net->params[node->coefficients].name,
        .own_parameters = logical(net, node->kernel) + logical(net, node->atoms) + logical(net, node->gamma) +
                          logical(net, node->beta) + logical(net, node->bias) + logical(net, node->scale),
        .macs = ad_node_macs(node),
        .macs_coefficients_first = ad_node_macs_coefficients_first(node),
        .macs_sum_first = ad_node_macs_group_sums(node) + ad_node_macs_group_product(node),
    };
    snprintf(out->kind, sizeof out->kind, "%s", kinds[node->kind]);
    if (node->kind == AD_NODE_CONV || node->kind == AD_NODE_POOL) {
        out->kernel = node->k;
        out->stride = node->stride;
        out->padding = node->pad;
        out->dilation = node->dil;
        out->atoms = node->m;
        out->groups = node->groups;
    }
    if (node->coefficients >= 0 && !ad_node_shares(net, node)) out->own_parameters += logical(net, node->coefficients);
    return ADATOM_OK;
}

adatom_status adatom_model_layer(const adatom_model *model, int index, adatom_layer_info *out) {
    adatom_layer_info info = ADATOM_INIT(adatom_layer_info);
    const adatom_status failure = describe_layer(model, index, &info);
    const adatom_status status = AD_INFO(model->ctx, adatom_layer_info, &info, out);
    return status == ADATOM_OK ? failure : status;
}

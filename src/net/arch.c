/* Names of networks, and what a network's description may ask for. */
#include "net/builder.h"

#include <stdio.h>
#include <string.h>

static const ad_family *const families[] = {&ad_family_stages, &ad_family_inverted, &ad_family_convnext};

AD_CHOSEN(is_sharing, ADATOM_SHARING_LIST)
AD_CHOSEN(is_stem, ADATOM_STEM_LIST)
AD_CHOSEN(is_padding, ADATOM_PADDING_LIST)

/* The network numbered index, from 0, with its family; NULL past the last. */
static const ad_arch *arch_at(size_t index, const ad_family **family) {
    for (size_t f = 0; f < AD_COUNT(families); f++) {
        *family = families[f];
        if (index < families[f]->count)
            return (const void *)((const char *)families[f]->rows + index * families[f]->size);
        index -= families[f]->count;
    }
    return NULL;
}

/* The network of a name, or NULL. */
static const ad_arch *named(const char *name, const ad_family **family) {
    const ad_arch *arch;
    for (size_t i = 0; (arch = arch_at(i, family)); i++)
        if (strcmp(arch->name, name) == 0) break;
    return arch;
}

static const ad_arch *find(adatom_context *ctx, const char *name, const ad_family **family) {
    char names[600] = "";
    const ad_arch *arch = named(name, family);
    for (size_t i = 0; !arch && adatom_model_arch(i); i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", adatom_model_arch(i));
    }
    if (!arch) ad_fail(ctx, ADATOM_USAGE, "unknown architecture '%s'; known: %s", name, names);
    return arch;
}

static adatom_status check_range(adatom_context *ctx, const char *what, int value, int least, int most) {
    if (value >= least && value <= most) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "%s is %d; it must be %d to %d", what, value, least, most);
}

/* The size of the groups where coefficients are shared by groups of channels; 0 elsewhere. */
static adatom_status resolve_group(adatom_context *ctx, adatom_model_params *p, const ad_family *family,
                                   const ad_arch *arch) {
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
    if (!family->divides)
        return ad_fail(ctx, ADATOM_USAGE, "%s has no coefficients that groups of channels could share", arch->name);
    for (int group = USUAL_GROUP; group >= 4 && p->group == 0; group -= 4)
        if (family->divides(arch, p->width, group)) p->group = group;
    return ADATOM_OK;
}

static float usual_epsilon(const ad_arch *arch) { return arch->epsilon > 0 ? arch->epsilon : 1e-5f; }
static adatom_padding usual_padding(const ad_arch *arch) {
    return arch->same ? ADATOM_PADDING_SAME : ADATOM_PADDING_EVEN;
}

bool ad_network_usual(const adatom_model_params *params) {
    const ad_family *family;
    const ad_arch *arch = named(params->arch, &family);
    return params->norm_epsilon == usual_epsilon(arch) && params->padding == usual_padding(arch);
}

int ad_network_pictures(const char *name) {
    const ad_family *family;
    return named(name, &family)->published;
}

int ad_network_width(const char *name, bool *others) {
    const ad_family *family;
    const ad_arch *arch = named(name, &family);
    *others = arch->widths;
    return arch->width;
}

/* Fills in defaults and replaces the name by a static one. */
static adatom_status resolve(adatom_context *ctx, adatom_model_params *p, const ad_family **family,
                             const ad_arch **out) {
    adatom_status status = ADATOM_OK;
    const ad_arch *arch = *out = find(ctx, p->arch ? p->arch : "conv4", family);
    if (!arch) return ADATOM_USAGE;
    p->arch = arch->name;
    if (!is_sharing((int)p->sharing)) return ad_choice_refuse(ctx, "sharing", (int)p->sharing);
    if (!is_stem((int)p->stem)) return ad_choice_refuse(ctx, "stem", (int)p->stem);
    if (p->sharing == ADATOM_SHARING_DEFAULT) p->sharing = ADATOM_SHARING_NET;
    if (p->stem && !arch->stems)
        return ad_fail(ctx, ADATOM_USAGE, "%s has no stem to choose ('%s' was asked for)", p->arch,
                       adatom_stem_name(p->stem));
    if (arch->stems && p->stem == ADATOM_STEM_DEFAULT) p->stem = ADATOM_STEM_7X7;
    if (p->atoms == 0) p->atoms = 8;
    if (p->image_size == 0) p->image_size = arch->image_size;
    if (p->width == 0) p->width = arch->width;
    AD_TRY(check_range(ctx, "the number of atoms", p->atoms, 1, 64));
    AD_TRY(check_range(ctx, "the image size", p->image_size, 1, 1024));
    AD_TRY(check_range(ctx, "the width", p->width, 4, 1024));
    AD_TRY(check_range(ctx, "the number of classes", p->classes, 0, 65536));
    if (p->width % 4) return ad_fail(ctx, ADATOM_USAGE, "the width is %d; it must be a multiple of 4", p->width);
    if (!arch->widths && p->width != arch->width)
        return ad_fail(ctx, ADATOM_USAGE, "%s has one width, %d; %d was asked for", p->arch, arch->width, p->width);
    if (!(p->norm_epsilon >= 0 && p->norm_epsilon <= 1))
        return ad_fail(ctx, ADATOM_USAGE, "the number that norms add to variances is %g; it must be 0 to 1",
                       (double)p->norm_epsilon);
    if (p->norm_epsilon == 0) p->norm_epsilon = usual_epsilon(arch);
    if (!is_padding((int)p->padding)) return ad_choice_refuse(ctx, "padding", (int)p->padding);
    if (p->padding == ADATOM_PADDING_DEFAULT) p->padding = usual_padding(arch);
    if (p->sharing == ADATOM_SHARING_NONE) {
        if (p->residual) return ad_fail(ctx, ADATOM_USAGE, "a residual network has atoms; sharing none was asked for");
        p->atoms = 0;
    }
    AD_TRY(resolve_group(ctx, p, *family, arch));
done:
    return status;
}

const char *adatom_model_arch(size_t index) {
    const ad_family *family;
    const ad_arch *arch = arch_at(index, &family);
    return arch ? arch->name : NULL;
}

/* The features and their classifier. */
static void add_head(ad_builder *b) {
    ad_network *net = b->net;
    if (b->status != ADATOM_OK) return;
    const ad_node *last = &net->nodes[net->node_count - 1];
    net->features = last->oh * last->ow * last->o;
    if (net->made_from.classes == 0) return;
    net->way = net->made_from.classes;
    net->head = ad_network_add_param(b->ctx, net, AD_PARAM_HEAD, "head.weight", net->way, net->features, 0, 0);
    net->head_bias = ad_network_add_param(b->ctx, net, AD_PARAM_HEAD_BIAS, "head.bias", net->way, 0, 0, 0);
    if (net->head < 0 || net->head_bias < 0) b->status = ADATOM_OUT_OF_MEMORY;
}

adatom_status ad_network_build(adatom_context *ctx, const adatom_model_params *params, ad_network *out) {
    *out = (ad_network){.made_from = *params, .head = -1, .head_bias = -1};
    adatom_model_params *p = &out->made_from;
    p->size = sizeof *p; /* it may be passed on as a caller's */
    const ad_family *family = NULL;
    const ad_arch *arch = NULL;
    adatom_status status = ADATOM_OK;
    AD_TRY(resolve(ctx, p, &family, &arch));
    snprintf(out->arch, sizeof out->arch, "%s", p->arch);
    snprintf(out->sharing, sizeof out->sharing, "%s", adatom_sharing_name(p->sharing));
    out->image_size = p->image_size;
    ad_builder b = {.ctx = ctx, .net = out, .epsilon = p->norm_epsilon, .same = p->padding == ADATOM_PADDING_SAME};
    ad_build_input(&b);
    if (b.status == ADATOM_OK) family->build(&b, arch);
    add_head(&b);
    AD_TRY(b.status);
    AD_TRY(ad_network_layout(ctx, out));
done:
    if (status != ADATOM_OK) ad_network_clear(out);
    return status;
}

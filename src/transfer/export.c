/* A model's composed weights under the names of other programs. */
#include "io/safetensors.h"
#include "transfer/dense.h"
#include "transfer/layout.h"

#include <adatom/transfer.h>
#include <stdio.h>
#include <string.h>

AD_CHOSEN(is_layout, ADATOM_LAYOUT_LIST)

static adatom_status choose(const adatom_model *model, adatom_layout layout, const ad_layout **out) {
    const bool automatic = layout == ADATOM_LAYOUT_AUTO;
    const char *arch = model->net.arch, *wish = adatom_layout_name(layout);
    *out = NULL;
    if (!is_layout((int)layout)) return ad_choice_refuse(model->ctx, "layout", (int)layout);
    for (int i = 0; i < ad_layout_count; i++) {
        if (!ad_layout_knows(&ad_layouts[i], arch)) continue;
        if (strcmp(ad_layouts[i].name, automatic ? model->origin.layout : wish) == 0) *out = &ad_layouts[i];
        if (automatic && !model->origin.layout[0] && !*out) *out = &ad_layouts[i];
    }
    if (*out) return ADATOM_OK;
    return ad_fail(model->ctx, ADATOM_USAGE, "the layout '%s' has no names for %s",
                   automatic ? model->origin.layout : wish, arch);
}

static void write_tensor(const adatom_model *model, const ad_outer *outer, const double *kernel, float *out) {
    const size_t count = ad_outer_elements(outer);
    for (size_t e = 0; e < count; e++)
        out[e] = outer->kind == AD_OUTER_KERNEL ? (float)kernel[e]
                 : outer->kind == AD_OUTER_BIAS
                     ? 0
                     : model->values[model->net.params[outer->param].offset + ad_outer_at(&model->net, outer, e)];
}

/* By the map, or by the layout behind the prefix that the model came with. */
static void name_of(const adatom_model *model, const ad_layout *layout, const ad_name_map *map, const ad_outer *outer,
                    char *out, size_t capacity) {
    const ad_origin *origin = &model->origin;
    const char *mapped = ad_name_map_source(map, outer),
               *prefix = outer->kind == AD_OUTER_HEAD ? origin->head_prefix : origin->prefix;
    const bool same = strcmp(origin->layout, layout->name) == 0;
    if (mapped)
        snprintf(out, capacity, "%s", mapped);
    else
        snprintf(out, capacity, "%s%s", same ? prefix : "", outer->name);
}

adatom_status adatom_model_export(const adatom_model *model, const char *path, const adatom_export_params *params) {
    adatom_context *ctx = model->ctx;
    adatom_export_params p;
    const ad_layout *layout = NULL;
    ad_outer_list list = {0};
    ad_name_map map = {0};
    ad_st_entry *entries = NULL;
    char(*names)[2 * AD_LAYOUT_NAME] = NULL;
    unsigned char *bytes = NULL;
    double *kernel = NULL;
    float *at = NULL;
    size_t size = 0, largest = 1;
    int order = 0;
    const ad_call caller = ad_call_begin(ctx, NULL, NULL);
    adatom_status status;
    AD_TRY(AD_PARAMS(ctx, adatom_export_params, params, &p));
    AD_TRY(choose(model, p.layout, &layout));
    AD_TRY(ad_name_map_read(ctx, p.map, &map));
    AD_TRY(ad_layout_list(ctx, layout, &model->net, &list));
    AD_TRY(ad_name_map_check(ctx, &map, p.map, &list));
    for (int i = 0; i < list.count; i++)
        if (list.items[i].kind == AD_OUTER_KERNEL) largest = AD_MAX(largest, ad_outer_elements(&list.items[i]));
    entries = ad_calloc(ctx, (size_t)list.count, sizeof *entries);
    names = ad_calloc(ctx, (size_t)list.count, sizeof *names);
    kernel = ad_malloc(ctx, largest, sizeof *kernel);
    if (!entries || !names || !kernel) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    /* The integers, of 8 bytes, come first: then everything is aligned. They stay zero. */
    for (int counters = 1; counters >= 0; counters--)
        for (int i = 0; i < list.count; i++) {
            const ad_outer *outer = &list.items[i];
            if ((outer->kind == AD_OUTER_COUNTER) != counters) continue;
            name_of(model, layout, &map, outer, names[order], sizeof *names);
            entries[order] = (ad_st_entry){.name = names[order],
                                           .type = counters ? AD_ST_I64 : AD_ST_F32,
                                           .rank = outer->rank,
                                           .shape = outer->shape};
            order++;
        }
    const char *metadata[] = {"format", "pt", NULL}; /* what the transformers library looks for */
    AD_TRY(ad_safetensors_make(ctx, metadata, entries, (size_t)list.count, &bytes, &size, &at));
    for (int i = 0; i < list.count; i++) {
        const ad_outer *outer = &list.items[i];
        if (outer->kind == AD_OUTER_COUNTER) continue;
        if (outer->kind == AD_OUTER_KERNEL) ad_dense_kernel(model, &model->net.nodes[outer->node], kernel);
        write_tensor(model, outer, kernel, at);
        at += ad_outer_elements(outer);
    }
    AD_TRY(ad_write_file(ctx, path, bytes, size));
done:
    ad_name_map_clear(&map);
    ad_free(list.items);
    ad_free(entries);
    ad_free(names);
    ad_free(kernel);
    ad_free(bytes);
    return ad_call_end(ctx, &caller, status);
}

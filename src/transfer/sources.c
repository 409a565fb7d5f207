/* What import knows, from the tables that it works by. */
#include "io/torch_file.h"
#include "transfer/layout.h"

#include <adatom/transfer.h>

#include <string.h>

/* Counts the sources up to `index`; its layout and network, or NULL. */
static size_t find(size_t index, const ad_layout **layout, const char **arch) {
    size_t count = 0;
    *layout = NULL;
    for (int l = 0; l < ad_layout_count; l++)
        for (int a = 0; a < AD_LAYOUT_ARCHS && ad_layouts[l].archs[a]; a++) {
            if (count++ != index) continue;
            *layout = &ad_layouts[l];
            *arch = ad_layouts[l].archs[a];
            return count;
        }
    return count;
}

size_t adatom_import_sources(void) {
    const ad_layout *layout;
    const char *arch;
    return find(SIZE_MAX, &layout, &arch);
}

static adatom_status no_source(adatom_context *context, size_t index) {
    return ad_fail(context, ADATOM_USAGE, "there is no source %zu; %zu are known", index, adatom_import_sources());
}

/* The preparation of this number, or NULL; *count: how many there are up to it. */
static const ad_preparation *find_preparation(const ad_layout *layout, const char *arch, size_t index, size_t *count) {
    *count = 0;
    for (int i = 0; i < ad_preparation_count; i++) {
        if (!ad_preparation_is_for(&ad_preparations[i], layout->name, arch)) continue;
        if ((*count)++ == index) return &ad_preparations[i];
    }
    return NULL;
}

adatom_status adatom_import_source(adatom_context *context, size_t index, adatom_import_source_info *out) {
    const ad_layout *layout;
    const char *arch;
    find(index, &layout, &arch);
    if (!layout) return no_source(context, index);
    adatom_import_source_info info = {
        .size = sizeof info, .arch = arch, .layout = layout->name, .project = layout->project};
    find_preparation(layout, arch, SIZE_MAX, &info.preparations);
    return ad_leave(context, AD_INFO(context, adatom_import_source_info, &info, out));
}

adatom_status adatom_import_preparation(adatom_context *context, size_t source, size_t index,
                                        adatom_import_preparation_info *out) {
    const ad_layout *layout;
    const char *arch;
    size_t count;
    find(source, &layout, &arch);
    if (!layout) return no_source(context, source);
    const ad_preparation *row = find_preparation(layout, arch, index, &count);
    if (!row)
        return ad_fail(context, ADATOM_USAGE, "there is no preparation %zu of %s's %s; %zu are known", index,
                       layout->name, arch, count);
    adatom_import_preparation_info info = {.size = sizeof info,
                                           .weights = row->weights,
                                           .image_size = row->size,
                                           .resize = ad_preparation_resize(row),
                                           .interpolation = row->interpolation};
    memcpy(info.mean, row->mean, sizeof info.mean);
    memcpy(info.std, row->std, sizeof info.std);
    return ad_leave(context, AD_INFO(context, adatom_import_preparation_info, &info, out));
}

const char *adatom_import_format(size_t index, const char **holds) {
    for (size_t i = 0; ad_tensor_formats[i].name; i++) {
        if (i != index) continue;
        if (holds) *holds = ad_tensor_formats[i].holds;
        return ad_tensor_formats[i].name;
    }
    return NULL;
}

static const char *item(const char *const *list, size_t index) {
    for (size_t i = 0; list[i]; i++)
        if (i == index) return list[i];
    return NULL;
}

const char *adatom_import_wrapper(size_t index) { return item(ad_torch_wrappers, index); }
const char *adatom_import_prefix(size_t index) { return item(ad_layout_prefixes, index); }

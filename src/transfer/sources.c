/* What import knows, from the tables that it works by. */
#include "io/torch_file.h"
#include "transfer/layout.h"

#include <adatom/transfer.h>

size_t adatom_import_sources(void) {
    size_t count = 0;
    for (int l = 0; l < ad_layout_count; l++)
        for (int a = 0; a < AD_LAYOUT_ARCHS && ad_layouts[l].archs[a]; a++) count++;
    return count;
}

adatom_status adatom_import_source(adatom_context *context, size_t index, adatom_import_source_info *out) {
    size_t count = 0;
    for (int l = 0; l < ad_layout_count; l++)
        for (int a = 0; a < AD_LAYOUT_ARCHS && ad_layouts[l].archs[a]; a++) {
            if (count++ != index) continue;
            const adatom_import_source_info info = {.size = sizeof info,
                                                    .arch = ad_layouts[l].archs[a],
                                                    .layout = ad_layouts[l].name,
                                                    .project = ad_layouts[l].project};
            return ad_leave(context, AD_INFO(context, adatom_import_source_info, &info, out));
        }
    return ad_fail(context, ADATOM_USAGE, "there is no source %zu; %zu are known", index, count);
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

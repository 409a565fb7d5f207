#include "vk/program/half_verdicts.h"

#include <stdio.h>
#include <string.h>

bool ad_vk_half_usable(const vk_engine *e, int kind, int variant) {
    return !(ad_vk_lowering_of(kind)->half >> variant & 1) || e->half_verdicts[kind][variant] == AD_VERDICT_PASSED;
}

/* The file: one line "operation variant passed|failed" for each verdict, and one "tensors half passed|failed". */
static const char *const verdict_names[] = {[AD_VERDICT_PASSED] = "passed", [AD_VERDICT_FAILED] = "failed"};

static void save(vk_engine *e) {
    enum { LINE = 80 };
    char text[LINE * 16];
    size_t size = 0;
    if (e->half_storage != AD_VERDICT_NONE)
        size += (size_t)snprintf(text, LINE, "tensors half %s\n", verdict_names[e->half_storage]);
    for (int kind = 0; kind < AD_OP_COUNT; kind++)
        for (int v = 1; v < AD_MAX_VARIANTS && size + LINE < sizeof text; v++)
            if (e->half_verdicts[kind][v] != AD_VERDICT_NONE)
                size += (size_t)snprintf(text + size, LINE, "%s %s %s\n", ad_op_name(kind),
                                         ad_vk_lowering_of(kind)->variants[v - 1],
                                         verdict_names[e->half_verdicts[kind][v]]);
    ad_vk_cache_write(&e->cache, "half", text, size);
}

void ad_vk_variant_judge(ad_engine *engine, int kind, int variant, bool passed) {
    vk_engine *e = vk_engine_of(engine);
    e->half_verdicts[kind][variant] = passed ? AD_VERDICT_PASSED : AD_VERDICT_FAILED;
    save(e);
}

ad_verdict ad_vk_half_storage(const ad_engine *engine) {
    const vk_engine *e = (const vk_engine *)engine;
    return e->caps.half ? e->half_storage : AD_VERDICT_NONE;
}

void ad_vk_half_storage_judge(ad_engine *engine, bool passed) {
    vk_engine *e = vk_engine_of(engine);
    e->half_storage = passed ? AD_VERDICT_PASSED : AD_VERDICT_FAILED;
    save(e);
}

static ad_verdict verdict_of(const char *name) {
    return !strcmp(name, verdict_names[AD_VERDICT_PASSED]) ? AD_VERDICT_PASSED : AD_VERDICT_FAILED;
}

enum { MOST_BYTES = 64 << 10 };

adatom_status ad_vk_half_load(vk_engine *e) {
    char *text = NULL, operation[32], variant[32], verdict[8];
    size_t size = 0;
    const adatom_status status = ad_vk_cache_read(&e->cache, "half", &text, &size);
    if (size > MOST_BYTES) text[0] = 0; /* no file of this program's; what it says is found out anew */
    for (const char *line = text; line && sscanf(line, "%31s %31s %7s", operation, variant, verdict) == 3;) {
        if (!strcmp(operation, "tensors")) e->half_storage = verdict_of(verdict);
        for (int kind = 0; kind < AD_OP_COUNT; kind++)
            for (int v = 1; v < AD_MAX_VARIANTS && !strcmp(operation, ad_op_name(kind)); v++)
                if ((ad_vk_lowering_of(kind)->half >> v & 1) &&
                    !strcmp(variant, ad_vk_lowering_of(kind)->variants[v - 1]))
                    e->half_verdicts[kind][v] = verdict_of(verdict);
        line = strchr(line, '\n');
        if (line) line++;
    }
    ad_free(text);
    return status;
}

void ad_vk_half_describe(const vk_engine *e, adatom_device_info *out) {
    bool half = false, matrix = false;
    for (int kind = 0; kind < AD_OP_COUNT; kind++)
        for (int v = 1; v < AD_MAX_VARIANTS; v++) {
            if (!(ad_vk_lowering_of(kind)->half >> v & 1) || e->half_verdicts[kind][v] != AD_VERDICT_PASSED) continue;
            const bool is_matrix = !strcmp(ad_vk_lowering_of(kind)->variants[v - 1], "matrix");
            matrix |= is_matrix;
            half |= !is_matrix;
        }
    out->precision = e->caps.half ? ADATOM_PRECISION_FP16 : ADATOM_PRECISION_FP32;
    out->features[0] = 0;
    if (!e->caps.half) return;
    const ad_vk_matrix *m = &e->caps.matrix;
    char text[64];
    snprintf(text, sizeof text, "VK_%s_cooperative_matrix %ux%ux%u", m->khr ? "KHR" : "NV", (unsigned)m->m,
             (unsigned)m->n, (unsigned)m->k);
    const char *const used[] = {half ? "half-operands" : NULL, matrix ? text : NULL,
                                e->half_storage == AD_VERDICT_PASSED ? "half-storage" : NULL};
    size_t size = 0;
    for (size_t i = 0; i < AD_COUNT(used); i++)
        if (used[i])
            size +=
                (size_t)snprintf(out->features + size, sizeof out->features - size, "%s%s", size ? ", " : "", used[i]);
}

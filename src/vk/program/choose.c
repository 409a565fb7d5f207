#include "vk/program/choose.h"
#include "vk/program/half_verdicts.h"

#include <stdio.h>
#include <string.h>

static bool lower_variant(const vk_engine *e, const ad_plan *plan, const ad_op *op, int variant, ad_vk_recipe *out) {
    *out = (ad_vk_recipe){0};
    if (!ad_vk_lowering_of(op->kind)->lower(plan, op, variant, &e->caps, out)) return false;
    for (int i = 0; i < out->count; i++)
        for (int axis = 0; axis < 3; axis++)
            if (out->launches[i].grid[axis] > e->caps.max_groups[axis]) return false;
    return true;
}

static int variants_of(int kind) {
    const ad_vk_lowering *lowering = ad_vk_lowering_of(kind);
    int count = 0;
    while (count < (int)AD_COUNT(lowering->variants) && lowering->variants[count]) count++;
    return count;
}

/* Operations of one class are expected to prefer the same variant: same kind and shapes, work within a factor of
 * two. Choices are kept in a file, so the operation's name goes into the key: its number changes when ops.def gets a
 * row before it. */
static uint64_t geometry_class(const ad_plan *plan, const ad_op *op) {
    const char *name = ad_op_name(op->kind);
    struct {
        int32_t name, flags, present, shared, log_work;
        ad_geometry g;
    } key = {.name = (int32_t)ad_hash(name, strlen(name), 0), .flags = op->flags & ~AD_FAST, .g = op->g};
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (op->t[r] < 0) continue;
        key.present |= 1 << r;
        if (!plan->tensors[op->t[r]].stride) key.shared |= 1 << r;
    }
    for (int64_t work = (int64_t)op->g.n * ad_plan_divided(plan, op); work > 1; work /= 2) key.log_work++;
    key.g.n = 0;
    return ad_hash(&key, sizeof key, 0);
}

static int chosen_variant(const vk_engine *e, uint64_t geometry, int kind) {
    for (int i = 0; i < e->choice_count; i++) {
        if (e->choices[i].geometry != geometry) continue;
        for (int v = 1; v <= variants_of(kind); v++)
            if (!strcmp(ad_vk_lowering_of(kind)->variants[v - 1], e->choices[i].variant)) return v;
    }
    return 0;
}

/* What an operation without variant runs as: the tuner's choice, the preferred one, or the first that applies; 0:
 * nothing does. */
static int default_variant(const vk_engine *e, const ad_plan *plan, const ad_op *op, ad_vk_recipe *out) {
    const ad_vk_lowering *lowering = ad_vk_lowering_of(op->kind);
    int variant = chosen_variant(e, geometry_class(plan, op), op->kind);
    if (variant && ad_vk_half_usable(e, op->kind, variant) && lower_variant(e, plan, op, variant, out)) return variant;
    /* What has not passed its check is as if the device had it not. */
    ad_vk_caps caps = e->caps;
    for (int without = 0; lowering->preferred && without < 3; without++) {
        if (without == 1) caps.matrix = (ad_vk_matrix){0};
        if (without == 2) caps.half = false;
        variant = lowering->preferred(op, &caps);
        if (ad_vk_half_usable(e, op->kind, variant) && lower_variant(e, plan, op, variant, out)) return variant;
    }
    for (variant = 1; variant <= variants_of(op->kind); variant++)
        if (ad_vk_half_usable(e, op->kind, variant) && lower_variant(e, plan, op, variant, out)) return variant;
    return 0;
}

adatom_status ad_vk_lower_op(vk_engine *e, const ad_plan *plan, const ad_op *op, ad_vk_recipe *out) {
    adatom_context *ctx = e->base.ctx;
    const int count = variants_of(op->kind);
    if (op->variant) {
        if (op->variant > 0 && op->variant <= count && lower_variant(e, plan, op, op->variant, out)) return ADATOM_OK;
        return ad_fail(ctx, ADATOM_UNSUPPORTED, "operation '%s' has no variant %d for this geometry on %s",
                       ad_op_name(op->kind), op->variant, e->device.physical.info.name);
    }
    if (default_variant(e, plan, op, out)) return ADATOM_OK;
    const ad_geometry *g = &op->g;
    return ad_fail(ctx, ADATOM_UNSUPPORTED,
                   "no kernel for operation '%s' with n %d, %dx%dx%d to %dx%dx%d, k %d, stride %d, m %d on %s",
                   ad_op_name(op->kind), g->n, g->h, g->w, g->c, g->oh, g->ow, g->o, g->k, g->stride, g->m,
                   e->device.physical.info.name);
}

int ad_vk_variant_count(const ad_engine *engine, int kind) {
    (void)engine;
    return variants_of(kind);
}

const char *ad_vk_variant_name(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant) {
    ad_vk_recipe recipe;
    if (!variant) variant = default_variant((const vk_engine *)engine, plan, op, &recipe);
    if (variant < 1 || variant > variants_of(op->kind)) return NULL;
    return lower_variant((const vk_engine *)engine, plan, op, variant, &recipe)
               ? ad_vk_lowering_of(op->kind)->variants[variant - 1]
               : NULL;
}

bool ad_vk_variant_half(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant,
                        ad_half_variant *out) {
    const vk_engine *e = (const vk_engine *)engine;
    const ad_vk_lowering *lowering = ad_vk_lowering_of(op->kind);
    if (!(lowering->half >> variant & 1)) return false;
    *out = (ad_half_variant){.name = lowering->variants[variant - 1],
                             .offered = ad_vk_variant_name(engine, plan, op, variant) != NULL,
                             .verdict = e->half_verdicts[op->kind][variant]};
    return true;
}

static vk_choice *choice_of(vk_engine *e, uint64_t geometry) {
    for (int i = 0; i < e->choice_count; i++)
        if (e->choices[i].geometry == geometry) return &e->choices[i];
    if (e->choice_count == e->choice_capacity) {
        const int capacity = e->choice_capacity ? 2 * e->choice_capacity : 32;
        vk_choice *grown =
            ad_realloc(e->base.ctx, e->choices, (size_t)e->choice_capacity, (size_t)capacity, sizeof *grown);
        if (!grown) return NULL;
        e->choices = grown;
        e->choice_capacity = capacity;
    }
    e->choices[e->choice_count] = (vk_choice){.geometry = geometry};
    return &e->choices[e->choice_count++];
}

void ad_vk_variant_prefer(ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant) {
    vk_engine *e = vk_engine_of(engine);
    if (variant < 1 || variant > variants_of(op->kind)) return;
    vk_choice *choice = choice_of(e, geometry_class(plan, op));
    if (!choice) return; /* without memory for it the default stays */
    snprintf(choice->variant, sizeof choice->variant, "%s", ad_vk_lowering_of(op->kind)->variants[variant - 1]);
    e->choices_changed = true;
}

/* The file: one line "class variant" for each choice. Each line is looked for among those before it, so that there must
 * not be any number. */
enum { CHOICES_MOST_BYTES = 256 << 10 };

adatom_status ad_vk_choices_load(vk_engine *e) {
    char *text = NULL;
    size_t size = 0;
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_vk_cache_read(&e->cache, e->caps.half ? "tuning-fp16" : "tuning", &text, &size));
    if (size > CHOICES_MOST_BYTES) {
        ad_log(e->base.ctx, ADATOM_LOG_WARNING,
               "the variants chosen for this device are made anew: their file has %zu bytes", size);
        goto done;
    }
    for (const char *line = text; line && *line;) {
        unsigned long long geometry = 0;
        vk_choice read = {0};
        if (sscanf(line, "%llx %31s", &geometry, read.variant) == 2) {
            read.geometry = geometry;
            vk_choice *choice = choice_of(e, geometry);
            if (!choice) {
                status = ADATOM_OUT_OF_MEMORY;
                goto done;
            }
            *choice = read;
        }
        line = strchr(line, '\n');
        if (line) line++;
    }
done:
    ad_free(text);
    return status;
}

void ad_vk_choices_save(vk_engine *e) {
    if (!e->cache.path || !e->choices_changed) return;
    enum { LINE = 64 };
    char *text = ad_malloc(e->base.ctx, (size_t)e->choice_count, LINE);
    size_t size = 0;
    for (int i = 0; text && i < e->choice_count; i++)
        size += (size_t)snprintf(text + size, LINE, "%016llx %s\n", (unsigned long long)e->choices[i].geometry,
                                 e->choices[i].variant);
    if (text) ad_vk_cache_write(&e->cache, e->caps.half ? "tuning-fp16" : "tuning", text, size);
    ad_free(text);
}

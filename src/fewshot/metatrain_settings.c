/* What meta-training was asked for, with its defaults, its schedule and its identity. */
#include "fewshot/metatrain.h"
#include "io/json.h"

#include <stdlib.h>

static const char where[] = "meta-training: ";

static ad_falls falls_of(const adatom_metatrain_params *p) {
    return (ad_falls){.epochs = p->milestones, .count = p->milestone_count, .factor = p->decay};
}

static adatom_status check_ranges(adatom_context *ctx, const adatom_metatrain_params *p) {
    const ad_range ranges[] = {{"way", p->way, 2, 1000, false},
                               {"shot", p->shot, 1, 10000, false},
                               {"query", p->query, 1, 10000, false},
                               {"tasks of a step", p->meta_batch, 1, 1024, false},
                               {"epochs", p->epochs, 1, 1e6, false},
                               {"tasks of an epoch", p->epoch_tasks, 1, ADATOM_EPISODES_MOST, false},
                               {"lr", (double)p->lr, 0, 1e3, false},
                               {"momentum", (double)p->momentum, 0, 1, true},
                               {"weight decay", (double)p->weight_decay, 0, 100, false},
                               {"decay", (double)p->decay, 1e-6, 1, true},
                               {"shift", p->shift, 0, 1024, false},
                               {"validation tasks", p->validation_tasks, 1, ADATOM_EPISODES_MOST, false},
                               {"validation way", p->validation_way, 2, 1000, false},
                               {"tasks at once", p->tasks_at_once, 0, 1024, false},
                               {"checkpoint seconds", p->checkpoint_seconds, 1, 1e6, false}};
    const ad_falls falls = falls_of(p);
    adatom_status status = ad_check_ranges(ctx, where, ranges, AD_COUNT(ranges));
    if (status == ADATOM_OK) status = ad_falls_check(ctx, where, &falls, p->epochs);
    if (status != ADATOM_OK) return status;
    if (p->epoch_tasks % p->meta_batch)
        return ad_fail(ctx, ADATOM_USAGE, "%san epoch of %d tasks cannot be divided into steps of %d", where,
                       p->epoch_tasks, p->meta_batch);
    if ((double)p->epochs * p->epoch_tasks > ADATOM_EPISODES_MOST)
        return ad_fail(ctx, ADATOM_USAGE, "%s%d epochs of %d tasks are too many: at most %d tasks are possible", where,
                       p->epochs, p->epoch_tasks, ADATOM_EPISODES_MOST);
    if ((double)p->epochs * p->epoch_tasks * p->way * (p->shot + p->query) > INT32_MAX) /* each has a number */
        return ad_fail(ctx, ADATOM_USAGE, "%s%.0f tasks of %d pictures are too many", where,
                       (double)p->epochs * p->epoch_tasks, p->way * (p->shot + p->query));
    if (!(p->lr > 0)) return ad_fail(ctx, ADATOM_USAGE, "%sa rate (lr) of 0 learns nothing", where);
    return ADATOM_OK;
}

AD_CHOSEN(is_optimizer, ADATOM_OPTIMIZER_LIST)
AD_CHOSEN(is_meta, ADATOM_META_LIST)
AD_CHOSEN(is_distance, ADATOM_DISTANCE_LIST)
AD_CHOSEN(is_norms, ADATOM_META_NORMS_LIST)

static adatom_status check_choices(adatom_context *ctx, const adatom_metatrain_params *p) {
    if (!is_meta((int)p->meta)) return ad_choice_refuse(ctx, "the kind of meta-training", (int)p->meta);
    if (!is_distance((int)p->distance)) return ad_choice_refuse(ctx, "the distance", (int)p->distance);
    if (!is_optimizer((int)p->optimizer)) return ad_choice_refuse(ctx, "the optimizer", (int)p->optimizer);
    if (!is_norms((int)p->norms)) return ad_choice_refuse(ctx, "the statistics of norms", (int)p->norms);
    return ADATOM_OK;
}

/* The inner method with the defaults of meta-training, which are plain steps of gradient descent. */
static adatom_status settle_inner(ad_metatraining *t) {
    adatom_context *ctx = t->run.ctx;
    adatom_method *m = &t->inner;
    const bool prototypes = t->p.meta == ADATOM_META_PROTONET;
    if (prototypes && t->p.inner)
        return ad_fail(ctx, ADATOM_USAGE, "%swith protonet nothing adapts to a task; an inner method is of no use",
                       where);
    if (!prototypes && t->p.distance)
        return ad_fail(ctx, ADATOM_USAGE, "%sthe distance to class means is chosen with protonet only", where);
    if (prototypes && t->p.cosine_scale != 0.0f && t->p.distance != ADATOM_DISTANCE_COSINE)
        return ad_fail(ctx, ADATOM_USAGE, "%sa scale of cosines is of use with the distance cosine only", where);
    if (prototypes) {
        *m = (adatom_method){.size = sizeof *m,
                             .adapt = ADATOM_ADAPT_CENTROID,
                             .distance = t->p.distance,
                             .cosine_scale = t->p.cosine_scale};
        return ad_settings_resolve(ctx, m, NULL, &t->settings);
    }
    const bool anil = t->p.meta == ADATOM_META_ANIL;
    if (!m->adapt) m->adapt = anil ? ADATOM_ADAPT_COSINE : ADATOM_ADAPT_ATOMS;
    const bool head = m->adapt == ADATOM_ADAPT_HEAD || m->adapt == ADATOM_ADAPT_COSINE;
    if (anil && !head)
        return ad_fail(ctx, ADATOM_USAGE, "%swith anil only the classifier adapts (head or cosine), not '%s'", where,
                       adatom_adapt_kind_name(m->adapt));
    if (!head && m->adapt != ADATOM_ADAPT_ATOMS && m->adapt != ADATOM_ADAPT_NORM &&
        m->adapt != ADATOM_ADAPT_ATOMS_NORM && m->adapt != ADATOM_ADAPT_FULL)
        return ad_fail(ctx, ADATOM_USAGE,
                       "%s'%s' cannot adapt to its tasks; atoms, head, cosine, norm, atoms+norm and full can", where,
                       adatom_adapt_kind_name(m->adapt));
    if (m->head_init && m->head_init != ADATOM_HEAD_INIT_MEANS && m->head_init != ADATOM_HEAD_INIT_MODEL)
        return ad_fail(ctx, ADATOM_USAGE, "%sa classifier starts from means or from the model, not '%s'", where,
                       adatom_head_init_name(m->head_init));
    if (m->procedure || m->label_noise != 0.0f || m->label_smoothing != 0.0f || m->support_views || m->mirror || m->bn)
        return ad_fail(ctx, ADATOM_USAGE,
                       "%sthe inner method has no recipe, label noise or smoothing, no views and mirror images, and no "
                       "policy of batch norm (norms says what their statistics are)",
                       where);
    if (m->cosine_scale == 0.0f) m->cosine_scale = t->p.cosine_scale;
    if (!m->steps) m->steps = 5;
    if (!m->optimizer) m->optimizer = ADATOM_OPTIMIZER_SGD;
    if (m->optimizer == ADATOM_OPTIMIZER_SGD && m->momentum == 0.0f) m->momentum = -1;
    if (m->lr == 0.0f) m->lr = 0.01f;
    if (m->lr_atoms == 0.0f) m->lr_atoms = 0.01f;
    if (m->lr_norm == 0.0f) m->lr_norm = 0.01f;
    if (m->lr_full == 0.0f) m->lr_full = 0.01f;
    t->learned = m->head_init == ADATOM_HEAD_INIT_MODEL;
    return ad_settings_resolve(ctx, m, NULL, &t->settings);
}

adatom_status ad_metatrain_settings(ad_metatraining *t) {
    adatom_metatrain_params *p = &t->p;
    adatom_context *ctx = t->run.ctx;
    const uint64_t seed = t->network.seed;
    adatom_status status;
    if (t->network.classes)
        return ad_fail(
            ctx, ADATOM_USAGE,
            "%sthe network's %d classes are not chosen: a classifier that is learned has those of a task (way)", where,
            t->network.classes);
    AD_TRY(check_choices(ctx, p));
    if (p->from) AD_TRY(ad_training_start_from(ctx, p->from, &t->network));
    if (!p->meta) p->meta = ADATOM_META_PROTONET;
    if (!p->norms) p->norms = p->from ? ADATOM_META_NORMS_RUNNING : ADATOM_META_NORMS_TASK;
    if (!p->way) p->way = 5;
    if (!p->shot) p->shot = 1;
    if (!p->query) p->query = 15;
    if (!p->meta_batch) p->meta_batch = 4;
    if (!p->epochs) p->epochs = 60;
    if (!p->epoch_tasks) p->epoch_tasks = 1000;
    if (!p->optimizer) p->optimizer = ADATOM_OPTIMIZER_ADAM;
    p->lr = ad_or_default(p->lr, p->optimizer == ADATOM_OPTIMIZER_ADAM ? 1e-3f : 1e-2f);
    p->momentum = ad_or_default(p->momentum, 0.9f);
    p->weight_decay = ad_or_default(p->weight_decay, 0.0f);
    if (p->decay == 0.0f) p->decay = 0.5f;
    if (!p->augment) p->augment = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP;
    if (!t->network.image_size) t->network.image_size = t->run.info.image_size;
    if (!p->shift) p->shift = AD_MAX(t->network.image_size / 10, 1);
    if (!p->validation_tasks) p->validation_tasks = 200;
    if (!p->checkpoint_seconds) p->checkpoint_seconds = 120;
    AD_TRY(settle_inner(t));
    if (t->learned && p->validation_way && p->validation_way != p->way)
        AD_TRY(ad_fail(ctx, ADATOM_USAGE, "%sa classifier of %d classes that is learned cannot be validated with %d",
                       where, p->way, p->validation_way));
    if (!p->validation_way) p->validation_way = t->learned ? p->way : 5;
    AD_TRY(check_ranges(ctx, p));
    AD_TRY(ad_augment_check(ctx, p->augment));
    t->network.classes = t->learned ? p->way : 0;
    t->network.seed = seed ? seed : p->seed;
    t->run.output = p->output;
    t->run.checkpoint = p->checkpoint;
    t->run.command = p->command;
    t->run.resume = p->resume;
    t->run.restart = p->restart;
    t->run.checkpoint_seconds = p->checkpoint_seconds;
    t->run.memory_bytes = p->memory_bytes;
    t->run.validation.dataset = p->validation;
done:
    return status;
}

adatom_method ad_metatrain_validation(const ad_metatraining *t) {
    adatom_method m = t->inner;
    m.memory_bytes = t->p.memory_bytes / 4;
    m.seed = t->p.seed;
    if (t->p.meta != ADATOM_META_PROTONET && t->p.norms == ADATOM_META_NORMS_TASK) m.bn = ADATOM_BN_SUPPORT;
    return m;
}

void ad_metatrain_schedule(const ad_metatraining *t, float *rows) {
    const ad_falls falls = falls_of(&t->p);
    for (long s = 0; s < t->run.steps; s++)
        ad_training_schedule_row(rows + AD_SCHEDULE_COLUMNS * s, s,
                                 (double)t->p.lr * ad_falls_factor(&falls, s / t->run.steps_per_epoch),
                                 t->p.optimizer == ADATOM_OPTIMIZER_ADAM, t->p.momentum);
}

static char *text_of(json_t *json) {
    char *text = json ? ad_json_dump(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    return text;
}

adatom_status ad_metatrain_identity(ad_metatraining *t) {
    char start[17] = "", augment[ADATOM_AUGMENT_TEXT_BYTES], falls[AD_FALLS_BYTES];
    const adatom_metatrain_params *p = &t->p;
    const ad_falls milestones = falls_of(p);
    adatom_augment_text(p->augment, augment, sizeof augment);
    ad_falls_text(&milestones, falls, sizeof falls);
    if (p->from) ad_hash_hex(p->from->hash, start);
    char *inner = text_of(ad_settings_json(&t->settings));
    char *text =
        inner ? ad_format(
                    t->run.ctx, "metatrain|%llu|%s|%d|%08x|%s|%s|%d|%d|%d|%d|%d|%d|%s|%08x|%08x|%08x|%s|%d|%llu|%s%s%s",
                    (unsigned long long)t->network.seed, adatom_meta_name(p->meta), (int)p->distance,
                    ad_float_bits(t->settings.cosine_scale), adatom_meta_norms_name(p->norms), inner, p->way, p->shot,
                    p->query, p->meta_batch, p->epochs, p->epoch_tasks, adatom_optimizer_name(p->optimizer),
                    ad_float_bits(p->lr), ad_float_bits(p->momentum), ad_float_bits(p->weight_decay), augment, p->shift,
                    (unsigned long long)p->seed, start, falls, p->fast ? "|fast" : "")
              : NULL;
    free(inner); /* jansson's */
    if (!text) return ad_fail(t->run.ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
    const adatom_status status = ad_training_identify(&t->run, text);
    ad_free(text);
    return status;
}

adatom_status ad_metatrain_notes(const ad_training *run, json_t *notes) {
    const ad_metatraining *t = (const ad_metatraining *)run;
    const adatom_metatrain_params *p = &t->p;
    const bool prototypes = p->meta == ADATOM_META_PROTONET;
    char augment[ADATOM_AUGMENT_TEXT_BYTES];
    const ad_falls falls = falls_of(p);
    adatom_augment_text(p->augment, augment, sizeof augment);
    json_t *settings = json_pack(
        "{s:s, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:s, s:s, s:i}", "meta",
        adatom_meta_name(p->meta), "seed", ad_seed_json(p->seed), "way", p->way, "shot", p->shot, "query", p->query,
        "meta_batch", p->meta_batch, "epochs", p->epochs, "epoch_tasks", p->epoch_tasks, "optimizer",
        adatom_optimizer_name(p->optimizer), "lr", (double)p->lr, "momentum", (double)p->momentum, "weight_decay",
        (double)p->weight_decay, "norms", adatom_meta_norms_name(p->norms), "augment", augment, "shift", p->shift);
    bool bad = !settings || json_object_update(notes, settings) != 0;
    json_decref(settings);
    if (prototypes) ad_json_set(notes, "distance", json_string(adatom_distance_name(p->distance)), &bad);
    if (prototypes && p->distance == ADATOM_DISTANCE_COSINE) {
        const float *state = t->run.state.arrays[AD_CHECKPOINT_ADAPTED];
        ad_json_set(notes, "cosine_scale", json_real((double)state[t->run.session.built.scale_offset]), &bad);
    }
    if (!prototypes) {
        json_t *inner = ad_settings_json(&t->settings);
        json_object_del(inner, "bn"); /* norms tells */
        ad_json_set(notes, "inner", inner, &bad);
    }
    ad_falls_notes(&falls, notes, &bad);
    if (p->fast) ad_json_set(notes, "fast", json_true(), &bad);
    if (p->from) ad_json_set(notes, "from", json_sprintf("%016llx", (unsigned long long)p->from->hash), &bad);
    return bad ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
}

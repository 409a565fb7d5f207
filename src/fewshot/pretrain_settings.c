/* What pretraining was asked for, with its defaults, its schedule and its identity. */
#include "fewshot/episodes.h"
#include "fewshot/pretrain.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static ad_falls falls_of(const adatom_pretrain_params *p) {
    return (ad_falls){.epochs = p->milestones, .count = p->milestone_count, .factor = p->decay};
}

static adatom_status check_ranges(adatom_context *ctx, const adatom_pretrain_params *p) {
    const ad_range ranges[] = {{"epochs", p->epochs, 1, 1e6, false},
                               {"batch", p->batch, 2, 65536, false},
                               {"lr", (double)p->lr, 0, 1e3, false},
                               {"momentum", (double)p->momentum, 0, 1, true},
                               {"weight decay", (double)p->weight_decay, 0, 100, false},
                               {"label smoothing", (double)p->label_smoothing, 0, 1, true},
                               {"warmup", (double)p->warmup, 0, 1, true},
                               {"decay", (double)p->decay, 1e-6, 1, true},
                               {"mixup", (double)p->mixup, 0, 100, false},
                               {"cutmix", (double)p->cutmix, 0, 100, false},
                               {"rotation", (double)p->rotation, 0, 100, false},
                               {"average", (double)p->average, 0, 1, true},
                               {"teacher weight", (double)p->teacher_weight, 0, 1, false},
                               {"temperature", (double)p->temperature, 0.1, 100, false},
                               {"dropblock", (double)p->dropblock, 0, 0.9, false},
                               {"dropblock side", p->dropblock_side, 1, 64, false},
                               {"shift", p->shift, 0, 1024, false},
                               {"validation tasks", p->validation_tasks, 1, ADATOM_EPISODES_MOST, false},
                               {"checkpoint seconds", p->checkpoint_seconds, 1, 1e6, false}};
    adatom_status status = ad_check_ranges(ctx, "pretraining: ", ranges, AD_COUNT(ranges));
    const ad_falls falls = falls_of(p);
    if (status == ADATOM_OK && p->decay != 0.1f && !p->milestone_count)
        status = ad_fail(ctx, ADATOM_USAGE, "pretraining: a decay of %g needs milestones", (double)p->decay);
    if (status == ADATOM_OK) status = ad_falls_check(ctx, "pretraining: ", &falls, p->epochs);
    if (status != ADATOM_OK) return status;
    if (!(p->lr > 0))
        return ad_fail(ctx, ADATOM_USAGE, "pretraining needs lr > 0: with a rate of 0 nothing is learned");
    if (p->rotation > 0 && p->batch % 4)
        return ad_fail(
            ctx, ADATOM_USAGE,
            "pretraining: with rotation each picture is shown four times; a batch of %d cannot be divided so",
            p->batch);
    return ADATOM_OK;
}

/* The teacher must know these classes, and see the same pictures. */
static adatom_status check_teacher(const ad_pretraining *t) {
    const adatom_model *teacher = t->p.teacher;
    adatom_context *ctx = t->run.ctx;
    if (!teacher && (t->p.teacher_weight != 0.5f || t->p.temperature != 4.0f))
        return ad_fail(ctx, ADATOM_USAGE,
                       "pretraining: the weight and temperature of a teacher are given, and no teacher");
    if (!teacher) return ADATOM_OK;
    if (!(t->p.teacher_weight > 0))
        return ad_fail(ctx, ADATOM_USAGE, "pretraining: a teacher of weight 0 teaches nothing");
    if (teacher->net.way != t->run.info.classes)
        return ad_fail(ctx, ADATOM_USAGE, "pretraining: the teacher's classifier has %d classes; the data set has %d",
                       (int)teacher->net.way, t->run.info.classes);
    if (teacher->net.image_size != t->network.image_size)
        return ad_fail(ctx, ADATOM_USAGE, "pretraining: the teacher's pictures are %d pixels, the network's %d",
                       (int)teacher->net.image_size, t->network.image_size);
    return ADATOM_OK;
}

AD_CHOSEN(is_optimizer, ADATOM_OPTIMIZER_LIST)

adatom_status ad_pretrain_settings(ad_pretraining *t) {
    adatom_pretrain_params *p = &t->p;
    const uint64_t seed = t->network.seed;
    if (t->network.classes != 0 && t->network.classes != t->run.info.classes)
        return ad_fail(t->run.ctx, ADATOM_USAGE, "the model is to have %d classes; the data set has %d",
                       t->network.classes, t->run.info.classes);
    adatom_status status = p->from ? ad_training_start_from(t->run.ctx, p->from, &t->network) : ADATOM_OK;
    if (status != ADATOM_OK) return status;
    if (!p->epochs) p->epochs = 30;
    if (!p->batch) p->batch = 64;
    if (!is_optimizer((int)p->optimizer)) return ad_choice_refuse(t->run.ctx, "the optimizer", (int)p->optimizer);
    if (!p->optimizer) p->optimizer = ADATOM_OPTIMIZER_SGD;
    const bool adam = p->optimizer == ADATOM_OPTIMIZER_ADAM;
    p->lr = ad_or_default(p->lr, adam ? 1e-3f : 0.1f);
    p->momentum = ad_or_default(p->momentum, 0.9f);
    p->weight_decay = ad_or_default(p->weight_decay, 5e-4f);
    p->warmup = ad_or_default(p->warmup, 0.1f);
    if (p->decay == 0.0f) p->decay = 0.1f;
    if (!p->augment) p->augment = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP;
    if (!t->network.image_size) t->network.image_size = t->run.info.image_size;
    if (!p->shift) p->shift = AD_MAX(t->network.image_size / 10, 1);
    p->teacher_weight = ad_or_default(p->teacher_weight, 0.5f);
    p->temperature = ad_or_default(p->temperature, 4.0f);
    if (!p->dropblock_side) p->dropblock_side = 5;
    if (!p->validation_tasks) p->validation_tasks = 100;
    if (!p->checkpoint_seconds) p->checkpoint_seconds = 120;
    t->network.classes = t->run.info.classes;
    t->network.seed = seed ? seed : p->seed;
    status = check_ranges(t->run.ctx, p);
    if (status == ADATOM_OK) status = ad_augment_check(t->run.ctx, p->augment);
    if (status == ADATOM_OK) status = check_teacher(t);
    if (status != ADATOM_OK) return status;
    if ((size_t)p->batch > t->run.info.images)
        return ad_fail(t->run.ctx, ADATOM_BAD_DATA, "the data set has %zu pictures, fewer than one batch of %d",
                       t->run.info.images, p->batch);
    if (t->run.info.classes < 2)
        return ad_fail(t->run.ctx, ADATOM_BAD_DATA, "the data set has %d class; pretraining needs at least 2",
                       t->run.info.classes);
    t->run.output = p->output;
    t->run.checkpoint = p->checkpoint;
    t->run.command = p->command;
    t->run.resume = p->resume;
    t->run.restart = p->restart;
    t->run.checkpoint_seconds = p->checkpoint_seconds;
    t->run.memory_bytes = p->memory_bytes;
    t->run.validation.dataset = p->validation;
    return ADATOM_OK;
}

/* Rate of a step: linear warm-up, then half a cosine down to 0, or a fall at each milestone. */
static double learning_rate(const ad_pretraining *t, long step) {
    const double warm = floor((double)t->p.warmup * (double)t->run.steps);
    if ((double)step < warm) return (double)t->p.lr * ((double)step + 1) / warm;
    if (t->p.milestone_count) {
        const ad_falls falls = falls_of(&t->p);
        return (double)t->p.lr * ad_falls_factor(&falls, step / t->run.steps_per_epoch);
    }
    return (double)t->p.lr * 0.5 * (1 + cos(3.141592653589793 * ((double)step - warm) / ((double)t->run.steps - warm)));
}

void ad_pretrain_schedule(const ad_pretraining *t, float *rows) {
    for (long s = 0; s < t->run.steps; s++)
        ad_training_schedule_row(rows + AD_SCHEDULE_COLUMNS * s, s, learning_rate(t, s),
                                 t->p.optimizer == ADATOM_OPTIMIZER_ADAM, t->p.momentum);
}

adatom_status ad_pretrain_identity(ad_pretraining *t) {
    char start[17] = "", teacher[17] = "", augment[ADATOM_AUGMENT_TEXT_BYTES], falls[AD_FALLS_BYTES];
    const adatom_pretrain_params *p = &t->p;
    adatom_augment_text(p->augment, augment, sizeof augment);
    if (p->from) ad_hash_hex(p->from->hash, start);
    if (p->teacher) ad_hash_hex(p->teacher->hash, teacher);
    const ad_falls milestones = falls_of(p);
    ad_falls_text(&milestones, falls, sizeof falls);
    char *text = ad_format(
        t->run.ctx,
        "pretrain|%llu|%d|%d|%s|%08x|%08x|%08x|%08x|%08x|%s|%d|%llu|%s|%d|%08x|%08x|%08x|%08x|%s|%08x|%08x|%08x|%d|%d%"
        "s",
        (unsigned long long)t->network.seed, p->epochs, p->batch, adatom_optimizer_name(p->optimizer),
        ad_float_bits(p->lr), ad_float_bits(p->momentum), ad_float_bits(p->weight_decay),
        ad_float_bits(p->label_smoothing), ad_float_bits(p->warmup), augment, p->shift, (unsigned long long)p->seed,
        start, p->validation_tasks, ad_float_bits(p->mixup), ad_float_bits(p->cutmix), ad_float_bits(p->rotation),
        ad_float_bits(p->average), teacher, ad_float_bits(p->teacher_weight), ad_float_bits(p->temperature),
        ad_float_bits(p->dropblock), p->dropblock_side, p->fast, falls);
    if (!text) return ADATOM_OUT_OF_MEMORY;
    const adatom_status status = ad_training_identify(&t->run, text);
    ad_free(text);
    return status;
}

/* What the numbers of the classifier's classes stand for. */
static json_t *class_names(const ad_training *run) {
    json_t *names = json_array();
    bool bad = false;
    for (int c = 0; c < run->info.classes; c++) {
        const char *name = NULL;
        size_t first, count;
        adatom_dataset_class(run->data, c, &name, &first, &count);
        ad_json_append(names, ad_json_text(run->ctx, name), &bad);
    }
    if (!bad) return names;
    json_decref(names);
    return NULL;
}

adatom_status ad_pretrain_notes(const ad_training *run, json_t *notes) {
    const adatom_pretrain_params *p = &((const ad_pretraining *)run)->p;
    char augment[ADATOM_AUGMENT_TEXT_BYTES];
    bool bad = false;
    adatom_augment_text(p->augment, augment, sizeof augment);
    json_t *settings =
        json_pack("{s:o, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:s, s:i}", "seed", ad_seed_json(p->seed), "epochs",
                  p->epochs, "batch", p->batch, "optimizer", adatom_optimizer_name(p->optimizer), "lr", (double)p->lr,
                  "momentum", (double)p->momentum, "weight_decay", (double)p->weight_decay, "label_smoothing",
                  (double)p->label_smoothing, "warmup", (double)p->warmup, "augment", augment, "shift", p->shift);
    bad = !settings || json_object_update(notes, settings) != 0;
    json_decref(settings);
    const struct {
        const char *name;
        float value;
    } more[] = {{"mixup", p->mixup},
                {"cutmix", p->cutmix},
                {"rotation", p->rotation},
                {"average", p->average},
                {"dropblock", p->dropblock}};
    for (size_t i = 0; i < AD_COUNT(more); i++)
        if (more[i].value > 0) ad_json_set(notes, more[i].name, json_real((double)more[i].value), &bad);
    if (p->fast) ad_json_set(notes, "fast", json_true(), &bad);
    if (p->dropblock > 0) ad_json_set(notes, "dropblock_side", json_integer(p->dropblock_side), &bad);
    if (p->teacher) {
        ad_json_set(notes, "teacher", json_sprintf("%016llx", (unsigned long long)p->teacher->hash), &bad);
        ad_json_set(notes, "teacher_weight", json_real((double)p->teacher_weight), &bad);
        ad_json_set(notes, "temperature", json_real((double)p->temperature), &bad);
    }
    ad_json_set(notes, "classes", class_names(run), &bad);
    const ad_falls falls = falls_of(p);
    ad_falls_notes(&falls, notes, &bad);
    if (p->from) ad_json_set(notes, "from", json_sprintf("%016llx", (unsigned long long)p->from->hash), &bad);
    return bad ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
}

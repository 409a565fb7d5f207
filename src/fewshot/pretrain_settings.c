/* What pretraining was asked for, with its defaults, its schedule and its identity. */
#include "fewshot/episodes.h"
#include "fewshot/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The network to start from, which the caller's description must not contradict. */
static adatom_status describe_start(ad_training *t) {
    adatom_model_params *wanted = &t->network;
    const adatom_model_params *is = &t->p.from->net.made_from;
    const struct {
        const char *what, *is, *wanted;
    } texts[] = {
        {"architecture", is->arch, wanted->arch},
        {"sharing", adatom_sharing_name(is->sharing), wanted->sharing ? adatom_sharing_name(wanted->sharing) : NULL},
        {"stem", is->stem ? adatom_stem_name(is->stem) : "none", wanted->stem ? adatom_stem_name(wanted->stem) : NULL}};
    const struct {
        const char *what;
        int is, wanted;
    } numbers[] = {{"image size", is->image_size, wanted->image_size},
                   {"atoms", is->atoms, wanted->atoms},
                   {"group size", is->group, wanted->group},
                   {"width", is->width, wanted->width}};
    for (size_t i = 0; i < AD_COUNT(texts); i++)
        if (texts[i].wanted && strcmp(texts[i].wanted, texts[i].is) != 0)
            return ad_fail(t->ctx, ADATOM_USAGE, "the model to start from has %s %s, not %s", texts[i].what,
                           texts[i].is, texts[i].wanted);
    for (size_t i = 0; i < AD_COUNT(numbers); i++)
        if (numbers[i].wanted && numbers[i].wanted != numbers[i].is)
            return ad_fail(t->ctx, ADATOM_USAGE, "the model to start from has %s %d, not %d", numbers[i].what,
                           numbers[i].is, numbers[i].wanted);
    if ((wanted->decompose_first && !is->decompose_first) || (wanted->residual && !is->residual))
        return ad_fail(t->ctx, ADATOM_USAGE, "the model to start from has %s",
                       wanted->residual && !is->residual ? "no residual layers" : "an ordinary first convolution");
    *wanted = *is;
    return ADATOM_OK;
}

/* Written so that a NaN is within no range. */
static adatom_status check_ranges(adatom_context *ctx, const adatom_pretrain_params *p) {
    const struct {
        const char *what;
        double is, least, most;
        bool open; /* the last is not in it */
    } ranges[] = {{"epochs", p->epochs, 1, 1e6, false},
                  {"batch", p->batch, 2, 65536, false},
                  {"lr", (double)p->lr, 0, 1e3, false},
                  {"momentum", (double)p->momentum, 0, 1, true},
                  {"weight decay", (double)p->weight_decay, 0, 100, false},
                  {"label smoothing", (double)p->label_smoothing, 0, 1, true},
                  {"warmup", (double)p->warmup, 0, 1, true},
                  {"decay", (double)p->decay, 1e-6, 1, true},
                  {"shift", p->shift, 0, 1024, false},
                  {"validation tasks", p->validation_tasks, 1, ADATOM_EPISODES_MOST, false},
                  {"checkpoint seconds", p->checkpoint_seconds, 1, 1e6, false}};
    for (size_t i = 0; i < AD_COUNT(ranges); i++) {
        const bool below = ranges[i].open ? ranges[i].is < ranges[i].most : ranges[i].is <= ranges[i].most;
        if (!(ranges[i].is >= ranges[i].least) || !below)
            return ad_fail(ctx, ADATOM_USAGE, "pretraining: %s is %g; it must be in [%g, %g%c", ranges[i].what,
                           ranges[i].is, ranges[i].least, ranges[i].most, ranges[i].open ? ')' : ']');
    }
    if (p->decay != 0.1f && !p->milestone_count)
        return ad_fail(ctx, ADATOM_USAGE, "pretraining: a decay of %g needs milestones", (double)p->decay);
    if (p->milestone_count > AD_MOST_MILESTONES || (p->milestone_count && !p->milestones))
        return ad_fail(ctx, ADATOM_USAGE, "pretraining: %zu milestones; at most %d are possible", p->milestone_count,
                       AD_MOST_MILESTONES);
    for (size_t i = 0; i < p->milestone_count; i++)
        if (p->milestones[i] <= (i ? p->milestones[i - 1] : 0) || p->milestones[i] >= p->epochs)
            return ad_fail(ctx, ADATOM_USAGE,
                           "pretraining: the milestone %d is not between %s and the last of %d epochs",
                           p->milestones[i], i ? "the one before" : "the start", p->epochs);
    if (!(p->lr > 0))
        return ad_fail(ctx, ADATOM_USAGE, "pretraining needs lr > 0: with a rate of 0 nothing is learned");
    return ADATOM_OK;
}

AD_CHOSEN(is_optimizer, ADATOM_OPTIMIZER_LIST)

adatom_status ad_pretrain_settings(ad_training *t) {
    adatom_pretrain_params *p = &t->p;
    const uint64_t seed = t->network.seed;
    if (t->network.classes != 0 && t->network.classes != t->info.classes)
        return ad_fail(t->ctx, ADATOM_USAGE, "the model is to have %d classes; the data set has %d", t->network.classes,
                       t->info.classes);
    adatom_status status = p->from ? describe_start(t) : ADATOM_OK;
    if (status != ADATOM_OK) return status;
    if (!p->epochs) p->epochs = 30;
    if (!p->batch) p->batch = 64;
    if (!is_optimizer((int)p->optimizer)) return ad_choice_refuse(t->ctx, "the optimizer", (int)p->optimizer);
    if (!p->optimizer) p->optimizer = ADATOM_OPTIMIZER_SGD;
    const bool adam = p->optimizer == ADATOM_OPTIMIZER_ADAM;
    p->lr = ad_or_default(p->lr, adam ? 1e-3f : 0.1f);
    p->momentum = ad_or_default(p->momentum, 0.9f);
    p->weight_decay = ad_or_default(p->weight_decay, 5e-4f);
    p->warmup = ad_or_default(p->warmup, 0.1f);
    if (p->decay == 0.0f) p->decay = 0.1f;
    if (!p->augment) p->augment = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP;
    if (!t->network.image_size) t->network.image_size = t->info.image_size;
    if (!p->shift) p->shift = AD_MAX(t->network.image_size / 10, 1);
    if (!p->validation_tasks) p->validation_tasks = 100;
    if (!p->checkpoint_seconds) p->checkpoint_seconds = 120;
    t->network.classes = t->info.classes;
    t->network.seed = seed ? seed : p->seed;
    status = check_ranges(t->ctx, p);
    if (status == ADATOM_OK) status = ad_augment_check(t->ctx, p->augment);
    if (status != ADATOM_OK) return status;
    if ((size_t)p->batch > t->info.images)
        return ad_fail(t->ctx, ADATOM_BAD_DATA, "the data set has %zu pictures, fewer than one batch of %d",
                       t->info.images, p->batch);
    if (t->info.classes < 2)
        return ad_fail(t->ctx, ADATOM_BAD_DATA, "the data set has %d class; pretraining needs at least 2",
                       t->info.classes);
    return ADATOM_OK;
}

/* Rate of a step: linear warm-up, then half a cosine down to 0, or a fall at each milestone. */
static double learning_rate(const ad_training *t, long step) {
    const double warm = floor((double)t->p.warmup * (double)t->steps);
    if ((double)step < warm) return (double)t->p.lr * ((double)step + 1) / warm;
    if (t->p.milestone_count) {
        double rate = (double)t->p.lr;
        for (size_t i = 0; i < t->p.milestone_count; i++)
            if (step >= t->p.milestones[i] * t->steps_per_epoch) rate *= (double)t->p.decay;
        return rate;
    }
    return (double)t->p.lr * 0.5 * (1 + cos(3.141592653589793 * ((double)step - warm) / ((double)t->steps - warm)));
}

void ad_pretrain_schedule(const ad_training *t, float *rows) {
    const bool adam = t->p.optimizer == ADATOM_OPTIMIZER_ADAM;
    for (long s = 0; s < t->steps; s++) {
        float *row = rows + AD_SCHEDULE_COLUMNS * s;
        for (int column = 0; column < AD_RATE_COUNT; column++) row[column] = (float)learning_rate(t, s);
        row[AD_SCHEDULE_FIRST] = adam ? (float)(1 - pow((double)t->p.momentum, (double)s + 1)) : 1;
        row[AD_SCHEDULE_SECOND] = adam ? (float)(1 - pow(0.999, (double)s + 1)) : 1;
    }
}

/* A float's bits as a number: decimal text differs between locales. */
static unsigned float_bits(float value) {
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

void ad_pretrain_falls(const adatom_pretrain_params *p, char *out, size_t capacity) {
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < p->milestone_count; i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%d", i ? "," : "|", p->milestones[i]);
    if (used) snprintf(out + used, capacity - used, "|%08x", float_bits(p->decay));
}

adatom_status ad_pretrain_identity(ad_training *t) {
    char start[17] = "", validation[40] = "", augment[ADATOM_AUGMENT_TEXT_BYTES];
    const adatom_pretrain_params *p = &t->p;
    const adatom_model_params *m = &t->model->net.made_from, *network = &t->network;
    adatom_device_info device = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(t->device, &device);
    adatom_augment_text(p->augment, augment, sizeof augment);
    if (p->from) ad_hash_hex(p->from->hash, start);
    if (p->validation) {
        adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
        adatom_dataset_describe(p->validation, &info);
        snprintf(validation, sizeof validation, "%s/%d", info.hash, p->validation_tasks);
    }
    char falls[AD_FALLS_BYTES];
    ad_pretrain_falls(p, falls, sizeof falls);
    char *text = ad_format(
        t->ctx, "%s|%s|%d|%s|%d|%d|%d|%d|%d|%llu|%s|%d|%d|%s|%08x|%08x|%08x|%08x|%08x|%s|%d|%llu|%s|%s|%s|%s|%s|%s%s",
        t->model->net.arch, t->model->net.sharing, m->group, network->stem ? adatom_stem_name(network->stem) : "",
        network->atoms, network->image_size, network->width, network->decompose_first, network->residual,
        (unsigned long long)network->seed, t->info.hash, p->epochs, p->batch, adatom_optimizer_name(p->optimizer),
        float_bits(p->lr), float_bits(p->momentum), float_bits(p->weight_decay), float_bits(p->label_smoothing),
        float_bits(p->warmup), augment, p->shift, (unsigned long long)p->seed, device.backend, device.name,
        device.driver_info, adatom_precision_name(device.precision), start, validation, falls);
    if (!text) return ADATOM_OUT_OF_MEMORY;
    ad_hash_hex(ad_hash(text, strlen(text), 0), t->state.config);
    ad_free(text);
    return ADATOM_OK;
}

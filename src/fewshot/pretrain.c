/* Pretraining: adaptation with one task whose adapted set is everything (docs/methods.md, "Adaptation and pretraining"). */
#include "fewshot/checkpoint.h"
#include "fewshot/method.h"
#include "fewshot/run.h"
#include <adatom/train.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct training {
    adatom_device *device;
    const ad_engine_api *api;
    adatom_context *ctx;
    const adatom_dataset *data;
    adatom_dataset_info info;
    adatom_pretrain_params p; /* defaults filled in */
    adatom_model *model;
    ad_built built;
    ad_program *program;
    ad_buffer *params;
    ad_rows rows;
    int32_t *labels; /* of all pictures */
    int32_t *order;  /* of the epoch whose number is order_epoch */
    long order_epoch;
    long steps, steps_per_epoch, block;  /* block: rounds of pictures on the device at once */
    int32_t *index, *wanted, *predicted; /* [block][batch] */
    float *loss;                         /* [block] */
    ad_checkpoint state;
    char *checkpoint_path;
    double begin, saved; /* seconds: of this run's start; of the last checkpoint */
    double trained;      /* seconds spent in steps since the epoch (or this run) began, and the pictures in them */
    long trained_pictures;
    adatom_episodes *validation;
    adatom_method centroid; /* of validation */
} training;

/* The network to start from, which the caller's description must not contradict. */
static adatom_status describe_start(training *t) {
    adatom_model_params *wanted = &t->p.model;
    const adatom_model_params *is = &t->p.from->net.made_from;
    const struct {
        const char *what, *is, *wanted;
    } texts[] = {{"architecture", is->arch, wanted->arch},
                 {"sharing", is->sharing, wanted->sharing},
                 {"stem", is->stem ? is->stem : "none", wanted->stem}};
    const struct {
        const char *what;
        int is, wanted;
    } numbers[] = {{"image size", is->image_size, wanted->image_size},
                   {"atoms", is->atoms, wanted->atoms},
                   {"group size", is->group, wanted->group},
                   {"width", is->width, wanted->width}};
    for (size_t i = 0; i < AD_COUNT(texts); i++)
        if (texts[i].wanted && strcmp(texts[i].wanted, texts[i].is) != 0)
            return ad_fail(t->ctx, ADATOM_USAGE, "the model to start from has %s %s, not %s", texts[i].what, texts[i].is, texts[i].wanted);
    for (size_t i = 0; i < AD_COUNT(numbers); i++)
        if (numbers[i].wanted && numbers[i].wanted != numbers[i].is)
            return ad_fail(t->ctx, ADATOM_USAGE, "the model to start from has %s %d, not %d", numbers[i].what, numbers[i].is,
                           numbers[i].wanted);
    if ((wanted->decompose_first && !is->decompose_first) || (wanted->residual && !is->residual))
        return ad_fail(t->ctx, ADATOM_USAGE, "the model to start from has %s",
                       wanted->residual && !is->residual ? "no residual layers" : "an ordinary first convolution");
    *wanted = *is;
    return ADATOM_OK;
}

static adatom_status fill_defaults(training *t, const adatom_pretrain_params *given) {
    adatom_pretrain_params *p = &t->p;
    *p = *given;
    adatom_status status = p->from ? describe_start(t) : ADATOM_OK;
    if (status != ADATOM_OK) return status;
    if (!p->epochs) p->epochs = 30;
    if (!p->batch) p->batch = 64;
    if (!p->optimizer) p->optimizer = "sgd";
    const bool adam = strcmp(p->optimizer, "adam") == 0;
    if (!adam && strcmp(p->optimizer, "sgd") != 0)
        return ad_fail(t->ctx, ADATOM_USAGE, "the optimizer '%s' is not known; it is one of sgd, adam", p->optimizer);
    p->lr = ad_or_default(p->lr, adam ? 1e-3f : 0.1f);
    p->momentum = ad_or_default(p->momentum, 0.9f);
    p->weight_decay = ad_or_default(p->weight_decay, 5e-4f);
    p->warmup = ad_or_default(p->warmup, 0.1f);
    if (!p->augment) p->augment = "shift+flip";
    if (!p->model.image_size) p->model.image_size = t->info.size;
    if (!p->shift) p->shift = AD_MAX(p->model.image_size / 10, 1);
    if (!p->validation_tasks) p->validation_tasks = 100;
    if (!p->checkpoint_seconds) p->checkpoint_seconds = 120;
    p->model.classes = t->info.classes;
    p->model.seed = p->seed;
    if (p->epochs < 1 || p->batch < 2 || !(p->lr > 0) || !(p->warmup >= 0 && p->warmup < 1) || p->label_smoothing < 0 ||
        p->label_smoothing >= 1)
        return ad_fail(t->ctx, ADATOM_USAGE,
                       "pretraining needs epochs >= 1, batch >= 2, lr > 0, 0 <= warmup < 1 and 0 <= label smoothing < 1");
    if ((size_t)p->batch > t->info.images)
        return ad_fail(t->ctx, ADATOM_BAD_DATA, "the data set has %zu pictures, fewer than one batch of %d", t->info.images, p->batch);
    if (t->info.classes < 2)
        return ad_fail(t->ctx, ADATOM_BAD_DATA, "the data set has %d class; pretraining needs at least 2", t->info.classes);
    return ADATOM_OK;
}

/* Rate of a step: linear warm-up, then half a cosine down to 0. */
static double rate(const training *t, long step) {
    const double warm = floor((double)t->p.warmup * (double)t->steps);
    if ((double)step < warm) return (double)t->p.lr * ((double)step + 1) / warm;
    return (double)t->p.lr * 0.5 * (1 + cos(3.141592653589793 * ((double)step - warm) / ((double)t->steps - warm)));
}

static adatom_status write_schedule(training *t) {
    const bool adam = strcmp(t->p.optimizer, "adam") == 0;
    float *rows = ad_calloc(t->ctx, 8 * (size_t)t->steps, sizeof *rows);
    if (!rows) return ADATOM_OUT_OF_MEMORY;
    for (long s = 0; s < t->steps; s++) {
        for (int r = 0; r < 6; r++) rows[8 * s + r] = (float)rate(t, s);
        rows[8 * s + 6] = adam ? (float)(1 - pow((double)t->p.momentum, (double)s + 1)) : 1;
        rows[8 * s + 7] = adam ? (float)(1 - pow(0.999, (double)s + 1)) : 1;
    }
    adatom_status status = t->api->program_write(t->program, t->built.schedule, 0, rows, 8 * (size_t)t->steps * sizeof *rows);
    ad_free(rows);
    return status;
}

static void shuffle(training *t, long epoch) {
    if (t->order_epoch == epoch) return;
    t->order_epoch = epoch;
    ad_random random = ad_random_make(t->p.seed, AD_STREAM_SHUFFLE, (uint32_t)epoch);
    for (size_t i = 0; i < t->info.images; i++) t->order[i] = (int32_t)i;
    for (size_t i = t->info.images - 1; i > 0; i--) {
        size_t k = ad_random_below(&random, (uint32_t)i + 1);
        int32_t swap = t->order[i];
        t->order[i] = t->order[k], t->order[k] = swap;
    }
}

/* The pictures of a block: a function of its number alone, so that resuming needs no state. */
static void list_block(training *t, long number) {
    for (long r = 0; r < t->block; r++) {
        const long s = AD_MIN(number * t->block + r, t->steps - 1), in_epoch = s % t->steps_per_epoch;
        shuffle(t, s / t->steps_per_epoch);
        memcpy(t->index + r * t->p.batch, t->order + in_epoch * t->p.batch, (size_t)t->p.batch * sizeof *t->index);
    }
}

static adatom_status send_block(training *t, long number) {
    list_block(t, number);
    return ad_rows_send(&t->rows, number, t->index, 0, t->rows.part);
}

/* The block that holds `step` is ready; the pictures of the next one are on their way. */
static adatom_status load_block(training *t, long step) {
    const long number = step / t->block;
    const bool streamed = t->rows.parts == 2;
    const size_t pictures = (size_t)t->block * (size_t)t->p.batch, bytes = pictures * sizeof(int32_t);
    adatom_status status = ADATOM_OK;
    if (streamed) {
        AD_TRY(send_block(t, number));
        AD_TRY(ad_rows_wait(&t->rows));
        if ((number + 1) * t->block < t->steps) AD_TRY(send_block(t, number + 1));
    }
    list_block(t, number);
    for (size_t i = 0; i < pictures; i++) {
        t->wanted[i] = t->labels[t->index[i]];
        if (streamed) t->index[i] = (int32_t)(ad_rows_first(&t->rows, number) + i);
    }
    AD_TRY(t->api->program_write(t->program, t->built.support_index, 0, t->index, bytes));
    AD_TRY(t->api->program_write(t->program, t->built.support_labels, 0, t->wanted, bytes));
done:
    return status;
}

/* Everything that decides the numbers; a checkpoint fits only a run with the same hash. */
static adatom_status hash_config(training *t) {
    char group[16] = "", start[20] = "";
    const adatom_pretrain_params *p = &t->p;
    adatom_device_info device;
    adatom_device_describe(t->device, &device);
    if (t->model->net.made_from.group > 0) snprintf(group, sizeof group, "-%d", t->model->net.made_from.group);
    if (p->from) snprintf(start, sizeof start, "|%016llx", (unsigned long long)p->from->hash);
    /* fp32 adds nothing, so that checkpoints from before the precision counted still fit. */
    char *text =
        ad_format(t->ctx, "%s|%s%s|%s|%d|%d|%d|%d|%s|%d|%d|%s|%a|%a|%a|%a|%a|%s|%d|%llu|%s|%s|%s%s%s", t->model->net.arch,
                  t->model->net.sharing, group, p->model.stem ? p->model.stem : "", p->model.atoms, p->model.image_size, p->model.width,
                  p->model.decompose_first, t->info.hash, p->epochs, p->batch, p->optimizer, (double)p->lr, (double)p->momentum,
                  (double)p->weight_decay, (double)p->label_smoothing, (double)p->warmup, p->augment, p->shift, (unsigned long long)p->seed,
                  device.backend, device.name, device.driver_info, start, strcmp(device.precision, "fp16") == 0 ? "|fp16" : "");
    if (!text) return ADATOM_OUT_OF_MEMORY;
    ad_hash_hex(ad_hash(text, strlen(text), 0), t->state.config);
    ad_free(text);
    return ADATOM_OK;
}

/* The plan, with all pictures on the device where memory allows that, else with two blocks of them. */
static adatom_status plan(training *t) {
    const bool adam = strcmp(t->p.optimizer, "adam") == 0;
    const size_t allowed = ad_memory_allowed(t->device->engine, t->p.memory_bytes) / 4 * (t->p.validation ? 3 : 4);
    ad_build_params b = {.net = &t->model->net,
                         .tasks = 1,
                         .way = t->info.classes,
                         .support = t->p.batch,
                         .support_rounds = (int)t->block,
                         .steps = (int)t->steps,
                         .head = AD_HEAD_LINEAR,
                         .head_init = AD_HEAD_BASE,
                         .bn = AD_BN_TRAIN,
                         .adapt = (1u << AD_ROLE_STATISTICS) - 1,
                         .label_smoothing = t->p.label_smoothing,
                         .adam = adam,
                         .momentum = t->p.momentum,
                         .dampening = adam ? 0.999f : 0.0f,
                         .nesterov = !adam,
                         .data_size = t->info.size};
    adatom_status status;
    for (int r = 0; r < AD_ROLE_COUNT; r++) b.weight_decay[r] = r == AD_ROLE_NORM ? 0.0f : t->p.weight_decay;
    AD_TRY(ad_augment_apply(t->ctx, t->p.augment, t->p.shift, t->p.seed, t->model->mean, &b));
    t->rows = ad_picture_rows(t->device->engine, t->data);
    bool fits = ad_rows_plan(&t->rows, 1, t->info.images) == ADATOM_OK;
    for (;;) {
        if (!fits) AD_TRY(ad_rows_plan(&t->rows, 2, (size_t)t->block * (size_t)t->p.batch));
        b.support_rounds = (int)t->block, b.chunks = t->rows.chunks, b.chunk_count = t->rows.chunk_count;
        ad_built_clear(&t->built);
        AD_TRY(ad_build(t->ctx, &b, &t->built));
        const size_t bytes = ad_plan_bytes(t->built.plan);
        if (bytes <= allowed) break;
        if (!fits && t->block == 1) {
            if (!t->p.memory_bytes) break; /* half of what is free is not enough: more may be */
            status =
                ad_fail(t->ctx, ADATOM_OUT_OF_MEMORY, "training with batches of %d needs %.1f MiB; allowed are %.1f MiB%s", t->p.batch,
                        (double)bytes / 0x1p20, (double)allowed / 0x1p20, t->p.validation ? ", a quarter being left to validation" : "");
            goto done;
        }
        if (!fits) t->block = (t->block + 1) / 2;
        fits = false;
    }
    ad_log(t->ctx, ADATOM_LOG_INFO, "device memory: %.1f MiB for training, %.1f MiB of pictures (%s)",
           (double)(ad_plan_bytes(t->built.plan) - ad_rows_bytes(&t->rows)) / 0x1p20, (double)ad_rows_bytes(&t->rows) / 0x1p20,
           t->rows.parts == 1 ? "resident" : "streamed while it computes");
done:
    return status;
}

static adatom_status make_state(training *t) {
    adatom_status status = ADATOM_OK;
    t->state = (ad_checkpoint){.best = -1};
    t->state.counts[AD_CHECKPOINT_ADAPTED] = t->state.counts[AD_CHECKPOINT_VELOCITY] = t->built.adapted_count;
    t->state.counts[AD_CHECKPOINT_SECOND] = t->built.second >= 0 ? t->built.adapted_count : 0;
    t->state.counts[AD_CHECKPOINT_STATISTICS] =
        t->model->net.role_begin[AD_ROLE_STATISTICS + 1] - t->model->net.role_begin[AD_ROLE_STATISTICS];
    for (int i = 0; i < 4; i++)
        if (t->state.counts[i] && !(t->state.arrays[i] = ad_malloc(t->ctx, t->state.counts[i], sizeof(float))))
            status = ADATOM_OUT_OF_MEMORY;
    return status == ADATOM_OK ? hash_config(t) : status;
}

/* What validation asks of its data and of memory, before the first step and not after the first epoch. */
static adatom_status prepare_validation(training *t) {
    const adatom_episodes_params e = {.way = 5, .shot = 5, .query = 15, .tasks = t->p.validation_tasks, .seed = t->p.seed};
    size_t bytes;
    int at_once;
    adatom_status status = adatom_episodes_create(t->ctx, t->p.validation, &e, &t->validation);
    if (status != ADATOM_OK) return status;
    t->centroid = (adatom_method){.adapt = "centroid", .memory_bytes = t->p.memory_bytes / 4};
    return adatom_adapt_plan(t->device, t->model, t->p.validation, t->validation, &t->centroid, false, &bytes, &at_once);
}

static adatom_status setup(training *t) {
    adatom_status status;
    const size_t images = t->info.images;
    AD_TRY(adatom_model_create(t->ctx, &t->p.model, &t->model));
    if (t->p.from) {
        AD_TRY(ad_model_inherit(t->model, t->p.from));
        ad_model_copy_values(t->model, t->p.from);
    }
    if (t->info.size < t->model->net.image_size) {
        status = ad_fail(t->ctx, ADATOM_USAGE, "the data set's pictures are %d pixels, the model wants %d", t->info.size,
                         t->model->net.image_size);
        goto done;
    }
    t->steps_per_epoch = (long)images / t->p.batch;
    t->steps = t->steps_per_epoch * t->p.epochs;
    t->block = AD_MIN(t->steps_per_epoch, 50);
    t->order_epoch = -1;
    const size_t pictures = (size_t)t->block * (size_t)t->p.batch;
    t->labels = ad_malloc(t->ctx, images, sizeof(int32_t));
    t->order = ad_malloc(t->ctx, images, sizeof(int32_t));
    t->index = ad_malloc(t->ctx, 3 * pictures, sizeof(int32_t));
    t->loss = ad_malloc(t->ctx, (size_t)t->block, sizeof(float));
    t->checkpoint_path = t->p.checkpoint ? ad_strdup(t->ctx, t->p.checkpoint) : ad_format(t->ctx, "%s.checkpoint", t->p.output);
    if (!t->labels || !t->order || !t->index || !t->loss || !t->checkpoint_path) AD_TRY(ADATOM_OUT_OF_MEMORY);
    t->wanted = t->index + pictures, t->predicted = t->wanted + pictures;
    for (int c = 0; c < t->info.classes; c++) {
        const char *name;
        size_t first, count;
        adatom_dataset_class(t->data, c, &name, &first, &count);
        for (size_t i = first; i < first + count; i++) t->labels[i] = c;
    }
    AD_TRY(plan(t));
    AD_TRY(ad_rows_create(&t->rows));
    if (t->rows.parts == 1) {
        AD_TRY(ad_rows_send(&t->rows, 0, NULL, 0, images));
        AD_TRY(ad_rows_wait(&t->rows));
    }
    AD_TRY(ad_upload_parameters(t->device->engine, t->model, &t->params));
    AD_TRY(ad_program_make(t->device->engine, &t->built, t->params, &t->rows, &t->program));
    if (t->p.validation) AD_TRY(prepare_validation(t));
    float norm[8];
    ad_normalisation(t->model, norm);
    AD_TRY(t->api->program_write(t->program, t->built.norm, 0, norm, sizeof norm));
    AD_TRY(write_schedule(t));
    AD_TRY(ad_run_segment(t->api, t->program, AD_SEGMENT_INIT, 1));
    AD_TRY(make_state(t));
done:
    return status;
}

/* Device <-> checkpoint arrays. */
static adatom_status transfer(training *t, bool to_device) {
    const int tensors[3] = {t->built.adapted, t->built.velocity, t->built.second};
    const size_t statistics = t->model->net.role_begin[AD_ROLE_STATISTICS] * sizeof(float);
    adatom_status status = ADATOM_OK;
    for (int i = 0; i < 4 && status == ADATOM_OK; i++) {
        size_t bytes = t->state.counts[i] * sizeof(float);
        if (!bytes) continue;
        if (i < 3 && to_device)
            status = t->api->program_write(t->program, tensors[i], 0, t->state.arrays[i], bytes);
        else if (i < 3)
            status = t->api->program_read(t->program, tensors[i], 0, t->state.arrays[i], bytes);
        else if (to_device)
            status = t->api->buffer_write(t->device->engine, t->params, statistics, t->state.arrays[i], bytes);
        else
            status = t->api->buffer_read(t->device->engine, t->params, statistics, t->state.arrays[i], bytes);
    }
    return status;
}

/* The device's state as host arrays and as the model's values. */
static adatom_status snapshot(training *t) {
    adatom_status status = transfer(t, false);
    const ad_network *net = &t->model->net;
    const float *adapted = t->state.arrays[AD_CHECKPOINT_ADAPTED];
    for (int i = 0; i < net->param_count && status == ADATOM_OK; i++) {
        const ad_param *p = &net->params[i];
        float *to = t->model->values + p->offset;
        if (p->role == AD_ROLE_STATISTICS)
            memcpy(to, t->state.arrays[AD_CHECKPOINT_STATISTICS] + p->offset - net->role_begin[AD_ROLE_STATISTICS],
                   p->count * sizeof(float));
        else if (p->kind == AD_PARAM_HEAD || p->kind == AD_PARAM_HEAD_BIAS) {
            int view = p->kind == AD_PARAM_HEAD ? t->built.head : t->built.head_bias;
            const ad_tensor *tensor = &t->built.plan->tensors[view], *whole = &t->built.plan->tensors[t->built.adapted];
            memcpy(to, adapted + (tensor->offset - whole->offset) / sizeof(float), p->logical * sizeof(float));
        } else
            memcpy(to, adapted + t->built.role_offset[p->role] + p->offset - net->role_begin[p->role], p->count * sizeof(float));
    }
    if (status != ADATOM_OK) return status;
    for (size_t e = 0; e < t->state.counts[AD_CHECKPOINT_ADAPTED]; e++)
        if (!isfinite(adapted[e]))
            return ad_fail(t->ctx, ADATOM_FAILED, "training diverged by step %ld (a parameter is not finite); lower the learning rate",
                           t->state.step);
    ad_model_rehash(t->model);
    return ADATOM_OK;
}

static adatom_status save_checkpoint(training *t) {
    const double now = ad_seconds();
    t->state.seconds += now - t->begin;
    t->begin = t->saved = now;
    adatom_status status = snapshot(t);
    return status == ADATOM_OK ? ad_checkpoint_write(t->ctx, t->checkpoint_path, &t->state) : status;
}

/* The notes hold what decided the model and nothing else (no times, no names of files), so that the same run gives the same file. */
static adatom_status save_model(training *t, double validation) {
    const adatom_pretrain_params *p = &t->p;
    adatom_device_info device;
    adatom_device_describe(t->device, &device);
    json_t *notes =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:s, s:i, s:I, s:s, s:s, s:s, s:s}",
                  "tool_version", ADATOM_VERSION, "dataset", t->info.name, "dataset_hash", t->info.hash, "classes", t->info.classes,
                  "images", (int)t->info.images, "seed", ad_seed_json(p->seed), "epochs", p->epochs, "epochs_done",
                  (int)(t->state.step / t->steps_per_epoch), "batch", p->batch, "optimizer", p->optimizer, "lr", (double)p->lr, "momentum",
                  (double)p->momentum, "weight_decay", (double)p->weight_decay, "label_smoothing", (double)p->label_smoothing, "warmup",
                  (double)p->warmup, "augment", p->augment, "shift", p->shift, "steps", (json_int_t)t->state.step, "device", device.name,
                  "backend", device.backend, "driver", device.driver_info, "precision", device.precision);
    if (!notes) return ad_fail(t->ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
    if (validation >= 0) json_object_set_new(notes, "validation_accuracy", json_real(validation));
    if (validation >= 0)
        json_object_set_new(notes, "validation", json_sprintf("class means, 5-way 5-shot, %d episodes", p->validation_tasks));
    if (p->from) json_object_set_new(notes, "from", json_sprintf("%016llx", (unsigned long long)p->from->hash));
    if (p->command) json_object_set_new(notes, "command", json_string(p->command));
    char *text = json_dumps(notes, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(notes);
    ad_free(t->model->notes);
    t->model->notes = text ? ad_strdup(t->ctx, text) : NULL;
    free(text);
    if (!t->model->notes) return ADATOM_OUT_OF_MEMORY;
    return t->p.output ? adatom_model_save(t->model, t->p.output) : ADATOM_OK;
}

static adatom_status validate(training *t, double *accuracy) {
    adatom_evaluation *evaluation = NULL;
    adatom_evaluation_info info;
    adatom_status status;
    AD_TRY(adatom_adapt_episodes(t->device, t->model, t->p.validation, t->validation, &t->centroid, 0, 0, NULL, &evaluation));
    adatom_evaluation_describe(evaluation, &info);
    *accuracy = info.mean;
done:
    adatom_evaluation_destroy(&evaluation);
    return status;
}

static void tell(training *t, long pictures, double seconds, double validation, bool epoch_end) {
    if (!t->p.progress) return;
    const double seen = t->state.seen ? (double)t->state.seen : 1;
    const adatom_pretrain_progress now = {.epoch = (int)((t->state.step - 1) / t->steps_per_epoch) + 1,
                                          .epochs = t->p.epochs,
                                          .step = t->state.step,
                                          .steps = t->steps,
                                          .loss = t->state.loss * t->p.batch / seen,
                                          .accuracy = t->state.right / seen,
                                          .validation = validation,
                                          .seconds = t->state.seconds + ad_seconds() - t->begin,
                                          .images_per_s = seconds > 0 ? (double)pictures / seconds : 0,
                                          .arena_bytes = ad_plan_bytes(t->built.plan),
                                          .streamed = t->rows.parts == 2,
                                          .epoch_end = epoch_end};
    t->p.progress(t->p.user, &now);
}

/* Runs to the end of the block or the epoch, whichever comes first. */
static adatom_status run_block(training *t) {
    const long step = t->state.step, in_block = step % t->block;
    long n = AD_MIN(t->block - in_block, t->steps_per_epoch - step % t->steps_per_epoch);
    const int32_t counter = (int32_t)step;
    const double start = ad_seconds();
    adatom_status status;
    AD_TRY(load_block(t, step));
    AD_TRY(t->api->program_write(t->program, t->built.counter, 0, &counter, sizeof counter));
    long ran = 0;
    for (; ran < n; ran++) { /* an interrupt comes between steps, and those that ran count */
        status = ad_run_segment(t->api, t->program, AD_SEGMENT_STEP, 1);
        if (status == ADATOM_INTERRUPTED) break;
        AD_TRY(status);
    }
    const size_t bytes = (size_t)t->block * sizeof(float);
    AD_TRY(t->api->program_read(t->program, t->built.loss, 0, t->loss, bytes));
    AD_TRY(t->api->program_read(t->program, t->built.support_predicted, 0, t->predicted, bytes * (size_t)t->p.batch));
    for (long r = in_block; r < in_block + ran; r++) {
        t->state.loss += (double)t->loss[r];
        for (int i = 0; i < t->p.batch; i++) t->state.right += t->predicted[r * t->p.batch + i] == t->wanted[r * t->p.batch + i];
    }
    t->state.seen += ran * t->p.batch;
    t->state.step += ran;
    const double seconds = ad_seconds() - start;
    t->trained += seconds;
    t->trained_pictures += ran * t->p.batch;
    if (ran) tell(t, ran * t->p.batch, seconds, -1, false);
done:
    return status;
}

static adatom_status end_epoch(training *t, double *validation) {
    adatom_status status = ADATOM_OK;
    *validation = -1;
    if (t->p.validation) {
        AD_TRY(save_checkpoint(t)); /* the epoch is safe whatever becomes of its validation; a run resumed here validates again */
        AD_TRY(validate(t, validation));
        if (*validation > t->state.best) {
            t->state.best = *validation;
            AD_TRY(save_model(t, *validation));
        }
    }
    tell(t, t->trained_pictures, t->trained, *validation, true);
    t->state.loss = t->state.right = 0;
    t->state.seen = t->trained_pictures = 0;
    t->trained = 0;
    if (t->state.step < t->steps) AD_TRY(save_checkpoint(t));
done:
    return status;
}

static adatom_status train(training *t) {
    adatom_status status = ADATOM_OK;
    double validation = -1;
    t->begin = t->saved = ad_seconds();
    if (t->p.resume && access(t->checkpoint_path, F_OK) == 0) {
        AD_TRY(ad_checkpoint_read(t->ctx, t->checkpoint_path, &t->state));
        AD_TRY(transfer(t, true));
        ad_log(t->ctx, ADATOM_LOG_INFO, "resuming at step %ld of %ld from '%s'", t->state.step, t->steps, t->checkpoint_path);
    }
    ad_log(t->ctx, ADATOM_LOG_INFO, "training: %ld epochs of %ld steps", (long)t->p.epochs, t->steps_per_epoch);
    bool stopped = false;
    while (!stopped) {
        /* First, since a run may have been interrupted while it validated. */
        if (t->state.seen && t->state.step % t->steps_per_epoch == 0) {
            status = end_epoch(t, &validation);
            stopped = status == ADATOM_INTERRUPTED;
            if (!stopped) AD_TRY(status);
        }
        if (t->state.step == t->steps || stopped) break;
        AD_TRY(run_block(t));
        stopped = ad_interrupted(t->ctx) != ADATOM_OK;
        if (!stopped && ad_seconds() - t->saved > t->p.checkpoint_seconds) AD_TRY(save_checkpoint(t));
    }
    if (stopped) {
        AD_TRY(save_checkpoint(t));
        status = ad_fail(t->ctx, ADATOM_INTERRUPTED, "interrupted at step %ld of %ld; continue with --resume (checkpoint '%s')",
                         t->state.step, t->steps, t->checkpoint_path);
        goto done;
    }
    AD_TRY(snapshot(t));
    if (!t->p.validation)
        AD_TRY(save_model(t, -1)); /* with validation the best epoch is there already */
    else if (t->p.output) {
        adatom_model *best = NULL;
        AD_TRY(adatom_model_load(t->ctx, t->p.output, &best));
        adatom_model_destroy(&t->model);
        t->model = best;
    }
    unlink(t->checkpoint_path);
done:
    return status;
}

adatom_status adatom_pretrain(adatom_device *device, const adatom_dataset *base, const adatom_pretrain_params *params, adatom_model **out) {
    training t = {.device = device, .api = device->engine->api, .ctx = device->ctx, .data = base};
    adatom_status status;
    if (out) *out = NULL;
    if (!params->output) {
        status = ad_fail(t.ctx, ADATOM_USAGE, "pretraining needs a file to write the model to");
        goto done;
    }
    adatom_dataset_describe(base, &t.info);
    AD_TRY(fill_defaults(&t, params));
    AD_TRY(setup(&t));
    AD_TRY(train(&t));
    if (out) {
        *out = t.model;
        t.model = NULL;
    }
done:
    if (t.program) t.api->program_destroy(&t.program);
    if (t.params) t.api->buffer_destroy(device->engine, &t.params);
    ad_rows_clear(&t.rows);
    ad_built_clear(&t.built);
    for (int i = 0; i < 4; i++) ad_free(t.state.arrays[i]);
    ad_free(t.labels);
    ad_free(t.order);
    ad_free(t.index);
    ad_free(t.loss);
    ad_free(t.checkpoint_path);
    adatom_episodes_destroy(&t.validation);
    adatom_model_destroy(&t.model);
    return status;
}

/* Pretraining: adaptation with one task whose adapted set is everything (docs/methods.md, "Adaptation and
 * pretraining"). */
#include "fewshot/features.h"
#include "fewshot/pretrain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_STEPS = 1 << 26, /* the schedule is 32 bytes a step, and shaders index with 32 bits */
    MOST_BLOCK_STEPS = 50
};

/* The order of the pictures in an epoch. */
static void shuffle_epoch(ad_training *t, long epoch) {
    if (t->order_epoch == epoch) return;
    t->order_epoch = epoch;
    ad_random random = ad_random_make(t->p.seed, AD_STREAM_SHUFFLE, (uint32_t)epoch);
    for (size_t i = 0; i < t->info.images; i++) t->order[i] = (int32_t)i;
    for (size_t i = t->info.images - 1; i > 0; i--) {
        size_t k = ad_random_below(&random, (uint32_t)i + 1);
        int32_t swap = t->order[i];
        t->order[i] = t->order[k];
        t->order[k] = swap;
    }
}

/* The pictures of a block, into the session's support: a function of its number alone, so that resuming needs no
 * state. */
static void list_block(ad_training *t, long number) {
    const int batch = t->p.batch;
    for (long r = 0; r < t->block; r++) {
        const long s = AD_MIN(number * t->block + r, t->steps - 1), in_epoch = s % t->steps_per_epoch;
        shuffle_epoch(t, s / t->steps_per_epoch);
        memcpy(t->session.support + r * batch, t->order + in_epoch * batch, (size_t)batch * sizeof *t->order);
    }
}

static adatom_status send_block(ad_training *t, long number) {
    list_block(t, number);
    return ad_row_stream_send(&t->session.rows, number, t->session.support, 0, t->session.rows.part);
}

/* The block that holds `step` is ready; the pictures of the next one are on their way. */
static adatom_status load_block(ad_training *t, long step) {
    ad_session *s = &t->session;
    const long number = step / t->block;
    const bool streamed = s->rows.parts == 2;
    const size_t pictures = (size_t)t->block * (size_t)t->p.batch;
    adatom_status status = ADATOM_OK;
    if (streamed) {
        AD_TRY(send_block(t, number));
        AD_TRY(ad_row_stream_wait(&s->rows));
        if ((number + 1) * t->block < t->steps) AD_TRY(send_block(t, number + 1));
    }
    list_block(t, number);
    for (size_t i = 0; i < pictures; i++) {
        s->labels[i] = t->labels[s->support[i]];
        if (streamed) s->support[i] = (int32_t)(ad_row_stream_first(&s->rows, number) + i);
    }
    AD_TRY(ad_session_write_support(s));
done:
    return status;
}

/* The plan, with all pictures on the device where memory allows that, else with two blocks of them. */
static adatom_status plan_training(ad_training *t) {
    ad_session *s = &t->session;
    const bool adam = t->p.optimizer == ADATOM_OPTIMIZER_ADAM;
    const size_t allowed = ad_memory_allowed(t->device->engine, t->p.memory_bytes) / 4 * (t->p.validation ? 3 : 4);
    char what[64];
    ad_build_params build = {.net = &t->model->net,
                             .way = t->info.classes,
                             .support = t->p.batch,
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
                             .data_size = t->info.image_size};
    adatom_status status;
    for (int r = 0; r < AD_ROLE_COUNT; r++) build.weight_decay[r] = r == AD_ROLE_NORM ? 0.0f : t->p.weight_decay;
    ad_augment_apply(t->p.augment, t->p.shift, t->p.seed, t->model->mean, &build);
    ad_session_use_pictures(s, adatom_dataset_pixels(t->data, 0), t->info.image_size);
    snprintf(what, sizeof what, "training with batches of %d needs", t->p.batch);
    const ad_parts_wanted wanted = {.units = (int)AD_MIN(t->steps_per_epoch, MOST_BLOCK_STEPS),
                                    .rows_per_unit = (size_t)t->p.batch,
                                    .resident_rows = t->info.images,
                                    .allowed_bytes = allowed,
                                    .limited = t->p.memory_bytes != 0,
                                    .what = what,
                                    .so = t->p.validation ? ", a quarter being left to validation" : ""};
    AD_TRY(ad_session_plan_parts(s, &build, &wanted));
    t->block = s->build.support_rounds;
    ad_log(t->ctx, ADATOM_LOG_INFO, "device memory: %.1f MiB for training, %.1f MiB of pictures (%s)",
           (double)(ad_plan_bytes(s->built.plan) - ad_row_stream_bytes(&s->rows)) / 0x1p20,
           (double)ad_row_stream_bytes(&s->rows) / 0x1p20,
           s->rows.parts == 1 ? "resident" : "streamed while it computes");
done:
    return status;
}

static adatom_status make_state(ad_training *t) {
    const ad_built *built = &t->session.built;
    adatom_status status = ADATOM_OK;
    t->state = (ad_checkpoint){.best = -1};
    t->state.counts[AD_CHECKPOINT_ADAPTED] = t->state.counts[AD_CHECKPOINT_VELOCITY] = built->adapted_count;
    t->state.counts[AD_CHECKPOINT_SECOND] = built->second >= 0 ? built->adapted_count : 0;
    t->state.counts[AD_CHECKPOINT_STATISTICS] =
        t->model->net.role_begin[AD_ROLE_STATISTICS + 1] - t->model->net.role_begin[AD_ROLE_STATISTICS];
    for (int i = 0; i < 4; i++)
        if (t->state.counts[i] && !(t->state.arrays[i] = ad_malloc(t->ctx, t->state.counts[i], sizeof(float))))
            status = ADATOM_OUT_OF_MEMORY;
    return status == ADATOM_OK ? ad_pretrain_identity(t) : status;
}

static adatom_adapt_params validation_run(const ad_training *t) {
    return (adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                 .dataset = t->p.validation,
                                 .episodes = t->validation,
                                 .method = &t->centroid};
}

/* What validation asks of its data and of memory, before the first step and not after the first epoch. */
static adatom_status prepare_validation(ad_training *t) {
    const adatom_episodes_params e = {
        .size = sizeof e, .way = 5, .shot = 5, .query = 15, .tasks = t->p.validation_tasks, .seed = t->p.seed};
    adatom_adapt_plan_info plan = ADATOM_INIT(adatom_adapt_plan_info);
    adatom_status status = adatom_episodes_create(t->ctx, t->p.validation, &e, &t->validation);
    if (status != ADATOM_OK) return status;
    t->centroid = (adatom_method){
        .size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID, .memory_bytes = t->p.memory_bytes / 4};
    const adatom_adapt_params run = validation_run(t);
    return adatom_adapt_plan(t->device, t->model, &run, &plan);
}

static adatom_status make_model(ad_training *t) {
    adatom_status status = ADATOM_OK;
    if (t->info.features || t->info.listed)
        return ad_fail(t->ctx, ADATOM_USAGE, "'%s' holds no decoded pictures, which training needs", t->info.name);
    AD_TRY(adatom_model_create(t->ctx, &t->network, &t->model));
    if (t->p.from) {
        AD_TRY(ad_model_inherit(t->model, t->p.from));
        ad_model_copy_values(t->model, t->p.from);
    }
    if (t->info.image_size < t->model->net.image_size)
        AD_TRY(ad_fail(t->ctx, ADATOM_USAGE, "the data set's pictures are %d pixels, the model wants %d",
                       t->info.image_size, t->model->net.image_size));
done:
    return status;
}

static adatom_status read_labels(ad_training *t) {
    const size_t images = t->info.images;
    adatom_status status = ADATOM_OK;
    t->order_epoch = -1;
    t->labels = ad_malloc(t->ctx, images, sizeof(int32_t));
    t->order = ad_malloc(t->ctx, images, sizeof(int32_t));
    if (!t->labels || !t->order) return ADATOM_OUT_OF_MEMORY;
    for (int c = 0; c < t->info.classes; c++) {
        const char *name;
        size_t first, count;
        AD_TRY(adatom_dataset_class(t->data, c, &name, &first, &count));
        for (size_t i = first; i < first + count; i++) t->labels[i] = c;
    }
done:
    return status;
}

/* The session with everything on the device, pictures that stay included. */
static adatom_status begin_session(ad_training *t) {
    ad_session *s = &t->session;
    adatom_status status = ADATOM_OK;
    float *schedule = ad_calloc(t->ctx, AD_SCHEDULE_COLUMNS * (size_t)t->steps, sizeof *schedule);
    t->loss = ad_malloc(t->ctx, (size_t)t->block, sizeof *t->loss);
    t->predicted = ad_malloc(t->ctx, (size_t)t->block * (size_t)t->p.batch, sizeof *t->predicted);
    if (!schedule || !t->loss || !t->predicted) AD_TRY(ADATOM_OUT_OF_MEMORY);
    ad_pretrain_schedule(t, schedule);
    AD_TRY(ad_session_begin(s, schedule, (int)t->steps));
    if (s->rows.parts == 1) {
        AD_TRY(ad_row_stream_send(&s->rows, 0, NULL, 0, t->info.images));
        AD_TRY(ad_row_stream_wait(&s->rows));
    }
done:
    ad_free(schedule);
    return status;
}

static adatom_status prepare_training(ad_training *t) {
    adatom_status status;
    AD_TRY(make_model(t));
    t->session = ad_session_of(t->device, t->model);
    t->steps_per_epoch = (long)t->info.images / t->p.batch;
    t->steps = t->steps_per_epoch * t->p.epochs;
    if (t->steps > MOST_STEPS)
        AD_TRY(ad_fail(t->ctx, ADATOM_USAGE, "%d epochs of %ld steps are too many: at most %d steps are possible",
                       t->p.epochs, t->steps_per_epoch, MOST_STEPS));
    AD_TRY(read_labels(t));
    AD_TRY(plan_training(t));
    AD_TRY(begin_session(t));
    if (t->p.validation) AD_TRY(prepare_validation(t));
    AD_TRY(ad_session_start(&t->session));
    AD_TRY(make_state(t));
done:
    return status;
}

static adatom_status validate(ad_training *t, double *accuracy) {
    adatom_evaluation *evaluation = NULL;
    adatom_evaluation_info info = ADATOM_INIT(adatom_evaluation_info);
    const adatom_adapt_params run = validation_run(t);
    adatom_status status;
    AD_TRY(adatom_adapt_episodes(t->device, t->model, &run, &evaluation));
    adatom_evaluation_describe(evaluation, &info);
    if (info.diverged)
        AD_TRY(ad_fail(t->ctx, ADATOM_FAILED,
                       "training diverged by step %ld (in %d of %d validation episodes the class scores are not "
                       "finite); lower the learning rate",
                       t->state.step, info.diverged, info.tasks));
    *accuracy = info.mean;
done:
    adatom_evaluation_destroy(&evaluation);
    return status;
}

static void tell_progress(ad_training *t, long pictures, double seconds, double validation, bool epoch_end) {
    const double seen = t->state.seen ? (double)t->state.seen : 1;
    const adatom_training_progress now = {.size = sizeof(adatom_training_progress),
                                          .epoch = (int)((t->state.step - 1) / t->steps_per_epoch) + 1,
                                          .epochs = t->p.epochs,
                                          .loss = t->state.loss * t->p.batch / seen,
                                          .accuracy = t->state.right / seen,
                                          .validation = validation,
                                          .seconds = t->state.seconds + ad_seconds() - t->begin,
                                          .images_per_s = seconds > 0 ? (double)pictures / seconds : 0,
                                          .arena_bytes = ad_plan_bytes(t->session.built.plan),
                                          .streamed = t->session.rows.parts == 2,
                                          .epoch_end = epoch_end};
    ad_report_details(t->ctx, &(adatom_progress){.phase = ADATOM_PHASE_TRAINING,
                                                 .done = (uint64_t)t->state.step,
                                                 .total = (uint64_t)t->steps,
                                                 .training = &now});
}

/* Adds what steps first .. first + count - 1 of a block computed. */
static adatom_status count_block(ad_training *t, long first, long count) {
    adatom_status status;
    AD_TRY(ad_session_read_training(&t->session, t->loss, t->predicted));
    for (long r = first; r < first + count; r++) {
        if (!isfinite(t->loss[r]))
            AD_TRY(ad_fail(t->ctx, ADATOM_FAILED,
                           "training diverged at step %ld (the loss is not finite); lower the learning rate",
                           t->state.step + r - first + 1));
        t->state.loss += (double)t->loss[r];
        for (int i = 0; i < t->p.batch; i++) {
            const int32_t predicted = t->predicted[r * t->p.batch + i];
            t->state.right += (predicted == AD_PREDICTED_TIED ? 0 : predicted) == t->session.labels[r * t->p.batch + i];
        }
    }
    t->state.seen += count * t->p.batch;
    t->state.step += count;
done:
    return status;
}

long ad_pretrain_steps_at_once(const ad_training *t, double now) {
    const long step = t->state.step;
    const long most = AD_MIN(t->block - step % t->block, t->steps_per_epoch - step % t->steps_per_epoch);
    if (t->step_seconds <= 0) return 1; /* its time tells how many may follow */
    const double due = (t->saved + t->p.checkpoint_seconds - now) / t->step_seconds;
    return due >= (double)most ? most : AD_MAX((long)due + 1, 1);
}

/* Runs some steps. After an interrupt those that were done count. */
static adatom_status run_block(ad_training *t) {
    const long step = t->state.step, count = ad_pretrain_steps_at_once(t, ad_seconds());
    const double start = ad_seconds();
    adatom_status status;
    long done = 0;
    AD_TRY(load_block(t, step));
    status = ad_session_train(&t->session, step, count, &done);
    if (status != ADATOM_INTERRUPTED) AD_TRY(status);
    AD_TRY(count_block(t, step % t->block, done));
    if (!done) goto done;
    const double seconds = ad_seconds() - start;
    t->step_seconds = seconds / (double)done;
    t->trained += seconds;
    t->trained_pictures += done * t->p.batch;
    tell_progress(t, done * t->p.batch, seconds, -1, false);
done:
    return status;
}

static adatom_status end_epoch(ad_training *t, double *validation) {
    adatom_status status = ADATOM_OK;
    *validation = -1;
    if (t->p.validation) {
        /* The epoch is safe whatever becomes of its validation; a run resumed here validates again. */
        AD_TRY(ad_pretrain_save_checkpoint(t));
        AD_TRY(validate(t, validation));
        if (*validation > t->state.best) {
            t->state.best = *validation;
            ad_hash_hex(t->model->hash, t->state.best_hash);
            AD_TRY(ad_pretrain_save_model(t, *validation));
        }
    }
    tell_progress(t, t->trained_pictures, t->trained, *validation, true);
    t->state.loss = t->state.right = 0;
    t->state.seen = t->trained_pictures = 0;
    t->trained = 0;
    if (t->state.step < t->steps) AD_TRY(ad_pretrain_save_checkpoint(t));
done:
    return status;
}

/* Sums of features, [width]. */
typedef struct feature_sums {
    double *sums;
    size_t width;
} feature_sums;

static void add_features(void *user, size_t first, size_t n, const float *features, size_t stride) {
    const feature_sums *s = user;
    (void)first;
    (void)stride;
    for (size_t i = 0; i < n; i++)
        for (size_t e = 0; e < s->width; e++) s->sums[e] += (double)features[i * s->width + e];
}

/* The mean features of the base pictures, which belong to the model (method simpleshot). */
static adatom_status find_base_mean(const ad_training *t, adatom_model *model) {
    const size_t width = (size_t)model->net.features;
    const ad_features_wanted wanted = {.device = t->device,
                                       .model = model,
                                       .pixels = adatom_dataset_pixels(t->data, 0),
                                       .size = t->info.image_size,
                                       .count = t->info.images,
                                       .memory_bytes = t->p.memory_bytes};
    adatom_status status = ADATOM_OK;
    double *sums = ad_calloc(t->ctx, width, sizeof *sums);
    float *mean = ad_malloc(t->ctx, width, sizeof *mean);
    if (!sums || !mean) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_features_compute(&wanted, add_features, &(feature_sums){sums, width}));
    for (size_t e = 0; e < width; e++) mean[e] = (float)(sums[e] / (double)t->info.images);
    ad_free(model->base_mean);
    model->base_mean = mean;
    mean = NULL;
done:
    ad_free(sums);
    ad_free(mean);
    return status;
}

/* The model that is the result, the best epoch's where there is a validation, as a file. The checkpoint is of the last
 * step then, so that the device's memory can be given back before another network runs, and nothing is lost if that
 * fails or is interrupted. */
static adatom_status finish(ad_training *t) {
    adatom_model *best = NULL;
    adatom_status status;
    AD_TRY(ad_pretrain_save_checkpoint(t));
    ad_session_clear(&t->session);
    if (!t->p.validation) {
        AD_TRY(find_base_mean(t, t->model));
        AD_TRY(ad_pretrain_save_model(t, -1));
        goto done;
    }
    AD_TRY(ad_pretrain_load_best(t, &best));
    AD_TRY(find_base_mean(t, best));
    AD_TRY(adatom_model_save(best, t->p.output));
    adatom_model_destroy(&t->model);
    t->model = best;
    best = NULL;
done:
    adatom_model_destroy(&best);
    return status;
}

static adatom_status train(ad_training *t) {
    adatom_status status = ADATOM_OK;
    double validation = -1;
    t->begin = t->saved = ad_seconds();
    AD_TRY(ad_pretrain_resume(t));
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
        if (!stopped && ad_seconds() - t->saved > t->p.checkpoint_seconds) AD_TRY(ad_pretrain_save_checkpoint(t));
    }
    if (stopped)
        AD_TRY(ad_pretrain_save_checkpoint(t));
    else
        status = finish(t);
    if (stopped || status == ADATOM_INTERRUPTED)
        AD_TRY(ad_fail(t->ctx, ADATOM_INTERRUPTED,
                       "interrupted at step %ld of %ld; continue with --resume (checkpoint '%s')", t->state.step,
                       t->steps, t->checkpoint_path));
    AD_TRY(status);
    unlink(t->checkpoint_path);
done:
    return status;
}

adatom_status adatom_pretrain(adatom_device *device, const adatom_dataset *base, const adatom_pretrain_params *params,
                              adatom_model **out) {
    ad_training t = {.device = device, .ctx = device->ctx, .data = base, .info = ADATOM_INIT(adatom_dataset_info)};
    if (out) *out = NULL;
    adatom_status status = AD_PARAMS(t.ctx, adatom_pretrain_params, params, &t.p);
    if (status == ADATOM_OK) status = AD_PARAMS(t.ctx, adatom_model_params, t.p.model, &t.network);
    const ad_call outer = ad_call_begin(t.ctx, t.p.progress, t.p.user);
    AD_TRY(status);
    if (!t.p.output) AD_TRY(ad_fail(t.ctx, ADATOM_USAGE, "pretraining needs a file to write the model to"));
    adatom_dataset_describe(base, &t.info);
    AD_TRY(ad_pretrain_settings(&t));
    AD_TRY(ad_pretrain_find(&t));
    AD_TRY(prepare_training(&t));
    AD_TRY(train(&t));
    if (out) {
        *out = t.model;
        t.model = NULL;
    }
done:
    ad_session_clear(&t.session);
    for (int i = 0; i < 4; i++) ad_free(t.state.arrays[i]);
    ad_free(t.labels);
    ad_free(t.order);
    ad_free(t.predicted);
    ad_free(t.loss);
    ad_free(t.checkpoint_path);
    adatom_episodes_destroy(&t.validation);
    adatom_model_destroy(&t.model);
    return ad_call_end(t.ctx, &outer, status);
}

/* Pretraining: adaptation with one task whose adapted set is everything (docs/methods.md, "Adaptation and
 * pretraining"). */
#include "fewshot/pretrain.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_STEPS = 1 << 26, /* the schedule is 32 bytes a step, and shaders index with 32 bits */
    MOST_BLOCK_STEPS = 50
};

/* The order of the pictures in an epoch. */
static void shuffle_epoch(ad_pretraining *t, long epoch) {
    if (t->order_epoch == epoch) return;
    t->order_epoch = epoch;
    ad_random random = ad_random_make(t->p.seed, AD_STREAM_SHUFFLE, (uint32_t)epoch);
    for (size_t i = 0; i < t->run.info.images; i++) t->order[i] = (int32_t)i;
    for (size_t i = t->run.info.images - 1; i > 0; i--) {
        size_t k = ad_random_below(&random, (uint32_t)i + 1);
        int32_t swap = t->order[i];
        t->order[i] = t->order[k];
        t->order[k] = swap;
    }
}

/* The pictures of a block, into the session's support: a function of its number alone, so that resuming needs no
 * state. */
static void list_block(ad_pretraining *t, long number) {
    const int batch = t->p.batch, times = ad_pretrain_times(t);
    for (long r = 0; r < t->run.block; r++) {
        const long s = AD_MIN(number * t->run.block + r, t->run.steps - 1), in_epoch = s % t->run.steps_per_epoch;
        shuffle_epoch(t, s / t->run.steps_per_epoch);
        for (int i = 0; i < batch; i++)
            t->run.session.support[r * batch + i] = t->order[in_epoch * (batch / times) + i / times];
    }
}

static adatom_status send_block(ad_pretraining *t, long number) {
    list_block(t, number);
    return ad_row_stream_send(&t->run.session.rows, number, t->run.session.support, 0, t->run.session.rows.part);
}

/* The block that holds `step` is ready; the pictures of the next one are on their way. */
static adatom_status load_block(ad_pretraining *t, long step) {
    ad_session *s = &t->run.session;
    const long number = step / t->run.block;
    const bool streamed = s->rows.parts == 2;
    const size_t pictures = (size_t)t->run.block * (size_t)t->p.batch;
    adatom_status status = ADATOM_OK;
    if (streamed) {
        AD_TRY(send_block(t, number));
        AD_TRY(ad_row_stream_wait(&s->rows));
        if ((number + 1) * t->run.block < t->run.steps) AD_TRY(send_block(t, number + 1));
    }
    list_block(t, number);
    for (size_t i = 0; i < pictures; i++) {
        s->labels[i] = t->labels[s->support[i]];
        if (streamed) s->support[i] = (int32_t)(ad_row_stream_first(&s->rows, number) + i);
    }
    AD_TRY(ad_session_write_support(s));
    AD_TRY(ad_pretrain_load_regular(t, number * t->run.block));
done:
    return status;
}

/* The plan, with all pictures on the device where memory allows that, else with two blocks of them. */
static adatom_status plan_training(ad_pretraining *t) {
    ad_session *s = &t->run.session;
    const bool adam = t->p.optimizer == ADATOM_OPTIMIZER_ADAM;
    const int units = (int)AD_MIN(t->run.steps_per_epoch, MOST_BLOCK_STEPS);
    size_t allowed = ad_memory_allowed(t->run.device->engine, t->p.memory_bytes) / 4 * (t->p.validation ? 3 : 4),
           beside;
    char what[64];
    ad_build_params build = {
        .net = &t->run.model->net,
        .way = t->run.info.classes,
        .support = t->p.batch,
        .steps = (int)t->run.steps,
        .head = AD_HEAD_LINEAR,
        .head_init = AD_HEAD_BASE,
        .bn = AD_BN_TRAIN,
        .adapt = (1u << AD_ROLE_STATISTICS) - 1,
        .label_smoothing = t->p.label_smoothing,
        .fast = t->p.fast,
        .optimiser = {.adam = adam, .nesterov = !adam, .momentum = t->p.momentum, .dampening = adam ? 0.999f : 0.0f},
        .data_size = t->run.info.image_size};
    adatom_status status;
    for (int r = 0; r < AD_ROLE_COUNT; r++)
        build.optimiser.weight_decay[r] = r == AD_ROLE_NORM ? 0.0f : t->p.weight_decay;
    ad_pretrain_regular(t, &build);
    ad_augment_apply(t->p.augment, t->p.shift, t->p.seed, t->run.model->mean, &build);
    build.support_rounds = units;
    AD_TRY(ad_pretrain_teacher_bytes(t, &build, &beside));
    if (t->p.memory_bytes && beside > allowed)
        AD_TRY(ad_fail(t->run.ctx, ADATOM_OUT_OF_MEMORY, "the teacher needs %.1f MiB; allowed are %.1f MiB",
                       (double)beside / 0x1p20, (double)allowed / 0x1p20));
    allowed -= AD_MIN(beside, allowed);
    ad_session_use_pictures(s, adatom_dataset_pixels(t->run.data, 0), t->run.info.image_size);
    snprintf(what, sizeof what, "training with batches of %d needs", t->p.batch);
    const ad_parts_wanted wanted = {.units = units,
                                    .rows_per_unit = (size_t)t->p.batch,
                                    .resident_rows = t->run.info.images,
                                    .allowed_bytes = allowed,
                                    .limited = t->p.memory_bytes != 0,
                                    .what = what,
                                    .so = t->p.validation ? ", a quarter being left to validation" : ""};
    AD_TRY(ad_session_plan_parts(s, &build, &wanted));
    t->run.block = s->build.support_rounds;
    ad_log(t->run.ctx, ADATOM_LOG_INFO, "device memory: %.1f MiB for training, %.1f MiB of pictures (%s)",
           (double)(ad_plan_bytes(s->built.plan) - ad_row_stream_bytes(&s->rows)) / 0x1p20,
           (double)ad_row_stream_bytes(&s->rows) / 0x1p20,
           s->rows.parts == 1 ? "resident" : "streamed while it computes");
done:
    return status;
}

static adatom_status make_state(ad_pretraining *t) {
    const ad_built *built = &t->run.session.built;
    const ad_network *net = &t->run.model->net;
    const size_t all = built->adapted_count,
                 statistics = net->role_begin[AD_ROLE_STATISTICS + 1] - net->role_begin[AD_ROLE_STATISTICS];
    const size_t counts[AD_CHECKPOINT_ARRAYS] = {[AD_CHECKPOINT_ADAPTED] = all,
                                                 [AD_CHECKPOINT_VELOCITY] = all,
                                                 [AD_CHECKPOINT_SECOND] = built->second >= 0 ? all : 0,
                                                 [AD_CHECKPOINT_STATISTICS] = statistics,
                                                 [AD_CHECKPOINT_AVERAGE] = built->average >= 0 ? all : 0,
                                                 [AD_CHECKPOINT_AVERAGE_STATISTICS] =
                                                     built->average_statistics >= 0 ? statistics : 0};
    const adatom_status status = ad_training_make_state(&t->run, counts);
    return status == ADATOM_OK ? ad_pretrain_identity(t) : status;
}

static adatom_status prepare_validation(ad_pretraining *t) {
    const adatom_episodes_params e = {
        .size = sizeof e, .way = 5, .shot = 5, .query = 15, .tasks = t->p.validation_tasks, .seed = t->p.seed};
    const adatom_status status = adatom_episodes_create(t->run.ctx, t->p.validation, &e, &t->run.validation.episodes);
    if (status != ADATOM_OK) return status;
    t->run.validation.method = (adatom_method){
        .size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_CENTROID, .memory_bytes = t->p.memory_bytes / 4};
    snprintf(t->run.validation.text, sizeof t->run.validation.text, "class means, 5-way 5-shot, %d episodes",
             t->p.validation_tasks);
    return ad_training_prepare_validation(&t->run);
}

static adatom_status read_labels(ad_pretraining *t) {
    const size_t images = t->run.info.images;
    adatom_status status = ADATOM_OK;
    t->order_epoch = -1;
    t->labels = ad_malloc(t->run.ctx, images, sizeof(int32_t));
    t->order = ad_malloc(t->run.ctx, images, sizeof(int32_t));
    if (!t->labels || !t->order) return ADATOM_OUT_OF_MEMORY;
    for (int c = 0; c < t->run.info.classes; c++) {
        const char *name;
        size_t first, count;
        AD_TRY(adatom_dataset_class(t->run.data, c, &name, &first, &count));
        for (size_t i = first; i < first + count; i++) t->labels[i] = c;
    }
done:
    return status;
}

/* The session with everything on the device, pictures that stay included. */
static adatom_status begin_session(ad_pretraining *t) {
    ad_session *s = &t->run.session;
    adatom_status status = ADATOM_OK;
    float *schedule = ad_calloc(t->run.ctx, AD_SCHEDULE_COLUMNS * (size_t)t->run.steps, sizeof *schedule);
    t->loss = ad_malloc(t->run.ctx, (size_t)t->run.block, sizeof *t->loss);
    t->predicted = ad_malloc(t->run.ctx, (size_t)t->run.block * (size_t)t->p.batch, sizeof *t->predicted);
    if (!schedule || !t->loss || !t->predicted) AD_TRY(ADATOM_OUT_OF_MEMORY);
    ad_pretrain_schedule(t, schedule);
    AD_TRY(ad_session_begin(s, schedule, (int)t->run.steps));
    if (s->rows.parts == 1) {
        AD_TRY(ad_row_stream_send(&s->rows, 0, NULL, 0, t->run.info.images));
        AD_TRY(ad_row_stream_wait(&s->rows));
    }
done:
    ad_free(schedule);
    return status;
}

static adatom_status prepare_training(ad_pretraining *t) {
    adatom_status status;
    AD_TRY(ad_training_make_model(&t->run, &t->network, t->p.from));
    t->run.batch = t->run.pictures = t->p.batch;
    t->run.session = ad_session_of(t->run.device, t->run.model);
    t->run.steps_per_epoch = (long)t->run.info.images / (t->p.batch / ad_pretrain_times(t));
    t->run.steps = t->run.steps_per_epoch * t->p.epochs;
    if (t->run.steps > MOST_STEPS)
        AD_TRY(ad_fail(t->run.ctx, ADATOM_USAGE, "%d epochs of %ld steps are too many: at most %d steps are possible",
                       t->p.epochs, t->run.steps_per_epoch, MOST_STEPS));
    AD_TRY(read_labels(t));
    AD_TRY(plan_training(t));
    AD_TRY(begin_session(t));
    if (t->p.validation) AD_TRY(prepare_validation(t));
    AD_TRY(ad_session_start(&t->run.session));
    AD_TRY(ad_pretrain_begin_regular(t));
    AD_TRY(make_state(t));
done:
    return status;
}

/* Brings the state from the device to the checkpoint's arrays, or back. */
static adatom_status transfer(ad_training *t, bool to_device) {
    ad_session *s = &t->session;
    const ad_built *b = &s->built;
    const int tensors[AD_CHECKPOINT_ARRAYS] = {[AD_CHECKPOINT_ADAPTED] = b->adapted,
                                               [AD_CHECKPOINT_VELOCITY] = b->velocity,
                                               [AD_CHECKPOINT_SECOND] = b->second,
                                               [AD_CHECKPOINT_AVERAGE] = b->average,
                                               [AD_CHECKPOINT_AVERAGE_STATISTICS] = b->average_statistics};
    const size_t statistics = t->model->net.role_begin[AD_ROLE_STATISTICS];
    adatom_status status = ADATOM_OK;
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS && status == ADATOM_OK; i++) {
        const size_t count = t->state.counts[i];
        float *array = t->state.arrays[i];
        if (!count) continue;
        if (i == AD_CHECKPOINT_STATISTICS)
            status = to_device ? ad_session_write_parameters(s, statistics, array, count)
                               : ad_session_read_parameters(s, statistics, array, count);
        else
            status = to_device ? ad_session_write(s, tensors[i], 0, 0, array, count)
                               : ad_session_read(s, tensors[i], 0, array, count);
    }
    /* The first step finds no velocity and writes one. */
    if (!to_device && t->state.step == 0)
        memset(t->state.arrays[AD_CHECKPOINT_VELOCITY], 0, t->state.counts[AD_CHECKPOINT_VELOCITY] * sizeof(float));
    return status;
}

static void to_model(ad_training *t) {
    const ad_network *net = &t->model->net;
    const ad_built *built = &t->session.built;
    float *const *arrays = t->state.arrays;
    const bool averaged = arrays[AD_CHECKPOINT_AVERAGE] != NULL;
    const float *adapted = arrays[averaged ? AD_CHECKPOINT_AVERAGE : AD_CHECKPOINT_ADAPTED],
                *statistics = arrays[averaged ? AD_CHECKPOINT_AVERAGE_STATISTICS : AD_CHECKPOINT_STATISTICS];
    for (int i = 0; i < net->param_count; i++) {
        const ad_param *p = &net->params[i];
        float *to = t->model->values + p->offset;
        if (p->role == AD_ROLE_STATISTICS)
            memcpy(to, statistics + p->offset - net->role_begin[AD_ROLE_STATISTICS], p->count * sizeof(float));
        else if (p->kind == AD_PARAM_HEAD || p->kind == AD_PARAM_HEAD_BIAS) {
            const int view = p->kind == AD_PARAM_HEAD ? built->head : built->head_bias;
            const ad_tensor *tensor = &built->plan->tensors[view], *whole = &built->plan->tensors[built->adapted];
            memcpy(to, adapted + (tensor->offset - whole->offset) / sizeof(float), p->logical * sizeof(float));
        } else
            memcpy(to, adapted + built->at[i], p->count * sizeof(float));
    }
}

/* Runs steps of a block. Those that were done before an interrupt count. */
static adatom_status run_steps(ad_training *run, long count, long *done) {
    ad_pretraining *t = (ad_pretraining *)run;
    const long step = run->state.step, first = step % run->block;
    adatom_status status, trained;
    AD_TRY(load_block(t, step));
    trained = ad_session_train(&run->session, step, count, done);
    if (trained != ADATOM_INTERRUPTED) AD_TRY(trained);
    AD_TRY(ad_session_read_training(&run->session, t->loss, t->predicted));
    for (long r = first; r < first + *done; r++) {
        int right = 0;
        for (int i = 0; i < run->batch; i++) {
            const int32_t predicted = t->predicted[r * run->batch + i];
            right += (predicted == AD_PREDICTED_TIED ? 0 : predicted) == ad_pretrain_label(t, r, i);
        }
        AD_TRY(ad_training_count(run, t->loss[r], right));
    }
    status = trained;
done:
    return status;
}

static const ad_training_kind pretraining = {
    .transfer = transfer, .to_model = to_model, .run = run_steps, .notes = ad_pretrain_notes};

adatom_status adatom_pretrain(adatom_device *device, const adatom_dataset *base, const adatom_pretrain_params *params,
                              adatom_model **out) {
    ad_pretraining t = {.run = {.kind = &pretraining,
                                .device = device,
                                .ctx = device->ctx,
                                .data = base,
                                .info = ADATOM_INIT(adatom_dataset_info)}};
    adatom_context *ctx = device->ctx;
    if (out) *out = NULL;
    adatom_status status = AD_PARAMS(ctx, adatom_pretrain_params, params, &t.p);
    if (status == ADATOM_OK) status = AD_PARAMS(ctx, adatom_model_params, t.p.model, &t.network);
    const ad_call outer = ad_call_begin(ctx, t.p.progress, t.p.user);
    AD_TRY(status);
    if (!t.p.output) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "pretraining needs a file to write the model to"));
    adatom_dataset_describe(base, &t.run.info);
    AD_TRY(ad_pretrain_settings(&t));
    AD_TRY(ad_training_find(&t.run));
    AD_TRY(prepare_training(&t));
    AD_TRY(ad_training_run(&t.run));
    if (out) {
        *out = t.run.model;
        t.run.model = NULL;
    }
done:
    ad_pretrain_clear_regular(&t);
    ad_free(t.labels);
    ad_free(t.order);
    ad_free(t.predicted);
    ad_free(t.loss);
    ad_training_clear(&t.run);
    return ad_call_end(ctx, &outer, status);
}

/* Meta-training: episodes of base classes teach what all tasks have in common (docs/methods.md, "Meta-training"). The
 * tasks of a step are those of one or more groups that the device works on at once; how many makes no difference. */
#include "fewshot/metatrain.h"
#include "fewshot/task_start.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_AT_ONCE = 50 };

static bool prototypes(const ad_metatraining *t) { return t->p.meta == ADATOM_META_PROTONET; }

/* ---- preparing ---- */

/* A learned cosine classifier that is not taken from another model starts at random: zero has no direction. */
static void start_cosine_head(ad_metatraining *t) {
    const adatom_model *model = t->run.model;
    const ad_param *p = t->learned ? &model->net.params[model->net.head] : NULL;
    if (!p || t->settings.head != AD_HEAD_COSINE) return;
    float *weights = model->values + p->offset;
    for (size_t i = 0; i < p->count; i++)
        if (weights[i] != 0) return;
    ad_draw_head(t->network.seed, 0, model->net.features, weights, p->count);
}

/* The episodes of all steps, in order. */
static adatom_status draw_episodes(ad_metatraining *t) {
    const adatom_metatrain_params *p = &t->p;
    const adatom_episodes_params e = {.size = sizeof e,
                                      .way = p->way,
                                      .shot = p->shot,
                                      .query = p->query,
                                      .tasks = p->epochs * p->epoch_tasks,
                                      .seed = p->seed};
    t->supports = p->way * p->shot;
    t->queries = p->way * p->query;
    const adatom_status status = adatom_episodes_create(t->run.ctx, t->run.data, &e, &t->episodes);
    t->pictures = (ad_episode_rows){
        .ctx = t->run.ctx, .episodes = t->episodes, .all = t->run.info.images, .count = p->epochs * p->epoch_tasks};
    return status == ADATOM_OK ? ad_episode_rows_list(&t->pictures, 0, t->pictures.count, 0) : status;
}

static ad_build_params build_of(const ad_metatraining *t) {
    static const ad_outer_kind kinds[] = {[ADATOM_META_PROTONET] = AD_OUTER_PROTOTYPES,
                                          [ADATOM_META_MAML] = AD_OUTER_QUERY,
                                          [ADATOM_META_ANIL] = AD_OUTER_QUERY,
                                          [ADATOM_META_REPTILE] = AD_OUTER_DIFFERENCE};
    const adatom_metatrain_params *p = &t->p;
    const bool adam = p->optimizer == ADATOM_OPTIMIZER_ADAM;
    ad_build_params build = {.net = &t->run.model->net,
                             .way = p->way,
                             .query_rounds = 1,
                             .through = true,
                             .drawn = true,
                             .fast = p->fast,
                             .data_size = t->run.info.image_size,
                             .layers = t->layers};
    if (prototypes(t)) {
        build.support = t->supports + t->queries;
    } else {
        build.support = t->supports;
        build.query = t->queries;
        ad_settings_apply(&t->settings, &build);
    }
    build.bn = p->norms == ADATOM_META_NORMS_TASK ? AD_BN_TRAIN : AD_BN_FROZEN;
    build.outer = (ad_outer){
        .kind = kinds[p->meta],
        .tasks = p->meta_batch,
        .steps = (int)t->run.steps,
        .optimiser = {.adam = adam, .nesterov = !adam, .momentum = p->momentum, .dampening = adam ? 0.999f : 0.0f},
        .cosine = prototypes(t) && p->distance == ADATOM_DISTANCE_COSINE};
    for (int r = 0; r < AD_ROLE_COUNT; r++)
        build.outer.optimiser.weight_decay[r] = r == AD_ROLE_NORM ? 0.0f : p->weight_decay;
    ad_augment_apply(p->augment, p->shift, p->seed, t->run.model->mean, &build);
    return build;
}

/* Plans as many tasks at once as fit and divide those of a step. */
static adatom_status plan_training(ad_metatraining *t) {
    ad_session *s = &t->run.session;
    const ad_build_params build = build_of(t);
    const int most = t->p.meta_batch;
    const size_t limit = t->p.memory_bytes;
    ad_tasks_wanted wanted = {.tasks = t->p.tasks_at_once ? AD_MIN(t->p.tasks_at_once, most) : most,
                              .most = most,
                              .rows = t->pictures.image_count,
                              .rows_per_task = (size_t)(t->supports + t->queries),
                              .memory_bytes = t->p.validation ? limit - limit / 4 : limit};
    adatom_status status;
    ad_session_use_pictures(s, adatom_dataset_pixels(t->run.data, 0), t->run.info.image_size);
    do {
        while (most % wanted.tasks) wanted.tasks--;
        AD_TRY(ad_session_plan_tasks(s, &build, &wanted));
        wanted.tasks = s->build.tasks; /* as many, or the fewer that fit */
    } while (most % wanted.tasks);
    ad_log(t->run.ctx, ADATOM_LOG_INFO, "device memory: %.1f MiB for %d tasks at once, %.1f MiB of pictures (%s)",
           (double)(ad_plan_bytes(s->built.plan) - ad_row_stream_bytes(&s->rows)) / 0x1p20, s->build.tasks,
           (double)ad_row_stream_bytes(&s->rows) / 0x1p20,
           s->rows.parts == 1 ? "resident" : "streamed while it computes");
done:
    return status;
}

static adatom_status begin_session(ad_metatraining *t) {
    ad_session *s = &t->run.session;
    const int steps = t->settings.steps;
    adatom_status status = ADATOM_OK;
    float *inner = ad_calloc(t->run.ctx, AD_SCHEDULE_COLUMNS * (size_t)AD_MAX(steps, 1), sizeof *inner);
    float *outer = ad_calloc(t->run.ctx, AD_SCHEDULE_COLUMNS * (size_t)t->run.steps, sizeof *outer);
    if (!inner || !outer) AD_TRY(ADATOM_OUT_OF_MEMORY);
    ad_settings_schedule(&t->settings, steps, inner);
    ad_metatrain_schedule(t, outer);
    AD_TRY(ad_session_begin(s, inner, steps));
    AD_TRY(ad_session_meta_begin(s, outer, t->settings.cosine_scale));
done:
    ad_free(inner);
    ad_free(outer);
    return status;
}

static adatom_status prepare_validation(ad_metatraining *t) {
    const adatom_metatrain_params *p = &t->p;
    const adatom_episodes_params e = {.size = sizeof e,
                                      .way = p->validation_way,
                                      .shot = p->shot,
                                      .query = 15,
                                      .tasks = p->validation_tasks,
                                      .seed = p->seed};
    const adatom_status status = adatom_episodes_create(t->run.ctx, p->validation, &e, &t->run.validation.episodes);
    if (status != ADATOM_OK) return status;
    t->run.validation.method = ad_metatrain_validation(t);
    snprintf(t->run.validation.text, sizeof t->run.validation.text, "%s, %d-way %d-shot, %d episodes",
             prototypes(t) ? "class means" : t->settings.name, p->validation_way, p->shot, p->validation_tasks);
    return ad_training_prepare_validation(&t->run);
}

static adatom_status make_state(ad_metatraining *t) {
    const ad_built *built = &t->run.session.built;
    const size_t counts[AD_CHECKPOINT_ARRAYS] = {[AD_CHECKPOINT_ADAPTED] = built->outer_count,
                                                 [AD_CHECKPOINT_VELOCITY] = built->outer_count,
                                                 [AD_CHECKPOINT_SECOND] =
                                                     built->outer_second >= 0 ? built->outer_count : 0};
    const adatom_status status = ad_training_make_state(&t->run, counts);
    return status == ADATOM_OK ? ad_metatrain_identity(t) : status;
}

static adatom_status prepare_training(ad_metatraining *t) {
    ad_training *run = &t->run;
    adatom_status status;
    AD_TRY(ad_training_make_model(run, &t->network, t->p.from));
    start_cosine_head(t);
    if (!prototypes(t)) AD_TRY(ad_settings_layers(run->ctx, &t->settings, &run->model->net, &t->layers));
    run->session = ad_session_of(run->device, run->model);
    run->steps_per_epoch = t->p.epoch_tasks / t->p.meta_batch;
    run->steps = run->steps_per_epoch * t->p.epochs;
    run->block = STEPS_AT_ONCE;
    AD_TRY(draw_episodes(t));
    run->batch = t->p.meta_batch * t->queries;
    run->pictures = t->p.meta_batch * (t->supports + t->queries);
    AD_TRY(plan_training(t));
    AD_TRY(begin_session(t));
    if (t->p.validation) AD_TRY(prepare_validation(t));
    AD_TRY(make_state(t));
done:
    return status;
}

/* ---- the state ---- */

static adatom_status transfer(ad_training *run, bool to_device) {
    ad_session *s = &run->session;
    const ad_built *b = &s->built;
    float *const *arrays = run->state.arrays;
    float *values = arrays[AD_CHECKPOINT_ADAPTED];
    const int moments[] = {[AD_CHECKPOINT_VELOCITY] = b->outer_velocity, [AD_CHECKPOINT_SECOND] = b->outer_second};
    adatom_status status;
    AD_TRY(to_device ? ad_session_write_parameters(s, 0, values, b->scale_offset)
                     : ad_session_read_parameters(s, 0, values, b->scale_offset));
    if (b->scale >= 0)
        AD_TRY(to_device ? ad_session_write(s, b->scale, 0, 0, values + b->scale_offset, 1)
                         : ad_session_read(s, b->scale, 0, values + b->scale_offset, 1));
    for (int i = AD_CHECKPOINT_VELOCITY; i <= AD_CHECKPOINT_SECOND; i++) {
        if (moments[i] < 0) continue;
        AD_TRY(to_device ? ad_session_write(s, moments[i], 0, 0, arrays[i], b->outer_count)
                         : ad_session_read(s, moments[i], 0, arrays[i], b->outer_count));
    }
done:
    return status;
}

static void to_model(ad_training *run) {
    memcpy(run->model->values, run->state.arrays[AD_CHECKPOINT_ADAPTED],
           run->model->net.role_begin[AD_ROLE_COUNT] * sizeof(float));
}

/* ---- steps ---- */

/* Rows, labels and numbers of the tasks from episode `first` on. */
static adatom_status fill_tasks(ad_metatraining *t, int first) {
    ad_session *s = &t->run.session;
    const int shot = t->p.shot, query = t->p.query;
    for (int k = 0; k < s->build.tasks; k++) {
        const int32_t *support, *queries, *row_of = t->pictures.row_of;
        const adatom_status status = adatom_episodes_get(t->episodes, first + k, &support, &queries);
        if (status != ADATOM_OK) return status;
        int32_t *rows = s->support + ad_session_support_at(s, 0, k), *labels = s->labels + (rows - s->support);
        int32_t *asked = s->outer.labels + (size_t)k * s->outer.pictures;
        for (int i = 0; i < t->supports; i++) {
            rows[i] = row_of[support[i]];
            labels[i] = i / shot;
            if (prototypes(t)) *asked++ = -1;
        }
        int32_t *to = prototypes(t) ? rows + t->supports : s->query + ad_session_query_at(s, k, 0);
        for (int i = 0; i < t->queries; i++) {
            to[i] = row_of[queries[i]];
            if (prototypes(t)) labels[t->supports + i] = -1;
            asked[i] = i / query;
        }
        /* Every picture of every task has a number of its own. */
        const int32_t number = (int32_t)(first + k) * (int32_t)(t->supports + t->queries);
        for (int i = 0; i < s->build.support; i++) s->support_draw[rows - s->support + i] = number + i;
        for (int i = 0; i < s->build.query; i++) s->query_draw[to - s->query + i] = number + t->supports + i;
    }
    return ADATOM_OK;
}

/* Queries of the group that were classified right. */
static int count_right(const ad_metatraining *t) {
    const ad_session *s = &t->run.session;
    int right = 0;
    for (size_t i = 0; i < (size_t)s->build.tasks * s->outer.pictures; i++) {
        const int32_t predicted = s->outer.predicted[i] == AD_PREDICTED_TIED ? 0 : s->outer.predicted[i];
        right += s->outer.labels[i] >= 0 && predicted == s->outer.labels[i];
    }
    return right;
}

/* One step: the groups of its tasks. *done stays false if an interrupt came before the update. */
static adatom_status run_step(ad_metatraining *t, bool *done) {
    ad_session *s = &t->run.session;
    const long step = t->run.state.step;
    const int tasks = s->build.tasks, all = t->p.meta_batch;
    double loss = 0;
    int right = 0;
    adatom_status status, ran = ADATOM_OK;
    *done = false;
    for (int at = 0; at < all; at += tasks) {
        const int first = (int)step * all + at;
        AD_TRY(ad_episode_rows_load(&t->pictures, &s->rows, first, tasks));
        AD_TRY(fill_tasks(t, first));
        ran = ad_session_meta_group(s, t->settings.steps, step, at + tasks == all, done);
        if (ran != ADATOM_OK && !*done) AD_TRY(ran);
        for (int k = 0; k < tasks; k++) loss += (double)s->outer.loss[k];
        right += count_right(t);
    }
    AD_TRY(ad_training_count(&t->run, (float)(loss / all), right));
    status = ran;
done:
    return status;
}

static adatom_status run_steps(ad_training *run, long count, long *done) {
    adatom_status status = ADATOM_OK;
    for (*done = 0; *done < count && status == ADATOM_OK;) {
        bool whole = false;
        status = ad_interrupted(run->ctx);
        if (status == ADATOM_OK) status = run_step((ad_metatraining *)run, &whole);
        *done += whole;
    }
    return status;
}

static const ad_training_kind metatraining = {
    .transfer = transfer, .to_model = to_model, .run = run_steps, .notes = ad_metatrain_notes};

adatom_status adatom_metatrain(adatom_device *device, const adatom_dataset *base, const adatom_metatrain_params *params,
                               adatom_model **out) {
    adatom_context *ctx = device->ctx;
    ad_metatraining t = {.run = {.kind = &metatraining,
                                 .device = device,
                                 .ctx = ctx,
                                 .data = base,
                                 .info = ADATOM_INIT(adatom_dataset_info)}};
    if (out) *out = NULL;
    adatom_status status = AD_PARAMS(ctx, adatom_metatrain_params, params, &t.p);
    if (status == ADATOM_OK) status = AD_PARAMS(ctx, adatom_model_params, t.p.model, &t.network);
    if (status == ADATOM_OK) status = AD_PARAMS(ctx, adatom_method, t.p.inner, &t.inner);
    const ad_call outer = ad_call_begin(ctx, t.p.progress, t.p.user);
    AD_TRY(status);
    if (!t.p.output) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "meta-training needs a file to write the model to"));
    adatom_dataset_describe(base, &t.run.info);
    AD_TRY(ad_metatrain_settings(&t));
    AD_TRY(ad_training_find(&t.run));
    AD_TRY(prepare_training(&t));
    AD_TRY(ad_training_run(&t.run));
    if (out) {
        *out = t.run.model;
        t.run.model = NULL;
    }
done:
    adatom_episodes_destroy(&t.episodes);
    ad_episode_rows_clear(&t.pictures);
    ad_free(t.layers);
    ad_training_clear(&t.run);
    return ad_call_end(ctx, &outer, status);
}

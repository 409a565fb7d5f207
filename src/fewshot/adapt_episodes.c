/* Adaptation to episodes: many tasks in one program, group after group (docs/methods.md, "Adaptation and
 * pretraining"). */
#include "fewshot/episode_rows.h"
#include "fewshot/evaluation.h"
#include "fewshot/feature_cache.h"
#include "fewshot/run_model.h"
#include "fewshot/session.h"
#include "fewshot/solve_episodes.h"
#include "fewshot/task_start.h"

#include <math.h>
#include <string.h>

typedef struct adaptation {
    ad_session session; /* its rows are pictures, or features where the backbone stays as it is */
    const adatom_dataset *dataset;
    const adatom_episodes *episodes;
    ad_settings settings;
    adatom_episodes_info list;
    int first, count;         /* episodes of the list */
    bool *layers;             /* of the network, those that adapt; NULL: all */
    ad_episode_rows pictures; /* of the episodes */
    int supports, queries;    /* pictures of one task, views counted */
    int views;                /* of a support picture, at least 1 */
    int batch, rounds;        /* support pictures of one step; rounds of mini-batches (0: none) */
    int query, query_rounds;  /* pictures of one run of EVAL; its runs */
    /* The numbers of steps after which the queries are classified, ascending; the last is settings.steps. */
    const int *stops;
    int stop_count;
    size_t memory_bytes, arena_bytes;
    adatom_evaluation **evaluations; /* one for each stop */
} adaptation;

/* ---- preparing ---- */

/* A step takes `batch` of the support pictures; where that doesn't divide their number, each step's pictures are
 * repeated so that the smaller last batch has the same size: the mean over repeated pictures is the mean over the
 * pictures. */
static void choose_batches(adaptation *a) {
    const ad_settings *s = &a->settings;
    a->batch = a->supports;
    if (s->batch && s->batch < a->supports) {
        int rest = a->supports % s->batch, repeat = rest ? rest : 1;
        for (int k = 1; rest && k <= rest; k++)
            if (s->batch * k % rest == 0) {
                repeat = k;
                break;
            }
        a->batch = s->batch * repeat;
        a->rounds = s->epochs * ((a->supports + s->batch - 1) / s->batch);
    } else if (s->batch) {
        a->rounds = s->epochs;
    }
    if (a->rounds) a->settings.steps = a->rounds;
    a->query = a->queries;
    if (a->settings.backbone && s->bn != AD_BN_TRANSDUCTIVE) a->query = AD_MIN(a->queries, AD_MAX(a->supports, 25));
    a->query_rounds = (a->queries + a->query - 1) / a->query;
}

/* Plans as many tasks at once as fit. */
static adatom_status plan_episodes(adaptation *a, const adatom_method *method) {
    ad_session *s = &a->session;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(a->dataset, &info);
    if (a->settings.backbone)
        ad_session_use_pictures(s, adatom_dataset_pixels(a->dataset, 0), info.image_size);
    else
        ad_session_use_features(s, NULL);
    ad_build_params build = {.net = &s->model->net,
                             .from_features = !a->settings.backbone,
                             .way = a->list.way,
                             .support = a->batch,
                             .support_rounds = a->rounds,
                             .query = a->query,
                             .query_rounds = a->query_rounds,
                             .eval_between = a->stop_count > 1,
                             .through = a->stop_count == 1,
                             .data_size = info.image_size,
                             .layers = a->layers};
    ad_settings_apply(&a->settings, &build);
    if (a->settings.views && a->settings.backbone) ad_views_apply(a->settings.seed, s->model, &build);
    const ad_tasks_wanted wanted = {.tasks = method->tasks_at_once,
                                    .most = a->count,
                                    .rows = a->pictures.image_count,
                                    .rows_per_task = (size_t)(a->supports + a->queries),
                                    .memory_bytes = a->memory_bytes};
    adatom_status status = ad_session_plan_tasks(s, &build, &wanted);
    if (status == ADATOM_OK) a->arena_bytes = ad_plan_bytes(s->built.plan);
    return status;
}

static adatom_status prepare(adaptation *a, const adatom_method *method) {
    adatom_context *ctx = a->session.device->ctx;
    adatom_status status = ad_settings_resolve(ctx, method, a->session.model, &a->settings);
    if (status == ADATOM_OK) status = ad_run_model_method(ctx, a->dataset, &a->settings);
    if (status == ADATOM_OK) status = ad_settings_layers(ctx, &a->settings, &a->session.model->net, &a->layers);
    if (status != ADATOM_OK) return status;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(a->dataset, &info);
    adatom_episodes_describe(a->episodes, &a->list);
    if (info.features && a->settings.views)
        return ad_fail(ctx, ADATOM_USAGE, "'%s' holds features, of which there are no other views", info.name);
    status = ad_settings_check_head(ctx, &a->settings, &a->session.model->net, a->list.way);
    if (status != ADATOM_OK) return status;
    if (strcmp(info.hash, a->list.dataset_hash) != 0)
        return ad_fail(ctx, ADATOM_BAD_DATA, "the episodes were drawn from another data set (hash %s, this one is %s)",
                       a->list.dataset_hash, info.hash);
    if (!info.features && info.image_size < a->session.model->net.image_size)
        return ad_fail(ctx, ADATOM_BAD_DATA, "the data set's pictures are %d pixels, the model wants %d",
                       info.image_size, a->session.model->net.image_size);
    if (a->count == 0 && a->first >= 0) a->count = a->list.tasks - a->first;
    if (a->first < 0 || a->count < 1 || a->first > a->list.tasks - a->count)
        return ad_fail(ctx, ADATOM_USAGE, "%d episodes from number %d on are outside the list of %d", a->count,
                       a->first, a->list.tasks);
    a->views = AD_MAX(a->settings.views, 1);
    a->supports = a->list.way * a->list.shot * a->views;
    a->queries = a->list.way * a->list.query;
    choose_batches(a);
    if (!a->stops) a->stops = &a->settings.steps;
    a->memory_bytes = method->memory_bytes;
    a->pictures = (ad_episode_rows){.ctx = ctx,
                                    .episodes = a->episodes,
                                    .all = info.images,
                                    .views = a->settings.backbone ? 0 : a->settings.views,
                                    .first = a->first,
                                    .count = a->count};
    status = ad_episode_rows_list(&a->pictures, 0, a->count, 0);
    if (status != ADATOM_OK) return status;
    if (!a->settings.solver.solver) return plan_episodes(a, method);
    a->session.build.tasks = 1;
    return ADATOM_OK;
}

static adatom_status create_evaluations(adaptation *a) {
    const ad_session *s = &a->session;
    const ad_evaluation_subject subject = {
        .model = s->model,
        .list = &a->list,
        .first = a->first,
        .count = a->count,
        .tasks_at_once = s->build.tasks,
        .resident = a->settings.solver.solver || s->rows.parts == 1,
        .adapted = a->settings.solver.solver
                       ? ad_solver_numbers(&a->settings.solver, a->list.way, s->model->net.features)
                       : s->built.adapted_logical,
        .arena_bytes = a->arena_bytes};
    adatom_status status = ADATOM_OK;
    for (int k = 0; k < a->stop_count && status == ADATOM_OK; k++) {
        ad_settings settings = a->settings;
        settings.steps = a->stops[k];
        status = ad_evaluation_create(s->device->ctx, &settings, &subject, &a->evaluations[k]);
    }
    return status;
}

/* ---- a group of tasks ---- */

/* The episode of a task; tasks past the end repeat the last one. */
static int episode_of(const adaptation *a, int at, int task) { return a->first + AD_MIN(at + task, a->count - 1); }

/* A new order of the support pictures for each pass over them. */
static void shuffle_support(const adaptation *a, int episode, int pass, int32_t *order) {
    ad_random random = ad_random_make(a->settings.seed, AD_STREAM_SHUFFLE, (uint32_t)episode);
    random.counter[1] = (uint32_t)pass;
    for (int i = 0; i < a->supports; i++) order[i] = i;
    for (int i = a->supports - 1; i > 0; i--) {
        const int k = (int)ad_random_below(&random, (uint32_t)i + 1);
        const int32_t swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}

/* Support pictures and labels of the tasks at once. order: room for the support pictures of a task. */
static adatom_status fill_support(adaptation *a, int at, int32_t *order) {
    ad_session *s = &a->session;
    const int rounds = AD_MAX(a->rounds, 1), per_epoch = a->rounds ? a->rounds / a->settings.epochs : 1;
    for (int t = 0; t < s->build.tasks; t++) {
        const int32_t *support, *query;
        const int e = episode_of(a, at, t);
        adatom_status status = adatom_episodes_get(a->episodes, e, &support, &query);
        if (status != ADATOM_OK) return status;
        for (int i = 0; i < a->supports; i++) order[i] = i;
        for (int r = 0; r < rounds; r++) {
            const size_t to = ad_session_support_at(s, r, t);
            if (a->rounds && r % per_epoch == 0) shuffle_support(a, e, r / per_epoch, order);
            const int begin = a->rounds ? r % per_epoch * a->settings.batch : 0;
            const int n = a->rounds ? AD_MIN(a->settings.batch, a->supports - begin) : a->batch;
            for (int i = 0; i < a->batch; i++) {
                const int32_t one = order[begin + i % n], of = one / a->views;
                const int32_t number =
                    a->settings.views ? ad_view_number(one % a->views + 1, support[of], a->pictures.all) : support[of];
                s->support[to + (size_t)i] = a->pictures.row_of[a->settings.backbone ? support[of] : number];
                s->support_draw[to + (size_t)i] = number;
                s->labels[to + (size_t)i] = ad_support_label(&a->list, of, a->settings.label_noise);
            }
        }
    }
    return ADATOM_OK;
}

/* Past the end of the queries the last one is repeated. */
static adatom_status fill_query(adaptation *a, int at) {
    ad_session *s = &a->session;
    for (int t = 0; t < s->build.tasks; t++) {
        const int32_t *support, *query;
        adatom_status status = adatom_episodes_get(a->episodes, episode_of(a, at, t), &support, &query);
        if (status != ADATOM_OK) return status;
        for (int i = 0; i < a->query_rounds * a->query; i++)
            s->query[ad_session_query_at(s, t, i)] = a->pictures.row_of[query[AD_MIN(i, a->queries - 1)]];
    }
    return ADATOM_OK;
}

/* What of the tasks INIT does not know: random heads and adapters of kernels, the same for an episode however many run
 * at once. */
static adatom_status start_random(adaptation *a, int at) {
    ad_session *s = &a->session;
    const size_t count = a->settings.head_random ? s->built.plan->tensors[s->built.head].count : 0;
    adatom_status status = ADATOM_OK;
    float *weights = ad_malloc(s->device->ctx, count, sizeof *weights);
    if (!weights) return ADATOM_OUT_OF_MEMORY;
    for (int t = 0; t < s->build.tasks; t++) {
        const int e = episode_of(a, at, t);
        if (count) {
            ad_draw_head(a->settings.seed, e, s->model->net.features, weights, count);
            AD_TRY(ad_session_write(s, s->built.head, t, 0, weights, count));
        }
        AD_TRY(ad_start_lowrank(s, a->settings.seed, e, t));
    }
done:
    ad_free(weights);
    return status;
}

/* Keeps the classes predicted for the queries of the tasks from `at` on. A task that diverged has no accuracy. */
static void keep_predictions(adaptation *a, int at, int steps, adatom_evaluation *out) {
    ad_session *s = &a->session;
    for (int t = 0; t < AD_MIN(s->build.tasks, a->count - at); t++) {
        const bool diverged = ad_session_judge(s, t, a->queries, steps > 0);
        int32_t *to = out->predictions + (size_t)(at + t) * (size_t)a->queries, right = 0;
        for (int q = 0; q < a->queries; q++) {
            to[q] = diverged ? -1 : s->predicted[ad_session_query_at(s, t, q)];
            right += to[q] == q / a->list.query;
        }
        out->accuracy[at + t] = diverged ? NAN : (float)right / (float)a->queries;
        out->info.diverged += diverged;
    }
}

/* Adapts to the tasks from `at` on. */
static adatom_status adapt_group(adaptation *a, int at, int32_t *order) {
    ad_session *s = &a->session;
    const double start = ad_seconds();
    adatom_status status;
    AD_TRY(ad_episode_rows_load(&a->pictures, &s->rows, at, s->build.tasks));
    AD_TRY(fill_support(a, at, order));
    AD_TRY(fill_query(a, at));
    AD_TRY(ad_session_start(s));
    AD_TRY(start_random(a, at));
    for (int k = 0; k < a->stop_count; k++) {
        AD_TRY(ad_session_adapt(s, k == 0, a->stops[k] - (k ? a->stops[k - 1] : 0)));
        keep_predictions(a, at, a->stops[k], a->evaluations[k]);
        a->evaluations[k]->info.seconds += ad_seconds() - start;
    }
done:
    return status;
}

static void tell_progress(const adaptation *a, int done) {
    adatom_progress now = {.phase = ADATOM_PHASE_EPISODES, .done = (uint64_t)done, .total = (uint64_t)a->count};
    adatom_mean_interval(a->evaluations[a->stop_count - 1]->accuracy, NULL, (size_t)done, &now.mean, &now.ci95);
    ad_report_details(a->session.device->ctx, &now);
}

static adatom_status adapt_groups(adaptation *a) {
    ad_session *s = &a->session;
    adatom_status status = ADATOM_OK;
    int32_t *order = ad_malloc(s->device->ctx, (size_t)a->supports, sizeof *order);
    if (!order) return ADATOM_OUT_OF_MEMORY;
    for (int at = 0; at < a->count; at += s->build.tasks) {
        AD_TRY(ad_interrupted(s->device->ctx));
        AD_TRY(adapt_group(a, at, order));
        tell_progress(a, AD_MIN(at + s->build.tasks, a->count));
    }
done:
    ad_free(order);
    return status;
}

/* ---- the whole ---- */

/* *out: the caller's params; *method: the caller's, or the default; *run: of the caller's model and the data. */
static adatom_status read_params(adatom_context *ctx, const adatom_model *model, const adatom_adapt_params *params,
                                 adatom_adapt_params *out, adatom_method *method, ad_run_model *run) {
    adatom_status status = AD_PARAMS(ctx, adatom_adapt_params, params, out);
    *run = (ad_run_model){0};
    if (status == ADATOM_OK) status = AD_PARAMS(ctx, adatom_method, out->method, method);
    if (status == ADATOM_OK && (!out->dataset || !out->episodes))
        status = ad_fail(ctx, ADATOM_USAGE, "adapting needs a data set and a list of episodes");
    if (status == ADATOM_OK) status = ad_run_model_choose(ctx, model, out->dataset, run);
    return status;
}

static adaptation adaptation_of(adatom_device *device, const adatom_model *model, const adatom_adapt_params *params) {
    return (adaptation){.session = ad_session_of(device, model),
                        .dataset = params->dataset,
                        .episodes = params->episodes,
                        .list = ADATOM_INIT(adatom_episodes_info),
                        .first = params->first,
                        .count = params->count,
                        .stop_count = 1};
}

static void clear_adaptation(adaptation *a) {
    ad_session_clear(&a->session);
    ad_free(a->layers);
    ad_episode_rows_clear(&a->pictures);
}

/* Everything that a run would need, that of the features included where the backbone stays as it is. */
static adatom_status plan_whole(adaptation *a, const adatom_method *method) {
    adatom_status status = prepare(a, method);
    if (status != ADATOM_OK || a->settings.backbone) return status;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(a->dataset, &info);
    if (info.features) return ADATOM_OK;
    const ad_features_wanted wanted = {.device = a->session.device,
                                       .model = a->session.model,
                                       .size = info.image_size,
                                       .count = a->pictures.image_count,
                                       .mirror = a->settings.mirror,
                                       .memory_bytes = a->memory_bytes};
    return ad_features_plan(&wanted);
}

adatom_status adatom_adapt_plan(adatom_device *device, const adatom_model *model, const adatom_adapt_params *params,
                                adatom_adapt_plan_info *out) {
    adatom_context *ctx = device->ctx;
    adatom_adapt_params p;
    adatom_method method;
    ad_run_model run;
    adatom_status status = read_params(ctx, model, params, &p, &method, &run);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    adaptation a = adaptation_of(device, run.model, &p);
    if (p.step_count > 1) a.stop_count = 2;
    if (status == ADATOM_OK) status = plan_whole(&a, &method);
    adatom_adapt_plan_info info = ADATOM_INIT(adatom_adapt_plan_info);
    if (status == ADATOM_OK) {
        info.arena_bytes = a.arena_bytes;
        info.tasks_at_once = a.session.build.tasks;
    }
    clear_adaptation(&a);
    ad_run_model_clear(&run);
    const adatom_status written = AD_INFO(ctx, adatom_adapt_plan_info, &info, out);
    return ad_call_end(ctx, &outer, status == ADATOM_OK ? written : status);
}

static adatom_status cached_features(adaptation *a, const float **table) {
    const ad_cached_wanted wanted = {.numbers = a->pictures.images,
                                     .count = a->pictures.image_count,
                                     .views = a->pictures.views,
                                     .seed = a->settings.seed,
                                     .mirror = a->settings.mirror,
                                     .memory_bytes = a->memory_bytes};
    return ad_feature_cache_table(&a->session, a->dataset, &wanted, table);
}

static adatom_status begin_session(adaptation *a) {
    ad_session *s = &a->session;
    const int steps = a->settings.steps;
    const float *features = NULL;
    float *schedule = ad_calloc(s->device->ctx, AD_SCHEDULE_COLUMNS * (size_t)AD_MAX(steps, 1), sizeof *schedule);
    adatom_status status = schedule ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    if (status != ADATOM_OK) return status;
    if (!a->settings.backbone) {
        AD_TRY(cached_features(a, &features));
        s->rows.table = features;
    }
    ad_log(s->device->ctx, ADATOM_LOG_INFO, "%s: %.1f MiB of %s, %s", a->settings.name,
           (double)ad_row_stream_bytes(&s->rows) / 0x1p20, a->settings.backbone ? "pictures" : "features",
           s->rows.parts == 1 ? "resident" : "streamed while it computes");
    ad_settings_schedule(&a->settings, steps, schedule);
    AD_TRY(ad_session_begin(s, schedule, steps));
done:
    ad_free(schedule);
    return status;
}

/* What a method that is solved on the host does in place of a session. */
static adatom_status solve_all(adaptation *a) {
    const float *table = NULL;
    adatom_status status = cached_features(a, &table);
    if (status != ADATOM_OK) return status;
    ad_limits limits;
    a->session.device->engine->api->limits(a->session.device->engine, &limits);
    const ad_solve_run run = {.settings = &a->settings.solver,
                              .episodes = a->episodes,
                              .list = &a->list,
                              .first = a->first,
                              .table = table,
                              .centre = a->session.model->base_mean,
                              .label_noise = a->settings.label_noise,
                              .views = a->settings.views,
                              .pictures = a->pictures.all,
                              .threads = limits.lanes,
                              .features = (size_t)a->session.model->net.features};
    return ad_solve_episodes(a->session.device->ctx, &run, a->evaluations[0]);
}

/* out[0..a->stop_count-1]: all or none. */
static adatom_status adapt_episodes(adaptation *a, const adatom_method *method, adatom_evaluation **out) {
    adatom_context *ctx = a->session.device->ctx;
    const double start = ad_seconds();
    adatom_status status;
    for (int k = 0; k < a->stop_count; k++) out[k] = NULL;
    a->evaluations = out;
    AD_TRY(prepare(a, method));
    AD_TRY(create_evaluations(a));
    if (a->settings.solver.solver) {
        AD_TRY(solve_all(a));
        out[0]->info.seconds = ad_seconds() - start;
    } else {
        AD_TRY(begin_session(a));
        const double begun = ad_seconds();
        AD_TRY(adapt_groups(a));
        for (int k = 0; k < a->stop_count; k++) out[k]->info.seconds += begun - start;
    }
    for (int k = 0; k < a->stop_count; k++) {
        out[k]->info.episodes_per_s = a->count / out[k]->info.seconds;
        ad_evaluation_finish(ctx, out[k], a->first);
    }
done:
    clear_adaptation(a);
    if (status != ADATOM_OK)
        for (int k = 0; k < a->stop_count; k++) adatom_evaluation_destroy(&out[k]);
    return status;
}

adatom_status adatom_adapt_episodes(adatom_device *device, const adatom_model *model, const adatom_adapt_params *params,
                                    adatom_evaluation **out) {
    adatom_context *ctx = device->ctx;
    adatom_adapt_params p;
    adatom_method method;
    ad_run_model run;
    *out = NULL;
    adatom_status status = read_params(ctx, model, params, &p, &method, &run);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    adaptation a = adaptation_of(device, run.model, &p);
    if (status == ADATOM_OK) status = adapt_episodes(&a, &method, out);
    ad_run_model_clear(&run);
    return ad_call_end(ctx, &outer, status);
}

static adatom_status check_stops(adatom_context *ctx, const adatom_adapt_params *p, const adatom_method *method,
                                 size_t capacity) {
    if (p->step_count < 1 || p->step_count > INT32_MAX || !p->steps)
        return ad_fail(ctx, ADATOM_USAGE, "no number of steps is given");
    if (p->step_count > capacity)
        return ad_fail(ctx, ADATOM_USAGE, "%zu numbers of steps give as many evaluations; there is room for %zu",
                       p->step_count, capacity);
    for (size_t k = 0; k < p->step_count; k++)
        if (p->steps[k] < 0 || (k > 0 && p->steps[k] <= p->steps[k - 1]))
            return ad_fail(ctx, ADATOM_USAGE, "the numbers of steps must not be negative, and ascending; %d is not",
                           p->steps[k]);
    if (method->procedure)
        return ad_fail(ctx, ADATOM_USAGE, "the recipe %s decides the number of steps",
                       adatom_procedure_name(method->procedure));
    return ADATOM_OK;
}

adatom_status adatom_adapt_steps(adatom_device *device, const adatom_model *model, const adatom_adapt_params *params,
                                 adatom_evaluation **out, size_t capacity) {
    adatom_context *ctx = device->ctx;
    adatom_adapt_params p;
    adatom_method method;
    ad_run_model run;
    ad_settings settings;
    for (size_t k = 0; k < capacity; k++) out[k] = NULL;
    adatom_status status = read_params(ctx, model, params, &p, &method, &run);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    AD_TRY(status);
    AD_TRY(check_stops(ctx, &p, &method, capacity));
    if (p.steps[p.step_count - 1] == 0) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "0 steps are the only number; give more"));
    method.steps = p.steps[p.step_count - 1];
    AD_TRY(ad_settings_resolve(ctx, &method, run.model, &settings));
    if (settings.steps == 0) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "%s takes no steps", settings.name));
    adaptation a = adaptation_of(device, run.model, &p);
    a.stops = p.steps;
    a.stop_count = (int)p.step_count;
    AD_TRY(adapt_episodes(&a, &method, out));
done:
    ad_run_model_clear(&run);
    return ad_call_end(ctx, &outer, status);
}

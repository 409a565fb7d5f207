/* Adaptation to episodes: many tasks in one program, chunk after chunk (docs/methods.md, "Adaptation and pretraining").
 */
#include "fewshot/features.h"
#include "fewshot/method.h"
#include "fewshot/run.h"
#include "io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct adatom_evaluation {
    adatom_context *ctx;
    adatom_evaluation_info info;
    float *accuracy;
    int32_t *predictions;
    char *config;
    ad_settings settings;
};

typedef struct job {
    adatom_device *device;
    const ad_engine_api *api;
    const adatom_model *model;
    const adatom_dataset *dataset;
    const adatom_episodes *episodes;
    ad_settings settings;
    adatom_episodes_info list;
    int first, count;
    ad_rows rows;             /* pictures, or features where the backbone is as it was */
    int32_t *images, *row_of; /* the pictures some episodes use; their row on the device (by picture) */
    size_t image_count;
    int supports, queries;   /* pictures of one task */
    int batch, rounds;       /* support pictures of one step; rounds of mini-batches (0: none) */
    int query, query_rounds; /* pictures of one eval run; runs */
    int tasks;               /* at once */
    const int
        *stops; /* the numbers of steps after which the queries are classified, ascending; the last is settings.steps */
    int stop_count;
    size_t memory_bytes, arena_bytes;
    ad_built built;
} job;

static void clear(job *j) {
    ad_free(j->images);
    ad_free(j->row_of);
    ad_built_clear(&j->built);
}

/* The pictures of tasks first .. first + count - 1, whose rows begin with `row`. */
static adatom_status list_images(job *j, int first, int count, size_t row) {
    adatom_context *ctx = j->device->ctx;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(j->dataset, &info);
    if (!j->row_of) j->row_of = ad_malloc(ctx, info.images, sizeof *j->row_of);
    if (!j->images) j->images = ad_malloc(ctx, info.images, sizeof *j->images);
    if (!j->row_of || !j->images) return ADATOM_OUT_OF_MEMORY;
    memset(j->row_of, 0, info.images * sizeof *j->row_of);
    for (int e = j->first + first; e < j->first + first + count; e++) {
        const int32_t *support, *query;
        adatom_status status = adatom_episodes_get(j->episodes, e, &support, &query);
        if (status != ADATOM_OK) return status;
        for (int i = 0; i < j->supports; i++) j->row_of[support[i]] = 1;
        for (int i = 0; i < j->queries; i++) j->row_of[query[i]] = 1;
    }
    j->image_count = 0;
    for (size_t i = 0; i < info.images; i++) {
        if (!j->row_of[i]) continue;
        j->row_of[i] = (int32_t)(row + j->image_count);
        j->images[j->image_count++] = (int32_t)i;
    }
    return ADATOM_OK;
}

/* The pictures of the tasks from `at` on, or, where all stay on the device, of all tasks. */
static adatom_status send(job *j, int at) {
    const bool stay = j->rows.parts == 1;
    const long number = stay ? 0 : at / j->tasks;
    adatom_status status = list_images(j, stay ? 0 : at, stay ? j->count : AD_MIN(j->tasks, j->count - at),
                                       ad_rows_first(&j->rows, number));
    return status == ADATOM_OK ? ad_rows_send(&j->rows, number, j->images, 0, j->image_count) : status;
}

/* Those of the tasks from `at` on are there, and row_of tells where; those of the tasks after them are on their way. */
static adatom_status load(job *j, int at) {
    adatom_status status = ADATOM_OK;
    if (j->rows.parts == 1 && at > 0) return ADATOM_OK;
    AD_TRY(send(j, at));
    AD_TRY(ad_rows_wait(&j->rows));
    if (j->rows.parts == 1 || at + j->tasks >= j->count) goto done;
    AD_TRY(send(j, at + j->tasks));
    AD_TRY(send(j, at)); /* only row_of */
done:
    return status;
}

/* A step takes `batch` of the support pictures; where that doesn't divide their number, each step's pictures are
 * repeated so that the smaller last batch has the same size: the mean over repeated pictures is the mean over the
 * pictures. */
static void choose_batches(job *j) {
    const ad_settings *s = &j->settings;
    j->batch = j->supports;
    if (s->batch && s->batch < j->supports) {
        int rest = j->supports % s->batch, repeat = rest ? rest : 1;
        for (int k = 1; rest && k <= rest; k++)
            if (s->batch * k % rest == 0) {
                repeat = k;
                break;
            }
        j->batch = s->batch * repeat;
        j->rounds = s->epochs * ((j->supports + s->batch - 1) / s->batch);
    } else if (s->batch) {
        j->rounds = s->epochs;
    }
    if (j->rounds) j->settings.steps = j->rounds;
    j->query = j->queries;
    if (j->settings.backbone && s->bn != AD_BN_TRANSDUCTIVE) j->query = AD_MIN(j->queries, AD_MAX(j->supports, 25));
    j->query_rounds = (j->queries + j->query - 1) / j->query;
}

/* As many tasks at once as fit, and their plan. */
static adatom_status build(job *j, const adatom_method *method) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(j->dataset, &info);
    j->rows = ad_picture_rows(j->device->engine, j->dataset);
    if (!j->settings.backbone) j->rows.row_bytes = (size_t)j->model->net.features * sizeof(float);
    ad_build_params p = {.net = &j->model->net,
                         .from_features = !j->settings.backbone,
                         .way = j->list.way,
                         .support = j->batch,
                         .support_rounds = j->rounds,
                         .query = j->query,
                         .query_rounds = j->query_rounds,
                         .eval_between = j->stop_count > 1,
                         .through = j->stop_count == 1,
                         .data_size = info.image_size};
    ad_settings_apply(&j->settings, &p);
    adatom_status status = ad_fit_tasks(j->device, &p, &j->rows, j->image_count, (size_t)(j->supports + j->queries),
                                        j->memory_bytes, method->tasks_at_once, j->count, &j->built);
    j->tasks = p.tasks;
    j->arena_bytes = status == ADATOM_OK ? ad_plan_bytes(j->built.plan) : 0;
    return status;
}

static adatom_status prepare(job *j, const adatom_method *method) {
    adatom_context *ctx = j->device->ctx;
    adatom_status status = ad_settings_resolve(ctx, method, &j->settings);
    if (status != ADATOM_OK) return status;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(j->dataset, &info);
    adatom_episodes_describe(j->episodes, &j->list);
    if (strcmp(info.hash, j->list.dataset_hash) != 0)
        return ad_fail(ctx, ADATOM_BAD_DATA, "the episodes were drawn from another data set (hash %s, this one is %s)",
                       j->list.dataset_hash, info.hash);
    if (info.image_size < j->model->net.image_size)
        return ad_fail(ctx, ADATOM_BAD_DATA, "the data set's pictures are %d pixels, the model wants %d", info.image_size,
                       j->model->net.image_size);
    if (j->count == 0 && j->first >= 0) j->count = j->list.tasks - j->first;
    if (j->first < 0 || j->count < 1 || j->first > j->list.tasks - j->count)
        return ad_fail(ctx, ADATOM_USAGE, "%d episodes from number %d on are outside the list of %d", j->count,
                       j->first, j->list.tasks);
    j->supports = j->list.way * j->list.shot;
    j->queries = j->list.way * j->list.query;
    choose_batches(j);
    j->memory_bytes = method->memory_bytes;
    status = list_images(j, 0, j->count, 0);
    return status == ADATOM_OK ? build(j, method) : status;
}

/* Support pictures and labels of the tasks at once, [round][task][batch]; episodes past the end repeat the last one.
 * order: room for the support pictures of a task. */
static adatom_status fill_support(const job *j, int at, int32_t *order, int32_t *index, int32_t *labels) {
    const int rounds = AD_MAX(j->rounds, 1), per_epoch = j->rounds ? j->rounds / j->settings.epochs : 1;
    for (int t = 0; t < j->tasks; t++) {
        const int32_t *support, *query;
        const int e = j->first + AD_MIN(at + t, j->count - 1);
        adatom_status status = adatom_episodes_get(j->episodes, e, &support, &query);
        if (status != ADATOM_OK) return status;
        for (int r = 0; r < rounds; r++) {
            const size_t to = ((size_t)r * (size_t)j->tasks + (size_t)t) * (size_t)j->batch;
            if (!j->rounds) {
                for (int i = 0; i < j->batch; i++)
                    index[to + (size_t)i] = j->row_of[support[i]], labels[to + (size_t)i] = i / j->list.shot;
                continue;
            }
            if (r % per_epoch == 0) { /* a new order for each pass over the support set */
                ad_random random = ad_random_make(j->settings.seed, AD_STREAM_SHUFFLE, (uint32_t)e);
                random.counter[1] = (uint32_t)(r / per_epoch);
                for (int i = 0; i < j->supports; i++) order[i] = i;
                for (int i = j->supports - 1; i > 0; i--) {
                    int k = (int)ad_random_below(&random, (uint32_t)i + 1);
                    int32_t swap = order[i];
                    order[i] = order[k], order[k] = swap;
                }
            }
            const int begin = r % per_epoch * j->settings.batch, n = AD_MIN(j->settings.batch, j->supports - begin);
            for (int i = 0; i < j->batch; i++) {
                int32_t one = order[begin + i % n];
                index[to + (size_t)i] = j->row_of[support[one]], labels[to + (size_t)i] = one / j->list.shot;
            }
        }
    }
    return ADATOM_OK;
}

/* [round][task][query]; past the end of the queries the last one is repeated. */
static adatom_status fill_query(const job *j, int at, int32_t *index) {
    for (int r = 0; r < j->query_rounds; r++)
        for (int t = 0; t < j->tasks; t++) {
            const int32_t *support, *query;
            adatom_status status =
                adatom_episodes_get(j->episodes, j->first + AD_MIN(at + t, j->count - 1), &support, &query);
            if (status != ADATOM_OK) return status;
            for (int i = 0; i < j->query; i++)
                index[((size_t)r * (size_t)j->tasks + (size_t)t) * (size_t)j->query + (size_t)i] =
                    j->row_of[query[AD_MIN(r * j->query + i, j->queries - 1)]];
        }
    return ADATOM_OK;
}

/* A random start of the linear or cosine head, the same for an episode however many run at once. */
static adatom_status write_random_heads(const job *j, ad_program *program, int at) {
    const ad_tensor *head = &j->built.plan->tensors[j->built.head];
    const int f = j->model->net.features;
    float *weights = ad_malloc(j->device->ctx, head->count, sizeof *weights);
    adatom_status status = weights ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    for (int t = 0; t < j->tasks && status == ADATOM_OK; t++) {
        ad_random random =
            ad_random_make(j->settings.seed, AD_STREAM_HEAD, (uint32_t)(j->first + AD_MIN(at + t, j->count - 1)));
        const float bound = 1.0f / __builtin_sqrtf((float)f); /* as torch.nn.Linear starts */
        for (size_t i = 0; i < head->count; i++) weights[i] = (2.0f * ad_random_uniform(&random) - 1.0f) * bound;
        status = j->api->program_write(program, j->built.head, (size_t)t * head->stride * sizeof(float), weights,
                                       head->count * sizeof(float));
    }
    ad_free(weights);
    return status;
}

static adatom_status write_adapters(const job *j, ad_program *program, int at) {
    adatom_status status = ADATOM_OK;
    for (int t = 0; t < j->tasks && status == ADATOM_OK; t++)
        status = ad_write_lowrank(j->device->engine, program, &j->built, &j->model->net, j->settings.lowrank.rank,
                                  j->settings.seed, j->first + AD_MIN(at + t, j->count - 1), t);
    return status;
}

/* Classes predicted for the queries of the tasks from `at` on: [round][task][query]. A task diverged and has no
 * accuracy if it is lost already, if one is missing, or if training left all classes the same score for each of them (a
 * network that only gives zeros). */
static void keep_predictions(const job *j, int at, const int32_t *predicted, const bool *lost, adatom_evaluation *out) {
    const size_t tasks = (size_t)j->tasks;
    for (int t = 0; t < AD_MIN(j->tasks, j->count - at); t++) {
        int32_t *to = out->predictions + (size_t)(at + t) * (size_t)j->queries, right = 0;
        bool diverged = lost[t], tied = j->settings.steps > 0;
        for (int q = 0; q < j->queries; q++) {
            to[q] = predicted[((size_t)(q / j->query) * tasks + (size_t)t) * (size_t)j->query + (size_t)(q % j->query)];
            tied = tied && to[q] == AD_PREDICTED_TIED;
            if (to[q] == AD_PREDICTED_TIED) to[q] = 0;
            right += to[q] == q / j->list.query;
            diverged = diverged || to[q] < 0;
        }
        diverged = diverged || tied;
        out->accuracy[at + t] = diverged ? NAN : (float)right / (float)j->queries;
        out->info.diverged += diverged;
        for (int q = 0; q < j->queries && diverged; q++) to[q] = -1;
    }
}

/* Said once for each evaluation, whoever counts them. */
static void tell_diverged(const job *j, const adatom_evaluation *e) {
    int first = 0;
    if (!e->info.diverged) return;
    while (!isnan(e->accuracy[first])) first++;
    ad_log(j->device->ctx, ADATOM_LOG_WARNING,
           "%s, %d-shot, %d steps: %d of %d episodes diverged (the first is number %d): what adapted or the class "
           "scores are not finite, or "
           "all scores are the same. %s; "
           "lower the learning rate",
           e->settings.name, e->info.shot, e->info.steps, e->info.diverged, e->info.tasks, j->first + first,
           e->info.diverged == e->info.tasks ? "There is no accuracy" : "They are left out of the accuracy");
}

/* out: an evaluation for each stop. */
static adatom_status run_batches(job *j, ad_program *program, adatom_evaluation *const *out) {
    const ad_engine_api *api = j->api;
    const ad_built *built = &j->built;
    const size_t tasks = (size_t)j->tasks, rounds = (size_t)AD_MAX(j->rounds, 1);
    const size_t supports = rounds * tasks * (size_t)j->batch,
                 queries = (size_t)j->query_rounds * tasks * (size_t)j->query;
    const int32_t zero = 0;
    adatom_status status = ADATOM_OK;
    bool *lost = ad_malloc(j->device->ctx, tasks, sizeof *lost);
    int32_t *numbers = ad_malloc(j->device->ctx, 2 * supports + 2 * queries + (size_t)j->supports, sizeof *numbers);
    float *schedule = ad_calloc(j->device->ctx, 8 * (size_t)AD_MAX(j->settings.steps, 1), sizeof *schedule);
    if (!numbers || !schedule || !lost) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    int32_t *support = numbers, *labels = support + supports, *query = labels + supports, *predicted = query + queries,
            *order = predicted + queries;
    ad_settings_schedule(&j->settings, j->settings.steps, schedule);
    if (built->schedule >= 0)
        AD_TRY(api->program_write(program, built->schedule, 0, schedule,
                                  8 * (size_t)j->settings.steps * sizeof *schedule));
    if (built->norm >= 0) {
        float norm[8];
        ad_normalisation(j->model, norm);
        AD_TRY(api->program_write(program, built->norm, 0, norm, sizeof norm));
    }
    for (int at = 0; at < j->count; at += j->tasks) {
        AD_TRY(ad_interrupted(j->device->ctx));
        const double start = ad_seconds();
        AD_TRY(load(j, at));
        AD_TRY(fill_support(j, at, order, support, labels));
        AD_TRY(fill_query(j, at, query));
        AD_TRY(api->program_write(program, built->support_index, 0, support, supports * sizeof *support));
        AD_TRY(api->program_write(program, built->support_labels, 0, labels, supports * sizeof *labels));
        AD_TRY(api->program_write(program, built->query_index, 0, query, queries * sizeof *query));
        if (built->counter >= 0) AD_TRY(api->program_write(program, built->counter, 0, &zero, sizeof zero));
        AD_TRY(ad_run_segment(api, program, AD_SEGMENT_INIT, 1));
        if (j->settings.head_random) AD_TRY(write_random_heads(j, program, at));
        AD_TRY(write_adapters(j, program, at));
        for (int k = 0, before = 0; k < j->stop_count; before = j->stops[k++]) {
            const ad_run runs[] = {{AD_SEGMENT_PREFIX, k == 0},
                                   {AD_SEGMENT_STEP, j->stops[k] - before},
                                   {AD_SEGMENT_EVAL, j->query_rounds}};
            AD_TRY(api->program_write(program, built->eval_counter, 0, &zero, sizeof zero));
            AD_TRY(api->program_run(program, runs, 3));
            AD_TRY(api->program_read(program, built->query_predicted, 0, predicted, queries * sizeof *predicted));
            memset(lost, 0, tasks * sizeof *lost);
            AD_TRY(ad_find_lost(j->device->engine, program, built, j->tasks, lost));
            keep_predictions(j, at, predicted, lost, out[k]);
            out[k]->info.seconds += ad_seconds() - start;
        }
        adatom_progress now = {.phase = ADATOM_PHASE_EPISODES,
                               .done = (uint64_t)AD_MIN(at + j->tasks, j->count),
                               .total = (uint64_t)j->count};
        adatom_mean_interval(out[j->stop_count - 1]->accuracy, NULL, (size_t)now.done, &now.mean, &now.ci95);
        ad_report_details(j->device->ctx, &now);
    }
done:
    ad_free(lost);
    ad_free(numbers);
    ad_free(schedule);
    return status;
}

static char *config_text(const job *j, const ad_settings *settings) {
    json_t *config = ad_settings_json(settings);
    bool bad = !config;
    if (bad) return NULL;
    adatom_model_info model = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(j->model, &model);
    ad_json_set(config, "model",
                json_pack("{s:s, s:s, s:i, s:i, s:s}", "arch", model.arch, "sharing", adatom_sharing_name(model.sharing), "atoms",
                          model.atoms, "image_size", model.image_size, "hash", model.hash),
                &bad);
    ad_json_set(config, "first_episode", json_integer(j->first), &bad);
    ad_json_set(config, "episodes", json_integer(j->count), &bad);
    ad_json_set(config, "tasks_at_once", json_integer(j->tasks), &bad);
    ad_json_set(config, "pictures", json_string(j->rows.parts == 1 ? "resident" : "streamed"), &bad);
    char *text = bad ? NULL : ad_json_dump(config, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(config);
    return text;
}

static adatom_evaluation *evaluation_create(const job *j, int steps) {
    adatom_context *ctx = j->device->ctx;
    adatom_evaluation *e = ad_calloc(ctx, 1, sizeof *e);
    if (!e) return NULL;
    e->ctx = ctx;
    e->settings = j->settings;
    e->settings.steps = steps;
    e->accuracy = ad_calloc(ctx, (size_t)j->count, sizeof(float));
    e->predictions = ad_calloc(ctx, (size_t)j->count * (size_t)j->queries, sizeof(int32_t));
    e->config = config_text(j, &e->settings);
    e->info = (adatom_evaluation_info){.method = e->settings.kind,
                                       .tasks = j->count,
                                       .way = j->list.way,
                                       .shot = j->list.shot,
                                       .query = j->list.query,
                                       .steps = steps,
                                       .accuracy = e->accuracy,
                                       .predictions = e->predictions,
                                       .adapted = j->built.adapted_logical,
                                       .arena_bytes = j->arena_bytes,
                                       .tasks_at_once = j->tasks,
                                       .config_json = e->config};
    if (!e->accuracy || !e->predictions || !e->config) {
        ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
        adatom_evaluation_destroy(&e);
    }
    return e;
}

/* The caller's params, in which everything but the method may be used; *method is the caller's or the default. */
static adatom_status read_params(adatom_context *ctx, const adatom_adapt_params *params, adatom_adapt_params *out,
                                 adatom_method *method) {
    adatom_status status = AD_PARAMS(ctx, adatom_adapt_params, params, out);
    if (status == ADATOM_OK) status = AD_PARAMS(ctx, adatom_method, out->method, method);
    if (status == ADATOM_OK && (!out->dataset || !out->episodes))
        status = ad_fail(ctx, ADATOM_USAGE, "adapting needs a data set and a list of episodes");
    return status;
}

static job job_of(adatom_device *device, const adatom_model *model, const adatom_adapt_params *params) {
    return (job){.device = device,
                 .api = device->engine->api,
                 .model = model,
                 .dataset = params->dataset,
                 .episodes = params->episodes,
                 .list = ADATOM_INIT(adatom_episodes_info),
                 .stop_count = 1};
}

static adatom_status plan(job *j, const adatom_method *method) {
    adatom_status status = prepare(j, method);
    if (status == ADATOM_OK && !j->settings.backbone) {
        adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
        adatom_dataset_describe(j->dataset, &info);
        status = ad_features_plan(j->device, j->model, info.image_size, j->image_count, j->memory_bytes);
    }
    return status;
}

adatom_status adatom_adapt_plan(adatom_device *device, const adatom_model *model, const adatom_adapt_params *params,
                                adatom_adapt_plan_info *out) {
    adatom_context *ctx = device->ctx;
    adatom_adapt_params p;
    adatom_method method;
    adatom_status status = read_params(ctx, params, &p, &method);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    job j = job_of(device, model, &p);
    if (p.step_count > 1) j.stop_count = 2;
    if (status == ADATOM_OK) status = plan(&j, &method);
    const adatom_adapt_plan_info info = {.arena_bytes = status == ADATOM_OK ? j.arena_bytes : 0,
                                         .tasks_at_once = status == ADATOM_OK ? j.tasks : 0};
    clear(&j);
    const adatom_status written = AD_INFO(ctx, adatom_adapt_plan_info, &info, out);
    return ad_call_end(ctx, &outer, status == ADATOM_OK ? written : status);
}

/* out[0..j->stop_count-1]: all or none. */
static adatom_status adapt(job *j, const adatom_method *method, adatom_evaluation **out) {
    ad_engine *engine = j->device->engine;
    ad_buffer *params = NULL;
    ad_program *program = NULL;
    const double start = ad_seconds();
    adatom_status status;
    for (int k = 0; k < j->stop_count; k++) out[k] = NULL;
    AD_TRY(prepare(j, method));
    if (!j->stops) j->stops = &j->settings.steps;
    for (int k = 0; k < j->stop_count; k++)
        if (!(out[k] = evaluation_create(j, j->stops[k]))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_upload_parameters(engine, j->model, &params));
    if (!j->settings.backbone)
        AD_TRY(ad_features_table(j->device, j->model, j->dataset, j->images, j->image_count, j->memory_bytes,
                                 &j->rows.table));
    ad_log(j->device->ctx, ADATOM_LOG_INFO, "%s: %.1f MiB of %s, %s", j->settings.name,
           (double)ad_rows_bytes(&j->rows) / 0x1p20, j->settings.backbone ? "pictures" : "features",
           j->rows.parts == 1 ? "resident" : "streamed while it computes");
    AD_TRY(ad_rows_create(&j->rows));
    AD_TRY(ad_program_make(engine, &j->built, params, &j->rows, &program));
    const double begun = ad_seconds();
    AD_TRY(run_batches(j, program, out));
    for (int k = 0; k < j->stop_count; k++) {
        adatom_evaluation_info *info = &out[k]->info;
        adatom_mean_interval(out[k]->accuracy, NULL, (size_t)j->count, &info->mean, &info->ci95);
        info->seconds += begun - start;
        info->episodes_per_s = j->count / info->seconds;
        tell_diverged(j, out[k]);
    }
done:
    if (program) j->api->program_destroy(&program);
    if (params) j->api->buffer_destroy(engine, &params);
    ad_rows_clear(&j->rows);
    clear(j);
    if (status != ADATOM_OK)
        for (int k = 0; k < j->stop_count; k++) adatom_evaluation_destroy(&out[k]);
    return status;
}

adatom_status adatom_adapt_episodes(adatom_device *device, const adatom_model *model,
                                    const adatom_adapt_params *params, adatom_evaluation **out) {
    adatom_context *ctx = device->ctx;
    adatom_adapt_params p;
    adatom_method method;
    *out = NULL;
    adatom_status status = read_params(ctx, params, &p, &method);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    job j = job_of(device, model, &p);
    j.first = p.first;
    j.count = p.count;
    if (status == ADATOM_OK) status = adapt(&j, &method, out);
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
        if (p->steps[k] < 1 || (k > 0 && p->steps[k] <= p->steps[k - 1]))
            return ad_fail(ctx, ADATOM_USAGE, "the numbers of steps must be positive and ascending; %d is not",
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
    ad_settings settings;
    for (size_t k = 0; k < capacity; k++) out[k] = NULL;
    adatom_status status = read_params(ctx, params, &p, &method);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    AD_TRY(status);
    AD_TRY(check_stops(ctx, &p, &method, capacity));
    method.steps = p.steps[p.step_count - 1];
    AD_TRY(ad_settings_resolve(ctx, &method, &settings));
    if (settings.steps == 0) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "%s takes no steps", settings.name));
    job j = job_of(device, model, &p);
    j.first = p.first;
    j.count = p.count;
    j.stops = p.steps;
    j.stop_count = (int)p.step_count;
    AD_TRY(adapt(&j, &method, out));
done:
    return ad_call_end(ctx, &outer, status);
}

adatom_status adatom_evaluation_describe(const adatom_evaluation *evaluation, adatom_evaluation_info *out) {
    return AD_INFO(evaluation->ctx, adatom_evaluation_info, &evaluation->info, out);
}

void adatom_evaluation_destroy(adatom_evaluation **evaluation) {
    if (!evaluation || !*evaluation) return;
    ad_free((*evaluation)->accuracy);
    ad_free((*evaluation)->predictions);
    free((*evaluation)->config); /* from jansson */
    ad_free(*evaluation);
    *evaluation = NULL;
}

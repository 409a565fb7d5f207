/* From a folder of pictures to an adapter. The estimate of its accuracy is a set of tasks that each leave some pictures
 * out, all of them adapted at once; the adapter itself is one more task with every picture. */
#include "fewshot/adapter.h"
#include "fewshot/features.h"
#include "fewshot/method.h"
#include "fewshot/run.h"
#include "io/dataset.h"
#include "io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EVERYTHING = AD_FOLD_NONE, CHECKPOINTS = 10, QUERY = 32 };

typedef struct fit {
    adatom_device *device;
    adatom_context *ctx;
    const ad_engine_api *api;
    const adatom_model *model;
    const adatom_dataset *dataset;
    adatom_dataset_info info;
    adatom_fit_params p; /* defaults filled in */
    adatom_method method;
    ad_settings settings;
    int images, features;
    int32_t *labels; /* of each picture */
    int32_t *fold;   /* the task that leaves it out and is asked about it; EVERYTHING: none */
    int folds;       /* tasks of the estimate; 0: none */
    bool fresh;      /* each step has its own pictures: mini-batches or augmentation */
    int batch;
    ad_rows rows; /* the pictures, or their features where the backbone is as it was */
    const float
        *table; /* features on the host (the device's): [images][features]; NULL where they depend on the support set */
    ad_buffer *params;
    /* results of the estimate */
    int checkpoints, steps_at[CHECKPOINTS], tested_at[CHECKPOINTS], right_at[CHECKPOINTS];
    int lost_at[CHECKPOINTS];       /* tasks that diverged: what they were asked about is not among tested */
    int first_lost_at[CHECKPOINTS]; /* the first of them */
    int *tested, *right;            /* [CHECKPOINTS][classes] */
    int done, total;                /* for progress */
} fit;

/* Some tasks on the device: consecutive folds, or the one with everything. */
typedef struct batch {
    fit *f;
    int first, count, at_once; /* first EVERYTHING: one task */
    int supports, queries;     /* the most of any task */
    int size, rounds;          /* pictures of a step; rounds of them, 0: always the same */
    int query, query_rounds;
    ad_built built;
    ad_program *program;
    int32_t *support, *labels, *index, *predicted, *order;
    bool *lost; /* of the tasks at once */
} batch;

/* Where the answer to query number i of a slot is: [round][task][query]. */
static size_t slot_of(const batch *b, int slot, int i) {
    return ((size_t)(i / b->query) * (size_t)b->at_once + (size_t)slot) * (size_t)b->query + (size_t)(i % b->query);
}
static int task_of(const batch *b, int slot) { return b->first == EVERYTHING ? EVERYTHING : b->first + slot; }
static bool supports(const fit *f, int image, int task) { return task == EVERYTHING || f->fold[image] != task; }
static bool asked(const fit *f, int image, int task) { return task == EVERYTHING || f->fold[image] == task; }

static int list(const fit *f, int task, bool (*belongs)(const fit *, int, int), int32_t *out) {
    int n = 0;
    for (int i = 0; i < f->images; i++)
        if (belongs(f, i, task)) out[n++] = i;
    return n;
}

static adatom_status read_classes(fit *f) {
    if (f->info.classes < 2)
        return ad_fail(f->ctx, ADATOM_BAD_DATA, "'%s' has only one class; a classifier needs two or more",
                       f->info.name);
    adatom_status status = ADATOM_OK;
    ad_alike *alike = NULL;
    size_t found = 0;
    const char **names = ad_calloc(f->ctx, (size_t)f->info.classes, sizeof *names);
    if (!names) return ADATOM_OUT_OF_MEMORY;
    for (int c = 0; c < f->info.classes; c++) {
        size_t first, count;
        AD_TRY(adatom_dataset_class(f->dataset, c, &names[c], &first, &count));
        for (size_t i = first; i < first + count; i++) f->labels[i] = c;
    }
    AD_TRY(ad_names_alike(f->ctx, names, f->info.classes, &alike, &found));
    if (found)
        status = ad_fail(f->ctx, ADATOM_BAD_DATA, "the classes '%s' and '%s' %s; rename or merge one of them",
                         names[alike->first], names[alike->second], alike->how);
done:
    ad_free(alike);
    ad_free(names);
    return status;
}

static adatom_status fill_defaults(fit *f) {
    adatom_fit_params *p = &f->p;
    if (!p->batch) p->batch = 64;
    if (!p->augment) p->augment = ADATOM_AUGMENT_NONE;
    if (!p->shift) p->shift = AD_MAX(f->model->net.image_size / 10, 1);
    if (!p->folds) p->folds = 5;
    if (p->holdout == 0.0f) p->holdout = 0.2f;
    if (p->batch < 1) return ad_fail(f->ctx, ADATOM_USAGE, "a step has %d pictures; at least one is needed", p->batch);
    if (f->method.procedure != ADATOM_PROCEDURE_NONE)
        return ad_fail(f->ctx, ADATOM_USAGE, "the recipe '%s' is for episodes only",
                       adatom_procedure_name(f->method.procedure));
    adatom_status status = ad_settings_resolve(f->ctx, &f->method, &f->settings);
    if (status == ADATOM_OK) status = ad_augment_check(f->ctx, p->augment);
    if (status != ADATOM_OK) return status;
    if (f->settings.bn == AD_BN_TRANSDUCTIVE)
        return ad_fail(f->ctx, ADATOM_USAGE,
                       "statistics of the pictures to classify (transductive) cannot be kept; take frozen or support");
    if (f->info.image_size < f->model->net.image_size)
        return ad_fail(f->ctx, ADATOM_BAD_DATA, "the data set's pictures are %d pixels, the model wants %d",
                       f->info.image_size, f->model->net.image_size);
    if (f->info.images > INT32_MAX / 2)
        return ad_fail(f->ctx, ADATOM_BAD_DATA, "'%s' has %zu pictures, too many for an adapter", f->info.name,
                       f->info.images);
    f->images = (int)f->info.images;
    f->features = f->model->net.features;
    return ADATOM_OK;
}

/* Steps of the whole support set where that is possible, mini-batches otherwise. */
static adatom_status choose_steps(fit *f) {
    ad_settings *s = &f->settings;
    const bool augmented = (f->p.augment & ~(uint32_t)ADATOM_AUGMENT_NONE) != 0,
               uneven = f->p.estimate == ADATOM_ESTIMATE_FOLDS;
    const bool trains = s->steps > 0;
    f->fresh = trains && (augmented || f->images > f->p.batch || uneven);
    if (augmented && !s->backbone)
        return ad_fail(f->ctx, ADATOM_USAGE,
                       "'%s' works on features that are computed once; leave the augmentation out", s->name);
    if (s->bn == AD_BN_SUPPORT && (f->fresh || uneven))
        return ad_fail(
            f->ctx, ADATOM_USAGE,
            "statistics of the support set need all of its %d pictures in each step: raise the batch (%d), without "
            "augmentation and folds",
            f->images, f->p.batch);
    if (f->fresh && !f->method.steps) s->steps = AD_MAX(s->steps, 5 * ((f->images + f->p.batch - 1) / f->p.batch));
    f->checkpoints = f->p.early_stop && f->folds > 0 ? AD_MIN(AD_MAX(s->steps, 1), CHECKPOINTS) : 1;
    for (int k = 0; k < f->checkpoints; k++) f->steps_at[k] = (int)((int64_t)s->steps * (k + 1) / f->checkpoints);
    /* The class means of a frozen backbone are known beforehand: a head that starts (or stays) there is written by the
     * host. */
    if (s->bn == AD_BN_FROZEN && s->head == AD_HEAD_CENTROID) s->head = AD_HEAD_LINEAR, s->centroid = true;
    if (s->bn == AD_BN_FROZEN && s->head == AD_HEAD_CENTROID_COSINE) s->head = AD_HEAD_COSINE;
    return ADATOM_OK;
}

static adatom_status upload(fit *f) {
    adatom_status status;
    const void *table = NULL;
    f->rows = ad_picture_rows(f->device->engine, f->dataset);
    AD_TRY(ad_upload_parameters(f->device->engine, f->model, &f->params));
    if (f->settings.bn == AD_BN_FROZEN)
        AD_TRY(ad_features_table(f->device, f->model, f->dataset, NULL, (size_t)f->images, f->method.memory_bytes,
                                 &table));
    f->table = table;
    if (!f->settings.backbone) f->rows.table = table, f->rows.row_bytes = (size_t)f->features * sizeof(float);
    AD_TRY(ad_rows_upload(&f->rows, NULL, (size_t)f->images));
done:
    return status;
}

static adatom_status begin(batch *b, int first, int count) {
    fit *f = b->f;
    adatom_status status;
    const size_t images = (size_t)f->images;
    b->first = first, b->count = count;
    int least = f->images;
    if (!(b->order = ad_malloc(f->ctx, images, sizeof *b->order))) return ADATOM_OUT_OF_MEMORY;
    for (int t = 0; t < count; t++) {
        const int n = list(f, task_of(b, t), supports, b->order);
        b->supports = AD_MAX(b->supports, n);
        least = AD_MIN(least, n);
        b->queries = AD_MAX(b->queries, list(f, task_of(b, t), asked, b->order));
    }
    const bool plan_needs_support = f->settings.steps > 0 || f->settings.bn != AD_BN_FROZEN;
    b->rounds = f->fresh ? f->settings.steps : 0;
    b->size = !plan_needs_support ? 0 : f->fresh ? AD_MIN(f->p.batch, least) : b->supports;
    b->query = AD_MIN(b->queries, QUERY);
    b->query_rounds = (b->queries + b->query - 1) / b->query;
    ad_build_params p = {.net = &f->model->net,
                         .from_features = !f->settings.backbone,
                         .way = f->info.classes,
                         .support = b->size,
                         .support_rounds = b->rounds,
                         .query = b->query,
                         .query_rounds = b->query_rounds,
                         .eval_between = f->checkpoints > 1,
                         .data_size = f->info.image_size};
    ad_settings_apply(&f->settings, &p);
    if (f->table && p.head_init == AD_HEAD_MEANS) p.head_init = AD_HEAD_HOST;
    if (f->settings.backbone)
        ad_augment_apply(f->p.augment, f->p.shift, f->settings.seed, f->model->mean, &p);
    AD_TRY(ad_fit_tasks(f->device, &p, &f->rows, 0, 0, f->method.memory_bytes, f->method.tasks_at_once, count,
                        &b->built));
    b->at_once = p.tasks;
    AD_TRY(ad_program_make(f->device->engine, &b->built, f->params, &f->rows, &b->program));
    const size_t support = (size_t)AD_MAX(b->rounds, 1) * (size_t)b->at_once * (size_t)b->size;
    const size_t query = (size_t)b->query_rounds * (size_t)b->at_once * (size_t)b->query;
    b->support = ad_malloc(f->ctx, support, sizeof *b->support);
    b->labels = ad_malloc(f->ctx, support, sizeof *b->labels);
    b->index = ad_malloc(f->ctx, query, sizeof *b->index);
    b->predicted = ad_malloc(f->ctx, query, sizeof *b->predicted);
    b->lost = ad_calloc(f->ctx, (size_t)b->at_once, sizeof *b->lost);
    if (!b->support || !b->labels || !b->index || !b->predicted || !b->lost) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (b->built.norm >= 0) {
        float norm[8];
        ad_normalisation(f->model, norm);
        AD_TRY(f->api->program_write(b->program, b->built.norm, 0, norm, sizeof norm));
    }
    if (b->built.schedule >= 0) {
        float *rows = ad_calloc(f->ctx, 8 * (size_t)f->settings.steps, sizeof *rows);
        if (!rows) AD_TRY(ADATOM_OUT_OF_MEMORY);
        ad_settings_schedule(&f->settings, f->settings.steps, rows);
        status =
            f->api->program_write(b->program, b->built.schedule, 0, rows, 8 * (size_t)f->settings.steps * sizeof *rows);
        ad_free(rows);
    }
done:
    return status;
}

static void end(batch *b) {
    if (b->program) b->f->api->program_destroy(&b->program);
    ad_built_clear(&b->built);
    ad_free(b->support);
    ad_free(b->labels);
    ad_free(b->index);
    ad_free(b->predicted);
    ad_free(b->order);
    ad_free(b->lost);
}

/* Pictures of the tasks from `at` on: support [round][task][size], queries [round][task][query]. Slots past the last
 * task repeat it. */
static void fill(batch *b, int at) {
    const fit *f = b->f;
    for (int t = 0; t < b->at_once; t++) {
        const int task = task_of(b, AD_MIN(at + t, b->count - 1));
        const int n = list(f, task, supports, b->order);
        int next = 0;
        for (int r = 0, pass = 0; b->size && r < AD_MAX(b->rounds, 1); r++)
            for (int i = 0; i < b->size; i++) {
                if (next == 0 &&
                    f->fresh) { /* a new order for each pass over the support set; a batch may span two passes */
                    ad_random random = ad_random_make(f->settings.seed, AD_STREAM_SHUFFLE, (uint32_t)(task + 1));
                    random.counter[1] = (uint32_t)pass++;
                    for (int k = n - 1; k > 0; k--) {
                        const uint32_t other = ad_random_below(&random, (uint32_t)k + 1);
                        const int32_t swap = b->order[k];
                        b->order[k] = b->order[other], b->order[other] = swap;
                    }
                }
                const size_t to = ((size_t)r * (size_t)b->at_once + (size_t)t) * (size_t)b->size + (size_t)i;
                b->support[to] = b->order[next];
                b->labels[to] = f->labels[b->order[next]];
                next = (next + 1) % n;
            }
        const int q = list(f, task, asked, b->order);
        for (int i = 0; i < b->query_rounds * b->query; i++) b->index[slot_of(b, t, i)] = b->order[AD_MIN(i, q - 1)];
    }
}

/* Where a task's head starts: its class means under the frozen backbone, or random numbers as torch.nn.Linear starts.
 */
static adatom_status write_head(batch *b, int slot, int task) {
    const fit *f = b->f;
    const size_t features = (size_t)f->features, classes = (size_t)f->info.classes, count = classes * features;
    adatom_status status = ADATOM_OK;
    float *head = ad_calloc(f->ctx, count + 2 * classes, sizeof *head);
    if (!head) return ADATOM_OUT_OF_MEMORY;
    float *bias = head + count, *number = bias + classes;
    /* As build.c's head_from_means. */
    const bool unit = f->settings.head == AD_HEAD_LINEAR && !f->settings.centroid;
    if (f->settings.head_random) {
        ad_random random = ad_random_make(f->settings.seed, AD_STREAM_HEAD, (uint32_t)(task + 1));
        const float bound = 1.0f / sqrtf((float)features);
        for (size_t e = 0; e < count; e++) head[e] = (2.0f * ad_random_uniform(&random) - 1.0f) * bound;
    } else {
        for (int i = 0; i < f->images; i++) {
            if (!supports(f, i, task)) continue;
            float *row = head + (size_t)f->labels[i] * features;
            for (size_t e = 0; e < features; e++) row[e] += f->table[(size_t)i * features + e];
            number[f->labels[i]]++;
        }
        for (size_t c = 0; c < classes; c++) {
            float *row = head + c * features, square = 0;
            for (size_t e = 0; e < features; e++) row[e] /= number[c];
            for (size_t e = 0; e < features; e++) square += row[e] * row[e];
            const float length = AD_MAX(sqrtf(square), 1e-12f);
            const float scale = unit ? f->settings.mean_scale / length : f->settings.centroid ? 2.0f : 1.0f;
            for (size_t e = 0; e < features; e++) row[e] *= scale;
            bias[c] = unit ? -0.5f * f->settings.mean_scale : -0.5f * scale * square;
        }
    }
    const ad_tensor *tensor = &b->built.plan->tensors[b->built.head];
    AD_TRY(f->api->program_write(b->program, b->built.head, (size_t)slot * tensor->stride * sizeof(float), head,
                                 count * sizeof(float)));
    if (b->built.head_bias >= 0) {
        tensor = &b->built.plan->tensors[b->built.head_bias];
        AD_TRY(f->api->program_write(b->program, b->built.head_bias, (size_t)slot * tensor->stride * sizeof(float),
                                     bias, classes * sizeof(float)));
    }
done:
    ad_free(head);
    return status;
}

static adatom_status start(batch *b, int at) {
    const fit *f = b->f;
    const int32_t zero = 0;
    adatom_status status;
    AD_TRY(ad_interrupted(f->ctx));
    fill(b, at);
    const size_t support = (size_t)AD_MAX(b->rounds, 1) * (size_t)b->at_once * (size_t)b->size * sizeof(int32_t);
    if (b->size) {
        AD_TRY(f->api->program_write(b->program, b->built.support_index, 0, b->support, support));
        AD_TRY(f->api->program_write(b->program, b->built.support_labels, 0, b->labels, support));
    }
    const size_t query = (size_t)b->query_rounds * (size_t)b->at_once * (size_t)b->query * sizeof(int32_t);
    AD_TRY(f->api->program_write(b->program, b->built.query_index, 0, b->index, query));
    if (b->built.counter >= 0) AD_TRY(f->api->program_write(b->program, b->built.counter, 0, &zero, sizeof zero));
    AD_TRY(ad_run_segment(f->api, b->program, AD_SEGMENT_INIT, 1));
    if (f->settings.head_random || (f->table && f->settings.head_init == AD_HEAD_MEANS))
        for (int t = 0; t < b->at_once; t++) AD_TRY(write_head(b, t, task_of(b, AD_MIN(at + t, b->count - 1))));
    for (int t = 0; t < b->at_once; t++)
        AD_TRY(ad_write_lowrank(f->device->engine, b->program, &b->built, &f->model->net, f->settings.lowrank.rank,
                                f->settings.seed, task_of(b, AD_MIN(at + t, b->count - 1)) + 1, t));
    AD_TRY(ad_run_segment(f->api, b->program, AD_SEGMENT_PREFIX, 1));
done:
    return status;
}

/* Counts by class what the tasks from `at` on are asked about and what of it they get right. A task diverged if what
 * adapted or a class score is not finite, or if training left all scores the same: it is counted as lost, its pictures
 * are not. */
static adatom_status ask(batch *b, int at, int *tested, int *right, int *lost_tasks, int *first_lost) {
    const fit *f = b->f;
    const int32_t zero = 0;
    const size_t bytes = (size_t)b->query_rounds * (size_t)b->at_once * (size_t)b->query * sizeof(int32_t);
    adatom_status status;
    AD_TRY(f->api->program_write(b->program, b->built.eval_counter, 0, &zero, sizeof zero));
    AD_TRY(ad_run_segment(f->api, b->program, AD_SEGMENT_EVAL, b->query_rounds));
    AD_TRY(f->api->program_read(b->program, b->built.query_predicted, 0, b->predicted, bytes));
    memset(b->lost, 0, (size_t)b->at_once * sizeof *b->lost);
    AD_TRY(ad_find_lost(f->device->engine, b->program, &b->built, b->at_once, b->lost));
    for (int t = 0; t < b->at_once && at + t < b->count; t++) {
        const int n = list(f, task_of(b, at + t), asked, b->order);
        bool tied = f->settings.steps > 0; /* as in adapt.c */
        for (int i = 0; i < n; i++) {
            int32_t *predicted = &b->predicted[slot_of(b, t, i)];
            tied = tied && *predicted == AD_PREDICTED_TIED;
            if (*predicted == AD_PREDICTED_TIED) *predicted = 0;
            b->lost[t] = b->lost[t] || *predicted < 0;
        }
        if (b->lost[t] || tied) {
            if (*lost_tasks == 0) *first_lost = at + t;
            ++*lost_tasks;
            continue;
        }
        for (int i = 0; i < n; i++) {
            const int label = f->labels[b->order[i]];
            tested[label]++;
            right[label] += b->predicted[slot_of(b, t, i)] == label;
        }
    }
done:
    return status;
}

static void tell(fit *f, int more) {
    f->done += more;
    ad_report(f->ctx, ADATOM_PHASE_FITTING, (uint64_t)f->done, (uint64_t)f->total);
}

/* Whether checkpoint k is better than the best one so far: no task or fewer diverged, then more right, then fewer
 * steps. */
static bool is_better(const fit *f, int k, int best) {
    if (f->lost_at[k] != f->lost_at[best]) return f->lost_at[k] < f->lost_at[best];
    /* Other tasks may have diverged, so that the parts are compared. */
    const int64_t more = (int64_t)f->right_at[k] * f->tested_at[best] - (int64_t)f->right_at[best] * f->tested_at[k];
    return more > 0 || (more == 0 && k < best);
}

/* Tasks that diverged are left out of the estimate, and that is said; if all did, there is none, and no adapter is
 * worth making. */
static adatom_status judge_lost(const fit *f, int best) {
    static const char how[] = "what adapted or a class score is not finite, or all scores are the same";
    const int lost = f->lost_at[best];
    if (lost == 0) return ADATOM_OK;
    if (lost == f->folds)
        return ad_fail(f->ctx, ADATOM_FAILED,
                       "adapting diverged in %d of the %d tasks of the estimate (%s); lower the learning rate", lost,
                       f->folds, how);
    int image = 0;
    while (f->fold[image] != f->first_lost_at[best]) image++;
    ad_log(f->ctx, ADATOM_LOG_WARNING,
           "adapting diverged in %d of the %d tasks of the estimate (%s; the first is the one that leaves out '%s'). "
           "They are left out of "
           "the accuracy, which is that of the others; lower the learning rate",
           lost, f->folds, how, adatom_dataset_path(f->dataset, (size_t)image));
    return ADATOM_OK;
}

static adatom_status estimate(fit *f, int *best) {
    batch b = {.f = f};
    adatom_status status;
    *best = f->checkpoints - 1;
    if (f->folds == 0) return ADATOM_OK;
    AD_TRY(begin(&b, 0, f->folds));
    for (int at = 0; at < f->folds; at += b.at_once) {
        AD_TRY(start(&b, at));
        for (int k = 0, before = 0; k < f->checkpoints; before = f->steps_at[k++]) {
            const size_t row = (size_t)k * (size_t)f->info.classes;
            AD_TRY(ad_run_segment(f->api, b.program, AD_SEGMENT_STEP, f->steps_at[k] - before));
            AD_TRY(ask(&b, at, f->tested + row, f->right + row, &f->lost_at[k], &f->first_lost_at[k]));
        }
        tell(f, AD_MIN(b.at_once, f->folds - at));
    }
    for (int k = 0; k < f->checkpoints; k++)
        for (int c = 0; c < f->info.classes; c++) {
            const size_t at = (size_t)k * (size_t)f->info.classes + (size_t)c;
            f->tested_at[k] += f->tested[at];
            f->right_at[k] += f->right[at];
        }
    for (int k = 0; k < f->checkpoints; k++)
        if (is_better(f, k, *best)) *best = k;
    status = judge_lost(f, *best);
done:
    end(&b);
    return status;
}

static adatom_status read_tensor(batch *b, int tensor, size_t count, float *to) {
    return b->f->api->program_read(b->program, tensor, 0, to, count * sizeof(float));
}

static adatom_status check_finite(const fit *f, const char *name, const float *values, size_t count) {
    for (size_t e = 0; e < count; e++)
        if (!isfinite(values[e]))
            return ad_fail(f->ctx, ADATOM_FAILED,
                           "adapting diverged (tensor '%s' is not finite); lower the learning rate", name);
    return ADATOM_OK;
}

static adatom_status collect_lowrank(const batch *b, const float *values, adatom_adapter *a) {
    adatom_status status = ADATOM_OK;
    for (int l = 0; l < b->built.lowrank_count; l++) {
        const ad_lowrank_layer *layer = &b->built.lowrank[l];
        const ad_node *node = &b->f->model->net.nodes[layer->node];
        for (int part = 0; part < ad_lowrank_parts(a->lowrank.kind); part++) {
            char name[AD_PARAM_NAME];
            int64_t shape[4];
            const int rank = ad_lowrank_file(node, a->lowrank.rank, part, name, shape);
            AD_TRY(ad_adapter_add(a, node->name, name, rank, shape));
            const ad_adapter_tensor *t = &a->tensors[a->count - 1];
            for (size_t e = 0; e < t->elements; e++)
                t->values[e] = values[ad_lowrank_at(node, a->lowrank.rank, layer, part, e)];
            AD_TRY(check_finite(b->f, t->name, t->values, t->elements));
        }
    }
done:
    return status;
}

static adatom_status collect(batch *b, adatom_adapter *a) {
    const fit *f = b->f;
    const ad_network *net = &f->model->net;
    adatom_status status = ADATOM_OK;
    const size_t statistics = net->role_begin[AD_ROLE_STATISTICS + 1] - net->role_begin[AD_ROLE_STATISTICS];
    float *values = ad_malloc(f->ctx, AD_MAX(b->built.adapted_count + statistics, (size_t)1), sizeof *values);
    if (!values) return ADATOM_OUT_OF_MEMORY;
    if (b->built.adapted >= 0) AD_TRY(read_tensor(b, b->built.adapted, b->built.adapted_count, values));
    if (b->built.statistics >= 0)
        AD_TRY(read_tensor(b, b->built.statistics, statistics, values + b->built.adapted_count));
    for (int i = 0; i < net->param_count; i++) {
        const ad_param *p = &net->params[i];
        const bool kept = p->role == AD_ROLE_STATISTICS ? b->built.statistics >= 0
                                                        : p->role != AD_ROLE_HEAD && (f->settings.adapt >> p->role & 1);
        if (!kept) continue;
        const size_t block = p->role == AD_ROLE_STATISTICS ? b->built.adapted_count : b->built.role_offset[p->role];
        const float *from = values + block + p->offset - net->role_begin[p->role];
        for (int part = 0; part < ad_param_parts(p); part++) {
            char name[AD_PARAM_NAME];
            int64_t shape[AD_PARAM_RANK];
            const int rank = ad_param_file(p, part, name, shape);
            AD_TRY(ad_adapter_add(a, name, name, rank, shape));
            const ad_adapter_tensor *t = &a->tensors[a->count - 1];
            for (size_t e = 0; e < t->elements; e++) t->values[e] = from[ad_param_at(p, part, e)];
            AD_TRY(check_finite(f, t->name, t->values, t->elements));
        }
    }
    a->lowrank = f->settings.lowrank;
    AD_TRY(collect_lowrank(b, values, a));
    AD_TRY(read_tensor(b, b->built.head, (size_t)f->info.classes * (size_t)f->features, a->head));
    if (a->bias) AD_TRY(read_tensor(b, b->built.head_bias, (size_t)f->info.classes, a->bias));
    AD_TRY(check_finite(f, "head.weight", a->head, (size_t)f->info.classes * (size_t)f->features));
    if (a->bias) AD_TRY(check_finite(f, "head.bias", a->bias, (size_t)f->info.classes));
done:
    ad_free(values);
    return status;
}

static json_t *floats3(const float v[3]) { return json_pack("[f, f, f]", (double)v[0], (double)v[1], (double)v[2]); }

/* What decided the adapter and how good it is; ad_adapter_finish adds what the numbers themselves say. */
static json_t *configuration(const fit *f, int best, int fitted_right) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_device_info d = ADATOM_INIT(adatom_device_info);
    adatom_model_describe(f->model, &m);
    adatom_device_describe(f->device, &d);
    char augment[ADATOM_AUGMENT_TEXT_BYTES];
    json_t *classes = json_array(), *c = json_object();
#define SET(key, value) ad_json_set(c, key, value, &bad)
    bool bad = false;
    for (int k = 0; k < f->info.classes; k++) {
        const char *name;
        const size_t at = (size_t)best * (size_t)f->info.classes + (size_t)k;
        size_t first, count;
        adatom_dataset_class(f->dataset, k, &name, &first, &count);
        const int tested = f->tested[at], right = f->right[at];
        json_t *one =
            json_pack("{s:s, s:i, s:i, s:i}", "name", name, "images", (int)count, "tested", tested, "right", right);
        ad_json_append(classes, one, &bad);
    }
    SET("tool_version", json_string(ADATOM_VERSION));
    if (f->p.command) SET("command", ad_json_text(f->ctx, f->p.command));
    if (f->p.base_model) SET("base_model_name_or_path", ad_json_text(f->ctx, f->p.base_model));
    SET("base_model", json_pack("{s:s, s:s, s:s, s:i, s:i}", "hash", m.hash, "arch", m.arch, "sharing", adatom_sharing_name(m.sharing),
                                "atoms", m.atoms, "image_size", m.image_size));
    SET("preprocessing",
        json_pack("{s:i, s:s, s:o, s:o}", "size", m.image_size, "resize",
                  "shorter side, antialiased bilinear, centre crop", "mean", floats3(m.mean), "std", floats3(m.std)));
    json_t *method = ad_settings_json(&f->settings);
    ad_json_set(method, "steps", json_integer(f->steps_at[best]), &bad);
    ad_json_set(method, "batch", json_integer(f->fresh ? AD_MIN(f->p.batch, f->images) : f->images), &bad);
    adatom_augment_text(f->p.augment, augment, sizeof augment);
    ad_json_set(method, "augment", json_string(augment), &bad);
    if (f->p.augment & ~(uint32_t)ADATOM_AUGMENT_NONE) ad_json_set(method, "shift", json_integer(f->p.shift), &bad);
    SET("method", method);
    SET("dataset", json_pack("{s:s, s:s, s:i}", "name", f->info.name, "hash", f->info.hash, "images", f->images));
    SET("device", json_pack("{s:s, s:s, s:s, s:s}", "backend", d.backend, "name", d.name, "driver", d.driver_info,
                            "precision", adatom_precision_name(d.precision)));
    SET("classes", classes);
    json_t *estimate = json_pack("{s:s, s:i, s:i, s:i, s:i, s:b}", "kind", adatom_estimate_name(f->p.estimate), "tested", f->tested_at[best],
                                 "right", f->right_at[best], "fitted", f->images, "fitted_right", fitted_right,
                                 "early_stop", f->checkpoints > 1);
    if (f->lost_at[best]) { /* the tasks of the estimate and those that are not in it */
        ad_json_set(estimate, "tasks", json_integer(f->folds), &bad);
        ad_json_set(estimate, "diverged", json_integer(f->lost_at[best]), &bad);
    }
    if (f->p.estimate == ADATOM_ESTIMATE_FOLDS) ad_json_set(estimate, "folds", json_integer(f->folds), &bad);
    if (f->p.estimate == ADATOM_ESTIMATE_HOLDOUT) ad_json_set(estimate, "holdout", json_real((double)f->p.holdout), &bad);
    SET("estimate", estimate);
#undef SET
    if (!bad) return c;
    json_decref(c);
    return NULL;
}

static adatom_status adapt(fit *f, int best, adatom_adapter **out) {
    const ad_settings *s = &f->settings;
    const bool cosine = s->head == AD_HEAD_COSINE || s->head == AD_HEAD_CENTROID_COSINE;
    adatom_adapter *a = NULL;
    batch b = {.f = f};
    adatom_status status;
    const size_t classes = (size_t)f->info.classes;
    int *right = ad_calloc(f->ctx, 2 * classes, sizeof *right), fitted = 0, lost = 0, first_lost = 0;
    if (!right) return ADATOM_OUT_OF_MEMORY;
    AD_TRY(ad_adapter_create(f->ctx, f->info.classes, f->features, cosine, cosine ? s->cosine_scale : 1.0f, &a));
    AD_TRY(begin(&b, EVERYTHING, 1));
    AD_TRY(start(&b, 0));
    AD_TRY(ad_run_segment(f->api, b.program, AD_SEGMENT_STEP, f->steps_at[best]));
    AD_TRY(ask(&b, 0, right + classes, right, &lost, &first_lost));
    for (int c = 0; c < f->info.classes; c++) fitted += right[c];
    AD_TRY(collect(&b, a)); /* names what is not finite, if it is a tensor */
    if (lost)
        AD_TRY(ad_fail(f->ctx, ADATOM_FAILED,
                       "adapting diverged (class scores are not finite or all the same); lower the learning rate"));
    json_t *config = configuration(f, best, fitted);
    if (!config) AD_TRY(ad_fail(f->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the adapter's configuration"));
    AD_TRY(ad_adapter_finish(a, config));
    tell(f, 1);
    *out = a;
    a = NULL;
done:
    ad_free(right);
    end(&b);
    adatom_adapter_destroy(&a);
    return status;
}

adatom_status adatom_adapter_fit(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                                 const adatom_fit_params *params, adatom_adapter **out) {
    fit f = {.device = device,
             .ctx = device->ctx,
             .api = device->engine->api,
             .model = model,
             .dataset = dataset,
             .info = ADATOM_INIT(adatom_dataset_info)};
    int best = 0;
    *out = NULL;
    adatom_status status = AD_PARAMS(f.ctx, adatom_fit_params, params, &f.p);
    if (status == ADATOM_OK) status = AD_PARAMS(f.ctx, adatom_method, f.p.method, &f.method);
    const ad_call outer = ad_call_begin(f.ctx, f.p.progress, f.p.user);
    AD_TRY(status);
    adatom_dataset_describe(dataset, &f.info);
    AD_TRY(fill_defaults(&f));
    f.labels = ad_malloc(f.ctx, f.info.images, sizeof *f.labels);
    f.fold = ad_malloc(f.ctx, f.info.images, sizeof *f.fold);
    f.tested = ad_calloc(f.ctx, 2 * CHECKPOINTS * (size_t)f.info.classes, sizeof *f.tested);
    if (!f.labels || !f.fold || !f.tested) AD_TRY(ADATOM_OUT_OF_MEMORY);
    f.right = f.tested + CHECKPOINTS * (size_t)f.info.classes;
    AD_TRY(read_classes(&f));
    AD_TRY(ad_choose_folds(f.ctx, dataset, &f.p, f.settings.seed, f.fold, &f.folds));
    AD_TRY(choose_steps(&f));
    f.total = f.folds + 1;
    AD_TRY(upload(&f));
    AD_TRY(estimate(&f, &best));
    AD_TRY(adapt(&f, best, out));
done:
    if (f.params) f.api->buffer_destroy(device->engine, &f.params);
    ad_rows_clear(&f.rows);
    ad_free(f.labels);
    ad_free(f.fold);
    ad_free(f.tested);
    return ad_call_end(f.ctx, &outer, status);
}

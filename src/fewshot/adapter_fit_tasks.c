/* The tasks of fitting an adapter: their pictures, where they start, what they answer. */
#include "fewshot/adapter_fit.h"
#include "fewshot/task_start.h"

#include <math.h>

enum { MOST_QUERIES = 32 }; /* of a task in one run of EVAL */

static int task_number(const ad_adapter_fit *f, int slot) {
    return f->first == AD_ADAPTER_FIT_EVERYTHING ? AD_ADAPTER_FIT_EVERYTHING : f->first + slot;
}

static bool leaves_out(const ad_adapter_fit *f, int image, int task) {
    const int32_t fold = f->fold[image];
    if (!f->leaves) return fold == task;
    return fold != AD_FOLD_NONE && (fold == f->leaves[task][0] || fold == f->leaves[task][1]);
}

static bool learns_from(const ad_adapter_fit *f, int image, int task) {
    return task == AD_ADAPTER_FIT_EVERYTHING || !leaves_out(f, image, task);
}

static bool is_asked_about(const ad_adapter_fit *f, int image, int task) {
    return task == AD_ADAPTER_FIT_EVERYTHING || leaves_out(f, image, task);
}

/* The pictures that belong to a task, into fit->order; their number. */
static int list_pictures(const ad_adapter_fit *f, int task, bool (*belongs)(const ad_adapter_fit *, int, int)) {
    int n = 0;
    for (int i = 0; i < f->images; i++)
        if (belongs(f, i, task)) f->order[n++] = i;
    return n;
}

adatom_status ad_adapter_fit_begin(ad_adapter_fit *f, int first, int count) {
    ad_session *s = &f->session;
    const int steps = f->settings.steps;
    adatom_status status;
    int most = 0, least = f->images, queries = 0;
    f->first = first;
    f->count = count;
    for (int t = 0; t < count; t++) {
        const int n = list_pictures(f, task_number(f, t), learns_from);
        most = AD_MAX(most, n);
        least = AD_MIN(least, n);
        queries = AD_MAX(queries, list_pictures(f, task_number(f, t), is_asked_about));
    }
    const bool needs_support = steps > 0 || f->settings.bn != AD_BN_FROZEN;
    f->rounds = f->fresh ? steps : 0;
    const int query = AD_MIN(queries, MOST_QUERIES);
    ad_build_params build = {.net = &f->model->net,
                             .from_features = !f->settings.backbone,
                             .way = f->info.classes,
                             .support = !needs_support ? 0
                                        : f->fresh     ? AD_MIN(f->p.batch, least)
                                                       : most,
                             .support_rounds = f->rounds,
                             .query = query,
                             .query_rounds = (queries + query - 1) / query,
                             .eval_between = f->checkpoint_count > 1,
                             .data_size = f->info.image_size,
                             .query_features = first != AD_ADAPTER_FIT_EVERYTHING && f->checkpoints[0].scores,
                             .layers = f->layers};
    float *schedule = ad_calloc(f->ctx, AD_SCHEDULE_COLUMNS * (size_t)AD_MAX(steps, 1), sizeof *schedule);
    if (!schedule) return ADATOM_OUT_OF_MEMORY;
    ad_settings_apply(&f->settings, &build);
    if (f->table && build.head_init == AD_HEAD_MEANS) build.head_init = AD_HEAD_HOST;
    if (f->settings.backbone) ad_augment_apply(f->p.augment, f->p.shift, f->settings.seed, f->model->mean, &build);
    const ad_tasks_wanted wanted = {
        .tasks = f->method.tasks_at_once, .most = count, .memory_bytes = f->method.memory_bytes};
    AD_TRY(ad_session_plan_tasks(s, &build, &wanted));
    ad_settings_schedule(&f->settings, steps, schedule);
    AD_TRY(ad_session_begin(s, schedule, steps));
done:
    ad_free(schedule);
    return status;
}

/* A new order of the n pictures in fit->order for each pass over a task's support set. */
static void shuffle_order(ad_adapter_fit *f, int task, int pass, int n) {
    ad_random random = ad_random_make(f->settings.seed, AD_STREAM_SHUFFLE, (uint32_t)(task + 1));
    random.counter[1] = (uint32_t)pass;
    for (int k = n - 1; k > 0; k--) {
        const uint32_t other = ad_random_below(&random, (uint32_t)k + 1);
        const int32_t swap = f->order[k];
        f->order[k] = f->order[other];
        f->order[other] = swap;
    }
}

/* A batch may span two passes over the support set. */
static void fill_support(ad_adapter_fit *f, int slot, int task) {
    ad_session *s = &f->session;
    const int size = s->build.support, n = list_pictures(f, task, learns_from);
    for (int r = 0, next = 0, pass = 0; size && r < AD_MAX(f->rounds, 1); r++)
        for (int i = 0; i < size; i++) {
            if (next == 0 && f->fresh) shuffle_order(f, task, pass++, n);
            const size_t to = ad_session_support_at(s, r, slot) + (size_t)i;
            s->support[to] = f->order[next];
            s->labels[to] = f->labels[f->order[next]];
            next = (next + 1) % n;
        }
}

/* Past the end of the queries the last one is repeated. */
static void fill_query(ad_adapter_fit *f, int slot, int task) {
    ad_session *s = &f->session;
    const int n = list_pictures(f, task, is_asked_about);
    for (int i = 0; i < s->build.query_rounds * s->build.query; i++)
        s->query[ad_session_query_at(s, slot, i)] = f->order[AD_MIN(i, n - 1)];
}

/* head[classes][features] and bias[classes] that classify by the mean of each class under the frozen backbone, as
 * compile starts them (AD_HEAD_MEANS). number[classes]: zeros. */
static void find_means(const ad_adapter_fit *f, int task, float *head, float *bias, float *number) {
    const size_t features = (size_t)f->features, classes = (size_t)f->info.classes;
    const bool unit = f->settings.head == AD_HEAD_LINEAR && !f->settings.centroid;
    for (int i = 0; i < f->images; i++) {
        if (!learns_from(f, i, task)) continue;
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

/* Where a task's head starts: its class means, or random numbers. */
static adatom_status write_head(ad_adapter_fit *f, int slot, int task) {
    ad_session *s = &f->session;
    const size_t classes = (size_t)f->info.classes, count = classes * (size_t)f->features;
    adatom_status status = ADATOM_OK;
    float *head = ad_calloc(f->ctx, count + 2 * classes, sizeof *head);
    if (!head) return ADATOM_OUT_OF_MEMORY;
    float *bias = head + count, *number = bias + classes;
    if (f->settings.head_random)
        ad_draw_head(f->settings.seed, task + 1, f->features, head, count);
    else
        find_means(f, task, head, bias, number);
    AD_TRY(ad_session_write(s, s->built.head, slot, 0, head, count));
    if (s->built.head_bias >= 0) AD_TRY(ad_session_write(s, s->built.head_bias, slot, 0, bias, classes));
done:
    ad_free(head);
    return status;
}

/* Slots past the last task repeat it. */
adatom_status ad_adapter_fit_start(ad_adapter_fit *f, int at) {
    ad_session *s = &f->session;
    const bool writes_heads = f->settings.head_random || (f->table && f->settings.head_init == AD_HEAD_MEANS);
    adatom_status status;
    for (int t = 0; t < s->build.tasks; t++) {
        const int task = task_number(f, AD_MIN(at + t, f->count - 1));
        fill_support(f, t, task);
        fill_query(f, t, task);
    }
    AD_TRY(ad_session_start(s));
    for (int t = 0; t < s->build.tasks; t++) {
        const int task = task_number(f, AD_MIN(at + t, f->count - 1));
        if (writes_heads) AD_TRY(write_head(f, t, task));
        AD_TRY(ad_start_lowrank(s, f->settings.seed, task + 1, t));
    }
done:
    return status;
}

adatom_status ad_adapter_fit_classifier(const ad_adapter_fit *f, adatom_adapter **out) {
    const ad_settings *s = &f->settings;
    const bool cosine = s->head == AD_HEAD_COSINE || s->head == AD_HEAD_CENTROID_COSINE;
    return ad_adapter_create(f->ctx, f->info.classes, f->features, cosine, cosine ? s->cosine_scale : 1.0f, out);
}

/* Scores the first n queries of a task, those of fit->order, by its classifier as an adapter would. */
static adatom_status score_task(ad_adapter_fit *f, int slot, int n, adatom_adapter *classifier,
                                ad_adapter_fit_checkpoint *out) {
    ad_session *s = &f->session;
    const size_t classes = (size_t)f->info.classes;
    adatom_status status;
    AD_TRY(ad_session_read(s, s->built.head, slot, classifier->head, classes * (size_t)f->features));
    if (classifier->bias) AD_TRY(ad_session_read(s, s->built.head_bias, slot, classifier->bias, classes));
#pragma omp parallel for
    for (int i = 0; i < n; i++) {
        const size_t image = (size_t)f->order[i];
        out->familiarity[image] =
            (float)ad_adapter_scores(classifier, ad_session_features_of(s, slot, i), out->scores + image * classes);
    }
done:
    return status;
}

adatom_status ad_adapter_fit_run(ad_adapter_fit *f, int at, bool after_start, int steps,
                                 ad_adapter_fit_checkpoint *out) {
    ad_session *s = &f->session;
    adatom_adapter *classifier = NULL;
    adatom_status status = ad_session_adapt(s, after_start, steps);
    if (status == ADATOM_OK && out->scores) status = ad_adapter_fit_classifier(f, &classifier);
    for (int t = 0; t < s->build.tasks && at + t < f->count && status == ADATOM_OK; t++) {
        const int n = list_pictures(f, task_number(f, at + t), is_asked_about);
        const bool lost = ad_session_judge(s, t, n, f->settings.steps > 0);
        if (!lost && out->scores) status = score_task(f, t, n, classifier, out);
        int8_t *answers = out->answers ? out->answers + (size_t)(at + t) * (size_t)f->images : NULL;
        if (lost && out->lost_tasks++ == 0) out->first_lost = at + t;
        for (int i = 0; i < n; i++) {
            const int label = f->labels[f->order[i]];
            const bool right = s->predicted[ad_session_query_at(s, t, i)] == label;
            if (answers) answers[f->order[i]] = lost ? -1 : right;
            if (out->taken)
                out->taken[f->order[i]] = lost ? ADATOM_ANSWER_DIVERGED : s->predicted[ad_session_query_at(s, t, i)];
            out->tested[label] += !lost;
            out->right[label] += !lost && right;
        }
    }
    adatom_adapter_destroy(&classifier);
    return status;
}

#include "fewshot/adapter_fit.h"

#include "fewshot/feature_cache.h"
#include "io/dataset.h"

#include <math.h>
#include <string.h>

static adatom_status read_classes(ad_adapter_fit *f) {
    if (ad_run_model_unlabelled(f->dataset))
        return ad_fail(f->ctx, ADATOM_BAD_DATA, "'%s' has no classes; an adapter needs two or more", f->info.name);
    if (f->info.classes < 2)
        return ad_fail(f->ctx, ADATOM_BAD_DATA,
                       "'%s' has only one class; a classifier needs two or more: add a folder with pictures of what "
                       "they are to be told from",
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

static adatom_status fill_defaults(ad_adapter_fit *f) {
    adatom_fit_params *p = &f->p;
    if (!p->batch) p->batch = 64;
    if (!p->augment) p->augment = ADATOM_AUGMENT_NONE;
    if (!p->shift) p->shift = AD_MAX(f->model->net.image_size / 10, 1);
    if (!p->folds) p->folds = 5;
    if (p->holdout == 0.0f) p->holdout = 0.2f;
    if (p->batch < 1) return ad_fail(f->ctx, ADATOM_USAGE, "a step has %d pictures; at least one is needed", p->batch);
    if (p->shift < 0 || p->shift > 1024)
        return ad_fail(f->ctx, ADATOM_USAGE, "a shift of %d pixels: 1 to 1024 are possible", p->shift);
    if (f->method.procedure != ADATOM_PROCEDURE_NONE)
        return ad_fail(f->ctx, ADATOM_USAGE, "the recipe '%s' is for episodes only",
                       adatom_procedure_name(f->method.procedure));
    adatom_status status = ad_settings_resolve(f->ctx, &f->method, f->model, &f->settings);
    if (status == ADATOM_OK && ad_episodes_only(f->settings.kind))
        status = ad_fail(f->ctx, ADATOM_USAGE, "'%s' is for episodes: no adapter holds it", f->settings.name);
    if (status == ADATOM_OK && f->settings.views)
        status = ad_fail(f->ctx, ADATOM_USAGE,
                         "views of support pictures are for episodes; augmentation changes an adapter's pictures");
    if (status == ADATOM_OK && f->settings.label_noise > 0)
        status = ad_fail(f->ctx, ADATOM_USAGE, "label noise is for episodes: an adapter is made with the labels given");
    if (status == ADATOM_OK) status = ad_run_model_method(f->ctx, f->dataset, &f->settings);
    if (status == ADATOM_OK) status = ad_settings_layers(f->ctx, &f->settings, &f->model->net, &f->layers);
    if (status == ADATOM_OK) status = ad_settings_check_head(f->ctx, &f->settings, &f->model->net, f->info.classes);
    if (status == ADATOM_OK) status = ad_augment_check(f->ctx, p->augment);
    if (status != ADATOM_OK) return status;
    if (f->settings.bn == AD_BN_TRANSDUCTIVE)
        return ad_fail(f->ctx, ADATOM_USAGE,
                       "statistics of the pictures to classify (transductive) cannot be kept; take frozen or support");
    if (!f->info.features && f->info.image_size < f->model->net.image_size)
        return ad_fail(f->ctx, ADATOM_BAD_DATA, "the data set's pictures are %d pixels, the model wants %d",
                       f->info.image_size, f->model->net.image_size);
    if (f->info.images > INT32_MAX / 2)
        return ad_fail(f->ctx, ADATOM_BAD_DATA, "'%s' has %zu pictures, too many for an adapter", f->info.name,
                       f->info.images);
    f->images = (int)f->info.images;
    f->features = f->model->net.features;
    return ADATOM_OK;
}

static adatom_status allocate_arrays(ad_adapter_fit *f) {
    const size_t images = f->info.images, classes = (size_t)f->info.classes;
    f->labels = ad_malloc(f->ctx, images, sizeof *f->labels);
    f->fold = ad_malloc(f->ctx, images, sizeof *f->fold);
    f->order = ad_malloc(f->ctx, images, sizeof *f->order);
    f->counts = ad_calloc(f->ctx, 2 * AD_ADAPTER_FIT_CHECKPOINTS * classes, sizeof *f->counts);
    if (!f->labels || !f->fold || !f->order || !f->counts) return ADATOM_OUT_OF_MEMORY;
    for (size_t k = 0; k < AD_ADAPTER_FIT_CHECKPOINTS; k++) {
        f->checkpoints[k].tested = f->counts + 2 * k * classes;
        f->checkpoints[k].right = f->checkpoints[k].tested + classes;
    }
    return ADATOM_OK;
}

/* Steps of the whole support set where that is possible, mini-batches otherwise. */
static adatom_status choose_steps(ad_adapter_fit *f) {
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
    f->checkpoint_count = f->p.early_stop && f->folds > 0 ? AD_MIN(AD_MAX(s->steps, 1), AD_ADAPTER_FIT_CHECKPOINTS) : 1;
    for (int k = 0; k < f->checkpoint_count; k++)
        f->checkpoints[k].steps = (int)((int64_t)s->steps * (k + 1) / f->checkpoint_count);
    /* The class means of a frozen backbone are known beforehand: a head that starts (or stays) there is written by the
     * host. */
    s->centroid = s->bn == AD_BN_FROZEN && s->head == AD_HEAD_CENTROID;
    if (s->centroid) s->head = AD_HEAD_LINEAR;
    if (s->bn == AD_BN_FROZEN && s->head == AD_HEAD_CENTROID_COSINE) s->head = AD_HEAD_COSINE;
    return ADATOM_OK;
}

static adatom_status upload_rows(ad_adapter_fit *f) {
    adatom_status status;
    if (f->settings.bn == AD_BN_FROZEN)
        AD_TRY(ad_feature_cache_table(&f->session, f->dataset,
                                      &(ad_cached_wanted){.count = (size_t)f->images,
                                                          .mirror = f->settings.mirror,
                                                          .memory_bytes = f->method.memory_bytes},
                                      &f->table));
    if (f->settings.backbone)
        ad_session_use_pictures(&f->session, adatom_dataset_pixels(f->dataset, 0), f->info.image_size);
    else
        ad_session_use_features(&f->session, f->table);
    AD_TRY(ad_row_stream_upload(&f->session.rows, (size_t)f->images));
done:
    return status;
}

/* ---- the estimate ---- */

/* Whether a checkpoint is better than the best one before it: no task or fewer diverged, then more right. */
static bool is_better(const ad_adapter_fit_checkpoint *now, const ad_adapter_fit_checkpoint *best) {
    if (now->lost_tasks != best->lost_tasks) return now->lost_tasks < best->lost_tasks;
    /* Other tasks may have diverged, so that the parts are compared. */
    return (int64_t)now->all_right * best->all_tested > (int64_t)best->all_right * now->all_tested;
}

/* Tasks that diverged are left out of the estimate, and that is said; if all did, there is none, and no adapter is
 * worth making. */
static adatom_status judge_lost(const ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best) {
    static const char how[] = "what adapted or a class score is not finite, or all scores are the same";
    if (best->lost_tasks == 0) return ADATOM_OK;
    if (best->lost_tasks == f->folds)
        return ad_fail(f->ctx, ADATOM_FAILED,
                       "adapting diverged in %d of the %d tasks of the estimate (%s); lower the learning rate",
                       best->lost_tasks, f->folds, how);
    int image = 0;
    while (f->fold[image] != best->first_lost) image++;
    ad_log(f->ctx, ADATOM_LOG_WARNING,
           "adapting diverged in %d of the %d tasks of the estimate (%s; the first is the one that leaves out '%s'). "
           "They are left out of the accuracy, which is that of the others; lower the learning rate",
           best->lost_tasks, f->folds, how, adatom_dataset_path(f->dataset, (size_t)image));
    return ADATOM_OK;
}

static void sum_classes(const ad_adapter_fit *f, ad_adapter_fit_checkpoint *c) {
    for (int k = 0; k < f->info.classes; k++) {
        c->all_tested += c->tested[k];
        c->all_right += c->right[k];
    }
}

adatom_status ad_adapter_fit_ask(ad_adapter_fit *f) {
    adatom_status status;
    AD_TRY(ad_adapter_fit_begin(f, 0, f->folds));
    const int at_once = f->session.build.tasks;
    for (int at = 0; at < f->folds; at += at_once) {
        AD_TRY(ad_adapter_fit_start(f, at));
        for (int k = 0, before = 0; k < f->checkpoint_count; k++) {
            ad_adapter_fit_checkpoint *c = &f->checkpoints[k];
            AD_TRY(ad_adapter_fit_run(f, at, k == 0, c->steps - before, c));
            before = c->steps;
        }
        ad_session_tell(&f->session, (size_t)AD_MIN(at_once, f->folds - at) * f->weight);
    }
    for (int k = 0; k < f->checkpoint_count; k++) sum_classes(f, &f->checkpoints[k]);
done:
    return status;
}

static adatom_status allocate_taken(ad_adapter_fit *f) {
    const size_t images = f->info.images, all = images * (size_t)f->checkpoint_count;
    f->taken = ad_malloc(f->ctx, all, sizeof *f->taken);
    if (!f->taken) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < all; i++) f->taken[i] = ADATOM_ANSWER_NOT_ASKED;
    for (int k = 0; k < f->checkpoint_count; k++) f->checkpoints[k].taken = f->taken + (size_t)k * images;
    return ADATOM_OK;
}

adatom_status ad_adapter_fit_allocate_scores(adatom_context *ctx, size_t images, int classes,
                                             ad_adapter_fit_checkpoint *checkpoints, int count, float **out) {
    enum { MOST = (size_t)1 << 28 };
    const size_t each = images * ((size_t)classes + 1);
    *out = NULL;
    if (each > (size_t)MOST / (size_t)count) {
        ad_log(ctx, ADATOM_LOG_WARNING,
               "the class scores of %zu pictures and %d classes would take %.1f GiB, so that the adapter is not "
               "calibrated: 'adatom classify' has no --reject and no --calibrated for it",
               images, classes, (double)each * (double)count * sizeof **out / 0x1p30);
        return ADATOM_OK;
    }
    if (!(*out = ad_malloc(ctx, each * (size_t)count, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < each * (size_t)count; i++) (*out)[i] = NAN;
    for (int k = 0; k < count; k++) {
        checkpoints[k].scores = *out + (size_t)k * each;
        checkpoints[k].familiarity = checkpoints[k].scores + images * (size_t)classes;
    }
    return ADATOM_OK;
}

/* Runs the tasks that leave pictures out; *best: the number of steps that did best. */
static adatom_status make_estimate(ad_adapter_fit *f, const ad_adapter_fit_checkpoint **best) {
    adatom_status status;
    *best = &f->checkpoints[f->checkpoint_count - 1];
    if (f->folds == 0) return ADATOM_OK;
    AD_TRY(allocate_taken(f));
    AD_TRY(ad_adapter_fit_allocate_scores(f->ctx, f->info.images, f->info.classes, f->checkpoints, f->checkpoint_count,
                                          &f->scores));
    AD_TRY(ad_adapter_fit_ask(f));
    *best = f->checkpoints;
    for (int k = 0; k < f->checkpoint_count; k++)
        if (is_better(&f->checkpoints[k], *best)) *best = &f->checkpoints[k];
    status = judge_lost(f, *best);
done:
    return status;
}

/* ---- the adapter ---- */

static adatom_status keep_answers(const ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best, adatom_adapter *a) {
    if (!best->taken) return ADATOM_OK;
    a->answers = ad_malloc(f->ctx, f->info.images, sizeof *a->answers);
    if (!a->answers) return ADATOM_OUT_OF_MEMORY;
    memcpy(a->answers, best->taken, f->info.images * sizeof *a->answers);
    a->answer_count = f->info.images;
    if (!best->scores) return ADATOM_OK;
    const size_t count = f->info.images * (size_t)f->info.classes;
    a->scores = ad_malloc(f->ctx, count, sizeof *a->scores);
    if (!a->scores) return ADATOM_OUT_OF_MEMORY;
    memcpy(a->scores, best->scores, count * sizeof *a->scores);
    return ADATOM_OK;
}

adatom_status ad_adapter_fit_make(ad_adapter_fit *f, const ad_adapter_fit_checkpoint *best, adatom_adapter **out) {
    adatom_adapter *a = NULL;
    adatom_status status;
    ad_adapter_fit_checkpoint fitted = {.steps = best->steps};
    fitted.tested = ad_calloc(f->ctx, 2 * (size_t)f->info.classes, sizeof *fitted.tested);
    if (!fitted.tested) return ADATOM_OUT_OF_MEMORY;
    fitted.right = fitted.tested + f->info.classes;
    AD_TRY(ad_adapter_fit_classifier(f, &a));
    a->mirror = f->settings.mirror;
    AD_TRY(ad_adapter_fit_begin(f, AD_ADAPTER_FIT_EVERYTHING, 1));
    AD_TRY(ad_adapter_fit_start(f, 0));
    AD_TRY(ad_adapter_fit_run(f, 0, true, best->steps, &fitted));
    sum_classes(f, &fitted);
    AD_TRY(ad_adapter_fit_collect(f, a)); /* names what is not finite, if it is a tensor */
    if (fitted.lost_tasks)
        AD_TRY(ad_fail(f->ctx, ADATOM_FAILED,
                       "adapting diverged (class scores are not finite or all the same); lower the learning rate"));
    if (best->scores)
        AD_TRY(ad_calibrate(f->ctx, best->scores, best->familiarity, f->labels, f->info.images, f->info.classes,
                            &a->calibration));
    json_t *config = ad_adapter_fit_configuration(f, best, fitted.all_right);
    if (!config) AD_TRY(ad_fail(f->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the adapter's configuration"));
    AD_TRY(ad_adapter_finish(a, config));
    AD_TRY(keep_answers(f, best, a));
    ad_session_tell(&f->session, f->weight);
    *out = a;
    a = NULL;
done:
    ad_free(fitted.tested);
    adatom_adapter_destroy(&a);
    return status;
}

adatom_status ad_adapter_fit_open(ad_adapter_fit *f, adatom_device *device, const adatom_model *model,
                                  const adatom_dataset *dataset, const adatom_fit_params *params) {
    *f = (ad_adapter_fit){.device = device,
                          .ctx = device->ctx,
                          .dataset = dataset,
                          .info = ADATOM_INIT(adatom_dataset_info),
                          .weight = 1};
    adatom_status status;
    AD_TRY(ad_run_model_choose(f->ctx, model, dataset, &f->run));
    f->model = f->run.model;
    f->session = ad_session_of(device, f->model);
    AD_TRY(AD_PARAMS(f->ctx, adatom_fit_params, params, &f->p));
    AD_TRY(AD_PARAMS(f->ctx, adatom_method, f->p.method, &f->method));
    adatom_dataset_describe(dataset, &f->info);
    AD_TRY(fill_defaults(f));
    AD_TRY(allocate_arrays(f));
    AD_TRY(read_classes(f));
done:
    return status;
}

adatom_status ad_adapter_fit_settle(ad_adapter_fit *f) {
    const adatom_status status = choose_steps(f);
    return status == ADATOM_OK ? upload_rows(f) : status;
}

void ad_adapter_fit_close(ad_adapter_fit *f) {
    ad_session_clear(&f->session);
    ad_run_model_clear(&f->run);
    ad_free(f->layers);
    ad_free(f->labels);
    ad_free(f->fold);
    ad_free(f->order);
    ad_free(f->counts);
    ad_free(f->taken);
    ad_free(f->scores);
}

adatom_status ad_adapter_fit_whole(ad_adapter_fit *f, adatom_adapter **out) {
    const ad_adapter_fit_checkpoint *best = NULL;
    adatom_status status;
    AD_TRY(ad_choose_folds(f->ctx, f->dataset, &f->p, f->settings.seed, 1, f->fold, &f->folds));
    f->session.progress.phase = ADATOM_PHASE_FITTING;
    f->session.progress.total = (size_t)f->folds + 1;
    AD_TRY(ad_adapter_fit_settle(f));
    AD_TRY(make_estimate(f, &best));
    AD_TRY(ad_adapter_fit_make(f, best, out));
done:
    return status;
}

adatom_status adatom_adapter_fit(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                                 const adatom_fit_params *params, adatom_adapter **out) {
    adatom_context *ctx = device->ctx;
    ad_adapter_fit f = {0};
    adatom_fit_params p;
    *out = NULL;
    adatom_status status = AD_PARAMS(ctx, adatom_fit_params, params, &p);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    AD_TRY(status);
    AD_TRY(ad_adapter_fit_open(&f, device, model, dataset, &p));
    AD_TRY(ad_adapter_fit_whole(&f, out));
done:
    ad_adapter_fit_close(&f);
    return ad_call_end(ctx, &outer, status);
}

/* The run of a training: blocks of steps, epochs, validation, checkpoints, and what is left at the end. */
#include "fewshot/training.h"
#include "fewshot/features.h"

#include <math.h>
#include <unistd.h>

adatom_status ad_training_make_state(ad_training *t, const size_t counts[AD_CHECKPOINT_ARRAYS]) {
    t->state = (ad_checkpoint){.best = -1, .steps = t->steps, .steps_per_epoch = t->steps_per_epoch, .batch = t->batch};
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++) {
        t->state.counts[i] = counts[i];
        if (counts[i] && !(t->state.arrays[i] = ad_calloc(t->ctx, counts[i], sizeof(float))))
            return ADATOM_OUT_OF_MEMORY;
    }
    const size_t epochs = (size_t)(t->steps / t->steps_per_epoch);
    t->state.epochs = ad_malloc(t->ctx, epochs, sizeof *t->state.epochs);
    return t->state.epochs ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

/* ---- validation ---- */

static adatom_adapt_params validation_run(const ad_training *t) {
    return (adatom_adapt_params){.size = sizeof(adatom_adapt_params),
                                 .dataset = t->validation.dataset,
                                 .episodes = t->validation.episodes,
                                 .method = &t->validation.method};
}

adatom_status ad_training_prepare_validation(ad_training *t) {
    adatom_adapt_plan_info plan = ADATOM_INIT(adatom_adapt_plan_info);
    const adatom_adapt_params run = validation_run(t);
    return adatom_adapt_plan(t->device, t->model, &run, &plan);
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

/* ---- steps ---- */

/* `of` has loss and accuracy so far, or all of an epoch that ended when `step` steps were done. */
static void tell(const ad_training *t, long step, const ad_epoch *of, bool epoch_end, bool past) {
    const adatom_training_progress now = {.size = sizeof(adatom_training_progress),
                                          .epoch = (int)((step - 1) / t->steps_per_epoch) + 1,
                                          .epochs = (int)(t->steps / t->steps_per_epoch),
                                          .loss = of->loss,
                                          .accuracy = of->accuracy,
                                          .validation = of->validation,
                                          .seconds = t->state.seconds + ad_seconds() - t->begin,
                                          .images_per_s = of->images_per_s,
                                          .arena_bytes = ad_plan_bytes(t->session.built.plan),
                                          .streamed = t->session.rows.parts == 2,
                                          .epoch_end = epoch_end,
                                          .past = past};
    ad_report_details(t->ctx, &(adatom_progress){.phase = ADATOM_PHASE_TRAINING,
                                                 .done = (uint64_t)step,
                                                 .total = (uint64_t)t->steps,
                                                 .training = &now});
}

/* The running epoch so far; its speed is that of so many pictures in so many seconds. */
static ad_epoch so_far(const ad_training *t, double validation, long pictures, double seconds) {
    const double seen = t->state.seen ? (double)t->state.seen : 1;
    return (ad_epoch){.loss = t->state.loss * t->batch / seen,
                      .accuracy = t->state.right / seen,
                      .validation = validation,
                      .images_per_s = seconds > 0 ? (double)pictures / seconds : 0};
}

static void tell_past(const ad_training *t) {
    for (long i = 0; i < ad_checkpoint_told(&t->state); i++)
        tell(t, (i + 1) * t->steps_per_epoch, &t->state.epochs[i], true, true);
}

adatom_status ad_training_count(ad_training *t, float loss, int right) {
    if (!isfinite(loss))
        return ad_fail(t->ctx, ADATOM_FAILED,
                       "training diverged at step %ld (the loss is not finite); lower the learning rate",
                       t->state.step + 1);
    t->state.loss += (double)loss;
    t->state.right += right;
    t->state.seen += t->batch;
    t->state.step++;
    return ADATOM_OK;
}

long ad_training_steps_at_once(const ad_training *t, double now) {
    const long step = t->state.step;
    const long most = AD_MIN(t->block - step % t->block, t->steps_per_epoch - step % t->steps_per_epoch);
    if (t->step_seconds <= 0) return 1; /* its time tells how many may follow */
    const double due = (t->saved + t->checkpoint_seconds - now) / t->step_seconds;
    return due >= (double)most ? most : AD_MAX((long)due + 1, 1);
}

/* Runs some steps. After an interrupt those that were done count. */
static adatom_status run_block(ad_training *t) {
    const long count = ad_training_steps_at_once(t, ad_seconds());
    const double start = ad_seconds();
    long done = 0;
    const adatom_status status = t->kind->run(t, count, &done);
    if (status != ADATOM_OK && status != ADATOM_INTERRUPTED) return status;
    if (!done) return ADATOM_OK;
    const double seconds = ad_seconds() - start;
    t->step_seconds = seconds / (double)done;
    t->trained += seconds;
    t->trained_pictures += done * t->pictures;
    const ad_epoch epoch = so_far(t, -1, done * t->pictures, seconds);
    tell(t, t->state.step, &epoch, false, false);
    return ADATOM_OK;
}

static adatom_status end_epoch(ad_training *t, double *validation) {
    adatom_status status = ADATOM_OK;
    *validation = -1;
    if (t->validation.dataset) {
        /* The epoch is safe whatever becomes of its validation; a run resumed here validates again. */
        AD_TRY(ad_training_save_checkpoint(t));
        AD_TRY(validate(t, validation));
        if (*validation > t->state.best) {
            t->state.best = *validation;
            ad_hash_hex(t->model->hash, t->state.best_hash);
            AD_TRY(ad_training_save_model(t, *validation));
        }
    }
    const ad_epoch epoch = so_far(t, *validation, t->trained_pictures, t->trained);
    t->state.epochs[ad_checkpoint_told(&t->state)] = epoch;
    tell(t, t->state.step, &epoch, true, false);
    t->state.loss = t->state.right = 0;
    t->state.seen = t->trained_pictures = 0;
    t->trained = 0;
    if (t->state.step < t->steps) AD_TRY(ad_training_save_checkpoint(t));
done:
    return status;
}

/* ---- the end ---- */

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
                                       .memory_bytes = t->memory_bytes};
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
    AD_TRY(ad_training_save_checkpoint(t));
    ad_session_clear(&t->session);
    if (!t->validation.dataset) {
        AD_TRY(find_base_mean(t, t->model));
        AD_TRY(ad_training_save_model(t, -1));
        goto done;
    }
    AD_TRY(ad_training_load_best(t, &best));
    AD_TRY(find_base_mean(t, best));
    AD_TRY(adatom_model_save(best, t->output));
    adatom_model_destroy(&t->model);
    t->model = best;
    best = NULL;
done:
    adatom_model_destroy(&best);
    return status;
}

adatom_status ad_training_run(ad_training *t) {
    adatom_status status = ADATOM_OK;
    double validation = -1;
    t->begin = t->saved = ad_seconds();
    AD_TRY(ad_training_resume(t));
    tell_past(t);
    ad_log(t->ctx, ADATOM_LOG_INFO, "training: %ld epochs of %ld steps", t->steps / t->steps_per_epoch,
           t->steps_per_epoch);
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
        if (!stopped && ad_seconds() - t->saved > t->checkpoint_seconds) AD_TRY(ad_training_save_checkpoint(t));
    }
    if (stopped)
        AD_TRY(ad_training_save_checkpoint(t));
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

void ad_training_clear(ad_training *t) {
    ad_session_clear(&t->session);
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++) ad_free(t->state.arrays[i]);
    ad_free(t->state.epochs);
    ad_free(t->checkpoint_path);
    adatom_episodes_destroy(&t->validation.episodes);
    adatom_model_destroy(&t->model);
}

/* What a training keeps in files: checkpoints and the model. */
#include "fewshot/training.h"
#include "io/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

adatom_status ad_training_find(ad_training *t) {
    t->checkpoint_path =
        t->checkpoint ? ad_strdup(t->ctx, t->checkpoint) : ad_format(t->ctx, "%s.checkpoint", t->output);
    if (!t->checkpoint_path) return ADATOM_OUT_OF_MEMORY;
    const bool there = access(t->checkpoint_path, F_OK) == 0 || errno != ENOENT;
    if (t->resume && t->restart) return ad_fail(t->ctx, ADATOM_USAGE, "--resume and --restart contradict each other");
    if (there && !t->resume && !t->restart)
        return ad_fail(t->ctx, ADATOM_USAGE,
                       "there is the checkpoint '%s' of a run that has not ended: --resume goes on from it, --restart "
                       "begins anew and "
                       "removes it",
                       t->checkpoint_path);
    if (!there && t->resume && t->checkpoint)
        return ad_fail(t->ctx, ADATOM_BAD_DATA,
                       "there is no checkpoint '%s' to resume; leave --resume out to begin from nothing",
                       t->checkpoint_path);
    if (!there && t->resume)
        ad_log(t->ctx, ADATOM_LOG_WARNING, "there is no checkpoint '%s' to resume: training begins from nothing",
               t->checkpoint_path);
    t->found = there && t->resume;
    /* Hours later would be too late. A checkpoint elsewhere keeps what is done until the output's place is there. */
    const adatom_status status = t->checkpoint ? ADATOM_OK : ad_write_check(t->ctx, t->output);
    return status != ADATOM_OK ? status : ad_write_check(t->ctx, t->checkpoint_path);
}

/* The device's state as host arrays and as the model's values. FAILED: it is not finite. */
static adatom_status snapshot(ad_training *t) {
    const adatom_status status = t->kind->transfer(t, false);
    if (status != ADATOM_OK) return status;
    t->kind->to_model(t);
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++)
        for (size_t e = 0; e < t->state.counts[i]; e++)
            if (!isfinite(t->state.arrays[i][e]))
                return ad_fail(t->ctx, ADATOM_FAILED,
                               "training diverged by step %ld (a parameter or its momentum is not finite); lower the "
                               "learning rate",
                               t->state.step);
    ad_model_rehash(t->model);
    return ADATOM_OK;
}

/* The file of the best epoch so far is not in the checkpoint: it must be where this run writes it. */
adatom_status ad_training_load_best(const ad_training *t, adatom_model **out) {
    char hash[17];
    adatom_status status = adatom_model_load(t->ctx, t->output, out);
    if (status != ADATOM_OK) return status;
    ad_hash_hex((*out)->hash, hash);
    if (strcmp(hash, t->state.best_hash) == 0) return ADATOM_OK;
    adatom_model_destroy(out);
    return ad_fail(t->ctx, ADATOM_BAD_DATA,
                   "'%s' is not the model of this run's best epoch (its hash is %s, that of the best epoch %s); give "
                   "the output of the "
                   "interrupted run, or --restart",
                   t->output, hash, t->state.best_hash);
}

adatom_status ad_training_resume(ad_training *t) {
    adatom_model *best = NULL;
    adatom_status status = ADATOM_OK;
    if (!t->found) {
        if (t->restart) unlink(t->checkpoint_path);
        return ADATOM_OK;
    }
    AD_TRY(ad_checkpoint_read(t->ctx, t->checkpoint_path, &t->state));
    /* Where the epoch is still to be validated, its model may have been written already. */
    if (t->state.best >= 0 && !(t->state.seen && t->state.step % t->steps_per_epoch == 0))
        AD_TRY(ad_training_load_best(t, &best));
    AD_TRY(t->kind->transfer(t, true));
    ad_log(t->ctx, ADATOM_LOG_INFO, "resuming at step %ld of %ld from '%s'", t->state.step, t->steps,
           t->checkpoint_path);
done:
    adatom_model_destroy(&best);
    return status;
}

adatom_status ad_training_save_checkpoint(ad_training *t) {
    const double now = ad_seconds();
    t->state.seconds += now - t->begin;
    t->begin = t->saved = now;
    adatom_status status = snapshot(t);
    return status == ADATOM_OK ? ad_checkpoint_write(t->ctx, t->checkpoint_path, &t->state) : status;
}

/* The notes hold what decided the model and nothing else (no times, no names of files), so that the same run gives the
 * same file. */
adatom_status ad_training_save_model(ad_training *t, double validation) {
    adatom_device_info device = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(t->device, &device);
    json_t *notes = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:I, s:s, s:s, s:s, s:s}", "tool_version", ADATOM_VERSION,
                              "dataset", t->info.name, "dataset_hash", t->info.hash, "classes", t->info.classes,
                              "images", (int)t->info.images, "epochs_done", (int)(t->state.step / t->steps_per_epoch),
                              "steps", (json_int_t)t->state.step, "device", device.name, "backend", device.backend,
                              "driver", device.driver_info, "precision", adatom_precision_name(device.precision));
    bool bad = !notes || t->kind->notes(t, notes) != ADATOM_OK;
    if (validation >= 0) ad_json_set(notes, "validation_accuracy", json_real(validation), &bad);
    if (validation >= 0) ad_json_set(notes, "validation", json_string(t->validation.text), &bad);
    if (t->command) ad_json_set(notes, "command", ad_json_text(t->ctx, t->command), &bad);
    char *text = bad ? NULL : ad_json_dump(notes, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(notes);
    if (!text) return ad_fail(t->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the model's notes");
    ad_free(t->model->notes);
    t->model->notes = ad_strdup(t->ctx, text);
    free(text);
    if (!t->model->notes) return ADATOM_OUT_OF_MEMORY;
    return t->output ? adatom_model_save(t->model, t->output) : ADATOM_OK;
}

unsigned ad_float_bits(float value) {
    uint32_t word;
    memcpy(&word, &value, sizeof word);
    return word;
}

adatom_status ad_training_identify(ad_training *t, const char *settings) {
    char validation[40] = "";
    const adatom_model_params *m = &t->model->net.made_from;
    adatom_device_info device = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(t->device, &device);
    if (t->validation.dataset) {
        adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
        adatom_episodes_info episodes = ADATOM_INIT(adatom_episodes_info);
        adatom_dataset_describe(t->validation.dataset, &info);
        adatom_episodes_describe(t->validation.episodes, &episodes);
        snprintf(validation, sizeof validation, "%s/%s", info.hash, episodes.hash);
    }
    char *text =
        ad_format(t->ctx, "%s|%s|%s|%d|%s|%d|%d|%d|%d|%d|%llu|%s|%s|%s|%s|%s|%s", settings, t->model->net.arch,
                  t->model->net.sharing, m->group, m->stem ? adatom_stem_name(m->stem) : "", m->atoms, m->image_size,
                  m->width, m->decompose_first, m->residual, (unsigned long long)m->seed, t->info.hash, device.backend,
                  device.name, device.driver_info, adatom_precision_name(device.precision), validation);
    if (!text) return ADATOM_OUT_OF_MEMORY;
    ad_hash_hex(ad_hash(text, strlen(text), 0), t->state.config);
    ad_free(text);
    return ADATOM_OK;
}

/* What pretraining keeps in files: checkpoints and the model. */
#include "fewshot/pretrain.h"
#include "io/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

adatom_status ad_pretrain_find(ad_training *t) {
    const adatom_pretrain_params *p = &t->p;
    t->checkpoint_path =
        p->checkpoint ? ad_strdup(t->ctx, p->checkpoint) : ad_format(t->ctx, "%s.checkpoint", p->output);
    if (!t->checkpoint_path) return ADATOM_OUT_OF_MEMORY;
    const bool there = access(t->checkpoint_path, F_OK) == 0 || errno != ENOENT;
    if (p->resume && p->restart) return ad_fail(t->ctx, ADATOM_USAGE, "--resume and --restart contradict each other");
    if (there && !p->resume && !p->restart)
        return ad_fail(t->ctx, ADATOM_USAGE,
                       "there is the checkpoint '%s' of a run that has not ended: --resume goes on from it, --restart "
                       "begins anew and "
                       "removes it",
                       t->checkpoint_path);
    if (!there && p->resume && p->checkpoint)
        return ad_fail(t->ctx, ADATOM_BAD_DATA,
                       "there is no checkpoint '%s' to resume; leave --resume out to begin from nothing",
                       t->checkpoint_path);
    if (!there && p->resume)
        ad_log(t->ctx, ADATOM_LOG_WARNING, "there is no checkpoint '%s' to resume: training begins from nothing",
               t->checkpoint_path);
    t->found = there && p->resume;
    /* Hours later would be too late. A checkpoint elsewhere keeps what is done until the output's place is there. */
    const adatom_status status = p->checkpoint ? ADATOM_OK : ad_write_check(t->ctx, p->output);
    return status != ADATOM_OK ? status : ad_write_check(t->ctx, t->checkpoint_path);
}

/* Brings the state from the device to the checkpoint's arrays, or back. */
static adatom_status transfer_state(ad_training *t, bool to_device) {
    ad_session *s = &t->session;
    const int tensors[3] = {s->built.adapted, s->built.velocity, s->built.second};
    const size_t statistics = t->model->net.role_begin[AD_ROLE_STATISTICS];
    adatom_status status = ADATOM_OK;
    for (int i = 0; i < 4 && status == ADATOM_OK; i++) {
        const size_t count = t->state.counts[i];
        float *array = t->state.arrays[i];
        if (!count) continue;
        if (i < 3 && to_device)
            status = ad_session_write(s, tensors[i], 0, 0, array, count);
        else if (i < 3)
            status = ad_session_read(s, tensors[i], array, count);
        else if (to_device)
            status = ad_session_write_parameters(s, statistics, array, count);
        else
            status = ad_session_read_parameters(s, statistics, array, count);
    }
    /* The first step finds no velocity and writes one. */
    if (!to_device && t->state.step == 0)
        memset(t->state.arrays[AD_CHECKPOINT_VELOCITY], 0, t->state.counts[AD_CHECKPOINT_VELOCITY] * sizeof(float));
    return status;
}

adatom_status ad_pretrain_snapshot(ad_training *t) {
    adatom_status status = transfer_state(t, false);
    const ad_network *net = &t->model->net;
    const ad_built *built = &t->session.built;
    const float *adapted = t->state.arrays[AD_CHECKPOINT_ADAPTED];
    for (int i = 0; i < net->param_count && status == ADATOM_OK; i++) {
        const ad_param *p = &net->params[i];
        float *to = t->model->values + p->offset;
        if (p->role == AD_ROLE_STATISTICS)
            memcpy(to, t->state.arrays[AD_CHECKPOINT_STATISTICS] + p->offset - net->role_begin[AD_ROLE_STATISTICS],
                   p->count * sizeof(float));
        else if (p->kind == AD_PARAM_HEAD || p->kind == AD_PARAM_HEAD_BIAS) {
            const int view = p->kind == AD_PARAM_HEAD ? built->head : built->head_bias;
            const ad_tensor *tensor = &built->plan->tensors[view], *whole = &built->plan->tensors[built->adapted];
            memcpy(to, adapted + (tensor->offset - whole->offset) / sizeof(float), p->logical * sizeof(float));
        } else
            memcpy(to, adapted + built->at[i], p->count * sizeof(float));
    }
    if (status != ADATOM_OK) return status;
    for (int i = 0; i < 4; i++)
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
adatom_status ad_pretrain_load_best(const ad_training *t, adatom_model **out) {
    char hash[17];
    adatom_status status = adatom_model_load(t->ctx, t->p.output, out);
    if (status != ADATOM_OK) return status;
    ad_hash_hex((*out)->hash, hash);
    if (strcmp(hash, t->state.best_hash) == 0) return ADATOM_OK;
    adatom_model_destroy(out);
    return ad_fail(t->ctx, ADATOM_BAD_DATA,
                   "'%s' is not the model of this run's best epoch (its hash is %s, that of the best epoch %s); give "
                   "the output of the "
                   "interrupted run, or --restart",
                   t->p.output, hash, t->state.best_hash);
}

adatom_status ad_pretrain_resume(ad_training *t) {
    adatom_model *best = NULL;
    adatom_status status = ADATOM_OK;
    if (!t->found) {
        if (t->p.restart) unlink(t->checkpoint_path);
        return ADATOM_OK;
    }
    t->state.steps = t->steps;
    t->state.steps_per_epoch = t->steps_per_epoch;
    t->state.batch = t->p.batch;
    AD_TRY(ad_checkpoint_read(t->ctx, t->checkpoint_path, &t->state));
    /* Where the epoch is still to be validated, its model may have been written already. */
    if (t->state.best >= 0 && !(t->state.seen && t->state.step % t->steps_per_epoch == 0))
        AD_TRY(ad_pretrain_load_best(t, &best));
    AD_TRY(transfer_state(t, true));
    ad_log(t->ctx, ADATOM_LOG_INFO, "resuming at step %ld of %ld from '%s'", t->state.step, t->steps,
           t->checkpoint_path);
done:
    adatom_model_destroy(&best);
    return status;
}

adatom_status ad_pretrain_save_checkpoint(ad_training *t) {
    const double now = ad_seconds();
    t->state.seconds += now - t->begin;
    t->begin = t->saved = now;
    adatom_status status = ad_pretrain_snapshot(t);
    return status == ADATOM_OK ? ad_checkpoint_write(t->ctx, t->checkpoint_path, &t->state) : status;
}

/* The notes hold what decided the model and nothing else (no times, no names of files), so that the same run gives the
 * same file. */
adatom_status ad_pretrain_save_model(ad_training *t, double validation) {
    const adatom_pretrain_params *p = &t->p;
    char augment[ADATOM_AUGMENT_TEXT_BYTES];
    adatom_device_info device = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(t->device, &device);
    adatom_augment_text(p->augment, augment, sizeof augment);
    json_t *notes = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:o, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:s, s:i, s:I, s:s, "
        "s:s, s:s, s:s}",
        "tool_version", ADATOM_VERSION, "dataset", t->info.name, "dataset_hash", t->info.hash, "classes",
        t->info.classes, "images", (int)t->info.images, "seed", ad_seed_json(p->seed), "epochs", p->epochs,
        "epochs_done", (int)(t->state.step / t->steps_per_epoch), "batch", p->batch, "optimizer",
        adatom_optimizer_name(p->optimizer), "lr", (double)p->lr, "momentum", (double)p->momentum, "weight_decay",
        (double)p->weight_decay, "label_smoothing", (double)p->label_smoothing, "warmup", (double)p->warmup, "augment",
        augment, "shift", p->shift, "steps", (json_int_t)t->state.step, "device", device.name, "backend",
        device.backend, "driver", device.driver_info, "precision", adatom_precision_name(device.precision));
    bool bad = !notes;
    if (validation >= 0) ad_json_set(notes, "validation_accuracy", json_real(validation), &bad);
    if (validation >= 0)
        ad_json_set(notes, "validation", json_sprintf("class means, 5-way 5-shot, %d episodes", p->validation_tasks),
                    &bad);
    if (p->milestone_count) {
        json_t *milestones = json_array();
        for (size_t i = 0; i < p->milestone_count; i++)
            bad = bad || json_array_append_new(milestones, json_integer(p->milestones[i])) != 0;
        ad_json_set(notes, "milestones", milestones, &bad);
        ad_json_set(notes, "decay", json_real((double)p->decay), &bad);
    }
    if (p->from) ad_json_set(notes, "from", json_sprintf("%016llx", (unsigned long long)p->from->hash), &bad);
    if (p->command) ad_json_set(notes, "command", ad_json_text(t->ctx, p->command), &bad);
    char *text = bad ? NULL : ad_json_dump(notes, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(notes);
    if (!text) return ad_fail(t->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the model's notes");
    ad_free(t->model->notes);
    t->model->notes = ad_strdup(t->ctx, text);
    free(text);
    if (!t->model->notes) return ADATOM_OUT_OF_MEMORY;
    return t->p.output ? adatom_model_save(t->model, t->p.output) : ADATOM_OK;
}

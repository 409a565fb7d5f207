/* What trainings have in common: epochs of steps, validation by episodes, checkpoints and the model's file. What a step
 * is, and how its state lies on the device, is the business of a kind (pretrain.c, metatrain.c). */
#ifndef AD_FEWSHOT_TRAINING_H
#define AD_FEWSHOT_TRAINING_H

#include "fewshot/formats/checkpoint.h"
#include "fewshot/method.h"
#include "fewshot/session.h"
#include <adatom/train.h>

typedef struct ad_training ad_training;
typedef struct ad_training_kind {
    /* Brings the state's arrays from the device, or there. */
    adatom_status (*transfer)(ad_training *, bool to_device);
    void (*to_model)(ad_training *); /* the arrays as the model's values */
    /* Runs at most `count` steps from t->state.step on, all of one epoch, and adds what they computed to the state with
     * ad_training_count. INTERRUPTED: *done of them count. */
    adatom_status (*run)(ad_training *, long count, long *done);
    adatom_status (*notes)(const ad_training *, json_t *notes); /* adds the settings to the model's notes */
} ad_training_kind;

struct ad_training {
    const ad_training_kind *kind;
    adatom_device *device;
    adatom_context *ctx;
    /* What the caller asks for. */
    const adatom_dataset *data;
    adatom_dataset_info info;
    const char *output, *checkpoint, *command;
    bool resume, restart;
    int checkpoint_seconds;
    size_t memory_bytes;
    struct {
        const adatom_dataset *dataset; /* NULL: no validation */
        adatom_episodes *episodes;
        adatom_method method;
        char text[160]; /* for the notes: "class means, 5-way 5-shot, 100 episodes" */
    } validation;
    /* What the kind fills in before ad_training_run. */
    adatom_model *model;
    ad_session session; /* of the model; its rows are the pictures */
    long steps, steps_per_epoch;
    long block;   /* steps that the device can be given in one go, from a multiple of it on */
    int batch;    /* pictures of a step that are classified */
    int pictures; /* of a step */
    ad_checkpoint state;
    /* The run. */
    char *checkpoint_path;
    bool found;          /* there is a checkpoint to go on from */
    double begin, saved; /* when this run started, when the last checkpoint was written, by ad_seconds() */
    double step_seconds; /* the last block's time for a step; 0: not measured yet */
    double trained;      /* seconds spent in steps since the epoch (or this run) began, and the pictures in them */
    long trained_pictures;
};

/* Whether there is a checkpoint and what the caller wants done with it, and whether the output can be written. USAGE:
 * there is one, and neither `resume` nor `restart` is asked for. BAD_DATA: one that `checkpoint` names is to be resumed
 * and is not there. */
adatom_status ad_training_find(ad_training *t);
/* Room for the epochs and for the state's arrays of so many floats (ad_checkpoint), of a run whose steps and batch are
 * set. state.config is left to the kind. */
adatom_status ad_training_make_state(ad_training *t, const size_t counts[AD_CHECKPOINT_ARRAYS]);
/* What validation asks of its data and of memory, before the first step and not after the first epoch: plans it. */
adatom_status ad_training_prepare_validation(ad_training *t);
/* From the checkpoint, or from the start, to the model's file. The device's memory is given back before the end. */
adatom_status ad_training_run(ad_training *t);
/* What step `step` computed: its loss, and how many of its pictures it classified right. FAILED: the loss is not
 * finite. */
adatom_status ad_training_count(ad_training *t, float loss, int right);
/* How many steps the device is given in one go: to the end of the block or the epoch, and no further than the next
 * checkpoint is due, as far as is known how long a step takes. now: ad_seconds(). */
long ad_training_steps_at_once(const ad_training *t, double now);
void ad_training_clear(ad_training *t);

/* ---- training_settings.c ----------------------------------------------------------------------------------------- */

/* The network to start from, which the caller's description must not contradict (USAGE); it becomes *wanted. */
adatom_status ad_training_start_from(adatom_context *ctx, const adatom_model *from, adatom_model_params *wanted);

/* Makes t->model of the network, with what `from` (NULL: nothing) has of it. USAGE: the data set holds no pictures, or
 * smaller ones than the network wants. */
adatom_status ad_training_make_model(ad_training *t, const adatom_model_params *network, const adatom_model *from);
/* A row of AD_SCHEDULE_COLUMNS for a step: one rate for all roles, and Adam's corrections (beta2 0.999) or none. */
void ad_training_schedule_row(float *row, long step, double rate, bool adam, float beta1);

/* Epochs, ascending, at whose ends a rate is multiplied by a factor. */
typedef struct ad_falls {
    const int *epochs;
    size_t count;
    float factor;
} ad_falls;
enum { AD_MOST_MILESTONES = 64, AD_FALLS_BYTES = 16 * AD_MOST_MILESTONES + 16 };
/* USAGE: they are not ascending numbers within so many epochs. */
adatom_status ad_falls_check(adatom_context *ctx, const char *where, const ad_falls *falls, int epochs);
double ad_falls_factor(const ad_falls *falls, long epoch); /* in the epoch with that number, from 0 */
/* For identities, "" without any; capacity: AD_FALLS_BYTES. */
void ad_falls_text(const ad_falls *falls, char *out, size_t capacity);
void ad_falls_notes(const ad_falls *falls, json_t *notes, bool *bad);

/* ---- training_files.c -------------------------------------------------------------------------------------------- */

/* Reads the checkpoint that was found, if there is one, and sends it to the device. */
adatom_status ad_training_resume(ad_training *t);
adatom_status ad_training_save_checkpoint(ad_training *t);
/* validation: accuracy, < 0: not validated. */
adatom_status ad_training_save_model(ad_training *t, double validation);
/* The model of the best epoch, as it was written. BAD_DATA: another file is in its place. */
adatom_status ad_training_load_best(const ad_training *t, adatom_model **out);
/* A float's bits as a number, for identities: decimal text differs between locales. */
unsigned ad_float_bits(float value);
/* Everything that decides a training besides its own settings, which the text tells: the network, data, device and
 * validation. To state.config; a checkpoint fits only a run with the same. */
adatom_status ad_training_identify(ad_training *t, const char *settings);
#endif

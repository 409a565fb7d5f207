/* What the parts of pretraining share: settings and their identity (pretrain_settings.c), what is kept in files
 * (pretrain_files.c), the run itself (pretrain.c). */
#ifndef AD_FEWSHOT_PRETRAIN_H
#define AD_FEWSHOT_PRETRAIN_H

#include "fewshot/formats/checkpoint.h"
#include "fewshot/method.h"
#include "fewshot/session.h"
#include <adatom/train.h>

typedef struct ad_training {
    adatom_device *device;
    adatom_context *ctx;
    const adatom_dataset *data;
    adatom_dataset_info info;
    adatom_pretrain_params p; /* defaults filled in */
    adatom_model_params network;
    adatom_model *model;
    ad_session session; /* of the model; its rows are the pictures */
    int32_t *labels;    /* of all pictures */
    int32_t *order;     /* of the epoch whose number is order_epoch */
    long order_epoch;
    long steps, steps_per_epoch, block; /* block: steps whose pictures are on the device at once */
    int32_t *predicted;                 /* [block][batch] */
    float *loss;                        /* [block] */
    ad_checkpoint state;
    char *checkpoint_path;
    bool found;          /* there is a checkpoint to go on from */
    double begin, saved; /* when this run started, when the last checkpoint was written, by ad_seconds() */
    double step_seconds; /* the last block's time for a step; 0: not measured yet */
    double trained;      /* seconds spent in steps since the epoch (or this run) began, and the pictures in them */
    long trained_pictures;
    adatom_episodes *validation;
    adatom_method centroid; /* of validation */
} ad_training;

/* Fills in the defaults of t->p and t->network, and checks everything that needs no data on the device. */
adatom_status ad_pretrain_settings(ad_training *t);
/* The rates of all steps: rows[steps][AD_SCHEDULE_COLUMNS]. */
/* The milestones and their factor as a text, "" without them; capacity: AD_FALLS_BYTES. */
enum { AD_MOST_MILESTONES = 64, AD_FALLS_BYTES = 16 * AD_MOST_MILESTONES + 16 };
void ad_pretrain_falls(const adatom_pretrain_params *p, char *out, size_t capacity);
void ad_pretrain_schedule(const ad_training *t, float *rows);
/* The hash of everything that decides the numbers, to state.config; a checkpoint fits only a run with the same. */
adatom_status ad_pretrain_identity(ad_training *t);

/* How many steps the device is given in one go: to the end of the block or the epoch, and no further than the next
 * checkpoint is due, as far as is known how long a step takes. now: ad_seconds(). */
long ad_pretrain_steps_at_once(const ad_training *t, double now);

/* Whether there is a checkpoint and what the caller wants done with it. USAGE: there is one, and neither `resume` nor
 * `restart` is asked for. BAD_DATA: one that `checkpoint` names is to be resumed and is not there. */
adatom_status ad_pretrain_find(ad_training *t);
/* Reads the checkpoint that was found, if there is one, and sends it to the device. */
adatom_status ad_pretrain_resume(ad_training *t);
/* The device's state as host arrays and as the model's values. FAILED: it is not finite. */
adatom_status ad_pretrain_snapshot(ad_training *t);
adatom_status ad_pretrain_save_checkpoint(ad_training *t);
/* validation: accuracy, < 0: not validated. */
adatom_status ad_pretrain_save_model(ad_training *t, double validation);
/* The model of the best epoch, as it was written, becomes t->model. BAD_DATA: another file is in its place. */
adatom_status ad_pretrain_load_best(const ad_training *t, adatom_model **out);
#endif

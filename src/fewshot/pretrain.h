/* What the parts of pretraining share: settings and their identity (pretrain_settings.c), the run itself
 * (pretrain.c). */
#ifndef AD_FEWSHOT_PRETRAIN_H
#define AD_FEWSHOT_PRETRAIN_H

#include "fewshot/training.h"

typedef struct ad_pretraining {
    ad_training run;          /* first: what its kind is given */
    adatom_pretrain_params p; /* defaults filled in */
    adatom_model_params network;
    int32_t *labels; /* of all pictures */
    int32_t *order;  /* of the epoch whose number is order_epoch */
    long order_epoch;
    int32_t *predicted; /* [block][batch] */
    float *loss;        /* [block] */
} ad_pretraining;

/* Fills in the defaults of t->p and t->network, and checks everything that needs no data on the device. */
adatom_status ad_pretrain_settings(ad_pretraining *t);
/* The rates of all steps: rows[steps][AD_SCHEDULE_COLUMNS]. */
void ad_pretrain_schedule(const ad_pretraining *t, float *rows);
/* Everything that decides the numbers, to state.config. */
adatom_status ad_pretrain_identity(ad_pretraining *t);
/* The settings, to the model's notes. */
adatom_status ad_pretrain_notes(const ad_training *run, json_t *notes);
#endif

/* What the parts of meta-training share: settings and their identity (metatrain_settings.c), the run itself
 * (metatrain.c). */
#ifndef AD_FEWSHOT_METATRAIN_H
#define AD_FEWSHOT_METATRAIN_H

#include "fewshot/episode_rows.h"
#include "fewshot/training.h"

typedef struct ad_metatraining {
    ad_training run;           /* first: what its kind is given */
    adatom_metatrain_params p; /* defaults filled in */
    adatom_model_params network;
    adatom_method inner;       /* with the defaults of meta-training; of validation, too */
    ad_settings settings;      /* of it */
    bool learned;              /* the tasks' classifier starts from one that is learned */
    bool *layers;              /* that adapt; NULL: all */
    adatom_episodes *episodes; /* all of the training */
    ad_episode_rows pictures;
    int supports, queries; /* pictures of a task */
} ad_metatraining;

/* Fills in the defaults of t->p, t->network and t->inner, and checks everything that needs no data on the device. */
adatom_status ad_metatrain_settings(ad_metatraining *t);
/* The method of validation: it adapts as training does, with statistics that the queries do not share. */
adatom_method ad_metatrain_validation(const ad_metatraining *t);
/* The rates of all steps: rows[steps][AD_SCHEDULE_COLUMNS]. */
void ad_metatrain_schedule(const ad_metatraining *t, float *rows);
/* Everything that decides the numbers, to state.config. */
adatom_status ad_metatrain_identity(ad_metatraining *t);
/* The settings, to the model's notes. */
adatom_status ad_metatrain_notes(const ad_training *run, json_t *notes);
#endif

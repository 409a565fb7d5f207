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
    float *mix;         /* [block][8], as MIX wants it; NULL: nothing is mixed */
    ad_session teacher; /* its rows are those of run.session */
    long told;          /* first step of the block that mix and scores are of; -1: none */
    float *scores;      /* of the teacher, [block][batch][classes]; NULL: there is none */
} ad_pretraining;

/* ---- pretrain_regular.c: what keeps the training from fitting its pictures too closely --------------------------- */

/* How often a picture is in a step. */
int ad_pretrain_times(const ad_pretraining *t);
/* To the plan. */
void ad_pretrain_regular(const ad_pretraining *t, ad_build_params *build);
/* Device memory that the teacher needs besides the pictures; student: the plan that it is to teach. */
adatom_status ad_pretrain_teacher_bytes(const ad_pretraining *t, const ad_build_params *student, size_t *bytes);
/* Arrays, and the teacher beside the session, which has begun. */
adatom_status ad_pretrain_begin_regular(ad_pretraining *t);
/* How the pictures of the block that begins with step `first` are mixed, and what the teacher says of them; to be
 * called when the block's pictures are there and its rows are listed. */
adatom_status ad_pretrain_load_regular(ad_pretraining *t, long first);
/* How the pictures of a step are mixed, a function of the seed and the step: as MIX wants it. */
void ad_pretrain_draw_mix(const ad_pretraining *t, long step, float row[AD_MIX_COLUMNS]);
/* The label that picture i of the block's round r shows most of. */
int32_t ad_pretrain_label(const ad_pretraining *t, long r, int i);
void ad_pretrain_clear_regular(ad_pretraining *t);

/* Fills in the defaults of t->p and t->network, and checks everything that needs no data on the device. */
adatom_status ad_pretrain_settings(ad_pretraining *t);
/* The rates of all steps: rows[steps][AD_SCHEDULE_COLUMNS]. */
void ad_pretrain_schedule(const ad_pretraining *t, float *rows);
/* Everything that decides the numbers, to state.config. */
adatom_status ad_pretrain_identity(ad_pretraining *t);
/* The settings, to the model's notes. */
adatom_status ad_pretrain_notes(const ad_training *run, json_t *notes);
#endif

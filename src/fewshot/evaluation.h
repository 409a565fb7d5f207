/* What an adaptation to episodes gives. */
#ifndef AD_FEWSHOT_EVALUATION_H
#define AD_FEWSHOT_EVALUATION_H

#include "fewshot/method.h"
#include "net/network.h"
#include <adatom/adapt.h>

struct adatom_evaluation {
    adatom_context *ctx;
    adatom_evaluation_info info;
    float *accuracy;      /* [tasks] */
    int32_t *predictions; /* [tasks][way*query] */
    char *config;         /* jansson's */
    ad_settings settings;
};

/* What an evaluation is of, beside its settings. */
typedef struct ad_evaluation_subject {
    const adatom_model *model;
    const adatom_episodes_info *list;
    int first, count; /* episodes of the list */
    int tasks_at_once;
    bool resident; /* all pictures were on the device */
    uint64_t adapted;
    size_t arena_bytes;
} ad_evaluation_subject;

/* An evaluation without results. */
adatom_status ad_evaluation_create(adatom_context *ctx, const ad_settings *settings,
                                   const ad_evaluation_subject *subject, adatom_evaluation **out);
/* Once everything is in: mean and interval, and a warning that names the first of the episodes that diverged. */
void ad_evaluation_finish(adatom_context *ctx, adatom_evaluation *evaluation, int first_episode);
#endif

/* Which model a run on a data set is of: the caller's, or, of features without one, a model of features alone. */
#ifndef AD_FEWSHOT_RUN_MODEL_H
#define AD_FEWSHOT_RUN_MODEL_H

#include "fewshot/method.h"
#include "net/network.h"
#include <adatom/features.h>

typedef struct ad_run_model {
    const adatom_model *model;
    adatom_model *own; /* cleared by ad_run_model_clear(), which takes an empty one, too */
} ad_run_model;

/* USAGE: pictures without a model, or such as are only listed; BAD_DATA: features of another network than the model. */
adatom_status ad_run_model_choose(adatom_context *ctx, const adatom_model *model, const adatom_dataset *dataset,
                                  ad_run_model *out);
void ad_run_model_clear(ad_run_model *run);
/* USAGE: the method changes the network, or needs what it makes of pictures, and the data set holds features. */
adatom_status ad_run_model_method(adatom_context *ctx, const adatom_dataset *dataset, const ad_settings *settings);
/* Whether the pictures have no classes. */
bool ad_run_model_unlabelled(const adatom_dataset *dataset);
#endif

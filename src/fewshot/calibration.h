/* What the estimate's class scores say of an adapter's: the temperature that makes probabilities of them which are
 * right as often as they say [Guo et al., ICML 2017], and how familiar pictures of the adapter's own classes look, by
 * which others are refused [conformal prediction: Vovk et al. 2005]. */
#ifndef AD_FEWSHOT_CALIBRATION_H
#define AD_FEWSHOT_CALIBRATION_H

#include "base/base.h"
#include <jansson.h>

/* Of the familiarities that an adapter keeps; of more, so many are kept at even distances of rank. */
enum { AD_CALIBRATION_MOST = 512 };
#define AD_TEMPERATURE_LEAST 0.01
#define AD_TEMPERATURE_MOST 100.0

typedef struct ad_calibration {
    int pictures; /* that it was made of; 0: there is none */
    float temperature;
    float loss_before, loss; /* mean of -log(probability of the true class), at temperature 1 and at this one */
    int count;               /* 1..AD_CALIBRATION_MOST, at most `pictures` */
    float *familiarity;      /* [count], ascending */
} ad_calibration;

/* scores[images][classes] and familiarity[images]; NaN in the first score or the familiarity: the picture does not
 * count. out->pictures is 0 where none does. The caller clears out. */
adatom_status ad_calibrate(adatom_context *ctx, const float *scores, const float *familiarity, const int32_t *labels,
                           size_t images, int classes, ad_calibration *out);
void ad_calibration_clear(ad_calibration *calibration);

/* The part, in (0, 1], of pictures of the adapter's own classes that look no more familiar: refusing pictures for which
 * it is `share` or less refuses that share of them at most. */
double ad_calibration_typicality(const ad_calibration *calibration, double familiarity);
/* Below this share nothing can be refused. */
double ad_calibration_least(const ad_calibration *calibration);

/* As a member of an adapter's configuration; NULL: out of memory. */
json_t *ad_calibration_json(const ad_calibration *calibration);
/* json NULL: there is none. BAD_DATA: impossible numbers; `name` is for the message. */
adatom_status ad_calibration_parse(adatom_context *ctx, const char *name, json_t *json, ad_calibration *out);
#endif

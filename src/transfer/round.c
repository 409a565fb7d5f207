/* Models in half precision. */
#include "base/half.h"
#include "net/network.h"
#include <adatom/transfer.h>

#include <math.h>
#include <string.h>

static adatom_status round_param(const adatom_model *from, const ad_param *p, adatom_model *to) {
    for (size_t e = 0; e < p->count; e++) {
        const float value = from->values[p->offset + e];
        if (fabsf(value) > AD_HALF_MAX)
            return ad_fail(from->ctx, ADATOM_BAD_DATA,
                           "%s holds %g, more than the %g that half precision reaches: keep this model as it is",
                           p->name, (double)value, (double)AD_HALF_MAX);
        to->values[p->offset + e] = ad_half_to_float(ad_half_from_float(value));
    }
    return ADATOM_OK;
}

adatom_status adatom_model_round(const adatom_model *model, adatom_model **out) {
    adatom_status status = ADATOM_OK;
    adatom_model *to = NULL;
    const ad_call outer = ad_call_begin(model->ctx, NULL, NULL);
    *out = NULL;
    AD_TRY(ad_model_create_blank(model->ctx, &model->net.made_from, &to));
    AD_TRY(ad_model_inherit(to, model));
    ad_model_copy_values(to, model);
    for (int i = 0; i < to->net.param_count; i++)
        if (ad_param_halved(&to->net.params[i])) AD_TRY(round_param(model, &to->net.params[i], to));
    if (model->base_mean) {
        const size_t features = (size_t)model->net.features;
        if (!(to->base_mean = ad_malloc(model->ctx, features, sizeof *to->base_mean))) AD_TRY(ADATOM_OUT_OF_MEMORY);
        memcpy(to->base_mean, model->base_mean, features * sizeof *to->base_mean);
    }
    ad_model_rehash(to);
    *out = to;
    to = NULL;
done:
    adatom_model_destroy(&to);
    return ad_call_end(model->ctx, &outer, status);
}

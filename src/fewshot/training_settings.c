/* Settings that trainings have in common. */
#include "fewshot/training.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

adatom_status ad_training_start_from(adatom_context *ctx, const adatom_model *from, adatom_model_params *wanted) {
    const adatom_model_params *is = &from->net.made_from;
    const struct {
        const char *what, *is, *wanted;
    } texts[] = {
        {"architecture", is->arch, wanted->arch},
        {"sharing", adatom_sharing_name(is->sharing), wanted->sharing ? adatom_sharing_name(wanted->sharing) : NULL},
        {"stem", is->stem ? adatom_stem_name(is->stem) : "none", wanted->stem ? adatom_stem_name(wanted->stem) : NULL}};
    const struct {
        const char *what;
        int is, wanted;
    } numbers[] = {{"image size", is->image_size, wanted->image_size},
                   {"atoms", is->atoms, wanted->atoms},
                   {"group size", is->group, wanted->group},
                   {"width", is->width, wanted->width}};
    for (size_t i = 0; i < AD_COUNT(texts); i++)
        if (texts[i].wanted && strcmp(texts[i].wanted, texts[i].is) != 0)
            return ad_fail(ctx, ADATOM_USAGE, "the model to start from has %s %s, not %s", texts[i].what, texts[i].is,
                           texts[i].wanted);
    for (size_t i = 0; i < AD_COUNT(numbers); i++)
        if (numbers[i].wanted && numbers[i].wanted != numbers[i].is)
            return ad_fail(ctx, ADATOM_USAGE, "the model to start from has %s %d, not %d", numbers[i].what,
                           numbers[i].is, numbers[i].wanted);
    if ((wanted->decompose_first && !is->decompose_first) || (wanted->residual && !is->residual))
        return ad_fail(ctx, ADATOM_USAGE, "the model to start from has %s",
                       wanted->residual && !is->residual ? "no residual layers" : "an ordinary first convolution");
    *wanted = *is;
    return ADATOM_OK;
}

adatom_status ad_training_make_model(ad_training *t, const adatom_model_params *network, const adatom_model *from) {
    adatom_status status = ADATOM_OK;
    if (t->info.features || t->info.listed)
        return ad_fail(t->ctx, ADATOM_USAGE, "'%s' holds no decoded pictures, which training needs", t->info.name);
    AD_TRY(adatom_model_create(t->ctx, network, &t->model));
    if (from) {
        AD_TRY(ad_model_inherit(t->model, from));
        ad_model_copy_values(t->model, from);
    }
    if (t->info.image_size < t->model->net.image_size)
        AD_TRY(ad_fail(t->ctx, ADATOM_USAGE, "the data set's pictures are %d pixels, the model wants %d",
                       t->info.image_size, t->model->net.image_size));
done:
    return status;
}

void ad_training_schedule_row(float *row, long step, double rate, bool adam, float beta1) {
    for (int column = 0; column < AD_RATE_COUNT; column++) row[column] = (float)rate;
    row[AD_SCHEDULE_FIRST] = adam ? (float)(1 - pow((double)beta1, (double)step + 1)) : 1;
    row[AD_SCHEDULE_SECOND] = adam ? (float)(1 - pow(0.999, (double)step + 1)) : 1;
}

adatom_status ad_falls_check(adatom_context *ctx, const char *where, const ad_falls *falls, int epochs) {
    if (falls->count > AD_MOST_MILESTONES || (falls->count && !falls->epochs))
        return ad_fail(ctx, ADATOM_USAGE, "%s%zu milestones; at most %d are possible", where, falls->count,
                       AD_MOST_MILESTONES);
    for (size_t i = 0; i < falls->count; i++)
        if (falls->epochs[i] <= (i ? falls->epochs[i - 1] : 0) || falls->epochs[i] >= epochs)
            return ad_fail(ctx, ADATOM_USAGE, "%sthe milestone %d is not between %s and the last of %d epochs", where,
                           falls->epochs[i], i ? "the one before" : "the start", epochs);
    return ADATOM_OK;
}

double ad_falls_factor(const ad_falls *falls, long epoch) {
    double factor = 1;
    for (size_t i = 0; i < falls->count; i++)
        if (epoch >= falls->epochs[i]) factor *= (double)falls->factor;
    return factor;
}

void ad_falls_text(const ad_falls *falls, char *out, size_t capacity) {
    size_t used = 0;
    *out = 0;
    for (size_t i = 0; i < falls->count; i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%d", i ? "," : "|", falls->epochs[i]);
    if (used) snprintf(out + used, capacity - used, "|%08x", ad_float_bits(falls->factor));
}

void ad_falls_notes(const ad_falls *falls, json_t *notes, bool *bad) {
    if (!falls->count) return;
    json_t *milestones = json_array();
    for (size_t i = 0; i < falls->count; i++)
        *bad = *bad || json_array_append_new(milestones, json_integer(falls->epochs[i])) != 0;
    ad_json_set(notes, "milestones", milestones, bad);
    ad_json_set(notes, "decay", json_real((double)falls->factor), bad);
}

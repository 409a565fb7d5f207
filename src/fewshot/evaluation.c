#include "fewshot/evaluation.h"

#include "io/json.h"

#include <math.h>
#include <stdlib.h>

static char *config_text(const ad_settings *settings, const ad_evaluation_subject *of) {
    json_t *config = ad_settings_json(settings);
    bool bad = !config;
    if (bad) return NULL;
    adatom_model_info model = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(of->model, &model);
    ad_json_set(config, "model",
                json_pack("{s:s, s:s, s:i, s:i, s:s}", "arch", model.arch, "sharing",
                          adatom_sharing_name(model.sharing), "atoms", model.atoms, "image_size", model.image_size,
                          "hash", model.hash),
                &bad);
    ad_json_set(config, "first_episode", json_integer(of->first), &bad);
    ad_json_set(config, "episodes", json_integer(of->count), &bad);
    ad_json_set(config, "tasks_at_once", json_integer(of->tasks_at_once), &bad);
    ad_json_set(config, "pictures", json_string(of->resident ? "resident" : "streamed"), &bad);
    char *text = bad ? NULL : ad_json_dump(config, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(config);
    return text;
}

adatom_status ad_evaluation_create(adatom_context *ctx, const ad_settings *settings, const ad_evaluation_subject *of,
                                   adatom_evaluation **out) {
    adatom_evaluation *e = *out = ad_calloc(ctx, 1, sizeof *e);
    if (!e) return ADATOM_OUT_OF_MEMORY;
    const size_t count = (size_t)of->count, queries = (size_t)of->list->way * (size_t)of->list->query;
    e->ctx = ctx;
    e->settings = *settings;
    e->accuracy = ad_calloc(ctx, count, sizeof(float));
    e->predictions = ad_calloc(ctx, count * queries, sizeof(int32_t));
    e->config = config_text(&e->settings, of);
    e->info = (adatom_evaluation_info){.method = e->settings.kind,
                                       .tasks = of->count,
                                       .way = of->list->way,
                                       .shot = of->list->shot,
                                       .query = of->list->query,
                                       .steps = settings->steps,
                                       .accuracy = e->accuracy,
                                       .predictions = e->predictions,
                                       .adapted = of->adapted,
                                       .arena_bytes = of->arena_bytes,
                                       .tasks_at_once = of->tasks_at_once,
                                       .config_json = e->config};
    if (e->accuracy && e->predictions && e->config) return ADATOM_OK;
    adatom_evaluation_destroy(out);
    return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
}

/* Said once for each evaluation, whoever counts them. */
static void warn_of_diverged(adatom_context *ctx, const adatom_evaluation *e, int first_episode) {
    int first = 0;
    if (!e->info.diverged) return;
    while (!isnan(e->accuracy[first])) first++;
    ad_log(ctx, ADATOM_LOG_WARNING,
           "%s, %d-shot, %d steps: %d of %d episodes diverged (the first is number %d): what adapted or the class "
           "scores are not finite, or all scores are the same. %s; lower the learning rate",
           e->settings.name, e->info.shot, e->info.steps, e->info.diverged, e->info.tasks, first_episode + first,
           e->info.diverged == e->info.tasks ? "There is no accuracy" : "They are left out of the accuracy");
}

void ad_evaluation_finish(adatom_context *ctx, adatom_evaluation *e, int first_episode) {
    adatom_mean_interval(e->accuracy, NULL, (size_t)e->info.tasks, &e->info.mean, &e->info.ci95);
    warn_of_diverged(ctx, e, first_episode);
}

adatom_status adatom_evaluation_describe(const adatom_evaluation *evaluation, adatom_evaluation_info *out) {
    return AD_INFO(evaluation->ctx, adatom_evaluation_info, &evaluation->info, out);
}

void adatom_evaluation_destroy(adatom_evaluation **evaluation) {
    if (!evaluation || !*evaluation) return;
    ad_free((*evaluation)->accuracy);
    ad_free((*evaluation)->predictions);
    free((*evaluation)->config); /* jansson's */
    ad_free(*evaluation);
    *evaluation = NULL;
}

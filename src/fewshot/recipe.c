/* Running recipes. */
#include "fewshot/recipe.h"

#include <math.h>
#include <string.h>

/* Engines round differently; over the steps of an adaptation that turns a few queries. */
#define LEAST_TOLERANCE 0.005

typedef struct outcome {
    adatom_evaluation *evaluation;
    double difference, tolerance;
    int diverged;
} outcome;

struct adatom_reproduction {
    adatom_context *ctx;
    adatom_model *model;
    adatom_dataset *dataset;
    adatom_episodes *episodes;
    adatom_reproduction_info info;
    outcome *outcomes; /* [info.results] */
};

/* Progress of one result in the caller's terms. */
typedef struct watch {
    const adatom_recipe_params *params;
    int result, results;
} watch;

static bool on_progress(void *user, const adatom_progress *now) {
    const watch *w = user;
    adatom_progress part = *now;
    part.part = w->result;
    part.parts = w->results;
    return w->params->progress(w->params->user, &part);
}

static adatom_status open_data(const adatom_recipe *recipe, const adatom_recipe_params *p,
                               const adatom_model_info *model, adatom_dataset **out) {
    const adatom_recipe_info *info = &recipe->info;
    const char *spec = p->data ? p->data : info->spec;
    *out = NULL;
    if (!spec)
        return ad_fail(recipe->ctx, ADATOM_BAD_DATA, "'%s' needs data that you bring: %s", recipe->file, info->supply);
    const adatom_dataset_params params = {.size = sizeof(adatom_dataset_params),
                                          .image_size = model->image_size,
                                          .resize = model->resize,
                                          .interpolation = model->interpolation,
                                          .split = p->split ? p->split : info->split,
                                          .csv = p->csv    ? p->csv
                                                 : p->data ? NULL
                                                           : info->csv,
                                          .cache_dir = p->cache_dir,
                                          .threads = p->threads,
                                          .seed = info->data_seed,
                                          .builtin_per_class = info->per_class,
                                          .progress = p->progress,
                                          .user = p->user};
    return adatom_dataset_open(recipe->ctx, spec, &params, out);
}

/* A hash that is expected and another is worth a warning; one that is not expected says nothing. */
static bool same(const adatom_recipe *recipe, const char *what, const char *expected, const char *found) {
    if (!expected) return false;
    if (strcmp(expected, found) == 0) return true;
    ad_log(recipe->ctx, ADATOM_LOG_WARNING, "%s: the %s has the hash %s; '%s' was measured with %s", recipe->info.name,
           what, found, recipe->file, expected);
    return false;
}

static adatom_status open_parts(adatom_reproduction *r, const adatom_recipe *recipe, const adatom_recipe_params *p) {
    adatom_status status = ADATOM_OK;
    adatom_model_info model = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info data = ADATOM_INIT(adatom_dataset_info);
    adatom_episodes_info list = ADATOM_INIT(adatom_episodes_info);
    const adatom_recipe_info *info = &recipe->info;
    AD_TRY(adatom_model_load(r->ctx, info->model, &r->model));
    adatom_model_describe(r->model, &model);
    AD_TRY(open_data(recipe, p, &model, &r->dataset));
    AD_TRY(adatom_episodes_create(r->ctx, r->dataset, info->episodes, &r->episodes));
    adatom_dataset_describe(r->dataset, &data);
    adatom_episodes_describe(r->episodes, &list);
    r->info.same_model = same(recipe, "model", info->model_hash, model.hash);
    r->info.same_data = same(recipe, "data set", info->data_hash, data.hash);
    /* A list holds numbers of pictures: equal numbers in other data are other pictures. */
    r->info.same_list = same(recipe, "list of episodes", info->list_hash, list.hash) && r->info.same_data;
done:
    return status;
}

static bool passed(const outcome *o) { return !o->diverged && fabs(o->difference) <= o->tolerance; }

static void judge(const adatom_recipe_result *expected, bool same_list, outcome *o) {
    adatom_evaluation_info measured = ADATOM_INIT(adatom_evaluation_info);
    adatom_evaluation_describe(o->evaluation, &measured);
    o->diverged = measured.diverged;
    o->difference = measured.mean - expected->accuracy;
    if (!same_list)
        o->tolerance = hypot(expected->ci95, measured.ci95);
    else
        o->tolerance = expected->tolerance > 0 ? expected->tolerance : fmax(LEAST_TOLERANCE, expected->ci95 / 2);
}

adatom_status adatom_recipe_run(adatom_device *device, const adatom_recipe *recipe, const adatom_recipe_params *params,
                                adatom_reproduction **out) {
    adatom_recipe_params p;
    const adatom_recipe_info *info = &recipe->info;
    adatom_reproduction *r = NULL;
    *out = NULL;
    adatom_status status = AD_PARAMS(recipe->ctx, adatom_recipe_params, params, &p);
    const ad_call outer = ad_call_begin(recipe->ctx, p.progress, p.user);
    AD_TRY(status);
    if (!(r = ad_calloc(recipe->ctx, 1, sizeof *r))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    r->ctx = recipe->ctx;
    if (!(r->outcomes = ad_calloc(r->ctx, (size_t)info->results, sizeof *r->outcomes))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    r->info.results = info->results;
    AD_TRY(open_parts(r, recipe, &p));
    r->info.model = r->model;
    r->info.dataset = r->dataset;
    r->info.episodes = r->episodes;
    for (int i = 0; i < info->results; i++) {
        const adatom_recipe_result *expected = &recipe->results[i];
        outcome *o = &r->outcomes[i];
        watch w = {&p, i, info->results};
        const adatom_adapt_params run = {.size = sizeof run,
                                         .dataset = r->dataset,
                                         .episodes = r->episodes,
                                         .method = expected->method,
                                         .first = info->first,
                                         .count = info->count,
                                         .progress = p.progress ? on_progress : NULL,
                                         .user = &w};
        AD_TRY(adatom_adapt_episodes(device, r->model, &run, &o->evaluation));
        judge(expected, r->info.same_list, o);
        r->info.passed += passed(o);
    }
    *out = r;
    r = NULL;
done:
    adatom_reproduction_destroy(&r);
    return ad_call_end(recipe->ctx, &outer, status);
}

adatom_status adatom_reproduction_describe(const adatom_reproduction *reproduction, adatom_reproduction_info *out) {
    return AD_INFO(reproduction->ctx, adatom_reproduction_info, &reproduction->info, out);
}

adatom_status adatom_reproduction_get(const adatom_reproduction *reproduction, int result,
                                      adatom_reproduction_result *out) {
    if (result < 0 || result >= reproduction->info.results)
        return ad_fail(reproduction->ctx, ADATOM_USAGE, "there is no result %d, only 0 to %d", result,
                       reproduction->info.results - 1);
    const outcome *o = &reproduction->outcomes[result];
    const adatom_reproduction_result info = {
        .evaluation = o->evaluation, .difference = o->difference, .tolerance = o->tolerance, .passed = passed(o)};
    return AD_INFO(reproduction->ctx, adatom_reproduction_result, &info, out);
}

void adatom_reproduction_destroy(adatom_reproduction **reproduction) {
    adatom_reproduction *r = reproduction ? *reproduction : NULL;
    if (!r) return;
    for (int i = 0; i < r->info.results; i++) adatom_evaluation_destroy(&r->outcomes[i].evaluation);
    ad_free(r->outcomes);
    adatom_episodes_destroy(&r->episodes);
    adatom_dataset_destroy(&r->dataset);
    adatom_model_destroy(&r->model);
    ad_free(r);
    *reproduction = NULL;
}

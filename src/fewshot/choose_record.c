/* What is told of a choice: to callers, in the log, in the adapter's configuration. */
#include "fewshot/choose.h"
#include "io/json.h"

#include <stdio.h>
#include <string.h>

ad_choose_table ad_choose_table_of(const adatom_choice *c) {
    return (ad_choose_table){.candidates = c->info.candidates,
                             .folds = c->info.folds,
                             .images = c->images,
                             .fold = c->fold,
                             .rank = c->rank,
                             .tried = c->tried,
                             .right = c->right};
}

unsigned ad_choose_rates(adatom_adapt_kind kind) {
    switch (kind) {
    case ADATOM_ADAPT_LOGISTIC:
    case ADATOM_ADAPT_LDA:
    case ADATOM_ADAPT_KNN:
    case ADATOM_ADAPT_BD_CSPN:
    case ADATOM_ADAPT_SIMPLESHOT:
    case ADATOM_ADAPT_CENTROID: return 0;
    case ADATOM_ADAPT_ATOMS: return AD_CHOOSE_RATE_ATOMS;
    case ADATOM_ADAPT_NORM: return AD_CHOOSE_RATE_NORM;
    case ADATOM_ADAPT_ATOMS_NORM: return AD_CHOOSE_RATE_ATOMS | AD_CHOOSE_RATE_NORM;
    case ADATOM_ADAPT_FULL: return AD_CHOOSE_RATE_FULL;
    case ADATOM_ADAPT_LORA:
    case ADATOM_ADAPT_DORA:
    case ADATOM_ADAPT_BORA:
    case ADATOM_ADAPT_TSA: return AD_CHOOSE_RATE_ADAPTER;
    case ADATOM_ADAPT_HEAD:
    case ADATOM_ADAPT_COSINE:
    case ADATOM_ADAPT_DEFAULT: break;
    }
    return AD_CHOOSE_RATE_HEAD;
}

void ad_choose_name(const adatom_method *m, int steps, char *out, size_t capacity) {
    const float rates[] = {m->lr_atoms, m->lr_norm, m->lr_full, m->lr_adapter};
    const unsigned rated = ad_choose_rates(m->adapt);
    char rate[64] = "", number[32] = "";
    float told = 0;
    for (size_t r = 0; r < AD_COUNT(rates); r++) {
        if (!(rated >> r & 1) || rates[r] == 0.0f || rates[r] == told) continue;
        const size_t length = strlen(rate);
        ad_print(rate + length, sizeof rate - length, "%s%g", length ? " and " : ", rate ", (double)rates[r]);
        told = rates[r];
    }
    if (rated == AD_CHOOSE_RATE_HEAD && m->lr != 0.0f) ad_print(rate, sizeof rate, ", rate %g", (double)m->lr);
    if (m->distance == ADATOM_DISTANCE_COSINE && m->adapt == ADATOM_ADAPT_CENTROID)
        snprintf(rate, sizeof rate, ", distance cosine");
    if (steps) snprintf(number, sizeof number, ", %d steps", steps);
    snprintf(out, capacity, "%s%s%s", adatom_adapt_kind_name(m->adapt), rate, number);
}

/* ---- describing ---- */

adatom_status adatom_choice_describe(const adatom_choice *c, adatom_choice_info *out) {
    return AD_INFO(c->ctx, adatom_choice_info, &c->info, out);
}

/* The accuracy of a candidate over pictures and tasks, and its interval as of one answer a picture. */
static void measure(const adatom_choice *c, int index, adatom_candidate *out) {
    const ad_choose_table table = ad_choose_table_of(c);
    int answers;
    const int right = ad_choose_right(&table, index, AD_CHOOSE_BY_ALL, &answers);
    out->tested = c->info.tested;
    out->tasks = ad_choose_pairs(c->info.folds);
    out->accuracy = answers ? (double)right / answers : 0;
    adatom_wilson_interval((uint64_t)(out->accuracy * out->tested + 0.5), (uint64_t)out->tested, &out->low, &out->high);
}

adatom_status adatom_choice_candidate(const adatom_choice *c, int index, adatom_candidate *out) {
    if (index < 0 || index >= c->info.candidates)
        return ad_fail(c->ctx, ADATOM_USAGE, "the choice has no candidate %d, only 0 to %d", index,
                       c->info.candidates - 1);
    const ad_choose_candidate *from = &c->candidates[index];
    adatom_candidate info = {.size = sizeof info,
                             .method = &from->method,
                             .name = from->name,
                             .batch = from->run >= 0 ? c->runs[from->run].batch : 0,
                             .tried = c->tried[index],
                             .why_not = from->why_not,
                             .diverged = from->diverged,
                             .high = 1,
                             .folds_chosen = from->folds_chosen,
                             .seconds = from->seconds};
    if (info.tried) measure(c, index, &info);
    return AD_INFO(c->ctx, adatom_candidate, &info, out);
}

void adatom_choice_destroy(adatom_choice **choice) {
    if (!choice || !*choice) return;
    adatom_choice *c = *choice;
    ad_free(c->runs);
    ad_free(c->candidates);
    ad_free(c->rank);
    ad_free(c->tried);
    ad_free(c->right);
    ad_free(c->fold);
    ad_free(c->by_fold);
    ad_free(c);
    *choice = NULL;
}

/* ---- the configuration ---- */

static json_t *candidate_json(const adatom_choice *c, int index, bool *bad) {
    const ad_choose_candidate *from = &c->candidates[index];
    adatom_candidate info = {0};
    ad_settings settings;
    if (!c->tried[index])
        return json_pack("{s:s, s:s}", "adapt", adatom_adapt_kind_name(from->method.adapt), "not_tried",
                         from->why_not ? from->why_not : "");
    if (ad_settings_resolve(c->ctx, &from->method, NULL, &settings) != ADATOM_OK) *bad = true;
    measure(c, index, &info);
    json_t *o = json_pack("{s:o, s:i, s:f, s:i, s:i, s:i}", "method", ad_settings_json(&settings), "batch",
                          c->runs[from->run].batch, "accuracy", info.accuracy, "tasks", info.tasks, "diverged",
                          from->diverged, "folds_chosen", from->folds_chosen);
    if (!o) *bad = true;
    return o;
}

json_t *ad_choose_json(const adatom_choice *c, uint64_t seed) {
    const adatom_choice_info *info = &c->info;
    json_t *o = json_object(), *candidates = json_array(), *by_fold = json_array();
    bool bad = !o;
    for (int k = 0; k < info->candidates; k++) ad_json_append(candidates, candidate_json(c, k, &bad), &bad);
    for (int a = 0; c->by_fold && a < info->folds; a++) {
        json_t *one = c->by_fold[a] < 0 ? json_null() : json_integer(c->by_fold[a]);
        ad_json_append(by_fold, one, &bad);
    }
    if (info->reason) ad_json_set(o, "reason", json_string(info->reason), &bad);
    ad_json_set(o, "folds", json_integer(info->folds), &bad);
    ad_json_set(o, "tested", json_integer(info->tested), &bad);
    ad_json_set(o, "seed", ad_seed_json(seed), &bad);
    ad_json_set(o, "budget", json_real(info->budget), &bad);
    ad_json_set(o, "work", json_real(info->work), &bad);
    ad_json_set(o, "rule", json_string("simplest within one standard error of the best"), &bad);
    ad_json_set(o, "chosen", json_integer(info->chosen), &bad);
    ad_json_set(o, "chosen_without_fold", by_fold, &bad);
    ad_json_set(o, "candidates", candidates, &bad);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

/* Looks through a data set for everything that is wrong with it. */
#include "io/dataset.h"

#include <stdlib.h>
#include <string.h>

typedef struct hashed {
    uint64_t hash;
    size_t picture;
} hashed;

static int by_hash(const void *a, const void *b) {
    const hashed *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->picture < y->picture ? -1 : x->picture > y->picture;
}

/* Reports each picture that has the same bytes as an earlier one. */
static adatom_status find_duplicates(const ad_selection *s, const uint64_t *hashes, ad_problems *problems) {
    adatom_status status = ADATOM_OK;
    hashed *sorted = ad_malloc(problems->ctx, s->count, sizeof *sorted);
    if (!sorted) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < s->count; i++) sorted[i] = (hashed){hashes[i], i};
    qsort(sorted, s->count, sizeof *sorted, by_hash);
    for (size_t i = 1; i < s->count; i++) {
        if (sorted[i].hash != sorted[i - 1].hash || sorted[i].hash == 0) continue;
        const ad_picture *a = &s->pictures[sorted[i - 1].picture], *b = &s->pictures[sorted[i].picture];
        bool same_class = a->class_index == b->class_index;
        AD_TRY(ad_problem(problems, "'%s' and '%s' are the same file%s", a->path, b->path,
                          same_class ? "" : " in different classes"));
    }
done:
    ad_free(sorted);
    return status;
}

static adatom_status look_at_classes(const ad_selection *s, size_t least, ad_problems *problems) {
    adatom_status status = ADATOM_OK;
    ad_alike *alike = NULL;
    size_t alike_count = 0;
    for (int c = 0; c < s->classes; c++) {
        if (s->counts[c] < least) {
            AD_TRY(ad_problem(problems, "class '%s' has %zu picture%s, fewer than %zu", s->names[c], s->counts[c],
                              s->counts[c] == 1 ? "" : "s", least));
        }
    }
    AD_TRY(ad_names_alike(problems->ctx, (const char *const *)s->names, s->classes, &alike, &alike_count));
    for (size_t i = 0; i < alike_count; i++)
        AD_TRY(ad_problem(problems, "classes '%s' and '%s' %s", s->names[alike[i].first], s->names[alike[i].second],
                          alike[i].how));
done:
    ad_free(alike);
    return status;
}

static adatom_status verify_pictures(const char *spec, const adatom_dataset_params *params, size_t least,
                                     ad_problems *problems) {
    adatom_context *ctx = problems->ctx;
    adatom_status status = ADATOM_OK;
    ad_source source = {0};
    ad_csv csv = {0};
    ad_selection selection = {0};
    uint64_t *hashes = NULL;
    AD_TRY(ad_dataset_source(ctx, spec, params, &source, &csv));
    AD_TRY(ad_source_scan(&source, AD_KEEP_BYTES));
    AD_TRY(ad_select(&source, params->split, csv.rows ? &csv : NULL, problems, &selection));
    hashes = ad_calloc(ctx, selection.count, sizeof *hashes);
    if (!hashes) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_load(&source, &selection, params, problems, NULL, hashes));
    AD_TRY(find_duplicates(&selection, hashes, problems));
    AD_TRY(look_at_classes(&selection, least, problems));
done:
    ad_free(hashes);
    ad_selection_free(&selection);
    ad_csv_free(&csv);
    ad_source_close(&source);
    return status;
}

adatom_status adatom_dataset_verify(adatom_context *context, const char *spec, const adatom_verify_params *params,
                                    size_t *problems) {
    adatom_verify_params v;
    adatom_dataset_params given = {0}, p;
    *problems = 0;
    adatom_status status = AD_PARAMS(context, adatom_verify_params, params, &v);
    if (status == ADATOM_OK) status = AD_PARAMS(context, adatom_dataset_params, v.dataset, &given);
    const ad_call outer = ad_call_begin(context, given.progress, given.user);
    ad_problems found = {.ctx = context, .go_on = true, .report = v.report, .user = v.user};
    p = given;
    AD_TRY(status);
    AD_TRY(ad_dataset_defaults(context, spec, &p));
    p.allow_truncated = false; /* damage must be reported */
    if (strncmp(spec, "builtin:", 8)) {
        status = verify_pictures(spec, &p, v.least, &found);
    } else {
        adatom_dataset *dataset = NULL;
        status = adatom_dataset_open(context, spec, &given, &dataset);
        if (status == ADATOM_OK && (size_t)p.builtin_per_class < v.least)
            status = ad_problem(&found, "every class has %d pictures, fewer than %zu", p.builtin_per_class, v.least);
        adatom_dataset_destroy(&dataset);
    }
    *problems = found.count;
done:
    return ad_call_end(context, &outer, status);
}

#include "page_episodes.h"
#include "episodes_plot.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>

/* ---- answers ---- */

static adatom_status name_classes(const adatom_dataset *dataset, answers *a, int32_t *class_of) {
    for (int c = 0; c < a->classes; c++) {
        size_t first, count;
        const adatom_status status = adatom_dataset_class(dataset, c, &a->names[c], &first, &count);
        if (status != ADATOM_OK) return status;
        for (size_t i = first; i < first + count; i++) class_of[i] = c;
    }
    return ADATOM_OK;
}

/* Which classes could have been answered for queries of which: those of the same episode. */
static void note_met(answers *a, const int32_t *query, int way, int queries, const int32_t *class_of) {
    for (int l = 0; a->met && l < way; l++)
        for (int k = 0; k < way; k++)
            a->met[class_of[query[l * queries]] * a->classes + class_of[query[k * queries]]] += (uint32_t)queries;
}

adatom_status page_collect(struct cli *cli, const adatom_dataset *dataset, const adatom_episodes *list, int first,
                           const adatom_evaluation_info *e, answers *out) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &d);
    *out = (answers){0};
    int32_t *class_of = malloc((d.images + 1) * sizeof *class_of);
    adatom_status status = ADATOM_OK;
    if (!class_of) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the report"));
    TRY(answers_begin(cli, out, d.classes, true));
    TRY(name_classes(dataset, out, class_of));
    for (int t = 0; t < e->tasks; t++) {
        const int32_t *support, *query, *taken = e->predictions + (size_t)t * (size_t)(e->way * e->query);
        TRY(adatom_episodes_get(list, first + t, &support, &query));
        note_met(out, query, e->way, e->query, class_of);
        for (int i = 0; i < e->way * e->query; i++)
            TRY(answers_add(cli, out,
                            (answer){.truth = class_of[query[i]],
                                     .taken = taken[i] < 0 ? -1 : class_of[query[taken[i] * e->query]],
                                     .image = query[i],
                                     .probability = NAN}));
    }
done:
    free(class_of);
    return status;
}

adatom_status page_keep_best(struct cli *cli, const adatom_dataset *dataset, const adatom_episodes *list, int first,
                             const adatom_evaluation_info *e, int row, best_answers *best) {
    if (isnan(e->mean) || (best->row >= 0 && e->mean <= best->mean)) return ADATOM_OK;
    answers_clear(&best->all);
    best->row = row;
    best->mean = e->mean;
    return page_collect(cli, dataset, list, first, e, &best->all);
}

/* ---- the page ---- */

static double number(json_t *row, const char *path) {
    json_t *value = report_get(row, path);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* "71.20 ± 1.30", or without an interval where there is none. */
static void percent(double mean, double spread, bool sign, char *out, size_t capacity) {
    if (isnan(mean))
        snprintf(out, capacity, "-");
    else if (isnan(spread))
        snprintf(out, capacity, sign ? "%+.2f" : "%.2f", 100 * mean);
    else
        snprintf(out, capacity, sign ? "%+.2f ± %.2f" : "%.2f ± %.2f", 100 * mean, 100 * spread);
}

static forest_row row_of(json_t *rows, json_t *row, const char *mean, const char *spread, bool sign) {
    forest_row r = {.value = number(row, mean)};
    const double half = number(row, spread);
    page_result_name(rows, row, r.name, sizeof r.name);
    r.low = r.value - half;
    r.high = r.value + half;
    percent(r.value, half, sign, r.text, sizeof r.text);
    return r;
}

/* The first result of a row's shots, which it is compared with. */
static json_t *first_of(json_t *rows, json_t *row) {
    size_t i;
    json_t *other;
    json_array_foreach(rows, i, other) if (number(other, "episodes.shot") == number(row, "episodes.shot")) return other;
    return row;
}

static void lead(page *p, json_t *rows, int best) {
    json_t *row = json_array_get(rows, best < 0 ? 0 : (size_t)best), *first = first_of(rows, row);
    char name[320], other[320], accuracy[64], difference[64], how[160], more[512] = "";
    page_result_name(rows, row, name, sizeof name);
    page_result_name(rows, first, other, sizeof other);
    percent(number(row, "accuracy.mean"), number(row, "accuracy.ci95"), false, accuracy, sizeof accuracy);
    snprintf(how, sizeof how, "%.0f episodes of %.0f classes with %.0f picture%s each", number(row, "episodes.count"),
             number(row, "episodes.way"), number(row, "episodes.shot"), number(row, "episodes.shot") == 1 ? "" : "s");
    const double mean = number(row, "difference.mean"), half = number(row, "difference.ci95");
    percent(mean, half, true, difference, sizeof difference);
    if (best < 0) {
        page_lead(p, "No result has an accuracy: every episode diverged.");
        return;
    }
    if (!isnan(mean) && !isnan(half) && fabs(mean) <= half)
        snprintf(more, sizeof more, " Its difference to %s (%s points, paired) may be chance.", other, difference);
    else if (!isnan(mean))
        snprintf(more, sizeof more, " That is %s points to %s, on the same episodes.", difference, other);
    page_lead(p, "%s%s is right on %s %% of the queries, over %s.%s",
              json_array_size(rows) > 1 ? "Best of what was measured: " : "", name, accuracy, how, more);
}

static adatom_status forests(page *p, json_t *rows, int best) {
    const size_t count = json_array_size(rows);
    size_t differences = 0, i;
    json_t *row;
    forest_row *list = calloc(count + 1, sizeof *list);
    if (!list) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    json_array_foreach(rows, i, row) {
        list[i] = row_of(rows, row, "accuracy.mean", "accuracy.ci95", false);
        list[i].strong = (int)i == best && count > 1;
    }
    page_section(p, "Accuracy");
    page_forest(p, "Mean over episodes, with its 95 % interval", "accuracy %", list, count, false);
    json_array_foreach(rows, i, row) {
        if (!json_object_get(row, "difference")) continue;
        list[differences] = row_of(rows, row, "difference.mean", "difference.ci95", true);
        differences++;
    }
    if (differences) {
        fputs("<h3>Paired differences</h3>\n", p->out);
        char caption[128];
        snprintf(caption, sizeof caption,
                 "Mean difference to the first result (%s) on the same episodes, with its 95 %% interval",
                 json_string_value(json_object_get(json_array_get(rows, 0), "method")));
        page_forest(p, caption, "points", list, differences, true);
    }
    page_note(p,
              "Intervals are Student's over episodes. Episodes share pictures: they speak of the sampler, not of new "
              "data.%s%s",
              differences ? " Where the interval of a difference holds 0, these episodes do not tell the two apart."
                          : "",
              count > 1 ? " The best of several is optimistic." : "");
    page_section_end(p);
    free(list);
    return ADATOM_OK;
}

static adatom_status curves(page *p, const char *axis, json_t *rows) {
    if (!axis) return ADATOM_OK;
    page_section(p, "Curves");
    const adatom_status status = episodes_plot_inline(p->cli, p->path, axis, rows, p->out);
    page_section_end(p);
    return status;
}

adatom_status page_best(page *p, const adatom_dataset *dataset, const best_answers *best, const char *name,
                        bool several) {
    if (several) {
        page_section(p, "One result in detail");
        page_note(p, "What follows, up to the settings, is of the result with the highest accuracy: %s.", name);
        page_section_end(p);
    }
    const adatom_status status = page_classes(p, &best->all);
    return status == ADATOM_OK ? page_wrong(p, dataset, &best->all) : status;
}

adatom_status page_episodes(struct cli *cli, const char *path, json_t *document, const char *axis,
                            const adatom_dataset *dataset, const best_answers *best, const page_call *call) {
    page p;
    json_t *rows = json_object_get(document, "results");
    char name[320];
    adatom_status status = page_begin(&p, cli, path, document, "Few-shot episodes",
                                      json_string_value(report_get(document, "dataset.name")));
    if (status != ADATOM_OK) return status;
    lead(&p, rows, best->row);
    TRY(forests(&p, rows, best->row));
    TRY(curves(&p, axis, rows));
    if (best->row >= 0) {
        page_result_name(rows, json_array_get(rows, (size_t)best->row), name, sizeof name);
        TRY(page_best(&p, dataset, best, name, json_array_size(rows) > 1));
    }
    page_settings_of(&p, rows);
done:
    return page_end(&p, call, status);
}

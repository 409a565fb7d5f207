#include "page_reproduce.h"
#include "html.h"
#include "page_episodes.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>

static double number(json_t *value, const char *path) {
    json_t *found = report_get(value, path);
    return json_is_number(found) ? json_number_value(found) : NAN;
}

/* "atoms" where each method occurs once, else "atoms (2)". */
static void name_of(json_t *rows, size_t index, char *out, size_t capacity) {
    const char *method = json_string_value(json_object_get(json_array_get(rows, index), "method"));
    bool twice = false;
    for (size_t i = 0; i < json_array_size(rows); i++)
        twice = twice || (i != index && json_equal(json_object_get(json_array_get(rows, i), "method"),
                                                   json_object_get(json_array_get(rows, index), "method")));
    snprintf(out, capacity, twice ? "%s (%zu)" : "%s", method, index + 1);
}

static forest_row accuracy_row(json_t *rows, size_t index, const char *which, const char *what) {
    char name[128], path[64], spread[64];
    json_t *row = json_array_get(rows, index);
    snprintf(path, sizeof path, "%s.accuracy", which);
    snprintf(spread, sizeof spread, "%s.ci95", which);
    const double mean = number(row, path), half = number(row, spread);
    forest_row r = {.value = mean, .low = mean - half, .high = mean + half};
    name_of(rows, index, name, sizeof name);
    snprintf(r.name, sizeof r.name, "%s, %s", name, what);
    if (isnan(mean))
        snprintf(r.text, sizeof r.text, "diverged");
    else
        snprintf(r.text, sizeof r.text, "%.2f ± %.2f", 100 * mean, 100 * half);
    r.strong = which[0] == 'm';
    return r;
}

/* What came out beside what was expected, and the difference beside what is allowed. */
static void verdicts(page *p, json_t *rows) {
    static const char *const columns[] = {"result",  "expected %", "measured %", "difference",
                                          "allowed", "verdict",    NULL};
    json_t *row;
    size_t i;
    html_head(p->out, "A result passes if the difference is no larger than what is allowed", columns, 1u << 5);
    json_array_foreach(rows, i, row) {
        char name[128];
        name_of(rows, i, name, sizeof name);
        fputs("<tr>", p->out);
        html_name_cell(p->out, name, true);
        html_number_cell(p->out, "%.2f", 100 * number(row, "expected.accuracy"));
        if (isnan(number(row, "difference"))) {
            fputs("<td>-</td><td>-</td>", p->out);
        } else {
            html_number_cell(p->out, "%.2f", 100 * number(row, "measured.accuracy"));
            html_number_cell(p->out, "%+.2f", 100 * number(row, "difference"));
        }
        html_number_cell(p->out, "%.2f", 100 * number(row, "tolerance"));
        html_name_cell(p->out, json_string_value(json_object_get(row, "verdict")), false);
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
}

static adatom_evaluation_info evaluation_of(const adatom_reproduction *reproduction, int i) {
    adatom_reproduction_result r = ADATOM_INIT(adatom_reproduction_result);
    adatom_evaluation_info e = ADATOM_INIT(adatom_evaluation_info);
    adatom_reproduction_get(reproduction, i, &r); /* i is one of its results */
    adatom_evaluation_describe(r.evaluation, &e);
    return e;
}

/* Rows of paired differences of the measured results to the first. */
static size_t differences(const adatom_reproduction *reproduction, json_t *rows, forest_row *list) {
    const int count = (int)json_array_size(rows);
    const adatom_evaluation_info first = evaluation_of(reproduction, 0);
    size_t used = 0;
    for (int i = 1; i < count; i++) {
        const adatom_evaluation_info e = evaluation_of(reproduction, i);
        double mean = 0, half = 0;
        if (e.tasks != first.tasks) continue;
        adatom_mean_interval(e.accuracy, first.accuracy, (size_t)e.tasks, &mean, &half);
        forest_row *r = &list[used++];
        *r = (forest_row){.value = mean, .low = NAN, .high = NAN};
        name_of(rows, (size_t)i, r->name, sizeof r->name);
        snprintf(r->text, sizeof r->text, isnan(mean) ? "-" : "%+.2f", 100 * mean);
        if (!isfinite(half)) continue;
        r->low = mean - half;
        r->high = mean + half;
        snprintf(r->text, sizeof r->text, "%+.2f ± %.2f", 100 * mean, 100 * half);
    }
    return used;
}

static adatom_status forests(page *p, const adatom_reproduction *reproduction, json_t *rows) {
    const size_t count = json_array_size(rows);
    forest_row *list = calloc(2 * count + 1, sizeof *list);
    if (!list) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    for (size_t i = 0; i < count; i++) {
        list[2 * i] = accuracy_row(rows, i, "expected", "expected");
        list[2 * i + 1] = accuracy_row(rows, i, "measured", "measured");
    }
    page_section(p, "Expected and measured");
    verdicts(p, rows);
    fputs("<h3>With their intervals</h3>\n", p->out);
    page_forest(p, "Mean over episodes, with its 95 % interval", "accuracy %", list, 2 * count, false);
    const size_t compared = count > 1 ? differences(reproduction, rows, list) : 0;
    if (compared) {
        fputs("<h3>Paired differences</h3>\n", p->out);
        page_forest(p, "Measured: mean difference to the first result on the same episodes, with its 95 % interval",
                    "points", list, compared, true);
    }
    page_section_end(p);
    free(list);
    return ADATOM_OK;
}

static void lead(page *p, const adatom_reproduction_info *parts) {
    const char *name = json_string_value(report_get(p->document, "recipe.name"));
    page_lead(p, "%s: %d of %d results came out as expected, over %s.", name ? name : "The recipe", parts->passed,
              parts->results,
              parts->same_list ? "the same episodes of the same data"
                               : "other episodes or other data than the recipe's, or it does not tell them by hash");
}

adatom_status page_reproduce(struct cli *cli, const char *path, json_t *document, const adatom_recipe *recipe,
                             const adatom_reproduction *reproduction, const page_call *call) {
    page p;
    best_answers best = {.row = -1};
    adatom_recipe_info info = ADATOM_INIT(adatom_recipe_info);
    adatom_reproduction_info parts = ADATOM_INIT(adatom_reproduction_info);
    json_t *rows = json_object_get(document, "results");
    adatom_status status =
        page_begin(&p, cli, path, document, "Measured again", json_string_value(report_get(document, "recipe.file")));
    if (status != ADATOM_OK) return status;
    adatom_recipe_describe(recipe, &info);
    adatom_reproduction_describe(reproduction, &parts);
    lead(&p, &parts);
    TRY(forests(&p, reproduction, rows));
    for (int i = 0; i < parts.results; i++) {
        const adatom_evaluation_info e = evaluation_of(reproduction, i);
        TRY(page_keep_best(cli, parts.dataset, parts.episodes, info.first, &e, i, &best));
    }
    if (best.row >= 0) {
        char name[128];
        name_of(rows, (size_t)best.row, name, sizeof name);
        TRY(page_best(&p, parts.dataset, &best, name, parts.results > 1));
    }
    page_settings_of(&p, rows);
done:
    answers_clear(&best.all);
    return page_end(&p, call, status);
}

#include "page_adapt.h"
#include "html.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>

static double number(json_t *value, const char *path) {
    json_t *found = report_get(value, path);
    return json_is_number(found) ? json_number_value(found) : NAN;
}

static void lead(page *p, const adatom_adapter *adapter) {
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    json_t *d = p->document;
    if (!adapter) {
        page_lead(p, "The search was interrupted before an adapter was made.");
        return;
    }
    adatom_adapter_describe(adapter, &a);
    if (a.tested == 0) {
        page_lead(p, "An adapter of %d classes by %s; how good it is was not estimated.", a.classes, a.method);
        return;
    }
    const char *note = json_is_true(report_get(d, "config.estimate.early_stop"))
                           ? " It is optimistic: the number of steps was chosen by the same pictures."
                       : report_get(d, "choice.chosen") && number(d, "choice.folds") > 0
                           ? " The choice was made anew without each part of the pictures that was asked about."
                           : "";
    char without[96] = "";
    if (a.diverged)
        snprintf(without, sizeof without, " %d of its %d parts diverged and are left out.", a.diverged, a.tasks);
    page_lead(p,
              "%s is right on %.1f %% of pictures that it has not seen: %d of %d, by %s; the 95 %% interval is %.1f to "
              "%.1f %%.%s%s",
              a.method, 100 * a.accuracy, a.right, a.tested, a.estimate, 100 * a.low, 100 * a.high, note, without);
}

/* The estimate's answers as those of pictures that are asked about once, counted as the estimate does: tasks that
 * diverged are left out of one of a named method, and wrong in one of what is chosen. */
static adatom_status collect(page *p, const adatom_adapter *adapter, const adatom_dataset *dataset, answers *out) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    size_t images = 0;
    const int32_t *taken = adatom_adapter_answers(adapter, &images);
    adatom_status status;
    adatom_dataset_describe(dataset, &d);
    adatom_adapter_describe(adapter, &a);
    TRY(answers_begin(p->cli, out, d.classes, false));
    for (int c = 0; c < d.classes; c++) {
        size_t first, count;
        TRY(adatom_dataset_class(dataset, c, &out->names[c], &first, &count));
        for (size_t i = first; i < first + count && i < images; i++) {
            if (taken[i] == ADATOM_ANSWER_NOT_ASKED || (taken[i] == ADATOM_ANSWER_DIVERGED && a.diverged)) continue;
            TRY(answers_add(
                p->cli, out,
                (answer){.truth = c, .taken = taken[i] < 0 ? -1 : taken[i], .image = (int32_t)i, .probability = NAN}));
        }
    }
done:
    return status;
}

/* Answers of what was made, about the pictures that a task left out, with their probabilities at a temperature. */
static adatom_status collect_sure(page *p, const adatom_adapter *adapter, const adatom_dataset *dataset,
                                  double temperature, answers *out) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    size_t images = 0;
    const float *scores = adatom_adapter_scores(adapter, &images);
    adatom_status status;
    adatom_dataset_describe(dataset, &d);
    TRY(answers_begin(p->cli, out, d.classes, false));
    for (int c = 0; c < d.classes && scores; c++) {
        size_t first, count;
        TRY(adatom_dataset_class(dataset, c, &out->names[c], &first, &count));
        for (size_t i = first; i < first + count && i < images; i++) {
            const float *row = scores + i * (size_t)d.classes;
            int best = 0;
            double sum = 0;
            if (isnan(row[0])) continue;
            for (int k = 1; k < d.classes; k++)
                if (row[k] > row[best]) best = k;
            for (int k = 0; k < d.classes; k++) sum += exp(((double)row[k] - (double)row[best]) / temperature);
            TRY(answers_add(p->cli, out,
                            (answer){.truth = c, .taken = best, .image = (int32_t)i, .probability = (float)(1 / sum)}));
        }
    }
done:
    return status;
}

/* How far the adapter's probabilities can be trusted, as they are and calibrated. */
static adatom_status calibration(page *p, const adatom_adapter *adapter, const adatom_dataset *dataset) {
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    answers plain = {0}, calibrated = {0};
    adatom_status status = ADATOM_OK;
    adatom_adapter_describe(adapter, &a);
    if (!a.calibrated) return ADATOM_OK;
    TRY(collect_sure(p, adapter, dataset, 1, &plain));
    TRY(collect_sure(p, adapter, dataset, a.temperature, &calibrated));
    if (plain.count == 0) goto done;
    page_section(p, "How far its probabilities can be trusted");
    page_reliability_diagram(p, &plain, "As they are");
    page_reliability_diagram(p, &calibrated, "Calibrated");
    page_note(
        p,
        "'adatom classify --calibrated' divides class scores by the temperature %.3g, found by the %d pictures shown "
        "here; the mean of -log(probability of the true class) over them is %.3f without and %.3f with it.",
        a.temperature, a.calibrated, a.loss_before, a.loss);
    page_section_end(p);
done:
    answers_clear(&plain);
    answers_clear(&calibrated);
    return status;
}

static void fill_row(json_t *choice, json_t *all, size_t i, forest_row *r) {
    json_t *row = json_array_get(all, i), *interval = report_get(row, "accuracy.wilson95"),
           *chosen = json_object_get(choice, "chosen");
    const double mean = number(row, "accuracy.mean");
    *r = (forest_row){.value = mean,
                      .low = json_number_value(json_array_get(interval, 0)),
                      .high = json_number_value(json_array_get(interval, 1)),
                      .strong = chosen && json_integer_value(chosen) == (json_int_t)i};
    snprintf(r->name, sizeof r->name, "%s%s", json_string_value(json_object_get(row, "name")),
             r->strong ? " (taken)" : "");
    snprintf(r->text, sizeof r->text, "%.1f", 100 * mean);
}

/* Whether a candidate stands for its kind: the one that was taken, else the best that was tried. */
static bool stands_for_kind(json_t *choice, json_t *all, size_t i) {
    json_t *row = json_array_get(all, i), *other, *chosen = json_object_get(choice, "chosen");
    size_t k;
    json_array_foreach(all, k, other) {
        if (k == i || !json_equal(json_object_get(other, "adapt"), json_object_get(row, "adapt"))) continue;
        if (chosen && json_integer_value(chosen) == (json_int_t)i) return true;
        if (chosen && json_integer_value(chosen) == (json_int_t)k) return false;
        const double mine = number(row, "accuracy.mean"), others = number(other, "accuracy.mean");
        if (others > mine || (others == mine && k < i)) return false;
    }
    return true;
}

static void not_tried(page *p, json_t *all) {
    json_t *row;
    size_t i, count = 0;
    json_array_foreach(all, i, row) {
        if (json_is_true(json_object_get(row, "tried"))) continue;
        const char *why = json_string_value(json_object_get(row, "why_not"));
        if (count++ == 0) fputs("<h3>Not tried</h3>\n<ul>\n", p->out);
        fputs("<li>", p->out);
        html_name(p->out, json_string_value(json_object_get(row, "name")));
        if (why) fputs(": ", p->out);
        html_text(p->out, why);
        fputs("</li>\n", p->out);
    }
    if (count) fputs("</ul>\n", p->out);
}

static adatom_status candidates(page *p) {
    json_t *choice = json_object_get(p->document, "choice"), *all = json_object_get(choice, "candidates"), *row;
    const char *reason = json_string_value(json_object_get(choice, "reason"));
    size_t i, count = 0, kinds = 0;
    if (!choice) return ADATOM_OK;
    forest_row *rows = calloc(2 * json_array_size(all) + 1, sizeof *rows), *best = rows + json_array_size(all);
    if (!rows) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    page_section(p, "What was tried");
    if (reason) page_note(p, "There was no choice: %s.", reason);
    json_array_foreach(all, i, row) {
        if (!json_is_true(json_object_get(row, "tried"))) continue;
        fill_row(choice, all, i, &rows[count++]);
        if (stands_for_kind(choice, all, i)) best[kinds++] = rows[count - 1];
    }
    if (kinds) {
        page_forest(p,
                    "The best of each kind: right, of the pictures that each was asked about, with its 95 % interval",
                    "right %", best, kinds, false);
        page_note(p, "Of the best of each kind the simplest is taken that is not behind by more than a standard error. "
                     "The best of many is optimistic; the estimate at the top knows nothing of this choice.");
    }
    if (count > kinds) {
        fprintf(p->out, "<details><summary>All %zu that were tried</summary>\n", count);
        page_forest(p, "Everything that was tried", "right %", rows, count, false);
        fputs("</details>\n", p->out);
    }
    free(rows);
    not_tried(p, all);
    page_section_end(p);
    return ADATOM_OK;
}

/* The configuration less what other sections have. */
static void settings(page *p) {
    json_t *config = json_copy(json_object_get(p->document, "config"));
    if (!json_is_object(config)) {
        json_decref(config);
        return;
    }
    json_object_del(config, "choice");
    json_object_del(config, "classes");
    page_section(p, "What decided it");
    page_settings(p, config);
    page_section_end(p);
    json_decref(config);
}

adatom_status page_adapt(struct cli *cli, const char *path, json_t *document, const adatom_adapter *adapter,
                         const adatom_model *model, const adatom_dataset *dataset, const page_call *call) {
    page p;
    answers all = {0};
    adatom_status status =
        page_begin(&p, cli, path, document, "Adapter", json_string_value(report_get(document, "dataset.name")));
    if (status != ADATOM_OK) return status;
    lead(&p, adapter);
    if (adapter) {
        TRY(collect(&p, adapter, dataset, &all));
        TRY(page_classes(&p, &all));
        TRY(calibration(&p, adapter, dataset));
        TRY(page_wrong(&p, dataset, &all));
    }
    TRY(candidates(&p));
    if (adapter) TRY(page_moved(&p, adapter, model));
    settings(&p);
done:
    answers_clear(&all);
    return page_end(&p, call, status);
}

#include "choice_report.h"

#include <stdarg.h>
#include <stdio.h>

enum { NAME_WIDTH = 38 };

static adatom_candidate candidate_of(const adatom_choice *choice, int index) {
    adatom_candidate c = ADATOM_INIT(adatom_candidate);
    adatom_choice_candidate(choice, index, &c);
    return c;
}

static json_t *method_json(struct cli *cli, const adatom_method *method) {
    char text[4096];
    if (adatom_method_text(cli->ctx, method, NULL, text, sizeof text) != ADATOM_OK) return json_null();
    return json_loads(text, 0, NULL);
}

static json_t *candidate_rows(struct cli *cli, const adatom_choice *choice, int count) {
    json_t *rows = json_array();
    for (int k = 0; k < count; k++) {
        const adatom_candidate c = candidate_of(choice, k);
        json_t *row = json_pack("{s:s,s:s,s:b}", "name", c.name, "adapt", adatom_adapt_kind_name(c.method->adapt),
                                "tried", c.tried);
        if (c.tried) {
            json_object_set_new(row, "method", method_json(cli, c.method));
            json_object_set_new(row, "batch", json_integer(c.batch));
            json_object_set_new(row, "accuracy",
                                json_pack("{s:f,s:[f,f]}", "mean", c.accuracy, "wilson95", c.low, c.high));
            json_object_set_new(row, "tasks", json_integer(c.tasks));
            json_object_set_new(row, "diverged", json_integer(c.diverged));
            json_object_set_new(row, "folds_chosen", json_integer(c.folds_chosen));
            json_object_set_new(row, "seconds", json_real(c.seconds));
        } else if (c.why_not) {
            json_object_set_new(row, "why_not", json_string(c.why_not));
        }
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *choice_json(struct cli *cli, const adatom_choice *choice) {
    adatom_choice_info info = ADATOM_INIT(adatom_choice_info);
    adatom_choice_describe(choice, &info);
    json_t *o = json_pack("{s:i,s:i,s:f,s:f,s:f}", "folds", info.folds, "tested", info.tested, "budget", info.budget,
                          "work", info.work, "seconds", info.seconds);
    if (info.reason) json_object_set_new(o, "reason", json_string(info.reason));
    if (info.chosen >= 0) {
        json_object_set_new(o, "chosen", json_integer(info.chosen));
        json_object_set_new(o, "chosen_name", json_string(candidate_of(choice, info.chosen).name));
    }
    if (info.best >= 0) json_object_set_new(o, "best", json_integer(info.best));
    if (info.rival >= 0) {
        json_object_set_new(o, "rival", json_integer(info.rival));
        json_object_set_new(o, "ahead", json_pack("{s:f,s:f}", "mean", info.ahead, "error", info.ahead_error));
    }
    json_object_set_new(o, "candidates", candidate_rows(cli, choice, info.candidates));
    return o;
}

/* ---- text ---- */

typedef struct lines {
    char *out;
    size_t used, capacity;
} lines;

static void add(lines *l, const char *format, ...) ADATOM_PRINTF(2, 3);
static void add(lines *l, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(l->out + l->used, l->capacity - l->used, format, args);
    va_end(args);
    const size_t left = l->capacity - l->used;
    if (n > 0) l->used += (size_t)n < left ? (size_t)n : left - 1;
}

/* Whether candidate number k is the one of its kind that is shown: the chosen one, else the best that was tried, else
 * the first. */
static bool is_shown(const adatom_choice *choice, const adatom_choice_info *info, int k) {
    const adatom_candidate c = candidate_of(choice, k);
    for (int other = 0; other < info->candidates; other++) {
        const adatom_candidate o = candidate_of(choice, other);
        if (other == k || o.method->adapt != c.method->adapt || k == info->chosen) continue;
        if (other == info->chosen || o.tried > c.tried) return false;
        if (o.tried == c.tried && (o.accuracy > c.accuracy || (o.accuracy == c.accuracy && other < k))) return false;
    }
    return true;
}

static void add_candidate(lines *l, const adatom_candidate *c, bool chosen) {
    add(l, "%s %-*s", chosen ? "*" : " ", NAME_WIDTH, c->name);
    if (c->tried)
        add(l, " %6.2f %%   %5.1f to %5.1f %% %7.1f s%s\n", 100 * c->accuracy, 100 * c->low, 100 * c->high, c->seconds,
            c->diverged ? ", some tasks diverged" : "");
    else
        add(l, " not tried%s%s\n", c->why_not ? ": " : "", c->why_not ? c->why_not : "");
}

static void add_verdict(lines *l, const adatom_choice *choice, const adatom_choice_info *info) {
    const adatom_candidate chosen = candidate_of(choice, info->chosen);
    add(l, "\nchosen      %s", chosen.name);
    if (info->rival >= 0) {
        const adatom_candidate rival = candidate_of(choice, info->rival);
        if (info->ahead == 0)
            add(l, ": as good as %s", rival.name);
        else if (info->ahead > 0)
            add(l, ": %.1f %% ahead of %s (standard error %.1f %%)", 100 * info->ahead, rival.name,
                100 * info->ahead_error);
        else
            add(l, ": the simpler; %s has %.1f %% more, which is within a standard error (%.1f %%)", rival.name,
                -100 * info->ahead, 100 * info->ahead_error);
    }
    add(l, "\n");
}

void choice_text(const adatom_choice *choice, char *out, size_t capacity) {
    adatom_choice_info info = ADATOM_INIT(adatom_choice_info);
    lines l = {.out = out, .capacity = capacity};
    out[0] = 0;
    adatom_choice_describe(choice, &info);
    if (info.reason) {
        add(&l, "no choice   %s\n", info.reason);
        return;
    }
    add(&l, "  %-*s %8s   %16s %9s\n", NAME_WIDTH, "tried, the best of each kind", "right", "95 % interval", "time");
    for (int k = 0; k < info.candidates; k++) {
        const adatom_candidate c = candidate_of(choice, k);
        if (is_shown(choice, &info, k)) add_candidate(&l, &c, k == info.chosen);
    }
    if (info.chosen >= 0) add_verdict(&l, choice, &info);
}

static const report_column columns[] = {
    {"tried", CELL_TEXT, "name", NULL},
    {"right", CELL_PERCENT, "accuracy.mean", NULL},
    {"seconds", CELL_NUMBER, "seconds", NULL},
};

adatom_status choice_report_part(struct cli *cli, const output_options *output, const adatom_choice *choice,
                                 json_t *document, adatom_status ended) {
    adatom_choice_info info = ADATOM_INIT(adatom_choice_info);
    char below[512] = "";
    adatom_choice_describe(choice, &info);
    json_t *all = choice_json(cli, choice), *rows = json_object_get(all, "candidates"), *tried = json_array(), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        if (json_is_true(json_object_get(row, "tried"))) json_array_append(tried, row);
    }
    const char *name = info.best >= 0 ? candidate_of(choice, info.chosen >= 0 ? info.chosen : info.best).name : NULL;
    if (name)
        snprintf(below, sizeof below, "\n%s %s; no adapter was made\n",
                 info.chosen >= 0 ? "chosen      " : "best so far ", name);
    json_object_set_new(document, "choice", all);
    json_object_set_new(document, "tried", tried);
    const struct report r = {
        .document = document, .rows = "tried", .columns = columns, .column_count = COUNT(columns), .below = below};
    return report_write_part(cli, output, &r, ended);
}

#include "page_classify.h"
#include "html.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- answers and, where folders tell them, true classes ---- */

/* Everything of a result, before the page begins: its first sentence tells of the first one. */
typedef struct gathered {
    answers all, known;  /* those that are not refused; of these those whose true class is known */
    answers refused;     /* their probability is the picture's typicality */
    size_t refused_own;  /* of these those whose true class is one of the classifier's */
    char (*numbers)[16]; /* names of classes that have none */
} gathered;

typedef struct named {
    const char *name;
    int number;
} named;

static int by_name(const void *a, const void *b) { return strcmp(((const named *)a)->name, ((const named *)b)->name); }

static adatom_status read_names(const classify_result *r, answers *a, char (*numbers)[16]) {
    for (int c = 0; c < a->classes; c++) {
        adatom_adapter_class one = ADATOM_INIT(adatom_adapter_class);
        if (r->adapter) {
            const adatom_status status = adatom_adapter_get_class(r->adapter, c, &one);
            if (status != ADATOM_OK) return status;
        } else {
            one.name = json_string_value(json_array_get(r->own, (size_t)c));
        }
        snprintf(numbers[c], sizeof numbers[c], "%d", c);
        a->names[c] = one.name ? one.name : numbers[c];
    }
    return ADATOM_OK;
}

static int class_named(const named *names, int classes, const char *name) {
    const named wanted = {.name = name}, *found = bsearch(&wanted, names, (size_t)classes, sizeof *names, by_name);
    return found ? found->number : -1;
}

/* The class whose name the end of the picture's folder is: of Greek/character01/1.png that may be two levels. -1: there
 * is none. names: by their names. */
static int folder_class(const named *names, int classes, const char *path) {
    char folder[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash || (size_t)(slash - path) >= sizeof folder) return -1;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = 0;
    for (const char *at = folder;; at++) { /* the longest name first */
        const int found = class_named(names, classes, at);
        if (found >= 0) return found;
        if (!(at = strchr(at, '/'))) return -1;
    }
}

/* The true classes of all pictures, -1 where they are not known, as a new array: features have classes of their own,
 * pictures are in folders. NULL: out of memory. */
static int *find_truths(const adatom_dataset *dataset, const named *names, int classes) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &d);
    int *truths = malloc((d.images + 1) * sizeof *truths);
    for (int c = 0; truths && c < d.classes; c++) {
        const char *name;
        size_t first, count;
        if (adatom_dataset_class(dataset, c, &name, &first, &count) != ADATOM_OK) continue;
        const int own = *name ? class_named(names, classes, name) : -1;
        for (size_t i = first; i < first + count; i++)
            truths[i] = *name ? own : folder_class(names, classes, adatom_dataset_path(dataset, i));
    }
    return truths;
}

/* Where a true class is not known, truth is 0. */
static adatom_status collect(page *p, const adatom_dataset *dataset, const classify_result *r, gathered *g) {
    adatom_predictions_info info = ADATOM_INIT(adatom_predictions_info);
    adatom_predictions_describe(r->predictions, &info);
    const int classes = g->all.classes;
    named *names = calloc((size_t)classes + 1, sizeof *names);
    int *truths = NULL;
    adatom_status status = ADATOM_OK;
    if (!names) TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    TRY(read_names(r, &g->all, g->numbers));
    for (int c = 0; c < classes; c++) {
        g->known.names[c] = g->refused.names[c] = g->all.names[c];
        names[c] = (named){g->all.names[c], c};
    }
    qsort(names, (size_t)classes, sizeof *names, by_name);
    truths = find_truths(dataset, names, classes);
    if (!truths) TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    for (size_t i = 0; i < info.images; i++) {
        int n = 0, best = 0;
        const float *q = adatom_predictions_get(r->predictions, r->number, i, &n);
        for (int c = 1; c < n; c++)
            if (q[c] > q[best]) best = c;
        const bool lost = isnan(q[0]);
        const int truth = truths[i];
        const answer one = {.truth = truth < 0 ? 0 : truth,
                            .taken = lost ? -1 : best,
                            .image = (int32_t)i,
                            .probability = lost ? NAN : q[best]};
        if (adatom_predictions_refused(r->predictions, r->number, i)) {
            answer refused = one;
            refused.probability = (float)adatom_predictions_typicality(r->predictions, r->number, i);
            g->refused_own += truth >= 0;
            TRY(answers_add(p->cli, &g->refused, refused));
            continue;
        }
        TRY(answers_add(p->cli, &g->all, one));
        if (truth >= 0) TRY(answers_add(p->cli, &g->known, one));
    }
done:
    free(names);
    free(truths);
    return status;
}

/* ---- parts of the page ---- */

/* How many pictures were taken for each class, the most frequent first. */
static adatom_status taken_for(page *p, const answers *a) {
    static const char *const columns[] = {"class", "pictures", "mean probability %", NULL};
    enum { MOST = 200 };
    struct {
        size_t count;
        double sum;
        bool shown;
    } *of = calloc((size_t)a->classes + 1, sizeof *of);
    if (!of) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    int answered = 0;
    for (size_t i = 0; i < a->count; i++) {
        const answer *one = &a->items[i];
        if (one->taken < 0) continue;
        answered += of[one->taken].count++ == 0;
        of[one->taken].sum += (double)one->probability;
    }
    html_head(p->out, "Classes that pictures were taken for", columns, 0);
    for (int k = 0; k < answered && k < MOST; k++) {
        int most = -1;
        for (int c = 0; c < a->classes; c++)
            if (!of[c].shown && of[c].count && (most < 0 || of[c].count > of[most].count)) most = c;
        of[most].shown = true;
        fputs("<tr>", p->out);
        html_name_cell(p->out, a->names[most], true);
        html_number_cell(p->out, "%zu", of[most].count);
        html_number_cell(p->out, "%.1f", 100 * of[most].sum / (double)of[most].count);
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
    if (answered > MOST) page_note(p, "%d more classes are left out.", answered - MOST);
    free(of);
    return ADATOM_OK;
}

typedef struct sureness {
    size_t item;
    float probability;
} sureness;

static int by_sureness(const void *a, const void *b) {
    const sureness *x = a, *y = b;
    if (x->probability != y->probability) return x->probability > y->probability ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

static adatom_status least_sure(page *p, const adatom_dataset *dataset, const answers *a) {
    sureness *list = malloc((a->count + 1) * sizeof *list);
    size_t which[PAGE_PICTURES], count = 0;
    if (!list) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    for (size_t i = 0; i < a->count; i++)
        if (!isnan(a->items[i].probability)) list[count++] = (sureness){i, a->items[i].probability};
    qsort(list, count, sizeof *list, by_sureness);
    const size_t shown = count < PAGE_PICTURES ? count : PAGE_PICTURES;
    for (size_t i = 0; i < shown; i++) which[i] = list[i].item;
    free(list);
    fputs("<h3>The least sure answers</h3>\n", p->out);
    if (count > shown) page_note(p, "%zu of %zu are shown; %zu are left out.", shown, count, count - shown);
    return page_pictures(p, dataset, a, which, shown, false);
}

static adatom_status refused(page *p, const adatom_dataset *dataset, const gathered *g) {
    size_t which[PAGE_PICTURES];
    const size_t count = g->refused.count, shown = count < PAGE_PICTURES ? count : PAGE_PICTURES,
                 asked = count + g->all.count;
    json_t *share = report_get(p->document, "rejection.share");
    if (!share) return ADATOM_OK;
    page_section(p, "Refused as none of the classes");
    page_note(
        p,
        "%zu of %zu pictures look less familiar than %g %% of the pictures of the adapter's own classes do, by its "
        "estimate. %zu of them are in folders of its own classes.",
        count, asked, 100 * json_number_value(share), g->refused_own);
    if (count) page_note(p, "With each: the class it comes nearest to, and the share that looks no more familiar.");
    for (size_t i = 0; i < shown; i++) which[i] = i;
    adatom_status status = page_pictures(p, dataset, &g->refused, which, shown, false);
    if (count > shown) page_note(p, "%zu more are left out.", count - shown);
    page_section_end(p);
    return status;
}

/* What decided the adapter, less what other sections have or the adapter's own page had. */
static void settings(page *p, const classify_result *r) {
    adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info);
    if (!r->adapter) return;
    adatom_adapter_describe(r->adapter, &info);
    json_t *config = json_loads(info.config_json, 0, NULL);
    json_object_del(config, "classes");
    json_object_del(config, "choice");
    json_object_del(json_object_get(config, "calibration"), "familiarity");
    page_section(p, "What decided the adapter");
    page_settings(p, config);
    page_section_end(p);
    json_decref(config);
}

static adatom_status one_result(page *p, const adatom_dataset *dataset, const classify_result *r, const gathered *g,
                                bool several) {
    const answers *all = &g->all, *known = &g->known;
    adatom_status status = ADATOM_OK;
    if (several) {
        page_section(p, "Under one adapter");
        page_note(p, "What follows is of the adapter '%s'.", r->name);
        page_section_end(p);
    }
    if (known->count) {
        TRY(page_classes(p, known));
        page_reliability(p, known, json_is_true(json_object_get(p->document, "calibrated")));
        TRY(page_wrong(p, dataset, known));
    }
    if (known->count < all->count) {
        page_section(p, "Answers");
        if (known->count)
            page_note(p, "Of %zu pictures it is not known which class they are of.", all->count - known->count);
        else
            page_note(
                p, "Nothing names a class of the classifier for any picture: whether answers are right is not known.");
        TRY(taken_for(p, all));
        TRY(least_sure(p, dataset, all));
        page_section_end(p);
    }
    TRY(refused(p, dataset, g));
    settings(p, r);
done:
    return status;
}

/* what: that tells true classes, "folder" or "label". */
static void lead(page *p, const char *what, const gathered *g, const classify_result *results, size_t count) {
    const answers *all = &g->all, *known = &g->known;
    double low = 0, high = 1;
    char without[96] = "";
    if (g->refused.count)
        snprintf(without, sizeof without, " %zu more %s refused as none of the classes.", g->refused.count,
                 g->refused.count == 1 ? "is" : "are");
    if (count == 0) {
        page_lead(p, "No picture could be read.");
    } else if (known->count) {
        adatom_wilson_interval(known->right, known->count, &low, &high);
        page_lead(p,
                  "%zu of %zu pictures (%.1f %%; 95 %% interval %.1f to %.1f %%) were given the class that their %s "
                  "names%s%s%s.%s",
                  known->right, known->count, 100 * (double)known->right / (double)known->count, 100 * low, 100 * high,
                  what, count > 1 ? ", under the adapter '" : "", count > 1 ? results[0].name : "",
                  count > 1 ? "'" : "", without);
    } else {
        page_lead(p, "%zu picture%s %s classified into %d classes; no %s names one of them.%s", all->count,
                  all->count == 1 ? "" : "s", all->count == 1 ? "was" : "were", all->classes, what, without);
    }
}

static void unreadable(page *p) {
    size_t i, shown = 0;
    json_t *row;
    json_array_foreach(json_object_get(p->document, "predictions"), i, row) {
        const char *error = json_string_value(json_object_get(row, "error"));
        if (!error || !json_is_null(json_object_get(row, "adapter"))) continue;
        if (shown++ == 0) {
            page_section(p, "Pictures that could not be read");
            fputs("<ul>\n", p->out);
        }
        if (shown > PAGE_PICTURES) continue;
        fputs("<li>", p->out);
        html_name(p->out, json_string_value(json_object_get(row, "picture")));
        fputs(": ", p->out);
        html_text(p->out, error);
        fputs("</li>\n", p->out);
    }
    if (shown == 0) return;
    fputs("</ul>\n", p->out);
    if (shown > PAGE_PICTURES) page_note(p, "%zu more are left out.", shown - PAGE_PICTURES);
    page_section_end(p);
}

static adatom_status gather(page *p, const adatom_dataset *dataset, const classify_result *r, gathered *out) {
    int classes = 0;
    adatom_status status = ADATOM_OK;
    *out = (gathered){0};
    adatom_predictions_get(r->predictions, r->number, 0, &classes);
    out->numbers = calloc((size_t)classes + 1, sizeof *out->numbers);
    if (!out->numbers) TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    TRY(answers_begin(p->cli, &out->all, classes, false));
    TRY(answers_begin(p->cli, &out->known, classes, false));
    TRY(answers_begin(p->cli, &out->refused, classes, false));
    TRY(collect(p, dataset, r, out));
done:
    return status;
}

static void gathered_clear(gathered *g) {
    answers_clear(&g->all);
    answers_clear(&g->known);
    answers_clear(&g->refused);
    free(g->numbers);
    *g = (gathered){0};
}

adatom_status page_classify(struct cli *cli, const char *path, json_t *document, const adatom_dataset *dataset,
                            const classify_result *results, size_t count, const page_call *call) {
    page p;
    gathered g = {0};
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_status status = page_begin(&p, cli, path, document, "Classified pictures", NULL);
    if (status != ADATOM_OK) return status;
    if (count) TRY(gather(&p, dataset, &results[0], &g));
    if (dataset) adatom_dataset_describe(dataset, &d);
    lead(&p, d.features ? "label" : "folder", &g, results, count);
    for (size_t r = 0; r < count; r++) {
        if (r) {
            gathered_clear(&g);
            TRY(gather(&p, dataset, &results[r], &g));
        }
        TRY(one_result(&p, dataset, &results[r], &g, count > 1));
    }
    unreadable(&p);
done:
    gathered_clear(&g);
    return page_end(&p, call, status);
}

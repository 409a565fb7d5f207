#include "bench_plot.h"
#include "out_of_memory.h"
#include "svg.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAME = 128, MOST_NUMBERS = 12, MOST_DEVICE = 20, TIME = 0, MEMORY = 1 };

/* What a number in a case's name counts, by the case's family and the characters around the number ('/' stands for the
 * ends of the name; 0: any character). */
static const struct meaning {
    const char *family;
    char before, after;
    const char *axis, *time;
    bool total; /* the measured time is that of one: the plotted time is multiplied by the number */
} meanings[] = {
    {"adapt", 't', '/', "tasks", "time of all tasks, ms", true},
    {"adapt", 0, 's', "pictures a class (shots)", "time of a task, ms", false},
    {"adapt", '/', 'w', "classes (ways)", "time of a task, ms", false},
    {"adapt", 0, 'q', "queries a class", "time of a task, ms", false},
    {"adapt", '/', '/', "image side, pixels", "time of a task, ms", false},
    {"adapt", '/', 't', "steps", "time of a task, ms", false},
    {"pretrain", 'd', 0, "pictures of the data set", "time of an epoch, ms", true},
    {"pretrain", 'b', 0, "pictures of a batch", "time of a picture, ms", false},
    {"pretrain", 'm', 0, "device memory allowed, MiB", "time of a picture, ms", false},
    {"pretrain", '/', '/', "image side, pixels", "time of a picture, ms", false},
    {"", 't', 0, "tasks", "time, ms", false},
    {"", 'b', 0, "images", "time, ms", false},
    {"", '/', '/', "image side, pixels", "time, ms", false},
    {"", 0, 0, "the number that grows", "time, ms", false},
};

typedef struct point {
    /* y: time in ms and device memory in MiB; 0: not measured. The time is that of the fastest sample, since other load
     * on the machine only adds to it. */
    double x, y[2];
} point;

typedef struct curve {
    const struct meaning *meaning;
    char label[MOST_NAME + MOST_DEVICE + 8];
    point *points;
    int count;
    size_t row; /* row: of the first point; k: which number of its name grows */
    int k;
} curve;

typedef struct curve_list {
    curve *items;
    int count, room;
} curve_list;

typedef struct numbers {
    char words[MOST_NAME]; /* the name with '#' for each number */
    int at[MOST_NUMBERS], end[MOST_NUMBERS], count;
    double value[MOST_NUMBERS];
} numbers;

static numbers numbers_of(const char *name) {
    numbers n = {.count = 0};
    size_t words = 0;
    if (strlen(name) >= sizeof n.words) return n; /* no case has so long a name */
    for (const char *c = name; *c;) {
        if (!isdigit((unsigned char)*c) || n.count == MOST_NUMBERS) {
            n.words[words++] = *c++;
            continue;
        }
        char *end;
        n.at[n.count] = (int)(c - name);
        n.value[n.count] = strtod(c, &end);
        n.end[n.count++] = (int)(end - name);
        n.words[words++] = '#';
        c = end;
    }
    return n;
}

static const struct meaning *meaning_of(const char *name, int at, int end) {
    const char before = at ? name[at - 1] : '/', after = name[end] ? name[end] : '/';
    const struct meaning *m = meanings;
    while (strncmp(name, m->family, strlen(m->family)) || (m->before && m->before != before) ||
           (m->after && m->after != after))
        m++;
    return m;
}

/* Number k of the name of a row, as a candidate for a curve's x axis. */
typedef struct entry {
    const numbers *name;
    size_t row;
    int k;
    double ns, bytes;
} entry;

/* Orders entries so that those of one curve are equal: all of their names but number k is the same. */
static int by_others(const entry *x, const entry *y) {
    int order = strcmp(x->name->words, y->name->words);
    if (!order) order = x->name->count - y->name->count;
    if (!order) order = x->k - y->k;
    for (int j = 0; j < x->name->count && !order; j++)
        if (j != x->k) order = (x->name->value[j] > y->name->value[j]) - (x->name->value[j] < y->name->value[j]);
    return order;
}

static int by_curve(const void *a, const void *b) {
    const entry *x = a, *y = b;
    const double p = x->name->value[x->k], q = y->name->value[y->k];
    const int order = by_others(x, y);
    if (order) return order;
    if (p != q) return p < q ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_first(const void *a, const void *b) {
    const curve *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->k - y->k;
}

/* Makes the curve of `count` sorted entries; out->points has room for them. */
static void trace(json_t *rows, const entry *entries, size_t count, const char *device, curve *out) {
    const numbers *n = entries->name;
    const int k = entries->k;
    const char *name = json_string_value(json_object_get(json_array_get(rows, entries->row), "name"));
    out->row = entries->row;
    out->k = k;
    out->meaning = meaning_of(name, n->at[k], n->end[k]);
    snprintf(out->label, sizeof out->label, "%.*s: %.*sN%s", (int)report_cut(device, MOST_DEVICE), device, n->at[k],
             name, name + n->end[k]);
    for (size_t i = 0; i < count; i++) {
        point *p = &out->points[out->count++];
        p->x = entries[i].name->value[k];
        p->y[TIME] = entries[i].ns * 1e-6 * (out->meaning->total ? p->x : 1);
        p->y[MEMORY] = entries[i].bytes / 0x1p20;
    }
}

static void clear_curves(curve_list *all) {
    for (int c = 0; c < all->count; c++) free(all->items[c].points);
    free(all->items);
}

static curve *new_curve(curve_list *all, size_t points) {
    if (all->count == all->room) {
        const int room = 2 * all->room + 16;
        curve *items = realloc(all->items, (size_t)room * sizeof *items);
        if (!items) return NULL;
        all->items = items;
        all->room = room;
    }
    curve *c = &all->items[all->count];
    *c = (curve){.points = calloc(points, sizeof *c->points)};
    if (!c->points) return NULL;
    all->count++;
    return c;
}

/* Adds the document's curves, in the order of the rows of their first points; false: no memory. */
static bool find_curves(json_t *document, curve_list *all) {
    json_t *rows = json_object_get(document, "results"), *row;
    const char *device = json_string_value(report_get(document, "device.name"));
    const int before = all->count;
    const size_t row_count = json_array_size(rows);
    size_t i, count = 0, most = 0;
    numbers *names = calloc(row_count + 1, sizeof *names);
    bool complete = names != NULL;
    json_array_foreach(rows, i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        if (!complete) break;
        names[i] = numbers_of(name ? name : "");
        most += (size_t)names[i].count;
    }
    entry *entries = complete ? calloc(most + 1, sizeof *entries) : NULL;
    complete = entries != NULL;
    json_array_foreach(rows, i, row) {
        const double ns = json_number_value(json_object_get(row, "min_ns"));
        for (int k = 0; complete && ns > 0 && k < names[i].count; k++)
            if (names[i].value[k] > 0)
                entries[count++] = (entry){&names[i], i, k, ns, json_number_value(json_object_get(row, "arena_bytes"))};
    }
    if (complete) qsort(entries, count, sizeof *entries, by_curve);
    for (size_t first = 0, end; complete && first < count; first = end) {
        for (end = first + 1; end < count && by_others(&entries[first], &entries[end]) == 0;) end++;
        curve *c = end - first >= 3 ? new_curve(all, end - first) : NULL;
        if (c) trace(rows, &entries[first], end - first, device ? device : "?", c);
        complete = c || end - first < 3;
    }
    if (all->count > before) qsort(all->items + before, (size_t)(all->count - before), sizeof *all->items, by_first);
    free(entries);
    free(names);
    return complete;
}

/* ---- drawing ---- */

enum { WIDTH = 400, HEIGHT = 270, LEAST_HEIGHT = 100, LEFT = 58, RIGHT = 14, TOP = 10, BOTTOM = 42, LINE = 13 };
typedef struct axis {
    double least, most; /* range of the data; after settle(): decimal logarithms of the axis' ends */
    double at, length;  /* start and length on the page; a negative length goes up */
} axis;

static void widen(axis *a, double value) {
    if (value <= 0) return;
    a->least = a->least > 0 ? fmin(a->least, value) : value;
    a->most = fmax(a->most, value);
}

static double place(const axis *a, double value) {
    return a->at + a->length * (log10(value) - a->least) / (a->most - a->least);
}

static void settle(axis *a) {
    const double margin = 0.05 * fmax(log10(a->most / a->least), 0.5);
    a->least = log10(a->least) - margin;
    a->most = log10(a->most) + margin;
}

/* Draws grid lines with numbers; a wider range gets fewer lines. */
static void grid(FILE *out, const axis *x, const axis *y) {
    static const double steps[] = {1, 2, 5, 1.2, 1.5, 3, 4, 6, 8};
    for (int vertical = 0; vertical < 2; vertical++) {
        const axis *a = vertical ? x : y;
        const size_t used = a->most - a->least > 2.5 ? 1 : a->most - a->least > 0.7 ? 3 : COUNT(steps);
        for (int power = (int)floor(a->least); power <= (int)ceil(a->most); power++)
            for (size_t s = 0; s < used; s++) {
                const double value = steps[s] * pow(10, power), at = place(a, value);
                if (log10(value) < a->least || log10(value) > a->most) continue;
                if (vertical)
                    fprintf(
                        out,
                        "<path class='g' d='M%.1f %.1fv%.1f'/><text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n",
                        at, y->at, y->length, at, y->at + 14, value);
                else
                    fprintf(
                        out,
                        "<path class='g' d='M%.1f %.1fh%.1f'/><text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                        x->at, at, x->length, x->at - 4, at + 4, value);
            }
    }
}

/* The height of a diagram, which grows with its legend; 0: no curve has this meaning. */
static int height_of(const curve_list *all, const struct meaning *m) {
    int used = 0, needed;
    for (int c = 0; c < all->count; c++) used += all->items[c].meaning == m;
    needed = TOP + LINE * used + LEAST_HEIGHT + BOTTOM;
    return !used ? 0 : needed > HEIGHT ? needed : HEIGHT;
}

static void diagram(FILE *out, double left, double top, const curve_list *all, const struct meaning *m, int what) {
    const curve *curves = all->items;
    const int count = all->count, height = height_of(all, m);
    axis x = {.at = left + LEFT, .length = WIDTH - LEFT - RIGHT}, y = {0};
    int used = 0;
    for (int c = 0; c < count; c++) {
        if (curves[c].meaning != m) continue;
        used++;
        for (int i = 0; i < curves[c].count; i++) {
            widen(&x, curves[c].points[i].x);
            widen(&y, curves[c].points[i].y[what]);
        }
    }
    if (y.most <= 0) return;
    settle(&x);
    settle(&y);
    y.at = top + height - BOTTOM;
    y.length = TOP + LINE * used - (height - BOTTOM); /* the curves are below the legend */
    grid(out, &x, &y);
    fprintf(out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", x.at + x.length / 2, top + height - 10,
            m->axis);
    fprintf(out, "<text transform='translate(%.1f %.1f) rotate(-90)' text-anchor='middle'>%s</text>\n", left + 14,
            y.at + y.length / 2, what == TIME ? m->time : "device memory, MiB");
    for (int c = 0, line = 0; c < count; c++) {
        if (curves[c].meaning != m) continue;
        const char *colour = svg_colour(line);
        svg_legend(out, x.at, top + TOP + LINE * line++, colour, curves[c].label);
        fprintf(out, "<path fill='none' stroke='%s' d='", colour);
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0, drawn = 0; i < curves[c].count; i++) {
                const point *p = &curves[c].points[i];
                if (p->y[what] <= 0) continue;
                const double px = place(&x, p->x), py = place(&y, p->y[what]);
                if (pass)
                    fprintf(out, "<circle cx='%.1f' cy='%.1f' r='%.1f' fill='%s'/>", px, py, 2.5 + fmin(used - line, 6),
                            colour);
                else
                    fprintf(out, "%c%.1f %.1f", drawn++ ? 'L' : 'M', px, py);
            }
            fprintf(out, pass ? "\n" : "'/>");
        }
    }
}

adatom_status bench_plot(struct cli *cli, const char *path, json_t *const *documents, int count) {
    curve_list all = {0};
    char *text = NULL;
    size_t size = 0;
    int height = 0, top = 0;
    adatom_status status = ADATOM_OK;
    FILE *out = memory_stream(&text, &size);
    if (!out) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    for (int d = 0; d < count; d++)
        if (!find_curves(documents[d], &all)) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    if (!all.count)
        TRY(cli_fail(cli, ADATOM_BAD_DATA,
                     "nothing to plot: no three cases differ in one number of their names only (--suite scaling)"));
    for (size_t m = 0; m < COUNT(meanings); m++) height += height_of(&all, &meanings[m]);
    svg_begin(out, 2 * WIDTH, height);
    for (size_t m = 0; m < COUNT(meanings); m++) {
        for (int what = TIME; what <= MEMORY; what++) diagram(out, what * WIDTH, top + 4, &all, &meanings[m], what);
        top += height_of(&all, &meanings[m]);
    }
    status = svg_end(cli, path, out, &text, &size);
    out = NULL;
done:
    if (out) fclose(out);
    free(text);
    clear_curves(&all);
    return status;
}

adatom_status bench_plot_files(struct cli *cli, const char *path, const arg_texts *files) {
    adatom_status status = ADATOM_OK;
    json_t **documents = calloc((size_t)files->count, sizeof *documents);
    if (!documents) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    for (int f = 0; f < files->count; f++) TRY(bench_load(cli, files->items[f], &documents[f]));
    TRY(bench_plot(cli, path, documents, files->count));
done:
    for (int f = 0; documents && f < files->count; f++) json_decref(documents[f]);
    free(documents);
    return status;
}

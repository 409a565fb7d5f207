#include "episodes_plot.h"
#include "out_of_memory.h"
#include "report.h"
#include "svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 560,
    INLINE = 440,
    DIAGRAM = 270,
    LEFT = 52,
    RIGHT = 14,
    TOP = 12,
    BOTTOM = 42,
    LINE = 14,
    LEAST_GAP = 22
};

/* What may be on the axis: a number of a result, its option, and where along the axis it is. */
static double as_steps(double x) { return log1p(x); } /* 0, the start, has a place */
static double as_part(double x) { return x; }
static double as_count(double x) { return log(x); }
static const struct subject {
    const char *path, *option, *title;
    double (*place)(double);
} subjects[] = {{"config.steps", "steps", "optimiser steps", as_steps},
                {"config.label_noise", "label-noise", "part of the support labels that are wrong", as_part},
                {"episodes.shot", "shot", "support pictures a class (shots)", as_count}};

typedef struct point {
    double x, mean, ci95; /* in % */
    char label[320];      /* of its curve */
    bool level;           /* the same everywhere on the axis */
} point;

typedef struct plot {
    const struct subject *on;
    point *points; /* those of one curve follow each other */
    size_t count;
    svg_diagram diagram; /* below the legend; its x are places */
} plot;

static double number(json_t *row, const char *path) {
    json_t *value = report_get(row, path);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static bool several_shots(json_t *rows) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
        if (number(row, "episodes.shot") != number(json_array_get(rows, 0), "episodes.shot")) return true;
    }
    return false;
}

/* "atoms, 5-shot, lr-atoms=0.01" without what is on the axis. */
static void label_of(json_t *row, const plot *p, bool shots, char *out, size_t capacity) {
    const char *method = json_string_value(json_object_get(row, "method")),
               *settings = json_string_value(json_object_get(row, "settings"));
    const size_t option = strlen(p->on->option);
    int used = snprintf(out, capacity, "%s", method ? method : "?");
    if (shots && strcmp(p->on->option, "shot") != 0)
        used += snprintf(out + used, capacity - (size_t)used, ", %.0f-shot", number(row, "episodes.shot"));
    for (const char *at = settings ? settings : ""; *at;) {
        const size_t length = strcspn(at, " ");
        const bool is_axis = strncmp(at, p->on->option, option) == 0 && at[option] == '=';
        if (!is_axis && (size_t)used + length + 3 < capacity)
            used += snprintf(out + used, capacity - (size_t)used, ", %.*s", (int)length, at);
        at += length;
        at += strspn(at, " ");
    }
}

static int by_label(const void *a, const void *b) {
    const point *x = a, *y = b;
    const int order = strcmp(x->label, y->label);
    return order ? order : (x->x > y->x) - (x->x < y->x);
}

static void read_points(json_t *rows, plot *p) {
    const bool shots = several_shots(rows);
    size_t i;
    json_t *row;
    p->diagram.x_least = p->diagram.y_least = INFINITY;
    p->diagram.x_most = p->diagram.y_most = -INFINITY;
    json_array_foreach(rows, i, row) {
        json_t *mean = report_get(row, "accuracy.mean");
        if (!json_is_number(mean)) continue; /* every episode diverged */
        point *one = &p->points[p->count++];
        *one = (point){.x = number(row, p->on->path), .mean = 100 * json_number_value(mean)};
        json_t *ci95 = report_get(row, "accuracy.ci95"); /* null: of one episode, which has no interval */
        one->ci95 = json_is_number(ci95) ? 100 * json_number_value(ci95) : INFINITY;
        one->level = p->on == &subjects[0] && !report_get(row, "config.optimizer") && one->x == 0;
        label_of(row, p, shots, one->label, sizeof one->label);
        p->diagram.y_least = fmin(p->diagram.y_least, one->mean - one->ci95);
        p->diagram.y_most = fmax(p->diagram.y_most, one->mean + one->ci95);
        if (one->level) continue;
        p->diagram.x_least = fmin(p->diagram.x_least, p->on->place(one->x));
        p->diagram.x_most = fmax(p->diagram.x_most, p->on->place(one->x));
    }
    qsort(p->points, p->count, sizeof *p->points, by_label);
    /* The start of a curve has no optimiser either: level is what has no other points. */
    for (size_t k = 0; k < p->count; k++)
        if (p->points[k].level && k + 1 < p->count && strcmp(p->points[k].label, p->points[k + 1].label) == 0) {
            p->points[k].level = false;
            p->diagram.x_least = fmin(p->diagram.x_least, p->on->place(p->points[k].x));
        }
}

static double x_at(const plot *p, double x) { return svg_x(&p->diagram, p->on->place(x)); }

static double y_at(const plot *p, double y) { return svg_y(&p->diagram, y); }

static int by_x(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Grid lines at the numbers that were asked for, and at round accuracies. xs: room for as many numbers as points. */
static void grid(FILE *out, plot *p, double *xs) {
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (!p->points[i].level) xs[count++] = p->points[i].x;
    qsort(xs, count, sizeof *xs, by_x);
    double last = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        const double at = x_at(p, xs[i]);
        if (at - last < LEAST_GAP) continue;
        last = at;
        svg_column(out, &p->diagram, p->on->place(xs[i]), xs[i]);
    }
    svg_rows(out, &p->diagram);
    svg_titles(out, &p->diagram, p->on->title, "accuracy, %");
}

/* The curve of points[0..count-1], number `line` of the legend. */
static void draw(FILE *out, const plot *p, const point *points, size_t count, int line) {
    const char *colour = svg_colour(line);
    svg_legend(out, LEFT, TOP + LINE * (line + 1) - 4, colour, points[0].label);
    if (points[0].level) {
        fprintf(out, "<path stroke='%s' stroke-dasharray='5 3' d='M%d %.1fH%d'/>\n", colour, LEFT,
                y_at(p, points[0].mean), (int)p->diagram.right);
        return;
    }
    fprintf(out, "<path fill='%s' fill-opacity='0.13' d='", colour);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_at(p, points[i].x), y_at(p, points[i].mean + points[i].ci95));
    for (size_t i = count; i-- > 0;)
        fprintf(out, "L%.1f %.1f", x_at(p, points[i].x), y_at(p, points[i].mean - points[i].ci95));
    fprintf(out, "Z'/>\n<path fill='none' stroke='%s' stroke-width='1.5' d='", colour);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', x_at(p, points[i].x), y_at(p, points[i].mean));
    fprintf(out, "'/>\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n", x_at(p, points[i].x), y_at(p, points[i].mean),
                colour);
}

static size_t curve_end(const plot *p, size_t first) {
    size_t end = first + 1;
    while (end < p->count && strcmp(p->points[first].label, p->points[end].label) == 0) end++;
    return end;
}

/* Reads what is to be drawn; OUT_OF_MEMORY. p->points is freed by the caller in any case. */
static adatom_status prepare(struct cli *cli, const char *path, const char *axis, json_t *rows, plot *p) {
    for (p->on = subjects; strcmp(p->on->option, axis) != 0;) p->on++;
    p->points = calloc(json_array_size(rows) + 1, sizeof *p->points);
    if (!p->points) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
    read_points(rows, p);
    return ADATOM_OK;
}

static int count_lines(const plot *p) {
    int lines = 0;
    for (size_t first = 0; first < p->count; first = curve_end(p, first)) lines++;
    return lines;
}

/* The picture below its beginning; xs: room for as many numbers as points. */
static void draw_all(FILE *out, plot *p, double *xs) {
    grid(out, p, xs);
    for (size_t first = 0, line = 0, end; first < p->count; first = end, line++) {
        end = curve_end(p, first);
        draw(out, p, &p->points[first], end - first, (int)line);
    }
}

/* Decides where the diagram is in a picture of this width; returns the picture's height. */
static int lay_out(plot *p, int width) {
    svg_diagram *d = &p->diagram;
    d->y_least -= 1;
    d->y_most += 1;
    d->left = LEFT;
    d->right = width - RIGHT;
    d->top = TOP + LINE * count_lines(p);
    d->bottom = d->top + DIAGRAM;
    return (int)d->bottom + BOTTOM;
}

adatom_status episodes_plot(struct cli *cli, const char *path, const char *axis, json_t *rows) {
    plot p = {0};
    char *text = NULL;
    size_t size = 0;
    double *xs = calloc(json_array_size(rows) + 1, sizeof *xs);
    FILE *out = memory_stream(&text, &size);
    adatom_status status = ADATOM_OK;
    if (!xs || !out) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    TRY(prepare(cli, path, axis, rows, &p));
    if (!(p.diagram.x_most > p.diagram.x_least))
        TRY(cli_fail(cli, ADATOM_CHECK_FAILED, "--plot: fewer than two numbers have an accuracy"));
    if (!isfinite(p.diagram.y_most - p.diagram.y_least)) /* intervals of one episode */
        TRY(cli_fail(cli, ADATOM_USAGE, "--plot: one episode has no interval; give more --tasks"));
    svg_begin(out, WIDTH, lay_out(&p, WIDTH));
    draw_all(out, &p, xs);
    status = svg_end(cli, path, out, &text, &size);
    out = NULL;
done:
    if (out) fclose(out);
    free(text);
    free(xs);
    free(p.points);
    return status;
}

adatom_status episodes_plot_inline(struct cli *cli, const char *path, const char *axis, json_t *rows, FILE *out) {
    plot p = {0};
    double *xs = calloc(json_array_size(rows) + 1, sizeof *xs);
    adatom_status status = ADATOM_OK;
    if (!xs) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    TRY(prepare(cli, path, axis, rows, &p));
    if (!(p.diagram.x_most > p.diagram.x_least) || !isfinite(p.diagram.y_most - p.diagram.y_least)) goto done;
    const int height = lay_out(&p, INLINE);
    char label[160];
    snprintf(label, sizeof label, "Accuracy against %s, a curve for each setting", p.on->title);
    svg_begin_inline(out, INLINE, height, label);
    draw_all(out, &p, xs);
    fputs("</svg>\n", out);
done:
    free(xs);
    free(p.points);
    return status;
}

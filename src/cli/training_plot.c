#include "training_plot.h"
#include "out_of_memory.h"
#include "svg.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 760, ALONE = 380, HEIGHT = 310, GAP = 66, LEFT = 52, RIGHT = 14, TOP = 40, BOTTOM = 42, LINE = 14 };

typedef struct curve {
    const char *key, *label;
    double factor;
} curve;

static const curve losses[] = {{"loss", "loss", 1}};
static const curve accuracies[] = {{"accuracy", "accuracy in training", 100},
                                   {"validation", "validation: accuracy on few-shot episodes", 100}};

/* The value at an epoch; NaN: it has none. */
static double value_of(json_t *epoch, const curve *c) {
    json_t *value = json_object_get(epoch, c->key);
    return json_is_number(value) ? c->factor * json_number_value(value) : NAN;
}

static bool has_values(json_t *epochs, const curve *c) { return !isnan(value_of(json_array_get(epochs, 0), c)); }

/* The least and the most of all the curves, and some room around them. */
static void find_range(json_t *epochs, const curve *curves, size_t count, svg_diagram *d) {
    size_t i;
    json_t *epoch;
    d->y_least = INFINITY;
    d->y_most = -INFINITY;
    json_array_foreach(epochs, i, epoch) for (size_t c = 0; c < count; c++) {
        d->y_least = fmin(d->y_least, value_of(epoch, &curves[c])); /* not NaN where one of the two is not */
        d->y_most = fmax(d->y_most, value_of(epoch, &curves[c]));
    }
    const double range = d->y_most - d->y_least, room = range > 0 ? 0.05 * range : fmax(0.1 * fabs(d->y_most), 1e-3);
    d->y_least -= room;
    d->y_most += room;
}

static void draw(FILE *out, json_t *epochs, const curve *c, const svg_diagram *d, int line) {
    const char *colour = svg_colour(line);
    size_t i;
    json_t *epoch;
    svg_legend(out, d->left, LINE * (line + 1), colour, c->label);
    fprintf(out, "<path fill='none' stroke='%s' stroke-width='1.5' d='", colour);
    json_array_foreach(epochs, i, epoch)
        fprintf(out, "%c%.1f %.1f", i ? 'L' : 'M', svg_x(d, (double)i + 1), svg_y(d, value_of(epoch, c)));
    fprintf(out, "'/>\n");
    json_array_foreach(epochs, i, epoch) fprintf(out, "<circle cx='%.1f' cy='%.1f' r='2' fill='%s'/>\n",
                                                 svg_x(d, (double)i + 1), svg_y(d, value_of(epoch, c)), colour);
}

static void diagram(FILE *out, json_t *epochs, const curve *curves, size_t count, const char *title, svg_diagram *d) {
    svg_titles(out, d, "epoch", title);
    find_range(epochs, curves, count, d);
    svg_columns(out, d);
    svg_rows(out, d);
    for (size_t c = 0, line = 0; c < count; c++)
        if (has_values(epochs, &curves[c])) draw(out, epochs, &curves[c], d, (int)line++);
}

adatom_status training_plot(struct cli *cli, const char *path, json_t *epochs, int planned) {
    const double width = (WIDTH - LEFT - RIGHT - GAP) / 2.0;
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_stream(&text, &size);
    if (!out) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
    svg_diagram left = {.left = LEFT, .right = LEFT + width, .top = TOP, .bottom = HEIGHT - BOTTOM, .x_most = planned};
    svg_diagram right = left;
    right.left += width + GAP;
    right.right += width + GAP;
    svg_begin(out, WIDTH, HEIGHT);
    diagram(out, epochs, losses, COUNT(losses), "loss", &left);
    diagram(out, epochs, accuracies, COUNT(accuracies), "accuracy, %", &right);
    const adatom_status status = svg_end(cli, path, out, &text, &size);
    free(text);
    return status;
}

static void alone(FILE *out, json_t *epochs, int planned, const curve *curves, size_t count, const char *title) {
    char label[96];
    svg_diagram d = {.left = LEFT, .right = ALONE - RIGHT, .top = TOP, .bottom = HEIGHT - BOTTOM, .x_most = planned};
    snprintf(label, sizeof label, "%s against epochs", title);
    svg_begin_inline(out, ALONE, HEIGHT, label);
    diagram(out, epochs, curves, count, title, &d);
    fputs("</svg>\n", out);
}

void training_plot_inline(FILE *out, json_t *epochs, int planned) {
    fputs("<div class=\"plots\">\n", out);
    alone(out, epochs, planned, losses, COUNT(losses), "loss");
    alone(out, epochs, planned, accuracies, COUNT(accuracies), "accuracy, %");
    fputs("</div>\n", out);
}

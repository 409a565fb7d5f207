#include "page_training.h"
#include "html.h"
#include "report.h"
#include "training_plot.h"

#include <math.h>

static double number(json_t *value, const char *path) {
    json_t *found = report_get(value, path);
    return json_is_number(found) ? json_number_value(found) : NAN;
}

static void lead(page *p, json_t *epochs, int planned) {
    const size_t count = json_array_size(epochs);
    json_t *last = json_array_get(epochs, count - 1), *epoch, *best = NULL;
    size_t i;
    char validation[160] = "";
    if (count == 0) {
        page_lead(p, "No epoch was finished.");
        return;
    }
    json_array_foreach(epochs, i, epoch) {
        const double now = number(epoch, "validation");
        if (!isnan(now) && (!best || now > number(best, "validation"))) best = epoch;
    }
    if (best)
        snprintf(validation, sizeof validation,
                 "; on few-shot validation episodes %.2f %%, at best %.2f %% after epoch %.0f",
                 100 * number(last, "validation"), 100 * number(best, "validation"), number(best, "epoch"));
    page_lead(p, "After %zu of %d epochs the loss is %.4f and the accuracy in training %.2f %%%s.", count, planned,
              number(last, "loss"), 100 * number(last, "accuracy"), validation);
}

static void table(page *p, json_t *epochs) {
    static const char *const columns[] = {"epoch", "loss", "accuracy %", "validation %", "pictures/s", NULL};
    json_t *epoch;
    size_t i;
    fputs("<details><summary>The same in numbers</summary>\n", p->out);
    html_head(p->out, "Each epoch", columns, 0);
    json_array_foreach(epochs, i, epoch) {
        const double validation = number(epoch, "validation");
        fprintf(p->out, "<tr><th scope=\"row\">%.0f</th>", number(epoch, "epoch"));
        html_number_cell(p->out, "%.4f", number(epoch, "loss"));
        html_number_cell(p->out, "%.2f", 100 * number(epoch, "accuracy"));
        if (isnan(validation))
            html_number_cell(p->out, "-");
        else
            html_number_cell(p->out, "%.2f", 100 * validation);
        html_number_cell(p->out, "%.0f", number(epoch, "images_per_s"));
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n</details>\n", p->out);
}

adatom_status page_training(struct cli *cli, const char *path, json_t *document, int planned, json_t *config,
                            const page_call *call) {
    page p;
    json_t *epochs = json_object_get(document, "epochs");
    const adatom_status status =
        page_begin(&p, cli, path, document, "Training", json_string_value(report_get(document, "dataset.name")));
    if (status != ADATOM_OK) return status;
    lead(&p, epochs, planned);
    if (json_array_size(epochs)) {
        page_section(&p, "Curves");
        training_plot_inline(p.out, epochs, planned);
        table(&p, epochs);
        page_section_end(&p);
    }
    if (json_is_object(config)) {
        page_section(&p, "What decided it");
        page_settings(&p, config);
        page_section_end(&p);
    }
    return page_end(&p, call, ADATOM_OK);
}

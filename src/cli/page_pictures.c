#include "html.h"
#include "page.h"
#include "png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 96, NAME_SHOWN = 400 };

/* The picture in a size of at most SIDE, as the mean over squares of pixels. The caller frees out->pixels. */
static bool shrink(const uint8_t *pixels, size_t size, png_picture *out) {
    const size_t factor = (size + SIDE - 1) / SIDE, side = size / factor;
    *out = (png_picture){malloc(side * side * 3), side, side, 3};
    if (!out->pixels) return false;
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            for (size_t c = 0; c < 3; c++) {
                size_t sum = 0;
                for (size_t v = 0; v < factor; v++)
                    for (size_t u = 0; u < factor; u++)
                        sum += pixels[((y * factor + v) * size + x * factor + u) * 3 + c];
                out->pixels[(y * side + x) * 3 + c] = (uint8_t)((sum + factor * factor / 2) / (factor * factor));
            }
    return true;
}

static adatom_status thumbnail(page *p, const uint8_t *pixels, int size, const char *name) {
    png_picture small = {0};
    uint8_t *file = NULL;
    size_t bytes = 0;
    adatom_status status = ADATOM_OK;
    if (!shrink(pixels, (size_t)size, &small))
        TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    TRY(png_encode(p->cli, p->path, &small, &file, &bytes));
    fprintf(p->out, "<img width=\"%d\" height=\"%d\"%s alt=\"", SIDE, SIDE, size <= 48 ? " class=\"px\"" : "");
    html_text(p->out, name);
    fputs("\" src=\"", p->out);
    html_data(p->out, "image/png", file, bytes);
    fputs("\">", p->out);
done:
    free(small.pixels);
    free(file);
    return status;
}

/* A line of a picture's legend; long names are cut by the style sheet, and whole in `title`. */
static void line(FILE *out, const char *class, const char *name, const char *before) {
    char cut[NAME_SHOWN + 1];
    snprintf(cut, sizeof cut, "%.*s", NAME_SHOWN, name);
    fprintf(out, "<span class=\"n %s\" title=\"", class);
    html_text(out, cut);
    fprintf(out, "\">%s", before);
    html_name(out, name);
    fputs("</span>", out);
}

static adatom_status one_picture(page *p, const adatom_dataset *dataset, int size, const answers *a, const answer *one,
                                 bool truths) {
    const uint8_t *pixels = adatom_dataset_pixels(dataset, (size_t)one->image);
    const char *path = adatom_dataset_path(dataset, (size_t)one->image);
    adatom_status status = ADATOM_OK;
    fputs("<li>", p->out);
    if (pixels) TRY(thumbnail(p, pixels, size, path ? path : ""));
    if (truths) line(p->out, "true", a->names[one->truth], "");
    if (one->taken >= 0)
        line(p->out, truths ? "taken" : "true", a->names[one->taken], truths ? "&#8594; " : "");
    else
        fputs("<span class=\"taken\">no answer</span>", p->out);
    if (!isnan(one->probability)) fprintf(p->out, "<small>%.1f %%</small>", 100 * (double)one->probability);
    fputs("<small>", p->out);
    html_name(p->out, path);
    fputs("</small></li>\n", p->out);
done:
    return status;
}

adatom_status page_pictures(page *p, const adatom_dataset *dataset, const answers *a, const size_t *which, size_t count,
                            bool truths) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_status status = ADATOM_OK;
    adatom_dataset_describe(dataset, &d);
    fputs("<ul class=\"pictures\">\n", p->out);
    for (size_t i = 0; i < count && i < PAGE_PICTURES; i++)
        TRY(one_picture(p, dataset, d.image_size, a, &a->items[which[i]], truths));
    fputs("</ul>\n", p->out);
done:
    return status;
}

/* Of each picture that was ever wrong: how often, and its first wrong answer. */
typedef struct wrong {
    size_t item, times;
    float probability;
} wrong;

/* The most often wrong first, then those that the classifier was surest of, then in the data's order. */
static int by_weight(const void *a, const void *b) {
    const wrong *x = a, *y = b;
    if (x->times != y->times) return x->times < y->times ? 1 : -1;
    if (x->probability != y->probability) return x->probability < y->probability ? 1 : -1;
    return (x->item > y->item) - (x->item < y->item);
}

adatom_status page_wrong(page *p, const adatom_dataset *dataset, const answers *a) {
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &d);
    const size_t all = a->count - a->right;
    if (all == 0) return ADATOM_OK;
    size_t *place = calloc(d.images + 1, sizeof *place), *which = calloc(all + 1, sizeof *which), count = 0;
    wrong *list = malloc((all + 1) * sizeof *list);
    adatom_status status = ADATOM_OK;
    if (!place || !which || !list) TRY(cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path));
    for (size_t i = 0; i < a->count; i++) {
        const answer *one = &a->items[i];
        if (one->taken == one->truth) continue;
        size_t *at = &place[one->image];
        if (!*at) {
            list[count++] = (wrong){.item = i, .probability = isnan(one->probability) ? 0 : one->probability};
            *at = count;
        }
        list[*at - 1].times++;
    }
    qsort(list, count, sizeof *list, by_weight);
    for (size_t i = 0; i < count; i++) which[i] = list[i].item;
    const size_t shown = count < PAGE_PICTURES ? count : PAGE_PICTURES;
    page_section(p, "Pictures that were wrong");
    page_note(p, "%s%s%s", d.features ? "The data holds features: there are names of pictures only. " : "",
              all > count ? "Those that were most often wrong first, each with its first wrong answer."
              : isnan(a->items[which[0]].probability)
                  ? "Each with its true class and, after the arrow, what it was taken for."
                  : "Those that the classifier was surest of first: the true class, after the arrow what the picture "
                    "was taken for, and the probability of that.",
              "");
    if (count > shown) page_note(p, "%zu of %zu are shown; %zu are left out.", shown, count, count - shown);
    status = page_pictures(p, dataset, a, which, shown, true);
    page_section_end(p);
done:
    free(place);
    free(which);
    free(list);
    return status;
}

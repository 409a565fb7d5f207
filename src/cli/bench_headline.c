/* The numbers of a benchmark that one tells others: the best of what was checked before it was timed. */
#include "bench_files.h"

#include <stdio.h>
#include <string.h>

typedef enum operands { ANY, FLOAT32, HALF } operands;

/* What a kernel's products are made of, which its variant tells: a device that computes in half precision where it is
 * asked to may still do so in float32 for a case. */
static operands operands_of(json_t *row) {
    const char *variant = json_string_value(json_object_get(row, "variant"));
    const bool half = variant && (strncmp(variant, "half", 4) == 0 || strncmp(variant, "matrix", 6) == 0);
    return half ? HALF : FLOAT32;
}

/* The row with the largest `member` of those whose names begin so and whose results were checked; NULL: none. */
static json_t *best_of(json_t *rows, const char *begins, const char *member, operands kind) {
    size_t i;
    json_t *row, *best = NULL;
    json_array_foreach(rows, i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *verified = json_string_value(json_object_get(row, "verified"));
        const double value = json_number_value(json_object_get(row, member));
        if (!name || !verified || !*verified || !(value > 0) || strncmp(name, begins, strlen(begins)) != 0) continue;
        if (kind != ANY && operands_of(row) != kind) continue;
        if (!best || value > json_number_value(json_object_get(best, member))) best = row;
    }
    return best;
}

bool bench_headline(json_t *document, char *out, size_t capacity) {
    static const struct {
        const char *begins, *member, *key, *words;
        operands kind;
        double scale;
    } figures[] = {
        {"adapt/atoms/", "episodes_per_s", "adapted_episodes_per_s", "adapted episodes/s", ANY, 1},
        {"conv/forward/", "gflops", "convolution_fp32_tflops", "TFLOP/s of convolution in float32", FLOAT32, 1000},
        {"conv/forward/", "gflops", "convolution_fp16_tflops", "TFLOP/s of convolution in half precision", HALF, 1000}};
    json_t *headline = json_object();
    size_t used = 0;
    bool good = headline != NULL;
    out[0] = 0;
    for (size_t f = 0; f < COUNT(figures); f++) {
        json_t *row =
            best_of(json_object_get(document, "results"), figures[f].begins, figures[f].member, figures[f].kind);
        if (!row) continue;
        const double value = json_number_value(json_object_get(row, figures[f].member)) / figures[f].scale;
        const char *name = json_string_value(json_object_get(row, "name"));
        good &=
            json_object_set_new(headline, figures[f].key, json_pack("{s:f,s:s}", "value", value, "case", name)) == 0;
        if (used < capacity)
            used += (size_t)snprintf(out + used, capacity - used, "%s%.4g %s (%s)\n", used ? "" : "\n", value,
                                     figures[f].words, name);
    }
    return json_object_set_new(document, "headline", headline) == 0 && good;
}

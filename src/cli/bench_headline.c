/* The numbers of a benchmark that one tells others: the best of what was checked before it was timed. */
#include "bench_files.h"

#include <stdio.h>
#include <string.h>

/* The row with the largest `member` of those whose names begin so and whose results were checked; NULL: none. */
static json_t *best_of(json_t *rows, const char *begins, const char *member) {
    size_t i;
    json_t *row, *best = NULL;
    json_array_foreach(rows, i, row) {
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *verified = json_string_value(json_object_get(row, "verified"));
        const double value = json_number_value(json_object_get(row, member));
        if (!name || !verified || !*verified || !(value > 0) || strncmp(name, begins, strlen(begins)) != 0) continue;
        if (!best || value > json_number_value(json_object_get(best, member))) best = row;
    }
    return best;
}

bool bench_headline(json_t *document, char *out, size_t capacity) {
    json_t *rows = json_object_get(document, "results"), *headline = json_object();
    const char *precision = json_string_value(json_object_get(document, "precision"));
    const char *key =
        precision && strcmp(precision, "fp16") == 0 ? "convolution_fp16_tflops" : "convolution_fp32_tflops";
    json_t *episodes = best_of(rows, "adapt/atoms/", "episodes_per_s"),
           *conv = best_of(rows, "conv/forward/", "gflops");
    size_t used = 0;
    bool good = headline != NULL;
    out[0] = 0;
    if (episodes) {
        const double value = json_number_value(json_object_get(episodes, "episodes_per_s"));
        const char *name = json_string_value(json_object_get(episodes, "name"));
        good &= json_object_set_new(headline, "adapted_episodes_per_s",
                                    json_pack("{s:f,s:s}", "value", value, "case", name)) == 0;
        used += (size_t)snprintf(out, capacity, "\n%.4g adapted episodes/s (%s)\n", value, name);
    }
    if (conv && used < capacity) {
        const double value = json_number_value(json_object_get(conv, "gflops")) / 1000;
        const char *name = json_string_value(json_object_get(conv, "name"));
        good &= json_object_set_new(headline, key, json_pack("{s:f,s:s}", "value", value, "case", name)) == 0;
        snprintf(out + used, capacity - used, "%s%.4g TFLOP/s of convolution in %s (%s)\n", used ? "" : "\n", value,
                 strcmp(key, "convolution_fp16_tflops") == 0 ? "half precision" : "float32", name);
    }
    return json_object_set_new(document, "headline", headline) == 0 && good;
}

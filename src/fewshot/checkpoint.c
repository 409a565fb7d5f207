#include "fewshot/checkpoint.h"

#include "io/safetensors.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[4] = {"adapted", "velocity", "second_moment", "statistics"};

adatom_status ad_checkpoint_write(adatom_context *ctx, const char *path, const ad_checkpoint *c) {
    unsigned char *bytes = NULL;
    size_t size = 0, count = 0;
    float *values = NULL;
    int64_t shapes[4];
    ad_st_entry entries[4];
    adatom_status status;
    for (int i = 0; i < 4; i++) {
        if (!c->counts[i]) continue;
        shapes[count] = (int64_t)c->counts[i];
        entries[count] = (ad_st_entry){.name = names[i], .rank = 1, .shape = &shapes[count]};
        count++;
    }
    json_t *state = json_pack("{s:I, s:f, s:f, s:f, s:f, s:I, s:s}", "step", (json_int_t)c->step, "best", c->best, "seconds", c->seconds,
                              "loss", c->loss, "right", c->right, "seen", (json_int_t)c->seen, "config", c->config);
    char *text = state ? json_dumps(state, JSON_COMPACT) : NULL; /* 17 digits: doubles survive exactly */
    if (!text) {
        status = ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
        goto done;
    }
    const char *metadata[] = {"adatom_checkpoint", text, NULL};
    AD_TRY(ad_safetensors_make(ctx, metadata, entries, count, &bytes, &size, &values));
    for (int i = 0; i < 4; i++) {
        if (!c->counts[i]) continue;
        memcpy(values, c->arrays[i], c->counts[i] * sizeof(float));
        values += c->counts[i];
    }
    AD_TRY(ad_write_file(ctx, path, bytes, size));
done:
    free(text);
    json_decref(state);
    ad_free(bytes);
    return status;
}

adatom_status ad_checkpoint_read(adatom_context *ctx, const char *path, ad_checkpoint *c) {
    char *bytes = NULL;
    size_t size = 0;
    ad_safetensors file = {0};
    json_t *state = NULL;
    adatom_status status;
    AD_TRY(ad_read_file(ctx, path, (size_t)1 << 33, &bytes, &size));
    AD_TRY(ad_safetensors_parse(ctx, path, bytes, size, &file));
    const char *text = ad_safetensors_metadata(&file, "adatom_checkpoint"), *config = NULL;
    json_int_t step, seen;
    if (text) state = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    if (!state || json_unpack(state, "{s:I, s:F, s:F, s:F, s:F, s:I, s:s}", "step", &step, "best", &c->best, "seconds", &c->seconds, "loss",
                              &c->loss, "right", &c->right, "seen", &seen, "config", &config) != 0) {
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a checkpoint of pretraining", path);
        goto done;
    }
    if (strcmp(config, c->config) != 0) {
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' belongs to a run with other settings, data or device; give the same ones or remove it",
                         path);
        goto done;
    }
    c->step = (long)step;
    c->seen = (long)seen;
    for (int i = 0; i < 4; i++) {
        const ad_st_tensor *t = ad_safetensors_find(&file, names[i]);
        if ((t ? t->elements : 0) != c->counts[i]) {
            status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor %s has %zu numbers, %zu are expected", path, names[i], t ? t->elements : 0,
                             c->counts[i]);
            goto done;
        }
        for (size_t e = 0; e < c->counts[i]; e++) c->arrays[i][e] = ad_safetensors_float(&file, t, e);
    }
done:
    json_decref(state);
    ad_safetensors_clear(&file);
    ad_free(bytes);
    return status;
}

/* Checkpoints are safetensors files with two notes: the state's numbers, and a checksum over the whole file. */
#include "fewshot/formats/checkpoint.h"

#include "io/json.h"
#include "io/safetensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FORMAT = 3,
    DIGITS = 16,
    MORE_BYTES = 64 << 20
}; /* MORE: for what another run has, so that it is told what it is */

static const char *const names[AD_CHECKPOINT_ARRAYS] = {
    [AD_CHECKPOINT_ADAPTED] = "adapted",      [AD_CHECKPOINT_VELOCITY] = "velocity",
    [AD_CHECKPOINT_SECOND] = "second_moment", [AD_CHECKPOINT_STATISTICS] = "statistics",
    [AD_CHECKPOINT_AVERAGE] = "average",      [AD_CHECKPOINT_AVERAGE_STATISTICS] = "average_statistics"};

/* The first note, with which the header begins. */
static const char checksum_key[] = "{\"__metadata__\":{\"adatom_checksum\":\"";

/* The checksum's digits in a file, or NULL. */
static char *checksum_place(void *bytes, size_t size) {
    const size_t before = sizeof checksum_key - 1;
    if (size < 8 + before + DIGITS || memcmp((char *)bytes + 8, checksum_key, before) != 0) return NULL;
    return (char *)bytes + 8 + before;
}

bool ad_checkpoint_seal(void *bytes, size_t size) {
    char hash[DIGITS + 1], *place = checksum_place(bytes, size);
    if (!place) return false;
    memset(place, '0', DIGITS);
    ad_hash_hex(ad_hash(bytes, size, 0), hash);
    memcpy(place, hash, DIGITS);
    return true;
}

long ad_checkpoint_told(const ad_checkpoint *c) {
    const long each = AD_MAX(c->steps_per_epoch, 1);
    const long told = c->step / each - (c->step > 0 && c->step % each == 0 && c->seen > 0);
    return AD_MIN(told, c->steps / each); /* there is room for no more, whatever `step` says */
}

static json_t *epochs_list(const ad_checkpoint *c) {
    const long count = ad_checkpoint_told(c);
    bool bad = false;
    json_t *list = json_array();
    for (long i = 0; i < count; i++) {
        const ad_epoch *e = &c->epochs[i];
        ad_json_append(list, json_pack("[f, f, f, f]", e->loss, e->accuracy, e->validation, e->images_per_s), &bad);
    }
    if (!bad) return list;
    json_decref(list);
    return NULL;
}

adatom_status ad_checkpoint_write(adatom_context *ctx, const char *path, const ad_checkpoint *c) {
    unsigned char *bytes = NULL;
    size_t size = 0, count = 0;
    float *values = NULL;
    int64_t shapes[AD_CHECKPOINT_ARRAYS];
    ad_st_entry entries[AD_CHECKPOINT_ARRAYS];
    adatom_status status;
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++) {
        if (!c->counts[i]) continue;
        shapes[count] = (int64_t)c->counts[i];
        entries[count] = (ad_st_entry){.name = names[i], .rank = 1, .shape = &shapes[count]};
        count++;
    }
    json_t *state =
        json_pack("{s:i, s:I, s:f, s:s, s:f, s:f, s:f, s:I, s:s, s:o}", "format", FORMAT, "step", (json_int_t)c->step,
                  "best", c->best, "best_hash", c->best_hash, "seconds", c->seconds, "loss", c->loss, "right", c->right,
                  "seen", (json_int_t)c->seen, "config", c->config, "epochs", epochs_list(c));
    char *text = state ? ad_json_dump(state, JSON_COMPACT) : NULL; /* 17 digits: doubles survive exactly */
    if (!text) {
        status = ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
        goto done;
    }
    const char *metadata[] = {"adatom_checksum", "0000000000000000", "adatom_checkpoint", text, NULL};
    AD_TRY(ad_safetensors_make(ctx, metadata, entries, count, &bytes, &size, &values));
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++) {
        if (!c->counts[i]) continue;
        memcpy(values, c->arrays[i], c->counts[i] * sizeof(float));
        values += c->counts[i];
    }
    if (!ad_checkpoint_seal(bytes, size))
        AD_TRY(ad_fail(ctx, ADATOM_FAILED, "'%s': a checkpoint's header cannot be made", path));
    AD_TRY(ad_write_file(ctx, path, bytes, size));
done:
    free(text); /* jansson's */
    json_decref(state);
    ad_free(bytes);
    return status;
}

/* Every byte counts for the checksum: one that changed anywhere is found before anything else is looked at. */
static adatom_status check_bytes(adatom_context *ctx, const char *name, void *bytes, size_t size) {
    char kept[DIGITS], *place = checksum_place(bytes, size);
    if (!place)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a checkpoint of a training that this version writes", name);
    memcpy(kept, place, DIGITS);
    ad_checkpoint_seal(bytes, size);
    if (memcmp(kept, place, DIGITS) == 0) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_BAD_DATA,
                   "the checkpoint '%s' is damaged (its checksum is not that of its bytes); remove it or --restart",
                   name);
}

static bool is_hash(const char *text) { return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16; }

/* NULL, or what of the numbers no run of these steps can have come to. */
static const char *impossible(const ad_checkpoint *c, json_int_t step, json_int_t seen) {
    if (step < 0 || step > c->steps) return "step";
    const json_int_t in_epoch = c->steps_per_epoch > 0 ? step % c->steps_per_epoch : 0;
    const json_int_t whole = (json_int_t)c->steps_per_epoch * c->batch;
    if (seen != in_epoch * c->batch && !(in_epoch == 0 && step > 0 && seen == whole)) return "seen";
    if (!(c->right >= 0 && c->right <= (double)seen) || c->right != floor(c->right)) return "right";
    if (!isfinite(c->loss) || (seen == 0 && c->loss != 0)) return "loss";
    if (!isfinite(c->seconds) || c->seconds < 0) return "seconds";
    if (c->best != -1 && !(c->best >= 0 && c->best <= 1)) return "best";
    if (c->best >= 0 ? !is_hash(c->best_hash) : c->best_hash[0] != 0) return "best_hash";
    return NULL;
}

static bool is_share(double x) { return x >= 0 && x <= 1; }

static bool possible_epoch(const ad_epoch *e) {
    return isfinite(e->loss) && is_share(e->accuracy) && (e->validation == -1 || is_share(e->validation)) &&
           isfinite(e->images_per_s) && e->images_per_s >= 0;
}

/* The list of the epochs that were told; false: it is none. */
static bool read_epochs(json_t *list, ad_checkpoint *c) {
    size_t i;
    json_t *one;
    if (!json_is_array(list) || json_array_size(list) != (size_t)ad_checkpoint_told(c)) return false;
    json_array_foreach(list, i, one) {
        ad_epoch *e = &c->epochs[i];
        if (json_unpack(one, "[F, F, F, F!]", &e->loss, &e->accuracy, &e->validation, &e->images_per_s) != 0)
            return false;
        if (!possible_epoch(e)) return false;
    }
    return true;
}

static adatom_status read_state(adatom_context *ctx, const char *name, const char *text, ad_checkpoint *c) {
    const char *config = NULL, *best_hash = NULL, *wrong = NULL;
    json_int_t step, seen;
    int format = 0;
    adatom_status status = ADATOM_OK;
    json_t *state = NULL, *epochs = NULL;
    json_error_t error;
    if (text) status = ad_json_parse(ctx, text, strlen(text), &state, &error);
    if (status == ADATOM_OUT_OF_MEMORY) goto done;
    /* First: other formats have other members. */
    const json_t *made = json_object_get(state, "format");
    if (json_is_integer(made) && json_integer_value(made) != FORMAT) {
        status = ad_fail(ctx, ADATOM_BAD_DATA, "the checkpoint '%s' has the format %lld; this version reads %d", name,
                         (long long)json_integer_value(made), FORMAT);
        goto done;
    }
    if (!state ||
        json_unpack_ex(state, &error, 0, "{s:i, s:I, s:F, s:s, s:F, s:F, s:F, s:I, s:s, s:o!}", "format", &format,
                       "step", &step, "best", &c->best, "best_hash", &best_hash, "seconds", &c->seconds, "loss",
                       &c->loss, "right", &c->right, "seen", &seen, "config", &config, "epochs", &epochs) != 0) {
        if (state) AD_TRY(ad_json_memory(ctx, &error));
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a checkpoint of a training", name);
        goto done;
    }
    if (strcmp(config, c->config) != 0) {
        status = ad_fail(ctx, ADATOM_BAD_DATA,
                         "the checkpoint '%s' belongs to a run with other settings, data or device; give the same "
                         "ones, or --restart",
                         name);
        goto done;
    }
    c->best_hash[0] = 0;
    if (strlen(best_hash) < sizeof c->best_hash)
        memcpy(c->best_hash, best_hash, strlen(best_hash) + 1);
    else
        wrong = "best_hash";
    if (!wrong) wrong = impossible(c, step, seen);
    if (!wrong) {
        c->step = (long)step;
        c->seen = (long)seen;
        if (!read_epochs(epochs, c)) wrong = "epochs";
    }
    if (wrong) {
        status = ad_fail(ctx, ADATOM_BAD_DATA,
                         "the checkpoint '%s' is damaged ('%s' is out of range for this run of %ld steps)", name, wrong,
                         c->steps);
    }
done:
    json_decref(state);
    return status;
}

static adatom_status read_arrays(adatom_context *ctx, const ad_safetensors *file, ad_checkpoint *c) {
    size_t expected = 0;
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++) {
        const ad_st_tensor *t = ad_safetensors_find(file, names[i]);
        expected += c->counts[i] > 0;
        if ((t ? t->elements : 0) != c->counts[i])
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor %s has %zu numbers, %zu are expected", file->name,
                           names[i], t ? t->elements : 0, c->counts[i]);
        if (c->counts[i] && t->type != AD_ST_F32)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor %s is not of the type F32", file->name, names[i]);
        for (size_t e = 0; e < c->counts[i]; e++) {
            c->arrays[i][e] = ad_safetensors_float(file, t, e);
            if (!isfinite(c->arrays[i][e]))
                return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': element %zu of tensor %s is not finite", file->name, e,
                               names[i]);
        }
    }
    if (file->count != expected)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has tensors that no checkpoint has", file->name);
    return ADATOM_OK;
}

adatom_status ad_checkpoint_parse(adatom_context *ctx, const char *name, void *bytes, size_t size, ad_checkpoint *c) {
    ad_safetensors file = {0};
    adatom_status status;
    AD_TRY(check_bytes(ctx, name, bytes, size));
    AD_TRY(ad_safetensors_parse(ctx, name, bytes, size, &file));
    AD_TRY(read_state(ctx, name, ad_safetensors_metadata(&file, "adatom_checkpoint"), c));
    AD_TRY(read_arrays(ctx, &file, c));
done:
    ad_safetensors_clear(&file);
    return status;
}

adatom_status ad_checkpoint_read(adatom_context *ctx, const char *path, ad_checkpoint *c) {
    char *bytes = NULL;
    size_t size = 0, most = MORE_BYTES;
    for (int i = 0; i < AD_CHECKPOINT_ARRAYS; i++) most += c->counts[i] * sizeof(float);
    adatom_status status = ad_read_file(ctx, path, most, &bytes, &size);
    if (status == ADATOM_OK) status = ad_checkpoint_parse(ctx, path, bytes, size, c);
    ad_free(bytes);
    return status;
}

/* The folder of an adapter: adapter.safetensors and adapter_config.json are written both or neither, and read back.
 *
 * Two renames cannot be one. What a writer that is killed between them leaves is the new tensors, the old configuration
 * and the new one under its temporary name, whole and on the disk: adatom_adapter_load() reads it, and the next writer
 * first gives it its name. A writer that fails between them takes the old tensors back, which have a second name
 * meanwhile. */
#include "fewshot/formats/adapter_parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CONFIG_BYTES ((size_t)64 << 20)

/* ---- reading ---- */

/* name: for messages. */
static adatom_status read_files(adatom_context *ctx, const char *name, const char *config, const char *tensors,
                                adatom_adapter **out) {
    char *text = NULL;
    size_t size = 0;
    ad_safetensors file = {0};
    adatom_status status = ADATOM_OK;
    *out = NULL;
    AD_TRY(ad_read_file(ctx, config, MAX_CONFIG_BYTES, &text, &size));
    AD_TRY(ad_safetensors_load(ctx, name, tensors, &file));
    AD_TRY(ad_adapter_parse(ctx, text, size, &file, out));
done:
    ad_safetensors_clear(&file);
    ad_free(text);
    return status;
}

/* The configurations that a writer who was killed left. */
typedef struct leftovers {
    adatom_context *ctx;
    const char *folder, *tensors;
    adatom_adapter *adapter;
    adatom_status status;
} leftovers;

/* Goes on as long as what is found does not belong to the tensors. */
static bool try_leftover(void *user, const char *config) {
    leftovers *l = user;
    l->status = read_files(l->ctx, l->folder, config, l->tensors, &l->adapter);
    return l->status == ADATOM_BAD_DATA;
}

adatom_status adatom_adapter_load(adatom_context *context, const char *folder, adatom_adapter **out) {
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    char *config = ad_format(context, "%s/" AD_ADAPTER_CONFIG, folder),
         *tensors = ad_format(context, "%s/" AD_ADAPTER_TENSORS, folder);
    const int lock = ad_lock_folder(context, folder, false);
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    *out = NULL;
    if (config && tensors) status = read_files(context, folder, config, tensors, out);
    if (status == ADATOM_BAD_DATA && access(tensors, R_OK) == 0) {
        /* A writer that was killed between the two files left the new configuration under its temporary name. */
        char message[AD_MESSAGE_BYTES];
        leftovers l = {.ctx = context, .folder = folder, .tensors = tensors, .status = ADATOM_BAD_DATA};
        memcpy(message, context->message, sizeof message);
        const adatom_status listed = ad_write_left(context, config, try_leftover, &l);
        status = listed == ADATOM_OUT_OF_MEMORY ? listed : l.status;
        *out = l.adapter;
        if (status == ADATOM_OK)
            ad_log(context, ADATOM_LOG_WARNING,
                   "'%s': its writer was cut off; the new " AD_ADAPTER_CONFIG " that it left is used", folder);
        else if (status == ADATOM_BAD_DATA)
            ad_fail(context, ADATOM_BAD_DATA, "%s", message);
    }
    if (lock >= 0) close(lock);
    ad_free(config);
    ad_free(tensors);
    return ad_call_end(context, &outer, status);
}

/* ---- writing ---- */

static adatom_status make_tensors(const adatom_adapter *a, unsigned char **bytes, size_t *size) {
    const size_t count = (size_t)a->count + (a->bias ? 2 : 1);
    const int64_t head_shape[2] = {a->info.classes, a->info.features};
    ad_st_entry *entries = ad_calloc(a->ctx, count, sizeof *entries);
    float *at = NULL;
    if (!entries) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < a->count; i++)
        entries[i] =
            (ad_st_entry){.name = a->tensors[i].name, .rank = a->tensors[i].rank, .shape = a->tensors[i].shape};
    entries[a->count] = (ad_st_entry){.name = AD_ADAPTER_HEAD, .rank = 2, .shape = head_shape};
    if (a->bias) entries[count - 1] = (ad_st_entry){.name = AD_ADAPTER_BIAS, .rank = 1, .shape = head_shape};
    const char *metadata[] = {"adatom_base_model", a->info.model_hash, NULL};
    adatom_status status = ad_safetensors_make(a->ctx, metadata, entries, count, bytes, size, &at);
    for (int i = 0; i < a->count && status == ADATOM_OK; i++) {
        memcpy(at, a->tensors[i].values, a->tensors[i].elements * sizeof(float));
        at += a->tensors[i].elements;
    }
    const size_t classes = (size_t)a->info.classes, weights = classes * (size_t)a->info.features;
    if (status == ADATOM_OK) {
        memcpy(at, a->head, weights * sizeof(float));
        if (a->bias) memcpy(at + weights, a->bias, classes * sizeof(float));
    }
    ad_free(entries);
    return status;
}

/* The files of a folder that is about to be written. */
typedef struct target_files {
    adatom_context *ctx;
    const char *folder, *config, *tensors;
} target_files;

/* Gives the name to a configuration that belongs to the tensors, where the one in place does not. */
static bool complete_leftover(void *user, const char *name) {
    const target_files *l = user;
    adatom_adapter *adapter = NULL;
    const bool whole = read_files(l->ctx, l->folder, l->config, l->tensors, &adapter) == ADATOM_OK;
    adatom_adapter_destroy(&adapter);
    if (whole) return false;
    const bool belongs = read_files(l->ctx, l->folder, name, l->tensors, &adapter) == ADATOM_OK;
    adatom_adapter_destroy(&adapter);
    return !(belongs && rename(name, l->config) == 0);
}

/* A second name for the file, so that it can be taken back; a temporary one, so that it is removed if nobody does.
 * ad_free(); NULL: none. */
static char *keep_second_name(adatom_context *ctx, const ad_staged *staged) {
    char *name = staged->temporary ? ad_strdup(ctx, staged->temporary) : NULL;
    if (!name) return NULL;
    char *last = name + strlen(name) - 1;
    *last = *last == '0' ? '1' : '0';
    if (link(staged->target, name) == 0) return name;
    ad_free(name);
    return NULL;
}

static bool take_back(const char *kept, const char *tensors) {
    if (rename(kept, tensors) == 0) return true;
    return unlink(tensors) == 0 && link(kept, tensors) == 0;
}

adatom_status adatom_adapter_save(const adatom_adapter *a, const char *folder) {
    adatom_context *ctx = a->ctx;
    const ad_call outer = ad_call_begin(ctx, NULL, NULL);
    adatom_status status = ADATOM_OK;
    unsigned char *bytes = NULL;
    size_t size = 0;
    char *tensors = ad_format(ctx, "%s/" AD_ADAPTER_TENSORS, folder),
         *config = ad_format(ctx, "%s/" AD_ADAPTER_CONFIG, folder);
    char *target = NULL, *kept = NULL;
    ad_staged staged_tensors = {.lock = -1}, staged_config = {.lock = -1};
    bool made = false, fresh = false;
    int lock = -1;
    if (!tensors || !config) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(make_tensors(a, &bytes, &size));
    made = mkdir(folder, 0777) == 0;
    if (!made && errno != EEXIST)
        AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot make the folder '%s': %s", folder, strerror(errno)));
    lock = ad_lock_folder(ctx, folder, true);
    target_files files = {ctx, folder, config, tensors};
    AD_TRY(ad_write_left(ctx, config, complete_leftover, &files));
    fresh = access(tensors, F_OK) != 0;
    /* Both are whole on the disk before either takes its name. */
    AD_TRY(ad_write_stage(ctx, tensors, bytes, size, &staged_tensors));
    AD_TRY(ad_write_stage(ctx, config, a->config_text, strlen(a->config_text), &staged_config));
    if (!fresh && staged_tensors.target) {
        if (!(target = ad_strdup(ctx, staged_tensors.target))) AD_TRY(ADATOM_OUT_OF_MEMORY);
        kept = keep_second_name(ctx, &staged_tensors);
    }
    status = ad_write_commit(ctx, tensors, &staged_tensors);
    if (status == ADATOM_OK) status = ad_write_commit(ctx, config, &staged_config);
    if (status != ADATOM_OK && !fresh && !staged_config.renamed && !(kept && take_back(kept, target)))
        ad_log(ctx, ADATOM_LOG_WARNING, "'%s': the old " AD_ADAPTER_TENSORS " cannot be put back", folder);
done:
    ad_write_abandon(&staged_tensors);
    ad_write_abandon(&staged_config);
    if (kept) unlink(kept);
    if (status != ADATOM_OK && fresh) {
        unlink(tensors);
        unlink(config);
    }
    if (lock >= 0) close(lock);
    if (status != ADATOM_OK && made) rmdir(folder);
    ad_free(bytes);
    ad_free(kept);
    ad_free(target);
    ad_free(tensors);
    ad_free(config);
    return ad_call_end(ctx, &outer, status);
}

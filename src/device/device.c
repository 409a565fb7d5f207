/* Choosing and opening a device. */
#include "device/device.h"
#include "cpu/cpu.h"
#include "vk/vk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 65 }; /* 64 of Vulkan and the CPU engine */

static adatom_status cpu_info(adatom_context *ctx, int threads, adatom_device_info *out) {
    ad_engine *engine = NULL;
    adatom_status status = ad_cpu_engine_create(ctx, threads, &engine);
    if (status != ADATOM_OK) return status;
    engine->api->describe(engine, out);
    engine->api->destroy(engine);
    return ADATOM_OK;
}

/* All devices; ad_free(*out). */
static adatom_status list_devices(adatom_context *ctx, int threads, adatom_device_info **out, int *count) {
    adatom_status status = ADATOM_OK;
    size_t found = 0;
    *count = 0;
    if (!(*out = ad_calloc(ctx, MAX_DEVICES, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    AD_TRY(ad_vk_list(ctx, *out, MAX_DEVICES - 1, &found));
    AD_TRY(cpu_info(ctx, threads, &(*out)[found]));
    (*out)[found].index = (int)found;
    *count = (int)found + 1;
done:
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
    }
    return status;
}

adatom_status adatom_device_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count) {
    adatom_device_info *all = NULL;
    int found = 0;
    *count = 0;
    adatom_status status = list_devices(ctx, 0, &all, &found);
    if (status != ADATOM_OK) return status;
    const size_t written = AD_MIN(capacity, (size_t)found);
    if (written) memcpy(infos, all, written * sizeof *infos);
    *count = (size_t)found;
    ad_free(all);
    return ADATOM_OK;
}

static bool is_vulkan(const adatom_device_info *info) { return !strcmp(info->backend, "vulkan"); }

/* Higher is better; 0: a software device. */
static int rank(const adatom_device_info *info) {
    static const char *const types[] = {"software", "virtual", "integrated", "discrete"};
    for (int r = 3; r > 0; r--)
        if (!strcmp(info->type, types[r])) return r;
    return 0;
}

static int best_vulkan(const adatom_device_info *infos, int count, int least_rank) {
    int best = -1;
    for (int i = 0; i < count; i++)
        if (is_vulkan(&infos[i]) && rank(&infos[i]) >= least_rank && (best < 0 || rank(&infos[i]) > rank(&infos[best]))) best = i;
    return best;
}

static int cpu_engine(const adatom_device_info *infos, int count) {
    for (int i = 0; i < count; i++)
        if (!is_vulkan(&infos[i])) return i;
    return -1;
}

static bool contains(const char *text, const char *part) {
    const size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
        if (i == length) return true;
    }
    return false;
}

/* The hexadecimal digits of a UUID or its beginning, without dashes; false if it is none or shorter than 8 digits. */
static bool uuid_digits(const char *text, char out[33]) {
    int count = 0;
    for (; *text; text++) {
        if (*text == '-') continue;
        if (!isxdigit((unsigned char)*text) || count == 32) return false;
        out[count++] = (char)tolower((unsigned char)*text);
    }
    out[count] = 0;
    return count >= 8;
}

static bool is_index(const char *text) {
    const size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits < 8 && !text[digits];
}

/* What `select` means by its form: an index, a UUID, a PCI address (with or without domain), else part of a name. */
static int find(const adatom_device_info *infos, int count, const char *select) {
    char uuid[33];
    if (is_index(select)) {
        const int index = atoi(select);
        return index < count ? index : -1;
    }
    if (uuid_digits(select, uuid))
        for (int i = 0; i < count; i++)
            if (infos[i].uuid[0] && !strncmp(infos[i].uuid, uuid, strlen(uuid))) return i;
    for (int i = 0; i < count; i++)
        if (infos[i].pci[0] && (contains(infos[i].pci, select) && strlen(select) >= strlen("00:00.0"))) return i;
    for (int i = 0; i < count; i++)
        if (contains(infos[i].name, select)) return i;
    return -1;
}

static void list_names(const adatom_device_info *infos, int count, char *out, size_t size) {
    size_t used = 0;
    for (int i = 0; i < count && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%d = %s (%s)", i ? ", " : "", i, infos[i].name, infos[i].type);
        if (n > 0) used += (size_t)n;
    }
}

adatom_status ad_device_select(adatom_context *ctx, const adatom_device_info *infos, int count, const char *select, int *index,
                               char *reason, size_t reason_size) {
    char names[640];
    const bool automatic = !select || !strcmp(select, "auto");
    *index = -1;
    if (automatic) {
        *index = best_vulkan(infos, count, 1);
        if (*index < 0) *index = cpu_engine(infos, count);
    } else if (!strcmp(select, "cpu")) {
        *index = cpu_engine(infos, count);
    } else if (!strcmp(select, "vulkan")) {
        *index = best_vulkan(infos, count, 0);
    } else if (*select) {
        *index = find(infos, count, select);
    }
    if (*index < 0) {
        list_names(infos, count, names, sizeof names);
        return ad_fail(ctx, ADATOM_NO_DEVICE, "no device matches '%s'; there are: %s", automatic ? "auto" : select, names);
    }
    const adatom_device_info *info = &infos[*index];
    int length = is_vulkan(info) ? snprintf(reason, reason_size, "vulkan: %s (%s)", info->name, info->type)
                                 : snprintf(reason, reason_size, "cpu: %s (%d threads)", info->name, info->threads);
    if (length < 0 || (size_t)length >= reason_size) return ADATOM_OK;
    char *rest = reason + length;
    const size_t left = reason_size - (size_t)length;
    if (!automatic) {
        snprintf(rest, left, ", asked for by '%s'", select);
    } else if (is_vulkan(info)) {
        snprintf(rest, left, ", the best Vulkan GPU found");
    } else {
        const int software = best_vulkan(infos, count, 0);
        snprintf(rest, left, ", because no Vulkan GPU was found%s%s%s", software < 0 ? "" : " (", software < 0 ? "" : infos[software].name,
                 software < 0 ? "" : " is software and used only when asked for)");
    }
    return ADATOM_OK;
}

adatom_status ad_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out) {
    const adatom_device_params defaults = {0};
    if (!params) params = &defaults;
    adatom_device_info *infos = NULL;
    int count = 0, index = 0;
    *out = NULL;
    if (params->threads < 0) return ad_fail(ctx, ADATOM_USAGE, "threads must be at least 0 (all processors), not %d", params->threads);
    const bool half = params->precision && !strcmp(params->precision, "fp16");
    if (params->precision && !half && strcmp(params->precision, "fp32"))
        return ad_fail(ctx, ADATOM_USAGE, "precision must be fp32 or fp16, not '%s'", params->precision);
    adatom_device *device = ad_calloc(ctx, 1, sizeof *device);
    if (!device) return ADATOM_OUT_OF_MEMORY;
    device->ctx = ctx;
    adatom_status status = ADATOM_OK;
    AD_TRY(list_devices(ctx, params->threads, &infos, &count));
    AD_TRY(ad_device_select(ctx, infos, count, params->select, &index, device->reason, sizeof device->reason));
    if (is_vulkan(&infos[index]))
        AD_TRY(ad_vk_engine_create(ctx, params, index, &device->engine));
    else
        AD_TRY(ad_cpu_engine_create(ctx, params->threads, &device->engine));
    device->engine->api->describe(device->engine, &device->info);
    device->info.index = index;
    ad_log(ctx, ADATOM_LOG_INFO, "%s", device->reason);
    *out = device;
done:
    ad_free(infos);
    if (status != ADATOM_OK) adatom_device_destroy(&device);
    return status;
}

void adatom_device_describe(const adatom_device *device, adatom_device_info *out) { *out = device->info; }
const char *adatom_device_reason(const adatom_device *device) { return device->reason; }

void adatom_device_destroy(adatom_device **device) {
    if (!device || !*device) return;
    if ((*device)->kept.free) (*device)->kept.free((*device)->kept.data);
    if ((*device)->engine) (*device)->engine->api->destroy((*device)->engine);
    ad_free(*device);
    *device = NULL;
}

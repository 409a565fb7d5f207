/* Choosing and opening a device. */
#include "device/device.h"
#include "cpu/cpu.h"
#include "device/unseen.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEVICES = 65 }; /* 64 of Vulkan and the CPU engine */

/* All devices; ad_free(*out). Where Vulkan fails as a whole, *vulkan is its status (its message is the context's) and
 * the CPU engine alone is listed. */
static adatom_status list_devices(adatom_context *ctx, int threads, adatom_device_info **out, int *count,
                                  adatom_status *vulkan) {
    size_t found = 0;
    *count = 0;
    if (!(*out = ad_calloc(ctx, MAX_DEVICES, sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    *vulkan = ad_vk_list(ctx, *out, MAX_DEVICES - 1, &found);
    ad_cpu_describe(threads, &(*out)[found]);
    (*out)[found].index = (int)found;
    *count = (int)found + 1;
    return ADATOM_OK;
}

/* A failure that has been dealt with: told as a warning, and no longer the context's message. */
static void warn_and_go_on(adatom_context *ctx, const char *format, const char *what) {
    ad_log(ctx, ADATOM_LOG_WARNING, format, what);
    ctx->message[0] = 0;
}

adatom_status adatom_device_list(adatom_context *ctx, adatom_device_info *infos, size_t capacity, size_t *count) {
    adatom_device_info *all = NULL;
    adatom_status vulkan = ADATOM_OK;
    int found = 0;
    *count = 0;
    adatom_status status = list_devices(ctx, 0, &all, &found, &vulkan);
    if (status != ADATOM_OK) return status;
    if (vulkan != ADATOM_OK) warn_and_go_on(ctx, "no Vulkan device is listed: %s", adatom_context_message(ctx));
    const size_t stride = capacity ? infos->size : 0;
    for (size_t i = 0; i < AD_MIN(capacity, (size_t)found) && status == ADATOM_OK; i++) {
        adatom_device_info *info = (adatom_device_info *)((char *)infos + i * stride);
        memcpy(info, &stride, sizeof stride); /* only the first has its size for certain */
        status = AD_INFO(ctx, adatom_device_info, &all[i], info);
    }
    if (status == ADATOM_OK) *count = (size_t)found;
    ad_free(all);
    return ad_leave(ctx, status);
}

static bool is_vulkan(const adatom_device_info *info) { return !strcmp(info->backend, "vulkan"); }

/* Higher is better; 0: a software device. */
static int rank(const adatom_device_info *info) {
    static const char *const types[] = {"software", "other", "virtual", "integrated", "discrete"};
    for (int r = AD_COUNT(types) - 1; r > 0; r--)
        if (!strcmp(info->type, types[r])) return r;
    return 0;
}

static int best_vulkan(const adatom_device_info *infos, int count, int least_rank) {
    int best = -1;
    for (int i = 0; i < count; i++)
        if (is_vulkan(&infos[i]) && infos[i].usable && rank(&infos[i]) >= least_rank &&
            (best < 0 || rank(&infos[i]) > rank(&infos[best])))
            best = i;
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
        if (ad_same_letters(text, part, length)) return true;
    }
    return false;
}

/* The hexadecimal digits of a UUID or its beginning, without dashes; false if it is none or shorter than 8 digits. */
static bool uuid_digits(const char *text, char out[33]) {
    int count = 0;
    for (; *text; text++) {
        if (*text == '-') continue;
        const char digit = ad_lower(*text);
        if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')) || count == 32) return false;
        out[count++] = digit;
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

/* Appends to a text of `size` bytes, of which *used are taken; what does not fit is left out. */
static void append(char *out, size_t size, size_t *used, const char *format, ...) ADATOM_PRINTF(4, 5);
static void append(char *out, size_t size, size_t *used, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = *used < size ? ad_vprint(out + *used, size - *used, format, args) : 0;
    va_end(args);
    if (n > 0) *used += (size_t)n;
}

static void list_names(const adatom_device_info *infos, int count, char *out, size_t size) {
    size_t used = 0;
    for (int i = 0; i < count; i++) {
        const adatom_device_info *d = &infos[i];
        append(out, size, &used, "%s%d = %s (%s%s%s)", i ? ", " : "", i, d->name, d->type,
               d->usable ? "" : "; not usable: ", d->reason);
    }
}

/* " (NAME: reason; ...)" of what "auto" would rather have taken than the device it did; nothing if there is none. */
static void list_passed_over(const adatom_device_info *infos, int count, bool software, char *out, size_t size,
                             size_t *used) {
    const char *before = " (";
    for (int i = 0; i < count; i++) {
        const bool gpu = rank(&infos[i]) > 0;
        if (!is_vulkan(&infos[i]) || (infos[i].usable && (gpu || !software))) continue;
        if (!gpu && !software) continue;
        if (infos[i].usable)
            append(out, size, used, "%s%s is software and used only when asked for", before, infos[i].name);
        else
            append(out, size, used, "%s%s: %s", before, infos[i].name, infos[i].reason);
        before = "; ";
    }
    if (before[0] == ';') append(out, size, used, ")");
}

static bool is_automatic(const char *select) { return !select || !strcmp(select, "auto"); }

static adatom_status no_match(adatom_context *ctx, const adatom_device_info *infos, int count, const char *select) {
    char names[640];
    list_names(infos, count, names, sizeof names);
    return ad_fail(ctx, ADATOM_NO_DEVICE, "no device matches '%s'; there are: %s", select, names);
}

/* Why this device, after its name. */
static void explain(const adatom_device_info *infos, int count, int index, const char *select, char *out, size_t size) {
    const adatom_device_info *info = &infos[index];
    size_t used = 0;
    bool refused = false;
    for (int i = 0; i < count; i++) refused |= is_vulkan(&infos[i]) && rank(&infos[i]) > 0 && !infos[i].usable;
    if (is_vulkan(info))
        append(out, size, &used, "vulkan: %s (%s)", info->name, info->type);
    else
        append(out, size, &used, "cpu: %s (%d threads)", info->name, info->threads);
    if (!is_automatic(select)) {
        append(out, size, &used, ", asked for by '%s'", select);
    } else if (is_vulkan(info)) {
        append(out, size, &used, ", the best Vulkan GPU %s", refused ? "that can be used" : "found");
        list_passed_over(infos, count, false, out, size, &used);
    } else {
        append(out, size, &used, ", because no Vulkan GPU %s", refused ? "can be used" : "was found");
        list_passed_over(infos, count, true, out, size, &used);
    }
}

adatom_status ad_device_select(adatom_context *ctx, const adatom_device_info *infos, int count, const char *select,
                               int *index, char *reason, size_t reason_size) {
    *index = -1;
    if (is_automatic(select)) {
        *index = best_vulkan(infos, count, 1);
        if (*index < 0) *index = cpu_engine(infos, count);
    } else if (!strcmp(select, "cpu")) {
        *index = cpu_engine(infos, count);
    } else if (!strcmp(select, "vulkan")) {
        *index = best_vulkan(infos, count, 0);
    } else if (*select) {
        *index = find(infos, count, select);
    }
    if (*index < 0) return no_match(ctx, infos, count, is_automatic(select) ? "auto" : select);
    if (!infos[*index].usable) {
        ad_fail(ctx, ADATOM_NO_DEVICE, "%s, asked for by '%s', cannot be used: %s", infos[*index].name, select,
                infos[*index].reason);
        *index = -1;
        return ADATOM_NO_DEVICE;
    }
    explain(infos, count, *index, select, reason, reason_size);
    return ADATOM_OK;
}

static adatom_status open_cpu(adatom_device *device, const adatom_device_params *params) {
    adatom_status status = ad_cpu_engine_create(device->ctx, params->threads, &device->engine);
    if (status != ADATOM_OK) return status;
    device->engine->api->describe(device->engine, &device->info);
    device->info.index = -1;
    return ADATOM_OK;
}

/* Where Vulkan lists no GPU: whether there is one all the same, and what it lacks. */
static void add_unseen(adatom_device *device, const adatom_device_info *infos, int count) {
    char unseen[256];
    for (int i = 0; i < count; i++)
        if (is_vulkan(&infos[i]) && rank(&infos[i]) > 0) return;
    ad_unseen_gpu("", ad_vk_loader(), unseen, sizeof unseen);
    size_t used = strlen(device->reason);
    if (unseen[0]) append(device->reason, sizeof device->reason, &used, "; %s", unseen);
}

/* Opens what `select` means in the list; with "auto" a device that cannot be opened is no longer usable, and the next
 * one is tried. */
static adatom_status open_listed(adatom_device *device, const adatom_device_params *params, adatom_device_info *infos,
                                 int count) {
    adatom_context *ctx = device->ctx;
    for (;;) {
        int index = 0;
        adatom_status status =
            ad_device_select(ctx, infos, count, params->select, &index, device->reason, sizeof device->reason);
        if (status != ADATOM_OK) return status;
        adatom_device_info *chosen = &infos[index];
        status = is_vulkan(chosen) ? ad_vk_engine_open(ctx, params, chosen, &device->engine) : open_cpu(device, params);
        if (status == ADATOM_OK) {
            device->engine->api->describe(device->engine, &device->info);
            device->info.index = index;
            if (is_automatic(params->select) && !is_vulkan(chosen)) add_unseen(device, infos, count);
            return ADATOM_OK;
        }
        if (!is_automatic(params->select) || !is_vulkan(chosen) || params->validate || status == ADATOM_INTERRUPTED)
            return status;
        chosen->usable = false;
        snprintf(chosen->reason, sizeof chosen->reason, "%s", adatom_context_message(ctx));
        ad_log(ctx, ADATOM_LOG_WARNING, "%s is passed over: %s", chosen->name, chosen->reason);
        ctx->message[0] = 0;
    }
}

/* Vulkan as a whole failed, its message is the context's: an error for who asked for one of its devices, else the CPU
 * engine. */
static adatom_status open_without_vulkan(adatom_device *device, const adatom_device_params *params,
                                         adatom_status failure) {
    if (!is_automatic(params->select) || params->validate || failure == ADATOM_INTERRUPTED) return failure;
    char why[192];
    snprintf(why, sizeof why, "%s", adatom_context_message(device->ctx));
    warn_and_go_on(device->ctx, "the CPU engine is used, because Vulkan failed: %s", why);
    adatom_status status = open_cpu(device, params);
    if (status == ADATOM_OK)
        snprintf(device->reason, sizeof device->reason, "cpu: %s (%d threads), because Vulkan failed: %s",
                 device->info.name, device->info.threads, why);
    return status;
}

AD_CHOSEN(is_precision, ADATOM_PRECISION_LIST)

adatom_status ad_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out) {
    adatom_device_info *infos = NULL;
    adatom_status vulkan = ADATOM_OK;
    int count = 0;
    *out = NULL;
    if (params->threads < 0)
        return ad_fail(ctx, ADATOM_USAGE, "threads must be at least 0 (all processors), not %d", params->threads);
    if (!is_precision((int)params->precision)) return ad_choice_refuse(ctx, "precision", (int)params->precision);
    adatom_device *device = ad_calloc(ctx, 1, sizeof *device);
    if (!device) return ADATOM_OUT_OF_MEMORY;
    device->ctx = ctx;
    adatom_status status = ADATOM_OK;
    if (params->select &&
        !strcmp(params->select, "cpu")) { /* no list: a broken driver must not take the CPU engine down with it */
        AD_TRY(open_cpu(device, params));
        explain(&device->info, 1, 0, params->select, device->reason, sizeof device->reason);
    } else {
        AD_TRY(list_devices(ctx, params->threads, &infos, &count, &vulkan));
        if (vulkan == ADATOM_OK)
            AD_TRY(open_listed(device, params, infos, count));
        else
            AD_TRY(open_without_vulkan(device, params, vulkan));
    }
    ad_log(ctx, ADATOM_LOG_INFO, "%s", device->reason);
    *out = device;
done:
    ad_free(infos);
    if (status != ADATOM_OK) adatom_device_destroy(&device);
    return status;
}

adatom_status adatom_device_describe(const adatom_device *device, adatom_device_info *out) {
    return AD_INFO(device->ctx, adatom_device_info, &device->info, out);
}
const char *adatom_device_reason(const adatom_device *device) { return device->reason; }

void adatom_device_destroy(adatom_device **device) {
    if (!device || !*device) return;
    if ((*device)->feature_cache) (*device)->destroy_feature_cache((*device)->feature_cache);
    if ((*device)->engine) (*device)->engine->api->destroy((*device)->engine);
    ad_free(*device);
    *device = NULL;
}

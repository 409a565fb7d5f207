#include "device_line.h"
#include "report.h"
#include <adatom/bench.h>

#include <stdio.h>
#include <string.h>

enum { MOST_BLAS = 64 };

static void subgroups(const adatom_device_info *d, char *out, size_t capacity) {
    if (d->subgroup_least < d->subgroup_most)
        snprintf(out, capacity, "subgroups of %d (%d to %d)", d->subgroup, d->subgroup_least, d->subgroup_most);
    else
        snprintf(out, capacity, "subgroups of %d", d->subgroup);
}

static void timestamps(const adatom_device_info *d, char *out, size_t capacity) {
    if (d->timer_bits)
        snprintf(out, capacity, "timestamps of %.4g ns (%d bits)", d->timer_ns, d->timer_bits);
    else
        snprintf(out, capacity, "no timestamps");
}

/* "driver; version; subgroups; ... ; timestamps", always in this order, with "no ..." for what there is not. */
static void vulkan_line(const adatom_device_info *d, char out[CAPABILITIES]) {
    char sizes[64], timer[64];
    subgroups(d, sizes, sizeof sizes);
    timestamps(d, timer, sizeof timer);
    const int used = snprintf(out, CAPABILITIES, "%s%s%s; Vulkan %s; ", d->driver_name, d->driver_name[0] ? " " : "",
                              d->driver_info, d->api);
    if (!d->subgroup) { /* it was given up before it told the rest */
        snprintf(out + used, CAPABILITIES - (size_t)used, "%u KiB shared memory", d->shared_bytes / 1024);
        return;
    }
    snprintf(out + used, CAPABILITIES - (size_t)used, "%s; %s; %s; %s; %s%s; %u KiB shared memory; %s; %s", sizes,
             d->fp16           ? d->fp16_storage ? "fp16" : "fp16 without storage"
             : d->fp16_storage ? "fp16 in storage only"
                               : "no fp16",
             d->bf16 ? "bf16" : "no bf16",
             d->int8_dot       ? "int8 with fast dot products"
             : d->int8         ? "int8"
             : d->int8_storage ? "int8 in storage only"
                               : "no int8",
             d->matrix_units[0] ? "matrix units " : "no matrix units", d->matrix_units, d->shared_bytes / 1024,
             d->unified_memory ? "unified memory" : "memory of its own", timer);
}

json_t *capabilities_object(struct cli *cli, const adatom_device_info *d) {
    char line[CAPABILITIES], blas[MOST_BLAS];
    if (strcmp(d->backend, "vulkan") != 0) {
        const bool found = adatom_bench_blas(cli->ctx, blas, sizeof blas) == ADATOM_OK;
        snprintf(line, sizeof line, "%s; %d thread%s; %s", d->api, d->threads, d->threads == 1 ? "" : "s",
                 found ? blas : "no OpenBLAS");
        return json_pack("{s:o,s:s,s:i,s:o,s:b}", "line", report_text(line), "instructions", d->api, "threads",
                         d->threads, "blas", found ? report_text(blas) : json_null(), "unified_memory",
                         (int)d->unified_memory);
    }
    json_t *matrix = json_array();
    vulkan_line(d, line);
    for (const char *at = d->matrix_units; *at;) {
        const size_t length = strcspn(at, ",");
        json_array_append_new(matrix, json_stringn(at, length));
        at += length;
        at += strspn(at, ", ");
    }
    return json_pack("{s:o,s:i,s:i,s:i,s:b,s:b,s:b,s:b,s:b,s:b,s:o,s:I,s:b,s:i,s:f}", "line", report_text(line),
                     "subgroup", d->subgroup, "subgroup_least", d->subgroup_least, "subgroup_most", d->subgroup_most,
                     "fp16", (int)d->fp16, "fp16_storage", (int)d->fp16_storage, "bf16", (int)d->bf16, "int8",
                     (int)d->int8, "int8_storage", (int)d->int8_storage, "int8_dot", (int)d->int8_dot, "matrix_units",
                     matrix, "shared_bytes", (json_int_t)d->shared_bytes, "unified_memory", (int)d->unified_memory,
                     "timer_bits", d->timer_bits, "timer_ns", d->timer_ns);
}

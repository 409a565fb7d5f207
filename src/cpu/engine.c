/* The engine, and what it says of itself. */
#include "cpu/engine.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Measured: docs/performance.md. */
static const ad_conv_costs costs = {1.05f, 1.1f};

static adatom_status probe(ad_engine *base, ad_probe *out) {
    return ad_cpu_probe(base->ctx, ((ad_cpu_engine *)base)->threads, out);
}

/* What the processor says itself, for systems without /proc. */
static void ask_model(char *out, size_t size) {
    char text[49] = "";
#if defined(__x86_64__)
    for (unsigned i = 0; i < 3; i++) {
        unsigned words[4] = {0};
        if (!__get_cpuid(0x80000002 + i, &words[0], &words[1], &words[2], &words[3])) break;
        memcpy(text + sizeof words * i, words, sizeof words);
    }
#endif
    size_t length = strlen(text);
    while (length && text[length - 1] == ' ') text[--length] = 0;
    snprintf(out, size, "%s", length ? text + strspn(text, " ") : "CPU");
}

static void read_model(char *out, size_t size) {
    ask_model(out, size);
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file) return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0) continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out, size, "%s", colon);
        break;
    }
    fclose(file);
}

#if defined(__x86_64__)
/* clang 14's __builtin_cpu_supports does not know it. */
static bool f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static const ad_cpu_tiles *best_tiles(void) {
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && f16c();
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    if (avx512 && ad_cpu_tiles_avx512) return ad_cpu_tiles_avx512;
    if (avx2 && ad_cpu_tiles_avx2) return ad_cpu_tiles_avx2;
#endif
    return &ad_cpu_tiles_baseline;
}

void ad_cpu_describe(int threads, adatom_device_info *out) {
    *out = (adatom_device_info){.memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE),
                                .tensor_bytes = SIZE_MAX / 2,
                                .timer = true,
                                .threads = threads ? threads : omp_get_num_procs(),
                                .usable = true,
                                .unified_memory = true};
    snprintf(out->backend, sizeof out->backend, "cpu");
    read_model(out->name, sizeof out->name);
    snprintf(out->type, sizeof out->type, "cpu");
    out->precision = ADATOM_PRECISION_FP32;
    snprintf(out->api, sizeof out->api, "%s", best_tiles()->name);
}

static void describe(const ad_engine *base, adatom_device_info *out) {
    const ad_cpu_engine *engine = (const ad_cpu_engine *)base;
    *out = engine->info;
    const bool half = engine->half_storage == AD_VERDICT_PASSED;
    out->precision = half ? ADATOM_PRECISION_FP16 : ADATOM_PRECISION_FP32;
    snprintf(out->features, sizeof out->features, "%s", half ? "half-storage" : "");
}

static void limits(const ad_engine *base, ad_limits *out) {
    const uint64_t available = ad_available_bytes();
    *out = (ad_limits){
        .tensor_bytes = SIZE_MAX / 2, .arena_bytes = SIZE_MAX / 2, .lanes = ((const ad_cpu_engine *)base)->threads};
    out->memory_bytes = (size_t)((available ? available : ((const ad_cpu_engine *)base)->info.memory_bytes) / 10 * 7);
}

/* There is nothing to open for half precision: whoever wants it has it checked. */
static ad_verdict half_storage(const ad_engine *engine) { return ((const ad_cpu_engine *)engine)->half_storage; }
static void half_storage_judge(ad_engine *engine, bool passed) {
    ((ad_cpu_engine *)engine)->half_storage = passed ? AD_VERDICT_PASSED : AD_VERDICT_FAILED;
}

static void destroy(ad_engine *engine) { ad_free(engine); }

static const ad_engine_api api = {
    .name = "cpu",
    .destroy = destroy,
    .describe = describe,
    .limits = limits,
    .buffer_create = ad_cpu_buffer_create,
    .buffer_write = ad_cpu_buffer_write,
    .buffer_read = ad_cpu_buffer_read,
    .buffer_send = ad_cpu_buffer_write,
    .buffer_wait = ad_cpu_buffer_wait,
    .buffer_destroy = ad_cpu_buffer_destroy,
    .program_create = ad_cpu_program_create,
    .program_write = ad_cpu_program_write,
    .program_read = ad_cpu_program_read,
    .program_run = ad_cpu_program_run,
    .program_destroy = ad_cpu_program_destroy,
    .program_profile = ad_cpu_program_profile,
    .program_op_ns = ad_cpu_program_op_ns,
    .probe = probe,
    .variant_count = ad_cpu_variant_count,
    .variant_name = ad_cpu_variant_name,
    .variant_prefer = ad_cpu_variant_prefer,
    .variant_winograd = ad_cpu_variant_winograd,
    .half_storage = half_storage,
    .half_storage_judge = half_storage_judge,
};

adatom_status ad_cpu_engine_create(adatom_context *ctx, int threads, ad_engine **out) {
    *out = NULL;
    if (threads < 0) return ad_fail(ctx, ADATOM_USAGE, "the CPU engine cannot use %d threads", threads);
    ad_cpu_engine *engine = ad_calloc(ctx, 1, sizeof *engine);
    if (!engine) return ADATOM_OUT_OF_MEMORY;
    engine->base = (ad_engine){.api = &api, .ctx = ctx, .costs = &costs, .chains = true};
    ad_cpu_describe(threads, &engine->info);
    engine->threads = engine->info.threads;
    engine->tiles = best_tiles();
    *out = &engine->base;
    return ADATOM_OK;
}

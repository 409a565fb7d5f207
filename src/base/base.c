#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

static const struct {
    const char *name, *text;
    int exit_code;
} statuses[] = {
#define ADATOM_X(name, code, text) {#name, text, code},
    ADATOM_STATUS_LIST(ADATOM_X)
#undef ADATOM_X
};

const char *adatom_status_name(adatom_status s) { return (size_t)s < AD_COUNT(statuses) ? statuses[s].name : "UNKNOWN"; }
const char *adatom_status_text(adatom_status s) { return (size_t)s < AD_COUNT(statuses) ? statuses[s].text : "unknown"; }
int adatom_status_exit_code(adatom_status s) { return (size_t)s < AD_COUNT(statuses) ? statuses[s].exit_code : 1; }
const char *adatom_version(void) { return ADATOM_VERSION; }

adatom_status adatom_context_create(const adatom_context_params *params, adatom_context **out) {
    *out = ad_calloc(NULL, 1, sizeof **out);
    if (!*out) return ADATOM_OUT_OF_MEMORY;
    if (params) (*out)->params = *params;
    return ADATOM_OK;
}

void adatom_context_destroy(adatom_context **context) {
    if (!context) return;
    ad_free(*context);
    *context = NULL;
}

const char *adatom_context_message(const adatom_context *context) { return context ? context->message : ""; }
void adatom_context_interrupt(adatom_context *context) { atomic_store(&context->interrupted, true); }

adatom_status ad_interrupted(adatom_context *ctx) {
    return atomic_load(&ctx->interrupted) ? ad_fail(ctx, ADATOM_INTERRUPTED, "interrupted") : ADATOM_OK;
}

adatom_status ad_fail(adatom_context *ctx, adatom_status status, const char *format, ...) {
    if (!ctx) return status;
    char text[AD_MESSAGE_BYTES]; /* the arguments may point into the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(ctx->message, text, sizeof text);
    return status;
}

void ad_log(adatom_context *ctx, adatom_log_level level, const char *format, ...) {
    if (!ctx || !ctx->params.log) return;
    char text[AD_MESSAGE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx->params.log(ctx->params.user, level, text);
}

/* Test hook, not state: it only ever makes an allocation fail. */
static _Atomic long fail_countdown = -1;
void ad_test_fail_allocation(long n) { atomic_store(&fail_countdown, n); }

static bool fails_now(void) {
    if (atomic_load(&fail_countdown) < 0) return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

void *ad_malloc(adatom_context *ctx, size_t count, size_t size) {
    void *memory = NULL;
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 64 || fails_now() ||
        !(memory = aligned_alloc(64, (bytes + 64) / 64 * 64)))
        ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory: %zu x %zu bytes", count, size);
    return memory;
}

void *ad_calloc(adatom_context *ctx, size_t count, size_t size) {
    void *memory = ad_malloc(ctx, count, size);
    if (memory) memset(memory, 0, count * size);
    return memory;
}

void *ad_realloc(adatom_context *ctx, void *old, size_t old_count, size_t count, size_t size) {
    void *memory = ad_malloc(ctx, count, size);
    if (!memory) return NULL;
    if (old) memcpy(memory, old, AD_MIN(old_count, count) * size);
    if (count > old_count) memset((char *)memory + old_count * size, 0, (count - old_count) * size);
    ad_free(old);
    return memory;
}

void ad_free(void *memory) { free(memory); }

char *ad_strdup(adatom_context *ctx, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = ad_malloc(ctx, size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *ad_format(adatom_context *ctx, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : ad_malloc(ctx, (size_t)length + 1, 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void ad_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

ad_random ad_random_make(uint64_t seed, uint32_t stream, uint32_t index) {
    ad_random r = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)}, .counter = {0, 0, index, stream}, .used = 4};
    return r;
}

uint32_t ad_random_bits(ad_random *r) {
    if (r->used == 4) {
        ad_philox(r->counter, r->key, r->block);
        if (++r->counter[0] == 0) r->counter[1]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

uint32_t ad_random_below(ad_random *r, uint32_t bound) {
    /* Lemire's method: reject the few products that would favour small results. */
    uint64_t product = (uint64_t)ad_random_bits(r) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = (uint32_t)(-bound) % bound;
        while ((uint32_t)product < threshold) product = (uint64_t)ad_random_bits(r) * bound;
    }
    return (uint32_t)(product >> 32);
}

float ad_random_uniform(ad_random *r) { return ad_uniform(ad_random_bits(r)); }

float ad_random_normal(ad_random *r) {
    double u = ((double)ad_random_bits(r) + 1.0) * 0x1p-32, v = (double)ad_random_bits(r) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint64_t ad_hash(const void *bytes, size_t size, uint64_t seed) { return XXH3_64bits_withSeed(bytes, size, seed); }
void ad_hash_hex(uint64_t hash, char out[17]) { snprintf(out, 17, "%016llx", (unsigned long long)hash); }

double ad_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint64_t ad_available_bytes(void) {
    FILE *file = fopen("/proc/meminfo", "re");
    unsigned long long kilobytes = 0;
    char line[128];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1) break;
    if (file) fclose(file);
    return kilobytes * 1024;
}

adatom_status ad_write_file(adatom_context *ctx, const char *path, const void *bytes, size_t size) {
    /* A device or pipe is written to: renaming would replace it by a file, and a folder can only fail. */
    struct stat info;
    bool special = stat(path, &info) == 0 && !S_ISREG(info.st_mode);
    char *temporary = special ? ad_strdup(ctx, path) : ad_format(ctx, "%s.tmp-%ld", path, (long)getpid());
    if (!temporary) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ADATOM_OK;
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        status = ad_fail(ctx, ADATOM_IO, "cannot create '%s': %s", path, strerror(errno));
        goto done;
    }
    for (size_t at = 0; at < size;) {
        ssize_t n = write(file, (const char *)bytes + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(n < 0 ? errno : ENOSPC));
            break;
        }
        at += (size_t)n;
    }
    if (status == ADATOM_OK && fsync(file) != 0 && errno != EINVAL && errno != EROFS)
        status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno));
    if (close(file) != 0 && status == ADATOM_OK) status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno));
    if (status == ADATOM_OK && !special && rename(temporary, path) != 0)
        status = ad_fail(ctx, ADATOM_IO, "cannot rename the finished file to '%s': %s", path, strerror(errno));
    if (status != ADATOM_OK && !special) unlink(temporary);
done:
    ad_free(temporary);
    return status;
}

adatom_status ad_read_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size) {
    *out = NULL;
    *size = 0;
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (!file) return ad_fail(ctx, ADATOM_BAD_DATA, "cannot open '%s': %s", path, strerror(errno));
    adatom_status status = ADATOM_OK;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a regular file", path);
    else if ((uintmax_t)info.st_size > max)
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is %jd bytes, more than the %zu accepted here", path, (intmax_t)info.st_size, max);
    else if (!(*out = ad_malloc(ctx, (size_t)info.st_size + 1, 1)))
        status = ADATOM_OUT_OF_MEMORY;
    else if ((*size = fread(*out, 1, (size_t)info.st_size, file)) != (size_t)info.st_size)
        status = ad_fail(ctx, ADATOM_IO, "cannot read '%s': %s", path, ferror(file) ? strerror(errno) : "it shrank while being read");
    fclose(file);
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
        *size = 0;
        return status;
    }
    (*out)[*size] = 0;
    return ADATOM_OK;
}

/* The base room: status codes, errors, allocation, random numbers, files. */
#include "base/base.h"
#include "base/half.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-base-XXXXXX";

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}
static void teardown(void) {
    adatom_context_destroy(&ctx);
    ck_assert_ptr_null(ctx);
    rmdir(folder);
}

static const char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

START_TEST(status_codes) {
    ck_assert_str_eq(adatom_status_name(ADATOM_BAD_DATA), "BAD_DATA");
    ck_assert_str_eq(adatom_status_name((adatom_status)999), "UNKNOWN");
    ck_assert_str_eq(adatom_status_name((adatom_status)-1), "UNKNOWN");
    /* The exit codes that docs/formats.md promises. */
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_OK), 0);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_IO), 1);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_USAGE), 2);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_NO_DEVICE), 3);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_UNSUPPORTED), 3);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_BAD_DATA), 4);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_CHECK_FAILED), 5);
    ck_assert_int_eq(adatom_status_exit_code(ADATOM_INTERRUPTED), 130);
}
END_TEST

START_TEST(messages) {
    ck_assert_str_eq(adatom_context_message(ctx), "");
    ck_assert_int_eq(ad_fail(ctx, ADATOM_BAD_DATA, "file '%s' line %d", "a.csv", 3), ADATOM_BAD_DATA);
    ck_assert_str_eq(adatom_context_message(ctx), "file 'a.csv' line 3");
    /* A message may quote the one it replaces. */
    ad_fail(ctx, ADATOM_BAD_DATA, "in the list: %s", adatom_context_message(ctx));
    ck_assert_str_eq(adatom_context_message(ctx), "in the list: file 'a.csv' line 3");
    char longer[2 * AD_MESSAGE_BYTES];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    ad_fail(ctx, ADATOM_FAILED, "%s", longer);
    ck_assert_uint_eq(strlen(adatom_context_message(ctx)), AD_MESSAGE_BYTES - 1);
    ck_assert_int_eq(ad_fail(NULL, ADATOM_IO, "nobody listens"), ADATOM_IO);
}
END_TEST

typedef struct asked {
    int calls, reports;
    uint64_t done;
    bool go_on;
} asked;

static bool on_progress(void *user, const adatom_progress *now) {
    asked *a = user;
    ck_assert_uint_eq(now->size, sizeof *now);
    a->calls++;
    a->reports += !now->poll;
    a->done = now->done;
    return a->go_on;
}

START_TEST(interruption) {
    /* What is asked for while no call runs is for none. */
    adatom_context_interrupt(ctx);
    ad_call outer = ad_call_begin(ctx, NULL, NULL);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_OK);
    adatom_context_interrupt(ctx);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_INTERRUPTED);
    ck_assert_int_eq(ad_call_end(ctx, &outer, ADATOM_INTERRUPTED), ADATOM_INTERRUPTED);
    outer = ad_call_begin(ctx, NULL, NULL);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_OK);
    /* A call that did not notice leaves nothing to the next; one that failed leaves its message. */
    adatom_context_interrupt(ctx);
    ck_assert_int_eq(ad_call_end(ctx, &outer, ad_fail(ctx, ADATOM_IO, "no")), ADATOM_IO);
    ck_assert_str_eq(adatom_context_message(ctx), "no");
    outer = ad_call_begin(ctx, NULL, NULL);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_OK);
    ck_assert_int_eq(ad_call_end(ctx, &outer, ADATOM_OK), ADATOM_OK);
    ck_assert_str_eq(adatom_context_message(ctx), "");
}
END_TEST

START_TEST(callbacks) {
    asked a = {.go_on = true}, within = {.go_on = true};
    const ad_call outer = ad_call_begin(ctx, on_progress, &a);
    ad_report(ctx, ADATOM_PHASE_DECODING, 3, 9);
    ck_assert(a.calls == 1 && a.reports == 1 && a.done == 3);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_OK); /* asks, with what was told before */
    ck_assert(a.calls == 2 && a.reports == 1 && a.done == 3);
    /* A call within it without a callback asks that of the outer one and reports nothing to it. */
    ad_call inner = ad_call_begin(ctx, NULL, NULL);
    ad_report(ctx, ADATOM_PHASE_TRAINING, 5, 9);
    ck_assert_int_eq(a.calls, 2);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_OK);
    ck_assert(a.calls == 3 && a.reports == 1);
    ad_call_end(ctx, &inner, ADATOM_OK);
    /* One with a callback of its own uses that. */
    inner = ad_call_begin(ctx, on_progress, &within);
    ad_report(ctx, ADATOM_PHASE_TRAINING, 5, 9);
    ck_assert(a.calls == 3 && within.reports == 1 && within.done == 5);
    within.go_on = false;
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_INTERRUPTED);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_INTERRUPTED); /* it is not asked again */
    ck_assert_int_eq(within.calls, 2);
    ck_assert_int_eq(ad_call_end(ctx, &inner, ADATOM_INTERRUPTED), ADATOM_INTERRUPTED);
    /* And what ended it ends the call around it. */
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_INTERRUPTED);
    ad_call_end(ctx, &outer, ADATOM_INTERRUPTED);
    const ad_call next = ad_call_begin(ctx, NULL, NULL);
    ck_assert_int_eq(ad_interrupted(ctx), ADATOM_OK);
    ad_call_end(ctx, &next, ADATOM_OK);
    ck_assert_int_eq(a.calls, 3);
}
END_TEST

START_TEST(allocation) {
    unsigned char *memory = ad_calloc(ctx, 3, 7);
    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    for (int i = 0; i < 21; i++) ck_assert_int_eq(memory[i], 0);
    memset(memory, 9, 21);
    unsigned char *grown = ad_realloc(ctx, memory, 3, 10, 7);
    ck_assert_int_eq(grown[20], 9);
    ck_assert_int_eq(grown[21], 0);
    ck_assert_int_eq(grown[69], 0);
    ad_free(grown);
    void *nothing = ad_calloc(ctx, 0, 100);
    ck_assert_ptr_nonnull(nothing);
    ad_free(nothing);
    ck_assert_ptr_null(ad_malloc(ctx, SIZE_MAX / 2, 3));
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "out of memory"));
    ck_assert_ptr_null(ad_malloc(ctx, SIZE_MAX, 1));
}
END_TEST

START_TEST(allocation_failure) {
    ad_test_fail_allocation(1);
    void *first = ad_malloc(ctx, 1, 1), *second = ad_malloc(ctx, 1, 1), *third = ad_malloc(ctx, 1, 1);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(third);
    ad_free(first);
    ad_free(third);
    ad_test_fail_allocation(0);
    adatom_context *none = ctx;
    ck_assert_int_eq(adatom_context_create(NULL, &none), ADATOM_OUT_OF_MEMORY);
    ck_assert_ptr_null(none);
    ad_test_fail_allocation(-1);
}
END_TEST

/* Known answers of Philox4x32-10 published with the paper's library (Random123, kat_vectors). */
START_TEST(philox_known_answers) {
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < AD_COUNT(vectors); i++) {
        uint32_t got[4];
        ad_philox(vectors[i].counter, vectors[i].key, got);
        ck_assert_mem_eq(got, vectors[i].want, sizeof got);
    }
}
END_TEST

START_TEST(random_streams) {
    ad_random a = ad_random_make(1, AD_STREAM_EPISODE, 5), same = a, stream = ad_random_make(1, AD_STREAM_INIT, 5),
              index = ad_random_make(1, AD_STREAM_EPISODE, 6),
              seed = ad_random_make(1ull << 32 | 1, AD_STREAM_EPISODE, 5);
    uint32_t first = ad_random_bits(&a);
    ck_assert_uint_eq(first, ad_random_bits(&same));
    ck_assert_uint_ne(first, ad_random_bits(&stream));
    ck_assert_uint_ne(first, ad_random_bits(&index));
    ck_assert_uint_ne(first, ad_random_bits(&seed)); /* the upper half of the seed counts */
}
END_TEST

START_TEST(random_ranges) {
    enum { DRAWS = 60000, BOUND = 6 };
    ad_random r = ad_random_make(3, AD_STREAM_CHECK, 0);
    int seen[BOUND] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t x = ad_random_below(&r, BOUND);
        ck_assert_uint_lt(x, BOUND);
        seen[x]++;
    }
    double expected = (double)DRAWS / BOUND, chi2 = 0;
    for (int i = 0; i < BOUND; i++) chi2 += (seen[i] - expected) * (seen[i] - expected) / expected;
    ck_assert_double_lt(chi2, 20.5); /* 5 degrees of freedom, p = 0.001 */
    ck_assert_uint_eq(ad_random_below(&r, 1), 0);
    double sum = 0, square = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = (double)ad_random_normal(&r);
        ck_assert(isfinite(x));
        sum += x;
        square += x * x;
    }
    ck_assert_double_lt(fabs(sum / DRAWS), 4 / sqrt(DRAWS));
    ck_assert_double_lt(fabs(square / DRAWS - 1), 4 * sqrt(2.0 / DRAWS));
    ck_assert(ad_uniform(0) == 0.0f && ad_uniform(UINT32_MAX) < 1.0f);
}
END_TEST

START_TEST(available_memory) {
    char line[128];
    uint64_t kilobytes = 0; /* the machine's; sysconf() counts wrong under an emulator of a 32-bit processor */
    FILE *file = fopen("/proc/meminfo", "r");
    ck_assert_ptr_nonnull(file);
    while (!kilobytes && fgets(line, sizeof line, file)) sscanf(line, "MemTotal: %" SCNu64, &kilobytes);
    fclose(file);
    const uint64_t available = ad_available_bytes();
    ck_assert(available > 1 << 20 && available < kilobytes * 1024 && available <= PTRDIFF_MAX);
}
END_TEST

/* Every half there is, and what lies between it and the next one. */
START_TEST(half_precision) {
    for (int h = 0; h <= 0xffff; h++) {
        const int exponent = h >> 10 & 31, fraction = h & 1023;
        const float got = ad_half_to_float((uint16_t)h);
        const double magnitude = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
        if (exponent == 31) {
            ck_assert(fraction ? isnan(got) : isinf(got));
            ck_assert(fraction ? isnan(ad_half_to_float(ad_half_from_float(got)))
                               : ad_half_from_float(got) == (h & 0x8000) + 0x7bff);
            continue;
        }
        ck_assert(fabs((double)got) == magnitude && !signbit(got) == !(h & 0x8000));
        ck_assert_uint_eq(ad_half_from_float(got), h);
        if ((h & 0x7fff) == 0x7bff) continue;
        const float middle = (got + ad_half_to_float((uint16_t)(h + 1))) / 2;
        ck_assert_uint_eq(ad_half_from_float(middle), h % 2 ? h + 1 : h);
        ck_assert_uint_eq(ad_half_from_float(nextafterf(middle, 0)), h);
        ck_assert_uint_eq(ad_half_from_float(nextafterf(middle, 2 * middle)), h + 1);
    }
    static const float large[] = {65505, 65520, 65536, 1e30f};
    for (size_t i = 0; i < AD_COUNT(large); i++) {
        ck_assert_float_eq(ad_half_to_float(ad_half_from_float(large[i])), AD_HALF_MAX);
        ck_assert_float_eq(ad_half_to_float(ad_half_from_float(-large[i])), -AD_HALF_MAX);
    }
}
END_TEST

START_TEST(files) {
    char *text = NULL;
    size_t size = 0;
    const char *path = path_of("file");
    ck_assert_int_eq(ad_write_file(ctx, path, "abc", 3), ADATOM_OK);
    ck_assert_int_eq(ad_write_file(ctx, path, "defg", 4), ADATOM_OK);
    ck_assert_int_eq(ad_read_file(ctx, path, 4, &text, &size), ADATOM_OK);
    ck_assert_uint_eq(size, 4);
    ck_assert_str_eq(text, "defg");
    ad_free(text);
    ck_assert_int_eq(ad_read_file(ctx, path, 3, &text, &size), ADATOM_BAD_DATA);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(ad_read_file(ctx, folder, 100, &text, &size), ADATOM_BAD_DATA);
    unlink(path);
    ck_assert_int_eq(ad_read_file(ctx, path, 100, &text, &size), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), path));
}
END_TEST

START_TEST(failed_writes) {
    /* The target is a folder: the last step fails, and nothing is left behind (rmdir in teardown would fail). */
    const char *path = path_of("taken");
    ck_assert_int_eq(mkdir(path, 0777), 0);
    ck_assert_int_eq(ad_write_file(ctx, path, "abc", 3), ADATOM_IO);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(ad_write_file(ctx, path_of("no/such/folder"), "abc", 3), ADATOM_IO);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    /* A device is written to, not replaced. */
    struct stat info;
    ck_assert_int_eq(ad_write_file(ctx, "/dev/full", "abc", 3), ADATOM_IO);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), strerror(ENOSPC)));
    ck_assert(stat("/dev/full", &info) == 0 && S_ISCHR(info.st_mode));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, status_codes);
    tcase_add_test(tests, messages);
    tcase_add_test(tests, interruption);
    tcase_add_test(tests, callbacks);
    tcase_add_test(tests, allocation);
    tcase_add_test(tests, allocation_failure);
    tcase_add_test(tests, philox_known_answers);
    tcase_add_test(tests, random_streams);
    tcase_add_test(tests, random_ranges);
    tcase_add_test(tests, half_precision);
    tcase_add_test(tests, files);
    tcase_add_test(tests, available_memory);
    tcase_add_test(tests, failed_writes);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

/* Checkpoints: what is written comes back; every changed byte is found, and so is every number that no run can have
 * come to. */
#include "fewshot/formats/checkpoint.h"
#include "io/safetensors.h"
#include "tests/run_suite.h"

#include <math.h>
#include <stdio.h>

enum { FLOATS = 6, STEPS = 12, EPOCH = 4, BATCH = 2 };

static adatom_context *ctx;
static float written[4][FLOATS], arrays[4][FLOATS];
static ad_epoch written_epochs[STEPS / EPOCH], epochs[STEPS / EPOCH];
static char path[] = "/tmp/adatom-checkpoint-XXXXXX";

static ad_checkpoint state_of(float (*from)[FLOATS]) {
    ad_checkpoint c = {
        .config = "0123456789abcdef", .best = -1, .steps = STEPS, .steps_per_epoch = EPOCH, .batch = BATCH};
    c.epochs = from == written ? written_epochs : epochs;
    for (int i = 0; i < 4; i++) {
        c.arrays[i] = from[i];
        c.counts[i] = FLOATS;
    }
    return c;
}

static ad_checkpoint middle(void) { /* the second epoch's third step is done */
    ad_checkpoint c = state_of(written);
    c.step = 7;
    c.epochs[0] = (ad_epoch){.loss = 0.1, .accuracy = 0.3, .validation = -1, .images_per_s = 1e4 / 3};
    c.seen = 6;
    c.right = 3;
    c.loss = 1.25;
    c.seconds = 0.1;
    c.best = 0.7;
    memcpy(c.best_hash, "fedcba9876543210", 17);
    return c;
}

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    for (int i = 0; i < 4; i++)
        for (int e = 0; e < FLOATS; e++) written[i][e] = (float)(i - 1) / (float)(e + 3);
    make_file(path);
}

static void teardown(void) {
    unlink(path);
    adatom_context_destroy(&ctx);
}

static adatom_status back(ad_checkpoint *c) {
    *c = state_of(arrays);
    return ad_checkpoint_read(ctx, path, c);
}

static char *whole_file(size_t *size) {
    char *bytes = NULL;
    OK(ad_read_file(ctx, path, 1 << 20, &bytes, size));
    return bytes;
}

START_TEST(test_round_trip) {
    const ad_checkpoint c = middle();
    ad_checkpoint d;
    OK(ad_checkpoint_write(ctx, path, &c));
    OK(back(&d));
    ck_assert(d.step == c.step && d.seen == c.seen && d.right == c.right && d.loss == c.loss &&
              d.seconds == c.seconds && d.best == c.best);
    ck_assert_str_eq(d.best_hash, c.best_hash);
    ck_assert_mem_eq(arrays, written, sizeof arrays);
    ck_assert_int_eq(ad_checkpoint_told(&d), 1);
    ck_assert_mem_eq(epochs, written_epochs, sizeof *epochs);
    /* At an epoch's end its pictures may have been told and validated already, or not yet. */
    ad_checkpoint e = state_of(written);
    e.step = EPOCH;
    OK(ad_checkpoint_write(ctx, path, &e));
    OK(back(&d));
    e.seen = EPOCH * BATCH;
    OK(ad_checkpoint_write(ctx, path, &e));
    OK(back(&d));
    ck_assert_int_eq(d.seen, EPOCH * BATCH);
    ck_assert_int_eq(ad_checkpoint_told(&d), 0);
}
END_TEST

/* One changed bit, in header, padding, checksum or numbers; a byte less or more. */
START_TEST(test_every_byte_counts) {
    const ad_checkpoint c = middle();
    ad_checkpoint d;
    OK(ad_checkpoint_write(ctx, path, &c));
    size_t size;
    char *bytes = whole_file(&size), *copy = ad_malloc(ctx, size + 1, 1);
    ck_assert_ptr_nonnull(copy);
    for (size_t at = 0; at < size; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, bytes, size);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            d = state_of(arrays);
            ck_assert_msg(ad_checkpoint_parse(ctx, path, copy, size, &d) == ADATOM_BAD_DATA, "bit %d of byte %zu", bit,
                          at);
            ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), path));
        }
    for (size_t length = 0; length <= size + 1; length++) {
        if (length == size) continue;
        memcpy(copy, bytes, AD_MIN(length, size));
        d = state_of(arrays);
        ck_assert_int_eq(ad_checkpoint_parse(ctx, path, copy, length, &d), ADATOM_BAD_DATA);
    }
    ad_free(copy);
    ad_free(bytes);
}
END_TEST

/* Whoever writes the checksum anew, too. */
START_TEST(test_impossible_numbers) {
    const double nan = (double)NAN;
    struct {
        const char *what;
        ad_checkpoint c;
    } cases[18];
    for (size_t i = 0; i < AD_COUNT(cases); i++) cases[i].c = middle();
    size_t n = 0;
#define CASE(name, change)                                                                                             \
    do {                                                                                                               \
        cases[n].what = name;                                                                                          \
        cases[n++].c.change;                                                                                           \
    } while (0)
    CASE("step", step = -7);
    CASE("step", step = -1);
    CASE("step", step = STEPS + 1);
    CASE("step", step = 1000000000);
    CASE("seen", step = 6);
    CASE("seen", seen = 8);
    CASE("seen", seen = -2);
    CASE("seen", seen = 5);
    CASE("right", right = 7);
    CASE("right", right = -1);
    CASE("right", right = 0.5);
    CASE("seconds", seconds = -1);
    CASE("best", best = 2);
    CASE("best", best = -0.5);
    CASE("best_hash", best = -1);
    CASE("best_hash", best_hash[3] = 'x');
    CASE("best_hash", best_hash[0] = 0);
    CASE("loss", loss = nan);
#undef CASE
    for (size_t i = 0; i < n; i++) {
        ad_checkpoint d;
        const adatom_status status = ad_checkpoint_write(ctx, path, &cases[i].c);
        if (status != ADATOM_OK) continue; /* JSON has no NaN */
        ck_assert_msg(back(&d) == ADATOM_BAD_DATA, "case %zu, %s, is accepted", i, cases[i].what);
        ck_assert_msg(strstr(adatom_context_message(ctx), cases[i].what) != NULL, "%s: %s", cases[i].what,
                      adatom_context_message(ctx));
    }
    const ad_epoch wrong[] = {{.accuracy = 1.5}, {.validation = -0.5}, {.images_per_s = -1}};
    for (size_t i = 0; i < AD_COUNT(wrong); i++) {
        const ad_checkpoint c = middle();
        ad_checkpoint d;
        c.epochs[0] = wrong[i];
        OK(ad_checkpoint_write(ctx, path, &c));
        ck_assert_int_eq(back(&d), ADATOM_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "epochs"));
    }
    for (int i = 0; i < 4; i++) {
        const ad_checkpoint c = middle();
        ad_checkpoint d;
        const float kept = written[i][2];
        written[i][2] = i % 2 ? NAN : INFINITY;
        OK(ad_checkpoint_write(ctx, path, &c));
        ck_assert_int_eq(back(&d), ADATOM_BAD_DATA);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "not finite"));
        written[i][2] = kept;
    }
}
END_TEST

/* middle() with the text `from` of its notes changed to `to`, of the same length, and a new checksum: what is said. */
static const char *said_of(const char *from, const char *to) {
    const ad_checkpoint c = middle();
    ad_checkpoint d = state_of(arrays);
    size_t size;
    OK(ad_checkpoint_write(ctx, path, &c));
    char *bytes = whole_file(&size), *at = NULL;
    for (size_t i = 0; i + strlen(from) < size && !at; i++)
        if (memcmp(bytes + i, from, strlen(from)) == 0) at = bytes + i;
    ck_assert_ptr_nonnull(at);
    memcpy(at, to, strlen(to));
    ck_assert(ad_checkpoint_seal(bytes, size));
    ck_assert_int_eq(ad_checkpoint_parse(ctx, path, bytes, size, &d), ADATOM_BAD_DATA);
    ad_free(bytes);
    return adatom_context_message(ctx);
}

START_TEST(test_other_texts) {
    const struct {
        const char *from, *to, *said;
    } cases[] = {
        {"\\\"format\\\":3", "\\\"format\\\":2", "has the format 2"},
        {"3,\\\"step\\\":7,", "2,\\\"stop\\\":7,", "has the format 2"}, /* which has other members */
        {"\\\"step\\\":7,", "\\\"step\\\":3,", "'epochs' is out of range"},
        {"[[0.10000000000000001,", "[[0.1],[0.1,          ", "'epochs' is out of range"},
        {"[0.10000000000000001,0.29999999999999999,-1.0,3333.3333333333335]",
         "                                                                 ", "'epochs' is out of range"},
        {"[[0.10000000000000001,", "[[null               ,", "'epochs' is out of range"},
    };
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        ck_assert_uint_eq(strlen(cases[i].from), strlen(cases[i].to));
        const char *said = said_of(cases[i].from, cases[i].to);
        ck_assert_msg(strstr(said, cases[i].said) != NULL, "case %zu: %s", i, said);
    }
}
END_TEST

START_TEST(test_other_runs) {
    ad_checkpoint c = middle(), d;
    OK(ad_checkpoint_write(ctx, path, &c));
    d = state_of(arrays);
    d.config[0] = 'f';
    ck_assert_int_eq(ad_checkpoint_read(ctx, path, &d), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "other settings"));
    for (int i = 0; i < 4; i++)
        for (int less = 0; less < 2; less++) {
            d = state_of(arrays);
            d.counts[i] = less ? FLOATS - 1 : 0;
            ck_assert_int_eq(ad_checkpoint_read(ctx, path, &d), ADATOM_BAD_DATA);
        }
    /* Files that are no checkpoints; other types of numbers. */
    OK(ad_write_file(ctx, path, "not at all", 10));
    ck_assert_int_eq(back(&d), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "is not a checkpoint"));
    OK(ad_checkpoint_write(ctx, path, &c));
    size_t size;
    char *bytes = whole_file(&size), *type = NULL;
    for (size_t at = 0; at + 5 < size && !type; at++)
        if (memcmp(bytes + at, "\"F32\"", 5) == 0) type = bytes + at;
    ck_assert_ptr_nonnull(type);
    memcpy(type, "\"I64\"", 5);
    ck_assert(ad_checkpoint_seal(bytes, size));
    d = state_of(arrays);
    ck_assert_int_eq(ad_checkpoint_parse(ctx, path, bytes, size, &d), ADATOM_BAD_DATA);
    ad_free(bytes);
    unlink(path);
    ck_assert_int_eq(back(&d), ADATOM_BAD_DATA);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("checkpoint");
    TCase *tests = tcase_create("checkpoint");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_round_trip);
    tcase_add_test(tests, test_every_byte_counts);
    tcase_add_test(tests, test_impossible_numbers);
    tcase_add_test(tests, test_other_texts);
    tcase_add_test(tests, test_other_runs);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}

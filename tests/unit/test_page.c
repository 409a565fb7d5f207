/* What pages of --report are made of: escaping, quoting for a shell, and what answers amount to. */
#include "answers.h"
#include "html.h"
#include "out_of_memory.h"
#include "page.h"
#include "png.h"
#include "tests/run_suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef void (*writer)(FILE *out, const char *text);

/* Checks what a function writes for a text. */
static void check(writer write, const char *text, const char *expected) {
    char *got = NULL;
    size_t size = 0;
    FILE *out = memory_stream(&got, &size);
    ck_assert_ptr_nonnull(out);
    write(out, text);
    fclose(out);
    ck_assert_str_eq(got, expected);
    free(got);
}

START_TEST(hostile_texts) {
    check(html_text, "<script>alert('1 & \"2\"')</script>",
          "&lt;script&gt;alert(&#39;1 &amp; &quot;2&quot;&#39;)&lt;/script&gt;");
    check(html_text, "قطة 小猫", "قطة 小猫");
    check(html_text, "a\342\200\256b\nc\x1b[31m", "a\\u{202e}b\\x0ac\\x1b[31m");
    check(html_text, "\xff<\x80", "\\xff&lt;\\x80"); /* no UTF-8 */
    check(html_text, NULL, "");
    check(html_name, "", "<bdi>-</bdi>");
    check(html_name, "&", "<bdi>&amp;</bdi>");
    /* Long texts are written in parts, which cut no character: 400 of three bytes, and bytes that begin none. */
    char characters[1201] = "", bytes[601] = "", shown[2401] = "";
    for (int i = 0; i < 400; i++) strcat(characters, "猫");
    memset(bytes, 0x80, 600);
    for (int i = 0; i < 600; i++) strcat(shown, "\\x80");
    check(html_text, characters, characters);
    check(html_text, bytes, shown);
}
END_TEST

START_TEST(words_of_a_shell) {
    check(shell_word, "--lr=0.01", "--lr=0.01");
    check(shell_word, "", "''");
    check(shell_word, "two words", "'two words'");
    check(shell_word, "it's $HOME `x`", "'it'\\''s $HOME `x`'");
    check(shell_word, "~", "'~'");
    check(shell_word, "a;b*", "'a;b*'");
}
END_TEST

START_TEST(data_in_addresses) {
    /* The examples of RFC 4648, section 10. */
    static const char *const bytes[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"},
                             *const digits[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t i = 0; i < COUNT(bytes); i++) {
        char *got = NULL, expected[64];
        size_t size = 0;
        FILE *out = memory_stream(&got, &size);
        html_data(out, "a/b", (const uint8_t *)bytes[i], strlen(bytes[i]));
        fclose(out);
        snprintf(expected, sizeof expected, "data:a/b;base64,%s", digits[i]);
        ck_assert_str_eq(got, expected);
        free(got);
    }
}
END_TEST

/* The pixels come back out of the file: of grey as they are, of colours as sums of differences. */
START_TEST(pictures_in_memory) {
    enum { WIDTH = 5, HEIGHT = 3 };
    struct cli cli = {0};
    const size_t channels = _i ? 3 : 1, row = WIDTH * channels;
    uint8_t pixels[WIDTH * HEIGHT * 3], raw[(WIDTH * 3 + 1) * HEIGHT], *file = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * i * 7);
    const png_picture picture = {pixels, WIDTH, HEIGHT, (int)channels};
    ck_assert_int_eq(png_encode(&cli, "x", &picture, &file, &size), ADATOM_OK);
    ck_assert_int_eq(memcmp(file, "\x89PNG\r\n\x1a\n", 8), 0);
    ck_assert_int_eq(file[25], _i ? 2 : 0); /* the colour type, in IHDR */
    ck_assert_int_eq(memcmp(file + 37, "IDAT", 4), 0);
    uLongf length = (uLongf)((row + 1) * HEIGHT);
    const uLong packed = (uLong)file[33] << 24 | (uLong)file[34] << 16 | (uLong)file[35] << 8 | file[36];
    ck_assert_int_eq(uncompress(raw, &length, file + 41, packed), Z_OK);
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < row; x++) {
            uint8_t *at = raw + y * (row + 1) + 1 + x;
            if (_i && x >= channels) *at = (uint8_t)(*at + at[-(int)channels]);
            ck_assert_int_eq(*at, pixels[y * row + x]);
        }
    free(file);
}
END_TEST

static void add(answers *a, int truth, int taken, double probability) {
    struct cli cli = {0};
    const answer one = {.truth = truth, .taken = taken, .probability = (float)probability};
    ck_assert_int_eq(answers_add(&cli, a, one), ADATOM_OK);
}

START_TEST(classes_and_pairs) {
    struct cli cli = {0};
    answers a;
    ck_assert_int_eq(answers_begin(&cli, &a, 4, true), ADATOM_OK);
    ck_assert_ptr_nonnull(a.met);
    static const int said[][2] = {{0, 0}, {0, 1}, {0, 2}, {0, 2}, {1, 0}, {1, 1}, {2, -1}, {2, 2}};
    for (size_t i = 0; i < COUNT(said); i++) add(&a, said[i][0], said[i][1], NAN);
    ck_assert_uint_eq(a.right, 3);
    size_t count = 0;
    class_pair *pairs = answers_pairs(&a, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert(pairs[0].truth == 0 && pairs[0].taken == 2 && pairs[0].count == 2);
    ck_assert(pairs[1].truth == 0 && pairs[1].taken == 1 && pairs[1].count == 1);
    ck_assert(pairs[2].truth == 1 && pairs[2].taken == 0 && pairs[2].count == 1);
    free(pairs);
    class_tally *tally = answers_by_class(&a);
    ck_assert(tally[0].asked == 4 && tally[0].right == 1 && tally[0].taken == 2 && tally[0].taken_count == 2);
    ck_assert(tally[2].asked == 2 && tally[2].right == 1 && tally[2].taken == -1 && tally[2].wrongly == 2);
    ck_assert(tally[3].asked == 0 && tally[3].taken == -1);
    free(tally);
    ck_assert_uint_eq(answers_reliability(&a).all, 0); /* no probability is known */
    answers_clear(&a);
    /* Of many classes no matrix is made. */
    ck_assert_int_eq(answers_begin(&cli, &a, ANSWERS_MATRIX + 1, true), ADATOM_OK);
    ck_assert_ptr_null(a.met);
    answers_clear(&a);
}
END_TEST

START_TEST(calibration) {
    struct cli cli = {0};
    answers a;
    ck_assert_int_eq(answers_begin(&cli, &a, 2, false), ADATOM_OK);
    /* Three of four right at 0.75: perfect. Both wrong at 1: that far away. */
    for (int i = 0; i < 4; i++) add(&a, 0, i == 0, 0.75);
    for (int i = 0; i < 2; i++) add(&a, 0, 1, 1.0);
    const reliability r = answers_reliability(&a);
    ck_assert_uint_eq(r.all, 6);
    ck_assert_uint_eq(r.count[7], 4);
    ck_assert_uint_eq(r.count[9], 2);
    ck_assert_double_eq_tol(r.accuracy[7], 0.75, 1e-12);
    ck_assert_double_eq_tol(r.confidence[7], 0.75, 1e-12);
    ck_assert_double_eq_tol(r.error, 2.0 / 6, 1e-12);
    answers_clear(&a);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("page");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, hostile_texts);
    tcase_add_test(tests, words_of_a_shell);
    tcase_add_test(tests, data_in_addresses);
    tcase_add_loop_test(tests, pictures_in_memory, 0, 2);
    tcase_add_test(tests, classes_and_pairs);
    tcase_add_test(tests, calibration);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

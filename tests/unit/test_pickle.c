/* The reader of pickles: what it builds, and what it refuses, by name. */
#include "io/pickle.h"
#include "pickle_bytes.h"
#include "tests/run_suite.h"

#include <stdio.h>

static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static void check_refused(bytes b, const char *says) {
    ad_pickle p;
    unsigned char *exact = seal(&b);
    ck_assert_msg(ad_pickle_parse(ctx, "f.pth", exact, b.size, &p) == ADATOM_BAD_DATA, "accepted what is '%s'", says);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "'f.pth'") && strstr(message, says), "'%s' lacks '%s'", message, says);
    ck_assert_ptr_null(p.items);
    free(exact);
}

/* Protocol 2, then this. */
#define PICKLE(text) "\x80\x02" text
#define REFUSED(text, says)                                                                                            \
    do {                                                                                                               \
        bytes b_ = {0};                                                                                                \
        put(&b_, PICKLE(text), sizeof PICKLE(text) - 1);                                                               \
        check_refused(b_, says);                                                                                       \
    } while (0)

static ad_pickle accepted(const void *from, size_t size, unsigned char **exact) {
    ad_pickle p;
    bytes b = {0};
    put(&b, from, size);
    *exact = seal(&b);
    ck_assert_msg(ad_pickle_parse(ctx, "f.pth", *exact, size, &p) == ADATOM_OK, "%s", adatom_context_message(ctx));
    return p;
}
#define ACCEPTED(text) accepted(PICKLE(text), sizeof PICKLE(text) - 1, &exact)

START_TEST(test_values) {
    unsigned char *exact;
    ad_pickle p =
        ACCEPTED("}q\0(X\1\0\0\0aK\7X\1\0\0\0bM\1\2X\1\0\0\0cJ\xff\xff\xff\xffX\1\0\0\0dh\0X\1\0\0\0e\x88u.rest");
    ck_assert_uint_eq(
        p.size,
        sizeof PICKLE("}q\0(X\1\0\0\0aK\7X\1\0\0\0bM\1\2X\1\0\0\0cJ\xff\xff\xff\xffX\1\0\0\0dh\0X\1\0\0\0e\x88u.") - 1);
    ck_assert_int_eq(p.root.kind, AD_PICKLE_DICT);
    ck_assert_uint_eq(p.containers[p.root.index].count, 10);
    static const struct {
        char name;
        ad_pickle_kind kind;
        int64_t number;
    } expected[] = {{'a', AD_PICKLE_INT, 7},
                    {'b', AD_PICKLE_INT, 513},
                    {'c', AD_PICKLE_INT, -1},
                    {'d', AD_PICKLE_DICT, 0}, /* itself */
                    {'e', AD_PICKLE_BOOL, 1}};
    uint32_t i = ad_pickle_first(&p, p.root);
    for (size_t e = 0; e < AD_COUNT(expected); e++) {
        const ad_pickle_text name = ad_pickle_text_of(&p, p.items[i].value);
        const ad_pickle_value value = p.items[p.items[i].next].value;
        ck_assert(name.length == 1 && name.bytes[0] == expected[e].name);
        ck_assert_int_eq(value.kind, expected[e].kind);
        ck_assert_int_eq(value.number, expected[e].number);
        i = p.items[p.items[i].next].next;
    }
    ck_assert_uint_eq(i, AD_PICKLE_NONE);
    ad_pickle_clear(&p);
    free(exact);
}
END_TEST

/* Integers of any length; those that don't fit are nothing. */
START_TEST(test_integers) {
    static const struct {
        const char *text;
        size_t size;
        ad_pickle_kind kind;
        int64_t number;
    } cases[] = {{"\x8a\0.", 3, AD_PICKLE_INT, 0},
                 {"\x8a\1\x80.", 4, AD_PICKLE_INT, -128},
                 {"\x8a\2\xff\0.", 5, AD_PICKLE_INT, 255},
                 {"\x8b\3\0\0\0\xff\xff\xff.", 9, AD_PICKLE_INT, -1},
                 {"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", 11, AD_PICKLE_INT, INT64_MAX},
                 {"\x8a\x09\0\0\0\0\0\0\0\0\1.", 12, AD_PICKLE_OTHER, 0},
                 {"G@\t!\xfbTD-\x18.", 10, AD_PICKLE_OTHER, 0}};
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        unsigned char *exact;
        ad_pickle p = accepted(cases[i].text, cases[i].size, &exact);
        ck_assert_int_eq(p.root.kind, cases[i].kind);
        ck_assert_int_eq(p.root.number, cases[i].number);
        ad_pickle_clear(&p);
        free(exact);
    }
}
END_TEST

/* What programs are made of. */
START_TEST(test_names_are_refused) {
    REFUSED("cos\nsystem\nX\4\0\0\0true\x85R.", "byte 2 of its pickle names 'os.system'");
    REFUSED("c__builtin__\neval\n.", "names '__builtin__.eval'");
    REFUSED("cbuiltins\neval\nX\1\0\0\0"
            "1\x85R.",
            "names 'builtins.eval'");
    REFUSED("ccollections\nOrderedDict2\n.", "names 'collections.OrderedDict2'");
    REFUSED("ccollections.OrderedDict\nx\n.", "names 'collections.OrderedDict.x'");
    REFUSED("ctorch.storage\n_load_from_bytes\n.", "names 'torch.storage._load_from_bytes'");
    REFUSED("ctorch\nComplexFloatStorage\n.", "names 'torch.ComplexFloatStorage'");
    REFUSED("\x8c\5posix\x8c\6system\x93.", "names 'posix.system'");
    REFUSED("K\1\x8c\6system\x93.", "what it names is no text");
    REFUSED("\x8c\6system\x93.", "nothing is on the stack");
    REFUSED("cos\nsystem", "the pickle ends within it");
    REFUSED("cos", "the pickle ends within it");
    /* A long name is cut. */
    bytes b = {0};
    put_text(&b, "\x80\x02"
                 "c");
    for (int i = 0; i < 100000; i++) put_byte(&b, 'a');
    put_text(&b, "\nb\n.");
    check_refused(b, "aaaaa.b'");
}
END_TEST

START_TEST(test_calls_are_refused) {
    REFUSED("K\1)R.", "what is called is no constructor");
    REFUSED("X\3\0\0\0abc)R.", "what is called is no constructor");
    REFUSED("ctorch\nFloatStorage\n)R.", "calls 'torch.FloatStorage' in a way");
    REFUSED("ctorch\nfloat32\n)R.", "calls 'torch.float32' in a way");
    REFUSED("ctorch\nTensor\n)R.", "calls 'torch.Tensor' in a way");
    REFUSED("ctorch\nSize\n)R.", "calls 'torch.Size' in a way");
    REFUSED("ctorch\nSize\nK\1\x85R.", "calls 'torch.Size' in a way");
    REFUSED("ctorch._utils\n_rebuild_parameter\n)R.", "calls 'torch._utils._rebuild_parameter' in a way");
    REFUSED("ctorch._utils\n_rebuild_parameter\nK\1\x85R.", "calls 'torch._utils._rebuild_parameter' in a way");
    REFUSED("ctorch._utils\n_rebuild_tensor_v2\n)\x81.", "calls 'torch._utils._rebuild_tensor_v2' in a way");
    REFUSED("ctorch._tensor\n_rebuild_from_type_v2\n)R.", "calls 'torch._tensor._rebuild_from_type_v2' in a way");
    REFUSED("ctorch._tensor\n_rebuild_from_type_v2\nctorch\nSize\nctorch\nTensor\n)\x87R.",
            "calls 'torch._tensor._rebuild_from_type_v2' in a way");
    REFUSED("ctorch._tensor\n_rebuild_from_type_v2\nh\0q\0.", "this place of the memo is empty");
    REFUSED("ccollections\nOrderedDict\nK\1R.", "calls 'collections.OrderedDict' in a way");
    REFUSED("ccollections\nOrderedDict\n]K\1a\x85R.", "calls 'collections.OrderedDict' in a way");
    REFUSED("ccollections\nOrderedDict\nK\1\x85R.", "calls 'collections.OrderedDict' in a way");
    REFUSED("K\1}b.", "BUILD sets attributes of what has none");
    REFUSED("ccollections\nOrderedDict\n}b.", "BUILD sets attributes of what has none");
    REFUSED("]}b.", "BUILD sets attributes of what has none");
    REFUSED("ctorch._utils\n_rebuild_tensor\n)R}b.", "BUILD sets attributes of what has none");
    REFUSED("}b.", "nothing is on the stack");
    REFUSED("K\1Q.", "no storage of numbers");
    REFUSED(")Q.", "no storage of numbers");
    REFUSED("X\6\0\0\0module\x85Q.", "no storage of numbers");
}
END_TEST

START_TEST(test_opcodes_are_refused) {
    static const struct {
        unsigned char code;
        const char *name;
    } codes[] = {{'i', "0x69 (INST)"},   {'o', "0x6f (OBJ)"},      {'P', "0x50 (PERSID)"},       {0x82, "0x82 (EXT1)"},
                 {0x83, "0x83 (EXT2)"},  {0x84, "0x84 (EXT4)"},    {0x92, "0x92 (NEWOBJ_EX)"},   {'I', "0x49 (INT)"},
                 {'S', "0x53 (STRING)"}, {'d', "0x64 (DICT)"},     {0x97, "0x97 (NEXT_BUFFER)"}, {'g', "0x67 (GET)"},
                 {0, "0x00 (unknown)"},  {0xff, "0xff (unknown)"}, {'2', "0x32 (DUP)"}};
    for (size_t i = 0; i < AD_COUNT(codes); i++) {
        bytes b = {0};
        put_text(&b, "\x80\x02N");
        put_byte(&b, codes[i].code);
        put_text(&b, "cos\nsystem\n.");
        check_refused(b, codes[i].name);
    }
    REFUSED("\x80\1.", "protocol is none of 2 to 5");
    REFUSED("\x80\6.", "protocol is none of 2 to 5");
}
END_TEST

START_TEST(test_broken_pickles) {
    bytes nothing = {0};
    check_refused(nothing, "ends without STOP");
    REFUSED("", "ends without STOP");
    REFUSED("N", "ends without STOP");
    REFUSED(".", "nothing is on the stack");
    REFUSED("NN.", "more than one value");
    REFUSED("(N.", "more than one value");
    REFUSED("N(.", "nothing is on the stack");
    REFUSED("(0.", "nothing is on the stack");
    REFUSED("N(0.", "nothing is on the stack"); /* what is below a mark is out of reach */
    REFUSED("N\x86.", "nothing is on the stack");
    REFUSED("t.", "no mark");
    REFUSED("u.", "no mark");
    REFUSED("1.", "no mark");
    REFUSED("}K\1K\1(s.", "nothing is on the stack");
    REFUSED("](K\1a.", "nothing is on the stack");
    REFUSED("a.", "nothing is on the stack");
    REFUSED("s.", "nothing is on the stack");
    REFUSED("K\1(e.", "no list");
    REFUSED("}K\1a.", "no list");
    REFUSED("](K\1K\2u.", "no dictionary");
    REFUSED("}(K\1u.", "a key has no value");
    REFUSED("K\1(\x90.", "no set");
    REFUSED("X\5\0\0\0abc.", "ends within it");
    REFUSED("X\xff\xff\xff\xff"
            "abc.",
            "ends within it");
    REFUSED("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
            "abc.",
            "ends within it");
    REFUSED("\x8b\xff\xff\xff\xff.", "ends within it");
    REFUSED("\x8a\x10"
            "abc.",
            "ends within it");
    REFUSED("G\0\0.", "ends within it");
    REFUSED("\x95\1\0\0", "ends within it");
    REFUSED("K", "ends within it");
    REFUSED("h\0.", "this place of the memo is empty");
    REFUSED("j\xff\xff\xff\xff.", "this place of the memo is empty");
    REFUSED("Nq\1.", "a place of the memo is left out");
    REFUSED("Nr\xff\xff\xff\xff.", "a place of the memo is left out");
    REFUSED("q\0.", "nothing is on the stack");
    REFUSED("\x94.", "nothing is on the stack");
}
END_TEST

#define SIZED(text)                                                                                                    \
    { text, sizeof text - 1 }

/* What checkpoints keep beside the network is passed over. */
START_TEST(test_passed_over) {
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        SIZED("cargparse\nNamespace\n)\x81}X\1\0\0\0aK\1sb."),
        SIZED("ccollections\nCounter\n}K\1K\1s\x85R."),
        SIZED("c__builtin__\nset\n]K\1a\x85R."),
        SIZED("\x8f(K\1K\2\x90."),
        SIZED("(K\1K\2\x91."),
        SIZED("ctorch\ndevice\nX\3\0\0\0cpu\x85R."),
        SIZED("ctorch\nfloat32\n."),
        SIZED("(K\1K\2\x31N."),
        SIZED("K\1\x30N."),
        SIZED("\x8e\2\0\0\0\0\0\0\0ab."),
    };
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        unsigned char *exact;
        ad_pickle p = accepted(cases[i].text, cases[i].size, &exact);
        ck_assert(p.root.kind == AD_PICKLE_OTHER || p.root.kind == AD_PICKLE_NAME);
        ad_pickle_clear(&p);
        free(exact);
    }
    /* An OrderedDict of pairs, as Python 2 wrote it; its attributes are passed over. */
    unsigned char *exact;
    ad_pickle p = ACCEPTED("ccollections\nOrderedDict\n](](U\1aK\5e](U\1bK\6ee\x85R}X\1\0\0\0xK\1sb.");
    ck_assert_int_eq(p.root.kind, AD_PICKLE_DICT);
    ck_assert_uint_eq(p.containers[p.root.index].count, 4);
    ad_pickle_clear(&p);
    free(exact);
    /* A parameter of 2017 is its tensor. */
    p = ACCEPTED("ctorch.nn.parameter\nParameter\nctorch._utils\n_rebuild_tensor\n)R\x85R\x88\x89}\x87"
                 "b.");
    ck_assert_int_eq(p.root.kind, AD_PICKLE_TENSOR);
    ad_pickle_clear(&p);
    free(exact);
}
END_TEST

/* A long list of small numbers is none of those below. */
START_TEST(test_long_lists) {
    unsigned char *exact;
    bytes b = {0};
    put_text(&b, "\x80\x02]");
    for (int i = 0; i < 1000; i++) {
        put_byte(&b, '(');
        for (int k = 0; k < 1000; k++) put(&b, "K\1", 2);
        put_byte(&b, 'e');
    }
    put_byte(&b, '.');
    ad_pickle p = accepted(b.at, b.size, &exact);
    ck_assert_uint_eq(p.containers[p.root.index].count, 1000000);
    ad_pickle_clear(&p);
    free(exact);
    free(b.at);
}
END_TEST

/* Small pickles that would become large. */
START_TEST(test_no_bombs) {
    enum { DEEP = 3000000, LAUGHS = 200 };
    unsigned char *exact;
    bytes b = {0};
    /* Lists in lists: no function calls itself for them. */
    put_text(&b, "\x80\x02");
    for (int i = 0; i < 20000; i++) put_byte(&b, ']');
    for (int i = 1; i < 20000; i++) put_byte(&b, 'a');
    put_byte(&b, '.');
    ad_pickle p = accepted(b.at, b.size, &exact);
    ad_pickle_clear(&p);
    free(exact);
    free(b.at);
    /* More of them take more memory than such a file may. */
    b = (bytes){0};
    put_text(&b, "\x80\x02");
    for (int i = 0; i < DEEP; i++) put_byte(&b, ']');
    for (int i = 1; i < DEEP; i++) put_byte(&b, 'a');
    put_byte(&b, '.');
    check_refused(b, "too much memory");
    b = (bytes){0};
    for (int i = 0; i < DEEP; i++) put_byte(&b, '(');
    put_byte(&b, '.');
    check_refused(b, "nothing is on the stack");
    b = (bytes){0};
    for (int i = 0; i < (32 << 20) + 1; i++) put(&b, "N0", 2);
    check_refused(b, "it is longer than 64 MiB");
    /* Each list holds the one before ten times over: they are the same list. */
    b = (bytes){0};
    put_text(&b, "\x80\x02]q");
    put_byte(&b, 0);
    for (int i = 0; i < LAUGHS; i++) {
        put_byte(&b, ']');
        put_byte(&b, '(');
        for (int k = 0; k < 10; k++) put(&b, (unsigned char[]){'h', (unsigned char)i}, 2);
        put(&b, (unsigned char[]){'e', 'q', (unsigned char)(i + 1), '0'}, i + 1 < LAUGHS ? 4 : 3);
    }
    put_text(&b, "\x86.");
    p = accepted(b.at, b.size, &exact);
    ck_assert_uint_le(p.item_count, 10 * LAUGHS + 2);
    ad_pickle_clear(&p);
    free(exact);
    free(b.at);
    /* A list of pairs is copied into a dictionary by each of many calls. */
    b = (bytes){0};
    put_text(&b, "\x80\x02]q");
    put_byte(&b, 0);
    put_byte(&b, '(');
    for (int i = 0; i < 1000; i++) put_text(&b, "NN\x86");
    put_byte(&b, 'e');
    for (int i = 0; i < 10000; i++) {
        put_global(&b, "collections", "OrderedDict");
        put(&b, "h\0\x85R0", 5);
    }
    put_byte(&b, '.');
    check_refused(b, "too much memory");
}
END_TEST

START_TEST(test_truncated) {
    static const int64_t shape[] = {2, 3}, stride[] = {3, 1};
    stored t = {.name = "w", .type = "FloatStorage", .key = "0", .numbers = 6, .rank = 2};
    memcpy(t.shape, shape, sizeof shape);
    memcpy(t.stride, stride, sizeof stride);
    bytes b = state_of(&t, 1);
    for (size_t size = 0; size <= b.size; size++) {
        ad_pickle p;
        bytes part = {0};
        put(&part, b.at, size);
        unsigned char *exact = seal(&part);
        ck_assert_int_eq(ad_pickle_parse(ctx, "f", exact, size, &p), size < b.size ? ADATOM_BAD_DATA : ADATOM_OK);
        ad_pickle_clear(&p);
        free(exact);
    }
    free(b.at);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("pickle");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_values);
    tcase_add_test(tests, test_integers);
    tcase_add_test(tests, test_names_are_refused);
    tcase_add_test(tests, test_calls_are_refused);
    tcase_add_test(tests, test_opcodes_are_refused);
    tcase_add_test(tests, test_broken_pickles);
    tcase_add_test(tests, test_passed_over);
    tcase_add_test(tests, test_long_lists);
    tcase_add_test(tests, test_no_bombs);
    tcase_add_test(tests, test_truncated);
    Suite *suite = suite_create("pickle");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}

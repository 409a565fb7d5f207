/* The command line's parser with one option of every type: words are separated by newlines. */
#include "args.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct values {
    bool flag;
    int integer;
    uint64_t seed, bytes;
    float real;
    const char *text, *choice;
    arg_ints integers;
    arg_texts choices, texts;
} values;

static const char *const words[] = {"centroid", "head", "atoms", "atoms+norm", "full", NULL};
#define OPTIONS values
#define ROW(text, kind, member, ...) OPTION(text, kind, member, .value = "X", .help = "h", __VA_ARGS__)
static const arg_option table[] = {
    ROW("cache", ARG_FLAG, flag, .initial = "yes"),
    ROW("way", ARG_INT, integer, .least = 2, .most = 1000, .initial = "5"),
    ROW("seed", ARG_SEED, seed, .letter = 's'),
    ROW("memory", ARG_BYTES, bytes),
    ROW("lr", ARG_REAL, real, .least = 0, .most = 10),
    ROW("data", ARG_TEXT, text, .required = true),
    ROW("output", ARG_CHOICE, choice, .letter = 'o', .choices = words),
    ROW("shot", ARG_INTS, integers, .least = 1, .most = 64),
    ROW("adapt", ARG_CHOICES, choices, .choices = words),
    ROW("episodes-file", ARG_TEXTS, texts),
    {.name = "help", .letter = 'h', .type = ARG_ACTION, .action = ARGS_HELP, .help = "h"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { MAX_WORDS = 64 };
    char *copy = malloc(size + 1), *argv[MAX_WORDS], message[96] = "", *rest = NULL;
    values v;
    const char *action = NULL;
    static const char *const actions[] = {"info", "verify", NULL};
    arg_positional positional = {"ACTION", "h", actions, &action};
    arg_group group = {"Options", table, sizeof table / sizeof *table, &v};
    arg_spec spec = {.command = "fuzz",
                     .summary = "s",
                     .positionals = &positional,
                     .positional_count = 1,
                     .groups = &group,
                     .group_count = 1};
    int argc = 0;
    if (!copy) return 0;
    if (size) memcpy(copy, data, size); /* else data may be NULL */
    copy[size] = 0;
    for (char *word = strtok_r(copy, "\n", &rest); word && argc < MAX_WORDS; word = strtok_r(NULL, "\n", &rest))
        argv[argc++] = word;
    arg_outcome outcome = args_parse(&spec, argc, argv, message, sizeof message);
    /* What parses is within its range; what does not is explained. */
    bool valid = outcome == ARGS_ERROR ? message[0] != 0 : outcome == ARGS_HELP;
    if (outcome == ARGS_RUN) {
        valid = v.integer >= 2 && v.integer <= 1000 && v.real >= 0 && v.real <= 10 && v.text && v.text[0] && action &&
                (!v.choice || args_choice(v.choice, words));
        for (int i = 0; i < v.integers.count; i++) valid &= v.integers.items[i] >= 1 && v.integers.items[i] <= 64;
        for (int i = 0; i < v.choices.count; i++) valid &= args_choice(v.choices.items[i], words) != NULL;
    }
    free(copy);
    if (!valid) abort();
    return 0;
}

#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct parser {
    const arg_spec *spec;
    char *message;
    size_t capacity;
} parser;

static bool fail(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(p->message, p->capacity, format, args);
    va_end(args);
    return false;
}

/* Damerau-Levenshtein distance (optimal string alignment), since swapping two letters is the commonest slip. A word of
 * MAX letters or more counts as far from every option. */
static size_t distance(const char *a, const char *b) {
    enum { MAX = 40 };
    size_t n = strlen(a), m = strlen(b);
    if (n >= MAX || m >= MAX) return MAX;
    size_t rows[3][MAX];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++) last[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best) best = last[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
        size_t *recycled = before;
        before = last;
        last = now;
        now = recycled;
    }
    return last[m];
}

typedef struct nearest {
    const char *name;
    size_t distance;
} nearest;

static void consider(nearest *best, const char *word, const char *name) {
    size_t length = strlen(word), d = distance(word, name), limit = length < 4 ? 1 : length < 8 ? 2 : length / 3;
    if (d <= limit && (!best->name || d < best->distance)) *best = (nearest){name, d};
}

const char *args_nearest(const char *word, const char *const *names, size_t count, size_t stride) {
    nearest best = {0};
    for (size_t i = 0; i < count; i++) consider(&best, word, *(const char *const *)((const char *)names + i * stride));
    return best.name;
}

const char *args_choice(const char *word, const char *const *choices) {
    for (; *choices; choices++)
        if (strcmp(word, *choices) == 0) return *choices;
    return NULL;
}

static size_t choice_count(const char *const *choices) {
    size_t count = 0;
    while (choices[count]) count++;
    return count;
}

/* Room for the names of one option: the longest list is that of networks. */
enum { ARG_CHOICES_TEXT = 2048 };

static void join(const char *const *choices, char *out, size_t capacity) {
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; choices[i] && used < capacity; i++)
        used += (size_t)snprintf(out + used, capacity - used, "%s%s", i ? ", " : "", choices[i]);
}

static const char *choose(parser *p, const char *what, const char *word, const char *const *choices) {
    const char *found = args_choice(word, choices);
    if (found) return found;
    char all[ARG_CHOICES_TEXT];
    join(choices, all, sizeof all);
    const char *close = args_nearest(word, choices, choice_count(choices), sizeof *choices);
    if (close)
        fail(p, "%s: unknown value '%s'; did you mean '%s'?", what, word, close);
    else
        fail(p, "%s: unknown value '%s'; possible values: %s", what, word, all);
    return NULL;
}

static bool read_number(parser *p, const arg_option *option, const char *text, double *out) {
    char *end = NULL;
    errno = 0;
    double number = strtod(text, &end);
    bool whole = option->type != ARG_REAL;
    /* strtod also takes hexadecimal numbers, infinities and NaN, which are refused here. */
    if (end == text || *end || !isfinite(number) || strpbrk(text, "xX") || (whole && number != floor(number)))
        return fail(p, "--%s: '%s' is not a %s", option->name, text, whole ? "whole number" : "number");
    if (number < option->least || number > option->most)
        return fail(p, "--%s: %s is outside %.10g to %.10g", option->name, text, option->least, option->most);
    *out = number;
    return true;
}

static bool read_unsigned(parser *p, const arg_option *option, const char *text, uint64_t *out) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (option->type == ARG_BYTES && end > text && *end) {
        const char *units = "KMGT", *unit = strchr(units, *end & ~0x20);
        if (unit && *unit) {
            shift = 10 * (unsigned)(unit - units + 1);
            end++;
        }
    }
    if (text[0] < '0' || text[0] > '9' || *end)
        return fail(p, "--%s: '%s' is not a %s", option->name, text,
                    option->type == ARG_BYTES ? "size such as 512M or 2G" : "number from 0 up");
    if (errno || (number << shift) >> shift != number) return fail(p, "--%s: %s is too large", option->name, text);
    *out = (uint64_t)number << shift;
    return true;
}

/* Reads a comma list of numbers or choices; refuses a value that is given twice. */
static bool read_list(parser *p, const arg_option *option, const char *text, void *target) {
    arg_ints *ints = target;
    arg_texts *texts = target;
    bool numbers = option->type == ARG_INTS;
    int count = 0;
    for (const char *at = text;; at++) {
        char part[64];
        size_t length = strcspn(at, ",");
        if (length == 0) return fail(p, "--%s: '%s' has an empty part", option->name, text);
        if (length >= sizeof part) return fail(p, "--%s: '%.60s...' is too long", option->name, at);
        if (count == ARGS_LIST_MAX) return fail(p, "--%s: more than %d values", option->name, ARGS_LIST_MAX);
        memcpy(part, at, length);
        part[length] = 0;
        if (numbers) {
            double number = 0;
            if (!read_number(p, option, part, &number)) return false;
            ints->items[count] = (int)number;
        } else {
            char what[64];
            snprintf(what, sizeof what, "--%s", option->name);
            if (!(texts->items[count] = choose(p, what, part, option->choices))) return false;
        }
        for (int i = 0; i < count; i++)
            if (numbers ? ints->items[i] == ints->items[count] : texts->items[i] == texts->items[count])
                return fail(p, "--%s: '%s' is given twice", option->name, part);
        count++;
        at += length;
        if (!*at) break;
    }
    if (numbers)
        ints->count = count;
    else
        texts->count = count;
    return true;
}

static bool read_value(parser *p, const arg_group *group, const arg_option *option, const char *text) {
    void *target = (char *)group->values + option->offset;
    double number = 0;
    char what[64];
    switch (option->type) {
    case ARG_FLAG: *(bool *)target = strcmp(text, "yes") == 0; return true;
    case ARG_INT:
        if (!read_number(p, option, text, &number)) return false;
        *(int *)target = (int)number;
        return true;
    case ARG_REAL:
        if (!read_number(p, option, text, &number)) return false;
        *(float *)target = number == 0 && option->zero_is_none ? -1.0f : (float)number;
        return true;
    case ARG_SEED:
    case ARG_BYTES: return read_unsigned(p, option, text, target);
    case ARG_TEXT:
        *(const char **)target = text;
        return text[0] ? true : fail(p, "--%s: the value is empty", option->name);
    case ARG_CHOICE:
        snprintf(what, sizeof what, "--%s", option->name);
        return (*(const char **)target = choose(p, what, text, option->choices)) != NULL;
    case ARG_ENUM: {
        const char *const *choice = option->choices;
        snprintf(what, sizeof what, "--%s", option->name);
        const char *found = choose(p, what, text, choice);
        while (found && *choice != found) choice++;
        *(int *)target = found ? option->base + (int)(choice - option->choices) : 0;
        return found != NULL;
    }
    case ARG_INTS:
    case ARG_CHOICES: return read_list(p, option, text, target);
    case ARG_TEXTS: {
        arg_texts *texts = target;
        if (texts->count == ARGS_LIST_MAX)
            return fail(p, "--%s: given more than %d times", option->name, ARGS_LIST_MAX);
        texts->items[texts->count++] = text;
        return text[0] ? true : fail(p, "--%s: the value is empty", option->name);
    }
    case ARG_ACTION: break;
    }
    return true;
}

static size_t value_size(arg_type type) {
    switch (type) {
    case ARG_FLAG: return sizeof(bool);
    case ARG_INT:
    case ARG_ENUM: return sizeof(int);
    case ARG_SEED:
    case ARG_BYTES: return sizeof(uint64_t);
    case ARG_REAL: return sizeof(float);
    case ARG_TEXT:
    case ARG_CHOICE: return sizeof(const char *);
    case ARG_INTS: return sizeof(arg_ints);
    case ARG_CHOICES:
    case ARG_TEXTS: return sizeof(arg_texts);
    case ARG_ACTION: break;
    }
    return 0;
}

static bool set_defaults(parser *p) {
    for (size_t g = 0; g < p->spec->group_count; g++) {
        const arg_group *group = &p->spec->groups[g];
        for (size_t i = 0; i < group->count; i++) {
            const arg_option *option = &group->options[i];
            if (option->type == ARG_ACTION) continue;
            memset((char *)group->values + option->offset, 0, value_size(option->type));
            if (option->initial && !read_value(p, group, option, option->initial)) return false;
        }
    }
    for (size_t i = 0; i < p->spec->positional_count; i++) *p->spec->positionals[i].value = NULL;
    if (p->spec->rest_name) *p->spec->rest_count = 0;
    return true;
}

static const arg_option *find(const arg_spec *spec, const char *name, size_t length, char letter,
                              const arg_group **group) {
    for (size_t g = 0; g < spec->group_count; g++) {
        *group = &spec->groups[g];
        for (size_t i = 0; i < (*group)->count; i++) {
            const arg_option *option = &(*group)->options[i];
            if (letter ? option->letter == letter
                       : strlen(option->name) == length && memcmp(option->name, name, length) == 0)
                return option;
        }
    }
    return NULL;
}

static bool unknown_option(parser *p, const char *word) {
    nearest best = {0};
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    const char *bare = name + strspn(name, "-"), *prefix = "";
    for (size_t g = 0; g < p->spec->group_count; g++)
        for (size_t i = 0; i < p->spec->groups[g].count; i++) {
            const arg_option *option = &p->spec->groups[g].options[i];
            const char *old = best.name;
            if (option->renamed) continue;
            consider(&best, bare, option->name);
            if (best.name != old) prefix = "";
            if (option->type == ARG_FLAG && strncmp(bare, "no-", 3) == 0) {
                old = best.name;
                consider(&best, bare + 3, option->name);
                if (best.name != old) prefix = "no-";
            }
        }
    if (best.name) return fail(p, "unknown option '%s'; did you mean '--%s%s'?", name, prefix, best.name);
    return fail(p, "unknown option '%s'; 'adatom %s%s--help' lists the options", name, p->spec->command,
                p->spec->command[0] ? " " : "");
}

/* Whether a text option has a value. */
static bool is_given(const arg_spec *spec, const char *name) {
    const arg_group *group;
    const arg_option *option = name ? find(spec, name, strlen(name), 0, &group) : NULL;
    return option && *(const char *const *)((const char *)group->values + option->offset);
}

static bool check_required(parser *p, size_t positionals) {
    if (p->spec->alone && *p->spec->alone) return true;
    for (size_t g = 0; g < p->spec->group_count; g++)
        for (size_t i = 0; i < p->spec->groups[g].count; i++) {
            const arg_option *option = &p->spec->groups[g].options[i];
            if (option->required && !is_given(p->spec, option->unless) &&
                !*(const char *const *)((const char *)p->spec->groups[g].values + option->offset))
                return fail(p, "--%s %s is missing", option->name, option->value);
        }
    if (positionals < p->spec->positional_count) {
        const arg_positional *missing = &p->spec->positionals[positionals];
        char all[ARG_CHOICES_TEXT] = "";
        if (missing->choices) join(missing->choices, all, sizeof all);
        return fail(p, "%s is missing%s%s", missing->name, missing->choices ? ": one of " : "", all);
    }
    if (p->spec->rest_name && *p->spec->rest_count == 0 && !is_given(p->spec, p->spec->rest_unless))
        return fail(p, "%s is missing", p->spec->rest_name);
    return true;
}

static bool add_positional(parser *p, const char *text, size_t *count) {
    if (*count == p->spec->positional_count && p->spec->rest_name) {
        p->spec->rest[(*p->spec->rest_count)++] = text;
        return true;
    }
    if (*count == p->spec->positional_count) return fail(p, "unexpected argument '%s'", text);
    const arg_positional *positional = &p->spec->positionals[(*count)++];
    *positional->value = positional->choices ? choose(p, positional->name, text, positional->choices) : text;
    return *positional->value != NULL;
}

/* Where an old spelling is used, *option becomes the option that takes the value now, and the message tells it. */
static void settle_former(parser *p, const arg_group **group, const arg_option **option, const char *value) {
    const char *was = (*option)->name, *now = (*option)->renamed;
    const char letter = (*option)->letter;
    if ((*option)->former && args_choice(value, (*option)->former)) now = (*option)->former_of;
    if (!now) return;
    *option = find(p->spec, now, strlen(now), 0, group);
    if ((*option)->choices)
        snprintf(p->message, p->capacity,
                 "'-%c %s' is now '--%s %s'; this version takes both (a file of that name: ./%s)", letter, value, now,
                 value, value);
    else
        snprintf(p->message, p->capacity, "'--%s' is now '--%s'; this version takes both", was, now);
}

arg_outcome args_parse(const arg_spec *spec, int argc, char *const *argv, char *message, size_t capacity) {
    parser p = {spec, message, capacity};
    size_t positionals = 0;
    bool options_end = false;
    message[0] = 0;
    if (!set_defaults(&p)) return ARGS_ERROR;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (options_end || word[0] != '-' || !word[1]) {
            if (!add_positional(&p, word, &positionals)) return ARGS_ERROR;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            options_end = true;
            continue;
        }
        const arg_group *group = NULL;
        const arg_option *option = NULL;
        const char *value = NULL;
        bool negated = false;
        if (word[1] == '-') {
            const char *name = word + 2;
            size_t length = strcspn(name, "=");
            if (name[length]) value = name + length + 1;
            option = find(spec, name, length, 0, &group);
            if (!option && strncmp(name, "no-", 3) == 0) {
                option = find(spec, name + 3, length - 3, 0, &group);
                if (option && option->type != ARG_FLAG) option = NULL;
                negated = option != NULL;
            }
        } else {
            option = find(spec, NULL, 0, word[1], &group);
            if (option && word[2]) value = word + 2;
        }
        if (!option) {
            unknown_option(&p, word);
            return ARGS_ERROR;
        }
        if (option->type == ARG_FLAG || option->type == ARG_ACTION) {
            if (value) {
                fail(&p, "--%s takes no value", option->name);
                return ARGS_ERROR;
            }
            if (option->type == ARG_ACTION) return option->action;
            value = negated ? "no" : "yes";
        } else if (!value && ++i < argc && strncmp(argv[i], "--", 2) != 0) {
            value = argv[i];
        }
        if (!value) {
            fail(&p, "--%s needs a value (%s)", option->name, option->value);
            return ARGS_ERROR;
        }
        settle_former(&p, &group, &option, value);
        if (!read_value(&p, group, option, value)) return ARGS_ERROR;
    }
    return check_required(&p, positionals) ? ARGS_RUN : ARGS_ERROR;
}

/* Prints text from the current column on; lines after the first are indented. */
static void wrap(FILE *out, const char *text, size_t column, size_t indent) {
    enum { WIDTH = 100 };
    while (*text) {
        size_t length = strcspn(text, " \n");
        if (column + length > WIDTH && column > indent) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        }
        fwrite(text, 1, length, out);
        column += length;
        text += length;
        if (*text == '\n') {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            text++;
        } else if (*text == ' ') {
            fputc(' ', out);
            column++;
            text++;
        }
    }
    fputc('\n', out);
}

static void help_option(const arg_option *option, FILE *out) {
    enum { COLUMN = 28 };
    if (option->renamed) return;
    char left[128], all[ARG_CHOICES_TEXT] = "", text[1024 + sizeof all];
    char letter[8] = "";
    if (option->letter) snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "  %s--%s%s%s%s", letter, option->type == ARG_FLAG ? "[no-]" : "", option->name,
             option->value ? " " : "", option->value ? option->value : "");
    if (option->choices) join(option->choices, all, sizeof all);
    bool shown = option->initial && option->type != ARG_FLAG;
    snprintf(text, sizeof text, "%s%s%s%s%s%s", option->help, all[0] ? ": " : "", all, shown ? " (default " : "",
             shown ? option->initial : "", shown ? ")" : "");
    int width = fprintf(out, "%-*s ", COLUMN - 1, left);
    if (width > COLUMN) fprintf(out, "\n%*s", COLUMN, "");
    wrap(out, text, COLUMN, COLUMN);
}

void args_help(const arg_spec *spec, FILE *out) {
    fprintf(out, "usage: adatom %s", spec->command);
    for (size_t i = 0; i < spec->positional_count; i++) fprintf(out, " %s", spec->positionals[i].name);
    if (spec->rest_name) fprintf(out, " %s...", spec->rest_name);
    for (size_t g = 0; g < spec->group_count; g++)
        for (size_t i = 0; i < spec->groups[g].count; i++)
            if (spec->groups[g].options[i].required)
                fprintf(out, " --%s %s", spec->groups[g].options[i].name, spec->groups[g].options[i].value);
    fprintf(out, " [options]\n\n");
    wrap(out, spec->summary, 0, 0);
    if (spec->positional_count || spec->rest_name) fputc('\n', out);
    for (size_t i = 0; i < spec->positional_count; i++) {
        fprintf(out, "  %-25s ", spec->positionals[i].name);
        wrap(out, spec->positionals[i].help, 28, 28);
    }
    if (spec->rest_name) {
        fprintf(out, "  %-25s ", spec->rest_name);
        wrap(out, spec->rest_help, 28, 28);
    }
    for (size_t g = 0; g < spec->group_count; g++) {
        fprintf(out, "\n%s\n", spec->groups[g].title);
        for (size_t i = 0; i < spec->groups[g].count; i++) help_option(&spec->groups[g].options[i], out);
    }
    if (spec->notes) {
        fputc('\n', out);
        wrap(out, spec->notes, 0, 0);
    }
}

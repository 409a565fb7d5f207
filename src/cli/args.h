/* The command line as data: parsing, range checks, suggestions and --help all follow from tables of options. Nothing
 * here exits or prints (but args_help() to the stream it is given), so that it can be fuzzed. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { ARGS_LIST_MAX = 32 };
typedef struct arg_ints {
    int count, items[ARGS_LIST_MAX];
} arg_ints;
typedef struct arg_texts {
    int count;
    const char *items[ARGS_LIST_MAX];
} arg_texts;

/* The type of an option decides what its offset points to. */
typedef enum arg_type {
    ARG_FLAG,    /* bool: --name, --no-name */
    ARG_INT,     /* int within [least, most] */
    ARG_SEED,    /* uint64_t */
    ARG_BYTES,   /* uint64_t: a number with K, M, G or T (powers of 1024) */
    ARG_REAL,    /* float within [least, most] */
    ARG_TEXT,    /* const char * into argv */
    ARG_CHOICE,  /* const char * into choices */
    ARG_ENUM,    /* an enum whose values are `base` for the first choice, base+1 for the second, and so on */
    ARG_INTS,    /* arg_ints: a comma list; repeated uses replace it */
    ARG_CHOICES, /* arg_texts: a comma list of choices; repeated uses replace it */
    ARG_TEXTS,   /* arg_texts: one text a use; repeated uses add to it */
    ARG_ACTION   /* no value: args_parse returns the option's `action` */
} arg_type;

typedef enum arg_outcome { ARGS_RUN, ARGS_HELP, ARGS_VERSION, ARGS_LIST_DEVICES, ARGS_ERROR } arg_outcome;

typedef struct arg_option {
    const char *name; /* without the dashes */
    char letter;      /* the short option; 0: there is none */
    arg_type type;
    bool required;
    const char *unless; /* the text option in whose presence it is not required; NULL: there is none */
    arg_outcome action; /* of ARG_ACTION: the outcome */
    size_t offset;
    double least, most;
    /* ARG_REAL: a 0 that is typed becomes -1, since the library takes 0 as the default, and negative as none. */
    bool zero_is_none;
    const char *const *choices; /* ended by NULL */
    int base;                   /* ARG_ENUM: the value of the first choice */
    const char *initial;        /* the default as the user would type it; NULL: zero, NULL or an empty list */
    const char *value;          /* the value's name in --help */
    const char *help;
    /* Old spellings, taken with a note. former: texts that this option took, ended by NULL, which are now the values of
     * the option former_of. renamed: the name that this one has now; nothing lists it any more. */
    const char *const *former;
    const char *former_of, *renamed;
} arg_option;

/* A row of a table of options. OPTIONS names the struct that holds the values; further members follow as `.member =
 * value`. */
#define OPTION(text, kind, member, ...)                                                                                \
    { .name = text, .type = kind, .offset = offsetof(OPTIONS, member), __VA_ARGS__ }

typedef struct arg_group {
    const char *title;
    const arg_option *options;
    size_t count;
    void *values; /* the struct that the options' offsets are in */
} arg_group;

typedef struct arg_positional {
    const char *name, *help;
    const char *const *choices; /* NULL: any text */
    const char **value;         /* where the argument goes; args_parse fails if it is not given */
} arg_positional;

typedef struct arg_spec {
    const char *command; /* "": the program itself */
    const char *summary;
    const char *notes;                 /* printed below the options by --help; may be NULL */
    const char *rest_name, *rest_help; /* further arguments, one or more of them; NULL: there are none */
    const char *rest_unless;           /* as `unless` of options, for the further arguments */
    const bool *alone; /* a flag's value: where it is given nothing else is required; NULL: there is none */
    const char **rest; /* room for argc arguments */
    size_t *rest_count;
    const arg_positional *positionals;
    size_t positional_count;
    const arg_group *groups;
    size_t group_count;
} arg_spec;

/* Sets every value to its default, then reads argv[0..argc-1] (program and command removed). ARGS_ERROR: message holds
 * one sentence without newline; ARGS_RUN: it is empty, or says which spelling is an old one. At --help, --version or
 * --list-devices parsing ends with that outcome. */
arg_outcome args_parse(const arg_spec *spec, int argc, char *const *argv, char *message, size_t capacity);
void args_help(const arg_spec *spec, FILE *out);

/* The one of `count` names, `stride` bytes apart, that is closest to word by edit distance; NULL: none is close. */
const char *args_nearest(const char *word, const char *const *names, size_t count, size_t stride);
/* The text in a list ended by NULL that equals word; NULL: there is none. */
const char *args_choice(const char *word, const char *const *choices);
#endif

/* The command line as data: tables of options from which parsing, range checks, suggestions and --help are all made.
 * Nothing here prints (except args_help to the stream it is given) or exits, so that it can be fuzzed. */
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

/* The type decides what lies at an option's offset. */
typedef enum arg_type {
    ARG_FLAG,    /* bool: --name, --no-name */
    ARG_INT,     /* int within [least, most] */
    ARG_SEED,    /* uint64_t */
    ARG_BYTES,   /* uint64_t: a number with K, M, G or T (powers of 1024) */
    ARG_REAL,    /* float within [least, most] */
    ARG_TEXT,    /* const char *, points into argv */
    ARG_CHOICE,  /* const char *, points into choices */
    ARG_ENUM,    /* an enum: its values are those of choices in order, from `base` on */
    ARG_INTS,    /* arg_ints: a comma list; repeated uses replace it */
    ARG_CHOICES, /* arg_texts: a comma list of choices; repeated uses replace it */
    ARG_TEXTS,   /* arg_texts: one text a use; repeated uses add to it */
    ARG_ACTION   /* nothing: args_parse returns the outcome kept in `action` */
} arg_type;

typedef enum arg_outcome { ARGS_RUN, ARGS_HELP, ARGS_VERSION, ARGS_LIST_DEVICES, ARGS_ERROR } arg_outcome;

typedef struct arg_option {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    arg_type type;
    bool required;
    arg_outcome action; /* ARG_ACTION */
    size_t offset;
    double least, most;
    bool zero_is_none; /* ARG_REAL: a 0 that is typed becomes -1, since to the library 0 is its default and < 0 none */
    const char *const *choices; /* ends with NULL */
    int base;                   /* ARG_ENUM: the value of the first */
    const char *initial;        /* the default as it would be typed; NULL: zero, NULL or an empty list */
    const char *value;          /* name of the value in --help */
    const char *help;
} arg_option;

/* A row of a table whose values lie in the struct that OPTIONS names; then the other members. */
#define OPTION(text, kind, member, ...)                                                                                \
    { .name = text, .type = kind, .offset = offsetof(OPTIONS, member), __VA_ARGS__ }

typedef struct arg_group {
    const char *title;
    const arg_option *options;
    size_t count;
    void *values; /* the struct the offsets speak of */
} arg_group;

typedef struct arg_positional {
    const char *name, *help;
    const char *const *choices; /* NULL: any text */
    const char **value;         /* required: args_parse fails without it */
} arg_positional;

typedef struct arg_spec {
    const char *command; /* "" for the program itself */
    const char *summary;
    const char *notes;                 /* printed below the options; may be NULL */
    const char *rest_name, *rest_help; /* any number of further arguments, at least one; NULL: there are none */
    const bool *alone; /* a flag's value: where it is given nothing else is required; NULL: there is none */
    const char **rest; /* room for argc of them */
    size_t *rest_count;
    const arg_positional *positionals;
    size_t positional_count;
    const arg_group *groups;
    size_t group_count;
} arg_spec;

/* Sets every value to its default, then reads argv[0..argc-1] (program and command removed). ARGS_ERROR: one sentence
 * without newline in message. Help, version and list-devices win as soon as they are met. */
arg_outcome args_parse(const arg_spec *spec, int argc, char *const *argv, char *message, size_t capacity);
void args_help(const arg_spec *spec, FILE *out);

/* Of `count` names, `stride` bytes apart, the one closest to word by edit distance; NULL if none is close. */
const char *args_nearest(const char *word, const char *const *names, size_t count, size_t stride);
/* word's equal in a list that ends with NULL, or NULL. */
const char *args_choice(const char *word, const char *const *choices);
#endif

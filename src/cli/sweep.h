/* Sweeps: comma lists for options that take one number. `--lr-atoms 0.001,0.002 --steps 10,20` stands for every
 * combination. */
#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H

#include "args.h"

enum { SWEEP_LISTS = 8 };

struct sweep {
    int count; /* number of options with several values */
    struct sweep_list {
        const char *name;
        int argument; /* index in argv of the argument that holds the values */
        int count;
        char *items[ARGS_LIST_MAX]; /* the argument with one value in place of the list */
    } lists[SWEEP_LISTS];
    int combinations; /* product of the lists' lengths; 1 without lists */
};

/* Finds the comma lists given for the number options of `group`. The values of option `last` vary fastest over the
 * combinations. Returns false with a sentence in `message` on failure. Call sweep_clear() in either case. */
bool sweep_find(const arg_group *group, const char *last, int argc, char *const *argv, struct sweep *out, char *message,
                size_t capacity);
/* Writes to out (room for argc pointers) argv with the values of combination `which`, 0..combinations-1. */
void sweep_pick(const struct sweep *sweep, int which, int argc, char *const *argv, char **out);
/* Writes the values of a combination, e.g. "lr-atoms=0.001 steps=20"; "" without lists. */
void sweep_label(const struct sweep *sweep, int which, char *out, size_t capacity);
void sweep_clear(struct sweep *sweep);
#endif

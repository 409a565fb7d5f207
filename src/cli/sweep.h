/* Several values where an option takes one: `--lr-atoms 0.001,0.002 --steps 10,20` stands for every combination. */
#ifndef CLI_SWEEP_H
#define CLI_SWEEP_H

#include "args.h"

enum { SWEEP_LISTS = 8 };

struct sweep {
    int count; /* options with several values */
    struct sweep_list {
        const char *name;
        int argument; /* of the command line, that holds the values */
        int count;
        char *items[ARGS_LIST_MAX]; /* what stands in its place */
    } lists[SWEEP_LISTS];
    int combinations; /* 1 without lists */
};

/* Finds the comma lists given for single numbers of `group`; `last` is an option whose values follow each other in the
 * combinations. false: a message in `message`. sweep_clear in either case. */
bool sweep_find(const arg_group *group, const char *last, int argc, char *const *argv, struct sweep *out, char *message,
                size_t capacity);
/* argv with the values of combination `which`, 0..combinations-1: room for argc pointers. */
void sweep_pick(const struct sweep *sweep, int which, int argc, char *const *argv, char **out);
/* "lr-atoms=0.001 steps=20"; empty without lists. */
void sweep_label(const struct sweep *sweep, int which, char *out, size_t capacity);
void sweep_clear(struct sweep *sweep);
#endif

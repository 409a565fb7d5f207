/* Shows on stderr how far a long job is: by a bar on a terminal that can redraw a line, otherwise by a line now and
 * then. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

typedef struct progress {
    bool quiet; /* print nothing */
    bool bar;   /* redraw one line instead of printing new ones */
    bool drawn; /* the terminal's line holds a bar */
    double started, shown;
    double from; /* how much was already done at the start of a resumed run */
    char label[64];
} progress;

void progress_init(progress *p, bool quiet);
void progress_start(progress *p, const char *label, double from);
/* Shows `done` of `total` (0: not known); text follows the numbers and may be NULL. May be called often: it draws at
 * most ten times a second, or prints at most every ten seconds. */
void progress_update(progress *p, double done, double total, const char *text);
/* Seconds since progress_start. */
double progress_seconds(const progress *p);
/* Removes the bar, so that something else can be printed. */
void progress_clear(progress *p);
#endif

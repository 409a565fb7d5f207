/* How far a long job is, on stderr: a bar where that is a terminal that can redraw a line, otherwise a line now and
 * then. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

typedef struct progress {
    bool quiet; /* nothing at all */
    bool bar;   /* redraw one line */
    bool drawn; /* a bar stands on the line */
    double started, shown;
    double from; /* what was already done at the start: a resumed run */
    char label[64];
} progress;

void progress_init(progress *p, bool quiet);
void progress_start(progress *p, const char *label, double from);
/* done of total (0: unknown); text follows the numbers and may be NULL. Cheap: draws at most ten times a second, or
 * prints at most every ten seconds. */
void progress_update(progress *p, double done, double total, const char *text);
/* Seconds since progress_start. */
double progress_seconds(const progress *p);
/* Removes the bar, so that something else can be printed. */
void progress_clear(progress *p);
#endif

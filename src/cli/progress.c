#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_init(progress *p, bool quiet) {
    const char *term = getenv("TERM");
    *p = (progress){.quiet = quiet, .bar = !quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0};
}

void progress_start(progress *p, const char *label, double from) {
    progress_clear(p);
    snprintf(p->label, sizeof p->label, "%s", label);
    p->started = p->shown = now();
    p->from = from;
}

static void duration(double seconds, char out[32]) {
    long s = seconds < 0 ? 0 : seconds > 1e8 ? 100000000 : (long)(seconds + 0.5);
    if (s < 60)
        snprintf(out, 32, "%ld s", s);
    else if (s < 3600)
        snprintf(out, 32, "%ld:%02ld min", s / 60, s % 60);
    else
        snprintf(out, 32, "%ld:%02ld h", s / 3600, s / 60 % 60);
}

void progress_update(progress *p, double done, double total, const char *text) {
    double t = now();
    if (p->quiet || t - p->shown < (p->bar ? 0.1 : 10)) return;
    p->shown = t;
    char left[32] = "", numbers[64];
    bool known = total > 0 && done > p->from;
    if (known) duration((t - p->started) * (total - done) / (done - p->from), left);
    snprintf(numbers, sizeof numbers, total > 0 ? "%.0f/%.0f" : "%.0f", done, total);
    if (p->bar) {
        char cells[21] = "--------------------";
        if (total > 0) memset(cells, '#', (size_t)(20 * (done < total ? done / total : 1)));
        fprintf(stderr, "\r\033[K%s [%s] %s", p->label, cells, numbers);
    } else {
        fprintf(stderr, "%s: %s", p->label, numbers);
    }
    if (text) fprintf(stderr, ", %s", text);
    if (known) fprintf(stderr, ", %s left", left);
    if (!p->bar) fputc('\n', stderr);
    fflush(stderr);
    p->drawn = p->bar;
}

void progress_clear(progress *p) {
    if (p->drawn) fputs("\r\033[K", stderr);
    p->drawn = false;
}

double progress_seconds(const progress *p) { return now() - p->started; }

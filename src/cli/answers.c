#include "answers.h"

#include <math.h>
#include <stdlib.h>

adatom_status answers_begin(struct cli *cli, answers *a, int classes, bool met) {
    *a = (answers){.classes = classes, .names = calloc((size_t)classes + 1, sizeof *a->names)};
    if (met && classes <= ANSWERS_MATRIX) a->met = calloc((size_t)classes * (size_t)classes + 1, sizeof *a->met);
    if (a->names && (a->met || !met || classes > ANSWERS_MATRIX)) return ADATOM_OK;
    answers_clear(a);
    return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the report");
}

adatom_status answers_add(struct cli *cli, answers *a, answer one) {
    if (a->count == ANSWERS_MOST) {
        a->left_out++;
        return ADATOM_OK;
    }
    if (a->count == a->room) {
        const size_t room = 2 * a->room + 64;
        answer *grown = realloc(a->items, room * sizeof *grown);
        if (!grown) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the report");
        a->items = grown;
        a->room = room;
    }
    a->items[a->count++] = one;
    a->right += one.taken == one.truth;
    return ADATOM_OK;
}

void answers_clear(answers *a) {
    free(a->items);
    free(a->names);
    free(a->met);
    *a = (answers){0};
}

class_tally *answers_by_class(const answers *a) {
    size_t pair_count = 0;
    class_tally *tally = calloc((size_t)a->classes + 1, sizeof *tally);
    class_pair *pairs = tally ? answers_pairs(a, &pair_count) : NULL;
    if (!pairs) {
        free(tally);
        return NULL;
    }
    for (int c = 0; c < a->classes; c++) tally[c].taken = -1;
    for (size_t i = 0; i < a->count; i++) {
        const answer *one = &a->items[i];
        tally[one->truth].asked++;
        tally[one->truth].right += one->taken == one->truth;
        if (one->taken >= 0 && one->taken != one->truth) tally[one->taken].wrongly++;
    }
    for (size_t p = 0; p < pair_count; p++) { /* the most frequent first */
        class_tally *t = &tally[pairs[p].truth];
        if (t->taken >= 0) continue;
        t->taken = pairs[p].taken;
        t->taken_count = pairs[p].count;
    }
    free(pairs);
    return tally;
}

static int by_classes(const void *a, const void *b) {
    const class_pair *x = a, *y = b;
    return x->truth != y->truth ? (x->truth > y->truth) - (x->truth < y->truth)
                                : (x->taken > y->taken) - (x->taken < y->taken);
}

static int by_count(const void *a, const void *b) {
    const class_pair *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : by_classes(a, b);
}

class_pair *answers_pairs(const answers *a, size_t *count) {
    size_t wrong = 0, used = 0;
    class_pair *pairs = malloc((a->count - a->right + 1) * sizeof *pairs);
    *count = 0;
    if (!pairs) return NULL;
    for (size_t i = 0; i < a->count; i++) {
        const answer *one = &a->items[i];
        if (one->taken >= 0 && one->taken != one->truth) pairs[wrong++] = (class_pair){one->truth, one->taken, 1};
    }
    qsort(pairs, wrong, sizeof *pairs, by_classes);
    for (size_t i = 0; i < wrong; i++)
        if (used && by_classes(&pairs[used - 1], &pairs[i]) == 0)
            pairs[used - 1].count++;
        else
            pairs[used++] = pairs[i];
    qsort(pairs, used, sizeof *pairs, by_count);
    *count = used;
    return pairs;
}

reliability answers_reliability(const answers *a) {
    reliability r = {0};
    for (size_t i = 0; i < a->count; i++) {
        const answer *one = &a->items[i];
        if (isnan(one->probability)) continue;
        const int at = (int)fmin(ANSWERS_BINS - 1, fmax(0, floor((double)one->probability * ANSWERS_BINS)));
        r.count[at]++;
        r.all++;
        r.confidence[at] += (double)one->probability;
        r.accuracy[at] += one->taken == one->truth;
    }
    for (int b = 0; b < ANSWERS_BINS; b++) {
        if (r.count[b] == 0) continue;
        r.error += fabs(r.accuracy[b] - r.confidence[b]) / (double)r.all;
        r.confidence[b] /= (double)r.count[b];
        r.accuracy[b] /= (double)r.count[b];
    }
    return r;
}

/* Which candidate the answers speak for. Numbers only: no device, no pictures. */
#include "fewshot/choose.h"

#include <math.h>

/* Right answers of a candidate about a picture that a choice goes by, of *answers; none where it must not know it. */
static int right_about(const ad_choose_table *t, int candidate, int image, int without, int *answers) {
    const int own = t->fold[image];
    int right = 0;
    *answers = 0;
    if (own == AD_FOLD_NONE || own == without) return 0;
    for (int a = 0; a < t->folds; a++) {
        if (a == own || (without != AD_CHOOSE_BY_ALL && a != without)) continue;
        right += t->right[((size_t)candidate * (size_t)t->folds + (size_t)a) * (size_t)t->images + (size_t)image] == 1;
        ++*answers;
    }
    return right;
}

int ad_choose_right(const ad_choose_table *t, int candidate, int without, int *answers) {
    int right = 0, some;
    *answers = 0;
    for (int i = 0; i < t->images; i++) {
        right += right_about(t, candidate, i, without, &some);
        *answers += some;
    }
    return right;
}

double ad_choose_ahead(const ad_choose_table *t, int a, int b, int without, double *error) {
    double sum = 0, squares = 0;
    int n = 0, answers;
    for (int i = 0; i < t->images; i++) {
        const int more = right_about(t, a, i, without, &answers) - right_about(t, b, i, without, &answers);
        if (answers == 0) continue;
        const double difference = (double)more / answers;
        sum += difference;
        squares += difference * difference;
        n++;
    }
    const double mean = n ? sum / n : 0;
    *error = n > 1 ? sqrt(fmax(squares / n - mean * mean, 0) / (n - 1)) : 0;
    return mean;
}

int ad_choose_most(const ad_choose_table *t, int rank, int without) {
    int found = -1, most = -1, answers;
    for (int c = 0; c < t->candidates; c++) {
        if (!t->tried[c] || (rank >= 0 && t->rank[c] != rank)) continue;
        const int right = ad_choose_right(t, c, without, &answers);
        if (right <= most) continue;
        found = c;
        most = right;
    }
    return found;
}

int ad_choose_best(const ad_choose_table *t, int without) {
    const int most = ad_choose_most(t, -1, without);
    int best = most;
    double error;
    for (int c = 0; c < t->candidates; c++) {
        if (!t->tried[c] || t->rank[c] >= t->rank[best]) continue;
        const int of_kind = ad_choose_most(t, t->rank[c], without);
        if (ad_choose_ahead(t, most, of_kind, without, &error) <= error) best = of_kind;
    }
    return best;
}

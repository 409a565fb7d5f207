/* Answers of a classifier whose true classes are known, and what they amount to: by class, by pair of classes, and by
 * how sure the classifier was. */
#ifndef CLI_ANSWERS_H
#define CLI_ANSWERS_H

#include "cli.h"

enum {
    ANSWERS_MOST = 4000000, /* answers that are kept; more are counted */
    ANSWERS_MATRIX = 30,    /* classes up to which all pairs are shown */
    ANSWERS_BINS = 10       /* of a reliability diagram */
};

typedef struct answer {
    int32_t truth, taken; /* classes; taken -1: there is no answer, which counts as a wrong one */
    int32_t image;        /* of the data set */
    float probability;    /* of the answer; NaN: not known */
} answer;

/* What became of a class. */
typedef struct class_tally {
    size_t asked, right, wrongly; /* wrongly: pictures of other classes that were taken for it */
    int taken;                    /* what its pictures were wrongly taken for most often; -1: nothing */
    size_t taken_count;
} class_tally;

typedef struct class_pair {
    int32_t truth, taken;
    size_t count;
} class_pair;

typedef struct answers {
    answer *items;
    size_t count, room, left_out; /* left_out: of more than ANSWERS_MOST */
    size_t right;
    int classes;
    const char **names; /* [classes]; the texts are the caller's */
    /* [classes][classes] how often a picture of the first was asked about while the second was a possible answer; NULL:
     * every class always was, or there are more than ANSWERS_MATRIX. */
    uint32_t *met;
} answers;

/* Room for the classes; met: whether they are not always possible answers. OUT_OF_MEMORY. */
adatom_status answers_begin(struct cli *cli, answers *a, int classes, bool met);
/* OUT_OF_MEMORY. */
adatom_status answers_add(struct cli *cli, answers *a, answer one);
void answers_clear(answers *a);
/* A new array of [classes], which the caller frees; NULL: out of memory. */
class_tally *answers_by_class(const answers *a);
/* A new array of the pairs of a class and what it was wrongly taken for, the most frequent first, which the caller
 * frees; NULL: out of memory. */
class_pair *answers_pairs(const answers *a, size_t *count);

typedef struct reliability {
    size_t count[ANSWERS_BINS];
    double confidence[ANSWERS_BINS], accuracy[ANSWERS_BINS]; /* means */
    /* The expected calibration error [Naeini et al., AAAI 2015]: the mean of |accuracy - confidence| over the answers
     * of known probability, each bin's as a whole. */
    double error;
    size_t all;
} reliability;
reliability answers_reliability(const answers *a);
#endif

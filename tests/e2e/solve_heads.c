/* Solves one episode of features by the heads of src/fewshot/heads, for test_heads.py: reads from standard input six
 * int32 (solver, supports, queries, way, features, neighbours), two doubles (inverse penalty, shrinkage), int32 labels
 * [supports], float centre [features] and rows [supports + queries][features]; writes double log probabilities
 * [queries][way]. */
#include "fewshot/heads/solver.h"

#include <stdio.h>
#include <stdlib.h>

static void read_all(void *to, size_t size, size_t count) {
    if (fread(to, size, count, stdin) != count) exit(2);
}

int main(void) {
    int32_t head[6];
    double numbers[2];
    read_all(head, sizeof *head, 6);
    read_all(numbers, sizeof *numbers, 2);
    const ad_solver_settings settings = {
        .solver = (ad_solver)head[0], .inverse_penalty = numbers[0], .shrinkage = numbers[1], .neighbours = head[5]};
    const size_t supports = (size_t)head[1], rows = supports + (size_t)head[2], features = (size_t)head[4],
                 answers = (size_t)head[2] * (size_t)head[3];
    int32_t *labels = malloc(supports * sizeof *labels), *numbered = malloc(rows * sizeof *numbered);
    float *table = malloc(rows * features * sizeof *table), *centre = malloc(features * sizeof *centre);
    read_all(labels, sizeof *labels, supports);
    read_all(centre, sizeof *centre, features);
    read_all(table, sizeof *table, rows * features);
    for (size_t i = 0; i < rows; i++) numbered[i] = (int32_t)i;
    const ad_solver_task task = {.table = table,
                                 .centre = centre,
                                 .features = features,
                                 .way = head[3],
                                 .supports = head[1],
                                 .queries = head[2],
                                 .support = numbered,
                                 .query = numbered + supports,
                                 .labels = labels};
    double *scratch = malloc(ad_solver_scratch(&settings, &task) * sizeof *scratch),
           *out = malloc(answers * sizeof *out);
    ad_solve(&settings, &task, scratch, out);
    const bool written = fwrite(out, sizeof *out, answers, stdout) == answers && fflush(stdout) == 0;
    free(out);
    free(scratch);
    free(table);
    free(centre);
    free(numbered);
    free(labels);
    return written ? 0 : 1;
}

#include "fewshot/heads/solver_parts.h"

#include <math.h>

void ad_log_softmax(double *scores, int count) {
    double most = scores[0], sum = 0;
    for (int k = 1; k < count; k++) most = fmax(most, scores[k]);
    for (int k = 0; k < count; k++) sum += exp(scores[k] - most);
    for (int k = 0; k < count; k++) scores[k] -= most + log(sum);
}

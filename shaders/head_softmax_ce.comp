/* With target = (1 - smoothing) onehot(label) + smoothing/classes: row loss = cross-entropy of softmax(logits[n]) and
 * the target, to losses[task][n] (LOSS; averaged by head_softmax_loss.comp); dlogits = (softmax - target)/(number of
 * rows with a label that is not negative) (DLOGITS); both are 0 where the label is negative;
 * predicted = the lowest index of the largest logit, -1 where a logit is not finite, -2 where all are equal
 * (PREDICTED). The maximum is subtracted before exp.
 * Layout: logits, dlogits [n][classes], any number of classes; labels, predicted int32 [rounds][tasks][n], round =
 * counter % rounds. Grid: lib/grid.glsl, rows items a task, one a row. Bytes: 8*rows*classes a task.
 * Reference: SOFTMAX_CE. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/reduce.glsl"

layout(push_constant) uniform Push { ad_push_softmax p; };
layout(constant_id = 0) const bool COUNTER = false;
layout(constant_id = 1) const bool LOSS = true;
layout(constant_id = 2) const bool DLOGITS = true;
layout(constant_id = 3) const bool PREDICTED = true;
layout(set = 0, binding = 0) readonly buffer Logits { float logits[]; };
layout(set = 0, binding = 1) readonly buffer Labels { int labels[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 4) buffer Dlogits { float dlogits[]; };
layout(set = 0, binding = 5) writeonly buffer Predicted { int predicted[]; };
layout(set = 0, binding = 6) writeonly buffer Losses { float losses[]; };

/* By the exponent's bits: what comparisons make of a NaN is the driver's choice. */
bool is_finite(float v) { return (floatBitsToUint(v) & 0x7f800000u) != 0x7f800000u; }

void main() {
    const uint row = item_index(), task = task_index(), rows = uint(p.rows), classes = uint(p.classes);
    const uint round = COUNTER ? uint(counter[0]) % uint(p.rounds) : 0,
               first_label = (round * uint(p.tasks) + task) * rows, at_label = first_label + row;
    float counted = 0.0;
    if (DLOGITS) {
        for (uint n = gl_LocalInvocationID.x; n < rows; n += gl_WorkGroupSize.x)
            counted += labels[first_label + n] < 0 ? 0.0 : 1.0;
        counted = reduce_sum(counted);
    }
    if (row >= rows) return;
    const uint from = task * uint(p.logits_task) + row * classes;
    float largest = logits[from], total = 0.0;
    uint best = 0;
    bool finite = is_finite(largest), tied = classes > 1u;
    for (uint o = 1; o < classes; o++) {
        const float v = logits[from + o];
        finite = finite && is_finite(v);
        tied = tied && v == logits[from];
        best = v > largest ? o : best;
        largest = max(v, largest);
    }
    if (PREDICTED)
        predicted[at_label] = !finite ? -1 : tied ? -2 : int(best); /* AD_PREDICTED_LOST, AD_PREDICTED_TIED */
    if (!LOSS && !DLOGITS) return;

    const uint label = uint(labels[at_label]), to = task * uint(p.dlogits_task) + row * classes;
    if (int(label) < 0) {
        if (LOSS) losses[task * rows + row] = 0.0;
        for (uint o = 0; DLOGITS && o < classes; o++) dlogits[to + o] = 0.0;
        return;
    }
    float sum = 0.0; /* of largest - logit, all classes */
    for (uint o = 0; o < classes; o++) {
        const float v = logits[from + o] - largest;
        total += exp(v);
        sum -= v;
    }
    const float rest = p.smoothing / float(classes);
    /* -sum_o target[o] log softmax[o], log softmax[o] = logit[o] - largest - log(total) */
    if (LOSS)
        losses[task * rows + row] = log(total) + (1.0 - p.smoothing) * (largest - logits[from + label]) + rest * sum;
    if (DLOGITS) {
        for (uint o = 0; o < classes; o++) {
            const float target = o == label ? 1.0 - p.smoothing + rest : rest;
            dlogits[to + o] = (exp(logits[from + o] - largest) / total - target) / counted;
        }
    }
}

/* With target = (1 - smoothing) onehot(label) + smoothing/classes: row loss = cross-entropy of softmax(logits[n]) and
 * the target, to losses[task][n] (LOSS; averaged by head_softmax_loss.comp); dlogits = (softmax - target)/(number of
 * rows with a label that is not negative) (DLOGITS); both are 0 where the label is negative;
 * predicted = the lowest index of the largest logit, -1 where a logit is not finite, -2 where all are equal
 * (PREDICTED). The maximum is subtracted before exp.
 * MIX: share onehot(label) + (1 - share) onehot(label of the next row) stands for onehot(label). TEACHER: p and q being
 * softmax(logits/temperature) and softmax(teacher/temperature), `taught` of the row loss is temperature^2 KL(q||p), of
 * dlogits temperature (p - q)/rows. MIX and PREDICTED are not made by one launch: they have one binding, so that seven
 * do.
 * Layout: logits, dlogits [n][classes], any number of classes; labels, predicted int32 [rounds][tasks][n], teacher
 * [rounds][tasks][n][classes], mix [rounds][8], round = counter % rounds.
 * Grid: lib/grid.glsl, rows items a task, one a row. Bytes: 8*rows*classes a task, 12 with a teacher.
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
layout(constant_id = 4) const bool MIX = false;
layout(constant_id = 5) const bool TEACHER = false;
layout(set = 0, binding = 0) readonly buffer Logits { float logits[]; };
layout(set = 0, binding = 1) readonly buffer Labels { int labels[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 3) writeonly buffer Losses { float losses[]; };
layout(set = 0, binding = 4) buffer Dlogits { float dlogits[]; };
layout(set = 0, binding = 5) writeonly buffer Predicted { int predicted[]; };
layout(set = 0, binding = 5) readonly buffer Mix { float mixing[]; };
layout(set = 0, binding = 6) readonly buffer Teacher { float teacher[]; };

/* By the exponent's bits: what comparisons make of a NaN is the driver's choice. */
bool is_finite(float v) { return (floatBitsToUint(v) & 0x7f800000u) != 0x7f800000u; }

/* A row of logits at the temperature: exp((v - largest)/temperature) sums to `total`. */
struct softened {
    float largest, total;
};
float cooled(float v, softened row) { return (v - row.largest) / p.temperature; }

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
    float behind = largest - logits[from + label], share = 1.0;
    uint next = label;
    if (MIX) {
        next = uint(labels[first_label + (row + 1) % rows]);
        share = mixing[8 * round + 5]; /* AD_MIX_COLUMNS, AD_MIX_SHARE */
        behind = share * behind + (1.0 - share) * (largest - logits[from + next]);
    }
    softened own = softened(largest, 0.0), other = softened(0.0, 0.0);
    const uint from_teacher = at_label * classes;
    float apart = 0.0; /* of exp(teacher) times by how much the teacher's is larger */
    if (TEACHER) {
        other.largest = teacher[from_teacher];
        for (uint o = 1; o < classes; o++) other.largest = max(other.largest, teacher[from_teacher + o]);
        for (uint o = 0; o < classes; o++) {
            const float v = cooled(logits[from + o], own), q = cooled(teacher[from_teacher + o], other);
            own.total += exp(v);
            other.total += exp(q);
            apart += exp(q) * (q - v);
        }
    }
    if (LOSS) {
        /* -sum_o target[o] log softmax[o], log softmax[o] = logit[o] - largest - log(total) */
        float loss = log(total) + (1.0 - p.smoothing) * behind + rest * sum;
        if (TEACHER) {
            const float divergence = apart / other.total + log(own.total) - log(other.total);
            loss = (1.0 - p.taught) * loss + p.taught * p.temperature * p.temperature * divergence;
        }
        losses[task * rows + row] = loss;
    }
    if (DLOGITS) {
        for (uint o = 0; o < classes; o++) {
            float target = o == label ? 1.0 - p.smoothing + rest : rest;
            if (MIX) {
                const float chosen = (o == label ? share : 0.0) + (o == next ? 1.0 - share : 0.0);
                target = (1.0 - p.smoothing) * chosen + rest;
            }
            float d = exp(logits[from + o] - largest) / total - target;
            if (TEACHER) {
                const float q = exp(cooled(teacher[from_teacher + o], other)) / other.total;
                const float v = exp(cooled(logits[from + o], own)) / own.total;
                d = (1.0 - p.taught) * d + p.taught * p.temperature * (v - q);
            }
            dlogits[to + o] = d / counted;
        }
    }
}

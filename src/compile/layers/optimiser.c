/* The schedule, and updates: one operation for each part of a block with a rate and a decay of its own. */
#include "compile/layers/layers.h"

static const float adam_epsilon = 1e-8f;

ad_schedule_column ad_rate_of(ad_role role) {
    static const ad_schedule_column columns[AD_ROLE_STATISTICS] = {
        [AD_ROLE_ATOMS] = AD_RATE_ATOMS,       [AD_ROLE_HEAD] = AD_RATE_HEAD,
        [AD_ROLE_NORM] = AD_RATE_NORM,         [AD_ROLE_COEFFICIENTS] = AD_RATE_COEFFICIENTS,
        [AD_ROLE_ORDINARY] = AD_RATE_ORDINARY,
    };
    return columns[role];
}

void ad_optimiser_begin(ad_tape *tape) {
    const size_t steps = (size_t)tape->params->steps;
    if (steps == 0 && !tape->params->logits) return;
    tape->built->counter = ad_tape_tensor(tape, AD_PLACE_HOST, "step", AD_I32, 1);
    if (steps == 0) return;
    tape->built->schedule = ad_tape_tensor(tape, AD_PLACE_HOST, "schedule", AD_F32, AD_SCHEDULE_COLUMNS * steps);
}

void ad_optimiser_update(ad_tape *tape, const ad_update *u, size_t begin, size_t end, ad_schedule_column rate,
                         float decay) {
    const size_t count = end - begin;
    if (count == 0) return;
    const ad_geometry g = ad_geometry_rows(1, (int)count, 1);
    const int value = ad_tape_view(tape, u->value, "parameters", begin - u->value_begin, count);
    const int gradient = ad_tape_view(tape, u->gradient, "gradients", begin, count);
    const int first = ad_tape_view(tape, u->first, "momentum", begin, count);
    ad_op *op;
    if (u->how->adam) {
        const int second = ad_tape_view(tape, u->second, "second moment", begin, count);
        op = ad_tape_op(tape, u->segment, AD_OP_ADAM, g,
                        AD_OPERANDS(value, gradient, first, second, u->schedule, u->counter));
        op->f[2] = adam_epsilon;
        op->f[3] = decay;
    } else {
        op = ad_tape_op(tape, u->segment, AD_OP_SGD, g, AD_OPERANDS(value, gradient, first, u->schedule, u->counter));
        op->f[2] = decay;
        op->i[0] = u->how->nesterov;
    }
    op->i[1] = rate;
    op->f[0] = u->how->momentum;
    op->f[1] = u->how->dampening;
    if (u->shared) op->tasks = 1;
}

void ad_optimiser_step(ad_tape *tape) {
    const ad_build_params *p = tape->params;
    const ad_built *out = tape->built;
    const ad_update u = {.how = &p->optimiser,
                         .segment = AD_SEGMENT_STEP,
                         .value = out->adapted,
                         .gradient = out->gradient,
                         .first = out->velocity,
                         .second = out->second,
                         .schedule = out->schedule,
                         .counter = out->counter};
    for (int role = 0; role < AD_ROLE_STATISTICS; role++) /* statistics have no gradient */
        ad_optimiser_update(tape, &u, out->role_offset[role], out->role_offset[role + 1], ad_rate_of((ad_role)role),
                            p->optimiser.weight_decay[role]);
    ad_optimiser_update(tape, &u, out->lowrank_offset, out->gains_offset, AD_RATE_LOWRANK, p->lowrank_decay);
    ad_optimiser_update(tape, &u, out->gains_offset, out->adapted_count, AD_RATE_LOWRANK, 0);
}

void ad_optimiser_advance(ad_tape *tape, ad_segment_id segment, int counter) {
    ad_op *op = ad_tape_op(tape, segment, AD_OP_ADVANCE, ad_geometry_rows(1, 1, 1), AD_OPERANDS(counter));
    op->tasks = 1;
}

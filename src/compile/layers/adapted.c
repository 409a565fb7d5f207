/* The block of numbers that adapt, one a task: roles in order, the head with this plan's classes, then adapters
 * of kernels. Its gradient and the optimiser's moments are laid out alike, so that each part of it is a range in all of
 * them. */
#include "compile/layers/layers.h"

/* The parameters of a role that adapt, in the network's order. */
static size_t lay_out_role(ad_tape *tape, ad_role role, size_t end) {
    for (int i = 0; i < tape->net->param_count; i++) {
        const ad_param *param = &tape->net->params[i];
        if (param->role != role || !ad_tape_adapts(tape, i)) continue;
        tape->built->at[i] = end;
        end += ad_tape_round(param->count);
    }
    return end;
}

static size_t lay_out(ad_tape *tape) {
    const size_t params = (size_t)tape->net->param_count;
    size_t end = 0;
    tape->built->at = ad_malloc(tape->ctx, params, sizeof *tape->built->at);
    if (!tape->built->at) {
        ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
        return 0;
    }
    for (size_t i = 0; i < params; i++) tape->built->at[i] = AD_NOT_ADAPTED;
    for (int role = 0; role < AD_ROLE_COUNT; role++) {
        tape->built->role_offset[role] = end;
        end = role == AD_ROLE_HEAD ? ad_regular_layout(tape, ad_head_layout(tape, end))
                                   : lay_out_role(tape, (ad_role)role, end);
    }
    return ad_weights_layout(tape, end);
}

static int block(ad_tape *tape, const char *name) {
    return ad_tape_tensor(tape, AD_PLACE_ADAPTED, name, AD_F32, tape->built->adapted_count);
}

static void make_blocks(ad_tape *tape) {
    ad_built *out = tape->built;
    out->adapted = block(tape, "adapted");
    if (tape->params->steps > 0) {
        out->velocity = block(tape, "velocity");
        if (tape->params->optimiser.adam) out->second = block(tape, "second moment");
        out->gradient = block(tape, "gradient");
    }
    const int blocks[] = {out->adapted, out->velocity, out->second, out->gradient};
    for (size_t i = 0; i < AD_COUNT(blocks); i++)
        if (blocks[i] >= 0) ad_elementwise_zero(tape, AD_SEGMENT_INIT, blocks[i], out->adapted_count);
}

/* Each task starts from the base parameter. */
static void begin_param(ad_tape *tape, int number) {
    const ad_param *param = &tape->net->params[number];
    ad_built *out = tape->built;
    const size_t at = out->at[number];
    tape->adapted[number] = ad_tape_view(tape, out->adapted, param->name, at, param->count);
    if (out->gradient >= 0) tape->gradient[number] = ad_tape_view(tape, out->gradient, param->name, at, param->count);
    ad_elementwise_copy(tape, AD_SEGMENT_INIT, tape->base[number], tape->adapted[number], param->count);
    out->adapted_logical += param->logical;
}

void ad_adapted_begin(ad_tape *tape) {
    tape->built->adapted_count = lay_out(tape);
    if (tape->built->adapted_count == 0) return;
    make_blocks(tape);
    for (int i = 0; i < tape->net->param_count && tape->status == ADATOM_OK; i++)
        if (tape->built->at[i] != AD_NOT_ADAPTED) begin_param(tape, i);
    ad_regular_begin(tape);
    ad_weights_begin(tape);
    ad_head_begin(tape);
    ad_regular_start(tape);
}

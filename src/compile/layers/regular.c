/* What keeps trainings from fitting their pictures too closely: mixed pictures and labels (mixup, cutmix), a second
 * head that tells by how many quarter turns a picture was turned, a teacher's scores, DropBlock after the last two
 * stages, and an average of the parameters. */
#include "compile/layers/layers.h"

enum { TURNS = 4 };

static const ad_regular *wanted(const ad_tape *tape) { return &tape->params->regular; }

static size_t turned_count(const ad_tape *tape) { return (size_t)TURNS * (size_t)tape->net->features; }

/* ---- mixed pictures --------------------------------------------------------------------------------------------- */

int ad_regular_mix(ad_tape *tape, ad_segment_id segment, const ad_batch *batch, int pictures) {
    ad_built *out = tape->built;
    const size_t rounds = (size_t)batch->rounds, n = (size_t)batch->n;
    if (wanted(tape)->teacher > 0)
        out->teacher = ad_tape_tensor(tape, AD_PLACE_HOST, "teacher", AD_F32,
                                      rounds * (size_t)tape->params->tasks * n * (size_t)tape->params->way);
    if (!wanted(tape)->mixed) return pictures;
    const int size = tape->net->image_size;
    const ad_geometry g = ad_geometry_pixels(batch->n, size, size, 4, 4);
    out->mix = ad_tape_tensor(tape, AD_PLACE_HOST, "mix", AD_F32, rounds * AD_MIX_COLUMNS);
    const int mixed = ad_tape_floats(tape, "mixed input", n * (size_t)size * (size_t)size * 4);
    ad_op *op = ad_tape_op(tape, segment, AD_OP_MIX, g, AD_OPERANDS(pictures, out->mix, batch->counter, mixed));
    op->i[7] = batch->rounds;
    return mixed;
}

/* ---- the head that tells turns ---------------------------------------------------------------------------------- */

size_t ad_regular_layout(const ad_tape *tape, size_t end) {
    if (wanted(tape)->turned <= 0 || !ad_head_trains(tape)) return end;
    tape->built->turned_offset = end;
    return end + ad_tape_round(turned_count(tape));
}

void ad_regular_turned(ad_tape *tape, ad_pass *pass) {
    ad_built *out = tape->built;
    const int features = ad_pass_features(tape, pass), last = tape->net->node_count - 1;
    const ad_geometry g = ad_geometry_rows(pass->n, tape->net->features, TURNS);
    const size_t count = (size_t)pass->n * TURNS;
    if (out->turned < 0) return;
    const size_t tasks = (size_t)tape->params->tasks;
    out->turned_labels = ad_tape_tensor(tape, AD_PLACE_HOST, "turns", AD_I32, tasks * count / TURNS);
    out->turned_loss = ad_tape_tensor(tape, AD_PLACE_HOST, "loss of turns", AD_F32, tasks);
    const int logits = ad_tape_floats(tape, "turn logits", count),
              dlogits = ad_tape_floats(tape, "turn gradient", count);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_LINEAR, g, AD_OPERANDS(features, out->turned, -1, logits));
    op->f[0] = 1;
    op = ad_tape_op(tape, pass->live, AD_OP_SOFTMAX_CE, g,
                    AD_OPERANDS(logits, out->turned_labels, -1, out->turned_loss, dlogits));
    op->i[7] = 1;
    const int dw = ad_tape_view(tape, out->gradient, "turn head gradient", out->turned_offset, turned_count(tape));
    op = ad_tape_op(tape, pass->live, AD_OP_LINEAR_DW, g, AD_OPERANDS(features, dlogits, dw));
    op->f[0] = wanted(tape)->turned;
    if (pass->dy[last] < 0) return;
    op = ad_tape_op(tape, pass->live, AD_OP_LINEAR_DX, g, AD_OPERANDS(dlogits, out->turned, pass->dy[last]));
    op->f[0] = wanted(tape)->turned;
    op->flags = AD_ACCUMULATE;
}

/* ---- DropBlock -------------------------------------------------------------------------------------------------- */

enum { OWN, MASK, STATS }; /* ad_pass.dropped: the node's own output, and what it was dropped by */

/* The last node of its stage that has an image, of the last two stages; a stage whose pool leaves no image has none. */
static bool drops_after(const ad_tape *tape, int number) {
    const ad_network *net = tape->net;
    const ad_node *node = &net->nodes[number];
    const int stages = net->nodes[net->node_count - 1].stage;
    if (node->stage < stages - 1 || node->oh < 2) return false;
    for (int i = number + 1; i < net->node_count && net->nodes[i].stage == node->stage; i++)
        if (net->nodes[i].oh >= 2) return false;
    /* A convolution's norm follows, and a norm that is computed with its pool has no output of its own. */
    return node->kind != AD_NODE_CONV && ad_affine_pool_of(tape, number) < 0;
}

static ad_geometry output_of(const ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    return ad_geometry_pixels(pass->n, node->oh, node->ow, node->o, node->o);
}

void ad_regular_drop(ad_tape *tape, ad_pass *pass, int number) {
    const ad_regular *r = wanted(tape);
    const ad_geometry g = output_of(tape, pass, number);
    const size_t count = (size_t)g.n * (size_t)g.h * (size_t)g.w * (size_t)g.c;
    if (r->dropped <= 0 || !pass->wants_gradient || pass->live != AD_SEGMENT_STEP || !drops_after(tape, number)) return;
    int *dropped = pass->dropped[number];
    dropped[OWN] = pass->y[number];
    dropped[MASK] = ad_tape_floats(tape, "drop mask", count);
    dropped[STATS] = ad_tape_floats(tape, "drop stats", 2 * (size_t)g.c);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_DROP_MASK, g, AD_OPERANDS(tape->built->counter, dropped[MASK]));
    op->f[0] = r->dropped;
    op->i[0] = AD_MIN(r->drop_side, AD_MIN(g.h, g.w));
    op->i[1] = r->drop_ramp;
    op->i[6] = (int32_t)((uint32_t)tape->params->augment_seed + (uint32_t)number);
    ad_tape_op(tape, pass->live, AD_OP_BN_STATS, g, AD_OPERANDS(dropped[MASK], dropped[STATS]));
    pass->y[number] = ad_tape_floats(tape, "dropped", count);
    ad_tape_op(tape, pass->live, AD_OP_DROP_APPLY, g,
               AD_OPERANDS(dropped[OWN], dropped[MASK], dropped[STATS], pass->y[number]));
}

void ad_regular_drop_back(ad_tape *tape, ad_pass *pass, int number) {
    const int *dropped = pass->dropped[number];
    if (dropped[OWN] < 0) return;
    ad_tape_op(tape, pass->live, AD_OP_DROP_APPLY, output_of(tape, pass, number),
               AD_OPERANDS(pass->dy[number], dropped[MASK], dropped[STATS], pass->dy[number]));
    pass->y[number] = dropped[OWN];
}

/* ---- averages --------------------------------------------------------------------------------------------------- */

static size_t statistics_count(const ad_tape *tape) {
    return tape->net->role_begin[AD_ROLE_STATISTICS + 1] - tape->net->role_begin[AD_ROLE_STATISTICS];
}

static int statistics(ad_tape *tape) {
    return ad_tape_view(tape, tape->parameters, "statistics", tape->net->role_begin[AD_ROLE_STATISTICS],
                        statistics_count(tape));
}

void ad_regular_begin(ad_tape *tape) {
    ad_built *out = tape->built;
    if (wanted(tape)->turned > 0 && ad_head_trains(tape))
        out->turned = ad_tape_view(tape, out->adapted, "turn head", out->turned_offset, turned_count(tape));
    if (wanted(tape)->average <= 0) return;
    out->average = ad_tape_tensor(tape, AD_PLACE_ADAPTED, "average", AD_F32, out->adapted_count);
    out->average_statistics =
        ad_tape_tensor(tape, AD_PLACE_ADAPTED, "average statistics", AD_F32, statistics_count(tape));
}

/* Averages start where the parameters do; to be called when these are there. */
void ad_regular_start(ad_tape *tape) {
    ad_built *out = tape->built;
    if (out->average < 0) return;
    ad_elementwise_copy(tape, AD_SEGMENT_INIT, out->adapted, out->average, out->adapted_count);
    ad_elementwise_copy(tape, AD_SEGMENT_INIT, statistics(tape), out->average_statistics, statistics_count(tape));
}

void ad_regular_average(ad_tape *tape) {
    const ad_built *out = tape->built;
    if (out->average < 0) return;
    const float stays = wanted(tape)->average;
    ad_elementwise_blend(tape, AD_SEGMENT_STEP, out->adapted, out->average, out->adapted_count, stays);
    ad_elementwise_blend(tape, AD_SEGMENT_STEP, statistics(tape), out->average_statistics, statistics_count(tape),
                         stays);
}

/* ---- a teacher -------------------------------------------------------------------------------------------------- */

void ad_regular_logits(ad_tape *tape, const ad_pass *pass) {
    ad_built *out = tape->built;
    const ad_head_pass head = ad_head_forward(tape, pass);
    const size_t count = (size_t)pass->n * (size_t)tape->params->way;
    out->logits = ad_tape_tensor(tape, AD_PLACE_HOST_TASKS, "logits", AD_F32, count);
    ad_elementwise_copy(tape, AD_SEGMENT_STEP, head.logits, out->logits, count);
    ad_optimiser_advance(tape, AD_SEGMENT_STEP, out->counter);
}

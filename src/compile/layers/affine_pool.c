/* A norm's activation and the maximum pool behind it in one operation: what lies between them never reaches memory. */
#include "compile/layers/layers.h"

int ad_affine_pool_of(const ad_tape *tape, int number) {
    const ad_network *net = tape->net;
    int pool = -1, readers = 0;
    for (int i = number + 1; i < net->node_count; i++) {
        const ad_node *node = &net->nodes[i];
        readers += node->input == number;
        readers += node->kind == AD_NODE_NORM && node->residual == number;
        if (node->kind == AD_NODE_POOL && node->input == number) pool = i;
    }
    if (pool < 0 || readers > 1 || net->nodes[number].kind != AD_NODE_NORM) return -1;
    const ad_node *node = &net->nodes[pool];
    const int largest = 15; /* tap numbers of AFFINE_POOL are bytes */
    return !node->average && node->stride == node->k && node->pad == 0 && node->k <= largest ? pool : -1;
}

/* An operation at the pool's geometry with the norm's activation. */
static ad_op *pooled_op(ad_tape *tape, const ad_pass *pass, ad_segment_id segment, ad_op_kind kind, int number,
                        ad_operands operands) {
    const ad_node *pool = &tape->net->nodes[ad_affine_pool_of(tape, number)];
    ad_op *op = ad_tape_op(tape, segment, kind, ad_geometry_node(pool, pass->n), operands);
    ad_affine_activation(op, &tape->net->nodes[number]);
    return op;
}

void ad_affine_pool_forward(ad_tape *tape, ad_pass *pass, int number, int coef) {
    const ad_node *node = &tape->net->nodes[number];
    const int pool = ad_affine_pool_of(tape, number), y = ad_pass_output(tape, pass, pool);
    const ad_node *end = &tape->net->nodes[pool];
    const size_t count = (size_t)pass->n * (size_t)end->oh * (size_t)end->ow * (size_t)end->o;
    int winner = -1; /* four taps a number */
    if (pass->wants_gradient && tape->live[number])
        winner = ad_tape_tensor(tape, AD_PLACE_WORK, "winner", AD_I32, count / 4);
    const int residual = node->residual >= 0 ? pass->y[node->residual] : -1;
    pooled_op(tape, pass, ad_pass_segment(tape, pass, number), AD_OP_AFFINE_POOL, number,
              AD_OPERANDS(pass->y[node->input], coef, residual, y, winner));
    pass->y[number] = y;
    pass->kept[number][AD_NORM_WINNER] = winner;
}

void ad_affine_pool_sums(ad_tape *tape, const ad_pass *pass, int number, int sums) {
    const int *kept = pass->kept[number], x = pass->y[tape->net->nodes[number].input];
    pooled_op(tape, pass, pass->live, AD_OP_AFFINE_POOL_SUMS, number,
              AD_OPERANDS(x, pass->y[number], kept[AD_NORM_WINNER], pass->dy[number], kept[AD_NORM_STATS], sums));
}

void ad_affine_pool_back(ad_tape *tape, const ad_pass *pass, int number, const ad_affine_back *b) {
    const int winner = pass->kept[number][AD_NORM_WINNER];
    ad_op *op = pooled_op(tape, pass, pass->live, AD_OP_AFFINE_POOL_BACK, number,
                          AD_OPERANDS(pass->y[number], winner, pass->dy[number], b->back, b->x, b->dx, b->dresidual));
    op->flags = b->flags;
}

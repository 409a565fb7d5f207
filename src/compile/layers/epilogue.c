/* A norm, its activation and its residual sum computed by the convolution before them, while its sums are in registers.
 */
#include "compile/layers/layers.h"
#include "plan/activation.h"

static bool has_one_reader(const ad_network *net, int number) {
    int readers = 0;
    for (int i = number + 1; i < net->node_count; i++) {
        const ad_node *node = &net->nodes[i];
        readers += (node->input == number) + (node->residual == number) + (node->gate == number);
    }
    return readers == 1;
}

/* Whether the way back asks for what lies between the convolution and the activation. */
static bool needs_between(const ad_tape *tape, const ad_pass *pass, int norm) {
    const ad_node *node = &tape->net->nodes[norm];
    if (!pass->wants_gradient || !tape->live[norm]) return false;
    return !ad_act_by_output(node->act) || ad_tape_adapts(tape, node->gamma) || ad_tape_adapts(tape, node->scale);
}

/* The norm that convolution `number` computes itself in this pass; -1: there is none. */
static int norm_of(const ad_tape *tape, const ad_pass *pass, int number) {
    const ad_network *net = tape->net;
    const int norm = number + 1;
    if (norm >= net->node_count || net->nodes[norm].kind != AD_NODE_NORM || net->nodes[norm].input != number) return -1;
    const bool running = net->nodes[norm].gamma < 0 || (!pass->batch_statistics && !pass->statistics_of);
    const bool together = ad_pass_segment(tape, pass, number) == ad_pass_segment(tape, pass, norm);
    if (!running || !together || needs_between(tape, pass, norm)) return -1;
    if (ad_way_of(tape, number, pass->wants_gradient) != AD_PATH_COMPOSED || ad_way_folds(tape, number)) return -1;
    return ad_affine_pool_of(tape, norm) < 0 && has_one_reader(net, number) ? norm : -1;
}

ad_epilogue ad_epilogue_begin(ad_tape *tape, ad_pass *pass, int number) {
    const int norm = norm_of(tape, pass, number);
    if (norm < 0) return (ad_epilogue){-1, ad_pass_output(tape, pass, number), -1, -1};
    const ad_node *node = &tape->net->nodes[norm];
    ad_norm_prepare(tape, pass, norm);
    const int y = pass->y[number] = ad_pass_output(tape, pass, norm);
    return (ad_epilogue){norm, y, pass->kept[norm][AD_NORM_COEF], node->residual >= 0 ? pass->y[node->residual] : -1};
}

/* Pictures of the data set, normalised and augmented, or rows of a table of features. The data are chunks, each in an
 * external arena, and an operation a chunk takes the rows that lie in it. */
#include "compile/layers/layers.h"

#include <string.h>

void ad_gather_begin(ad_tape *tape) {
    const ad_build_params *p = tape->params;
    const size_t each =
        p->from_features ? (size_t)tape->net->features : 3 * (size_t)p->data_size * (size_t)p->data_size;
    for (int k = 0; k < p->chunk_count; k++)
        tape->data[k] =
            ad_tape_external(tape, 1 + k, "data", p->from_features ? AD_F32 : AD_U8, each * (size_t)p->chunks[k]);
    if (!p->from_features) tape->built->norm = ad_tape_tensor(tape, AD_PLACE_HOST, "normalisation", AD_F32, 8);
}

static ad_op *gather_pictures(ad_tape *tape, ad_segment_id segment, ad_geometry g, const ad_batch *batch,
                              ad_operands operands) {
    const ad_build_params *p = tape->params;
    ad_op *op = ad_tape_op(tape, segment, AD_OP_GATHER, g, operands);
    op->i[2] = op->i[3] = p->data_size;
    if (batch->mirrored) op->flags |= AD_MIRROR;
    if (!batch->augmented) return op;
    op->flags |= (uint16_t)p->augment_flags;
    if (p->regular.turned > 0) op->flags |= AD_TURN;
    op->i[4] = p->augment_mode;
    op->i[5] = p->augment_pad;
    op->i[6] = p->augment_seed;
    memcpy(op->f, p->augment, sizeof op->f);
    return op;
}

int ad_gather(ad_tape *tape, ad_segment_id segment, const ad_batch *batch) {
    const ad_build_params *p = tape->params;
    const int size = p->from_features ? 1 : tape->net->image_size, c = p->from_features ? tape->net->features : 4;
    const ad_geometry g = ad_geometry_pixels(batch->n * (batch->mirrored ? 2 : 1), size, size, c, 1);
    const int x = ad_tape_floats(tape, "input", (size_t)g.n * (size_t)g.h * (size_t)g.w * (size_t)g.c);
    int first = 0;
    for (int k = 0; k < p->chunk_count; k++) {
        ad_op *op;
        if (p->from_features)
            op = ad_tape_op(tape, segment, AD_OP_GATHER_ROWS, g,
                            AD_OPERANDS(tape->data[k], batch->index, batch->counter, x));
        else
            op = gather_pictures(
                tape, segment, g, batch,
                AD_OPERANDS(tape->data[k], batch->index, batch->counter, tape->built->norm, x, batch->draw));
        op->i[0] = first;
        op->i[1] = p->chunks[k];
        op->i[7] = batch->rounds;
        first += p->chunks[k];
    }
    return x;
}

/* What is done to each number by itself. */
#include "compile/layers/layers.h"

ad_op *ad_elementwise_zero(ad_tape *tape, ad_segment_id segment, int x, size_t count) {
    return ad_tape_op(tape, segment, AD_OP_FILL, ad_geometry_rows(1, (int)count, 1), AD_OPERANDS(x));
}

ad_op *ad_elementwise_copy(ad_tape *tape, ad_segment_id segment, int x, int y, size_t count) {
    return ad_elementwise_copy_from(tape, segment, x, 0, y, count);
}

void ad_elementwise_blend(ad_tape *tape, ad_segment_id segment, int x, int y, size_t count, float stays) {
    ad_op *op = ad_tape_op(tape, segment, AD_OP_BLEND, ad_geometry_rows(1, (int)count, 1), AD_OPERANDS(x, y));
    op->f[0] = stays;
}

ad_op *ad_elementwise_copy_from(ad_tape *tape, ad_segment_id segment, int x, size_t begin, int y, size_t count) {
    ad_op *op = ad_tape_op(tape, segment, AD_OP_COPY, ad_geometry_rows(1, (int)count, 1), AD_OPERANDS(x, y));
    op->i[0] = (int32_t)begin;
    return op;
}

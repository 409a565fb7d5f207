/* What is done to each number by itself. */
#include "compile/layers/layers.h"

void ad_elementwise_zero(ad_tape *tape, ad_segment_id segment, int x, size_t count) {
    ad_tape_op(tape, segment, AD_OP_FILL, ad_geometry_rows(1, (int)count, 1), AD_OPERANDS(x));
}

void ad_elementwise_copy(ad_tape *tape, ad_segment_id segment, int x, int y, size_t count) {
    ad_tape_op(tape, segment, AD_OP_COPY, ad_geometry_rows(1, (int)count, 1), AD_OPERANDS(x, y));
}

#include "io/file_tensor.h"

#include "base/half.h"

#include <string.h>

void ad_file_tensor_pack(ad_file_tensor *tensor) {
    int64_t stride = tensor->elements > 0; /* without elements the shape's product may not be a number */
    for (int i = tensor->rank - 1; i >= 0; i--) {
        tensor->stride[i] = stride;
        if (tensor->elements > 0) stride *= tensor->shape[i];
    }
}

static size_t bytes_of(ad_number_type type) {
    switch (type) {
    case AD_NUMBER_F32:
    case AD_NUMBER_I32: return 4;
    case AD_NUMBER_F16:
    case AD_NUMBER_BF16: return 2;
    case AD_NUMBER_F64:
    case AD_NUMBER_I64: return 8;
    case AD_NUMBER_INTEGER:
    case AD_NUMBER_BYTES: break;
    }
    return 1;
}

/* `count` numbers from `from` on, `step` numbers apart. */
static void convert(ad_number_type type, const unsigned char *from, size_t step, size_t count, float *out) {
    const size_t bytes = step * bytes_of(type);
    uint16_t half;
    uint32_t bits;
    double wide;
    if (type == AD_NUMBER_F32 && step == 1) {
        memcpy(out, from, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++, from += bytes) {
        switch (type) {
        case AD_NUMBER_F32: memcpy(&out[i], from, sizeof out[i]); break;
        case AD_NUMBER_F16:
            memcpy(&half, from, sizeof half);
            out[i] = ad_half_to_float(half);
            break;
        case AD_NUMBER_BF16: /* the upper half of a float32 */
            memcpy(&half, from, sizeof half);
            bits = (uint32_t)half << 16;
            memcpy(&out[i], &bits, sizeof out[i]);
            break;
        case AD_NUMBER_F64:
            memcpy(&wide, from, sizeof wide);
            out[i] = (float)wide;
            break;
        case AD_NUMBER_INTEGER:
        case AD_NUMBER_BYTES:
        case AD_NUMBER_I32:
        case AD_NUMBER_I64: out[i] = 0; break;
        }
    }
}

void ad_file_tensor_floats(const ad_file_tensor *tensor, size_t first, size_t count, float *out) {
    int last = tensor->rank - 1;
    while (last > 0 && tensor->shape[last] == 1) last--; /* whatever their strides are */
    /* The last dimensions as one where they lie without gaps, so that runs are long. */
    int outer = last;
    size_t run = tensor->rank ? (size_t)tensor->shape[last] : 1;
    const size_t step = tensor->rank ? (size_t)tensor->stride[last] : 1;
    while (outer > 0 && (size_t)tensor->stride[outer - 1] == run * step) run *= (size_t)tensor->shape[--outer];
    while (count > 0) {
        const size_t within = first % run, part = AD_MIN(count, run - within);
        size_t index = first / run, at = within * step;
        for (int i = outer - 1; i >= 0; i--) {
            at += index % (size_t)tensor->shape[i] * (size_t)tensor->stride[i];
            index /= (size_t)tensor->shape[i];
        }
        convert(tensor->type, tensor->data + at * bytes_of(tensor->type), step, part, out);
        first += part;
        count -= part;
        out += part;
    }
}

size_t ad_file_tensor_bytes(const ad_file_tensor *tensor) { return tensor->elements * bytes_of(tensor->type); }

int64_t ad_file_tensor_integer(const ad_file_tensor *tensor, size_t i) {
    int32_t narrow;
    int64_t wide;
    if (tensor->type == AD_NUMBER_I32) {
        memcpy(&narrow, tensor->data + i * sizeof narrow, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, tensor->data + i * sizeof wide, sizeof wide);
    return wide;
}

/* A tensor of a file from elsewhere, where it lies in the file's bytes. */
#ifndef AD_IO_TENSOR_H
#define AD_IO_TENSOR_H

#include "base/base.h"

enum { AD_TENSOR_RANK = 8 };

typedef enum ad_tensor_type {
    AD_TENSOR_F32,
    AD_TENSOR_F16,
    AD_TENSOR_BF16,
    AD_TENSOR_F64,
    AD_TENSOR_INTEGER, /* of any width: counters and masks, whose values nobody reads */
    AD_TENSOR_BYTES    /* a storage whose tensors have the type */
} ad_tensor_type;

typedef struct ad_tensor {
    const char *name; /* owned by the file */
    ad_tensor_type type;
    int rank;
    int64_t shape[AD_TENSOR_RANK], stride[AD_TENSOR_RANK]; /* strides in numbers, not negative */
    size_t elements;
    const unsigned char *data; /* of the first element; little-endian, of any alignment */
} ad_tensor;

static inline bool ad_tensor_is_float(const ad_tensor *tensor) { return tensor->type < AD_TENSOR_INTEGER; }
/* The strides of a tensor without gaps, its last index fastest. */
void ad_tensor_pack(ad_tensor *tensor);
/* Elements `first` to first + count - 1 in the order of their indices, as float32; of a tensor of floats. */
void ad_tensor_floats(const ad_tensor *tensor, size_t first, size_t count, float *out);
#endif

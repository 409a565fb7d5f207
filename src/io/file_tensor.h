/* A tensor of a file from elsewhere, where it lies in the file's bytes. */
#ifndef AD_IO_FILE_TENSOR_H
#define AD_IO_FILE_TENSOR_H

#include "base/base.h"

enum { AD_FILE_RANK = 8 };

typedef enum ad_number_type {
    AD_NUMBER_F32,
    AD_NUMBER_F16,
    AD_NUMBER_BF16,
    AD_NUMBER_F64,
    AD_NUMBER_INTEGER, /* of any width: counters and masks, whose values nobody reads */
    AD_NUMBER_BYTES,   /* a storage whose tensors have the type */
    AD_NUMBER_I32,     /* integers whose values are read: labels */
    AD_NUMBER_I64
} ad_number_type;

typedef struct ad_file_tensor {
    const char *name; /* owned by the file */
    ad_number_type type;
    int rank;
    int64_t shape[AD_FILE_RANK], stride[AD_FILE_RANK]; /* strides in numbers, not negative */
    size_t elements;
    const unsigned char *data; /* of the first element; little-endian, of any alignment */
} ad_file_tensor;

static inline bool ad_file_tensor_is_float(const ad_file_tensor *tensor) { return tensor->type < AD_NUMBER_INTEGER; }
/* The strides of a tensor without gaps, its last index fastest. */
void ad_file_tensor_pack(ad_file_tensor *tensor);
/* Elements `first` to first + count - 1 in the order of their indices, as float32; of a tensor of floats. */
void ad_file_tensor_floats(const ad_file_tensor *tensor, size_t first, size_t count, float *out);
/* The bytes of its elements. */
size_t ad_file_tensor_bytes(const ad_file_tensor *tensor);
/* Element i of a tensor of I32 or I64 without gaps. */
int64_t ad_file_tensor_integer(const ad_file_tensor *tensor, size_t i);
#endif

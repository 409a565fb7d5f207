/* NumPy's .npy: the array of one numpy.save.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef AD_IO_NPY_H
#define AD_IO_NPY_H

#include "io/file_tensor.h"

/* Whether the first bytes of a file are those of a .npy file. */
bool ad_npy_begins(const void *bytes, size_t size);
/* Reads a file in memory, which must outlive *out: float16, float32, float64, int32 and int64, little-endian, in C or
 * Fortran order. BAD_DATA, in one sentence: anything else, a header that is damaged, or another number of bytes than
 * the shape needs. */
adatom_status ad_npy_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size, ad_file_tensor *out);
/* Writes what comes before the numbers of a float32 (half: float16) array [rows][columns] into out; returns its bytes,
 * a multiple of 64. */
enum { AD_NPY_HEADER_BYTES = 192 };
size_t ad_npy_header(size_t rows, size_t columns, bool half, char out[AD_NPY_HEADER_BYTES]);
#endif

/* safetensors: 8 bytes little-endian header length, a JSON header, then the tensors' bytes without gaps.
 * https://github.com/huggingface/safetensors#format */
#ifndef AD_IO_SAFETENSORS_H
#define AD_IO_SAFETENSORS_H

#include "base/base.h"

#define AD_ST_RANK 8
/* The longest file that is read. */
#define AD_ST_MOST_BYTES (sizeof(size_t) > 4 ? (uint64_t)8 << 30 : (uint64_t)1 << 30)

typedef enum ad_st_type {
    AD_ST_F32,
    AD_ST_F16,
    AD_ST_BF16,
    AD_ST_I64
} ad_st_type; /* I64: counters of other programs */

typedef struct ad_st_tensor {
    const char *name; /* owned by the file */
    ad_st_type type;
    int rank;
    int64_t shape[AD_ST_RANK];
    size_t elements;
    size_t begin, end; /* bytes in the data section */
} ad_st_tensor;

typedef struct ad_safetensors {
    const char *name;             /* of the file, for messages; the caller's */
    const unsigned char *data;    /* the caller's bytes, or `own` */
    ad_st_tensor *tensors;        /* in the order of their bytes */
    const ad_st_tensor **by_name; /* the same in the order of their names */
    size_t count;
    void *header; /* parsed JSON */
    unsigned char *own;
} ad_safetensors;

/* Reads the header of a file in memory; name and bytes must outlive *out. Everything the format demands is checked:
 * header length, JSON, types (F32, F16, BF16, I64 only), shape against bytes, offsets without gap, overlap or rest.
 * Else BAD_DATA, naming file and tensor; whatever the failure, *out is empty then. The caller clears it. */
adatom_status ad_safetensors_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size,
                                   ad_safetensors *out);
/* The same of a file on disk, whose header is checked before memory is taken for the rest; name must outlive *out. */
adatom_status ad_safetensors_load(adatom_context *ctx, const char *name, const char *path, ad_safetensors *out);
void ad_safetensors_clear(ad_safetensors *file);
/* NULL if there is none of that name. */
const ad_st_tensor *ad_safetensors_find(const ad_safetensors *file, const char *name);
/* The value of a metadata key, or NULL. Owned by the file. */
const char *ad_safetensors_metadata(const ad_safetensors *file, const char *key);
static inline bool ad_safetensors_is_float(const ad_st_tensor *tensor) { return tensor->type != AD_ST_I64; }
/* Element i of a tensor of floats as float32 (half precision is converted exactly); i < tensor->elements. */
float ad_safetensors_float(const ad_safetensors *file, const ad_st_tensor *tensor, size_t i);

typedef struct ad_st_entry { /* a tensor to write */
    const char *name;
    int rank;
    const int64_t *shape;
    ad_st_type type; /* F32 or I64 */
} ad_st_entry;

/* Makes a file in memory. metadata: pairs of key and value, ended by a NULL key (a NULL value is left out). I64 entries
 * come first and are zero. *values is where the caller then puts the numbers of the others, one after the other without
 * gaps. ad_free(*bytes). */
adatom_status ad_safetensors_make(adatom_context *ctx, const char *const *metadata, const ad_st_entry *entries,
                                  size_t count, unsigned char **bytes, size_t *size, float **values);
#endif

/* safetensors: 8 bytes little-endian header length, a JSON header, then the tensors' bytes without gaps.
 * https://github.com/huggingface/safetensors#format */
#ifndef AD_IO_SAFETENSORS_H
#define AD_IO_SAFETENSORS_H

#include "io/file_tensor.h"

#define AD_ST_RANK 8
/* The largest file that is read. */
#define AD_ST_MOST_BYTES (sizeof(size_t) > 4 ? (uint64_t)8 << 30 : (uint64_t)1 << 30)

typedef enum ad_st_type { AD_ST_F32, AD_ST_F16, AD_ST_BF16, AD_ST_F64, AD_ST_I64, AD_ST_I32 } ad_st_type;

typedef struct ad_st_tensor {
    const char *name; /* owned by the file */
    ad_st_type type;
    int rank;
    int64_t shape[AD_ST_RANK];
    size_t elements;
    size_t begin, end; /* byte range in the data section */
} ad_st_tensor;

typedef struct ad_safetensors {
    const char *name;             /* of the file, for messages; owned by the caller */
    const unsigned char *data;    /* the data section, in the caller's bytes or in `own` */
    ad_st_tensor *tensors;        /* [count] in the order of their bytes */
    const ad_st_tensor **by_name; /* [count] the same tensors, sorted by name */
    size_t count;
    void *header; /* the parsed JSON, a json_t */
    unsigned char *own;
} ad_safetensors;

/* Parses a file in memory; name and bytes must outlive *out. Checks everything that the format demands: header length,
 * JSON, types (only those of ad_st_type), shape against bytes, offsets without gap, overlap or rest. BAD_DATA,
 * naming file and tensor, if anything is wrong. *out is empty after any failure; otherwise the caller clears it. */
adatom_status ad_safetensors_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size,
                                   ad_safetensors *out);
/* The same for a file on disk. Its header is checked before memory is taken for the data; name must outlive *out. */
adatom_status ad_safetensors_load(adatom_context *ctx, const char *name, const char *path, ad_safetensors *out);
void ad_safetensors_clear(ad_safetensors *file);
/* Finds a tensor by its name; NULL: there is none. */
const ad_st_tensor *ad_safetensors_find(const ad_safetensors *file, const char *name);
/* The value of a metadata key, or NULL. Owned by the file. */
const char *ad_safetensors_metadata(const ad_safetensors *file, const char *key);
static inline bool ad_safetensors_is_float(const ad_st_tensor *tensor) { return tensor->type < AD_ST_I64; }
/* The tensor as one of any kind of file; *out points into the file. */
void ad_safetensors_tensor(const ad_safetensors *file, const ad_st_tensor *tensor, ad_file_tensor *out);
/* Element i of a tensor of floats, as float32 (half precision is converted exactly); i < tensor->elements. */
float ad_safetensors_float(const ad_safetensors *file, const ad_st_tensor *tensor, size_t i);

typedef struct ad_st_entry { /* a tensor to write */
    const char *name;
    int rank;
    const int64_t *shape;
    ad_st_type type;
} ad_st_entry;

/* What comes before the data of a file with these tensors, in their order; ad_free(*bytes). metadata: pairs of key and
 * value, ended by a NULL key; a pair whose value is NULL is left out. The numbers may follow at once: they are aligned
 * to 8 bytes. */
adatom_status ad_safetensors_header(adatom_context *ctx, const char *const *metadata, const ad_st_entry *entries,
                                    size_t count, char **bytes, size_t *size);

/* Makes a file of tensors in memory; ad_free(*bytes). metadata: as above. I64 entries must come first, and their
 * numbers are zero. The caller writes the numbers of the others to *values, one tensor after the other without gaps. */
adatom_status ad_safetensors_make(adatom_context *ctx, const char *const *metadata, const ad_st_entry *entries,
                                  size_t count, unsigned char **bytes, size_t *size, float **values);
#endif

/* Tables of tensors that other programs wrote: safetensors, safetensors in shards with an index, and what torch.save
 * made of a state dictionary. What a file is, its content says, not its name. */
#ifndef AD_IO_TENSOR_FILE_H
#define AD_IO_TENSOR_FILE_H

#include "io/file_tensor.h"

typedef struct ad_tensor_file {
    const char *name;               /* for messages; the caller's */
    ad_file_tensor *tensors;        /* in the order of the file */
    const ad_file_tensor **by_name; /* the same in the order of their names, each of which is there once */
    size_t count;
    bool is_model; /* this program wrote it */
    /* What owns the names and bytes. */
    struct ad_safetensors *shards;
    size_t shard_count;
    char **paths;       /* of the shards; NULL: one file */
    unsigned char *own; /* the file */
    char *text;         /* names */
} ad_tensor_file;

/* A file or a folder that holds model.safetensors.index.json, model.safetensors or pytorch_model.bin. BAD_DATA with one
 * sentence; whatever the failure, *out is empty then. path must outlive *out. The caller clears it. */
adatom_status ad_tensor_file_open(adatom_context *ctx, const char *path, ad_tensor_file *out);
/* The same of a file in memory; name and bytes must outlive *out. An index has nothing beside it and is refused. */
adatom_status ad_tensor_file_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size,
                                   ad_tensor_file *out);
void ad_tensor_file_clear(ad_tensor_file *file);
/* NULL if there is none of that name. */
const ad_file_tensor *ad_tensor_file_find(const ad_tensor_file *file, const char *name);

/* Fills by_name of a table whose tensors are filled; BAD_DATA where two have one name. */
adatom_status ad_tensor_file_sort(adatom_context *ctx, ad_tensor_file *file);

typedef struct ad_tensor_format {
    const char *name, *holds;
} ad_tensor_format;
/* Ends with a name NULL. */
extern const ad_tensor_format ad_tensor_formats[];
#endif

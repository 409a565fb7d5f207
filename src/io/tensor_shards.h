/* safetensors as a table of tensors: one file, or several with an index. */
#ifndef AD_IO_TENSOR_SHARDS_H
#define AD_IO_TENSOR_SHARDS_H

#include "io/tensor_file.h"

/* Fills the table from file->shards, which are read. */
adatom_status ad_tensor_shards_fill(adatom_context *ctx, ad_tensor_file *file);
/* Reads the shards that an index names, from the folder it is in: each tensor of the index must be in its shard, and
 * no other tensor in any. The caller clears *out, whatever the status. */
adatom_status ad_tensor_shards_open(adatom_context *ctx, const char *index, ad_tensor_file *out);
#endif

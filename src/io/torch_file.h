/* State dictionaries that torch.save wrote. */
#ifndef AD_IO_TORCH_FILE_H
#define AD_IO_TORCH_FILE_H

#include "io/tensor_file.h"

/* The names under which checkpoints keep the network, in the order in which they are looked for; ends with NULL. Each
 * may hold another of them. A checkpoint with none of them is the state dictionary itself, or has one dictionary of
 * tensors under some other name. */
extern const char *const ad_torch_wrappers[];

/* Whether these are the first bytes of such a file, or of another pickle. */
bool ad_torch_file_begins(const unsigned char *bytes, size_t size);
/* Adds the tensors of a file in memory, which must outlive *out, to an empty table; BAD_DATA with one sentence. The
 * caller clears the table, whatever the status. */
adatom_status ad_torch_file_parse(adatom_context *ctx, const unsigned char *bytes, size_t size, ad_tensor_file *out);
#endif

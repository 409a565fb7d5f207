/* The containers of torch.save: a zip archive of a pickle and of storages, https://pytorch.org/docs/stable/notes/
 * serialization.html, or, before 2020, pickles one after the other and storages behind them. */
#ifndef AD_IO_TORCH_PARTS_H
#define AD_IO_TORCH_PARTS_H

#include "io/pickle.h"

typedef struct ad_torch_part { /* the numbers of a storage */
    ad_pickle_text key;
    const unsigned char *data;
    size_t bytes;
    uint32_t crc; /* 0: unknown */
    bool is_stored, is_checked;
} ad_torch_part;

typedef struct ad_torch_parts {
    ad_pickle pickle;
    ad_torch_part *parts; /* in the order of their keys, each of which is there once */
    size_t count;
} ad_torch_parts;

/* What is in a file in memory; name and bytes must outlive *out. BAD_DATA, with one sentence, where it is not as
 * PyTorch writes it; *out is empty then. */
adatom_status ad_torch_zip(adatom_context *ctx, const char *name, const unsigned char *bytes, size_t size,
                           ad_torch_parts *out);
adatom_status ad_torch_legacy(adatom_context *ctx, const char *name, const unsigned char *bytes, size_t size,
                              ad_torch_parts *out);
void ad_torch_parts_clear(ad_torch_parts *parts);
/* By their bytes. */
int ad_torch_compare(ad_pickle_text a, ad_pickle_text b);
/* Sorts the parts by their keys; BAD_DATA where one is there twice. */
adatom_status ad_torch_sort(adatom_context *ctx, const char *name, ad_torch_parts *parts);
/* The sentence about a member of the archive that is not stored as it is. */
adatom_status ad_torch_refuse_packed(adatom_context *ctx, const char *name, ad_pickle_text member);
/* Compares a part's checksum, once; BAD_DATA where it is another or where the part is compressed. */
adatom_status ad_torch_check(adatom_context *ctx, const char *name, ad_torch_part *part);
/* The part of that key, its checksum compared; NULL with a message in the context: it is missing, compressed or
 * damaged. */
const ad_torch_part *ad_torch_part_of(adatom_context *ctx, const char *name, ad_torch_parts *parts, ad_pickle_text key,
                                      adatom_status *status);
#endif

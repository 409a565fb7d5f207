/* The pickles of PyTorch's state dictionaries, https://docs.python.org/3/library/pickletools.html. Nothing is ever
 * called or imported: the few opcodes and names that checkpoints need build a table of plain values, everything else is
 * refused by its name. A tensor stays the tuple of arguments that PyTorch would make it of. */
#ifndef AD_IO_PICKLE_H
#define AD_IO_PICKLE_H

#include "io/file_tensor.h"

#define AD_PICKLE_NONE UINT32_MAX /* no item */

typedef enum ad_pickle_kind {
    AD_PICKLE_OTHER, /* None, a real number, a set, a number of NumPy, a record of options: passed over */
    AD_PICKLE_BOOL,
    AD_PICKLE_INT,
    AD_PICKLE_TEXT,
    AD_PICKLE_TUPLE,
    AD_PICKLE_LIST,
    AD_PICKLE_DICT,
    AD_PICKLE_NAME,
    AD_PICKLE_STORAGE,
    AD_PICKLE_TENSOR
} ad_pickle_kind;

typedef struct ad_pickle_value {
    ad_pickle_kind kind;
    uint32_t index; /* of a container, of a tensor's or storage's tuple; length of a TEXT; row of a NAME */
    int64_t number; /* of a BOOL or INT; where a TEXT begins; of a TENSOR: the row of its constructor */
} ad_pickle_value;

/* What a tuple, list or dictionary holds, in a chain; a dictionary's keys and values take turns. */
typedef struct ad_pickle_item {
    ad_pickle_value value;
    uint32_t next; /* AD_PICKLE_NONE: the last */
} ad_pickle_item;
typedef struct ad_pickle_container {
    uint32_t first, last, count;
} ad_pickle_container;

typedef struct ad_pickle_text { /* not ended by a NUL */
    const char *bytes;
    size_t length;
} ad_pickle_text;

typedef struct ad_pickle {
    const char *name; /* of the file, for messages; the caller's */
    const unsigned char *bytes;
    size_t size; /* up to and with its STOP */
    ad_pickle_value root;
    ad_pickle_item *items;
    ad_pickle_container *containers;
    uint32_t *storages; /* the tuples of all storages, in the order in which they are named */
    size_t item_count, item_capacity, container_count, container_capacity, storage_count, storage_capacity;
} ad_pickle;

typedef struct ad_pickle_storage {
    ad_number_type type;
    size_t type_bytes; /* of a number */
    ad_pickle_text key;
    size_t numbers;
    bool is_view; /* of another storage, as PyTorch wrote before 2018 */
} ad_pickle_storage;

typedef struct ad_pickle_tensor {
    ad_number_type type;
    size_t type_bytes;
    ad_pickle_storage storage;
    int rank;
    int64_t shape[AD_FILE_RANK], stride[AD_FILE_RANK]; /* in numbers; 0 or more */
    size_t elements, offset;                           /* all of it lies in the storage's numbers */
} ad_pickle_tensor;

/* Reads the pickle at bytes[0] (its STOP may come before bytes[size]); name and bytes must outlive *out. BAD_DATA names
 * the file, the byte and what was refused; *out is empty then. Memory and time are a small multiple of size. */
adatom_status ad_pickle_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size, ad_pickle *out);
void ad_pickle_clear(ad_pickle *pickle);
/* The first item of a TUPLE, LIST or DICT; AD_PICKLE_NONE: it is empty. */
uint32_t ad_pickle_first(const ad_pickle *pickle, ad_pickle_value container);
/* The key of a DICT that is in this item, and its value; the item of the next key, or AD_PICKLE_NONE. */
uint32_t ad_pickle_pair(const ad_pickle *pickle, uint32_t item, ad_pickle_value *key, ad_pickle_value *value);
/* The value of a DICT's key, the last one if there are several; of kind OTHER: there is none. */
ad_pickle_value ad_pickle_member(const ad_pickle *pickle, ad_pickle_value dict, const char *name);
ad_pickle_text ad_pickle_text_of(const ad_pickle *pickle, ad_pickle_value text);
bool ad_pickle_is(ad_pickle_text text, const char *word);
/* The arguments of a STORAGE or TENSOR, checked: BAD_DATA where they are none that PyTorch writes, where the numbers
 * run past the storage, or where two elements are one number. what: the tensor's name, for messages. */
adatom_status ad_pickle_storage_of(adatom_context *ctx, const ad_pickle *pickle, uint32_t tuple,
                                   ad_pickle_storage *out);
adatom_status ad_pickle_tensor_of(adatom_context *ctx, const ad_pickle *pickle, ad_pickle_value tensor,
                                  ad_pickle_text what, ad_pickle_tensor *out);
#endif

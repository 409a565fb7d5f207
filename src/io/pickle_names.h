/* The names that pickles of state dictionaries may contain. */
#ifndef AD_IO_PICKLE_NAMES_H
#define AD_IO_PICKLE_NAMES_H

#include "io/pickle.h"

typedef enum ad_pickle_use {
    AD_PICKLE_AS_NAMED,     /* may be named, not called */
    AD_PICKLE_AS_DICT,      /* makes a dictionary */
    AD_PICKLE_AS_OTHER,     /* makes something that is passed over */
    AD_PICKLE_AS_SIZE,      /* torch.Size of a tuple: the tuple */
    AD_PICKLE_AS_TENSOR,    /* makes a tensor of (storage, offset, size, stride, ...) */
    AD_PICKLE_AS_TENSOR_3,  /* the same, its type after two more arguments */
    AD_PICKLE_AS_WRAPPED,   /* a tensor that is its first argument */
    AD_PICKLE_AS_FROM_TYPE, /* (one of the three above, a class, its arguments, ...) */
    AD_PICKLE_AS_STORAGE,
    AD_PICKLE_AS_TYPE
} ad_pickle_use;

typedef struct ad_pickle_name {
    const char *module, *name;
    ad_pickle_use use;
    ad_number_type type; /* of a STORAGE or TYPE */
    size_t type_bytes;
} ad_pickle_name;

extern const ad_pickle_name ad_pickle_names[];
/* The row of a name; false: it is not allowed. */
bool ad_pickle_find_name(ad_pickle_text module, ad_pickle_text name, uint32_t *row);
#endif

/* Features of a frozen backbone. */
#ifndef AD_FEWSHOT_FEATURES_H
#define AD_FEWSHOT_FEATURES_H

#include "fewshot/session.h"

/* Pictures of a table of size x size x 3 bytes each, under a model. */
typedef struct ad_features_wanted {
    adatom_device *device;
    const adatom_model *model;
    const uint8_t *pixels;
    int size;
    const int32_t *images; /* NULL: 0 .. count-1 */
    size_t count;
    int view; /* not 0: this view of each picture (ad_view_number), of `all` pictures */
    size_t all;
    uint64_t seed;       /* of views */
    bool mirror;         /* means over a picture and its mirror image */
    size_t memory_bytes; /* 0: half of what is free */
} ad_features_wanted;

/* Begins a session whose ad_session_pass() gives the features of pictures of such a table, batches of them at most
 * `count` pictures. The caller clears it, also on failure. */
adatom_status ad_features_begin(const ad_features_wanted *wanted, ad_session *session);
/* The features of all of them, a batch at a time: take is given those of the first .. first + n - 1,
 * [n][net.features]. Only two batches of pictures are on the device at once; batches are smaller where memory_bytes
 * asks for that. */
adatom_status ad_features_compute(const ad_features_wanted *wanted, ad_take_features take, void *user);
/* Whether that will find the memory: OUT_OF_MEMORY where memory_bytes does not hold one picture's. pixels and images
 * are not looked at. */
adatom_status ad_features_plan(const ad_features_wanted *wanted);
#endif

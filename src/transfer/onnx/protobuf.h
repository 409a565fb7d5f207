/* Writes Protocol Buffers' wire format [protobuf.dev/programming-guides/encoding] into memory: fields one after the
 * other, messages inside messages. The first failure stays in `failed`, and whatever follows does nothing: the caller
 * asks once, at the end. */
#ifndef AD_TRANSFER_PROTOBUF_H
#define AD_TRANSFER_PROTOBUF_H

#include "base/base.h"

typedef struct ad_protobuf {
    adatom_context *ctx;
    unsigned char *bytes; /* [count] written; ad_protobuf_clear() frees them */
    size_t count, room;
    bool failed; /* memory was lacking; the context has the message */
} ad_protobuf;

/* Makes room for so many bytes in all, so that the memory needn't grow step by step. */
void ad_protobuf_reserve(ad_protobuf *p, size_t bytes);
/* A whole number: int64, int32 and enum fields; negative ones take ten bytes, as everywhere. */
void ad_protobuf_integer(ad_protobuf *p, int field, int64_t value);
void ad_protobuf_float(ad_protobuf *p, int field, float value);
void ad_protobuf_bytes(ad_protobuf *p, int field, const void *bytes, size_t size);
void ad_protobuf_text(ad_protobuf *p, int field, const char *text);
/* What lies between open and close is a message in a field of the message around it. ad_protobuf_close() takes what
 * ad_protobuf_open() returned; the last one that was opened is closed first. */
size_t ad_protobuf_open(ad_protobuf *p, int field);
void ad_protobuf_close(ad_protobuf *p, size_t opened);
/* Only the beginning of such a message: what follows, size bytes, is written elsewhere. */
void ad_protobuf_announce(ad_protobuf *p, int field, size_t size);
void ad_protobuf_clear(ad_protobuf *p);
#endif

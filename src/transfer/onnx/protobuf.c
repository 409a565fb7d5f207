#include "transfer/onnx/protobuf.h"

#include <string.h>

/* What a tag says of the value behind it. */
enum { WIRE_VARINT = 0, WIRE_LENGTH = 2, WIRE_32_BITS = 5 };
enum { MOST_VARINT = 10, FIRST_ROOM = 4096 };

void ad_protobuf_reserve(ad_protobuf *p, size_t bytes) {
    if (p->failed || bytes <= p->room) return;
    unsigned char *grown = ad_realloc(p->ctx, p->bytes, p->count, bytes, 1);
    if (!grown) {
        p->failed = true;
        return;
    }
    p->bytes = grown;
    p->room = bytes;
}

/* Room for `more` bytes at the end. Memory doubles, so that all copies together stay below the final size. */
static bool make_room(ad_protobuf *p, size_t more) {
    if (more > p->room - p->count)
        ad_protobuf_reserve(p, AD_MAX(AD_MAX(p->count + more, 2 * p->room), (size_t)FIRST_ROOM));
    return !p->failed;
}

static void append(ad_protobuf *p, const void *bytes, size_t size) {
    if (size == 0 || !make_room(p, size)) return;
    memcpy(p->bytes + p->count, bytes, size);
    p->count += size;
}

/* Seven bits a byte, the lowest first; the top bit says that more follow. Returns the number of bytes. */
static size_t varint(uint64_t value, unsigned char out[MOST_VARINT]) {
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) out[n++] = (unsigned char)(value | 0x80);
    out[n++] = (unsigned char)value;
    return n;
}

static void append_varint(ad_protobuf *p, uint64_t value) {
    unsigned char bytes[MOST_VARINT];
    append(p, bytes, varint(value, bytes));
}

static void tag(ad_protobuf *p, int field, int wire) { append_varint(p, (uint64_t)field << 3 | (uint64_t)wire); }

void ad_protobuf_integer(ad_protobuf *p, int field, int64_t value) {
    tag(p, field, WIRE_VARINT);
    append_varint(p, (uint64_t)value);
}

void ad_protobuf_float(ad_protobuf *p, int field, float value) {
    tag(p, field, WIRE_32_BITS);
    append(p, &value, sizeof value);
}

void ad_protobuf_announce(ad_protobuf *p, int field, size_t size) {
    tag(p, field, WIRE_LENGTH);
    append_varint(p, size);
}

void ad_protobuf_bytes(ad_protobuf *p, int field, const void *bytes, size_t size) {
    ad_protobuf_announce(p, field, size);
    append(p, bytes, size);
}

void ad_protobuf_text(ad_protobuf *p, int field, const char *text) { ad_protobuf_bytes(p, field, text, strlen(text)); }

size_t ad_protobuf_open(ad_protobuf *p, int field) {
    tag(p, field, WIRE_LENGTH);
    return p->count;
}

void ad_protobuf_close(ad_protobuf *p, size_t opened) {
    unsigned char length[MOST_VARINT];
    if (p->failed) return;
    /* The length stands before the message, and how many bytes it takes is known only now. */
    const size_t size = p->count - opened, n = varint(size, length);
    if (!make_room(p, n)) return;
    memmove(p->bytes + opened + n, p->bytes + opened, size);
    memcpy(p->bytes + opened, length, n);
    p->count += n;
}

void ad_protobuf_clear(ad_protobuf *p) {
    ad_free(p->bytes);
    *p = (ad_protobuf){.ctx = p->ctx};
}

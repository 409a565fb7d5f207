/* Pickles and zip archives put together byte by byte. */
#ifndef PICKLE_BYTES_H
#define PICKLE_BYTES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    unsigned char *at;
    size_t size, capacity;
} bytes;

static inline void put(bytes *b, const void *what, size_t size) {
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->at = realloc(b->at, b->capacity);
    }
    if (size) memcpy(b->at + b->size, what, size);
    b->size += size;
}
static inline void put_text(bytes *b, const char *text) { put(b, text, strlen(text)); }
static inline void put_byte(bytes *b, int byte) { put(b, &(unsigned char){(unsigned char)byte}, 1); }
static inline void put_number(bytes *b, uint64_t number, size_t width) {
    for (size_t i = 0; i < width; i++) put_byte(b, i < 8 ? (int)(number >> 8 * i & 255) : 0);
}
/* Gives the bytes up, in a block that is exactly as long as they are, so that the address sanitizer sees a read past
 * their end. */
static inline unsigned char *seal(bytes *b) {
    unsigned char *exact = malloc(b->size + !b->size);
    if (b->size) memcpy(exact, b->at, b->size);
    free(b->at);
    b->at = NULL;
    return exact;
}

/* Opcodes with their arguments. */
static inline void put_string(bytes *b, const char *text) {
    put_byte(b, 'X');
    put_number(b, strlen(text), 4);
    put_text(b, text);
}
static inline void put_int(bytes *b, int64_t number) {
    put_byte(b, 0x8a);
    put_byte(b, 8);
    put_number(b, (uint64_t)number, 8);
}
static inline void put_global(bytes *b, const char *module, const char *name) {
    put_byte(b, 'c');
    put_text(b, module);
    put_byte(b, '\n');
    put_text(b, name);
    put_byte(b, '\n');
}
static inline void put_ints(bytes *b, int count, const int64_t *numbers) {
    put_byte(b, '(');
    for (int i = 0; i < count; i++) put_int(b, numbers[i]);
    put_byte(b, 't');
}

/* A tensor as torch.save writes it. */
typedef struct stored {
    const char *name, *type, *key;
    int64_t numbers, offset;
    int rank;
    int64_t shape[9], stride[9];
} stored;

static inline void put_storage(bytes *b, const char *type, const char *key, int64_t numbers) {
    put_byte(b, '(');
    put_string(b, "storage");
    put_global(b, "torch", type);
    put_string(b, key);
    put_string(b, "cpu");
    put_int(b, numbers);
    put_text(b, "tQ");
}
static inline void put_tensor(bytes *b, const stored *t) {
    put_global(b, "torch._utils", "_rebuild_tensor_v2");
    put_byte(b, '(');
    put_storage(b, t->type, t->key, t->numbers);
    put_int(b, t->offset);
    put_ints(b, t->rank, t->shape);
    put_ints(b, t->rank, t->stride);
    put_byte(b, 0x89);
    put_global(b, "collections", "OrderedDict");
    put_text(b, ")RtR");
}
/* An OrderedDict of tensors, the whole pickle. */
static inline bytes state_of(const stored *tensors, size_t count) {
    bytes b = {0};
    put_text(&b, "\x80\x02");
    put_global(&b, "collections", "OrderedDict");
    put_text(&b, ")R(");
    for (size_t i = 0; i < count; i++) {
        put_string(&b, tensors[i].name);
        put_tensor(&b, &tensors[i]);
    }
    put_text(&b, "u.");
    return b;
}

/* A zip archive: begin, any members, end. */
typedef struct zip {
    bytes file, directory;
    int count;
} zip;

typedef struct zip_member {
    const char *name;
    const void *content;
    size_t size;
    uint32_t crc; /* 0: not compared */
    int method, flags;
    uint64_t shift; /* added to the place that the directory says */
} zip_member;

static inline void zip_add(zip *z, zip_member m) {
    const size_t at = z->file.size, name = strlen(m.name);
    put_text(&z->file, "PK\3\4");
    put_number(&z->file, 20, 2);
    put_number(&z->file, (uint64_t)m.flags, 2);
    put_number(&z->file, (uint64_t)m.method, 2);
    put_number(&z->file, 0, 4);
    put_number(&z->file, m.crc, 4);
    put_number(&z->file, m.size, 4);
    put_number(&z->file, m.size, 4);
    put_number(&z->file, name, 2);
    put_number(&z->file, 0, 2);
    put_text(&z->file, m.name);
    put(&z->file, m.content, m.size);
    put_text(&z->directory, "PK\1\2");
    put_number(&z->directory, 20, 2);
    put_number(&z->directory, 20, 2);
    put_number(&z->directory, (uint64_t)m.flags, 2);
    put_number(&z->directory, (uint64_t)m.method, 2);
    put_number(&z->directory, 0, 4);
    put_number(&z->directory, m.crc, 4);
    put_number(&z->directory, m.size, 4);
    put_number(&z->directory, m.size, 4);
    put_number(&z->directory, name, 2);
    put_number(&z->directory, 0, 12);
    put_number(&z->directory, at + m.shift, 4);
    put_text(&z->directory, m.name);
    z->count++;
}
/* wide: with the records of zip64, and nothing in those of 32 bits. */
static inline bytes zip_end(zip *z, int wide) {
    bytes b = z->file;
    const size_t at = b.size;
    put(&b, z->directory.at, z->directory.size);
    const size_t end64 = b.size;
    if (wide) {
        put_text(&b, "PK\6\6");
        put_number(&b, 44, 8);
        put_number(&b, 0x2d002d, 4);
        put_number(&b, 0, 8);
        put_number(&b, (uint64_t)z->count, 8);
        put_number(&b, (uint64_t)z->count, 8);
        put_number(&b, z->directory.size, 8);
        put_number(&b, at, 8);
        put_text(&b, "PK\6\7");
        put_number(&b, 0, 4);
        put_number(&b, end64, 8);
        put_number(&b, 1, 4);
    }
    put_text(&b, "PK\5\6");
    put_number(&b, 0, 4);
    put_number(&b, wide ? 0xFFFF : (uint64_t)z->count, 2);
    put_number(&b, wide ? 0xFFFF : (uint64_t)z->count, 2);
    put_number(&b, wide ? 0xFFFFFFFF : z->directory.size, 4);
    put_number(&b, wide ? 0xFFFFFFFF : at, 4);
    put_number(&b, 0, 2);
    free(z->directory.at);
    *z = (zip){0};
    return b;
}
#endif

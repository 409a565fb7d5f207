/* torch.save since PyTorch 1.6: FOLDER/data.pkl and FOLDER/data/KEY in a zip archive, stored as they are. */
#include "io/torch_parts.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_BYTES = 30,
    RECORD_BYTES = 46,
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    COMMENT_MOST = 65535,
    LOOK_EVERY = 4096,
    NEWEST_VERSION = 10
};

typedef struct archive_bytes {
    adatom_context *ctx;
    const char *name;
    const unsigned char *bytes;
    size_t size;
} archive_bytes;

typedef struct member {
    ad_pickle_text name;
    uint64_t bytes, at; /* where its header is */
    uint32_t crc;
    bool is_stored;
} member;

static adatom_status damaged(const archive_bytes *a, const char *what) {
    return ad_fail(a->ctx, ADATOM_BAD_DATA, "'%s' is a damaged zip archive: %s (is it truncated?)", a->name, what);
}

/* The list of members at the file's end. */
static adatom_status find_directory(const archive_bytes *a, uint64_t *at, uint64_t *length) {
    const unsigned char *bytes = a->bytes;
    const size_t lowest = a->size > END_BYTES + COMMENT_MOST ? a->size - END_BYTES - COMMENT_MOST : 0;
    size_t end = a->size < END_BYTES ? 0 : a->size - END_BYTES + 1;
    bool found = false;
    while (!found && end-- > lowest)
        found =
            memcmp(bytes + end, "PK\5\6", 4) == 0 && ad_little_endian(bytes + end + 20, 2) == a->size - END_BYTES - end;
    if (!found) return damaged(a, "it has no list of its members");
    *length = ad_little_endian(bytes + end + 12, 4);
    *at = ad_little_endian(bytes + end + 16, 4);
    if (end >= LOCATOR_BYTES && memcmp(bytes + end - LOCATOR_BYTES, "PK\6\7", 4) == 0) {
        const uint64_t wide = ad_little_endian(bytes + end - LOCATOR_BYTES + 8, 8);
        if (end < END64_BYTES || wide > end - END64_BYTES || memcmp(bytes + wide, "PK\6\6", 4) != 0)
            return damaged(a, "it has no list of its members");
        *length = ad_little_endian(bytes + wide + 40, 8);
        *at = ad_little_endian(bytes + wide + 48, 8);
    }
    if (*at > end || *length > end - *at) return damaged(a, "the list of its members lies outside of it");
    return ADATOM_OK;
}

/* Sizes and places that don't fit into 32 bits are in the extra field of zip64, in this order. */
static bool read_wide(const unsigned char *extra, size_t size, uint64_t *const wide[3]) {
    for (size_t at = 0; size - at >= 4;) {
        const size_t length = (size_t)ad_little_endian(extra + at + 2, 2);
        size_t used = 0;
        if (length > size - at - 4) return false;
        for (int i = 0; i < 3 && ad_little_endian(extra + at, 2) == 1; i++) {
            if (*wide[i] != UINT32_MAX) continue;
            if (used + 8 > length) return false;
            *wide[i] = ad_little_endian(extra + at + 4 + used, 8);
            used += 8;
        }
        at += 4 + length;
    }
    return true;
}

/* The record at bytes[0] of the directory's rest; *length of it. */
static bool read_record(const unsigned char *bytes, size_t size, member *out, size_t *length) {
    if (size < RECORD_BYTES || memcmp(bytes, "PK\1\2", 4) != 0) return false;
    const size_t name = (size_t)ad_little_endian(bytes + 28, 2), extra = (size_t)ad_little_endian(bytes + 30, 2);
    *length = RECORD_BYTES + name + extra + (size_t)ad_little_endian(bytes + 32, 2);
    if (*length > size) return false;
    uint64_t packed = ad_little_endian(bytes + 20, 4);
    const bool is_encrypted = bytes[8] & 1;
    *out = (member){.name = {(const char *)bytes + RECORD_BYTES, name},
                    .bytes = ad_little_endian(bytes + 24, 4),
                    .at = ad_little_endian(bytes + 42, 4),
                    .crc = (uint32_t)ad_little_endian(bytes + 16, 4),
                    .is_stored = ad_little_endian(bytes + 10, 2) == 0 && !is_encrypted};
    uint64_t *const wide[3] = {&out->bytes, &packed, &out->at};
    return read_wide(bytes + RECORD_BYTES + name, extra, wide) && (!out->is_stored || packed == out->bytes);
}

/* Where a member's bytes are. */
static adatom_status place(const archive_bytes *a, const member *m, const unsigned char **data) {
    const uint64_t size = a->size;
    *data = a->bytes;
    if (!m->is_stored) return ADATOM_OK; /* refused when it is needed */
    if (size < LOCAL_BYTES || m->at > size - LOCAL_BYTES || memcmp(a->bytes + m->at, "PK\3\4", 4) != 0)
        return damaged(a, "a member is not where it should be");
    const uint64_t from =
        m->at + LOCAL_BYTES + ad_little_endian(a->bytes + m->at + 26, 2) + ad_little_endian(a->bytes + m->at + 28, 2);
    if (from > size || m->bytes > size - from) return damaged(a, "a member runs past its end");
    *data = a->bytes + from;
    return ADATOM_OK;
}

/* Whether a text, from a place on, is this word. */
static bool rest_is(ad_pickle_text text, size_t from, const char *word) {
    return text.length == from + strlen(word) && memcmp(text.bytes + from, word, strlen(word)) == 0;
}

/* The length of "FOLDER/" in a member's name; 0: it is in none. */
static size_t folder_of(ad_pickle_text name) {
    const char *slash = memchr(name.bytes, '/', name.length);
    return slash ? (size_t)(slash - name.bytes) + 1 : 0;
}

static adatom_status read_members(const archive_bytes *a, member **members, size_t *count) {
    uint64_t at = 0, length = 0;
    size_t capacity = 0;
    adatom_status status = find_directory(a, &at, &length);
    if (status != ADATOM_OK) return status;
    for (size_t here = 0; here < length;) {
        if (*count == capacity) {
            const size_t grown = capacity ? 2 * capacity : 256;
            member *larger = ad_realloc(a->ctx, *members, capacity, grown, sizeof **members);
            if (!larger) return ADATOM_OUT_OF_MEMORY;
            *members = larger;
            capacity = grown;
        }
        size_t next = 0;
        if (!read_record(a->bytes + at + here, (size_t)length - here, &(*members)[*count], &next))
            return damaged(a, "the list of its members is broken");
        here += next;
        if (++*count % LOOK_EVERY == 0 && ad_interrupted(a->ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
    }
    return ADATOM_OK;
}

/* data.pkl in a folder at the top or, alone, at the top. */
static adatom_status find_pickle(const archive_bytes *a, const member *members, size_t count, const member **out) {
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!rest_is(members[i].name, folder_of(members[i].name), "data.pkl")) continue;
        if (*out) return ad_fail(a->ctx, ADATOM_BAD_DATA, "'%s': data.pkl is in it twice", a->name);
        *out = &members[i];
    }
    if (*out) return ADATOM_OK;
    return ad_fail(a->ctx, ADATOM_BAD_DATA, "'%s' is a zip archive that torch.save did not write: it has no data.pkl",
                   a->name);
}

static adatom_status check_small(const archive_bytes *a, const member *m, size_t folder) {
    if (rest_is(m->name, folder, "constants.pkl"))
        return ad_fail(a->ctx, ADATOM_BAD_DATA,
                       "'%s' is a TorchScript program; save its state alone: torch.save(torch.jit.load(FILE, "
                       "\"cpu\").state_dict(), OTHER)",
                       a->name);
    const bool is_order = rest_is(m->name, folder, "byteorder"), is_version = rest_is(m->name, folder, "version");
    const unsigned char *data = NULL;
    if (!is_order && !is_version) return ADATOM_OK;
    if (!m->is_stored) return ad_torch_refuse_packed(a->ctx, a->name, m->name);
    adatom_status status = place(a, m, &data);
    if (status != ADATOM_OK) return status;
    const ad_pickle_text text = {(const char *)data, (size_t)m->bytes};
    if (is_order && !rest_is(text, 0, "little"))
        return ad_fail(a->ctx, ADATOM_BAD_DATA,
                       "'%s' has the byte order '%.*s'; only little-endian files are read (save it again on a "
                       "little-endian machine)",
                       a->name, (int)AD_MIN(text.length, (size_t)16), text.bytes);
    if (is_version) {
        int version = 0;
        for (size_t i = 0; i < text.length && text.bytes[i] >= '0' && text.bytes[i] <= '9' && version < 1000; i++)
            version = 10 * version + (text.bytes[i] - '0');
        if (version < 1 || version > NEWEST_VERSION)
            return ad_fail(a->ctx, ADATOM_BAD_DATA, "'%s' has version %d of PyTorch's file format; 1 to %d are read",
                           a->name, version, NEWEST_VERSION);
    }
    return ADATOM_OK;
}

adatom_status ad_torch_zip(adatom_context *ctx, const char *name, const unsigned char *bytes, size_t size,
                           ad_torch_parts *out) {
    static const char data[] = "data/";
    const archive_bytes a = {ctx, name, bytes, size};
    adatom_status status = ADATOM_OK;
    member *members = NULL;
    const member *pickle = NULL;
    const unsigned char *at = NULL;
    size_t count = 0;
    uint64_t all = 0;
    *out = (ad_torch_parts){0};
    AD_TRY(read_members(&a, &members, &count));
    AD_TRY(find_pickle(&a, members, count, &pickle));
    const size_t folder = folder_of(pickle->name), prefix = folder + sizeof data - 1;
    if (!(out->parts = ad_calloc(ctx, count, sizeof *out->parts))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t i = 0; i < count; i++) {
        const member *m = &members[i];
        if (m->name.length < folder || memcmp(m->name.bytes, pickle->name.bytes, folder) != 0) continue;
        if (m->name.length < prefix || memcmp(m->name.bytes + folder, data, sizeof data - 1) != 0) {
            AD_TRY(check_small(&a, m, folder));
            continue;
        }
        AD_TRY(place(&a, m, &at));
        out->parts[out->count++] = (ad_torch_part){.key = {m->name.bytes + prefix, m->name.length - prefix},
                                                   .data = at,
                                                   .bytes = m->is_stored ? (size_t)m->bytes : 0,
                                                   .crc = m->crc,
                                                   .is_stored = m->is_stored};
        all += m->is_stored ? m->bytes : 0;
        if (all > size) AD_TRY(damaged(&a, "its members overlap"));
    }
    AD_TRY(ad_torch_sort(ctx, name, out));
    AD_TRY(place(&a, pickle, &at));
    ad_torch_part whole = {.key = {"data.pkl", strlen("data.pkl")},
                           .data = at,
                           .bytes = (size_t)pickle->bytes,
                           .crc = pickle->crc,
                           .is_stored = pickle->is_stored};
    AD_TRY(ad_torch_check(ctx, name, &whole));
    AD_TRY(ad_pickle_parse(ctx, name, at, whole.bytes, &out->pickle));
done:
    ad_free(members);
    if (status != ADATOM_OK) ad_torch_parts_clear(out);
    return status;
}

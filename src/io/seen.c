/* Remembers what was in a folder's files or in an archive when they were last read, so that their content hashes are
 * known without reading them again. The system's facts of a file (place, size, times) only decide whether it must be
 * read again; a file that may have been written since then is read. */
#include "io/dataset.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define MAGIC "adatomSE"
enum { VERSION = 1 };
/* A file that was written less than this before it was read could be written again without a change of its time: some
 * file systems count in steps of two seconds. */
#define SETTLED_NS ((int64_t)2500000000)

typedef struct header {
    char magic[8];
    uint32_t version, is_archive;
    uint64_t checksum; /* of everything behind the header */
} header;

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

typedef struct writer {
    adatom_context *ctx;
    char *bytes;
    size_t size, capacity;
    bool failed;
} writer;

static void put(writer *w, const void *bytes, size_t size) {
    if (w->failed) return;
    if (w->capacity - w->size < size) {
        size_t grown = AD_MAX(2 * w->capacity, w->size + size + 65536);
        char *larger = ad_realloc(w->ctx, w->bytes, w->size, grown, 1);
        w->failed = !larger;
        if (!larger) return;
        w->bytes = larger;
        w->capacity = grown;
    }
    if (size) memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
}
static void put_number(writer *w, uint64_t number) { put(w, &number, sizeof number); }
static void put_text(writer *w, const char *text) { put(w, text, strlen(text) + 1); }

typedef struct reader {
    const char *at, *end;
    bool failed;
} reader;

static const void *get(reader *r, size_t size) {
    if (r->failed || (size_t)(r->end - r->at) < size) {
        r->failed = true;
        return NULL;
    }
    const void *found = r->at;
    r->at += size;
    return found;
}
static uint64_t get_number(reader *r) {
    uint64_t number = 0;
    const void *bytes = get(r, sizeof number);
    if (bytes) memcpy(&number, bytes, sizeof number);
    return number;
}
static const char *get_text(reader *r) {
    const char *text = r->at;
    const void *end = r->failed ? NULL : memchr(r->at, 0, (size_t)(r->end - r->at));
    if (!end) {
        r->failed = true;
        return "";
    }
    r->at = (const char *)end + 1;
    return text;
}

/* ---- which files can be recognised by what the system says of them ---- */

/* Whether the file system tells changes reliably. Not trusted are those on which the time of the last change is
 * missing, coarse or set by another machine. */
static bool tells_changes(const char *path) {
    static const unsigned long doubtful[] = {
        0x4d44,     0x2011BAB0, 0x65735546, 0x517B,    0xFF534D42,
        0xFE534D42, 0x01021997, 0x5346544e, 0x7366746e}; /* FAT, exFAT, FUSE, SMB, 9P, NTFS */
    struct statfs info;
    if (statfs(path, &info) != 0) return false;
    for (size_t i = 0; i < AD_COUNT(doubtful); i++)
        if (((unsigned long)info.f_type & 0xFFFFFFFFul) == doubtful[i]) return false;
    return true;
}

typedef struct devices {
    uint64_t number[16];
    bool believed[16];
    size_t count;
} devices;

static bool is_settled(const ad_source *source, const char *path, const ad_identity *identity, devices *known) {
    if (AD_MAX(identity->mtime_ns, identity->ctime_ns) > source->opened_ns - SETTLED_NS) return false;
    for (size_t i = 0; i < known->count; i++)
        if (known->number[i] == identity->device) return known->believed[i];
    if (known->count == AD_COUNT(known->number)) return false;
    char *full =
        source->is_archive ? ad_strdup(source->ctx, source->root) : ad_format(source->ctx, "%s/%s", source->root, path);
    const bool believed = full && tells_changes(full);
    ad_free(full);
    known->number[known->count] = identity->device;
    known->believed[known->count++] = believed;
    return believed;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* The path of the file that is kept for this source. *place: the source's real path, which the file repeats. Both are
 * NULL where the source has no real path. */
static adatom_status file_of(const ad_source *source, const char *folder, char **path, char **place) {
    char hex[17], *full = realpath(source->root, NULL);
    *path = NULL;
    *place = NULL;
    if (!full) return ADATOM_OK;
    *place = ad_strdup(source->ctx, full);
    free(full);
    if (!*place) return ADATOM_OUT_OF_MEMORY;
    ad_hash_hex(ad_hash(*place, strlen(*place), 0), hex);
    *path = ad_format(source->ctx, "%s/sources-%s.bin", folder, hex);
    return *path ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

static void put_identity(writer *w, const ad_identity *identity) { put(w, identity, sizeof *identity); }
static bool same_identity(const ad_identity *a, const ad_identity *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}
static ad_identity get_identity(reader *r) {
    ad_identity identity = {0};
    const void *bytes = get(r, sizeof identity);
    if (bytes) memcpy(&identity, bytes, sizeof identity);
    return identity;
}

/* Takes the hashes of the files that are unchanged. Both lists are sorted by path. */
static void take_files(ad_source *source, reader *r) {
    size_t i = 0;
    for (uint64_t left = get_number(r); left > 0 && !r->failed; left--) {
        const char *path = get_text(r);
        const ad_identity identity = get_identity(r);
        const uint64_t hash = get_number(r);
        int order = -1;
        while (!r->failed && i < source->count && (order = strcmp(source->entries[i].path, path)) < 0) i++;
        if (r->failed || i == source->count || order != 0) continue;
        if (same_identity(&source->entries[i].identity, &identity)) source->entries[i].hash = hash;
    }
}

static adatom_status take_members(ad_source *source, reader *r) {
    adatom_status status = ADATOM_OK;
    const ad_identity identity = get_identity(r);
    if (!same_identity(&identity, &source->identity)) return ADATOM_OK;
    for (uint64_t left = get_number(r); left > 0 && !r->failed; left--) {
        const char *path = get_text(r);
        const uint64_t kind = get_number(r), member = get_number(r), hash = get_number(r), size = get_number(r);
        const void *bytes = size ? get(r, (size_t)size) : NULL;
        ad_entry *entry = NULL;
        if (r->failed || (kind != AD_ENTRY_PICTURE && kind != AD_ENTRY_CSV)) return ADATOM_OK;
        char *copy = ad_strdup(source->ctx, path);
        if (!copy) return ADATOM_OUT_OF_MEMORY;
        AD_TRY(ad_source_add(source, copy, (ad_entry_kind)kind, &entry));
        entry->member = (size_t)member;
        entry->hash = hash;
        if (!bytes) continue;
        if (!(entry->bytes = ad_malloc(source->ctx, (size_t)size, 1))) return ADATOM_OUT_OF_MEMORY;
        memcpy(entry->bytes, bytes, (size_t)size);
        entry->bytes_size = (size_t)size;
    }
    for (uint64_t left = get_number(r); left > 0 && !r->failed; left--) {
        const uint64_t kind = get_number(r), times = get_number(r);
        const char *path = get_text(r);
        if (r->failed || kind >= AD_PASSED_KINDS || times == 0) return ADATOM_OK;
        AD_TRY(ad_pass_over(source, (ad_passed_kind)kind, path));
        source->passed.count[kind] += (size_t)times - 1;
    }
    source->is_listed = !r->failed && r->at == r->end;
done:
    return status;
}

/* Returns the source to an archive that has not been listed. */
static void forget_members(ad_source *source) {
    for (size_t i = 0; i < source->count; i++) {
        ad_free(source->entries[i].path);
        ad_free(source->entries[i].bytes);
    }
    source->count = 0;
    ad_passed_free(&source->passed);
}

adatom_status ad_seen_load(ad_source *source, const char *folder) {
    char *path = NULL, *place = NULL, *bytes = NULL;
    size_t size = 0;
    struct stat info;
    header h;
    adatom_status status = ADATOM_OK;
    AD_TRY(file_of(source, folder, &path, &place));
    if (!path || stat(path, &info) != 0) goto done;
    status = ad_read_file(source->ctx, path, SIZE_MAX, &bytes, &size);
    if (status == ADATOM_OUT_OF_MEMORY) goto done;
    bool usable = status == ADATOM_OK && size > sizeof h;
    if (usable) memcpy(&h, bytes, sizeof h);
    usable = usable && !memcmp(h.magic, MAGIC, sizeof h.magic) && h.version == VERSION &&
             h.is_archive == (uint32_t)source->is_archive &&
             h.checksum == ad_hash(bytes + sizeof h, size - sizeof h, 0);
    status = ADATOM_OK;
    if (!usable) goto done; /* without a usable record everything is read */
    reader r = {.at = bytes + sizeof h, .end = bytes + size};
    if (strcmp(get_text(&r), place) != 0) goto done;
    source->seen = h.checksum;
    utimensat(AT_FDCWD, path, NULL, 0); /* its time is that of its last use (cache.c) */
    if (!source->is_archive) take_files(source, &r);
    if (source->is_archive) status = take_members(source, &r);
    if (source->is_archive && !source->is_listed) forget_members(source);
done:
    ad_free(bytes);
    ad_free(path);
    ad_free(place);
    return status;
}

static void put_files(writer *w, const ad_source *source) {
    uint64_t count = 0;
    devices known = {0};
    const size_t count_at = w->size;
    put_number(w, 0);
    for (size_t i = 0; i < source->count; i++) {
        const ad_entry *entry = &source->entries[i];
        if (!entry->hash || !is_settled(source, entry->path, &entry->identity, &known)) continue;
        put_text(w, entry->path);
        put_identity(w, &entry->identity);
        put_number(w, entry->hash);
        count++;
    }
    if (!w->failed) memcpy(w->bytes + count_at, &count, sizeof count);
}

/* Writes the reasons that were noted, and returns how many records these are. */
static uint64_t put_passed(writer *w, const ad_passed *p) {
    bool is_listed[AD_PASSED_KINDS] = {false};
    uint64_t records = 0;
    for (size_t i = 0; i < p->item_count; i++) {
        const struct ad_passed_item *item = &p->items[i];
        is_listed[item->kind] = true;
        if (item->kind == AD_PASSED_BESIDE) continue; /* depends on which pictures are selected */
        put_number(w, item->kind);
        put_number(w, 1);
        put_text(w, item->path);
        records++;
    }
    for (uint64_t kind = 0; kind < AD_PASSED_KINDS; kind++) {
        if (is_listed[kind] || p->count[kind] == 0) continue;
        put_number(w, kind);
        put_number(w, p->count[kind]);
        put_text(w, p->example[kind]);
        records++;
    }
    return records;
}

static void put_members(writer *w, const ad_source *source) {
    devices known = {0};
    if (!is_settled(source, "", &source->identity, &known)) return;
    put_identity(w, &source->identity);
    put_number(w, source->count);
    for (size_t i = 0; i < source->count; i++) {
        const ad_entry *entry = &source->entries[i];
        const size_t kept = entry->kind == AD_ENTRY_CSV && entry->bytes && entry->bytes_size <= AD_LIST_KEEP_BYTES
                                ? entry->bytes_size
                                : 0;
        put_text(w, entry->path);
        put_number(w, entry->kind);
        put_number(w, entry->member);
        put_number(w, entry->hash);
        put_number(w, kept);
        put(w, entry->bytes, kept);
    }
    const size_t count_at = w->size;
    put_number(w, 0);
    const uint64_t records = put_passed(w, &source->passed);
    if (!w->failed) memcpy(w->bytes + count_at, &records, sizeof records);
}

void ad_seen_store(ad_source *source, const char *folder) {
    writer w = {.ctx = source->ctx};
    header h = {.version = VERSION, .is_archive = (uint32_t)source->is_archive};
    char *path = NULL, *place = NULL;
    adatom_status status = file_of(source, folder, &path, &place);
    if (status != ADATOM_OK || !path) goto done;
    memcpy(h.magic, MAGIC, sizeof h.magic);
    put(&w, &h, sizeof h);
    put_text(&w, place);
    const size_t empty = w.size + (source->is_archive ? 0 : sizeof(uint64_t));
    if (source->is_archive) put_members(&w, source);
    if (!source->is_archive) put_files(&w, source);
    if (w.failed) status = ADATOM_OUT_OF_MEMORY;
    if (w.failed || w.size <= empty) goto done; /* nothing in it could be trusted the next time */
    h.checksum = ad_hash(w.bytes + sizeof h, w.size - sizeof h, 0);
    if (h.checksum == source->seen) goto done; /* unchanged since it was loaded */
    memcpy(w.bytes, &h, sizeof h);
    status = ad_write_file(source->ctx, path, w.bytes, w.size);
done:
    if (status != ADATOM_OK)
        ad_log(source->ctx, ADATOM_LOG_WARNING, "what was seen in '%s' is not kept: %s", source->root,
               source->ctx->message);
    ad_free(w.bytes);
    ad_free(path);
    ad_free(place);
}

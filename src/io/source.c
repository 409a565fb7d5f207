/* Files of a folder or of an archive, as one list. Member names only ever serve as names: nothing is unpacked to disk. */
#include "io/dataset.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What other systems leave behind: hidden files (macOS's ._x among them) and __MACOSX. */
static bool is_junk(const char *component) { return component[0] == '.' || !strcmp(component, "__MACOSX"); }

/* A copy of name with "." and empty components left out; *junk tells whether one of the rest is. */
static char *tidy_path(adatom_context *ctx, const char *name, bool *junk) {
    *junk = false;
    char *path = ad_malloc(ctx, strlen(name) + 1, 1);
    if (!path) return NULL;
    size_t length = 0;
    for (const char *at = name; *at;) {
        size_t n = strcspn(at, "/");
        if (n > 0 && !(n == 1 && *at == '.')) {
            if (length) path[length++] = '/';
            memcpy(path + length, at, n);
            path[length + n] = 0;
            if (is_junk(path + length)) *junk = true;
            length += n;
        }
        at += n + (at[n] == '/');
    }
    path[length] = 0;
    return path;
}

/* Adds an entry unless it is junk or neither picture nor list; *added is NULL then. Valid until the next one is added. */
static adatom_status add_entry(ad_source *source, const char *name, ad_entry **added) {
    *added = NULL;
    ad_entry_kind kind = ad_kind_of_name(name);
    if (kind == AD_ENTRY_OTHER) return ADATOM_OK;
    bool junk = false;
    char *path = tidy_path(source->ctx, name, &junk);
    if (!path) return ADATOM_OUT_OF_MEMORY;
    if (junk) {
        ad_free(path);
        return ADATOM_OK;
    }
    if (source->count == source->capacity) {
        size_t grown = source->capacity ? 2 * source->capacity : 256;
        ad_entry *entries = ad_realloc(source->ctx, source->entries, source->capacity, grown, sizeof *entries);
        if (!entries) {
            ad_free(path);
            return ADATOM_OUT_OF_MEMORY;
        }
        source->entries = entries;
        source->capacity = grown;
    }
    *added = &source->entries[source->count++];
    **added = (ad_entry){.path = path, .kind = kind};
    return ADATOM_OK;
}

/* Folders being walked, innermost first, so that a link back to one of them ends the walk there. */
typedef struct ancestor {
    const struct ancestor *parent;
    dev_t device;
    ino_t inode;
} ancestor;

/* relative is "" or ends in a slash. */
static adatom_status walk(ad_source *source, const char *relative, const struct stat *info, const ancestor *parent) {
    adatom_context *ctx = source->ctx;
    adatom_status status = ADATOM_OK;
    char *folder = NULL, *name = NULL;
    DIR *stream = NULL;
    ancestor here = {parent, info->st_dev, info->st_ino};
    const size_t before = source->count;
    for (const ancestor *a = parent; a; a = a->parent) {
        if (a->device == here.device && a->inode == here.inode) return ADATOM_OK;
    }
    AD_TRY(ad_interrupted(ctx));
    folder = ad_format(ctx, "%s/%s", source->root, relative);
    if (!folder) AD_TRY(ADATOM_OUT_OF_MEMORY);
    stream = opendir(folder);
    if (!stream) AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "cannot open folder '%s': %s", folder, strerror(errno)));
    for (;;) {
        errno = 0;
        const struct dirent *item = readdir(stream);
        if (!item && errno) AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot read folder '%s': %s", folder, strerror(errno)));
        if (!item) break;
        if (is_junk(item->d_name)) continue;
        struct stat found;
        if (fstatat(dirfd(stream), item->d_name, &found, 0) != 0) continue; /* a dangling link */
        name = ad_format(ctx, "%s%s%s", relative, item->d_name, S_ISDIR(found.st_mode) ? "/" : "");
        if (!name) AD_TRY(ADATOM_OUT_OF_MEMORY);
        if (S_ISDIR(found.st_mode)) AD_TRY(walk(source, name, &found, &here));
        if (S_ISREG(found.st_mode)) {
            ad_entry *entry = NULL;
            AD_TRY(add_entry(source, name, &entry));
            if (entry) {
                entry->size = (uint64_t)found.st_size;
                entry->mtime_ns = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec;
            }
        }
        ad_free(name);
        name = NULL;
    }
    bool empty = *relative != 0;
    for (size_t i = before; i < source->count && empty; i++) empty = source->entries[i].kind == AD_ENTRY_UNREAD;
    if (empty && !source->empty && !(source->empty = ad_format(ctx, "%.*s", (int)strlen(relative) - 1, relative)))
        AD_TRY(ADATOM_OUT_OF_MEMORY);
done:
    if (stream) closedir(stream);
    ad_free(folder);
    ad_free(name);
    return status;
}

static int by_path(const void *a, const void *b) { return strcmp(((const ad_entry *)a)->path, ((const ad_entry *)b)->path); }

adatom_status ad_source_open(adatom_context *ctx, const char *path, ad_source *out) {
    *out = (ad_source){.ctx = ctx};
    struct stat info;
    adatom_status status = ADATOM_OK;
    if (stat(path, &info) != 0) return ad_fail(ctx, ADATOM_BAD_DATA, "cannot open '%s': %s", path, strerror(errno));
    out->root = ad_strdup(ctx, path);
    if (!out->root) return ADATOM_OUT_OF_MEMORY;
    if (S_ISREG(info.st_mode)) {
        const char *base = strrchr(path, '/');
        base = base ? base + 1 : path;
        int64_t facts[3] = {(int64_t)info.st_size, (int64_t)info.st_mtim.tv_sec, (int64_t)info.st_mtim.tv_nsec};
        out->is_archive = true;
        out->stamp = ad_hash(facts, sizeof facts, ad_hash(base, strlen(base), 1));
        return ADATOM_OK;
    }
    if (!S_ISDIR(info.st_mode)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is neither a folder nor a file", path);
    AD_TRY(walk(out, "", &info, NULL));
    if (out->count) qsort(out->entries, out->count, sizeof *out->entries, by_path);
    for (size_t i = 0; i < out->count; i++) {
        const ad_entry *entry = &out->entries[i];
        int64_t facts[2] = {(int64_t)entry->size, entry->mtime_ns};
        out->stamp = ad_hash(facts, sizeof facts, ad_hash(entry->path, strlen(entry->path) + 1, out->stamp));
    }
done:
    return status;
}

adatom_status ad_source_files(adatom_context *ctx, const char *const *paths, size_t count, ad_source *out) {
    adatom_status status = ADATOM_OK;
    *out = (ad_source){.ctx = ctx, .count = 0};
    out->entries = ad_calloc(ctx, count, sizeof *out->entries);
    out->root = ad_strdup(ctx, "");
    if (!out->entries || !out->root) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) {
        out->entries[i] = (ad_entry){.path = ad_strdup(ctx, paths[i]), .kind = AD_ENTRY_PICTURE};
        if (!out->entries[i].path) AD_TRY(ADATOM_OUT_OF_MEMORY);
        out->count++;
    }
done:
    return status;
}

bool ad_source_is_picture(const char *path) {
    struct stat info;
    return ad_kind_of_name(path) == AD_ENTRY_PICTURE && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static adatom_status damaged(const ad_source *source, struct archive *reader, const char *member) {
    const char *reason = archive_error_string(reader);
    return ad_fail(source->ctx, archive_errno(reader) == ENOMEM ? ADATOM_OUT_OF_MEMORY : ADATOM_BAD_DATA,
                   "archive '%s' is damaged or cut short%s%s%s: %s", source->root, member ? " at '" : "", member ? member : "",
                   member ? "'" : "", reason ? reason : "no reason given");
}

static adatom_status open_archive(ad_source *source, struct archive **out) {
    struct archive *reader = archive_read_new();
    *out = reader;
    if (!reader) return ad_fail(source->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for reading archive '%s'", source->root);
    /* Named one by one: libarchive's "all" includes filters that run other programs. */
    archive_read_support_format_tar(reader);
    archive_read_support_format_zip_seekable(reader); /* not "zip": without the directory at its end a zip isn't whole */
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_zstd(reader);
    return ADATOM_OK;
}

static adatom_status read_member(ad_source *source, struct archive *reader, const char *name, char **bytes, size_t *size) {
    adatom_status status = ADATOM_OK;
    char *content = NULL;
    size_t used = 0, capacity = 0;
    for (;;) {
        if (used == capacity) { /* grown as bytes arrive: the size a header declares is only a claim */
            size_t grown = capacity ? 2 * capacity : 16384;
            char *larger = ad_realloc(source->ctx, content, used, grown, 1);
            if (!larger) AD_TRY(ADATOM_OUT_OF_MEMORY);
            content = larger;
            capacity = grown;
        }
        la_ssize_t n = archive_read_data(reader, content + used, capacity - used);
        if (n < 0) AD_TRY(damaged(source, reader, name));
        if (n == 0) break;
        used += (size_t)n;
        if (used > AD_PICTURE_MAX_BYTES)
            AD_TRY(
                ad_fail(source->ctx, ADATOM_BAD_DATA, "'%s' in '%s' is larger than %zu bytes", name, source->root, AD_PICTURE_MAX_BYTES));
    }
    *bytes = content;
    *size = used;
    content = NULL;
done:
    ad_free(content);
    return status;
}

/* The name of regular file number `member`, the next one, or NULL at the end. */
static adatom_status next_header(ad_source *source, struct archive *reader, size_t member, const char **name) {
    *name = NULL;
    for (struct archive_entry *entry = NULL;;) {
        if ((entry || member > 0) && archive_read_data_skip(reader) != ARCHIVE_OK) return damaged(source, reader, NULL);
        la_int64_t member_end = archive_filter_bytes(reader, 0);
        int code = archive_read_next_header(reader, &entry);
        if (code == ARCHIVE_EOF) {
            /* A tar that was cut between two members looks whole but for the block of zeros at its end. */
            bool is_tar = (archive_format(reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
            if (!is_tar || archive_filter_bytes(reader, 0) >= member_end + 512) return ADATOM_OK;
            return ad_fail(source->ctx, ADATOM_BAD_DATA, "archive '%s' is cut short: its end mark is missing", source->root);
        }
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return damaged(source, reader, NULL);
        if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) continue;
        /* The first is NULL where the name can't be said in the current locale. */
        *name = archive_entry_pathname(entry);
        if (!*name) *name = archive_entry_pathname_utf8(entry);
        if (*name) return ADATOM_OK;
    }
}

/* An archive that libarchive doesn't recognise: says what the file is instead. */
static adatom_status not_an_archive(const ad_source *source, struct archive *reader) {
    char first[512];
    size_t size = 0;
    int file = open(source->root, O_RDONLY | O_CLOEXEC);
    if (file < 0) return ad_fail(source->ctx, ADATOM_BAD_DATA, "cannot open '%s': %s", source->root, strerror(errno));
    ssize_t n = read(file, first, sizeof first);
    close(file);
    if (n > 0) size = (size_t)n;
    const char *what = ad_sniff(first, size);
    if (what && strstr(what, "archive")) return damaged(source, reader, NULL);
    return ad_fail(source->ctx, ADATOM_BAD_DATA, "'%s' is %s, not a folder, zip or tar archive of pictures", source->root,
                   what ? what : "something unknown");
}

adatom_status ad_source_scan(ad_source *source, size_t keep_bytes) {
    if (!source->is_archive) return ADATOM_OK;
    struct archive *reader = NULL;
    adatom_status status = ADATOM_OK;
    const char *name = NULL;
    AD_TRY(open_archive(source, &reader));
    if (archive_read_open_filename(reader, source->root, 1 << 16) != ARCHIVE_OK) AD_TRY(not_an_archive(source, reader));
    for (size_t member = 0;; member++) {
        if (member % 64 == 0) AD_TRY(ad_interrupted(source->ctx));
        status = next_header(source, reader, member, &name);
        if (status == ADATOM_BAD_DATA && member == 0 && archive_filter_count(reader) <= 1) status = not_an_archive(source, reader);
        if (status != ADATOM_OK || !name) break;
        ad_entry *entry = NULL;
        AD_TRY(add_entry(source, name, &entry));
        if (!entry) continue;
        entry->member = member;
        if (keep_bytes == 0 || entry->kind == AD_ENTRY_UNREAD) continue;
        AD_TRY(read_member(source, reader, entry->path, &entry->bytes, &entry->bytes_size));
        keep_bytes -= AD_MIN(keep_bytes, entry->bytes_size);
    }
done:
    archive_read_free(reader);
    return status;
}

static adatom_status read_archived(ad_source *source, const ad_entry *entry, char **bytes, size_t *size) {
    adatom_status status = ADATOM_OK;
    const char *name = NULL;
    if (!source->reader || source->next_member > entry->member) {
        struct archive *reader = NULL;
        archive_read_free(source->reader);
        source->next_member = 0;
        status = open_archive(source, &reader);
        source->reader = reader;
        AD_TRY(status);
        if (archive_read_open_filename(reader, source->root, 1 << 16) != ARCHIVE_OK) AD_TRY(damaged(source, reader, NULL));
    }
    do {
        AD_TRY(next_header(source, source->reader, source->next_member, &name));
        if (!name) AD_TRY(ad_fail(source->ctx, ADATOM_BAD_DATA, "archive '%s' changed while it was read", source->root));
    } while (source->next_member++ != entry->member);
    AD_TRY(read_member(source, source->reader, entry->path, bytes, size));
done:
    return status;
}

adatom_status ad_source_read(ad_source *source, size_t i, char **bytes, size_t *size) {
    ad_entry *entry = &source->entries[i];
    *bytes = NULL;
    *size = 0;
    if (entry->bytes) {
        *bytes = entry->bytes;
        *size = entry->bytes_size;
        entry->bytes = NULL;
        return ADATOM_OK;
    }
    if (source->is_archive) return read_archived(source, entry, bytes, size);
    char *path = ad_format(source->ctx, "%s%s%s", source->root, *source->root ? "/" : "", entry->path);
    if (!path) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ad_read_file(source->ctx, path, AD_PICTURE_MAX_BYTES, bytes, size);
    ad_free(path);
    return status;
}

void ad_source_close(ad_source *source) {
    for (size_t i = 0; i < source->count; i++) {
        ad_free(source->entries[i].path);
        ad_free(source->entries[i].bytes);
    }
    ad_free(source->entries);
    ad_free(source->root);
    ad_free(source->empty);
    archive_read_free(source->reader);
    *source = (ad_source){0};
}

/* Lists the files of a folder or of an archive. Names of members only serve as names: nothing is unpacked to disk. */
#include "io/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool ad_is_service_name(const char *component) {
    /* Names of macOS, Synology, QNAP, Windows, Linux and desktop tools. A name that begins with a dot is hidden on
     * every system. */
    static const char *const names[] = {"__MACOSX",
                                        "@eaDir",
                                        "#recycle",
                                        "@Recycle",
                                        "@Recently-Snapshot",
                                        "$RECYCLE.BIN",
                                        "RECYCLER",
                                        "RECYCLED",
                                        "lost+found",
                                        "Thumbs.db",
                                        "System Volume Information",
                                        "Desktop.ini",
                                        "#snapshot",
                                        "@tmp",
                                        "@sharebin",
                                        "@__thumb",
                                        "Network Trash Folder",
                                        "Temporary Items",
                                        "ehthumbs.db",
                                        "~snapshot",
                                        "TheVolumeSettingsFolder",
                                        "TheFindByContentFolder",
                                        "@appstore"};
    if (component[0] == '.') return true;
    for (size_t i = 0; i < AD_COUNT(names); i++)
        if (ad_same_letters(component, names[i], SIZE_MAX)) return true;
    /* Windows' disk check leaves folders called FOUND.000, FOUND.001 ... */
    return ad_same_letters(component, "found.", 6) && strlen(component) == 9 &&
           strspn(component + 6, "0123456789") == 3;
}

bool ad_name_may_be_picture(const char *name) {
    /* Endings of files that commonly lie beside pictures and are none. */
    static const char *const others[] = {
        "txt", "xml",  "json", "jsonl", "md",  "csv", "tsv", "htm",  "html", "py",         "ipynb", "c",    "h",
        "sh",  "js",   "css",  "mat",   "npy", "npz", "pkl", "pt",   "pth",  "h5",         "hdf5",  "db",   "log",
        "yml", "yaml", "toml", "ini",   "cfg", "pdf", "doc", "docx", "xls",  "xlsx",       "odt",   "zip",  "tar",
        "gz",  "tgz",  "xz",   "bz2",   "zst", "7z",  "rar", "md5",  "sha1", "sha256",     "dvc",   "lock", "mp4",
        "avi", "mov",  "mkv",  "mp3",   "wav", "exe", "dll", "so",   "o",    "safetensors"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < AD_COUNT(others); i++)
        if (ad_same_letters(dot + 1, others[i], SIZE_MAX)) return false;
    return true;
}

bool ad_looks_like_picture(const char *bytes, size_t size) {
    const char *what = size ? ad_sniff(bytes, size) : NULL;
    if (what && strstr(what, "picture")) return true;
    if (size >= 26 && !memcmp(bytes, "BM", 2) && !bytes[6] && !bytes[7] && !bytes[8] && !bytes[9]) return true;
    if (size >= 6 && (!memcmp(bytes, "GIF87a", 6) || !memcmp(bytes, "GIF89a", 6))) return true;
    return size >= 8 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' && strchr(" \t\r\n", bytes[2]) &&
           strchr(" \t\r\n#0123456789W", bytes[3]);
}

adatom_status ad_source_add(ad_source *source, char *path, ad_entry_kind kind, ad_entry **added) {
    *added = NULL;
    adatom_status status = ADATOM_OK;
    if (kind == AD_ENTRY_UNREAD) status = ad_pass_over(source, AD_PASSED_UNREAD, path);
    if (status != ADATOM_OK || kind == AD_ENTRY_OTHER || kind == AD_ENTRY_UNREAD) {
        ad_free(path);
        return status;
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

adatom_status ad_source_count_link(ad_source *source) {
    enum { MOST = 1 << 20 };
    if (++source->links <= MOST) return ADATOM_OK;
    return ad_fail(source->ctx, ADATOM_BAD_DATA, "links in '%s' lead into more than %d folders", source->root, MOST);
}

static ad_identity identity_of(const struct stat *info) {
    return (ad_identity){.device = (uint64_t)info->st_dev,
                         .inode = (uint64_t)info->st_ino,
                         .size = (uint64_t)info->st_size,
                         .mtime_ns = (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec,
                         .ctime_ns = (int64_t)info->st_ctim.tv_sec * 1000000000 + info->st_ctim.tv_nsec};
}

/* Reads the first bytes of a file and returns how many; 0: it cannot be read. O_NONBLOCK, since it may have become a
 * pipe. */
static size_t first_bytes(int folder, const char *name, char *out, size_t capacity) {
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return 0;
    ssize_t n = read(file, out, capacity);
    close(file);
    return n > 0 ? (size_t)n : 0;
}

/* The folders from the current one up to the root, so that a link back to one of them ends the walk there. */
typedef struct ancestor {
    const struct ancestor *parent;
    dev_t device;
    ino_t inode;
} ancestor;

static bool is_above(const ancestor *parent, const struct stat *info) {
    for (const ancestor *a = parent; a; a = a->parent)
        if (a->device == info->st_dev && a->inode == info->st_ino) return true;
    return false;
}

/* Notes anything that is not a folder; takes ownership of path. */
static adatom_status take_file(ad_source *source, int folder, const char *name, const struct stat *info, char *path) {
    const ad_entry_kind kind = ad_kind_of_name(name);
    adatom_status status = ADATOM_OK;
    ad_entry *entry = NULL;
    if (!S_ISREG(info->st_mode)) {
        if (kind != AD_ENTRY_OTHER) status = ad_pass_over(source, AD_PASSED_SPECIAL, path);
        ad_free(path);
        return status;
    }
    if (kind == AD_ENTRY_OTHER) {
        char first[64];
        if (ad_name_may_be_picture(name) &&
            ad_looks_like_picture(first, first_bytes(folder, name, first, sizeof first)))
            status = ad_pass_over(source, AD_PASSED_NAMELESS, path);
        ad_free(path);
        return status;
    }
    status = ad_source_add(source, path, kind, &entry);
    if (entry) entry->identity = identity_of(info);
    return status;
}

static adatom_status pass_over_hidden(ad_source *source, const char *name, const char *path) {
    /* macOS writes a file ._NAME beside each file NAME; those are no pictures. */
    const bool is_picture = name[0] == '.' && name[1] != '_' && ad_kind_of_name(name) == AD_ENTRY_PICTURE;
    return ad_pass_over(source, is_picture ? AD_PASSED_HIDDEN : AD_PASSED_SERVICE, path);
}

/* Lists the folder `relative` below the root ("" or ending in a slash) and everything below it. */
static adatom_status walk(ad_source *source, const char *relative, const struct stat *info, const ancestor *parent) {
    adatom_context *ctx = source->ctx;
    adatom_status status = ADATOM_OK;
    char *folder = NULL, *name = NULL;
    DIR *stream = NULL;
    const ancestor here = {parent, info->st_dev, info->st_ino};
    const size_t entries = source->count, items = source->passed.item_count;
    bool is_locked = false;
    AD_TRY(ad_interrupted(ctx));
    folder = ad_format(ctx, "%s/%s", source->root, relative);
    if (!folder) AD_TRY(ADATOM_OUT_OF_MEMORY);
    stream = opendir(folder);
    is_locked = !stream && errno == EACCES && *relative;
    if (!stream && !is_locked)
        AD_TRY(ad_fail(ctx, errno == ENOMEM ? ADATOM_OUT_OF_MEMORY : ADATOM_BAD_DATA, "cannot open folder '%s': %s",
                       folder, strerror(errno)));
    while (stream && !is_locked) {
        errno = 0;
        const struct dirent *item = readdir(stream);
        if (!item && errno) AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot read folder '%s': %s", folder, strerror(errno)));
        if (!item) break;
        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, "..")) continue;
        name = ad_format(ctx, "%s%s", relative, item->d_name);
        if (!name) AD_TRY(ADATOM_OUT_OF_MEMORY);
        struct stat found;
        if (ad_is_service_name(item->d_name)) {
            AD_TRY(pass_over_hidden(source, item->d_name, name));
        } else if (fstatat(dirfd(stream), item->d_name, &found, 0) != 0) {
            const int error = errno;
            if (error == EACCES && fstatat(dirfd(stream), item->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
                is_locked = true; /* the folder can be listed, but not entered */
            } else if (error == ENOENT && fstatat(dirfd(stream), item->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
                /* The file was removed while the folder was read. */
            } else if (error == ENOENT || error == ELOOP || error == EACCES || error == ENOTDIR) {
                if (ad_kind_of_name(name) != AD_ENTRY_OTHER || ad_name_may_be_picture(name))
                    AD_TRY(ad_pass_over(source, AD_PASSED_DANGLING, name));
            } else {
                AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot look at '%s' in '%s': %s", name, source->root, strerror(error)));
            }
        } else if (!S_ISDIR(found.st_mode)) {
            char *path = name;
            name = NULL;
            AD_TRY(take_file(source, dirfd(stream), item->d_name, &found, path));
        } else if (is_above(&here, &found)) {
            AD_TRY(ad_pass_over(source, AD_PASSED_LOOP, name));
        } else {
            char *below = ad_format(ctx, "%s/", name);
            if (!below) AD_TRY(ADATOM_OUT_OF_MEMORY);
            if (item->d_type != DT_DIR) status = ad_source_count_link(source);
            if (status == ADATOM_OK) status = walk(source, below, &found, &here);
            ad_free(below);
            AD_TRY(status);
        }
        ad_free(name);
        name = NULL;
    }
    if (*relative) {
        /* `folder` is the root's path, a slash, the relative path and a slash, which is cut off. */
        folder[strlen(folder) - 1] = 0;
        const char *path = folder + strlen(source->root) + 1;
        AD_TRY(is_locked ? ad_pass_over(source, AD_PASSED_LOCKED, path)
                         : ad_pass_over_if_empty(source, path, entries, items));
    }
done:
    if (stream) closedir(stream);
    ad_free(folder);
    ad_free(name);
    return status;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const ad_entry *)a)->path, ((const ad_entry *)b)->path);
}

adatom_status ad_source_open(adatom_context *ctx, const char *path, ad_source *out) {
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (ad_source){.ctx = ctx, .opened_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec};
    struct stat info;
    adatom_status status = ADATOM_OK;
    if (stat(path, &info) != 0)
        return ad_fail(ctx, errno == ENOMEM ? ADATOM_OUT_OF_MEMORY : ADATOM_BAD_DATA, "cannot open '%s': %s", path,
                       strerror(errno));
    out->root = ad_strdup(ctx, path);
    if (!out->root) return ADATOM_OUT_OF_MEMORY;
    if (S_ISREG(info.st_mode)) {
        out->is_archive = true;
        out->identity = identity_of(&info);
        return ADATOM_OK;
    }
    if (!S_ISDIR(info.st_mode)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is neither a folder nor a file", path);
    AD_TRY(walk(out, "", &info, NULL));
    if (out->count) qsort(out->entries, out->count, sizeof *out->entries, by_path);
    out->is_listed = true;
done:
    return status;
}

adatom_status ad_source_files(adatom_context *ctx, const char *const *paths, size_t count, ad_source *out) {
    adatom_status status = ADATOM_OK;
    *out = (ad_source){.ctx = ctx, .is_listed = true};
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
    char first[512];
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return false;
    const size_t size = first_bytes(AT_FDCWD, path, first, sizeof first);
    if (ad_looks_like_picture(first, size)) return true;
    const char *what = size ? ad_sniff(first, size) : NULL;
    return ad_kind_of_name(path) == AD_ENTRY_PICTURE && !(what && strstr(what, "archive"));
}

adatom_status ad_source_scan(ad_source *source, size_t keep_bytes) {
    return source->is_listed ? ADATOM_OK : ad_archive_scan(source, keep_bytes);
}

adatom_status ad_source_read(ad_source *source, size_t i, char **bytes, size_t *size) {
    ad_entry *entry = &source->entries[i];
    *bytes = NULL;
    *size = 0;
    if (source->is_archive) return ad_archive_read(source, i, bytes, size);
    char *path = ad_format(source->ctx, "%s%s%s", source->root, *source->root ? "/" : "", entry->path);
    if (!path) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ad_read_file(source->ctx, path, AD_PICTURE_MAX_BYTES, bytes, size);
    ad_free(path);
    return status;
}

/* Reads archives in place with libarchive. */
#include "io/dataset.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1 << 16, MEMBER_NAME_MOST = 4096, MEMBER_DEPTH_MOST = 256 };

/* Returns a copy of name without "." and empty components. *usable is false, and the result NULL, for a name that leads
 * out of the archive or is too long or deep; NULL with *usable true: out of memory. */
static char *tidy_path(adatom_context *ctx, const char *name, bool *usable) {
    size_t length = 0, depth = 0, size = strlen(name);
    *usable = size <= MEMBER_NAME_MOST;
    if (!*usable) return NULL;
    char *path = ad_malloc(ctx, size + 1, 1);
    if (!path) return NULL;
    for (const char *at = name; *at;) {
        size_t n = strcspn(at, "/");
        if (n > 0 && !(n == 1 && *at == '.')) {
            if (n == 2 && at[0] == '.' && at[1] == '.') *usable = false;
            if (length) path[length++] = '/';
            memcpy(path + length, at, n);
            length += n;
            depth++;
        }
        at += n + (at[n] == '/');
    }
    path[length] = 0;
    if (depth > MEMBER_DEPTH_MOST) *usable = false;
    if (*usable) return path;
    ad_free(path);
    return NULL;
}

static adatom_status damaged(const ad_source *source, struct archive *reader, const char *member) {
    const char *reason = archive_error_string(reader);
    if (reason && strstr(reason, "nsupported"))
        return ad_fail(source->ctx, ADATOM_BAD_DATA,
                       "archive '%s' is packed in a way that is not read%s%s%s (%s): unpack it, or pack it again",
                       source->root, member ? ", at '" : "", member ? member : "", member ? "'" : "", reason);
    return ad_fail(source->ctx, archive_errno(reader) == ENOMEM ? ADATOM_OUT_OF_MEMORY : ADATOM_BAD_DATA,
                   "archive '%s' is damaged or cut short%s%s%s: %s", source->root, member ? " at '" : "",
                   member ? member : "", member ? "'" : "", reason ? reason : "no reason given");
}

static const char disc[] = "an ISO 9660 archive";

/* What the file is by its first bytes; NULL: not known. */
static const char *kind_of_file(const ad_source *source) {
    char first[512];
    int file = open(source->root, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = file < 0 ? 0 : read(file, first, sizeof first);
    const char *what = ad_sniff(first, n > 0 ? (size_t)n : 0);
    /* An ISO 9660 image begins with 32 KiB that its maker may fill as he likes, often with zeros, which look like an
     * empty tar. */
    if (!what && file >= 0 && pread(file, first, 5, 32769) == 5 && !memcmp(first, "CD001", 5)) what = disc;
    if (file >= 0) close(file);
    return what;
}

/* Chooses the locale in which libarchive returns names unchanged. A zip marks which names are UTF-8, and libarchive
 * cannot return those in the C locale. In a UTF-8 locale libarchive composes accents (NFC); a tar does not need that
 * locale, and in the C locale its names keep their bytes. */
static void choose_locale(ad_source *source) {
    static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8"};
    const char *what = kind_of_file(source);
    locale_t chosen = (locale_t)0;
    if (source->locale) return;
    for (size_t i = 0; what && !strcmp(what, "a zip archive") && !chosen && i < AD_COUNT(names); i++)
        chosen = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
    if (!chosen) chosen = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    source->locale = chosen;
}

/* By the name as it is in UTF-8. */
static bool open_by_name(struct archive *reader, const char *path) {
#ifdef _WIN32 /* where libarchive takes a narrow name to be in an older encoding */
    wchar_t *wide = windows_wide_path(path);
    const bool opened = wide && archive_read_open_filename_w(reader, wide, BLOCK_BYTES) == ARCHIVE_OK;
    free(wide);
    return opened;
#else
    return archive_read_open_filename(reader, path, BLOCK_BYTES) == ARCHIVE_OK;
#endif
}

static adatom_status open_archive(ad_source *source, struct archive **out) {
    struct archive *reader = archive_read_new();
    *out = reader;
    if (!reader)
        return ad_fail(source->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for reading archive '%s'", source->root);
    choose_locale(source);
    /* Formats are enabled one by one: libarchive's "all" includes filters that run other programs. */
    archive_read_support_format_tar(reader);
    archive_read_support_format_zip_seekable(
        reader); /* "zip_seekable" needs the directory at the file's end, so that a zip that was cut short is refused */
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_zstd(reader);
#ifdef _WIN32 /* names that are not marked as UTF-8 are taken to be UTF-8 all the same, as on other systems */
    archive_read_set_options(reader, "hdrcharset=UTF-8");
#endif
    return ADATOM_OK;
}

/* The names in a member's header; NULL: there is none, or it cannot be expressed. */
typedef struct member_names {
    const char *own, *hard, *soft;
    char *made[3]; /* what is to be freed of them */
} member_names;

static member_names names_of(struct archive_entry *header) {
    member_names names = {0};
#ifdef _WIN32 /* where libarchive keeps them in UTF-16, and loses letters on some ways from there */
    const wchar_t *wide[3] = {archive_entry_pathname_w(header), archive_entry_hardlink_w(header),
                              archive_entry_symlink_w(header)};
    for (int i = 0; i < 3; i++)
        if (wide[i]) names.made[i] = windows_narrow_text(wide[i]);
    names.own = names.made[0];
    names.hard = names.made[1];
    names.soft = names.made[2];
#else
    /* archive_entry_pathname() is NULL where the locale cannot express the name. */
    names.own = archive_entry_pathname(header);
    if (!names.own) names.own = archive_entry_pathname_utf8(header);
    names.hard = archive_entry_hardlink(header);
    names.soft = archive_entry_symlink(header);
#endif
    return names;
}

static adatom_status read_content(ad_source *source, struct archive *reader, const char *name, char **bytes,
                                  size_t *size) {
    adatom_status status = ADATOM_OK;
    char *content = NULL;
    size_t used = 0, capacity = 0;
    for (;;) {
        if (used == capacity) { /* Memory grows as bytes arrive, since the size in a member's header may be false. */
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
            AD_TRY(ad_fail(source->ctx, ADATOM_BAD_DATA, "'%s' in '%s' is larger than %zu bytes", name, source->root,
                           AD_PICTURE_MAX_BYTES));
    }
    *bytes = content;
    *size = used;
    content = NULL;
done:
    ad_free(content);
    return status;
}

/* Reads the header of the next member, number `member`; *out is NULL at the archive's end. */
static adatom_status next_header(ad_source *source, struct archive *reader, size_t member, struct archive_entry **out) {
    locale_t before = source->locale ? uselocale((locale_t)source->locale) : (locale_t)0;
    adatom_status status = ADATOM_OK;
    *out = NULL;
    if (member > 0 && archive_read_data_skip(reader) != ARCHIVE_OK) AD_TRY(damaged(source, reader, NULL));
    la_int64_t member_end = archive_filter_bytes(reader, 0);
    int code = archive_read_next_header(reader, out);
    if (code == ARCHIVE_EOF) {
        /* A tar that was cut between two members looks whole, but lacks the block of zeros that marks its end. */
        bool is_tar = (archive_format(reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
        *out = NULL;
        if (is_tar && archive_filter_bytes(reader, 0) < member_end + 512)
            AD_TRY(ad_fail(source->ctx, ADATOM_BAD_DATA, "archive '%s' is cut short: its end mark is missing",
                           source->root));
    } else if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
        AD_TRY(damaged(source, reader, NULL));
    }
done:
    if (before) uselocale(before);
    return status;
}

/* The sentence for a file that libarchive does not recognise: what the file is instead. */
static adatom_status not_an_archive(const ad_source *source, struct archive *reader) {
    static const char *const known[] = {"a zip archive",   "a gzip archive",      "an xz archive",
                                        "a bzip2 archive", "a Zstandard archive", "a tar archive"};
    const char *what = kind_of_file(source);
    for (size_t i = 0; what && i < AD_COUNT(known); i++)
        if (!strcmp(what, known[i])) return damaged(source, reader, NULL);
    return ad_fail(source->ctx, ADATOM_BAD_DATA, "'%s' is %s, not a folder, zip or tar archive of pictures%s",
                   source->root, what ? what : "something unknown",
                   what && strstr(what, "archive") && !strstr(what, "empty") ? ": unpack it first" : "");
}

/* Fills *m from a member's header; *usable is false for a member that is passed over. written: the name in a zip's
 * directory, or NULL; it is preferred where it is the same name in another Unicode form. */
static adatom_status take_member(ad_source *source, struct archive_entry *header, const char *written, ad_member *m,
                                 bool *usable) {
    locale_t before = source->locale ? uselocale((locale_t)source->locale) : (locale_t)0;
    adatom_status status = ADATOM_OK;
    const member_names names = names_of(header);
    const char *name = names.own, *hard = names.hard, *soft = names.soft;
    char unnamed[48];
    bool is_same = false;
    if (name && written && strcmp(name, written) != 0) AD_TRY(ad_same_characters(source->ctx, name, written, &is_same));
    if (is_same || !name) name = written; /* a name marked as UTF-8 that is none: its bytes are taken */
    *usable = name != NULL;
    if (name) m->path = tidy_path(source->ctx, name, usable);
    if (*usable && !m->path) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (!*usable) {
        snprintf(unnamed, sizeof unnamed, "member %zu", m->number + 1);
        AD_TRY(ad_pass_over(source, AD_PASSED_NAME, name && strlen(name) <= MEMBER_NAME_MOST ? name : unnamed));
        goto done;
    }
    m->is_folder = archive_entry_filetype(header) == AE_IFDIR;
    if (hard && archive_entry_size(header) > 0) hard = NULL; /* this member brings the content itself */
    if (hard) {
        bool target_usable = false;
        m->is_hard = true;
        m->target = tidy_path(source->ctx, hard, &target_usable);
        if (!m->target && target_usable) AD_TRY(ADATOM_OUT_OF_MEMORY);
        /* An unusable target becomes "..", which leads nowhere. */
        if (!m->target && !(m->target = ad_strdup(source->ctx, ".."))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    } else if (archive_entry_filetype(header) == AE_IFLNK) {
        if (!(m->target = ad_strdup(source->ctx, soft ? soft : ".."))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    } else if (!m->is_folder && archive_entry_filetype(header) != AE_IFREG) {
        *usable = false;
        if (ad_kind_of_name(m->path) != AD_ENTRY_OTHER) AD_TRY(ad_pass_over(source, AD_PASSED_SPECIAL, m->path));
    }
done:
    for (size_t i = 0; i < AD_COUNT(names.made); i++) free(names.made[i]);
    if (before) uselocale(before);
    return status;
}

/* Reads what is needed of a member's content while the archive is at that member: a list, a picture that is kept, or
 * the first bytes of a file that may be a picture. */
static adatom_status look_at_content(ad_source *source, struct archive *reader, struct archive_entry *header,
                                     ad_member *m, size_t *keep_bytes) {
    const ad_entry_kind kind = ad_kind_of_name(m->path);
    const char *slash = strrchr(m->path, '/'), *base = slash ? slash + 1 : m->path;
    adatom_status status = ADATOM_OK;
    if (ad_is_service_name(base)) return ADATOM_OK;
    if (archive_entry_is_encrypted(header)) {
        if (kind == AD_ENTRY_OTHER) return ADATOM_OK;
        return ad_fail(source->ctx, ADATOM_BAD_DATA,
                       "archive '%s' is encrypted ('%s'): unpack it with its password, or make one without",
                       source->root, m->path);
    }
    if (kind == AD_ENTRY_OTHER) {
        char first[64];
        if (!ad_name_may_be_picture(base)) return ADATOM_OK;
        la_ssize_t n = archive_read_data(reader, first, sizeof first);
        if (n < 0) return damaged(source, reader, m->path);
        m->is_nameless_picture = ad_looks_like_picture(first, (size_t)n);
        return ADATOM_OK;
    }
    if (kind == AD_ENTRY_UNREAD) return ADATOM_OK;
    if (kind == AD_ENTRY_CSV && archive_entry_size(header) <= (la_int64_t)AD_LIST_KEEP_BYTES)
        return read_content(source, reader, m->path, &m->bytes, &m->bytes_size);
    if (*keep_bytes == 0) return ADATOM_OK;
    status = read_content(source, reader, m->path, &m->bytes, &m->bytes_size);
    *keep_bytes -= AD_MIN(*keep_bytes, m->bytes_size);
    return status;
}

adatom_status ad_archive_scan(ad_source *source, size_t keep_bytes) {
    struct archive *reader = NULL;
    adatom_status status = ADATOM_OK;
    ad_member *members = NULL;
    ad_zip_list written = {0};
    size_t count = 0, capacity = 0;
    const char *what = kind_of_file(source);
    if (what == disc) AD_TRY(not_an_archive(source, NULL));
    if (what && !strcmp(what, "a zip archive")) AD_TRY(ad_zip_names(source->ctx, source->root, &written));
    AD_TRY(open_archive(source, &reader));
    if (!open_by_name(reader, source->root)) AD_TRY(not_an_archive(source, reader));
    for (size_t number = 0;; number++) {
        struct archive_entry *header = NULL;
        if (number % 64 == 0) AD_TRY(ad_interrupted(source->ctx));
        status = next_header(source, reader, number, &header);
        if (status == ADATOM_BAD_DATA && number == 0 && archive_filter_count(reader) <= 1)
            status = not_an_archive(source, reader);
        if (status != ADATOM_OK || !header) break;
        if (count == capacity) {
            size_t grown = capacity ? 2 * capacity : 256;
            ad_member *larger = ad_realloc(source->ctx, members, capacity, grown, sizeof *members);
            if (!larger) AD_TRY(ADATOM_OUT_OF_MEMORY);
            members = larger;
            capacity = grown;
        }
        bool usable = false;
        ad_member *m = &members[count++];
        *m = (ad_member){.number = number};
        AD_TRY(take_member(source, header, number < written.count ? written.names[number] : NULL, m, &usable));
        if (!usable || !*m->path) {
            ad_free(m->path);
            ad_free(m->target);
            count--;
            continue;
        }
        if (!m->is_folder && !m->target) AD_TRY(look_at_content(source, reader, header, m, &keep_bytes));
    }
    AD_TRY(status);
    AD_TRY(ad_tree_list(source, members, count));
    source->is_listed = true;
done:
    for (size_t i = 0; i < count; i++) {
        ad_free(members[i].path);
        ad_free(members[i].target);
        ad_free(members[i].bytes);
    }
    ad_free(members);
    ad_zip_free(&written);
    archive_read_free(reader);
    return status;
}

static adatom_status read_again(ad_source *source, const ad_entry *entry, char **bytes, size_t *size) {
    adatom_status status = ADATOM_OK;
    if (!source->reader || source->next_member > entry->member) {
        struct archive *reader = NULL;
        archive_read_free(source->reader);
        source->next_member = 0;
        status = open_archive(source, &reader);
        source->reader = reader;
        AD_TRY(status);
        if (!open_by_name(reader, source->root)) AD_TRY(damaged(source, reader, NULL));
    }
    do {
        struct archive_entry *header = NULL;
        AD_TRY(next_header(source, source->reader, source->next_member, &header));
        if (!header)
            AD_TRY(ad_fail(source->ctx, ADATOM_BAD_DATA, "archive '%s' changed while it was read", source->root));
    } while (source->next_member++ != entry->member);
    AD_TRY(read_content(source, source->reader, entry->path, bytes, size));
done:
    return status;
}

adatom_status ad_archive_read(ad_source *source, size_t i, char **bytes, size_t *size) {
    ad_entry *entry = &source->entries[i], *next = i + 1 < source->count ? entry + 1 : NULL;
    adatom_status status = ADATOM_OK;
    /* A list is copied and stays, so that seen.c can keep it with the names of the members. */
    if (entry->bytes && entry->kind == AD_ENTRY_CSV) {
        if (!(*bytes = ad_malloc(source->ctx, entry->bytes_size + 1, 1))) return ADATOM_OUT_OF_MEMORY;
        memcpy(*bytes, entry->bytes, entry->bytes_size);
        *size = entry->bytes_size;
        return ADATOM_OK;
    }
    if (entry->bytes) {
        *bytes = entry->bytes;
        *size = entry->bytes_size;
        entry->bytes = NULL;
    } else {
        status = read_again(source, entry, bytes, size);
    }
    if (status != ADATOM_OK || !next || next->member != entry->member || next->bytes) return status;
    /* The next entry is the same member under another name: its content is kept, as the archive can only be read
     * forward. */
    if (!(next->bytes = ad_malloc(source->ctx, *size + 1, 1))) {
        ad_free(*bytes);
        *bytes = NULL;
        return ADATOM_OUT_OF_MEMORY;
    }
    memcpy(next->bytes, *bytes, *size);
    next->bytes_size = *size;
    return ADATOM_OK;
}

void ad_source_close(ad_source *source) {
    for (size_t i = 0; i < source->count; i++) {
        ad_free(source->entries[i].path);
        ad_free(source->entries[i].bytes);
    }
    ad_free(source->entries);
    ad_free(source->root);
    ad_passed_free(&source->passed);
    archive_read_free(source->reader);
    if (source->locale) freelocale((locale_t)source->locale);
    *source = (ad_source){0};
}

/* Small data sets on disk for the tests: a temporary folder, pictures, archives. */
#ifndef DATA_FILES_H
#define DATA_FILES_H

#include "io/dataset.h"
#include "tests/remove_tree.h"
#include "tests/run_suite.h"

#include <archive.h>
#include <archive_entry.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char test_folder[64];
static adatom_context *ctx;
static int warnings;
static char last_warning[1024];

static inline void count_warnings(void *user, adatom_log_level level, const char *text) {
    (void)user;
    if (level != ADATOM_LOG_WARNING) return;
    warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", text);
}

static inline void set_up(void) {
    strcpy(test_folder, "/tmp/adatom-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(test_folder));
    ck_assert_int_eq(adatom_context_create(
                         &(adatom_context_params){.size = sizeof(adatom_context_params), .log = count_warnings}, &ctx),
                     ADATOM_OK);
    warnings = 0;
    last_warning[0] = 0;
}

static inline void tear_down(void) {
    adatom_context_destroy(&ctx);
    remove_tree(test_folder);
}

/* Path inside the test's folder. A few are valid at a time. */
static inline const char *in_test(const char *relative) {
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", test_folder, relative);
    return path;
}

static inline void put_file(const char *relative, const void *bytes, size_t size) {
    char path[512];
    snprintf(path, sizeof path, "%s", in_test(relative));
    for (char *slash = strchr(path + strlen(test_folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void put_text(const char *relative, const char *text) { put_file(relative, text, strlen(text)); }

/* A PNM picture of one colour; returns its size. */
static inline size_t make_pnm(int width, int height, unsigned colour, char out[4096]) {
    int header = sprintf(out, "P6\n%d %d\n255\n", width, height);
    for (int i = 0; i < width * height; i++) {
        for (int c = 0; c < 3; c++) out[header + 3 * i + c] = (char)(colour >> (16 - 8 * c) & 255);
    }
    return (size_t)(header + 3 * width * height);
}

static inline void put_picture(const char *relative, int width, int height, unsigned colour) {
    char bytes[4096];
    put_file(relative, bytes, make_pnm(width, height, colour, bytes));
}

/* An archive with the given files of the test's folder, under their names. kind: zip, tar, tar.gz or tar.xz. */
static inline void put_archive(const char *relative, const char *kind, const char *const *files, size_t count) {
    struct archive *a = archive_write_new();
    if (!strcmp(kind, "zip")) {
        archive_write_set_format_zip(a);
    } else {
        archive_write_set_format_pax_restricted(a);
    }
    if (strstr(kind, ".gz")) archive_write_add_filter_gzip(a);
    if (strstr(kind, ".xz")) archive_write_add_filter_xz(a);
    ck_assert_int_eq(archive_write_open_filename(a, in_test(relative)), ARCHIVE_OK);
    for (size_t i = 0; i < count; i++) {
        char *bytes = NULL;
        size_t size = 0;
        ck_assert_int_eq(ad_read_file(ctx, in_test(files[i]), SIZE_MAX, &bytes, &size), ADATOM_OK);
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, files[i]);
        archive_entry_set_size(e, (la_int64_t)size);
        archive_entry_set_filetype(e, AE_IFREG);
        archive_entry_set_perm(e, 0644);
        ck_assert_int_eq(archive_write_header(a, e), ARCHIVE_OK);
        ck_assert_int_eq(archive_write_data(a, bytes, size), (la_ssize_t)size);
        archive_entry_free(e);
        ad_free(bytes);
    }
    ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

/* A member of an archive that is written byte by byte. */
typedef struct stored {
    const char *name, *content, *link; /* link: the target of a symbolic ('s') or hard ('h') one, after that letter */
    size_t size;
    unsigned flags; /* of zip: 1 encrypted, 0x800 the name is UTF-8 */
} stored;

/* Members for tables of `stored`, in scopes where `size` is the size of all pictures. */
#define FILE_OF(path, colour)                                                                                          \
    { .name = (path), .content = (colour), .size = size }
#define UTF8_OF(path, colour)                                                                                          \
    { .name = (path), .content = (colour), .size = size, .flags = 0x800 }
#define LINK_OF(path, to)                                                                                              \
    { .name = (path), .link = (to), .content = "", .size = 0 }

/* Pictures of one size, 2 x 2, which is returned. */
static inline size_t make_colours(char red[64], char blue[64], char green[64]) {
    char bytes[4096];
    const size_t size = make_pnm(2, 2, 0xFF0000, bytes);
    memcpy(red, bytes, size);
    make_pnm(2, 2, 0x0000FF, bytes);
    memcpy(blue, bytes, size);
    make_pnm(2, 2, 0x00FF00, bytes);
    memcpy(green, bytes, size);
    return size;
}

static inline void put_number(FILE *file, unsigned long number, int bytes) {
    for (int i = 0; i < bytes; i++) fputc((int)(number >> 8 * i & 255), file);
}

static inline unsigned long crc_of(const char *bytes, size_t size) {
    unsigned long crc = 0xFFFFFFFFul;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320ul : 0);
    }
    return crc ^ 0xFFFFFFFFul;
}

/* A zip with these names as they are, nothing compressed. */
static inline void put_zip(const char *relative, const stored *members, size_t count) {
    FILE *file = fopen(in_test(relative), "wb");
    ck_assert_ptr_nonnull(file);
    long at[64];
    for (int pass = 0; pass < 2; pass++) { /* members, then the directory of them */
        const long start = ftell(file);
        for (size_t i = 0; i < count; i++) {
            const stored *m = &members[i];
            if (pass == 0) at[i] = ftell(file);
            put_number(file, pass ? 0x02014b50 : 0x04034b50, 4);
            if (pass) put_number(file, 0x031E, 2);
            put_number(file, 20, 2);
            put_number(file, m->flags, 2);
            put_number(file, 0, 2);
            put_number(file, 0x58210000, 4);
            put_number(file, crc_of(m->content, m->size), 4);
            put_number(file, m->size, 4);
            put_number(file, m->size, 4);
            put_number(file, strlen(m->name), 2);
            put_number(file, 0, 2);
            if (pass) {
                put_number(file, 0, 6);
                put_number(file, m->link ? 0xA1FF0000 : 0x81A40000, 4);
                put_number(file, (unsigned long)at[i], 4);
            }
            fwrite(m->name, 1, strlen(m->name), file);
            if (pass == 0) fwrite(m->content, 1, m->size, file);
        }
        if (pass == 0) continue;
        const long end = ftell(file);
        put_number(file, 0x06054b50, 4);
        put_number(file, 0, 4);
        put_number(file, count, 2);
        put_number(file, count, 2);
        put_number(file, (unsigned long)(end - start), 4);
        put_number(file, (unsigned long)start, 4);
        put_number(file, 0, 2);
    }
    ck_assert_int_eq(fclose(file), 0);
}

/* A tar with these names as they are. */
static inline void put_tar(const char *relative, const stored *members, size_t count) {
    static const char zeros[1024];
    FILE *file = fopen(in_test(relative), "wb");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < count; i++) {
        const stored *m = &members[i];
        char header[512] = {0};
        const size_t size = m->link ? 0 : m->size;
        snprintf(header, 100, "%s", m->name);
        memcpy(header + 100, "0000644", 8);
        memcpy(header + 108, "0000000", 8);
        memcpy(header + 116, "0000000", 8);
        snprintf(header + 124, 12, "%011zo", size);
        memcpy(header + 136, "00000000000", 12);
        memset(header + 148, ' ', 8);
        header[156] = !m->link ? '0' : m->link[0] == 'h' ? '1' : m->link[0] == 'd' ? '5' : '2';
        if (m->link) snprintf(header + 157, 100, "%s", m->link + 1);
        memcpy(header + 257, "ustar\00000", 8);
        unsigned sum = 0;
        for (size_t k = 0; k < sizeof header; k++) sum += (unsigned char)header[k];
        snprintf(header + 148, 8, "%06o", sum);
        fwrite(header, 1, sizeof header, file);
        fwrite(m->content, 1, size, file);
        fwrite(zeros, 1, (512 - size % 512) % 512, file);
    }
    fwrite(zeros, 1, sizeof zeros, file);
    ck_assert_int_eq(fclose(file), 0);
}

static inline adatom_dataset *open_well(const char *spec, const adatom_dataset_params *params) {
    adatom_dataset *d = NULL;
    adatom_status status = adatom_dataset_open(ctx, spec, params, &d);
    ck_assert_msg(status == ADATOM_OK, "%s: %s", adatom_status_name(status), adatom_context_message(ctx));
    return d;
}

/* Opening fails with this status and a sentence that contains `part`. */
static inline void open_badly(const char *spec, const adatom_dataset_params *params, adatom_status wanted,
                              const char *part) {
    adatom_dataset *d = NULL;
    adatom_status status = adatom_dataset_open(ctx, spec, params, &d);
    ck_assert_ptr_null(d);
    ck_assert_str_eq(adatom_status_name(status), adatom_status_name(wanted));
    ck_assert_msg(strstr(adatom_context_message(ctx), part) != NULL, "'%s' doesn't say '%s'",
                  adatom_context_message(ctx), part);
}

static inline adatom_dataset_info describe(const adatom_dataset *d) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(d, &info);
    return info;
}
#endif

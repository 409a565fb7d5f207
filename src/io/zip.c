/* Reads the names in a zip's central directory as they are written there. libarchive composes accents (NFC) in names
 * that are marked as UTF-8, so that a zip would hold other classes than the folder that it was made from. */
#include "io/dataset.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { END_BYTES = 22, LOCATOR_BYTES = 20, END64_BYTES = 56, RECORD_BYTES = 46, COMMENT_MOST = 65535 };
#define DIRECTORY_MOST ((uint64_t)256 << 20)

static uint64_t number_at(const char *bytes, size_t at, size_t count) {
    uint64_t number = 0;
    for (size_t i = count; i-- > 0;) number = number << 8 | (unsigned char)bytes[at + i];
    return number;
}

static bool read_at(int file, uint64_t at, char *out, size_t size) {
    for (size_t got = 0; got < size;) {
        const ssize_t n = pread(file, out + got, size - got, (off_t)(at + got));
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return true;
}

/* Finds the central directory: its offset and size. tail: room for the file's end, where it is looked for. False: not
 * found. */
static bool find_directory(int file, uint64_t file_size, char *tail, uint64_t *at, uint64_t *size) {
    const size_t tail_size = (size_t)AD_MIN(file_size, (uint64_t)END_BYTES + COMMENT_MOST);
    if (tail_size < END_BYTES || !read_at(file, file_size - tail_size, tail, tail_size)) return false;
    size_t end = tail_size - END_BYTES;
    while (end > 0 && memcmp(tail + end, "PK\5\6", 4) != 0) end--;
    if (memcmp(tail + end, "PK\5\6", 4) != 0) return false;
    *size = number_at(tail, end + 12, 4);
    *at = number_at(tail, end + 16, 4);
    if (end >= LOCATOR_BYTES && !memcmp(tail + end - LOCATOR_BYTES, "PK\6\7", 4)) {
        char end64[END64_BYTES];
        if (!read_at(file, number_at(tail, end - LOCATOR_BYTES + 8, 8), end64, sizeof end64) ||
            memcmp(end64, "PK\6\6", 4))
            return false;
        *size = number_at(end64, 40, 8);
        *at = number_at(end64, 48, 8);
    }
    return *size <= DIRECTORY_MOST && *at <= file_size && *size <= file_size - *at;
}

typedef struct record {
    uint64_t offset; /* where the member lies in the file */
    size_t name, name_length;
} record;

static int by_offset(const void *a, const void *b) {
    const record *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Reads the record at `at` of the directory; *next: where the next one begins. */
static bool read_record(const char *bytes, size_t size, size_t at, record *out, size_t *next) {
    if (size - at < RECORD_BYTES || memcmp(bytes + at, "PK\1\2", 4) != 0) return false;
    const size_t name = (size_t)number_at(bytes, at + 28, 2), extra = (size_t)number_at(bytes, at + 30, 2);
    const size_t comment = (size_t)number_at(bytes, at + 32, 2), end = at + RECORD_BYTES + name + extra;
    if (size - at < RECORD_BYTES + name + extra + comment) return false;
    *out = (record){number_at(bytes, at + 42, 4), at + RECORD_BYTES, name};
    *next = end + comment;
    /* An offset that does not fit into 32 bits is in the extra field of zip64, behind the sizes that do not fit. */
    for (size_t field = at + RECORD_BYTES + name; out->offset == 0xFFFFFFFF && field + 4 <= end;) {
        const size_t length = (size_t)number_at(bytes, field + 2, 2);
        if (length > end - field - 4) return false;
        size_t place = 0;
        for (size_t wide = 20; wide <= 24; wide += 4) place += number_at(bytes, at + wide, 4) == 0xFFFFFFFF ? 8 : 0;
        if (number_at(bytes, field, 2) == 1 && place + 8 <= length)
            out->offset = number_at(bytes, field + 4 + place, 8);
        field += 4 + length;
    }
    return true;
}

adatom_status ad_zip_names(adatom_context *ctx, const char *path, ad_zip_list *out) {
    adatom_status status = ADATOM_OK;
    struct stat info;
    record *records = NULL;
    char *tail = NULL;
    uint64_t at = 0, size = 0;
    size_t count = 0, capacity = 0;
    *out = (ad_zip_list){0};
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 || fstat(file, &info) != 0) goto done;
    if (!(tail = ad_malloc(ctx, END_BYTES + COMMENT_MOST, 1))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (!find_directory(file, (uint64_t)info.st_size, tail, &at, &size)) goto done;
    if (!(out->text = ad_malloc(ctx, (size_t)size + 1, 1))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (!read_at(file, at, out->text, (size_t)size)) goto done;
    for (size_t here = 0; here < size;) {
        if (count == capacity) {
            const size_t grown = capacity ? 2 * capacity : 256;
            record *larger = ad_realloc(ctx, records, capacity, grown, sizeof *records);
            if (!larger) AD_TRY(ADATOM_OUT_OF_MEMORY);
            records = larger;
            capacity = grown;
        }
        if (!read_record(out->text, (size_t)size, here, &records[count], &here)) break;
        count++;
    }
    if (count == 0) goto done;
    qsort(records, count, sizeof *records, by_offset);
    if (!(out->names = ad_calloc(ctx, count, sizeof *out->names))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    out->text[size] = 0;
    for (size_t i = 0; i < count; i++) out->names[i] = out->text + records[i].name;
    /* Each name gets a NUL behind it, which overwrites what has been read already. */
    for (size_t i = 0; i < count; i++) out->text[records[i].name + records[i].name_length] = 0;
    out->count = count;
done:
    if (file >= 0) close(file);
    ad_free(records);
    ad_free(tail);
    if (status != ADATOM_OK) ad_zip_free(out);
    return status;
}

void ad_zip_free(ad_zip_list *list) {
    ad_free(list->text);
    ad_free(list->names);
    *list = (ad_zip_list){0};
}

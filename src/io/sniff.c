/* What a file is, by its name and by its first bytes. */
#include "io/dataset.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool has_prefix(const char *bytes, size_t size, size_t at, const char *prefix) {
    size_t length = strlen(prefix);
    return size >= at + length && !memcmp(bytes + at, prefix, length);
}

const char *ad_sniff(const char *bytes, size_t size) {
    static const struct {
        size_t at;
        const char *magic, *what;
    } table[] = {
        {8, "WEBP", "a WebP picture"},
        {0, "II*", "a TIFF picture"},
        {4, "ftypavif", "an AVIF picture"},
        {4, "ftyphei", "a HEIC picture"},
        {4, "ftypmif1", "a HEIC picture"},
        {0, "%PDF", "a PDF document"},
        {0, "\x1f\x8b", "a gzip archive"},
        {0, "PK\x03\x04", "a zip archive"},
        {0,
         "\xFD"
         "7zXZ",
         "an xz archive"},
        {0, "version https://git-lfs", "a Git LFS pointer"},
        {0, "\xFF\xD8\xFF", "a JPEG picture"},
        {0, "\x89PNG", "a PNG picture"},
    };
    for (size_t i = 0; i < AD_COUNT(table); i++) {
        if (has_prefix(bytes, size, table[i].at, table[i].magic)) return table[i].what;
    }
    if (size == 0) return "an empty file";
    size_t at = has_prefix(bytes, size, 0, "\xEF\xBB\xBF") ? 3 : 0;
    while (at < size && isspace((unsigned char)bytes[at])) at++;
    if ((size - at > 5 && !strncasecmp(bytes + at, "<html", 5)) || (size - at > 9 && !strncasecmp(bytes + at, "<!doctype", 9)))
        return "an HTML page";
    for (at = 0; at < AD_MIN(size, 512); at++) {
        unsigned char c = (unsigned char)bytes[at];
        if (c < 32 && !isspace(c)) return NULL;
    }
    return "a text file";
}

ad_entry_kind ad_kind_of_name(const char *path) {
    static const struct {
        const char *extension;
        ad_entry_kind kind;
    } table[] = {
        {"jpg", AD_ENTRY_PICTURE}, {"jpeg", AD_ENTRY_PICTURE}, {"jpe", AD_ENTRY_PICTURE}, {"jfif", AD_ENTRY_PICTURE},
        {"png", AD_ENTRY_PICTURE}, {"bmp", AD_ENTRY_PICTURE},  {"gif", AD_ENTRY_PICTURE}, {"pnm", AD_ENTRY_PICTURE},
        {"ppm", AD_ENTRY_PICTURE}, {"pgm", AD_ENTRY_PICTURE},  {"webp", AD_ENTRY_UNREAD}, {"tif", AD_ENTRY_UNREAD},
        {"tiff", AD_ENTRY_UNREAD}, {"heic", AD_ENTRY_UNREAD},  {"avif", AD_ENTRY_UNREAD}, {"csv", AD_ENTRY_CSV},
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < AD_COUNT(table); i++) {
        if (!strcasecmp(dot + 1, table[i].extension)) return table[i].kind;
    }
    return AD_ENTRY_OTHER;
}

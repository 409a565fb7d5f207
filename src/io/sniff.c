/* Tells what a file is, by its name and by its first bytes. */
#include "io/dataset.h"

#include <string.h>

static bool has_prefix(const char *bytes, size_t size, size_t at, const char *prefix) {
    size_t length = strlen(prefix);
    return size >= at + length && !memcmp(bytes + at, prefix, length);
}

const char *ad_sniff(const char *bytes, size_t size) {
    static const struct {
        size_t at;
        const char *magic; /* compared up to its first NUL */
        const char *what;
    } table[] = {
        {0, "\xFF\xD8\xFF", "a JPEG picture"},
        {0, "\x89PNG", "a PNG picture"},
        {0, "GIF8", "a GIF picture"},
        {8, "WEBP", "a WebP picture"},
        {0, "II*", "a TIFF picture"},
        {0, "II+", "a TIFF picture"},
        {4, "ftypavi", "an AVIF picture"},
        {4, "ftyphei", "a HEIC picture"},
        {4, "ftyphev", "a HEIC picture"},
        {4, "ftypmif1", "a HEIC picture"},
        {4, "ftypmsf1", "a HEIC picture"},
        {4, "ftypcrx ", "a Canon raw photograph (CR3)"},
        {4, "ftyp", "a film"},
        {4, "JXL \r\n\x87\n", "a JPEG XL picture"},
        {0, "\xFF\x0A", "a JPEG XL picture"},
        {4, "jP  \r\n\x87\n", "a JPEG 2000 picture"},
        {0, "\xFF\x4F\xFF\x51", "a JPEG 2000 picture"},
        {0, "II\xBC", "a JPEG XR picture"},
        {0, "8BPS", "a Photoshop document"},
        {0, "gimp xcf", "a GIMP document"},
        {0, "v/1\x01", "an OpenEXR picture"},
        {0, "#?RADIANCE", "a Radiance HDR picture"},
        {0, "DDS ", "a DDS texture"},
        {0, "qoif", "a QOI picture"},
        {0, "IIRO", "an Olympus raw photograph (ORF)"},
        {0, "IIU", "a Panasonic raw photograph (RW2)"},
        {0, "FUJIFILMCCD-RAW", "a Fujifilm raw photograph (RAF)"},
        {0, "%PDF", "a PDF document"},
        {0, "%!PS", "a PostScript document"},
        {0, "\x1f\x8b", "a gzip archive"},
        {0, "BZh", "a bzip2 archive"},
        {0, "\x28\xB5\x2F\xFD", "a Zstandard archive"},
        {0, "PK\x03\x04", "a zip archive"},
        {0, "PK\x05\x06", "an empty zip archive"},
        {0, "Rar!\x1A\x07", "a RAR archive"},
        {0, "7z\xBC\xAF\x27\x1C", "a 7z archive"},
        {0,
         "\xFD"
         "7zXZ",
         "an xz archive"},
        {257, "ustar", "a tar archive"},
        {0, "PK\x07\x08", "a part of a split zip archive"},
        {2, "-lh", "an LZH archive"},
        {0, "MSCF", "a cabinet archive"},
        {0, "\x1f\x9d", "a compress (.Z) archive"},
        {0, "LZIP", "an lzip archive"},
        {0, "\x89LZO", "an lzop archive"},
        {0, "\x04\x22\x4d\x18", "an LZ4 archive"},
        {0, "\x60\xEA", "an ARJ archive"},
        {0, "07070", "a cpio archive"},
        {0, "!<arch>", "an ar archive"},
        {0, "xar!", "a xar archive"},
        {0, "\x89HDF", "an HDF5 file"},
        {0, "\x93NUMPY", "a NumPy array"},
        {0, "ARROW1", "an Arrow file"},
        {0, "PAR1", "a Parquet file"},
        {0, "version https://git-lfs", "a Git LFS pointer"},
        {0, "SQLite format 3", "an SQLite database"},
    };
    /* Magics with a NUL inside. */
    if (size >= 4 && (!memcmp(bytes, "MM\0*", 4) || !memcmp(bytes, "MM\0+", 4))) return "a TIFF picture";
    if (size >= 4 && !memcmp(bytes, "\0\0\1\0", 4)) return "an icon";
    for (size_t i = 0; i < AD_COUNT(table); i++) {
        if (has_prefix(bytes, size, table[i].at, table[i].magic)) return table[i].what;
    }
    if (size == 0) return "an empty file";
    size_t at = has_prefix(bytes, size, 0, "\xEF\xBB\xBF") ? 3 : 0;
    while (at < size && ad_is_space(bytes[at])) at++;
    if ((size - at > 5 && ad_same_letters(bytes + at, "<html", 5)) ||
        (size - at > 9 && ad_same_letters(bytes + at, "<!doctype", 9)))
        return "an HTML page";
    for (at = 0; at < AD_MIN(size, 512); at++) {
        if ((unsigned char)bytes[at] < 32 && !ad_is_space(bytes[at])) return NULL;
    }
    return "a text file";
}

/* Whether an extension is in a list of words; each word has a space behind it. */
static bool is_listed(const char *extension, const char *list) {
    const size_t length = strlen(extension);
    for (const char *end; (end = strchr(list, ' ')); list = end + 1)
        if ((size_t)(end - list) == length && ad_same_letters(list, extension, length)) return true;
    return false;
}

#define WEBP_NAMES "webp "
#define TIFF_NAMES "tif tiff btf tf8 "
#define HEIF_NAMES "heic heif hif heics heifs avif avifs "

ad_entry_kind ad_kind_of_name(const char *path) {
    static const char read[] = "jpg jpeg jpe jfif jif pjpeg pjp mpo png apng bmp dib gif pnm ppm pgm pbm pam "
#ifdef ADATOM_HAS_WEBP
        WEBP_NAMES
#endif
#ifdef ADATOM_HAS_TIFF
            TIFF_NAMES
#endif
#ifdef ADATOM_HAS_HEIF
                HEIF_NAMES
#endif
        ;
    /* Pictures that are not read are told when they are passed over. Kinds that this build reads are found above. */
    static const char unread[] = WEBP_NAMES TIFF_NAMES HEIF_NAMES
        "jxl jp2 j2k j2c jpc jpf jpx jpm jph jxr wdp hdp jls jng mng bpg flif qoi tga psd psb xcf kra ora ico cur icns "
        "svg svgz eps emf "
        "wmf pcx pict xbm xpm xwd sgi dds ktx ktx2 exr hdr pfm fits fts dcm dicom djvu djv "
        /* raw photographs */
        "dng cr2 cr3 crw nef nrw arw srf sr2 orf rw2 rwl raf pef srw x3f erf mrw dcr kdc 3fr mef iiq gpr ";
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
    if (!dot) return AD_ENTRY_OTHER;
    if (is_listed(dot + 1, read)) return AD_ENTRY_PICTURE;
    if (is_listed(dot + 1, unread)) return AD_ENTRY_UNREAD;
    return ad_same_letters(dot + 1, "csv", SIZE_MAX) ? AD_ENTRY_CSV : AD_ENTRY_OTHER;
}

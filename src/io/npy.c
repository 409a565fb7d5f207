#include "io/npy.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
enum { MAGIC_BYTES = 6, MOST_HEADER_BYTES = 1 << 16, ALIGNMENT = 64 };

bool ad_npy_begins(const void *bytes, size_t size) {
    return size >= MAGIC_BYTES && memcmp(bytes, MAGIC, MAGIC_BYTES) == 0;
}

/* The header is a Python dictionary of three literals: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. */
typedef struct reader {
    const char *at, *end;
} reader;

static void skip_spaces(reader *r) {
    while (r->at < r->end && ad_is_space(*r->at)) r->at++;
}

/* Whether the text comes next, after spaces; it is passed then. */
static bool take(reader *r, const char *text) {
    const size_t length = strlen(text);
    skip_spaces(r);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, text, length) != 0) return false;
    r->at += length;
    return true;
}

static bool comes(reader *r, char what) {
    skip_spaces(r);
    return r->at < r->end && *r->at == what;
}

/* A text in quotes, without escapes, as out[capacity]; false: there is none. */
static bool take_text(reader *r, char *out, size_t capacity) {
    if (!comes(r, '\'') && !comes(r, '"')) return false;
    const char quote = *r->at++;
    const char *close = memchr(r->at, quote, (size_t)(r->end - r->at));
    if (!close || (size_t)(close - r->at) >= capacity || memchr(r->at, '\\', (size_t)(close - r->at))) return false;
    memcpy(out, r->at, (size_t)(close - r->at));
    out[close - r->at] = 0;
    r->at = close + 1;
    return true;
}

static bool take_number(reader *r, int64_t *out) {
    skip_spaces(r);
    const char *begin = r->at;
    for (*out = 0; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, *r->at - '0', out)) return false;
    const bool any = r->at > begin;
    if (any && r->at < r->end && *r->at == 'L') r->at++; /* as Python 2 writes it */
    return any;
}

static bool take_shape(reader *r, ad_file_tensor *out) {
    if (!take(r, "(")) return false;
    for (out->rank = 0; !take(r, ")");) {
        if (out->rank == AD_FILE_RANK || !take_number(r, &out->shape[out->rank++])) return false;
        if (take(r, ",")) continue;
        return out->rank > 1 && take(r, ")"); /* (3) is a number and no shape */
    }
    return true;
}

static adatom_status read_type(adatom_context *ctx, const char *name, const char *text, ad_file_tensor *out,
                               size_t *bytes) {
    static const struct {
        const char *text;
        ad_number_type type;
        size_t bytes;
    } types[] = {{"f2", AD_NUMBER_F16, 2},
                 {"f4", AD_NUMBER_F32, 4},
                 {"f8", AD_NUMBER_F64, 8},
                 {"i4", AD_NUMBER_I32, 4},
                 {"i8", AD_NUMBER_I64, 8}};
    for (size_t i = 0; i < AD_COUNT(types); i++) {
        if (!*text || strcmp(text + 1, types[i].text) != 0) continue;
        if (*text == '>')
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s' holds big-endian numbers ('%s'); save it as '<%s' (array.astype('<%s'))", name, text,
                           types[i].text, types[i].text);
        if (*text != '<') break;
        out->type = types[i].type;
        *bytes = types[i].bytes;
        return ADATOM_OK;
    }
    return ad_fail(ctx, ADATOM_BAD_DATA,
                   "'%s' holds numbers of the type '%s'; float16, float32, float64, int32 and int64 are read", name,
                   text);
}

/* Fills type, shape and strides. */
static adatom_status read_header(adatom_context *ctx, const char *name, reader *r, ad_file_tensor *out,
                                 size_t *number_bytes) {
    static const char *const damaged = "'%s' is no .npy file of an array: its header is damaged%s";
    bool type_is_there = false, order_is_there = false, shape_is_there = false, by_column = false, good;
    char key[16], type[16];
    if (!take(r, "{")) return ad_fail(ctx, ADATOM_BAD_DATA, damaged, name, "");
    while (!take(r, "}")) {
        good = take_text(r, key, sizeof key) && take(r, ":");
        if (good && strcmp(key, "descr") == 0 && !type_is_there) {
            type_is_there = true;
            if (take(r, "["))
                return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' holds records of several numbers; save one array of floats",
                               name);
            good = take_text(r, type, sizeof type);
            if (good) {
                const adatom_status status = read_type(ctx, name, type, out, number_bytes);
                if (status != ADATOM_OK) return status;
            }
        } else if (good && strcmp(key, "fortran_order") == 0 && !order_is_there) {
            order_is_there = true;
            by_column = take(r, "True");
            good = by_column || take(r, "False");
        } else if (good && strcmp(key, "shape") == 0 && !shape_is_there) {
            shape_is_there = true;
            good = take_shape(r, out);
        } else {
            good = false;
        }
        if (good && !take(r, ",")) good = comes(r, '}');
        if (!good) return ad_fail(ctx, ADATOM_BAD_DATA, damaged, name, "");
    }
    skip_spaces(r);
    if (!type_is_there || !order_is_there || !shape_is_there || r->at != r->end)
        return ad_fail(ctx, ADATOM_BAD_DATA, damaged, name,
                       r->at != r->end ? "" : " (it lacks descr, fortran_order or shape)");
    out->elements = 1;
    for (int i = 0; i < out->rank; i++)
        if (__builtin_mul_overflow(out->elements, out->shape[i], &out->elements) || out->elements > PTRDIFF_MAX / 8)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has an impossible shape", name);
    ad_file_tensor_pack(out);
    int64_t stride = out->elements > 0;
    for (int i = 0; by_column && i < out->rank && out->elements > 0; i++) {
        out->stride[i] = stride;
        stride *= out->shape[i];
    }
    return ADATOM_OK;
}

adatom_status ad_npy_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size, ad_file_tensor *out) {
    const unsigned char *at = bytes;
    size_t number_bytes = 0, needed = 0;
    *out = (ad_file_tensor){.name = name};
    if (!ad_npy_begins(bytes, size)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is no .npy file", name);
    const unsigned version = size > MAGIC_BYTES ? at[MAGIC_BYTES] : 0;
    if (size > MAGIC_BYTES && (version < 1 || version > 3))
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is a .npy file of version %u; versions 1 to 3 are read", name,
                       version);
    const size_t start = MAGIC_BYTES + 2, width = version == 1 ? 2 : 4;
    const uint64_t length = size < start + width ? UINT64_MAX : ad_little_endian(at + start, width);
    if (length > MOST_HEADER_BYTES || length > size - start - width)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is no .npy file of an array, or cut off in its header", name);
    reader r = {(const char *)at + start + width, (const char *)at + start + width + length};
    const adatom_status status = read_header(ctx, name, &r, out, &number_bytes);
    if (status != ADATOM_OK) return status;
    const size_t data = start + width + (size_t)length;
    if (__builtin_mul_overflow(out->elements, number_bytes, &needed) || needed != size - data)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has %zu bytes of numbers, and its shape needs %s (is it cut off?)",
                       name, size - data, needed > size - data ? "more" : "fewer");
    out->data = at + data;
    return ADATOM_OK;
}

size_t ad_npy_header(size_t rows, size_t columns, bool half, char out[AD_NPY_HEADER_BYTES]) {
    const size_t start = MAGIC_BYTES + 4;
    char text[AD_NPY_HEADER_BYTES - MAGIC_BYTES - 4];
    const size_t length =
        (size_t)snprintf(text, sizeof text, "{'descr': '<%s', 'fortran_order': False, 'shape': (%zu, %zu), }",
                         half ? "f2" : "f4", rows, columns);
    const size_t all = (start + length + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memset(out, ' ', all);
    memcpy(out, MAGIC "\x01\x00", MAGIC_BYTES + 2);
    out[MAGIC_BYTES + 2] = (char)((all - start) & 255);
    out[MAGIC_BYTES + 3] = (char)((all - start) >> 8);
    memcpy(out + start, text, length);
    out[all - 1] = '\n';
    return all;
}

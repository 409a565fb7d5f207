#include "io/safetensors.h"

#include "base/bytes.h"
#include "base/half.h"

#include "io/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Enough for 300,000 tensors. The reference implementation reads headers three times as large, but parsed those take
 * gigabytes. */
enum { MAX_HEADER_BYTES = 32 << 20, LOOK_EVERY = 4096 };
#define METADATA "__metadata__"

static const struct {
    const char *name;
    size_t bytes;
} types[] = {[AD_ST_F32] = {"F32", 4}, [AD_ST_F16] = {"F16", 2}, [AD_ST_BF16] = {"BF16", 2},
             [AD_ST_F64] = {"F64", 8}, [AD_ST_I64] = {"I64", 8}, [AD_ST_I32] = {"I32", 4}};

static adatom_status parse_type(adatom_context *ctx, const char *file, const char *name, const json_t *json,
                                ad_st_type *out) {
    const char *text = json_string_value(json);
    for (size_t i = 0; text && i < AD_COUNT(types); i++)
        if (strcmp(text, types[i].name) == 0) {
            *out = (ad_st_type)i;
            return ADATOM_OK;
        }
    return ad_fail(ctx, ADATOM_BAD_DATA,
                   "'%s': tensor '%s' has the type %s; F32, F16, BF16, F64, I64 or I32 was expected", file, name,
                   text ? text : "(none)");
}

static adatom_status parse_tensor(adatom_context *ctx, const char *file, const char *name, const json_t *json,
                                  size_t data_bytes, ad_st_tensor *out) {
    adatom_status status = ADATOM_OK;
    *out = (ad_st_tensor){.name = name};
    const json_t *shape = json_object_get(json, "shape"), *offsets = json_object_get(json, "data_offsets");
    AD_TRY(parse_type(ctx, file, name, json_object_get(json, "dtype"), &out->type));
    if (!json_is_array(shape) || json_array_size(shape) > AD_ST_RANK)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has no shape of at most %d numbers", file, name,
                       AD_ST_RANK);
    out->rank = (int)json_array_size(shape);
    size_t elements = 1, bytes = 0;
    for (int i = 0; i < out->rank; i++) {
        const json_t *extent = json_array_get(shape, (size_t)i);
        out->shape[i] = json_integer_value(extent);
        if (!json_is_integer(extent) || out->shape[i] < 0 || __builtin_mul_overflow(elements, out->shape[i], &elements))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has an impossible shape", file, name);
    }
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin) ||
        (uint64_t)json_integer_value(end) > data_bytes)
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': the offsets of tensor '%s' do not lie in the file's %zu bytes of data (is it truncated?)",
                       file, name, data_bytes);
    out->elements = elements;
    out->begin = (size_t)json_integer_value(begin);
    out->end = (size_t)json_integer_value(end);
    if (__builtin_mul_overflow(elements, types[out->type].bytes, &bytes) || bytes != out->end - out->begin)
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': tensor '%s' takes %zu bytes, which is not what its shape and type need", file, name,
                       out->end - out->begin);
done:
    return status;
}

static adatom_status check_metadata(adatom_context *ctx, const char *file, json_t *metadata) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': %s is not an object", file, METADATA);
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': %s '%s' is not a string", file, METADATA, key);
    }
    return ADATOM_OK;
}

/* Sorts by place. An empty tensor comes before the one that begins at the same byte. */
static int by_offset(const void *a, const void *b) {
    const ad_st_tensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b) {
    const ad_st_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Reads the header's length from the first bytes of a file of `size` bytes; `at` has 9 bytes, or all if the file is
 * shorter. */
static adatom_status parse_start(adatom_context *ctx, const char *name, const unsigned char *at, uint64_t size,
                                 size_t *length) {
    if (size < 8)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a safetensors file: it has only %zu bytes", name,
                       (size_t)size);
    const uint64_t announced = ad_little_endian(at, 8);
    if (announced > size - 8 || announced < 2 || at[8] != '{')
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s' is not a safetensors file, or truncated: no header of the announced length", name);
    if (announced > MAX_HEADER_BYTES)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the header takes %zu MiB; up to %d are read", name,
                       (size_t)(announced >> 20), MAX_HEADER_BYTES >> 20);
    *length = (size_t)announced;
    return ADATOM_OK;
}

/* Parses the header text and fills *out but for `data`. */
static adatom_status parse_header(adatom_context *ctx, const char *text, size_t length, size_t data_bytes,
                                  ad_safetensors *out) {
    const char *name = out->name, *key;
    json_error_t error;
    json_t *header = NULL, *value;
    adatom_status status = ad_json_parse(ctx, text, length, &header, &error);
    out->header = header;
    if (status == ADATOM_BAD_DATA)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the header is not valid JSON: %s", name, error.text);
    if (status != ADATOM_OK) return status;
    out->tensors = ad_calloc(ctx, json_object_size(header), sizeof *out->tensors);
    out->by_name = ad_calloc(ctx, json_object_size(header), sizeof *out->by_name);
    if (!out->tensors || !out->by_name) return ADATOM_OUT_OF_MEMORY;
    json_object_foreach(header, key, value) {
        if (strcmp(key, METADATA) == 0)
            AD_TRY(check_metadata(ctx, name, value));
        else
            AD_TRY(parse_tensor(ctx, name, key, value, data_bytes, &out->tensors[out->count++]));
        if (out->count % LOOK_EVERY == 0) AD_TRY(ad_interrupted(ctx));
    }
    qsort(out->tensors, out->count, sizeof *out->tensors, by_offset);
    size_t end = 0;
    for (size_t i = 0; i < out->count; end = out->tensors[i++].end) {
        out->by_name[i] = &out->tensors[i];
        if (out->tensors[i].begin != end)
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s': tensor '%s' begins at byte %zu of the data; %zu was expected (a gap or an overlap)",
                           name, out->tensors[i].name, out->tensors[i].begin, end);
    }
    if (end != data_bytes)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': %zu bytes follow the last tensor", name, data_bytes - end);
    qsort(out->by_name, out->count, sizeof *out->by_name, by_name);
done:
    return status;
}

adatom_status ad_safetensors_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size,
                                   ad_safetensors *out) {
    size_t length = 0;
    *out = (ad_safetensors){.name = name};
    adatom_status status = parse_start(ctx, name, bytes, size, &length);
    if (status != ADATOM_OK) return status;
    out->data = (const unsigned char *)bytes + 8 + length;
    status = parse_header(ctx, (const char *)bytes + 8, length, size - 8 - length, out);
    if (status != ADATOM_OK) ad_safetensors_clear(out);
    return status;
}

static adatom_status read_exactly(adatom_context *ctx, const char *path, FILE *file, void *to, size_t size) {
    enum { PART = 64 << 20 };
    for (size_t at = 0; at < size;) {
        const size_t part = AD_MIN(size - at, (size_t)PART);
        if (fread((char *)to + at, 1, part, file) != part)
            return ad_fail(ctx, ADATOM_IO, "cannot read '%s': %s", path,
                           ferror(file) ? strerror(errno) : "it shrank while being read");
        at += part;
        if (part == PART && ad_interrupted(ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
    }
    return ADATOM_OK;
}

adatom_status ad_safetensors_load(adatom_context *ctx, const char *name, const char *path, ad_safetensors *out) {
    adatom_status status = ADATOM_OK;
    unsigned char start[9] = {0};
    char *header = NULL;
    struct stat info;
    size_t length = 0;
    *out = (ad_safetensors){.name = name};
    FILE *file = fopen(path, "rbe");
    if (!file)
        return ad_fail(ctx, errno == ENOMEM ? ADATOM_OUT_OF_MEMORY : ADATOM_BAD_DATA, "cannot open '%s': %s", path,
                       strerror(errno));
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a regular file", path));
    const uint64_t size = (uint64_t)info.st_size;
    if (size > AD_ST_MOST_BYTES)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is %llu bytes, more than the %llu accepted here", path,
                       (unsigned long long)size, (unsigned long long)AD_ST_MOST_BYTES));
    AD_TRY(read_exactly(ctx, path, file, start, AD_MIN((size_t)size, sizeof start)));
    AD_TRY(parse_start(ctx, name, start, size, &length));
    if (!(header = ad_malloc(ctx, length, 1))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    header[0] = (char)start[8];
    AD_TRY(read_exactly(ctx, path, file, header + 1, length - 1));
    AD_TRY(parse_header(ctx, header, length, (size_t)size - 8 - length, out));
    if (!(out->own = ad_malloc(ctx, (size_t)size - 8 - length, 1))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    out->data = out->own;
    AD_TRY(read_exactly(ctx, path, file, out->own, (size_t)size - 8 - length));
done:
    if (status != ADATOM_OK) ad_safetensors_clear(out);
    ad_free(header);
    fclose(file);
    return status;
}

void ad_safetensors_clear(ad_safetensors *file) {
    json_decref(file->header);
    ad_free(file->tensors);
    ad_free(file->by_name);
    ad_free(file->own);
    *file = (ad_safetensors){0};
}

const ad_st_tensor *ad_safetensors_find(const ad_safetensors *file, const char *name) {
    const ad_st_tensor wanted = {.name = name}, *key = &wanted;
    const ad_st_tensor *const *found =
        file->count ? bsearch(&key, file->by_name, file->count, sizeof *file->by_name, by_name) : NULL;
    return found ? *found : NULL;
}

const char *ad_safetensors_metadata(const ad_safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

void ad_safetensors_tensor(const ad_safetensors *file, const ad_st_tensor *tensor, ad_file_tensor *out) {
    static const ad_number_type numbers[] = {
        [AD_ST_F32] = AD_NUMBER_F32, [AD_ST_F16] = AD_NUMBER_F16, [AD_ST_BF16] = AD_NUMBER_BF16,
        [AD_ST_F64] = AD_NUMBER_F64, [AD_ST_I64] = AD_NUMBER_I64, [AD_ST_I32] = AD_NUMBER_I32};
    *out = (ad_file_tensor){.name = tensor->name,
                            .type = numbers[tensor->type],
                            .rank = tensor->rank,
                            .elements = tensor->elements,
                            .data = file->data + tensor->begin};
    memcpy(out->shape, tensor->shape, sizeof out->shape);
    ad_file_tensor_pack(out);
}

float ad_safetensors_float(const ad_safetensors *file, const ad_st_tensor *tensor, size_t i) {
    const unsigned char *at = file->data + tensor->begin + i * types[tensor->type].bytes;
    float value;
    double wide;
    uint16_t half;
    if (tensor->type == AD_ST_F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    if (tensor->type == AD_ST_F64) {
        memcpy(&wide, at, sizeof wide);
        return (float)wide;
    }
    memcpy(&half, at, sizeof half);
    if (tensor->type == AD_ST_F16) return ad_half_to_float(half);
    const uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Makes the header as a JSON value; NULL: out of memory. *integer_bytes: size of the I64 tensors, which come first. */
static json_t *make_header(const char *const *metadata, const ad_st_entry *entries, size_t count, size_t *integer_bytes,
                           size_t *data_bytes) {
    json_t *header = json_object(), *pairs = json_object();
    bool bad = false;
    for (; metadata && metadata[0]; metadata += 2)
        if (metadata[1]) ad_json_set(pairs, metadata[0], json_string(metadata[1]), &bad);
    ad_json_set(header, METADATA, pairs, &bad);
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        json_t *shape = json_array();
        size_t bytes = types[entries[i].type].bytes;
        for (int r = 0; r < entries[i].rank; r++) {
            bytes *= (size_t)entries[i].shape[r];
            ad_json_append(shape, json_integer(entries[i].shape[r]), &bad);
        }
        json_t *tensor = json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[entries[i].type].name, "shape", shape,
                                   "data_offsets", (json_int_t)offset, (json_int_t)(offset + bytes));
        ad_json_set(header, entries[i].name, tensor, &bad);
        offset += bytes;
        if (entries[i].type == AD_ST_I64) *integer_bytes = offset;
    }
    *data_bytes = offset;
    if (!bad) return header;
    json_decref(header);
    return NULL;
}

/* The header's text, padded with spaces so that what follows is aligned to 8 bytes, as the format recommends, behind
 * its length and before `room` bytes that are zero. */
static adatom_status make_start(adatom_context *ctx, json_t *header, size_t tensors, size_t room, char **bytes,
                                size_t *size) {
    char *text = header ? ad_json_dump(header, JSON_COMPACT) : NULL;
    *bytes = NULL;
    *size = 0;
    if (!text)
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY,
                       "out of memory for the header of %zu tensors (or a name or note that is not UTF-8)", tensors);
    const size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    if ((*bytes = ad_calloc(ctx, 8 + padded + room, 1))) {
        for (int i = 0; i < 8; i++) (*bytes)[i] = (char)(unsigned char)((uint64_t)padded >> 8 * i);
        memcpy(*bytes + 8, text, length);
        memset(*bytes + 8 + length, ' ', padded - length);
        *size = 8 + padded;
    }
    free(text); /* allocated by jansson */
    return *bytes ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

adatom_status ad_safetensors_header(adatom_context *ctx, const char *const *metadata, const ad_st_entry *entries,
                                    size_t count, char **bytes, size_t *size) {
    size_t integer_bytes = 0, data_bytes = 0;
    json_t *header = make_header(metadata, entries, count, &integer_bytes, &data_bytes);
    adatom_status status = make_start(ctx, header, count, 0, bytes, size);
    json_decref(header);
    if (status == ADATOM_OK && *size - 8 > MAX_HEADER_BYTES) {
        status = ad_fail(ctx, ADATOM_UNSUPPORTED, "a safetensors header of %zu MiB: up to %d are written",
                         (*size - 8) >> 20, MAX_HEADER_BYTES >> 20);
        ad_free(*bytes);
        *bytes = NULL;
        *size = 0;
    }
    return status;
}

adatom_status ad_safetensors_make(adatom_context *ctx, const char *const *metadata, const ad_st_entry *entries,
                                  size_t count, unsigned char **bytes, size_t *size, float **values) {
    size_t integer_bytes = 0, data_bytes = 0;
    char *start = NULL;
    json_t *header = make_header(metadata, entries, count, &integer_bytes, &data_bytes);
    adatom_status status = make_start(ctx, header, count, data_bytes, &start, size);
    json_decref(header);
    *bytes = (unsigned char *)start;
    if (status != ADATOM_OK) return status;
    *values = (float *)(void *)(start + *size + integer_bytes);
    *size += data_bytes;
    return ADATOM_OK;
}

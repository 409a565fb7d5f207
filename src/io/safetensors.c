#include "io/safetensors.h"

#include "base/half.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER_BYTES 100000000u /* the limit of the reference implementation */
#define METADATA "__metadata__"

static const struct {
    const char *name;
    size_t bytes;
} types[] = {[AD_ST_F32] = {"F32", 4}, [AD_ST_F16] = {"F16", 2}, [AD_ST_BF16] = {"BF16", 2}, [AD_ST_I64] = {"I64", 8}};

static adatom_status parse_type(adatom_context *ctx, const char *file, const char *name, const json_t *json, ad_st_type *out) {
    const char *text = json_string_value(json);
    for (size_t i = 0; text && i < AD_COUNT(types); i++)
        if (strcmp(text, types[i].name) == 0) {
            *out = (ad_st_type)i;
            return ADATOM_OK;
        }
    return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has the type %s; F32, F16, BF16 or I64 was expected", file, name,
                   text ? text : "(none)");
}

static adatom_status parse_tensor(adatom_context *ctx, const char *file, const char *name, const json_t *json, size_t data_bytes,
                                  ad_st_tensor *out) {
    adatom_status status = ADATOM_OK;
    *out = (ad_st_tensor){.name = name};
    const json_t *shape = json_object_get(json, "shape"), *offsets = json_object_get(json, "data_offsets");
    AD_TRY(parse_type(ctx, file, name, json_object_get(json, "dtype"), &out->type));
    if (!json_is_array(shape) || json_array_size(shape) > AD_ST_RANK)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has no shape of at most %d numbers", file, name, AD_ST_RANK);
    out->rank = (int)json_array_size(shape);
    size_t elements = 1, bytes = 0;
    for (int i = 0; i < out->rank; i++) {
        const json_t *extent = json_array_get(shape, (size_t)i);
        out->shape[i] = json_integer_value(extent);
        if (!json_is_integer(extent) || out->shape[i] < 0 || __builtin_mul_overflow(elements, (size_t)out->shape[i], &elements))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has an impossible shape", file, name);
    }
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin) || (size_t)json_integer_value(end) > data_bytes)
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': the offsets of tensor '%s' do not lie in the file's %zu bytes of data (is it truncated?)", file, name,
                       data_bytes);
    out->elements = elements;
    out->begin = (size_t)json_integer_value(begin);
    out->end = (size_t)json_integer_value(end);
    if (__builtin_mul_overflow(elements, types[out->type].bytes, &bytes) || bytes != out->end - out->begin)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' takes %zu bytes, which is not what its shape and type need", file, name,
                       out->end - out->begin);
done:
    return status;
}

static adatom_status check_metadata(adatom_context *ctx, const char *file, json_t *metadata) {
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': %s is not an object", file, METADATA);
    json_object_foreach(metadata, key, value) {
        if (!json_is_string(value)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': %s '%s' is not a string", file, METADATA, key);
    }
    return ADATOM_OK;
}

/* Empty tensors take no bytes: they come before the one that begins where they stand. */
static int by_offset(const void *a, const void *b) {
    const ad_st_tensor *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

adatom_status ad_safetensors_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size, ad_safetensors *out) {
    adatom_status status = ADATOM_OK;
    const unsigned char *at = bytes;
    *out = (ad_safetensors){.name = name};
    if (size < 8) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a safetensors file: it has only %zu bytes", name, size);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | at[i];
    if (length > size - 8 || length > MAX_HEADER_BYTES || length < 2 || at[8] != '{')
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a safetensors file, or truncated: no header of the announced length", name);

    json_error_t error;
    json_t *header = out->header = json_loadb((const char *)at + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!header) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the header is not valid JSON: %s", name, error.text);
    out->data = at + 8 + length;
    const size_t data_bytes = size - 8 - (size_t)length;
    if (!(out->tensors = ad_calloc(ctx, json_object_size(header), sizeof *out->tensors))) return ADATOM_OUT_OF_MEMORY;
    const char *key;
    json_t *value;
    json_object_foreach(header, key, value) {
        if (strcmp(key, METADATA) == 0)
            AD_TRY(check_metadata(ctx, name, value));
        else
            AD_TRY(parse_tensor(ctx, name, key, value, data_bytes, &out->tensors[out->count++]));
    }
    qsort(out->tensors, out->count, sizeof *out->tensors, by_offset);
    size_t end = 0;
    for (size_t i = 0; i < out->count; end = out->tensors[i++].end)
        if (out->tensors[i].begin != end)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' begins at byte %zu of the data; %zu was expected (a gap or an overlap)",
                           name, out->tensors[i].name, out->tensors[i].begin, end);
    if (end != data_bytes) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': %zu bytes follow the last tensor", name, data_bytes - end);
done:
    return status;
}

void ad_safetensors_clear(ad_safetensors *file) {
    json_decref(file->header);
    ad_free(file->tensors);
    *file = (ad_safetensors){0};
}

const ad_st_tensor *ad_safetensors_find(const ad_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
    return NULL;
}

const char *ad_safetensors_metadata(const ad_safetensors *file, const char *key) {
    return json_string_value(json_object_get(json_object_get(file->header, METADATA), key));
}

float ad_safetensors_float(const ad_safetensors *file, const ad_st_tensor *tensor, size_t i) {
    const unsigned char *at = file->data + tensor->begin + i * types[tensor->type].bytes;
    float value;
    uint16_t half;
    if (tensor->type == AD_ST_F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&half, at, sizeof half);
    if (tensor->type == AD_ST_F16) return ad_half_to_float(half);
    const uint32_t bits = (uint32_t)half << 16; /* bfloat16: the upper half of a float32 */
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The header as a JSON value; NULL when out of memory. */
static json_t *make_header(const char *const *metadata, const ad_st_entry *entries, size_t count, size_t *integer_bytes,
                           size_t *data_bytes) {
    json_t *header = json_object(), *pairs = json_object();
    int bad = json_object_set_new(header, METADATA, pairs);
    for (; metadata && metadata[0]; metadata += 2)
        if (metadata[1]) bad |= json_object_set_new(pairs, metadata[0], json_string(metadata[1]));
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        json_t *shape = json_array();
        size_t bytes = types[entries[i].type].bytes;
        for (int r = 0; r < entries[i].rank; r++) {
            bytes *= (size_t)entries[i].shape[r];
            bad |= json_array_append_new(shape, json_integer(entries[i].shape[r]));
        }
        json_t *tensor = json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[entries[i].type].name, "shape", shape, "data_offsets",
                                   (json_int_t)offset, (json_int_t)(offset + bytes));
        bad |= json_object_set_new(header, entries[i].name, tensor);
        offset += bytes;
        if (entries[i].type == AD_ST_I64) *integer_bytes = offset;
    }
    *data_bytes = offset;
    if (!bad) return header;
    json_decref(header);
    return NULL;
}

adatom_status ad_safetensors_make(adatom_context *ctx, const char *const *metadata, const ad_st_entry *entries, size_t count,
                                  unsigned char **bytes, size_t *size, float **values) {
    adatom_status status = ADATOM_OK;
    char *text = NULL;
    size_t integer_bytes = 0, data_bytes = 0;
    *bytes = NULL;
    *size = 0;
    json_t *header = make_header(metadata, entries, count, &integer_bytes, &data_bytes);
    if (!header || !(text = json_dumps(header, JSON_COMPACT))) {
        status =
            ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the header of %zu tensors (or a name or note that is not UTF-8)", count);
        goto done;
    }
    /* Padded with spaces so that the data are aligned to 8 bytes, as the format recommends. */
    const size_t length = strlen(text), padded = (length + 7) / 8 * 8;
    if (!(*bytes = ad_calloc(ctx, 8 + padded + data_bytes, 1))) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int i = 0; i < 8; i++) (*bytes)[i] = (unsigned char)((uint64_t)padded >> 8 * i);
    memcpy(*bytes + 8, text, length);
    memset(*bytes + 8 + length, ' ', padded - length);
    *size = 8 + padded + data_bytes;
    *values = (float *)(void *)(*bytes + 8 + padded + integer_bytes);
done:
    free(text); /* jansson's */
    json_decref(header);
    return status;
}

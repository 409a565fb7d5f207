#include "io/tensor_file.h"

#include "base/bytes.h"
#include "io/dataset.h"
#include "io/safetensors.h"
#include "io/tensor_shards.h"
#include "io/torch_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const ad_tensor_format ad_tensor_formats[] = {
    {"safetensors", "F32, F16, BF16, F64, and integers (I64, I32) that are passed over"},
    {"safetensors in shards", "model.safetensors.index.json, or the folder it is in, with its shards"},
    {"torch.save",
     ".pth, .pt, .bin: float32, float16, bfloat16, float64; a zip archive, or a pickle as before PyTorch 1.6"},
    {NULL, NULL}};

enum { START_BYTES = 512 };

typedef enum content { IS_SAFETENSORS, IS_INDEX, IS_TORCH, IS_UNKNOWN } content;

/* What begins with these bytes. A safetensors file begins with its header's length, which is no text's. */
static content sniff(const unsigned char *bytes, size_t size) {
    size_t at = 0;
    const uint64_t announced = size < 9 ? 0 : ad_little_endian(bytes, 8);
    if (ad_torch_file_begins(bytes, size) && (size < 9 || bytes[8] != '{')) return IS_TORCH;
    while (at < size && ad_is_space((char)bytes[at])) at++;
    if (at < size && bytes[at] == '{' && (size < 9 || announced > AD_ST_MOST_BYTES)) return IS_INDEX;
    return size < 9 || bytes[8] == '{' ? IS_SAFETENSORS : IS_UNKNOWN;
}

static adatom_status refuse(adatom_context *ctx, const char *name, const unsigned char *bytes, size_t size) {
    const char *what = ad_sniff((const char *)bytes, size);
    return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is neither safetensors nor a file of torch.save, but %s", name,
                   what ? what : "something unknown");
}

adatom_status ad_tensor_file_parse(adatom_context *ctx, const char *name, const void *bytes, size_t size,
                                   ad_tensor_file *out) {
    adatom_status status = ADATOM_OK;
    *out = (ad_tensor_file){.name = name};
    switch (sniff(bytes, size)) {
    case IS_SAFETENSORS:
        if (!(out->shards = ad_calloc(ctx, 1, sizeof *out->shards))) AD_TRY(ADATOM_OUT_OF_MEMORY);
        AD_TRY(ad_safetensors_parse(ctx, name, bytes, size, &out->shards[out->shard_count++]));
        AD_TRY(ad_tensor_shards_fill(ctx, out));
        break;
    case IS_INDEX:
        status = ad_fail(ctx, ADATOM_BAD_DATA,
                         "'%s' is text: an index of shards is read where its shards are beside it", name);
        break;
    case IS_TORCH: status = ad_torch_file_parse(ctx, bytes, size, out); break;
    case IS_UNKNOWN: status = refuse(ctx, name, bytes, size); break;
    }
done:
    if (status != ADATOM_OK) ad_tensor_file_clear(out);
    return status;
}

static adatom_status open_file(adatom_context *ctx, const char *path, ad_tensor_file *out) {
    adatom_status status = ADATOM_OK;
    unsigned char start[START_BYTES];
    char *bytes = NULL;
    size_t size = ad_read_start(path, start, sizeof start);
    switch (sniff(start, size)) {
    case IS_SAFETENSORS:
        if (!(out->shards = ad_calloc(ctx, 1, sizeof *out->shards))) AD_TRY(ADATOM_OUT_OF_MEMORY);
        AD_TRY(ad_safetensors_load(ctx, out->name, path, &out->shards[out->shard_count++]));
        AD_TRY(ad_tensor_shards_fill(ctx, out));
        break;
    case IS_INDEX: status = ad_tensor_shards_open(ctx, path, out); break;
    case IS_TORCH:
        AD_TRY(ad_read_long_file(ctx, path, (size_t)AD_ST_MOST_BYTES, &bytes, &size));
        out->own = (unsigned char *)bytes;
        AD_TRY(ad_torch_file_parse(ctx, out->own, size, out));
        break;
    case IS_UNKNOWN: status = refuse(ctx, path, start, size); break;
    }
done:
    return status;
}

adatom_status ad_tensor_file_open(adatom_context *ctx, const char *path, ad_tensor_file *out) {
    static const char *const inside[] = {"model.safetensors.index.json", "model.safetensors", "pytorch_model.bin"};
    struct stat info;
    *out = (ad_tensor_file){.name = path};
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        adatom_status status = open_file(ctx, path, out);
        if (status != ADATOM_OK) ad_tensor_file_clear(out);
        return status;
    }
    for (size_t i = 0; i < AD_COUNT(inside); i++) {
        char *file = ad_format(ctx, "%s/%s", path, inside[i]);
        adatom_status status = file ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
        const bool is_there = file && stat(file, &info) == 0;
        if (is_there) status = open_file(ctx, file, out);
        ad_free(file);
        if (status != ADATOM_OK) ad_tensor_file_clear(out);
        if (is_there || status != ADATOM_OK) return status;
    }
    return ad_fail(ctx, ADATOM_BAD_DATA, "the folder '%s' has no %s, %s or %s", path, inside[0], inside[1], inside[2]);
}

void ad_tensor_file_clear(ad_tensor_file *file) {
    for (size_t i = 0; i < file->shard_count; i++) {
        ad_safetensors_clear(&file->shards[i]);
        if (file->paths) ad_free(file->paths[i]);
    }
    ad_free(file->shards);
    ad_free(file->paths);
    ad_free(file->tensors);
    ad_free(file->by_name);
    ad_free(file->own);
    ad_free(file->text);
    *file = (ad_tensor_file){0};
}

static int by_name(const void *a, const void *b) {
    const ad_file_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

adatom_status ad_tensor_file_sort(adatom_context *ctx, ad_tensor_file *file) {
    if (!(file->by_name = ad_calloc(ctx, file->count, sizeof *file->by_name))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < file->count; i++) file->by_name[i] = &file->tensors[i];
    qsort(file->by_name, file->count, sizeof *file->by_name, by_name);
    for (size_t i = 1; i < file->count; i++)
        if (by_name(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': two tensors have the name '%s'", file->name,
                           file->by_name[i]->name);
    return ADATOM_OK;
}

const ad_file_tensor *ad_tensor_file_find(const ad_tensor_file *file, const char *name) {
    const ad_file_tensor wanted = {.name = name}, *key = &wanted;
    const ad_file_tensor *const *found =
        file->count ? bsearch(&key, file->by_name, file->count, sizeof *file->by_name, by_name) : NULL;
    return found ? *found : NULL;
}

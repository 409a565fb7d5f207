/* torch.save before PyTorch 1.6: five pickles one after the other (a magic number, a version, the machine, the value,
 * the keys of the storages) and behind them each storage's length and numbers. */
#include "io/torch_parts.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 1001, NUMBERS_BYTES = 8 };

typedef struct stream {
    adatom_context *ctx;
    const char *name;
    const unsigned char *bytes;
    size_t size, at;
} stream;

static adatom_status next_pickle(stream *s, ad_pickle *out) {
    adatom_status status = ad_pickle_parse(s->ctx, s->name, s->bytes + s->at, s->size - s->at, out);
    if (status == ADATOM_OK) s->at += out->size;
    return status;
}

/* The magic number, the format's version, and the machine, which must be little-endian. */
static adatom_status read_start(stream *s) {
    static const unsigned char magic[] = {0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    enum { PROTO_BYTES = 2 };
    ad_pickle version = {0}, machine = {0};
    bool is_little = false;
    if (s->size < PROTO_BYTES + sizeof magic || memcmp(s->bytes + PROTO_BYTES, magic, sizeof magic) != 0)
        return ad_fail(s->ctx, ADATOM_BAD_DATA,
                       "'%s' is a pickle that torch.save did not write; nothing of it was run (save the network's "
                       "state_dict() with torch.save)",
                       s->name);
    s->at = PROTO_BYTES + sizeof magic;
    adatom_status status = next_pickle(s, &version);
    if (status == ADATOM_OK) status = next_pickle(s, &machine);
    if (status == ADATOM_OK && machine.root.kind == AD_PICKLE_DICT) {
        const ad_pickle_value value = ad_pickle_member(&machine, machine.root, "little_endian");
        is_little = value.kind == AD_PICKLE_BOOL && value.number;
    }
    if (status == ADATOM_OK && (version.root.kind != AD_PICKLE_INT || version.root.number != VERSION || !is_little))
        status = ad_fail(s->ctx, ADATOM_BAD_DATA,
                         "'%s' is of a big-endian machine or another version of PyTorch's old format than %d (save it "
                         "again with a newer PyTorch)",
                         s->name, VERSION);
    ad_pickle_clear(&version);
    ad_pickle_clear(&machine);
    return status;
}

static int by_key(const void *a, const void *b) {
    return ad_torch_compare(((const ad_pickle_storage *)a)->key, ((const ad_pickle_storage *)b)->key);
}

/* The storages that the value names, each once, in the order of their keys. */
static adatom_status list_storages(const stream *s, const ad_pickle *value, ad_pickle_storage *storages,
                                   size_t *count) {
    size_t kept = 0;
    for (size_t i = 0; i < value->storage_count; i++) {
        adatom_status status = ad_pickle_storage_of(s->ctx, value, value->storages[i], &storages[i]);
        if (status != ADATOM_OK) return status;
        if (storages[i].is_view)
            return ad_fail(s->ctx, ADATOM_BAD_DATA,
                           "'%s' has a storage that is a view of another, as PyTorch wrote until 2017 (save it again "
                           "with a newer PyTorch)",
                           s->name);
    }
    qsort(storages, value->storage_count, sizeof *storages, by_key);
    for (size_t i = 0; i < value->storage_count; i++) {
        if (kept && by_key(&storages[kept - 1], &storages[i]) == 0) {
            if (storages[kept - 1].type_bytes != storages[i].type_bytes ||
                storages[kept - 1].numbers != storages[i].numbers)
                return ad_fail(s->ctx, ADATOM_BAD_DATA, "'%s': its pickle describes a storage in two ways", s->name);
            continue;
        }
        storages[kept++] = storages[i];
    }
    *count = kept;
    return ADATOM_OK;
}

static adatom_status read_storage(stream *s, ad_pickle_text key, const ad_pickle_storage *storages, size_t count,
                                  ad_torch_part *out) {
    const ad_pickle_storage wanted = {.key = key};
    const ad_pickle_storage *found = count ? bsearch(&wanted, storages, count, sizeof *storages, by_key) : NULL;
    size_t bytes = 0;
    if (!found) return ad_fail(s->ctx, ADATOM_BAD_DATA, "'%s' has a storage that no tensor has", s->name);
    if (s->size - s->at < NUMBERS_BYTES)
        return ad_fail(s->ctx, ADATOM_BAD_DATA, "'%s' ends before its last storage (is it truncated?)", s->name);
    const uint64_t numbers = ad_little_endian(s->bytes + s->at, NUMBERS_BYTES);
    s->at += NUMBERS_BYTES;
    if (numbers != found->numbers)
        return ad_fail(s->ctx, ADATOM_BAD_DATA, "'%s': a storage has %llu numbers, its tensors say %zu", s->name,
                       (unsigned long long)numbers, found->numbers);
    if (__builtin_mul_overflow(found->numbers, found->type_bytes, &bytes) || bytes > s->size - s->at)
        return ad_fail(s->ctx, ADATOM_BAD_DATA, "'%s' ends within a storage (is it truncated?)", s->name);
    *out = (ad_torch_part){.key = key, .data = s->bytes + s->at, .bytes = bytes, .is_stored = true};
    s->at += bytes;
    return ADATOM_OK;
}

adatom_status ad_torch_legacy(adatom_context *ctx, const char *name, const unsigned char *bytes, size_t size,
                              ad_torch_parts *out) {
    stream s = {ctx, name, bytes, size, 0};
    adatom_status status = ADATOM_OK;
    ad_pickle keys = {0};
    ad_pickle_storage *storages = NULL;
    size_t count = 0;
    *out = (ad_torch_parts){0};
    AD_TRY(read_start(&s));
    AD_TRY(next_pickle(&s, &out->pickle));
    AD_TRY(next_pickle(&s, &keys));
    if (keys.root.kind != AD_PICKLE_LIST)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has no list of its storages", name));
    if (!(storages = ad_calloc(ctx, out->pickle.storage_count, sizeof *storages))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(list_storages(&s, &out->pickle, storages, &count));
    const size_t all = keys.containers[keys.root.index].count;
    if (all > (s.size - s.at) / NUMBERS_BYTES)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' ends before its last storage (is it truncated?)", name));
    if (!(out->parts = ad_calloc(ctx, all, sizeof *out->parts))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (uint32_t i = ad_pickle_first(&keys, keys.root); i != AD_PICKLE_NONE; i = keys.items[i].next) {
        if (keys.items[i].value.kind != AD_PICKLE_TEXT)
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has a storage whose key is no text", name));
        AD_TRY(read_storage(&s, ad_pickle_text_of(&keys, keys.items[i].value), storages, count,
                            &out->parts[out->count++]));
    }
    AD_TRY(ad_torch_sort(ctx, name, out));
done:
    ad_pickle_clear(&keys);
    ad_free(storages);
    if (status != ADATOM_OK) ad_torch_parts_clear(out);
    return status;
}

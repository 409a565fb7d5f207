/* Storages and tensors as a pickle describes them: tuples of arguments, checked before anything is made of them. */
#include "io/pickle_names.h"

#include <string.h>

enum { SHOWN = 200, MOST_ARGUMENTS = 8, MOST_STORAGE = 6, MOST_KEY = 255 };

/* Up to `capacity` items of a tuple; the tuple's own count. */
static size_t items_of(const ad_pickle *p, uint32_t tuple, ad_pickle_value *out, size_t capacity) {
    size_t count = 0;
    for (uint32_t i = p->containers[tuple].first; i != AD_PICKLE_NONE && count < capacity; i = p->items[i].next)
        out[count++] = p->items[i].value;
    return p->containers[tuple].count;
}

adatom_status ad_pickle_storage_of(adatom_context *ctx, const ad_pickle *p, uint32_t tuple, ad_pickle_storage *out) {
    /* ("storage", class, key, device, numbers), and before 2020 None or the storage that it is a view of */
    ad_pickle_value of[MOST_STORAGE] = {{0}};
    const size_t count = items_of(p, tuple, of, AD_COUNT(of));
    const bool is_whole = (count == 5 || count == 6) && of[1].kind == AD_PICKLE_NAME && of[2].kind == AD_PICKLE_TEXT &&
                          of[4].kind == AD_PICKLE_INT && of[4].number >= 0 && (uint64_t)of[4].number <= SIZE_MAX &&
                          of[2].index <= MOST_KEY; /* a few digits; many storages may have one key */
    const ad_pickle_name *name = is_whole ? &ad_pickle_names[of[1].index] : NULL;
    if (!name || name->use != AD_PICKLE_AS_STORAGE)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': its pickle describes a storage in a way that PyTorch does not",
                       p->name);
    *out = (ad_pickle_storage){.type = name->type,
                               .type_bytes = name->type_bytes,
                               .key = ad_pickle_text_of(p, of[2]),
                               .numbers = (size_t)of[4].number,
                               .is_view = count == 6 && of[5].kind != AD_PICKLE_OTHER};
    return ADATOM_OK;
}

static adatom_status wrong(adatom_context *ctx, const ad_pickle *p, ad_pickle_text what, const char *is) {
    return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%.*s' %s", p->name, (int)AD_MIN(what.length, (size_t)SHOWN),
                   what.bytes, is);
}

/* A tuple of numbers that are not negative. -1: it is none. */
static int numbers_of(const ad_pickle *p, ad_pickle_value tuple, int64_t out[AD_FILE_RANK]) {
    ad_pickle_value values[AD_FILE_RANK] = {{0}};
    if (tuple.kind != AD_PICKLE_TUPLE) return -1;
    const size_t count = items_of(p, tuple.index, values, AD_COUNT(values));
    if (count > AD_COUNT(values)) return -1;
    for (size_t i = 0; i < count; i++) {
        if (values[i].kind != AD_PICKLE_INT || values[i].number < 0) return -1;
        out[i] = values[i].number;
    }
    return (int)count;
}

/* Whether each number lies in the `numbers` of the storage, and belongs to one element: from the smallest stride on,
 * each step is longer than all that lies between two of its places. */
static const char *check_places(const ad_pickle_tensor *t, size_t numbers) {
    int order[AD_FILE_RANK], count = 0;
    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] == 1) continue;
        int at = count++;
        for (; at > 0 && t->stride[order[at - 1]] > t->stride[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
    uint64_t span = 1; /* from the first number to the last, with both */
    for (int i = 0; i < count; i++) {
        const uint64_t stride = (uint64_t)t->stride[order[i]], steps = (uint64_t)t->shape[order[i]] - 1;
        uint64_t way = 0;
        if (stride < span) return "has elements that overlap in memory (save its .contiguous())";
        if (__builtin_mul_overflow(stride, steps, &way) || __builtin_add_overflow(span, way, &span))
            return "runs past its storage";
    }
    return t->offset > numbers || span > numbers - t->offset ? "runs past its storage" : NULL;
}

adatom_status ad_pickle_tensor_of(adatom_context *ctx, const ad_pickle *p, ad_pickle_value tensor, ad_pickle_text what,
                                  ad_pickle_tensor *out) {
    /* (storage, offset, shape, strides, ...), and in the third form the type after two more */
    ad_pickle_value of[MOST_ARGUMENTS] = {{0}};
    const size_t count = items_of(p, tensor.index, of, AD_COUNT(of));
    const bool has_type = ad_pickle_names[tensor.number].use == AD_PICKLE_AS_TENSOR_3;
    const bool is_whole = count >= (has_type ? 7 : 4) && count <= AD_COUNT(of) && of[0].kind == AD_PICKLE_STORAGE &&
                          of[1].kind == AD_PICKLE_INT && of[1].number >= 0 && (uint64_t)of[1].number <= SIZE_MAX;
    *out = (ad_pickle_tensor){0};
    if (!is_whole || (has_type && of[6].kind != AD_PICKLE_NAME))
        return wrong(ctx, p, what, "is described in a way that PyTorch does not");
    adatom_status status = ad_pickle_storage_of(ctx, p, of[0].index, &out->storage);
    if (status != ADATOM_OK) return status;
    out->type = out->storage.type == AD_NUMBER_BYTES ? AD_NUMBER_INTEGER : out->storage.type;
    out->type_bytes = out->storage.type_bytes;
    if (has_type) {
        const ad_pickle_name *type = &ad_pickle_names[of[6].index];
        if (type->use != AD_PICKLE_AS_TYPE) return wrong(ctx, p, what, "is described in a way that PyTorch does not");
        out->type = type->type;
        out->type_bytes = type->type_bytes;
    }
    out->offset = (size_t)of[1].number;
    out->rank = numbers_of(p, of[2], out->shape);
    if (out->rank < 0 || numbers_of(p, of[3], out->stride) != out->rank)
        return wrong(ctx, p, what, "has no shape and strides of at most 8 numbers, none of them negative");
    out->elements = 1;
    for (int i = 0; i < out->rank; i++)
        if (__builtin_mul_overflow(out->elements, out->shape[i], &out->elements))
            return wrong(ctx, p, what, "has an impossible shape");
    size_t bytes = 0;
    if (__builtin_mul_overflow(out->storage.numbers, out->storage.type_bytes, &bytes))
        return wrong(ctx, p, what, "has a storage of an impossible size");
    const char *is = out->elements ? check_places(out, bytes / out->type_bytes) : NULL;
    return is ? wrong(ctx, p, what, is) : ADATOM_OK;
}

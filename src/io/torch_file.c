#include "io/torch_file.h"

#include "io/torch_parts.h"

#include <stdlib.h>
#include <string.h>

/* An averaged network (EMA) goes before the one that was averaged, as in timm: it is the better one. */
const char *const ad_torch_wrappers[] = {
    "state_dict_ema", "model_ema", "ema_state_dict", "ema",     "params_ema", "state_dict", "model_state_dict",
    "model_state",    "state",     "model",          "module",  "params",     "net",        "network",
    "weights",        "teacher",   "backbone",       "encoder", NULL};

enum { MOST_DEPTH = 8, MOST_TENSORS = 1 << 19, SHOWN = 200, LOOK_EVERY = 4096 };
/* Storages may be shared: the tensors together take no more than so many times the file. */
#define MOST_TIMES 8

bool ad_torch_file_begins(const unsigned char *bytes, size_t size) {
    if (size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0) return true;
    return size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5;
}

/* ---- which of a checkpoint's dictionaries is the network ---- */

typedef struct search {
    const ad_pickle *pickle;
    bool *seen;        /* the containers that were looked at: each is once */
    const char *under; /* the name above that the dictionary had; NULL: none */
} search;

static const ad_pickle_value nothing = {.kind = AD_PICKLE_OTHER};

static bool has_tensors(const ad_pickle *p, ad_pickle_value dict) {
    ad_pickle_value key, value;
    for (uint32_t i = ad_pickle_first(p, dict); i != AD_PICKLE_NONE;) {
        i = ad_pickle_pair(p, i, &key, &value);
        if (key.kind == AD_PICKLE_TEXT && value.kind == AD_PICKLE_TENSOR) return true;
    }
    return false;
}

/* The dictionary of tensors that a value is or holds under the names above. */
static ad_pickle_value look_into(search *s, ad_pickle_value value, int depth) {
    if (value.kind != AD_PICKLE_DICT || depth == MOST_DEPTH || s->seen[value.index]) return nothing;
    s->seen[value.index] = true;
    for (size_t w = 0; ad_torch_wrappers[w]; w++) {
        const ad_pickle_value found = look_into(s, ad_pickle_member(s->pickle, value, ad_torch_wrappers[w]), depth + 1);
        if (found.kind != AD_PICKLE_DICT) continue;
        if (!s->under) s->under = ad_torch_wrappers[w];
        return found;
    }
    return has_tensors(s->pickle, value) ? value : nothing;
}

static adatom_status find_state(adatom_context *ctx, const ad_pickle *p, ad_pickle_value *out) {
    ad_pickle_value key, value, first_key = nothing;
    search s = {.pickle = p, .seen = ad_calloc(ctx, p->container_count, sizeof(bool))};
    adatom_status status = s.seen ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    if (status == ADATOM_OK) *out = look_into(&s, p->root, 0);
    if (status != ADATOM_OK || out->kind == AD_PICKLE_DICT || p->root.kind != AD_PICKLE_DICT) goto done;
    for (uint32_t i = ad_pickle_first(p, p->root); i != AD_PICKLE_NONE;) {
        i = ad_pickle_pair(p, i, &key, &value);
        const ad_pickle_value found = key.kind == AD_PICKLE_TEXT ? look_into(&s, value, 1) : nothing;
        if (found.kind != AD_PICKLE_DICT) continue;
        if (out->kind == AD_PICKLE_DICT) {
            const ad_pickle_text a = ad_pickle_text_of(p, first_key), b = ad_pickle_text_of(p, key);
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s' has tensors under '%.*s' and under '%.*s': save the dictionary of one network alone",
                           p->name, (int)AD_MIN(a.length, (size_t)SHOWN), a.bytes, (int)AD_MIN(b.length, (size_t)SHOWN),
                           b.bytes));
        }
        *out = found;
        first_key = key;
    }
done:
    ad_free(s.seen);
    if (status == ADATOM_OK && s.under)
        ad_log(ctx, ADATOM_LOG_INFO, "'%s': the tensors under '%s' are taken", p->name, s.under);
    if (status == ADATOM_OK && out->kind != AD_PICKLE_DICT)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' holds no dictionary of tensors (save the network's state_dict())",
                       p->name);
    return status;
}

/* ---- its tensors as a table ---- */

typedef struct entry {
    ad_pickle_value key, tensor;
} entry;

static int by_place(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return (x->key.number > y->key.number) - (x->key.number < y->key.number);
}

static bool is_name(ad_pickle_text text) {
    for (size_t i = 0, bytes = 0; i < text.length; i += bytes) {
        char start[5] = {0};
        uint32_t point;
        memcpy(start, text.bytes + i, AD_MIN(text.length - i, (size_t)4));
        if (!(bytes = ad_utf8(start, &point))) return false;
    }
    return text.length > 0;
}

/* The dictionary's tensors in their order. A key whose text stands once in the pickle is one tensor's: so the names
 * together are no longer than the pickle. */
static adatom_status list_entries(adatom_context *ctx, const ad_pickle *p, ad_pickle_value state, entry **entries,
                                  size_t *count, size_t *text_bytes) {
    ad_pickle_value key, value;
    adatom_status status = ADATOM_OK;
    entry *sorted = NULL;
    const size_t most = p->containers[state.index].count / 2;
    if (most > MOST_TENSORS)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has %zu tensors; up to %d are read", p->name, most, MOST_TENSORS);
    if (!(*entries = ad_calloc(ctx, most, sizeof **entries))) return ADATOM_OUT_OF_MEMORY;
    for (uint32_t i = ad_pickle_first(p, state); i != AD_PICKLE_NONE;) {
        i = ad_pickle_pair(p, i, &key, &value);
        if (key.kind == AD_PICKLE_TEXT && value.kind == AD_PICKLE_TENSOR) (*entries)[(*count)++] = (entry){key, value};
    }
    if (!(sorted = ad_malloc(ctx, *count, sizeof *sorted))) return ADATOM_OUT_OF_MEMORY;
    memcpy(sorted, *entries, *count * sizeof *sorted);
    qsort(sorted, *count, sizeof *sorted, by_place);
    for (size_t i = 0; i < *count; i++) {
        const ad_pickle_text name = ad_pickle_text_of(p, sorted[i].key);
        const int shown = (int)AD_MIN(name.length, (size_t)SHOWN);
        if (i && by_place(&sorted[i - 1], &sorted[i]) == 0)
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s': two tensors have the name '%.*s'", p->name, shown, name.bytes));
        if (!is_name(name))
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the name '%.*s' of a tensor is empty or not UTF-8", p->name,
                           shown, name.bytes));
        *text_bytes += name.length + 1;
    }
done:
    ad_free(sorted);
    return status;
}

static adatom_status fill_tensor(adatom_context *ctx, ad_torch_parts *parts, const entry *e, ad_file_tensor *out) {
    const ad_pickle_text name = ad_pickle_text_of(&parts->pickle, e->key);
    ad_pickle_tensor t;
    adatom_status status = ad_pickle_tensor_of(ctx, &parts->pickle, e->tensor, name, &t);
    if (status != ADATOM_OK) return status;
    const ad_torch_part *part = ad_torch_part_of(ctx, parts->pickle.name, parts, t.storage.key, &status);
    if (!part) return status;
    /* The product did not overflow: ad_pickle_tensor_of() took it. */
    if (part->bytes < t.storage.numbers * t.storage.type_bytes)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the storage of tensor '%s' has %zu bytes; %zu were expected",
                       parts->pickle.name, out->name, part->bytes, t.storage.numbers * t.storage.type_bytes);
    out->type = t.type;
    out->rank = t.rank;
    memcpy(out->shape, t.shape, sizeof out->shape);
    memcpy(out->stride, t.stride, sizeof out->stride);
    out->elements = t.elements;
    out->data = t.elements ? part->data + t.offset * t.type_bytes : part->data;
    return ADATOM_OK;
}

static size_t bytes_of(const ad_file_tensor *tensor) {
    size_t bytes = 0;
    return __builtin_mul_overflow(tensor->elements, sizeof(float), &bytes) ? SIZE_MAX : bytes;
}

adatom_status ad_torch_file_parse(adatom_context *ctx, const unsigned char *bytes, size_t size, ad_tensor_file *out) {
    adatom_status status = ADATOM_OK;
    ad_torch_parts parts = {0};
    ad_pickle_value state = nothing;
    entry *entries = NULL;
    size_t count = 0, text_bytes = 0, left = size > SIZE_MAX / MOST_TIMES ? SIZE_MAX : size * MOST_TIMES;
    const bool is_zip = size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0;
    AD_TRY(is_zip ? ad_torch_zip(ctx, out->name, bytes, size, &parts)
                  : ad_torch_legacy(ctx, out->name, bytes, size, &parts));
    AD_TRY(find_state(ctx, &parts.pickle, &state));
    AD_TRY(list_entries(ctx, &parts.pickle, state, &entries, &count, &text_bytes));
    out->tensors = ad_calloc(ctx, count, sizeof *out->tensors);
    out->text = ad_malloc(ctx, text_bytes, 1);
    if (!out->tensors || !out->text) AD_TRY(ADATOM_OUT_OF_MEMORY);
    char *at = out->text;
    for (size_t i = 0; i < count; i++) {
        const ad_pickle_text name = ad_pickle_text_of(&parts.pickle, entries[i].key);
        ad_file_tensor *tensor = &out->tensors[out->count++];
        memcpy(at, name.bytes, name.length);
        at[name.length] = 0;
        tensor->name = at;
        at += name.length + 1;
        AD_TRY(fill_tensor(ctx, &parts, &entries[i], tensor));
        if (bytes_of(tensor) > left)
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s': its tensors share storages so that they take more than %d times the file", out->name,
                           MOST_TIMES));
        left -= bytes_of(tensor);
        if (i % LOOK_EVERY == 0) AD_TRY(ad_interrupted(ctx));
    }
    AD_TRY(ad_tensor_file_sort(ctx, out));
done:
    ad_free(entries);
    ad_torch_parts_clear(&parts);
    return status;
}

/* Recognises parts of a data set that lie in folders of their own: train, val, test, or base and novel. */
#include "io/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS_MOST = 16, NAMES_MOST = 16 };

/* The name of the folder at this level of a path, `length` bytes; *length 0: there is none. */
static const char *folder_at(const char *path, size_t level, size_t *length) {
    const char *at = path;
    *length = 0;
    for (const char *slash; (slash = strchr(at, '/')); at = slash + 1) {
        if (level-- > 0) continue;
        *length = (size_t)(slash - at);
        break;
    }
    return at;
}

/* Whether a folder is called as parts of data sets are: "train", "Training_Set", "val2017", "images_background". */
static bool is_split_name(const char *name, size_t length) {
    static const char *const names[] = {"train",      "training",  "trn",        "val",     "valid",   "validation",
                                        "dev",        "test",      "testing",    "tst",     "eval",    "evaluation",
                                        "background", "base",      "novel",      "query",   "support", "holdout",
                                        "trainval",   "fold",      "split",      "seen",    "unseen",  "labeled",
                                        "labelled",   "unlabeled", "unlabelled", "gallery", "probe"};
    static const char *const before[] = {"images_", "images-", "img_", "data_", "meta-", "meta_", "mini-",
                                         "mini_",   "mini",    "my_",  "my-",   "base_", "novel_"};
    static const char *const behind[] = {"set", "data", "images", "imgs", "_", "-"};
    const size_t number = strspn(name, "0123456789"); /* numbered as in 1_train or 02-val */
    if (number && number + 1 < length && strchr("_-. ", name[number])) {
        name += number + 1;
        length -= number + 1;
    }
    for (size_t i = 0; i < AD_COUNT(before); i++) {
        const size_t n = strlen(before[i]);
        if (length <= n || !ad_same_letters(name, before[i], n)) continue;
        name += n;
        length -= n;
    }
    for (bool cut = true; cut && length;) {
        cut = name[length - 1] >= '0' && name[length - 1] <= '9';
        length -= cut;
        for (size_t i = 0; i < AD_COUNT(behind); i++) {
            const size_t n = strlen(behind[i]);
            if (length <= n || !ad_same_letters(name + length - n, behind[i], n)) continue;
            length -= n;
            cut = true;
        }
    }
    for (size_t i = 0; i < AD_COUNT(names); i++)
        if (strlen(names[i]) == length && ad_same_letters(name, names[i], length)) return true;
    return false;
}

bool ad_in_split(const char *path, size_t level, const char *split) {
    size_t length;
    const char *name = level == SIZE_MAX ? NULL : folder_at(path, level, &length);
    return name && length && length == strlen(split) && !memcmp(name, split, length);
}

size_t ad_split_level(const ad_source *source, const char *split) {
    size_t topmost = SIZE_MAX;
    for (size_t level = 0; level < LEVELS_MOST; level++) {
        bool any = false, all = true;
        for (size_t i = 0; i < source->count; i++) {
            size_t length;
            if (source->entries[i].kind != AD_ENTRY_PICTURE) continue;
            const char *name = folder_at(source->entries[i].path, level, &length);
            const bool here = length && ad_in_split(source->entries[i].path, level, split);
            any = any || here;
            all = all && (!length || here || is_split_name(name, length));
        }
        if (any && all) return level;
        if (any && topmost == SIZE_MAX) topmost = level;
    }
    return topmost;
}

/* A class's name without the part of the data set that it is in. For "a/train/cat": the first `above` bytes are "a/",
 * rest is "/cat", and part_length bytes from `part` on are "train". */
typedef struct placed {
    const char *name, *rest;
    size_t above, part, part_length;
} placed;

static int by_place(const void *a, const void *b) {
    const placed *x = a, *y = b;
    const size_t shared = AD_MIN(x->above, y->above);
    const int order = memcmp(x->name, y->name, shared);
    if (order) return order;
    if (x->above != y->above) return x->above < y->above ? -1 : 1;
    return strcmp(x->rest, y->rest);
}

/* Whether at this level every class lies in a part of the data set, and there are several parts. parts[*part_count]:
 * the different ones. */
static bool place_classes(const ad_selection *s, size_t level, placed *out, placed *parts, size_t *part_count) {
    *part_count = 0;
    for (int c = 0; c < s->classes; c++) {
        const char *at = s->names[c];
        for (size_t l = 0; l < level && at; l++) at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL;
        if (!at) return false;
        const size_t length = strcspn(at, "/");
        if (!is_split_name(at, length)) return false;
        out[c] = (placed){s->names[c], at + length, (size_t)(at - s->names[c]), (size_t)(at - s->names[c]), length};
        size_t k = 0;
        while (k < *part_count &&
               (parts[k].part_length != length || memcmp(parts[k].name + parts[k].part, at, length) != 0))
            k++;
        if (k == NAMES_MOST) return false;
        if (k == *part_count) parts[(*part_count)++] = out[c];
    }
    return *part_count > 1;
}

adatom_status ad_tell_splits(const ad_source *source, const ad_selection *s, ad_problems *problems) {
    placed parts[NAMES_MOST];
    size_t part_count = 0, level = 0;
    placed *classes = ad_malloc(source->ctx, (size_t)s->classes, sizeof *classes);
    if (!classes) return ADATOM_OUT_OF_MEMORY;
    while (level < LEVELS_MOST && !place_classes(s, level, classes, parts, &part_count)) level++;
    adatom_status status = ADATOM_OK;
    if (level == LEVELS_MOST) goto done;
    const placed *same = NULL;
    qsort(classes, (size_t)s->classes, sizeof *classes, by_place);
    for (int c = 1; c < s->classes && !same; c++)
        if (by_place(&classes[c - 1], &classes[c]) == 0) same = &classes[c];
    char text[AD_MESSAGE_BYTES];
    const placed *one = &parts[part_count - 1];
    const int length = (int)one->part_length;
    const char *name = one->name + one->part;
    if (same) {
        snprintf(text, sizeof text,
                 "'%s' has %zu splits inside: '%s' and '%s' %s different classes; choose a split (such as --split "
                 "%.*s), or name the folder of one ('%s/%.*s')",
                 source->root, part_count, same[-1].name, same->name,
                 problems->refuse_splits ? "would be" : "are taken as", length, name, source->root,
                 (int)one->part + length, one->name);
    } else {
        snprintf(text, sizeof text,
                 "'%s' has %zu splits inside, and the classes of all are taken; choose a split (such as --split %.*s)",
                 source->root, part_count, length, name);
    }
    if (same && (problems->go_on || problems->refuse_splits))
        status = ad_problem(problems, "%s", text);
    else
        ad_log(source->ctx, ADATOM_LOG_WARNING, "%s", text);
done:
    ad_free(classes);
    return status;
}

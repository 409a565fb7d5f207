/* Keeps what is passed over while a data set is listed: counted by reason, told once a reason, and named one by one in
 * verify. */
#include "io/dataset.h"

#include <string.h>

static const struct {
    const char *one, *many; /* to follow a number: "3 pictures whose ..." */
    /* verify's sentence about one file, with its path; NULL: nothing is wrong, and the log tells it as information. */
    const char *problem;
} kinds[AD_PASSED_KINDS] = {
    [AD_PASSED_UNREAD] = {"picture of a kind that is not read", "pictures of a kind that is not read",
                          "'%s' is a picture of a kind that is not read"},
    [AD_PASSED_NAMELESS] = {"picture whose name does not end like one (.jpg, .png)",
                            "pictures whose names do not end like one (.jpg, .png)",
                            "'%s' is a picture, but its name does not end like one (.jpg, .png): rename it"},
    [AD_PASSED_HIDDEN] = {"picture whose name begins with a dot", "pictures whose names begin with a dot",
                          "'%s' is passed over, as its name begins with a dot"},
    [AD_PASSED_DANGLING] = {"link to something that is not there", "links to something that is not there",
                            "'%s' is a link to something that is not there"},
    [AD_PASSED_LOCKED] = {"folder that cannot be looked into", "folders that cannot be looked into",
                          "folder '%s' cannot be looked into: permission denied"},
    [AD_PASSED_SPECIAL] = {"pipe, socket or device with the name of a picture",
                           "pipes, sockets or devices with the names of pictures", "'%s' is a pipe, socket or device"},
    [AD_PASSED_NAME] =
        {"name that cannot be used", "names that cannot be used",
         "'%s' has a name that cannot be used: it leads out of the archive, is too long or in an unknown encoding"},
    [AD_PASSED_BESIDE] = {"picture outside the class folders", "pictures outside the class folders",
                          "'%s' lies outside the class folders"},
    [AD_PASSED_EMPTY] = {"folder without pictures", "folders without pictures", "folder '%s' holds no pictures"},
    [AD_PASSED_LOOP] = {"link back to a folder above it", "links back to folders above them", NULL},
    [AD_PASSED_SERVICE] = {"hidden file or folder or one of another system",
                           "hidden files and folders and those of other systems", NULL},
};

const char *ad_passed_text(ad_passed_kind kind, size_t count) {
    return count == 1 ? kinds[kind].one : kinds[kind].many;
}

adatom_status ad_pass_over(ad_source *source, ad_passed_kind kind, const char *path) {
    ad_passed *p = &source->passed;
    char **example = &p->example[kind];
    if (!*example || strcmp(path, *example) < 0) {
        char *copy = ad_strdup(source->ctx, path);
        if (!copy) return ADATOM_OUT_OF_MEMORY;
        ad_free(*example);
        *example = copy;
    }
    if (kinds[kind].problem) {
        if (p->item_count == p->capacity) {
            const size_t grown = p->capacity ? 2 * p->capacity : 16;
            struct ad_passed_item *items = ad_realloc(source->ctx, p->items, p->capacity, grown, sizeof *items);
            if (!items) return ADATOM_OUT_OF_MEMORY;
            p->items = items;
            p->capacity = grown;
        }
        char *copy = ad_strdup(source->ctx, path);
        if (!copy) return ADATOM_OUT_OF_MEMORY;
        p->items[p->item_count++] = (struct ad_passed_item){kind, copy};
    }
    p->count[kind]++;
    return ADATOM_OK;
}

adatom_status ad_pass_over_if_empty(ad_source *source, const char *path, size_t entries, size_t items) {
    ad_passed *p = &source->passed;
    if (source->count > entries) return ADATOM_OK;
    size_t kept = items;
    for (size_t i = items; i < p->item_count; i++) {
        const struct ad_passed_item item = p->items[i];
        /* Other reasons stay, since they explain why the folder is empty; empty folders inside it are not told beside
         * it. */
        if (item.kind != AD_PASSED_EMPTY) {
            p->items[kept++] = item;
            continue;
        }
        p->count[AD_PASSED_EMPTY]--;
        ad_free(item.path);
    }
    p->item_count = kept;
    if (kept > items) return ADATOM_OK;
    return ad_pass_over(source, AD_PASSED_EMPTY, path);
}

adatom_status ad_tell_passed(const ad_source *source, ad_passed_kind first, ad_passed_kind last,
                             ad_problems *problems) {
    const ad_passed *p = &source->passed;
    adatom_status status = ADATOM_OK;
    for (ad_passed_kind kind = first; kind <= last; kind++) {
        if (p->count[kind] == 0) continue;
        if (!problems->go_on || !kinds[kind].problem) {
            const bool is_wrong = kinds[kind].problem && kind != AD_PASSED_EMPTY;
            ad_log(source->ctx, is_wrong ? ADATOM_LOG_WARNING : ADATOM_LOG_INFO, "'%s': %zu %s left out, '%s' for one",
                   source->root, p->count[kind], ad_passed_text(kind, p->count[kind]), p->example[kind]);
            continue;
        }
        for (size_t i = 0; i < p->item_count; i++) {
            if (p->items[i].kind != kind) continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            AD_TRY(ad_problem(problems, kinds[kind].problem, p->items[i].path));
#pragma GCC diagnostic pop
        }
    }
done:
    return status;
}

void ad_passed_free(ad_passed *passed) {
    for (size_t kind = 0; kind < AD_PASSED_KINDS; kind++) ad_free(passed->example[kind]);
    for (size_t i = 0; i < passed->item_count; i++) ad_free(passed->items[i].path);
    ad_free(passed->items);
    *passed = (ad_passed){0};
}

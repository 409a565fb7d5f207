/* Decides which files are pictures of which class: by folder, or by a `filename,label` list. */
#include "io/dataset.h"

#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Length of the path's folder part, without the slash. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* Length of the deepest folder that holds all pictures. */
static size_t common_folder(const ad_selection *s) {
    const char *first = s->pictures[0].path;
    size_t common = folder_length(first);
    for (size_t i = 1; i < s->count; i++) {
        const char *path = s->pictures[i].path;
        size_t limit = AD_MIN(common, folder_length(path)), same = 0;
        while (same < limit && path[same] == first[same]) same++;
        /* "a/bc" and "a/bd" have "a" in common, "a" and "a/b" have "a". */
        while (same > 0 && !((first[same] == '/') && (path[same] == '/'))) same--;
        common = same;
    }
    return common;
}

/* Takes every picture of the source; with split only those in that part of it. */
static adatom_status take_pictures(const ad_source *source, const char *split, ad_selection *s) {
    const size_t level = split ? ad_split_level(source, split) : 0;
    s->pictures = ad_calloc(source->ctx, source->count, sizeof *s->pictures);
    if (!s->pictures) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < source->count; i++) {
        const ad_entry *entry = &source->entries[i];
        if (entry->kind != AD_ENTRY_PICTURE || (split && !ad_in_split(entry->path, level, split))) continue;
        s->pictures[s->count++] = (ad_picture){.entry = i, .path = entry->path};
    }
    return ADATOM_OK;
}

/* A picture's class is its folder, relative to the deepest folder that holds all pictures: "n01532829",
 * "Balinese/character01". Pictures that lie beside class folders (a montage, a logo) belong to no class and are left
 * out. */
static adatom_status label_by_folder(ad_source *source, ad_selection *s) {
    size_t common = common_folder(s);
    for (;; common = common_folder(s)) {
        size_t kept = 0, count = s->count;
        for (size_t i = 0; i < count; i++) kept += folder_length(s->pictures[i].path) > common;
        if (kept == 0 || kept == count) break;
        s->count = 0;
        for (size_t i = 0; i < count; i++) {
            ad_picture p = s->pictures[i];
            if (folder_length(p.path) > common) {
                s->pictures[s->count++] = p;
                continue;
            }
            adatom_status status = ad_pass_over(source, AD_PASSED_BESIDE, p.path);
            if (status != ADATOM_OK) return status;
        }
    }
    const char *first = s->pictures[0].path;
    size_t start = 0; /* where the class's name begins in each path */
    if (folder_length(first) > common) {
        start = common ? common + 1 : 0;
    } else { /* all pictures are in one folder: it is the only class */
        for (size_t i = 0; i < common; i++) {
            if (first[i] == '/') start = i + 1;
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        ad_picture *p = &s->pictures[i];
        p->label = p->path + start;
        p->label_length = folder_length(p->path) - start;
    }
    return ADATOM_OK;
}

/* Replaces labels that are not UTF-8, which no JSON result could hold, by what ad_show_name() makes of them. */
static adatom_status show_labels(adatom_context *ctx, ad_selection *s) {
    const char *before = NULL;
    size_t before_length = 0, capacity = 0;
    for (size_t i = 0; i < s->count; i++) {
        ad_picture *p = &s->pictures[i];
        if (ad_is_utf8(p->label, p->label_length)) continue;
        if (!before || before_length != p->label_length || memcmp(before, p->label, before_length) != 0) {
            if (s->shown_count == capacity) {
                const size_t grown = capacity ? 2 * capacity : 16;
                char **larger = ad_realloc(ctx, s->shown, capacity, grown, sizeof *larger);
                if (!larger) return ADATOM_OUT_OF_MEMORY;
                s->shown = larger;
                capacity = grown;
            }
            char *shown = ad_malloc(ctx, ad_show_name(p->label, p->label_length, NULL) + 1, 1);
            if (!shown) return ADATOM_OUT_OF_MEMORY;
            ad_show_name(p->label, p->label_length, shown);
            s->shown[s->shown_count++] = shown;
            before = p->label;
            before_length = p->label_length;
        }
        p->label = s->shown[s->shown_count - 1];
        p->label_length = strlen(p->label);
        p->is_shown = true;
    }
    return ADATOM_OK;
}

static int by_base_name(const void *a, const void *b) {
    const ad_picture *x = a, *y = b;
    int order = strcmp(base_name(x->path), base_name(y->path));
    return order ? order : strcmp(x->path, y->path);
}

static bool ends_in(const char *path, const char *tail) {
    size_t length = strlen(path), n = strlen(tail);
    return n <= length && !strcmp(path + length - n, tail) && (n == length || path[length - n - 1] == '/');
}

/* Finds, among pictures sorted by base name, the one whose path is `wanted` or ends in it; SIZE_MAX: none. *other: the
 * path of a second one, or NULL. */
static size_t find_ending(const ad_selection *s, const char *wanted, const char **other) {
    size_t low = 0, high = s->count, match = SIZE_MAX;
    *other = NULL;
    while (wanted[0] == '.' && wanted[1] == '/') wanted += 2;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(base_name(s->pictures[middle].path), base_name(wanted)) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low; i < s->count && !strcmp(base_name(s->pictures[i].path), base_name(wanted)); i++) {
        if (!ends_in(s->pictures[i].path, wanted)) continue;
        if (match == SIZE_MAX) {
            match = i;
        } else if (!*other) {
            *other = s->pictures[i].path;
        }
    }
    return match;
}

/* Finds the picture that a row names: as it is written, without the spaces around it, or with Windows' slashes. */
static size_t find_row(const ad_selection *s, const char *file, const char **other) {
    char path[4096];
    size_t match = find_ending(s, file, other), length = strlen(file);
    if (match != SIZE_MAX || length >= sizeof path) return match;
    while (length && strchr(" \t", file[length - 1])) length--;
    while (length && strchr(" \t", *file)) {
        file++;
        length--;
    }
    memcpy(path, file, length);
    path[length] = 0;
    match = find_ending(s, path, other);
    for (size_t i = 0; i < length; i++) path[i] = (char)(path[i] == '\\' ? '/' : path[i]);
    return match == SIZE_MAX ? find_ending(s, path, other) : match;
}

/* Labels pictures by the list's rows, each of which names a picture by its path or the end of it. complete: every
 * picture should have a row. */
static adatom_status label_by_csv(const ad_source *source, const ad_csv *csv, bool complete, ad_problems *problems,
                                  ad_selection *s) {
    adatom_status status = ADATOM_OK;
    size_t *lines = ad_calloc(source->ctx, s->count, sizeof *lines); /* the line of each picture's row; 0: none */
    if (!lines) AD_TRY(ADATOM_OUT_OF_MEMORY);
    qsort(s->pictures, s->count, sizeof *s->pictures, by_base_name);
    for (size_t r = 0; r < csv->count; r++) {
        const ad_csv_row *row = &csv->rows[r];
        const char *other = NULL;
        const size_t match = find_row(s, row->file, &other);
        if (r % 1024 == 0) AD_TRY(ad_interrupted(source->ctx));
        if (match == SIZE_MAX) {
            AD_TRY(ad_problem(problems, "'%s', line %zu: picture '%s' is not in '%s'", csv->name, row->line, row->file,
                              source->root));
            continue;
        }
        ad_picture *p = &s->pictures[match];
        if (other) {
            AD_TRY(ad_problem(problems, "'%s', line %zu: '%s' could be '%s' or '%s'", csv->name, row->line, row->file,
                              p->path, other));
        } else if (lines[match]) {
            AD_TRY(ad_problem(problems, "'%s', line %zu: '%s' is already listed in line %zu", csv->name, row->line,
                              row->file, lines[match]));
        } else {
            lines[match] = row->line;
            p->label = row->label;
            p->label_length = strlen(row->label);
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (lines[i]) {
            s->pictures[kept++] = s->pictures[i];
        } else if (complete && problems->go_on) {
            AD_TRY(ad_problem(problems, "'%s' has no row for picture '%s'", csv->name, s->pictures[i].path));
        }
    }
    s->count = kept;
done:
    ad_free(lines);
    return status;
}

static int by_entry_path(const void *path, const void *entry) { return strcmp(path, ((const ad_entry *)entry)->path); }

adatom_status ad_count_missing(const ad_source *source, const ad_csv *csv, size_t *missing) {
    ad_selection all = {0};
    const char *other = NULL;
    *missing = 0;
    /* Most lists name whole paths, which are cheap to look up. */
    for (size_t r = 0; r < csv->count && source->count; r++)
        *missing += !bsearch(csv->rows[r].file, source->entries, source->count, sizeof *source->entries, by_entry_path);
    if (source->count && *missing == 0) return ADATOM_OK;
    adatom_status status = take_pictures(source, NULL, &all);
    if (status == ADATOM_OK && all.count) qsort(all.pictures, all.count, sizeof *all.pictures, by_base_name);
    *missing = 0;
    for (size_t r = 0; r < csv->count && status == ADATOM_OK; r++)
        *missing += find_row(&all, csv->rows[r].file, &other) == SIZE_MAX;
    ad_selection_free(&all);
    return status;
}

static int by_label(const void *a, const void *b) {
    const ad_picture *x = a, *y = b;
    int order = memcmp(x->label, y->label, AD_MIN(x->label_length, y->label_length));
    if (order) return order;
    if (x->label_length != y->label_length) return x->label_length < y->label_length ? -1 : 1;
    return strcmp(x->path, y->path);
}

static bool same_label(const ad_picture *a, const ad_picture *b) {
    return a->label_length == b->label_length && !memcmp(a->label, b->label, a->label_length);
}

/* Sorts the pictures and makes the table of classes; reports pictures and classes that occur twice. */
static adatom_status make_classes(const ad_source *source, ad_problems *problems, ad_selection *s) {
    adatom_status status = ADATOM_OK;
    if (s->count > INT32_MAX)
        return ad_fail(source->ctx, ADATOM_UNSUPPORTED, "'%s' holds %zu pictures, too many", source->root, s->count);
    qsort(s->pictures, s->count, sizeof *s->pictures, by_label);
    int classes = 0;
    for (size_t i = 0; i < s->count; i++) {
        ad_picture *p = &s->pictures[i];
        bool same = i > 0 && same_label(p, p - 1);
        p->class_index = same ? classes - 1 : classes++;
        if (same && p->is_shown != p[-1].is_shown)
            AD_TRY(ad_problem(
                problems,
                "two classes in '%s' are both shown as '%.*s', as the name of one is not UTF-8; rename that one",
                source->root, (int)p->label_length, p->label));
        if (same && source->is_archive && !strcmp(p->path, p[-1].path))
            AD_TRY(ad_problem(problems, "archive '%s' holds '%s' twice", source->root, p->path));
    }
    s->names = ad_calloc(source->ctx, (size_t)classes, sizeof *s->names);
    s->counts = ad_calloc(source->ctx, (size_t)classes, sizeof *s->counts);
    if (!s->names || !s->counts) AD_TRY(ADATOM_OUT_OF_MEMORY);
    s->classes = classes;
    for (size_t i = 0; i < s->count; i++) {
        const ad_picture *p = &s->pictures[i];
        if (s->counts[p->class_index]++ > 0) continue;
        s->names[p->class_index] = ad_format(source->ctx, "%.*s", (int)p->label_length, p->label);
        if (!s->names[p->class_index]) AD_TRY(ADATOM_OUT_OF_MEMORY);
    }
done:
    return status;
}

/* Finds the list inside the source that labels its pictures: SPLIT.csv with a split; without one the only list, if all
 * pictures lie in one folder and so have no class folders. *found SIZE_MAX: there is none. */
static adatom_status find_csv(const ad_source *source, const char *split, size_t *found) {
    *found = SIZE_MAX;
    size_t lists = 0, only = SIZE_MAX;
    const char *heap = NULL;
    bool one_heap = true;
    for (size_t i = 0; i < source->count; i++) {
        const char *path = source->entries[i].path;
        if (source->entries[i].kind == AD_ENTRY_CSV) {
            const char *base = base_name(path);
            if (split && strlen(base) == strlen(split) + 4 && !strncmp(base, split, strlen(split))) *found = i;
            only = i;
            lists++;
        } else if (source->entries[i].kind == AD_ENTRY_PICTURE) {
            if (!heap) heap = path;
            size_t length = folder_length(path);
            one_heap = one_heap && length == folder_length(heap) && !memcmp(path, heap, length);
        }
    }
    if (split || !lists || !heap || !one_heap) return ADATOM_OK;
    if (lists > 1) {
        return ad_fail(
            source->ctx, ADATOM_BAD_DATA,
            "'%s' holds %zu CSV lists ('%s' is one): choose with a split (train, val, test) or name the list",
            source->root, lists, source->entries[only].path);
    }
    *found = only;
    return ADATOM_OK;
}

/* The failure of a source without pictures; names what was found and passed over, if anything. */
static adatom_status no_pictures(const ad_source *source) {
    const ad_passed *p = &source->passed;
    size_t kind = 0;
    while (kind < AD_PASSED_KINDS && p->count[kind] == 0) kind++;
    if (kind == AD_PASSED_KINDS || kind == AD_PASSED_EMPTY)
        return ad_fail(source->ctx, ADATOM_BAD_DATA, "'%s' holds no pictures (looked for %s files at any depth)",
                       source->root, adatom_picture_kinds());
    return ad_fail(source->ctx, ADATOM_BAD_DATA,
                   "'%s' holds no pictures (looked for %s files at any depth), but %zu %s, '%s' for one", source->root,
                   adatom_picture_kinds(), p->count[kind], ad_passed_text((ad_passed_kind)kind, p->count[kind]),
                   p->example[kind]);
}

/* bare: pictures without classes are taken, too, and then there are none. */
static adatom_status choose(ad_source *source, const char *split, const ad_csv *csv, bool bare, ad_problems *problems,
                            ad_selection *out) {
    adatom_context *ctx = source->ctx;
    adatom_status status = ADATOM_OK;
    ad_csv own = {0};
    char *bytes = NULL;
    /* complete: every picture should have a row. With a split, pictures may be in the lists of the others. */
    bool complete = csv != NULL;
    *out = (ad_selection){0};
    if (!csv) {
        size_t entry = 0, size = 0;
        AD_TRY(find_csv(source, split, &entry));
        if (entry != SIZE_MAX) {
            AD_TRY(ad_source_read(source, entry, &bytes, &size));
            AD_TRY(ad_csv_parse(ctx, source->entries[entry].path, bytes, size, &own));
            csv = &own;
            complete = !split;
        }
    }
    AD_TRY(ad_tell_passed(source, 0, AD_PASSED_KINDS - 1, problems));
    AD_TRY(take_pictures(source, csv ? NULL : split, out));
    if (out->count == 0 && split && !csv) {
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has neither a list '%s.csv' nor a folder '%s' with pictures",
                       source->root, split, split));
    } else if (out->count == 0) {
        AD_TRY(no_pictures(source));
    }
    if (csv) {
        AD_TRY(label_by_csv(source, csv, complete, problems, out));
    } else {
        AD_TRY(label_by_folder(source, out));
        AD_TRY(ad_tell_passed(source, AD_PASSED_BESIDE, AD_PASSED_BESIDE, problems));
        if (out->pictures[0].label_length == 0 && bare) goto done;
        if (out->pictures[0].label_length == 0)
            AD_TRY(ad_fail(
                ctx, ADATOM_BAD_DATA,
                "the pictures in '%s' have no classes: put those of each class into a folder of their own in it "
                "('%s/oak', '%s/birch'), or give a CSV list with the columns filename and label",
                source->root, source->root, source->root));
    }
    if (out->count == 0)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' lists none of the pictures in '%s'", csv->name, source->root));
    AD_TRY(show_labels(ctx, out));
    AD_TRY(make_classes(source, problems, out));
    if (!csv && !split) AD_TRY(ad_tell_splits(source, out, problems));
done:
    /* Labels from a list inside the source point into that list, which is freed here; the classes' names are copies. */
    for (size_t i = 0; own.text && i < out->count; i++) out->pictures[i].label = NULL;
    ad_csv_free(&own);
    ad_free(bytes);
    if (status != ADATOM_OK) ad_selection_free(out);
    return status;
}

adatom_status ad_select(ad_source *source, const char *split, const ad_csv *csv, ad_problems *problems,
                        ad_selection *out) {
    return choose(source, split, csv, false, problems, out);
}

adatom_status ad_select_bare(ad_source *source, const char *split, const ad_csv *csv, ad_problems *problems,
                             ad_selection *out) {
    return choose(source, split, csv, true, problems, out);
}

adatom_status ad_select_all(ad_source *source, ad_selection *out) {
    ad_problems problems = {.ctx = source->ctx};
    *out = (ad_selection){0};
    adatom_status status = ad_tell_passed(source, 0, AD_PASSED_KINDS - 1, &problems);
    if (status == ADATOM_OK) status = take_pictures(source, NULL, out);
    if (status == ADATOM_OK && out->count == 0) status = no_pictures(source);
    return status;
}

void ad_selection_free(ad_selection *selection) {
    for (int c = 0; c < selection->classes; c++) ad_free(selection->names[c]);
    ad_free(selection->names);
    ad_free(selection->counts);
    ad_free(selection->pictures);
    for (size_t i = 0; i < selection->shown_count; i++) ad_free(selection->shown[i]);
    ad_free(selection->shown);
    *selection = (ad_selection){0};
}

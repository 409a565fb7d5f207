/* Builds, from an archive's members, the tree of files that unpacking would make. So hard and symbolic links, to files
 * and to folders, stand for the same pictures as in the unpacked folder, whatever their order in the archive. */
#include "io/dataset.h"

#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX
enum { HOPS_MOST = 40 }; /* how many links are followed for one path, as in Linux */

typedef struct node {
    const char *path; /* the node's path: length bytes of a member's path */
    size_t length;
    size_t parent, child, sibling;
    size_t member; /* NONE: a folder that has no member of its own */
} node;

typedef struct tree {
    ad_source *source;
    ad_member *members;
    node *nodes; /* node 0 is the archive's root */
    size_t count, capacity;
    size_t *slots; /* hash table of nodes, by path */
    size_t slot_count;
} tree;

/* The slot of the hash table where a node of this path is, or would be. */
static size_t *find_slot(const tree *t, const char *path, size_t length) {
    size_t at = (size_t)ad_hash(path, length, 0) % t->slot_count;
    for (; t->slots[at] != NONE; at = (at + 1) % t->slot_count) {
        const node *n = &t->nodes[t->slots[at]];
        if (n->length == length && !memcmp(n->path, path, length)) break;
    }
    return &t->slots[at];
}

static adatom_status grow_slots(tree *t) {
    const size_t grown = t->slot_count ? 2 * t->slot_count : 1024;
    size_t *slots = ad_malloc(t->source->ctx, grown, sizeof *slots);
    if (!slots) return ADATOM_OUT_OF_MEMORY;
    ad_free(t->slots);
    t->slots = slots;
    t->slot_count = grown;
    for (size_t i = 0; i < grown; i++) slots[i] = NONE;
    for (size_t i = 0; i < t->count; i++) {
        size_t *slot = find_slot(t, t->nodes[i].path, t->nodes[i].length);
        if (*slot == NONE) *slot = i;
    }
    return ADATOM_OK;
}

/* Adds a node below parent. A second node of the same path is in the tree, but find_slot() finds the first. */
static adatom_status add_node(tree *t, const char *path, size_t length, size_t parent, size_t member, size_t *out) {
    if (t->count == t->capacity) {
        const size_t grown = t->capacity ? 2 * t->capacity : 256;
        node *nodes = ad_realloc(t->source->ctx, t->nodes, t->capacity, grown, sizeof *nodes);
        if (!nodes) return ADATOM_OUT_OF_MEMORY;
        t->nodes = nodes;
        t->capacity = grown;
    }
    if (2 * t->count >= t->slot_count) {
        adatom_status status = grow_slots(t);
        if (status != ADATOM_OK) return status;
    }
    *out = t->count;
    t->nodes[t->count] =
        (node){.path = path, .length = length, .parent = parent, .child = NONE, .sibling = NONE, .member = member};
    if (parent != NONE) {
        t->nodes[t->count].sibling = t->nodes[parent].child;
        t->nodes[parent].child = t->count;
    }
    size_t *slot = find_slot(t, path, length);
    if (*slot == NONE) *slot = t->count;
    t->count++;
    return ADATOM_OK;
}

static adatom_status add_member(tree *t, size_t member) {
    const char *path = t->members[member].path;
    adatom_status status = ADATOM_OK;
    size_t parent = 0;
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        const size_t length = (size_t)(slash - path);
        size_t found = *find_slot(t, path, length);
        if (found == NONE) AD_TRY(add_node(t, path, length, parent, NONE, &found));
        parent = found;
    }
    const size_t length = strlen(path), there = *find_slot(t, path, length);
    size_t ignored;
    /* A file that was packed twice is, the second time, a hard link to itself. */
    if (there != NONE && t->members[member].is_hard && !strcmp(t->members[member].target, path)) return ADATOM_OK;
    if (there != NONE && t->members[member].is_folder) {
        if (t->nodes[there].member == NONE) t->nodes[there].member = member;
    } else if (there != NONE && t->nodes[there].member == NONE) {
        t->nodes[there].member = member; /* the member is a link or file, but others lie below its path */
    } else {
        AD_TRY(add_node(t, path, length, parent, member, &ignored));
    }
done:
    return status;
}

static const ad_member *member_of(const tree *t, size_t n) {
    return t->nodes[n].member == NONE ? NULL : &t->members[t->nodes[n].member];
}

/* The child of a folder with this name, or NONE. */
static size_t find_child(const tree *t, size_t folder, const char *name, size_t length) {
    char path[8192];
    const node *n = &t->nodes[folder];
    const size_t start = n->length ? n->length + 1 : 0;
    if (start + length > sizeof path) return NONE;
    memcpy(path, n->path, n->length);
    if (start) path[n->length] = '/';
    memcpy(path + start, name, length);
    return *find_slot(t, path, start + length);
}

/* Follows a path, and the links in it, from a folder on. NONE: out of the archive, to nothing or in circles. */
static size_t follow(const tree *t, size_t folder, const char *target, int *hops) {
    size_t here = folder;
    if (*target == '/') return NONE;
    for (const char *at = target; *at && here != NONE;) {
        const size_t length = strcspn(at, "/");
        const bool is_dot = length == 0 || (length == 1 && *at == '.'),
                   is_up = length == 2 && at[0] == '.' && at[1] == '.';
        if (is_up) {
            here = t->nodes[here].parent;
        } else if (!is_dot) {
            const size_t parent = here;
            here = find_child(t, here, at, length);
            const ad_member *m = here == NONE ? NULL : member_of(t, here);
            if (m && m->target) {
                if (++*hops > HOPS_MOST) return NONE;
                here = follow(t, m->is_hard ? 0 : parent, m->target, hops);
            }
        }
        at += length + (at[length] == '/');
    }
    return here;
}

typedef struct ancestor {
    const struct ancestor *parent;
    size_t node;
} ancestor;

static adatom_status list_file(tree *t, size_t n, char *path) {
    const ad_member *m = member_of(t, n);
    const ad_entry_kind kind = ad_kind_of_name(path);
    adatom_status status = ADATOM_OK;
    ad_entry *entry = NULL;
    if (kind == AD_ENTRY_OTHER) {
        if (m->is_nameless_picture) status = ad_pass_over(t->source, AD_PASSED_NAMELESS, path);
        ad_free(path);
        return status;
    }
    status = ad_source_add(t->source, path, kind, &entry);
    if (entry) entry->member = t->nodes[n].member; /* index in members for now; ad_tree_list() replaces it */
    return status;
}

/* Lists the folder at node n under the name `shown` ("" or ending in a slash). */
static adatom_status list_folder(tree *t, size_t n, const char *shown, const ancestor *parent) {
    ad_source *source = t->source;
    adatom_status status = ADATOM_OK;
    const ancestor here = {parent, n};
    char *path = NULL;
    const size_t entries = source->count, items = source->passed.item_count;
    AD_TRY(ad_interrupted(source->ctx));
    if (strlen(shown) > 4096)
        AD_TRY(ad_fail(source->ctx, ADATOM_BAD_DATA, "links in '%s' make endless paths", source->root));
    for (size_t c = t->nodes[n].child; c != NONE; c = t->nodes[c].sibling) {
        const node *child = &t->nodes[c];
        const size_t start = t->nodes[n].length ? t->nodes[n].length + 1 : 0;
        const ad_member *m = member_of(t, c);
        path = ad_format(source->ctx, "%s%.*s", shown, (int)(child->length - start), child->path + start);
        if (!path) AD_TRY(ADATOM_OUT_OF_MEMORY);
        const char *name = path + strlen(shown);
        size_t to = c;
        if (m && m->target && child->child == NONE) { /* not where other members lie below the link */
            int hops = 0;
            to = follow(t, m->is_hard ? 0 : n, m->target, &hops);
        }
        bool is_loop = false;
        for (const ancestor *a = &here; a; a = a->parent) is_loop = is_loop || a->node == to;
        const bool is_folder =
            to != NONE && (t->nodes[to].child != NONE || !member_of(t, to) || member_of(t, to)->is_folder);
        if (ad_is_service_name(name)) {
            const bool is_picture = name[0] == '.' && name[1] != '_' && ad_kind_of_name(name) == AD_ENTRY_PICTURE;
            AD_TRY(ad_pass_over(source, is_picture && !is_folder ? AD_PASSED_HIDDEN : AD_PASSED_SERVICE, path));
        } else if (to == NONE) {
            if (ad_kind_of_name(name) != AD_ENTRY_OTHER || ad_name_may_be_picture(name))
                AD_TRY(ad_pass_over(source, AD_PASSED_DANGLING, path));
        } else if (is_loop) {
            AD_TRY(ad_pass_over(source, AD_PASSED_LOOP, path));
        } else if (is_folder) {
            char *below = ad_format(source->ctx, "%s/", path);
            if (!below) AD_TRY(ADATOM_OUT_OF_MEMORY);
            if (to != c) status = ad_source_count_link(source);
            if (status == ADATOM_OK) status = list_folder(t, to, below, &here);
            ad_free(below);
            AD_TRY(status);
        } else if (member_of(t, to)->target) { /* a hard link to itself, without content */
            AD_TRY(ad_pass_over(source, AD_PASSED_DANGLING, path));
        } else {
            char *taken = path;
            path = NULL;
            AD_TRY(list_file(t, to, taken));
        }
        ad_free(path);
        path = NULL;
    }
    if (*shown) {
        if (!(path = ad_format(source->ctx, "%.*s", (int)strlen(shown) - 1, shown))) AD_TRY(ADATOM_OUT_OF_MEMORY);
        AD_TRY(ad_pass_over_if_empty(source, path, entries, items));
    }
done:
    ad_free(path);
    return status;
}

static int by_member(const void *a, const void *b) {
    const ad_entry *x = a, *y = b;
    if (x->member != y->member) return x->member < y->member ? -1 : 1;
    return strcmp(x->path, y->path);
}

adatom_status ad_tree_list(ad_source *source, ad_member *members, size_t count) {
    adatom_status status = ADATOM_OK;
    tree t = {.source = source, .members = members};
    size_t root;
    AD_TRY(add_node(&t, "", 0, NONE, NONE, &root));
    for (size_t i = 0; i < count; i++) AD_TRY(add_member(&t, i));
    AD_TRY(list_folder(&t, root, "", NULL));
    if (source->count) qsort(source->entries, source->count, sizeof *source->entries, by_member);
    for (size_t i = 0; i < source->count; i++) {
        ad_entry *entry = &source->entries[i];
        ad_member *m = &members[entry->member];
        entry->member = m->number;
        if (!m->bytes) continue; /* not kept, or given to an entry before, from which ad_archive_read() copies it */
        entry->bytes = m->bytes;
        entry->bytes_size = m->bytes_size;
        entry->hash = ad_hash(m->bytes, m->bytes_size, 0);
        m->bytes = NULL;
    }
done:
    ad_free(t.nodes);
    ad_free(t.slots);
    return status;
}

#include "sweep.h"

#include <stdlib.h>
#include <string.h>

static const arg_option *number(const arg_group *group, const char *name, size_t length) {
    for (size_t i = 0; i < group->count; i++) {
        const arg_option *option = &group->options[i];
        if ((option->type == ARG_INT || option->type == ARG_REAL) && strlen(option->name) == length &&
            !strncmp(option->name, name, length))
            return option;
    }
    return NULL;
}

/* Makes an argument for each value of the comma list: the first `prefix` bytes, then the value. */
static bool split(struct sweep_list *list, const char *argument, size_t prefix) {
    for (const char *at = argument + prefix; list->count < ARGS_LIST_MAX; at++) {
        const size_t length = strcspn(at, ",");
        char *item = malloc(prefix + length + 1);
        if (!item) return false;
        memcpy(item, argument, prefix);
        memcpy(item + prefix, at, length);
        item[prefix + length] = 0;
        list->items[list->count++] = item;
        at += length;
        if (!*at) return true;
    }
    return false;
}

bool sweep_find(const arg_group *group, const char *last, int argc, char *const *argv, struct sweep *out, char *message,
                size_t capacity) {
    *out = (struct sweep){.combinations = 1};
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--") == 0) break;
        if (strncmp(word, "--", 2) != 0) continue;
        const size_t length = strcspn(word + 2, "=");
        const bool joined = word[2 + length] == '=';
        const arg_option *option = number(group, word + 2, length);
        const int argument = joined ? i : i + 1;
        if (!option || argument >= argc || !strchr(argv[argument] + (joined ? length + 3 : 0), ',')) continue;
        int at = 0; /* a second comma list for the same option is refused */
        while (at < out->count && strcmp(out->lists[at].name, option->name) != 0) at++;
        if (at < out->count || at == SWEEP_LISTS) {
            snprintf(message, capacity,
                     at < out->count ? "--%s: several values are given twice"
                                     : "--%s: too many options with several values",
                     option->name);
            return false;
        }
        struct sweep_list *list = &out->lists[out->count++];
        *list = (struct sweep_list){.name = option->name, .argument = argument};
        if (!split(list, argv[argument], joined ? length + 3 : 0)) {
            snprintf(message, capacity, "--%s: at most %d values", option->name, ARGS_LIST_MAX);
            return false;
        }
        out->combinations *= list->count;
        if (out->combinations > 1024) {
            snprintf(message, capacity, "--%s makes more than 1024 combinations", option->name);
            return false;
        }
    }
    for (int k = 0; k + 1 < out->count; k++)
        if (strcmp(out->lists[k].name, last) == 0) {
            const struct sweep_list moved = out->lists[k];
            out->lists[k] = out->lists[out->count - 1];
            out->lists[out->count - 1] = moved;
        }
    return true;
}

static const char *value_of(const struct sweep *sweep, int k, int which) {
    for (int after = sweep->count - 1; after > k; after--) which /= sweep->lists[after].count;
    return sweep->lists[k].items[which % sweep->lists[k].count];
}

void sweep_pick(const struct sweep *sweep, int which, int argc, char *const *argv, char **out) {
    for (int i = 0; i < argc; i++) out[i] = argv[i];
    for (int k = 0; k < sweep->count; k++) out[sweep->lists[k].argument] = (char *)value_of(sweep, k, which);
}

void sweep_label(const struct sweep *sweep, int which, char *out, size_t capacity) {
    out[0] = 0;
    for (int k = 0; k < sweep->count; k++) {
        const char *value = value_of(sweep, k, which),
                   *joined = strncmp(value, "--", 2) == 0 ? strchr(value, '=') : NULL;
        const size_t used = strlen(out);
        snprintf(out + used, capacity - used, "%s%s=%s", k ? " " : "", sweep->lists[k].name,
                 joined ? joined + 1 : value);
    }
}

void sweep_clear(struct sweep *sweep) {
    for (int k = 0; k < sweep->count; k++)
        for (int i = 0; i < sweep->lists[k].count; i++) free(sweep->lists[k].items[i]);
    sweep->count = 0;
}

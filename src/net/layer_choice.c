#include "net/layer_choice.h"

#include <string.h>

enum { PARAMS = 8 };

/* The parameters of a node; -1: it has none of that kind. */
static void params_of(const ad_node *node, int params[PARAMS]) {
    const int all[PARAMS] = {node->kernel, node->coefficients, node->atoms,      node->bias,
                             node->gamma,  node->beta,         node->statistics, node->scale};
    memcpy(params, all, sizeof all);
}

static bool has_param(const ad_node *node, int param) {
    int params[PARAMS];
    params_of(node, params);
    for (int i = 0; i < PARAMS; i++)
        if (params[i] == param) return true;
    return false;
}

/* From node 1 on: the input has no parameters. */
bool ad_layers_have(const ad_network *net, const bool *chosen, int param) {
    for (int i = 1; i < net->node_count && chosen; i++)
        if (!chosen[i] && has_param(&net->nodes[i], param)) return false;
    return true;
}

void ad_layers_mark(const ad_network *net, int param, bool *chosen) {
    for (int i = 1; i < net->node_count; i++)
        if (has_param(&net->nodes[i], param)) chosen[i] = true;
}

static bool node_adapts(const ad_network *net, const ad_adapting *what, const bool *chosen, int number) {
    const ad_node *node = &net->nodes[number];
    int params[PARAMS];
    if (!chosen[number]) return false;
    if (ad_lowrank_adapts(what->lowrank.kind, node)) return true;
    params_of(node, params);
    for (int i = 0; i < PARAMS; i++)
        if (params[i] >= 0 && (what->roles >> net->params[params[i]].role & 1) &&
            ad_layers_have(net, chosen, params[i]))
            return true;
    return false;
}

/* Whether the whole text matches the whole pattern. */
static bool matches(const char *pattern, size_t pattern_length, const char *text, size_t length) {
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0; /* the last star, and the text from which it was left */
    while (t < length) {
        if (p < pattern_length && pattern[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern_length && (pattern[p] == '?' || pattern[p] == text[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern_length && pattern[p] == '*') p++;
    return p == pattern_length;
}

static bool names_node(const char *pattern, size_t length, const char *name) {
    for (size_t end = 1; name[end - 1]; end++)
        if ((name[end] == '.' || !name[end]) && matches(pattern, length, name, end)) return true;
    return false;
}

static adatom_status choose_names(adatom_context *ctx, const ad_network *net, const char *names, bool *chosen) {
    for (const char *at = names;; at++) {
        const size_t length = strcspn(at, ",");
        bool found = false;
        for (int i = 1; i < net->node_count; i++) {
            if (!names_node(at, length, net->nodes[i].name)) continue;
            chosen[i] = true;
            found = true;
        }
        if (!found)
            return ad_fail(ctx, ADATOM_USAGE, "the network has no layer '%.*s'; its layers are '%s' to '%s'",
                           (int)AD_MIN(length, (size_t)100), at, net->nodes[1].name,
                           net->nodes[net->node_count - 1].name);
        at += length;
        if (!*at) return ADATOM_OK;
    }
}

static bool same_layer(const ad_node *a, const ad_node *b) {
    const size_t length = strcspn(a->name, ".");
    return length == strcspn(b->name, ".") && strncmp(a->name, b->name, length) == 0;
}

/* Leaves the last so many layers that adapt; returns how many there are at most that many. */
static int keep_last(const ad_network *net, const ad_adapting *what, int last, bool *chosen) {
    int found = 0, latest = -1, first = net->node_count;
    for (int i = net->node_count - 1; i > 0; i--) {
        if (!node_adapts(net, what, chosen, i)) continue;
        const bool another = latest < 0 || !same_layer(&net->nodes[i], &net->nodes[latest]);
        if (another && found == last) break;
        found += another;
        latest = first = i;
    }
    for (int i = 1; i < first; i++) chosen[i] = false;
    return found;
}

adatom_status ad_layers_choose(adatom_context *ctx, const ad_network *net, const ad_layer_choice *choice,
                               const ad_adapting *what, bool *chosen) {
    for (int i = 0; i < net->node_count; i++) chosen[i] = !choice->names;
    if (choice->names) {
        const adatom_status status = choose_names(ctx, net, choice->names, chosen);
        if (status != ADATOM_OK) return status;
    }
    if ((!what->roles && what->lowrank.kind == AD_LOWRANK_NONE) || (!choice->names && !choice->last)) return ADATOM_OK;
    const int found = keep_last(net, what, choice->last ? choice->last : net->node_count, chosen);
    const char *names = choice->names ? choice->names : "*";
    if (found == 0)
        return ad_fail(ctx, ADATOM_USAGE, "the layers '%.100s' have no numbers that '%s' adapts", names, what->method);
    if (found < choice->last)
        return ad_fail(ctx, ADATOM_USAGE,
                       "the last %d layers are to adapt, but of '%.100s' only %d have numbers that '%s' adapts",
                       choice->last, names, found, what->method);
    return ADATOM_OK;
}

#include "net/network.h"

#include <stdio.h>
#include <string.h>

#define PARAM_ALIGN 64 /* floats: every parameter starts at AD_TENSOR_ALIGN_BYTES */

static const ad_role roles[] = {
    [AD_PARAM_ATOMS] = AD_ROLE_ATOMS,     [AD_PARAM_HEAD] = AD_ROLE_HEAD,
    [AD_PARAM_HEAD_BIAS] = AD_ROLE_HEAD,  [AD_PARAM_GAMMA] = AD_ROLE_NORM,
    [AD_PARAM_BETA] = AD_ROLE_NORM,       [AD_PARAM_COEFFICIENTS] = AD_ROLE_COEFFICIENTS,
    [AD_PARAM_KERNEL] = AD_ROLE_ORDINARY, [AD_PARAM_BIAS] = AD_ROLE_ORDINARY,
    [AD_PARAM_SCALE] = AD_ROLE_ORDINARY,  [AD_PARAM_STATISTICS] = AD_ROLE_STATISTICS,
};

static size_t padded(int32_t channels) { return ((size_t)channels + 3) / 4 * 4; }
/* Inputs of a kernel: the one of depthwise kernels is not padded. */
static size_t padded_inputs(int32_t c) { return c == 1 ? 1 : padded(c); }

int ad_network_add_node(adatom_context *ctx, ad_network *net, const ad_node *node) {
    ad_node *grown = ad_realloc(ctx, net->nodes, (size_t)net->node_count, (size_t)net->node_count + 1, sizeof *grown);
    if (!grown) return -1;
    net->nodes = grown;
    grown[net->node_count] = *node;
    return net->node_count++;
}

int ad_network_add_param(adatom_context *ctx, ad_network *net, ad_param_kind kind, const char *name, int o, int c,
                         int k, int m) {
    for (int i = 0; i < net->param_count; i++) {
        ad_param *shared = &net->params[i];
        if (strcmp(shared->name, name) != 0) continue;
        shared->o = AD_MAX(shared->o, o);
        shared->c = AD_MAX(shared->c, c);
        return i;
    }
    ad_param *grown =
        ad_realloc(ctx, net->params, (size_t)net->param_count, (size_t)net->param_count + 1, sizeof *grown);
    if (!grown) return -1;
    net->params = grown;
    ad_param *param = &grown[net->param_count];
    *param = (ad_param){.role = roles[kind], .kind = kind, .o = o, .c = c, .k = k, .m = m};
    snprintf(param->name, sizeof param->name, "%s", name);
    return net->param_count++;
}

static void set_counts(ad_param *p) {
    const size_t o = (size_t)p->o, c = (size_t)p->c, k2 = (size_t)p->k * (size_t)p->k, m = (size_t)p->m;
    const size_t pairs = p->group ? o / (size_t)p->group * (c / (size_t)p->group) : 1;
    switch (p->kind) {
    case AD_PARAM_ATOMS: p->logical = p->count = pairs * m * k2; break;
    case AD_PARAM_HEAD: p->logical = p->count = o * c; break;
    case AD_PARAM_HEAD_BIAS: p->logical = p->count = o; break;
    case AD_PARAM_GAMMA:
    case AD_PARAM_SCALE:
    case AD_PARAM_BETA: p->logical = p->count = c; break;
    case AD_PARAM_BIAS:
        p->logical = o;
        p->count = padded(p->o);
        break;
    case AD_PARAM_COEFFICIENTS:
        p->logical = c * m * o;
        p->count = padded_inputs(p->c) * m * o;
        break;
    case AD_PARAM_KERNEL:
        p->logical = k2 * c * o;
        p->count = k2 * padded_inputs(p->c) * padded(p->o);
        break;
    case AD_PARAM_STATISTICS: p->logical = p->count = 2 * c; break;
    }
}

adatom_status ad_network_layout(adatom_context *ctx, ad_network *net) {
    adatom_status status = ADATOM_OK;
    const size_t count = (size_t)net->param_count;
    ad_param *sorted = ad_calloc(ctx, count, sizeof *sorted);
    int *moved = ad_calloc(ctx, count, sizeof *moved); /* old number -> new number */
    if (!sorted || !moved) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    int next = 0;
    size_t offset = 0;
    for (int role = 0; role < AD_ROLE_COUNT; role++) {
        net->role_begin[role] = offset;
        for (int i = 0; i < net->param_count; i++) {
            if (net->params[i].role != (ad_role)role) continue;
            ad_param *param = &sorted[next];
            *param = net->params[i];
            set_counts(param);
            param->offset = offset;
            offset += (param->count + PARAM_ALIGN - 1) / PARAM_ALIGN * PARAM_ALIGN;
            moved[i] = next++;
        }
    }
    net->role_begin[AD_ROLE_COUNT] = offset;
    for (int i = 0; i < net->node_count; i++) {
        ad_node *node = &net->nodes[i];
        int *numbers[] = {&node->kernel, &node->coefficients, &node->atoms,      &node->bias,
                          &node->gamma,  &node->beta,         &node->statistics, &node->scale};
        for (size_t j = 0; j < AD_COUNT(numbers); j++)
            if (*numbers[j] >= 0) *numbers[j] = moved[*numbers[j]];
    }
    if (net->head >= 0) net->head = moved[net->head];
    if (net->head_bias >= 0) net->head_bias = moved[net->head_bias];
    ad_free(net->params);
    net->params = sorted;
    sorted = NULL;
done:
    ad_free(sorted);
    ad_free(moved);
    return status;
}

void ad_network_clear(ad_network *net) {
    ad_free(net->nodes);
    ad_free(net->params);
    *net = (ad_network){0};
}

uint64_t ad_network_parameters(const ad_network *net, ad_role role) {
    uint64_t count = 0;
    for (int i = 0; i < net->param_count; i++)
        if (net->params[i].role == role) count += net->params[i].logical;
    return count;
}

const char *ad_network_scope(const ad_network *net) {
    const char *dash = strchr(net->sharing, '-');
    return dash ? dash + 1 : net->sharing;
}

uint64_t ad_node_macs(const ad_node *node) {
    if (node->kind != AD_NODE_CONV) return 0;
    return (uint64_t)node->oh * (uint64_t)node->ow * (uint64_t)(node->k * node->k) * (uint64_t)node->channels *
           (uint64_t)node->filters;
}

uint64_t ad_node_macs_coefficients_first(const ad_node *node) {
    if (node->kind != AD_NODE_CONV || node->m == 0 || node->group > 0 || node->groups > 1) return 0;
    const uint64_t in = (uint64_t)node->h * (uint64_t)node->w, out = (uint64_t)node->oh * (uint64_t)node->ow;
    const uint64_t mo = (uint64_t)node->m * (uint64_t)node->o;
    return in * mo * (uint64_t)node->channels + out * mo * (uint64_t)(node->k * node->k);
}

uint64_t ad_node_macs_group_sums(const ad_node *node) {
    return node->group > 0 ? ad_node_macs(node) / (uint64_t)node->group * (uint64_t)node->m : 0;
}

uint64_t ad_node_macs_group_product(const ad_node *node) {
    return (uint64_t)node->oh * (uint64_t)node->ow * (uint64_t)node->m * (uint64_t)node->group * (uint64_t)node->o;
}

bool ad_node_shares(const ad_network *net, const ad_node *node) {
    return node->groups == 1 && strcmp(ad_network_scope(net), "layer") != 0;
}

int ad_param_parts(const ad_param *param) { return param->kind == AD_PARAM_STATISTICS ? 2 : 1; }

static int write_shape(int64_t *shape, int rank, const int64_t *values) {
    memcpy(shape, values, (size_t)rank * sizeof *shape);
    return rank;
}

int ad_param_file(const ad_param *p, int part, char name[AD_PARAM_NAME], int64_t shape[AD_PARAM_RANK]) {
    const char *suffix = p->kind != AD_PARAM_STATISTICS ? "" : part == 0 ? ".running_mean" : ".running_var";
    snprintf(name, AD_PARAM_NAME, "%s%s", p->name, suffix);
    const int64_t o = p->o, c = p->c, k = p->k, m = p->m;
    switch (p->kind) {
    case AD_PARAM_ATOMS:
        if (p->group > 0) return write_shape(shape, 5, (int64_t[]){o / p->group, c / p->group, m, k, k});
        return write_shape(shape, 3, (int64_t[]){m, k, k});
    case AD_PARAM_HEAD: return write_shape(shape, 2, (int64_t[]){o, c});
    case AD_PARAM_COEFFICIENTS: return write_shape(shape, 3, (int64_t[]){o, c, m});
    case AD_PARAM_KERNEL: return write_shape(shape, 4, (int64_t[]){o, c, k, k});
    case AD_PARAM_HEAD_BIAS:
    case AD_PARAM_BIAS: return write_shape(shape, 1, (int64_t[]){o});
    case AD_PARAM_GAMMA:
    case AD_PARAM_BETA:
    case AD_PARAM_SCALE:
    case AD_PARAM_STATISTICS: break;
    }
    return write_shape(shape, 1, (int64_t[]){c});
}

size_t ad_param_at(const ad_param *p, int part, size_t index) {
    const size_t o = (size_t)p->o, c = (size_t)p->c, k2 = (size_t)p->k * (size_t)p->k, m = (size_t)p->m;
    switch (p->kind) {
    case AD_PARAM_COEFFICIENTS: /* [o][c][m] -> [c][m][o] */ return index % (c * m) * o + index / (c * m);
    case AD_PARAM_KERNEL: /* [o][c][k*k] -> [k*k][c padded][o padded] */
        return (index % k2 * padded_inputs(p->c) + index / k2 % c) * padded(p->o) + index / (k2 * c);
    case AD_PARAM_STATISTICS: return (size_t)part * c + index;
    case AD_PARAM_ATOMS:
    case AD_PARAM_HEAD:
    case AD_PARAM_HEAD_BIAS:
    case AD_PARAM_GAMMA:
    case AD_PARAM_BETA:
    case AD_PARAM_BIAS:
    case AD_PARAM_SCALE: break;
    }
    return index;
}

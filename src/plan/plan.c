#include "plan/activation.h"
#include "plan/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *roles;
} operations[AD_OP_COUNT] = {
#define AD_OP(NAME, name, roles) {name, roles},
#include "plan/ops.def"
};

const char *ad_op_name(int kind) { return kind >= 0 && kind < AD_OP_COUNT ? operations[kind].name : "unknown"; }

/* "name:access..." of a role; NULL past the last. */
static const char *role_text(int kind, int role) {
    const char *at = operations[kind].roles;
    while (role-- > 0) {
        at = strchr(at, ' ');
        if (!at) return NULL;
        at++;
    }
    return at;
}

/* Whether the role has this mark after its access. */
static bool has_mark(int kind, int role, char mark) {
    const char *at = role_text(kind, role);
    if (!at) return false;
    for (at = strchr(at, ':') + 2; *at && *at != ' ' && *at != '='; at++)
        if (*at == mark) return true;
    return false;
}

ad_access ad_op_role(int kind, int role, bool *optional, const char **name, int *length) {
    const char *at = role_text(kind, role);
    if (!at) return AD_ACCESS_NONE;
    const char *colon = strchr(at, ':');
    if (name) *name = at;
    if (length) *length = (int)(colon - at);
    if (optional) *optional = has_mark(kind, role, '?');
    return colon[1] == 'r' ? AD_READ : colon[1] == 'w' ? AD_WRITE : AD_UPDATE;
}

bool ad_op_role_half(int kind, int role) { return has_mark(kind, role, 'h'); }
bool ad_op_role_adds(int kind, int role) { return has_mark(kind, role, '+'); }
ad_type ad_op_role_type(int kind, int role) {
    return has_mark(kind, role, 'i') ? AD_I32 : has_mark(kind, role, 'b') ? AD_U8 : AD_F32;
}

bool ad_op_role_same(int kind, int role, int other) {
    const char *at = role_text(kind, role), *name = role_text(kind, other);
    if (!at || !name) return false;
    const size_t length = (size_t)(strchr(name, ':') - name), end = strcspn(at, " ");
    for (const char *same = memchr(at, '=', end); same; same = memchr(same + 1, '=', (size_t)(at + end - same - 1)))
        if (!strncmp(same + 1, name, length) && strchr("= ", same[1 + length]))
            return true; /* strchr finds the final NUL, too */
    return false;
}

ad_access ad_op_access(const ad_op *op, int role) {
    if (role >= AD_OP_TENSORS || op->t[role] < 0) return AD_ACCESS_NONE;
    const ad_access access = ad_op_role(op->kind, role, NULL, NULL, NULL);
    return (op->flags & AD_ACCUMULATE) && ad_op_role_adds(op->kind, role) ? AD_UPDATE : access;
}

ad_plan *ad_plan_create(adatom_context *ctx, int tasks) {
    ad_plan *plan = ad_calloc(ctx, 1, sizeof *plan);
    if (!plan) return NULL;
    plan->tasks = tasks;
    plan->spare_bytes = SIZE_MAX;
    return plan;
}

bool ad_plan_by_task(const ad_plan *plan, int segment) {
    const int first = plan->segments[segment].first, end = first + plan->segments[segment].count;
    for (int i = first; i < end; i++)
        if (plan->ops[i].tasks != plan->tasks && !(plan->ops[i].kind == AD_OP_ADVANCE && i == end - 1)) return false;
    return true;
}

void ad_plan_destroy(ad_plan **plan) {
    if (!plan || !*plan) return;
    ad_free((*plan)->tensors);
    ad_free((*plan)->ops);
    ad_free(*plan);
    *plan = NULL;
}

int ad_plan_arena(adatom_context *ctx, ad_plan *plan, bool external) {
    if (plan->arena_count == AD_MAX_ARENAS) {
        ad_fail(ctx, ADATOM_FAILED, "a plan may have at most %d arenas", AD_MAX_ARENAS);
        return -1;
    }
    plan->arenas[plan->arena_count] = (ad_arena){.external = external};
    return plan->arena_count++;
}

int ad_plan_tensor(adatom_context *ctx, ad_plan *plan, const char *name, ad_type type, int arena, size_t count,
                   bool tasked) {
    if (plan->tensor_count == plan->tensor_capacity) {
        int capacity = plan->tensor_capacity ? 2 * plan->tensor_capacity : 64;
        ad_tensor *grown = ad_realloc(ctx, plan->tensors, (size_t)plan->tensor_count, (size_t)capacity, sizeof *grown);
        if (!grown) return -1;
        plan->tensors = grown;
        plan->tensor_capacity = capacity;
    }
    ad_arena *a = &plan->arenas[arena];
    ad_tensor *t = &plan->tensors[plan->tensor_count];
    *t = (ad_tensor){.type = type, .arena = arena, .count = count, .stride = tasked ? (count + 3) / 4 * 4 : 0};
    snprintf(t->name, sizeof t->name, "%s", name);
    t->offset = (a->bytes + AD_TENSOR_ALIGN_BYTES - 1) / AD_TENSOR_ALIGN_BYTES * AD_TENSOR_ALIGN_BYTES;
    a->bytes = t->offset + ad_tensor_bytes(t, plan->tasks);
    return plan->tensor_count++;
}

ad_op *ad_plan_op(adatom_context *ctx, ad_plan *plan, ad_segment_id segment, int kind) {
    if (plan->op_count == plan->op_capacity) {
        int capacity = plan->op_capacity ? 2 * plan->op_capacity : 64;
        ad_op *grown = ad_realloc(ctx, plan->ops, (size_t)plan->op_count, (size_t)capacity, sizeof *grown);
        if (!grown) return NULL;
        plan->ops = grown;
        plan->op_capacity = capacity;
    }
    if (plan->segments[segment].count == 0) plan->segments[segment].first = plan->op_count;
    plan->segments[segment].count++;
    ad_op *op = &plan->ops[plan->op_count++];
    *op = (ad_op){.kind = (uint16_t)kind, .tasks = (int16_t)plan->tasks};
    for (int r = 0; r < AD_OP_TENSORS; r++) op->t[r] = -1;
    return op;
}

/* Elements per task of each role, in the order of ops.def. 0: no demand (optional shapes, int tables). */
size_t ad_op_elements(const ad_op *op, int role) {
    const ad_geometry *g = &op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, o = (size_t)g->o, m = (size_t)g->m,
                 k2 = (size_t)g->k * (size_t)g->k;
    const size_t in = n * (size_t)g->h * (size_t)g->w, out = n * (size_t)g->oh * (size_t)g->ow;
    const size_t rounds = (size_t)AD_MAX(op->i[7], 1), tasks = (size_t)op->tasks;
    /* Channels of a group, groups of outputs, atoms of all pairs of groups; of one large group where there are none. */
    const size_t gc = g->group ? (size_t)g->group : c, go = g->group ? (size_t)g->group : o,
                 groups = g->group ? o / go : 1;
    const size_t alpha = ((gc - 1) * m + m - 1) * (size_t)op->i[0] + go, z = out * groups * gc * m;
    const size_t psi = (g->group ? groups * (c / gc) : 1) * m * k2;
    const size_t kernel = k2 * (size_t)ad_group_inputs(g) * o;
    size_t e[AD_OP_TENSORS] = {0};
#define SET(...)                                                                                                       \
    do {                                                                                                               \
        const size_t sizes[] = {__VA_ARGS__};                                                                          \
        memcpy(e, sizes, sizeof sizes);                                                                                \
    } while (0)
    switch ((ad_op_kind)op->kind) {
    case AD_OP_GATHER:
        SET((size_t)op->i[1] * (size_t)op->i[2] * (size_t)op->i[3] * 3, rounds * tasks * ad_gather_shown(op), 1, 8,
            in * 4, rounds * tasks * ad_gather_shown(op));
        break;
    case AD_OP_GATHER_ROWS: SET((size_t)op->i[1] * c, rounds * tasks * n, 1, n * c); break;
    case AD_OP_MIX: SET(in * c, rounds * AD_MIX_COLUMNS, 1, in * c); break;
    case AD_OP_CONV: SET(in * c, kernel, o, out * o, 2 * o, out * o); break;
    case AD_OP_CONV_DX: SET(out * o, kernel, in * c); break;
    case AD_OP_CONV_DW: SET(in * c, out * o, kernel); break;
    case AD_OP_CONV_DBIAS: SET(out * o, o); break;
    case AD_OP_COMPOSE: SET(alpha, psi, o, k2 * c * o, k2 * c * o); break;
    case AD_OP_COMPOSE_DPSI: SET(k2 * c * o, alpha, psi); break;
    case AD_OP_COMPOSE_DALPHA: SET(k2 * c * o, psi, (size_t)op->i[1] * m * (size_t)op->i[0]); break;
    case AD_OP_PACK: SET(alpha, o, c * m * o); break;
    case AD_OP_ATOMS: SET(in * m * o, m * k2, o, out * o); break;
    case AD_OP_ATOMS_DU: SET(out * o, m * k2, in * m * o); break;
    case AD_OP_ATOMS_DPSI: SET(in * m * o, out * o, m * k2); break;
    case AD_OP_DEPTH: SET(in * c, psi, z); break;
    case AD_OP_DEPTH_DX: SET(z, psi, in * c); break;
    case AD_OP_DEPTH_DPSI: SET(in * c, z, psi); break;
    case AD_OP_FUSED_ATOMS: SET(in * c, c * m * o, m * k2, o, out * o); break;
    case AD_OP_FUSED_ATOMS_DX: SET(out * o, c * m * o, m * k2, in * c); break;
    case AD_OP_DEPTHWISE: SET(in * c, k2 * c, c, out * c, 2 * c, out * c); break;
    case AD_OP_DEPTHWISE_DX: SET(out * c, k2 * c, in * c); break;
    case AD_OP_DEPTHWISE_DW: SET(in * c, out * c, k2 * c); break;
    case AD_OP_WEIGHT_NORM: SET(k2 * c * o, op->i[0] ? c : o); break;
    case AD_OP_WEIGHT_SCALE: SET(k2 * c * o, op->i[0] ? c : o, op->i[0] ? c : o, k2 * c * o); break;
    case AD_OP_WEIGHT_SCALE_BACK:
        SET(k2 * c * o, op->i[0] ? c : o, op->i[0] ? c : o, k2 * c * o, k2 * c * o, op->i[0] ? c : o);
        break;
    case AD_OP_BN_STATS: SET(in * c, 2 * c); break;
    case AD_OP_BN_FOLD: SET(2 * c, c, c, 2 * c); break;
    case AD_OP_BN_RUNNING: SET(2 * c, 2 * c); break;
    case AD_OP_AFFINE: SET(in * c, 2 * c, in * c, in * c); break;
    case AD_OP_AFFINE_SUMS: SET(in * c, in * c, in * c, 2 * c, 2 * c, 2 * c); break;
    case AD_OP_BN_BACK: SET(2 * c, 2 * c, c, c, c, 3 * c); break;
    case AD_OP_AFFINE_BACK:
        SET(in * c, in * c, op->t[3] >= 0 && !op->i[1] ? 3 * c : c, in * c, in * c, in * c, 2 * c);
        break;
    case AD_OP_ADD: SET(c, c, c); break;
    case AD_OP_BLEND: SET(c, c); break;
    case AD_OP_POOL: SET(in * c, out * c); break;
    case AD_OP_POOL_BACK: SET(in * c, out * c, in * c); break;
    case AD_OP_AFFINE_POOL: SET(in * c, 2 * c, in * c, out * c, out * c / 4); break;
    case AD_OP_AFFINE_POOL_BACK:
        SET(out * c, out * c / 4, out * c, op->t[4] >= 0 ? 3 * c : c, in * c, in * c, in * c);
        break;
    case AD_OP_AFFINE_POOL_SUMS: SET(in * c, out * c, out * c / 4, out * c, 2 * c, 2 * c); break;
    case AD_OP_DROP_MASK: SET(1, in * c); break;
    case AD_OP_DROP_APPLY: SET(in * c, in * c, 2 * c, in * c); break;
    case AD_OP_LAYER_NORM: SET(in * c, c, c, in * c, in * 2); break;
    case AD_OP_LAYER_NORM_BACK: SET(in * c, c, in * 2, in * c, in * c); break;
    case AD_OP_LAYER_NORM_SUMS: SET(in * c, in * 2, in * c, 2 * c); break;
    case AD_OP_CHANNEL_SCALE: SET(in * c, n * c, in * c); break;
    case AD_OP_CHANNEL_SCALE_BACK: SET(in * c, n * c, in * c, in * c, n * c); break;
    case AD_OP_LINEAR: SET(n * c, o * c, o, n * o); break;
    case AD_OP_LINEAR_DX: SET(n * o, o * c, n * c); break;
    case AD_OP_LINEAR_DW: SET(n * c, n * o, o * c, o); break;
    case AD_OP_ROW_NORM: SET(n * c, n * c, n); break;
    case AD_OP_ROW_NORM_BACK: SET(n * c, n, n * c, n * c); break;
    case AD_OP_CLASS_MEAN: SET(n * c, n * tasks, o * c); break;
    case AD_OP_CLASS_MEAN_BACK: SET(o * c, n * tasks, n * c); break;
    case AD_OP_MEAN_HEAD: SET(o * c, o * c, o, 1); break;
    case AD_OP_MEAN_HEAD_BACK: SET(o * c, o * c, o, 1, o * c, 1); break;
    case AD_OP_SOFTMAX_CE:
        SET(n * o, rounds * tasks * n, 1, rounds * tasks, n * o, rounds * tasks * n, rounds * AD_MIX_COLUMNS,
            rounds * tasks * n * o);
        break;
    case AD_OP_SGD: SET(c, c, c, AD_SCHEDULE_COLUMNS, 1); break;
    case AD_OP_ADAM: SET(c, c, c, c, AD_SCHEDULE_COLUMNS, 1); break;
    case AD_OP_TASK_SUM: SET(c, c); break;
    case AD_OP_ADVANCE: SET(1); break;
    case AD_OP_FILL: SET(c); break;
    case AD_OP_COPY: SET((size_t)op->i[0] + c, c); break;
    case AD_OP_COUNT: break;
    }
#undef SET
    return role < AD_OP_TENSORS ? e[role] : 0;
}

double ad_op_flops(const ad_op *op) {
    const ad_geometry *g = &op->g;
    const double t = op->tasks, k2 = (double)g->k * g->k, in = (double)g->n * g->h * g->w,
                 out = (double)g->n * g->oh * g->ow;
    switch ((ad_op_kind)op->kind) {
    case AD_OP_CONV:
    case AD_OP_CONV_DX:
    case AD_OP_CONV_DW: return 2 * t * out * k2 * ad_group_inputs(g) * g->o;
    case AD_OP_COMPOSE:
    case AD_OP_COMPOSE_DPSI:
    case AD_OP_COMPOSE_DALPHA: return 2 * t * k2 * g->c * g->o * g->m;
    case AD_OP_ATOMS:
    case AD_OP_ATOMS_DU:
    case AD_OP_ATOMS_DPSI: return 2 * t * out * k2 * g->m * g->o;
    case AD_OP_DEPTH:
    case AD_OP_DEPTH_DX:
    case AD_OP_DEPTH_DPSI: return 2 * t * out * k2 * g->m * g->c * (g->group ? g->o / g->group : 1);
    case AD_OP_FUSED_ATOMS: return 2 * t * out * g->m * g->c * (k2 + g->o);
    case AD_OP_FUSED_ATOMS_DX: return 2 * t * g->m * g->o * (out * k2 + in * g->c);
    case AD_OP_DEPTHWISE:
    case AD_OP_DEPTHWISE_DX:
    case AD_OP_DEPTHWISE_DW: return 2 * t * out * k2 * g->c;
    case AD_OP_LINEAR:
    case AD_OP_LINEAR_DX:
    case AD_OP_LINEAR_DW: return 2 * t * g->n * (double)g->c * g->o;
    case AD_OP_MIX: return 3 * t * in * g->c;
    case AD_OP_AFFINE:
    case AD_OP_AFFINE_BACK:
    case AD_OP_AFFINE_POOL:
    case AD_OP_AFFINE_POOL_BACK: return 2 * t * in * g->c;
    case AD_OP_DROP_MASK: return 32 * t * in * g->c; /* a quarter of a philox each */
    case AD_OP_DROP_APPLY: return 2 * t * in * g->c;
    case AD_OP_LAYER_NORM: return 8 * t * in * g->c;
    case AD_OP_LAYER_NORM_BACK: return 11 * t * in * g->c;
    case AD_OP_LAYER_NORM_SUMS: return 5 * t * in * g->c;
    case AD_OP_CHANNEL_SCALE_BACK: return 3 * t * in * g->c;
    case AD_OP_SOFTMAX_CE: return (op->t[7] >= 0 ? 3 : 1) * t * g->n * (double)g->o;
    case AD_OP_BLEND: return 3 * t * g->c;
    case AD_OP_TASK_SUM: return 2 * (double)op->i[0] * g->c;
    default: {
        double elements = 0;
        for (int r = 0; r < AD_OP_TENSORS; r++)
            if (op->t[r] >= 0) elements = AD_MAX(elements, (double)ad_op_elements(op, r));
        return t * elements;
    }
    }
}

double ad_op_bytes(const ad_plan *plan, const ad_op *op) {
    const int tasks = op->kind == AD_OP_TASK_SUM ? op->i[0] : op->tasks;
    double bytes = 0;
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        ad_access access = ad_op_access(op, r);
        if (access == AD_ACCESS_NONE) continue;
        const ad_tensor *t = &plan->tensors[op->t[r]];
        double once = (double)ad_op_elements(op, r) * (double)ad_type_bytes(t->type) * (t->stride ? tasks : 1);
        bytes += access == AD_UPDATE ? 2 * once : once;
    }
    return bytes;
}

bool ad_op_has_epilogue(const ad_op *op) {
    enum { COEF = 4, RESIDUAL = 5 };
    return op->kind == AD_OP_CONV && (op->t[COEF] >= 0 || op->t[RESIDUAL] >= 0 || op->i[0] != AD_ACT_NONE);
}

uint32_t ad_op_drop_chance(const ad_op *op) {
    const double h = op->g.h, w = op->g.w, b = op->i[0];
    return (uint32_t)ceil(0x1p24 * (double)op->f[0] * (h * w) / (b * b * ((h - b + 1) * (w - b + 1))));
}

int ad_op_act(const ad_op *op) {
    switch ((ad_op_kind)op->kind) {
    case AD_OP_CONV:
    case AD_OP_DEPTHWISE:
    case AD_OP_AFFINE:
    case AD_OP_AFFINE_SUMS:
    case AD_OP_AFFINE_BACK:
    case AD_OP_AFFINE_POOL:
    case AD_OP_AFFINE_POOL_BACK:
    case AD_OP_AFFINE_POOL_SUMS: return op->i[0];
    default: return AD_ACT_NONE;
    }
}

/* Whether any copy of the one tensor shares a byte with any of the other. With lanes the tensors of a task lie
 * together, so that copies of several tensors take turns in memory. */
bool ad_tensors_overlap(const ad_plan *plan, const ad_tensor *a, const ad_tensor *b) {
    if (a == b) return true;
    if (a->arena != b->arena) return false;
    const int a_copies = ad_tensor_copies(plan, a), b_copies = ad_tensor_copies(plan, b);
    if (a->offset >= b->offset + ad_tensor_bytes(b, b_copies) || b->offset >= a->offset + ad_tensor_bytes(a, a_copies))
        return false;
    const size_t a_bytes = ad_tensor_bytes(a, 1), b_bytes = ad_tensor_bytes(b, 1);
    const size_t a_stride = a->stride * ad_type_bytes(a->type), b_stride = b->stride * ad_type_bytes(b->type);
    if (a_stride && a_stride == b_stride) { /* then it is so for every copy or for none */
        const size_t apart = (b->offset + a_stride - a->offset % a_stride) % a_stride;
        return apart < a_bytes || a_stride - apart < b_bytes;
    }
    for (int i = 0; i < (a_stride ? a_copies : 1); i++) {
        const size_t begin = a->offset + (size_t)i * a_stride;
        /* The first copy of b that ends behind the beginning of this one of a. */
        const size_t skipped =
            b_stride && begin >= b->offset + b_bytes ? (begin - b->offset - b_bytes) / b_stride + 1 : 0;
        if (skipped < (size_t)(b_stride ? b_copies : 1) && b->offset + b_bytes + skipped * b_stride > begin &&
            b->offset + skipped * b_stride < begin + a_bytes)
            return true;
    }
    return false;
}

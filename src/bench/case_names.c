/* Cases by name: what their parts mean, and which of them make a suite. */
#include "bench/bench.h"
#include <adatom/model.h>
#include "plan/activation.h"

#include <stdio.h>
#include <string.h>

static const char *const quick_suite[] = {
    /* what matters most first: a slow device may not come to the end */
    "peak/fp32",
    "peak/fp16",
    "peak/matrix",
    "peak/read",
    "peak/write",
    "peak/copy",
    "peak/launch",
    "peak/submit",
    "conv/forward/composed/64x64x3/21/b5",
    "conv/dx/composed/64x64x3/21/b5",
    "conv/dw/composed/64x64x3/21/b5",
    "conv/forward/coefficients-first/64x64x3/21/b5",
    "adapt/atoms/conv4/84/5w1s5q/5",
    "conv/stage/coefficients-first/64x64x3/21/b5",
    "conv/dpsi/coefficients-first/64x64x3/21/b5",
    "conv/du/coefficients-first/64x64x3/21/b5",
    "conv/forward/atoms-first/64x64x3/21/b5",
    "adapt/centroid/conv4/42/5w1s5q/0",
    "startup/cold",
    "startup/warm",
    "op/affine/64/42/b5",
    "op/max-pool/64/42/b5",
    "op/max-pool-back/64/42/b5",
    "head/linear/1600x5/b25",
    "head/linear-dw/1600x5/b25",
    "head/softmax-ce/1600x5/b25",
    "optimiser/sgd/113088",
    "pretrain/conv4/42/b8",
    "infer/mobilenet_v2/64/b4",
    "adapt/full/conv4-none/84/5w1s5q/2",
    "depthwise/forward/144/3/56/b1",
    "conv/forward/composed/3x64x3/84/b5",
    "conv/forward/composed/64x64x3/42/b5",
    "conv/dx/composed/64x64x3/42/b5",
    "conv/dw/composed/64x64x3/42/b5",
    "conv/product/coefficients-first/64x64x3/21/b25",
    "conv/forward/coefficients-first/64x64x3/21/b25",
    NULL};

static const char *const full_suite[] = {
    "peak/fp32", "peak/fp16", "peak/matrix", "peak/read", "peak/write", "peak/copy", "peak/launch", "peak/submit",
    /* Conv-4 at 84x84, a 5-way 5-shot support set */
    "conv/forward/composed/3x64x3/84/b25", "conv/dw/composed/3x64x3/84/b25", "conv/forward/composed/64x64x3/42/b25",
    "conv/dx/composed/64x64x3/42/b25", "conv/dw/composed/64x64x3/42/b25", "conv/forward/composed/64x64x3/21/b25",
    "conv/dx/composed/64x64x3/21/b25", "conv/dw/composed/64x64x3/21/b25", "conv/forward/composed/64x64x3/10/b25",
    "conv/dx/composed/64x64x3/10/b25", "conv/dw/composed/64x64x3/10/b25",
    "conv/product/coefficients-first/64x64x3/42/b25", "conv/forward/coefficients-first/64x64x3/42/b25",
    "conv/stage/coefficients-first/64x64x3/42/b25", "conv/dpsi/coefficients-first/64x64x3/42/b25",
    "conv/product/coefficients-first/64x64x3/21/b25", "conv/forward/coefficients-first/64x64x3/21/b25",
    "conv/stage/coefficients-first/64x64x3/21/b25", "conv/dpsi/coefficients-first/64x64x3/21/b25",
    "conv/du/coefficients-first/64x64x3/21/b25", "conv/product/coefficients-first/64x64x3/10/b25",
    "conv/forward/coefficients-first/64x64x3/10/b25", "conv/stage/coefficients-first/64x64x3/10/b25",
    "conv/dpsi/coefficients-first/64x64x3/10/b25", "conv/du/coefficients-first/64x64x3/10/b25",
    "conv/forward/atoms-first/64x64x3/21/b25", "conv/stage/atoms-first/64x64x3/21/b25",
    "conv/product/atoms-first/64x64x3/21/b25", "conv/dpsi/atoms-first/64x64x3/21/b25",
    "conv/dx/atoms-first/64x64x3/21/b25", "conv/forward/atoms-first-fused/64x64x3/21/b25",
    "conv/forward/atoms-first-fused/64x64x3/21/b25m4", "conv/forward/atoms-first-fused/64x128x3s2/56/b5",
    "conv/dx/atoms-first-fused/64x64x3/21/b25", "conv/dx/atoms-first-fused/64x64x3/21/b25m4",
    /* many tasks, each with weights of its own */
    "conv/forward/composed/64x64x3/21/b25t8", "conv/dw/composed/64x64x3/21/b25t8",
    "conv/forward/coefficients-first/64x64x3/21/b25t8", "conv/dpsi/coefficients-first/64x64x3/21/b25t8",
    /* ResNet-12 at 84x84 */
    "conv/forward/composed/64x64x3/84/b5", "conv/forward/composed/64x160x3/42/b5",
    "conv/forward/composed/160x160x3/42/b5", "conv/forward/composed/320x320x3/21/b5",
    "conv/dx/composed/320x320x3/21/b5", "conv/dw/composed/320x320x3/21/b5", "conv/forward/composed/640x640x3/10/b5",
    "conv/forward/composed/320x640x1/10/b5",
    /* ResNet-10 at 224x224: stem, strides, widths */
    "conv/forward/composed/3x64x7s2/224/b5", "conv/forward/composed/64x128x3s2/56/b5",
    "conv/dx/composed/64x128x3s2/56/b5", "conv/forward/composed/512x512x3/7/b25",
    "conv/forward/coefficients-first/512x512x3/7/b25", "conv/forward/atoms-first/64x128x3s2/56/b5",
    /* EfficientNet-Lite and ConvNeXt at 224x224 */
    "depthwise/forward/32/3/112/b1", "depthwise/forward/96/3s2/112/b1", "depthwise/forward/144/3/56/b1",
    "depthwise/forward/240/5/28/b1", "depthwise/forward/672/5/14/b1", "depthwise/forward/1152/3/7/b1",
    "depthwise/forward/96/7/56/b1", "depthwise/dx/144/3/56/b1", "depthwise/dx/672/5/14/b1", "depthwise/dw/144/3/56/b1",
    "depthwise/dw/672/5/14/b1", "op/affine/64/84/b25", "op/affine/64/42/b25", "op/affine-back/64/42/b25",
    "op/affine-sums/64/42/b25", "op/bn-stats/64/42/b25", "op/max-pool/64/84/b25", "op/max-pool/64/42/b25",
    "op/max-pool-back/64/42/b25", "op/average-pool/64/42/b25", "op/add/64/42/b25", "op/copy/64/42/b25",
    "op/affine-silu/96/56/b8", "op/affine-back-gelu/96/56/b8", "op/layer-norm/96/56/b8", "op/layer-norm-back/96/56/b8",
    "op/layer-norm-sums/96/56/b8", "op/channel-scale/96/56/b8", "op/channel-scale-back/96/56/b8",
    "head/linear/1600x5/b25", "head/linear-dx/1600x5/b25", "head/linear-dw/1600x5/b25", "head/linear/1600x5/b25t64",
    "head/linear/640x64/b64", "head/class-mean/1600x5/b25", "head/row-norm/1600x5/b25", "head/softmax-ce/1600x5/b25",
    "optimiser/sgd/113088", "optimiser/adam/113088", "optimiser/sgd/8216t64", "adapt/atoms/conv4/84/5w5s15q/50",
    "adapt/full/conv4-none/84/5w5s15q/50", "adapt/full/conv4/84/5w5s15q/50", "adapt/head/conv4/84/5w5s15q/100",
    "adapt/centroid/conv4/84/5w5s15q/0", "adapt/atoms/conv4/84/5w1s15q/50", "adapt/atoms+norm/conv4/84/5w5s15q/50",
    "adapt/atoms/resnet12/84/5w1s15q/10", "pretrain/conv4/84/b64", "pretrain/resnet12/84/b16",
    /* classifying, as tools/infer_peers.py compares it */
    "infer/resnet18/224/b8", "infer/resnet50/224/b8", "infer/mobilenet_v2/224/b8", "infer/efficientnet_lite0/224/b8",
    "infer/convnext_tiny/224/b8", "startup/cold", "startup/warm", NULL};

/* One number at a time grows: tasks, shots, image size, classes, pictures of the data set, these once more with little
 * memory. */
static const char *const scaling_suite[] = {"peak/fp32",
                                            "peak/read",
                                            "adapt/atoms/conv4/28/5w1s5q/5t1",
                                            "adapt/atoms/conv4/28/5w1s5q/5t2",
                                            "adapt/atoms/conv4/28/5w1s5q/5t4",
                                            "adapt/atoms/conv4/28/5w1s5q/5t8",
                                            "adapt/atoms/conv4/28/5w1s5q/5t16",
                                            "adapt/atoms/conv4/28/5w1s5q/5t32",
                                            "adapt/atoms/conv4/28/5w2s5q/5t2",
                                            "adapt/atoms/conv4/28/5w4s5q/5t2",
                                            "adapt/atoms/conv4/28/5w8s5q/5t2",
                                            "adapt/atoms/conv4/28/5w16s5q/5t2",
                                            "adapt/atoms/conv4/16/5w1s5q/5t2",
                                            "adapt/atoms/conv4/40/5w1s5q/5t2",
                                            "adapt/atoms/conv4/56/5w1s5q/5t2",
                                            "adapt/atoms/conv4/84/5w1s5q/5t2",
                                            "adapt/atoms/conv4/28/2w1s5q/5t2",
                                            "adapt/atoms/conv4/28/10w1s5q/5t2",
                                            "adapt/atoms/conv4/28/20w1s5q/5t2",
                                            "adapt/atoms/conv4/28/40w1s5q/5t2",
                                            "pretrain/conv4/28/b16d128",
                                            "pretrain/conv4/28/b16d512",
                                            "pretrain/conv4/28/b16d1024",
                                            "pretrain/conv4/28/b16d2048",
                                            "pretrain/conv4/28/b16d128m10",
                                            "pretrain/conv4/28/b16d512m10",
                                            "pretrain/conv4/28/b16d1024m10",
                                            "pretrain/conv4/28/b16d2048m10",
                                            NULL};

const char *const *ad_bench_suite(const char *suite) {
    if (!suite || !strcmp(suite, "quick")) return quick_suite;
    if (!strcmp(suite, "scaling")) return scaling_suite;
    return !strcmp(suite, "full") ? full_suite : NULL;
}

/* ---- reading ---- */
enum { MAX_PARTS = 6, MAX_NUMBER = 1 << 24 };
typedef struct parts {
    char text[128];
    const char *part[MAX_PARTS];
    int count;
} parts;

static bool split(const char *name, parts *out) {
    if (strlen(name) >= sizeof out->text) return false;
    snprintf(out->text, sizeof out->text, "%s", name);
    char *rest = NULL;
    out->count = 0;
    for (char *at = strtok_r(out->text, "/", &rest); at; at = strtok_r(NULL, "/", &rest)) {
        if (out->count == MAX_PARTS) return false;
        out->part[out->count++] = at;
    }
    return out->count > 0;
}

/* Reads a number after each of the letters of `form`, in that order; '#' stands for a number without letter. Letters
 * after '?' may be missing (their numbers keep their values). Nothing may follow the last number. */
static bool read_numbers(const char *text, const char *form, int *const numbers[]) {
    bool optional = false;
    for (int i = 0; *form; form++) {
        if (*form == '?') {
            optional = true;
            continue;
        }
        int value = 0, digits = 0;
        const bool here = *form == '#' || *text == *form;
        if (!here && !optional) return false;
        if (here) {
            if (*form != '#') text++;
            for (; *text >= '0' && *text <= '9' && value <= MAX_NUMBER; text++, digits++)
                value = 10 * value + (*text - '0');
            if (!digits || value > MAX_NUMBER) return false;
            *numbers[i] = value;
        }
        i++;
    }
    return !*text;
}

static int find(const char *word, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (!strcmp(word, words[i])) return i;
    return -1;
}

static bool parse_peak(const parts *p, ad_bench_case *out) {
    static const char *const names[] = {"fp32", "fp16", "matrix", "read", "write", "copy", "", "launch", "submit"};
    out->kind = AD_BENCH_PEAK;
    out->peak = p->count == 2 ? find(p->part[1], names, AD_COUNT(names)) : -1;
    return out->peak >= 0;
}

static void add(ad_bench_case *out, int kind, int tasks, ad_geometry g) {
    out->kind = AD_BENCH_KERNEL;
    out->steps[out->step_count++] = ad_case_of(kind, tasks, g);
}

/* The operations of each way of computing a convolution. PRODUCT: the product with the coefficients, which all tasks
 * share. */
enum { PRODUCT = AD_OP_COUNT };
static const struct {
    const char *path, *pass;
    int operations[2], count;
} conv_passes[] = {
    {"composed", "forward", {AD_OP_CONV}, 1},
    {"composed", "dx", {AD_OP_CONV_DX}, 1},
    {"composed", "dw", {AD_OP_CONV_DW}, 1},
    {"composed", "fused", {AD_OP_CONV}, 1},
    {"composed", "fused-add", {AD_OP_CONV}, 1},
    {"grouped", "forward", {AD_OP_CONV}, 1},
    {"grouped", "dx", {AD_OP_CONV_DX}, 1},
    {"grouped", "dw", {AD_OP_CONV_DW}, 1},
    {"grouped", "fused", {AD_OP_CONV}, 1},
    {"coefficients-first", "forward", {PRODUCT, AD_OP_ATOMS}, 2},
    {"coefficients-first", "product", {PRODUCT}, 1},
    {"coefficients-first", "stage", {AD_OP_ATOMS}, 1},
    {"coefficients-first", "dpsi", {AD_OP_ATOMS_DPSI}, 1},
    {"coefficients-first", "du", {AD_OP_ATOMS_DU}, 1},
    {"atoms-first", "forward", {AD_OP_DEPTH, PRODUCT}, 2},
    {"atoms-first", "product", {PRODUCT}, 1},
    {"atoms-first", "stage", {AD_OP_DEPTH}, 1},
    {"atoms-first", "dpsi", {AD_OP_DEPTH_DPSI}, 1},
    {"atoms-first", "dx", {AD_OP_DEPTH_DX}, 1},
    {"atoms-first-fused", "forward", {AD_OP_FUSED_ATOMS}, 1},
    {"atoms-first-fused", "dx", {AD_OP_FUSED_ATOMS_DX}, 1},
};

/* The product of coefficients-first: u = x alpha. */
static ad_geometry product_of_inputs(const ad_geometry *g) {
    return ad_case_geometry((ad_geometry){.n = g->n, .h = g->h, .w = g->w, .c = g->c, .o = g->m * g->o});
}

/* The product of atoms-first: y = z alpha, where the images of all groups of outputs lie side by side. */
static ad_geometry product_of_responses(const ad_geometry *g) {
    const int groups = g->group ? g->o / g->group : 1, channels = g->group ? g->group : g->c;
    return ad_case_geometry(
        (ad_geometry){.n = g->n, .h = g->oh, .w = g->ow * groups, .c = channels * g->m, .o = g->o / groups});
}

static bool parse_conv(const parts *p, ad_bench_case *out) {
    int c = 0, o = 0, k = 0, stride = 1, size = 0, n = 0, tasks = 1, m = 8, group = 0;
    if (p->count != 6 || !read_numbers(p->part[3], "#xx?s", (int *const[]){&c, &o, &k, &stride}) ||
        !read_numbers(p->part[4], "#", (int *const[]){&size}) ||
        !read_numbers(p->part[5], "b?tmg", (int *const[]){&n, &tasks, &m, &group}))
        return false;
    if (c < 1 || o < 1 || k < 1 || k > 15 || stride < 1 || size < 1 || n < 1 || tasks < 1 || tasks > INT16_MAX ||
        m < 1 || m > 64)
        return false;
    const int pad = k % 2 ? k / 2 : AD_MAX(k - stride, 0) / 2; /* even kernels: patches side by side have none */
    if (size + 2 * pad < k) return false;
    ad_geometry g = ad_case_geometry((ad_geometry){
        .n = n, .h = size, .w = size, .c = (c + 3) / 4 * 4, .o = o, .k = k, .stride = stride, .pad = pad, .m = m});
    const bool atoms_first = !strcmp(p->part[2], "atoms-first"), grouped = !strcmp(p->part[2], "grouped");
    if (group && !grouped && (!atoms_first || group % 4 || g.c % group || o % group)) return false;
    if (grouped && (group < 1 || g.c % (4 * (int64_t)group) || o % (4 * (int64_t)group))) return false;
    *(grouped ? &g.groups : &g.group) = group;
    for (size_t i = 0; i < AD_COUNT(conv_passes); i++) {
        if (strcmp(p->part[1], conv_passes[i].pass) || strcmp(p->part[2], conv_passes[i].path)) continue;
        for (int s = 0; s < conv_passes[i].count; s++) {
            enum { W = 1, BIAS = 2, COEF = 4, RESIDUAL = 5 };
            const int kind = conv_passes[i].operations[s];
            add(out, kind == PRODUCT ? AD_OP_CONV : kind, tasks, g);
            ad_case *step = &out->steps[out->step_count - 1];
            if (kind == AD_OP_FUSED_ATOMS || kind == AD_OP_FUSED_ATOMS_DX)
                ad_case_share(step, W);             /* coefficients, as below */
            if (!strncmp(p->part[1], "fused", 5)) { /* the norm that follows and its activation */
                ad_case_absent(step, BIAS);
                ad_case_present(step, COEF);
                step->op.i[0] = AD_ACT_RELU6;
                if (!strcmp(p->part[1], "fused-add")) ad_case_present(step, RESIDUAL);
            }
            if (kind != PRODUCT) continue;
            step->op.g = atoms_first ? product_of_responses(&g) : product_of_inputs(&g);
            ad_case_share(step, W);
            if (!atoms_first) ad_case_absent(step, BIAS);
        }
        return true;
    }
    return false;
}

static bool parse_depthwise(const parts *p, ad_bench_case *out) {
    static const char *const passes[] = {"forward", "dx", "dw"};
    static const int kinds[] = {AD_OP_DEPTHWISE, AD_OP_DEPTHWISE_DX, AD_OP_DEPTHWISE_DW};
    enum { RESIDUAL = 5 };
    int c = 0, k = 0, size = 0, stride = 1, n = 0, tasks = 1;
    if (p->count != 6 || !read_numbers(p->part[2], "#", (int *const[]){&c}) ||
        !read_numbers(p->part[3], "#?s", (int *const[]){&k, &stride}) ||
        !read_numbers(p->part[4], "#", (int *const[]){&size}) ||
        !read_numbers(p->part[5], "b?t", (int *const[]){&n, &tasks}))
        return false;
    const int which = find(p->part[1], passes, AD_COUNT(passes));
    if (which < 0 || c < 1 || k < 1 || k > 11 || stride < 1 || size < 1 || size > 4096 || n < 1 || n > 65536 ||
        tasks < 1 || tasks > INT16_MAX)
        return false;
    c = (c + 3) / 4 * 4;
    add(out, kinds[which], tasks,
        ad_case_geometry((ad_geometry){.n = n, .h = size, .w = size, .c = c, .k = k, .stride = stride, .pad = k / 2}));
    if (which == 0) {
        ad_case_absent(&out->steps[0], RESIDUAL);
        out->steps[0].op.i[0] = AD_ACT_RELU6;
    }
    return true;
}

/* Operations of bench cases op/NAME. */
static const struct {
    const char *name;
    int kind;
} op_cases[] = {
    {"affine", AD_OP_AFFINE},
    {"affine-back", AD_OP_AFFINE_BACK},
    {"affine-sums", AD_OP_AFFINE_SUMS},
    {"bn-stats", AD_OP_BN_STATS},
    {"add", AD_OP_ADD},
    {"blend", AD_OP_BLEND},
    {"mix", AD_OP_MIX},
    {"drop-mask", AD_OP_DROP_MASK},
    {"drop-apply", AD_OP_DROP_APPLY},
    {"copy", AD_OP_COPY},
    {"max-pool", AD_OP_POOL},
    {"max-pool-back", AD_OP_POOL_BACK},
    {"average-pool", AD_OP_POOL},
    {"average-pool-back", AD_OP_POOL_BACK},
    {"layer-norm", AD_OP_LAYER_NORM},
    {"layer-norm-back", AD_OP_LAYER_NORM_BACK},
    {"layer-norm-sums", AD_OP_LAYER_NORM_SUMS},
    {"channel-scale", AD_OP_CHANNEL_SCALE},
    {"channel-scale-back", AD_OP_CHANNEL_SCALE_BACK},
};

static bool has_activation(int kind) {
    return kind == AD_OP_AFFINE || kind == AD_OP_AFFINE_BACK || kind == AD_OP_AFFINE_SUMS;
}

/* Finds the operation NAME; after those with an activation, "-ACT" may name it (relu otherwise). */
static int find_op(const char *name, int *act) {
    *act = AD_ACT_RELU;
    for (size_t i = 0; i < AD_COUNT(op_cases); i++) {
        const size_t length = strlen(op_cases[i].name);
        if (!strcmp(name, op_cases[i].name)) return (int)i;
        if (!has_activation(op_cases[i].kind) || strncmp(name, op_cases[i].name, length) || name[length] != '-')
            continue;
        for (int other = 0; other < AD_ACT_COUNT; other++) {
            if (strcmp(name + length + 1, ad_act_name(other))) continue;
            *act = other;
            return (int)i;
        }
    }
    return -1;
}

/* The operands of frozen statistics, and those that the activation's derivative is taken from. */
static void choose_operands(ad_case *step, int act) {
    enum { RESIDUAL = 2, X = 3, DRESIDUAL = 5 };
    if (step->op.kind == AD_OP_AFFINE) {
        ad_case_activate(step, act);
        ad_case_absent(step, RESIDUAL);
        return;
    }
    ad_case_activate_back(step, act);
    if (step->op.kind != AD_OP_AFFINE_BACK) return;
    ad_case_absent(step, DRESIDUAL);
    if (ad_act_by_output(act))
        ad_case_absent(step, X);
    else
        step->op.i[1] = 1;
}

static bool parse_op(const parts *p, ad_bench_case *out) {
    int c = 0, size = 0, n = 0, tasks = 1, act = 0;
    if (p->count != 5 || !read_numbers(p->part[2], "#", (int *const[]){&c}) ||
        !read_numbers(p->part[3], "#", (int *const[]){&size}) ||
        !read_numbers(p->part[4], "b?t", (int *const[]){&n, &tasks}) || c < 1 || size < 2 || size > 4096 || n < 1 ||
        n > 65536 || tasks < 1 || tasks > INT16_MAX)
        return false;
    const int which = find_op(p->part[1], &act);
    if (which < 0) return false;
    const int kind = op_cases[which].kind;
    c = (c + 3) / 4 * 4;
    const bool pool = kind == AD_OP_POOL || kind == AD_OP_POOL_BACK;
    const int window = pool ? 2 : 1;
    ad_geometry g =
        ad_case_geometry((ad_geometry){.n = n, .h = size, .w = size, .c = c, .o = c, .k = window, .stride = window});
    if (kind == AD_OP_ADD || kind == AD_OP_BLEND || kind == AD_OP_COPY) g = (ad_geometry){.c = n * size * size * c};
    add(out, kind, tasks, g);
    ad_case *step = &out->steps[0];
    if (pool) step->op.i[0] = !strncmp(p->part[1], "average", 7);
    if (has_activation(kind)) choose_operands(step, act);
    if (kind == AD_OP_LAYER_NORM) step->op.f[0] = 1e-6f;
    if (kind == AD_OP_BLEND) step->op.f[0] = 0.999f;
    if (kind == AD_OP_MIX) step->op.i[7] = 1;
    if (kind == AD_OP_DROP_MASK) {
        step->op.i[0] = AD_MIN(size, 5);
        step->op.f[0] = 0.1f;
    }
    return true;
}

static bool parse_head(const parts *p, ad_bench_case *out) {
    static const char *const names[] = {"linear",    "linear-dx",      "linear-dw", "class-mean", "class-mean-back",
                                        "mean-head", "mean-head-back", "row-norm",  "softmax-ce", "softmax-ce-soft"};
    static const int kinds[] = {AD_OP_LINEAR,          AD_OP_LINEAR_DX, AD_OP_LINEAR_DW,      AD_OP_CLASS_MEAN,
                                AD_OP_CLASS_MEAN_BACK, AD_OP_MEAN_HEAD, AD_OP_MEAN_HEAD_BACK, AD_OP_ROW_NORM,
                                AD_OP_SOFTMAX_CE,      AD_OP_SOFTMAX_CE};
    enum { MIX = 6, TEACHER }; /* of SOFTMAX_CE */
    int features = 0, way = 0, n = 0, tasks = 1;
    if (p->count != 4 || !read_numbers(p->part[2], "#x", (int *const[]){&features, &way}) ||
        !read_numbers(p->part[3], "b?t", (int *const[]){&n, &tasks}) || features < 1 || way < 1 || n < 1 || tasks < 1 ||
        tasks > INT16_MAX)
        return false;
    const int which = find(p->part[1], names, AD_COUNT(names));
    if (which < 0) return false;
    const bool softmax = kinds[which] == AD_OP_SOFTMAX_CE;
    add(out, kinds[which], tasks, (ad_geometry){.n = n, .c = softmax ? 0 : features, .o = way});
    out->steps[0].op.i[7] = softmax;
    out->steps[0].op.f[0] = softmax ? 0 : 1;
    if (!strcmp(p->part[1], "softmax-ce-soft")) {
        ad_case_present(&out->steps[0], MIX);
        ad_case_present(&out->steps[0], TEACHER);
        out->steps[0].op.f[1] = 0.5f;
        out->steps[0].op.f[2] = 4;
    }
    return true;
}

static bool parse_optimiser(const parts *p, ad_bench_case *out) {
    int count = 0, tasks = 1;
    if (p->count != 3 || !read_numbers(p->part[2], "#?t", (int *const[]){&count, &tasks}) || count < 1 || tasks < 1 ||
        tasks > INT16_MAX)
        return false;
    if (!strcmp(p->part[1], "task-sum")) { /* once for all tasks */
        add(out, AD_OP_TASK_SUM, tasks, (ad_geometry){.c = count});
        ad_case *sum = &out->steps[0];
        ad_case_share(sum, 1);
        sum->op.tasks = 1;
        sum->op.i[0] = tasks;
        sum->op.f[0] = 1.0f / (float)tasks;
        return true;
    }
    const bool adam = !strcmp(p->part[1], "adam");
    if (!adam && strcmp(p->part[1], "sgd")) return false;
    add(out, adam ? AD_OP_ADAM : AD_OP_SGD, tasks, (ad_geometry){.c = count});
    ad_case *step = &out->steps[0];
    const float sgd_f[3] = {0.9f, 0, 1e-3f}, adam_f[4] = {0.9f, 0.999f, 1e-8f, 1e-2f};
    memcpy(step->op.f, adam ? adam_f : sgd_f, adam ? sizeof adam_f : sizeof sgd_f);
    return true;
}

static bool read_network(const char *text, ad_bench_case *out) {
    adatom_sharing sharing;
    const char *dash = strchr(text, '-');
    const size_t length = dash ? (size_t)(dash - text) : strlen(text);
    if (length >= sizeof out->arch) return false;
    memcpy(out->arch, text, length);
    out->arch[length] = 0;
    snprintf(out->sharing, sizeof out->sharing, "%s", dash ? dash + 1 : "net");
    if (!adatom_sharing_parse(out->sharing, &sharing) || sharing == ADATOM_SHARING_DEFAULT) return false;
    size_t arch = 0;
    while (adatom_model_arch(arch) && strcmp(adatom_model_arch(arch), out->arch) != 0) arch++;
    return adatom_model_arch(arch) != NULL;
}

static bool parse_adapt(const parts *p, ad_bench_case *out) {
    static const char *const methods[] = {"centroid", "head", "cosine", "atoms", "norm", "atoms+norm", "full"};
    out->kind = AD_BENCH_ADAPT;
    if (p->count != 6 || find(p->part[1], methods, AD_COUNT(methods)) < 0 || !read_network(p->part[2], out) ||
        !read_numbers(p->part[3], "#", (int *const[]){&out->size}) ||
        !read_numbers(p->part[5], "#?t", (int *const[]){&out->optimiser_steps, &out->tasks}))
        return false;
    snprintf(out->method, sizeof out->method, "%s", p->part[1]);
    char episode[32];
    const size_t length = strlen(p->part[4]);
    if (length >= sizeof episode || p->part[4][length - 1] != 'q') return false;
    memcpy(episode, p->part[4], length - 1);
    episode[length - 1] = 0; /* the q */
    return read_numbers(episode, "#ws", (int *const[]){&out->way, &out->shot, &out->query}) && out->way > 0 &&
           out->shot > 0 && out->query > 0 && out->size > 0;
}

static bool parse_pretrain(const parts *p, ad_bench_case *out) {
    out->kind = AD_BENCH_PRETRAIN;
    return p->count == 4 && read_network(p->part[1], out) &&
           read_numbers(p->part[2], "#", (int *const[]){&out->size}) &&
           read_numbers(p->part[3], "b?dm", (int *const[]){&out->batch, &out->pictures, &out->memory_mib}) &&
           out->size > 0 && out->batch > 0;
}

/* The networks that people have are ordinary ones. */
static bool parse_infer(const parts *p, ad_bench_case *out) {
    out->kind = AD_BENCH_INFER;
    if (p->count != 4 || !read_network(p->part[1], out) || !read_numbers(p->part[2], "#", (int *const[]){&out->size}) ||
        !read_numbers(p->part[3], "b", (int *const[]){&out->batch}))
        return false;
    if (!strchr(p->part[1], '-')) snprintf(out->sharing, sizeof out->sharing, "none");
    return out->size > 0 && out->batch > 0;
}

static bool parse_startup(const parts *p, ad_bench_case *out) {
    out->kind = AD_BENCH_STARTUP;
    out->warm = p->count == 2 && !strcmp(p->part[1], "warm");
    return p->count == 2 && (out->warm || !strcmp(p->part[1], "cold"));
}

bool ad_bench_parse(const char *name, ad_bench_case *out) {
    static const struct {
        const char *family;
        bool (*parse)(const parts *p, ad_bench_case *out);
    } families[] = {
        {"peak", parse_peak},   {"conv", parse_conv},      {"depthwise", parse_depthwise}, {"op", parse_op},
        {"head", parse_head},   {"adapt", parse_adapt},    {"optimiser", parse_optimiser}, {"pretrain", parse_pretrain},
        {"infer", parse_infer}, {"startup", parse_startup}};
    parts p;
    *out = (ad_bench_case){0};
    if (!split(name, &p)) return false;
    snprintf(out->name, sizeof out->name, "%s", name);
    for (size_t f = 0; f < AD_COUNT(families); f++)
        if (!strcmp(p.part[0], families[f].family)) return families[f].parse(&p, out);
    return false;
}

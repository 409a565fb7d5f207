#include "fewshot/method.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 1000000 };

#define BIT(role) (1u << AD_ROLE_##role)

/* Methods and their defaults. docs/accuracy.md says which rates were searched, and how. */
static const struct {
    unsigned adapt;
    ad_head_kind head;
    ad_head_init head_init;
    int steps;
    ad_lowrank_kind lowrank;
    ad_solver solver;
} methods[] = {
    [ADATOM_ADAPT_CENTROID] = {0, AD_HEAD_CENTROID, AD_HEAD_MEANS, 0, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_HEAD] = {0, AD_HEAD_LINEAR, AD_HEAD_MEANS, 20, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_COSINE] = {0, AD_HEAD_COSINE, AD_HEAD_MEANS, 50, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_ATOMS] = {BIT(ATOMS), AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_NORM] = {BIT(NORM), AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_ATOMS_NORM] = {BIT(ATOMS) | BIT(NORM), AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_FULL] = {BIT(ATOMS) | BIT(NORM) | BIT(COEFFICIENTS) | BIT(ORDINARY), AD_HEAD_COSINE, AD_HEAD_MEANS,
                           10, AD_LOWRANK_NONE},
    [ADATOM_ADAPT_LORA] = {0, AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_LORA},
    [ADATOM_ADAPT_DORA] = {0, AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_DORA},
    [ADATOM_ADAPT_BORA] = {0, AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_BORA},
    [ADATOM_ADAPT_TSA] = {0, AD_HEAD_COSINE, AD_HEAD_MEANS, 10, AD_LOWRANK_TSA},
    [ADATOM_ADAPT_LOGISTIC] = {0, AD_HEAD_NONE, AD_HEAD_ZERO, 0, AD_LOWRANK_NONE, AD_SOLVER_LOGISTIC},
    [ADATOM_ADAPT_LDA] = {0, AD_HEAD_NONE, AD_HEAD_ZERO, 0, AD_LOWRANK_NONE, AD_SOLVER_DISCRIMINANT},
    [ADATOM_ADAPT_KNN] = {0, AD_HEAD_NONE, AD_HEAD_ZERO, 0, AD_LOWRANK_NONE, AD_SOLVER_NEIGHBOURS},
    [ADATOM_ADAPT_BD_CSPN] = {0, AD_HEAD_NONE, AD_HEAD_ZERO, 0, AD_LOWRANK_NONE, AD_SOLVER_RECTIFIED},
    [ADATOM_ADAPT_SIMPLESHOT] = {0, AD_HEAD_NONE, AD_HEAD_ZERO, 0, AD_LOWRANK_NONE, AD_SOLVER_CENTRED},
};

#define METHOD_COUNTED(value, text) +1
_Static_assert(AD_COUNT(methods) == 0 ADATOM_ADAPT_LIST(METHOD_COUNTED), "a method of adatom/choice.h has no row");
#undef METHOD_COUNTED

/* With Adam on a network that was imported, whose features are wide and layers many; 0: as of any network. */
static const struct {
    int steps;
    float lr, lr_atoms, lr_norm, lr_full;
} of_imported[] = {
    [ADATOM_ADAPT_CENTROID] = {0},
    [ADATOM_ADAPT_HEAD] = {.steps = 100},
    [ADATOM_ADAPT_COSINE] = {.lr = 0.03f},
    [ADATOM_ADAPT_ATOMS] = {30, .lr = 0.03f, .lr_atoms = 3e-3f},
    [ADATOM_ADAPT_NORM] = {30, .lr = 0.03f, .lr_norm = 3e-3f},
    [ADATOM_ADAPT_ATOMS_NORM] = {30, .lr = 0.03f, .lr_atoms = 3e-3f, .lr_norm = 3e-3f},
    [ADATOM_ADAPT_FULL] = {30, .lr = 0.03f, .lr_full = 1e-4f},
    [ADATOM_ADAPT_LORA] = {30, .lr = 0.03f},
    [ADATOM_ADAPT_DORA] = {30, .lr = 0.03f},
    [ADATOM_ADAPT_BORA] = {30, .lr = 0.03f},
    [ADATOM_ADAPT_TSA] = {30, .lr = 0.03f},
    [ADATOM_ADAPT_LOGISTIC] = {0},
    [ADATOM_ADAPT_LDA] = {0},
    [ADATOM_ADAPT_KNN] = {0},
    [ADATOM_ADAPT_BD_CSPN] = {0},
    [ADATOM_ADAPT_SIMPLESHOT] = {0},
};

#define METHOD_COUNTED(value, text) +1
_Static_assert(AD_COUNT(of_imported) == 0 ADATOM_ADAPT_LIST(METHOD_COUNTED), "a method of choice.h has no row");
#undef METHOD_COUNTED

AD_CHOSEN(is_adapt, ADATOM_ADAPT_LIST)
AD_CHOSEN(is_optimizer, ADATOM_OPTIMIZER_LIST)
AD_CHOSEN(is_head, ADATOM_HEAD_LIST)
AD_CHOSEN(is_head_init, ADATOM_HEAD_INIT_LIST)
AD_CHOSEN(is_distance, ADATOM_DISTANCE_LIST)
AD_CHOSEN(is_bn, ADATOM_BN_LIST)
AD_CHOSEN(is_conv, ADATOM_CONV_LIST)
AD_CHOSEN(is_procedure, ADATOM_PROCEDURE_LIST)

static adatom_status check_choices(adatom_context *ctx, const adatom_method *m) {
    const struct {
        const char *what;
        int value;
        bool known;
    } choices[] = {{"the method", (int)m->adapt, is_adapt((int)m->adapt)},
                   {"the optimizer", (int)m->optimizer, is_optimizer((int)m->optimizer)},
                   {"the head", (int)m->head, is_head((int)m->head)},
                   {"the start of the head", (int)m->head_init, is_head_init((int)m->head_init)},
                   {"the distance", (int)m->distance, is_distance((int)m->distance)},
                   {"the batch norm policy", (int)m->bn, is_bn((int)m->bn)},
                   {"the convolution", (int)m->conv, is_conv((int)m->conv)},
                   {"the procedure", (int)m->procedure, is_procedure((int)m->procedure)}};
    for (size_t i = 0; i < AD_COUNT(choices); i++)
        if (!choices[i].known) return ad_choice_refuse(ctx, choices[i].what, choices[i].value);
    return ADATOM_OK;
}

bool ad_episodes_only(adatom_adapt_kind kind) { return methods[kind].solver != AD_SOLVER_NONE; }

float ad_or_default(float value, float otherwise) { return value == 0.0f ? otherwise : value < 0.0f ? 0.0f : value; }

static const ad_conv_path conv_paths[] = {[ADATOM_CONV_AUTO] = AD_PATH_AUTO,
                                          [ADATOM_CONV_COEFFICIENTS_FIRST] = AD_PATH_COEFFICIENTS_FIRST,
                                          [ADATOM_CONV_ATOMS_FIRST] = AD_PATH_ATOMS_FIRST,
                                          [ADATOM_CONV_COMPOSED] = AD_PATH_COMPOSED};

/* Closer Look's fine-tuning of the Baseline [Chen et al., ICLR 2019]: a fresh linear head, 100 passes over the support
 * set in batches of 4, SGD. */
static void closerlook_baseline(ad_settings *s) {
    s->head = AD_HEAD_LINEAR;
    s->head_init = AD_HEAD_HOST;
    s->head_random = true;
    s->adam = false;
    s->lr[AD_ROLE_HEAD] = 0.01f;
    s->momentum = 0.9f;
    s->dampening = 0.9f;
    s->weight_decay = 1e-3f;
    s->nesterov = false;
    s->batch = 4;
    s->epochs = 100;
}

adatom_status ad_check_ranges(adatom_context *ctx, const char *where, const ad_range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const bool below = ranges[i].open ? ranges[i].is < ranges[i].most : ranges[i].is <= ranges[i].most;
        if (!(ranges[i].is >= ranges[i].least) || !below) /* so that a NaN is within no range */
            return ad_fail(ctx, ADATOM_USAGE, "%s%s is %g; it must be in [%g, %g%c", where, ranges[i].what,
                           ranges[i].is, ranges[i].least, ranges[i].most, ranges[i].open ? ')' : ']');
    }
    return ADATOM_OK;
}

/* Written so that a NaN is within no range. */
static adatom_status check_ranges(adatom_context *ctx, const adatom_method *m, const ad_settings *s, bool trains) {
    const ad_range ranges[] = {{"momentum (beta1 of adam)", (double)s->momentum, 0, 1, true},
                               {"dampening (beta2 of adam)", (double)s->dampening, 0, 1, s->adam},
                               {"weight decay", (double)s->weight_decay, 0, 100, false},
                               {"label smoothing", (double)s->label_smoothing, 0, 1, true},
                               {"label noise", (double)s->label_noise, 0, 1, true},
                               {"the cosine scale", (double)s->cosine_scale, 1e-6, 1e3, false},
                               {"the inverse penalty", s->solver.inverse_penalty, 1e-6, 1e6, false},
                               {"the shrinkage", s->solver.shrinkage, 0, 1, false}};
    if (trains && (s->steps < 1 || s->steps > MOST_STEPS))
        return ad_fail(ctx, ADATOM_USAGE, "the number of steps is %d; it must be at least 1 and at most %d", s->steps,
                       MOST_STEPS);
    if (s->views < 0 || s->views > AD_MOST_VIEWS)
        return ad_fail(ctx, ADATOM_USAGE, "%d views of a support picture: 1 to %d are possible, 0 for none", s->views,
                       AD_MOST_VIEWS);
    if (s->solver.neighbours < 1 || s->solver.neighbours > 1000000)
        return ad_fail(ctx, ADATOM_USAGE, "%d neighbours cannot vote; take 1 to a million", s->solver.neighbours);
    for (int r = 0; r < AD_ROLE_COUNT; r++)
        if (!(s->lr[r] >= 0) || s->lr[r] > 1e3f)
            return ad_fail(ctx, ADATOM_USAGE, "a learning rate of %g makes no sense", (double)s->lr[r]);
    for (const char *at = s->layers.names; at && *at; at++)
        if (*at <= ' ' || *at > '~')
            return ad_fail(ctx, ADATOM_USAGE, "the layers '%.100s' are no names with commas between them",
                           s->layers.names);
    if (s->layers.last < 0)
        return ad_fail(ctx, ADATOM_USAGE, "the last %d layers cannot adapt; 0 stands for all", s->layers.last);
    if (!(s->lr_adapter >= 0) || s->lr_adapter > 1e3f)
        return ad_fail(ctx, ADATOM_USAGE, "a learning rate of %g makes no sense", (double)s->lr_adapter);
    if (!(fabsf(s->lowrank.scale) <= 1e3f))
        return ad_fail(ctx, ADATOM_USAGE, "the adapter's scale of %g makes no sense", (double)m->adapter_scale);
    return ad_check_ranges(ctx, "", ranges, AD_COUNT(ranges));
}

/* The method with the defaults of an imported network in place of what is not given. */
static adatom_method with_defaults(const adatom_method *given, const adatom_model *model) {
    adatom_method m = *given;
    const size_t which = m.adapt ? m.adapt : ADATOM_ADAPT_ATOMS;
    if (!model || !model->origin.layout[0] || m.optimizer == ADATOM_OPTIMIZER_SGD || m.procedure) return m;
    const bool linear = m.head == ADATOM_HEAD_LINEAR; /* whose rate is another */
    if (!m.steps) m.steps = of_imported[which].steps;
    if (m.lr == 0.0f && !linear) m.lr = of_imported[which].lr;
    if (m.lr_full == 0.0f) m.lr_full = of_imported[which].lr_full;
    if (m.lr_atoms == 0.0f) m.lr_atoms = of_imported[which].lr_atoms;
    if (m.lr_norm == 0.0f) m.lr_norm = of_imported[which].lr_norm;
    return m;
}

adatom_status ad_settings_resolve(adatom_context *ctx, const adatom_method *given, const adatom_model *model,
                                  ad_settings *s) {
    *s = (ad_settings){0};
    adatom_status status = check_choices(ctx, given);
    if (status != ADATOM_OK) return status;
    const adatom_method filled = with_defaults(given, model), *m = &filled;
    const adatom_adapt_kind which = m->adapt ? m->adapt : ADATOM_ADAPT_ATOMS;
    s->kind = which;
    snprintf(s->name, sizeof s->name, "%s", adatom_adapt_kind_name(which));
    s->adapt = methods[which].adapt;
    s->layers = (ad_layer_choice){.names = m->layers, .last = m->last};
    s->head = methods[which].head;
    s->head_init = methods[which].head_init;
    const bool trains = methods[which].steps > 0;

    if (m->head && trains) s->head = m->head == ADATOM_HEAD_COSINE ? AD_HEAD_COSINE : AD_HEAD_LINEAR;
    if (m->head_init && trains)
        s->head_init = m->head_init == ADATOM_HEAD_INIT_ZERO     ? AD_HEAD_ZERO
                       : m->head_init == ADATOM_HEAD_INIT_RANDOM ? AD_HEAD_HOST
                       : m->head_init == ADATOM_HEAD_INIT_MODEL  ? AD_HEAD_BASE
                                                                 : AD_HEAD_MEANS;
    if (s->head == AD_HEAD_COSINE && s->head_init == AD_HEAD_ZERO) {
        if (m->head_init)
            return ad_fail(ctx, ADATOM_USAGE, "a cosine head cannot start from zero: a zero vector has no direction");
        s->head_init = AD_HEAD_MEANS;
    }
    s->head_random = s->head_init == AD_HEAD_HOST;
    if (s->head == AD_HEAD_CENTROID && m->distance == ADATOM_DISTANCE_COSINE) s->head = AD_HEAD_CENTROID_COSINE;
    s->bn = m->bn == ADATOM_BN_FROZEN ? AD_BN_FROZEN : m->bn == ADATOM_BN_SUPPORT ? AD_BN_SUPPORT : AD_BN_TRANSDUCTIVE;
    s->path = conv_paths[m->conv];
    s->adam = m->optimizer != ADATOM_OPTIMIZER_SGD;

    const bool full = s->adapt & BIT(COEFFICIENTS);
    s->lr[AD_ROLE_HEAD] = ad_or_default(m->lr, s->adam && s->head == AD_HEAD_LINEAR ? 3e-4f : 0.01f);
    const float lr_full = ad_or_default(m->lr_full, s->adam ? 3e-4f : 0.01f);
    s->lr[AD_ROLE_ATOMS] = full && m->lr_atoms == 0.0f ? lr_full : ad_or_default(m->lr_atoms, s->adam ? 3e-3f : 0.01f);
    s->lr[AD_ROLE_NORM] = full && m->lr_norm == 0.0f ? lr_full : ad_or_default(m->lr_norm, s->adam ? 1e-3f : 0.01f);
    s->lr[AD_ROLE_COEFFICIENTS] = s->lr[AD_ROLE_ORDINARY] = lr_full;
    const ad_lowrank_kind lowrank = methods[which].lowrank;
    const int rank = m->rank ? m->rank : 4;
    s->lr_adapter = ad_or_default(m->lr_adapter, !s->adam ? 0.01f : lowrank == AD_LOWRANK_TSA ? 3e-4f : 3e-3f);
    s->lowrank = (ad_lowrank){.kind = lowrank,
                              .rank = rank,
                              .scale = (m->adapter_scale == 0.0f ? (float)rank : m->adapter_scale) / (float)rank};
    if (lowrank == AD_LOWRANK_TSA) s->lowrank = (ad_lowrank){.kind = lowrank, .scale = 1};
    s->solver = (ad_solver_settings){.solver = methods[which].solver,
                                     .inverse_penalty = m->inverse_penalty == 0.0f ? 1 : (double)m->inverse_penalty,
                                     .shrinkage = (double)m->shrinkage,
                                     .neighbours = m->neighbours ? m->neighbours : 5};
    if (s->solver.solver == AD_SOLVER_CENTRED && model && !model->base_mean)
        return ad_fail(
            ctx, ADATOM_USAGE,
            "'simpleshot' takes away the mean features of the pictures that a network was trained with; this "
            "model does not know them ('adatom pretrain' writes models that do)");
    const bool needs_atoms = which == ADATOM_ADAPT_ATOMS || which == ADATOM_ADAPT_ATOMS_NORM;
    if (needs_atoms && model && model->net.param_count > 0 && !ad_network_parameters(&model->net, AD_ROLE_ATOMS))
        return ad_fail(ctx, ADATOM_USAGE,
                       "'%s' adapts atoms, and this model has none: 'adatom decompose MODEL --mode residual --output "
                       "FILE' makes one that answers the same and has them",
                       s->name);
    if (s->solver.solver && s->bn != AD_BN_FROZEN)
        return ad_fail(ctx, ADATOM_USAGE,
                       "'%s' works on features that are computed once; statistics of batch norm must be frozen",
                       s->name);
    s->momentum = ad_or_default(m->momentum, 0.9f);
    s->dampening = ad_or_default(m->dampening, s->adam ? 0.999f : 0.0f);
    s->nesterov = m->nesterov;
    s->weight_decay = m->weight_decay;
    s->label_smoothing = m->label_smoothing;
    s->label_noise = m->label_noise;
    s->views = m->support_views;
    s->mirror = m->mirror;
    s->cosine_scale = m->cosine_scale == 0.0f ? 10.0f : m->cosine_scale;
    s->mean_scale = 1.0f;
    s->steps = m->steps ? m->steps : methods[which].steps;
    s->seed = m->seed;
    if (m->procedure) {
        if (which != ADATOM_ADAPT_HEAD)
            return ad_fail(ctx, ADATOM_USAGE, "the recipe closerlook-baseline adapts the head, not '%s'", s->name);
        closerlook_baseline(s);
    }
    if (!trains) s->steps = 0;
    status = check_ranges(ctx, m, s, trains);
    if (status != ADATOM_OK) return status;
    s->backbone = s->adapt != 0 || s->lowrank.kind != AD_LOWRANK_NONE || s->bn != AD_BN_FROZEN;
    return ADATOM_OK;
}

adatom_status ad_settings_check_head(adatom_context *ctx, const ad_settings *s, const ad_network *net, int way) {
    if (s->head_init != AD_HEAD_BASE || net->way == way) return ADATOM_OK;
    if (net->head < 0)
        return ad_fail(ctx, ADATOM_USAGE, "the model has no classifier to start from; take means, random or zero");
    return ad_fail(ctx, ADATOM_USAGE, "the model's classifier, from which to start, has %d classes; there are %d",
                   (int)net->way, way);
}

json_t *ad_seed_json(uint64_t seed) {
    char digits[24];
    if (seed <= INT64_MAX) return json_integer((json_int_t)seed);
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)seed);
    return json_string(digits);
}

/* What happens to the pictures. */
static void experiment_json(const ad_settings *s, json_t *o, bool *bad) {
    if (s->label_noise > 0) ad_json_set(o, "label_noise", json_real((double)s->label_noise), bad);
    if (s->views) ad_json_set(o, "support_views", json_integer(s->views), bad);
    if (s->mirror) ad_json_set(o, "mirror", json_true(), bad);
}

/* Of a method that is solved on the host. */
static json_t *solver_json(const ad_settings *s) {
    json_t *o = json_pack("{s:s, s:o}", "adapt", s->name, "seed", ad_seed_json(s->seed));
    bool bad = !o;
    if (bad) return NULL;
    experiment_json(s, o, &bad);
    if (s->solver.solver == AD_SOLVER_LOGISTIC)
        ad_json_set(o, "inverse_penalty", json_real(s->solver.inverse_penalty), &bad);
    if (s->solver.solver == AD_SOLVER_DISCRIMINANT)
        ad_json_set(o, "shrinkage",
                    s->solver.shrinkage > 0 ? json_real(s->solver.shrinkage) : json_string("ledoit-wolf"), &bad);
    if (s->solver.solver == AD_SOLVER_NEIGHBOURS)
        ad_json_set(o, "neighbours", json_integer(s->solver.neighbours), &bad);
    if (s->solver.solver == AD_SOLVER_RECTIFIED) ad_json_set(o, "transductive", json_true(), &bad);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

json_t *ad_settings_json(const ad_settings *s) {
    if (s->solver.solver) return solver_json(s);
    static const char *const heads[] = {"none", "linear", "cosine", "centroid", "centroid-cosine"};
    static const char *const inits[] = {"zero", "random", "means", "base"}, *const norms[] = {"frozen", "support",
                                                                                              "transductive", "train"};
    static const char *const paths[] = {"auto", "coefficients-first", "atoms-first", "composed"};
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "adapt", s->name, "head", heads[s->head], "head_init",
                          inits[s->head_init], "bn", norms[s->bn], "conv", paths[s->path], "steps", s->steps, "seed",
                          ad_seed_json(s->seed));
    bool bad = !o;
    experiment_json(s, o, &bad);
    if (!bad && s->steps == 0) return o;
    ad_json_set(o, "optimizer", json_string(s->adam ? "adam" : "sgd"), &bad);
    ad_json_set(o, s->adam ? "beta1" : "momentum", json_real((double)s->momentum), &bad);
    ad_json_set(o, s->adam ? "beta2" : "dampening", json_real((double)s->dampening), &bad);
    if (!s->adam) ad_json_set(o, "nesterov", json_boolean(s->nesterov), &bad);
    ad_json_set(o, "weight_decay", json_real((double)s->weight_decay), &bad);
    ad_json_set(o, "label_smoothing", json_real((double)s->label_smoothing), &bad);
    ad_json_set(o, "cosine_scale", json_real((double)s->cosine_scale), &bad);
    static const char *const rates[] = {"lr_atoms", "lr", "lr_norm", "lr_coefficients", "lr_ordinary"};
    for (int r = 0; r < AD_ROLE_STATISTICS; r++)
        if (r == AD_ROLE_HEAD || (s->adapt >> r & 1)) ad_json_set(o, rates[r], json_real((double)s->lr[r]), &bad);
    if (s->lowrank.kind != AD_LOWRANK_NONE) {
        ad_json_set(o, "lr_adapter", json_real((double)s->lr_adapter), &bad);
    }
    if (s->lowrank.rank > 0 && s->lowrank.kind != AD_LOWRANK_NONE) {
        ad_json_set(o, "rank", json_integer(s->lowrank.rank), &bad);
        ad_json_set(o, "adapter_scale", json_real((double)(s->lowrank.scale * (float)s->lowrank.rank)), &bad);
    }
    if (s->adapt || s->lowrank.kind != AD_LOWRANK_NONE) {
        if (s->layers.names) ad_json_set(o, "layers", json_string(s->layers.names), &bad);
        if (s->layers.last) ad_json_set(o, "last", json_integer(s->layers.last), &bad);
    }
    if (s->batch) {
        ad_json_set(o, "batch", json_integer(s->batch), &bad);
        ad_json_set(o, "epochs", json_integer(s->epochs), &bad);
    }
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

adatom_status adatom_method_text(adatom_context *ctx, const adatom_method *method, const adatom_model *model, char *out,
                                 size_t capacity) {
    adatom_method given;
    ad_settings settings;
    adatom_status status = AD_PARAMS(ctx, adatom_method, method, &given);
    if (status == ADATOM_OK) status = ad_settings_resolve(ctx, &given, model, &settings);
    if (status != ADATOM_OK) return status;
    json_t *config = ad_settings_json(&settings);
    char *text = config ? ad_json_dump(config, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(config);
    if (!text) return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory");
    const size_t size = strlen(text) + 1;
    if (size <= capacity) memcpy(out, text, size);
    free(text); /* jansson's */
    if (size > capacity)
        return ad_fail(ctx, ADATOM_USAGE, "the method's text takes %zu bytes; there is room for %zu", size, capacity);
    return ADATOM_OK;
}

adatom_status ad_settings_layers(adatom_context *ctx, const ad_settings *s, const ad_network *net, bool **out) {
    const ad_adapting what = {.method = s->name, .roles = s->adapt, .lowrank = s->lowrank};
    *out = NULL;
    if (!s->layers.names && !s->layers.last) return ADATOM_OK;
    bool *chosen = ad_calloc(ctx, (size_t)net->node_count, sizeof *chosen);
    if (!chosen) return ADATOM_OUT_OF_MEMORY;
    const adatom_status status = ad_layers_choose(ctx, net, &s->layers, &what, chosen);
    if (status == ADATOM_OK)
        *out = chosen;
    else
        ad_free(chosen);
    return status;
}

void ad_settings_apply(const ad_settings *s, ad_build_params *build) {
    build->adapt = s->adapt;
    build->lowrank = s->lowrank;
    build->lowrank_decay = s->weight_decay;
    build->head = s->head;
    build->head_init = s->head_init;
    build->cosine_scale = s->cosine_scale;
    build->mean_scale = s->mean_scale;
    build->bn = s->bn;
    build->path = s->path;
    build->optimiser =
        (ad_optimiser){.adam = s->adam, .nesterov = s->nesterov, .momentum = s->momentum, .dampening = s->dampening};
    for (int r = 0; r < AD_ROLE_COUNT; r++)
        build->optimiser.weight_decay[r] = r == AD_ROLE_NORM ? 0.0f : s->weight_decay;
    build->label_smoothing = s->label_smoothing;
    build->steps = s->steps;
    build->mirror = s->mirror;
}

void ad_settings_schedule(const ad_settings *s, int steps, float *rows) {
    for (int t = 0; t < steps; t++) {
        float *row = rows + AD_SCHEDULE_COLUMNS * (size_t)t;
        for (int r = 0; r < AD_ROLE_STATISTICS; r++) row[ad_rate_of((ad_role)r)] = s->lr[r];
        row[AD_RATE_LOWRANK] = s->lr_adapter;
        row[AD_SCHEDULE_FIRST] = (float)(1.0 - pow((double)s->momentum, t + 1.0));
        row[AD_SCHEDULE_SECOND] = (float)(1.0 - pow((double)s->dampening, t + 1.0));
    }
}

/* All 64 bits in the 32 of the operation; seeds that have no more stay as they are. */
static int32_t fold_seed(uint64_t seed) {
    const uint32_t low = (uint32_t)seed, high = (uint32_t)(seed >> 32);
    uint32_t mixed[4] = {0};
    if (high) ad_philox((const uint32_t[4]){high, 0, 0, AD_STREAM_AUGMENT}, (const uint32_t[2]){low, high}, mixed);
    return (int32_t)(low ^ mixed[0]);
}

adatom_status ad_augment_check(adatom_context *ctx, uint32_t augment) {
    const uint32_t both = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_CROP;
    if (augment >= 2 * ADATOM_AUGMENT_JITTER)
        return ad_fail(ctx, ADATOM_USAGE, "the flags of augmentation are %#x; not all of them are known",
                       (unsigned)augment);
    if ((augment & both) == both)
        return ad_fail(ctx, ADATOM_USAGE, "the augmentations shift and crop exclude each other");
    return ADATOM_OK;
}

void ad_views_apply(uint64_t seed, const adatom_model *model, ad_build_params *build) {
    ad_augment_apply(AD_VIEWS_AUGMENT, AD_MAX(model->net.image_size / 10, 1), seed, model->mean, build);
    build->drawn = true;
}

void ad_augment_apply(uint32_t augment, int shift, uint64_t seed, const float mean[3], ad_build_params *b) {
    if (augment & ADATOM_AUGMENT_SHIFT) {
        b->augment_mode = 1;
        b->augment_pad = shift;
    }
    if (augment & ADATOM_AUGMENT_CROP) {
        b->augment_mode = 2;
        b->augment[0] = 0.35f;
        b->augment[1] = 1.0f;
        b->augment[2] = 0.75f;
        b->augment[3] = 4.0f / 3.0f;
    }
    if (augment & ADATOM_AUGMENT_FLIP) b->augment_flags |= AD_FLIP;
    if (augment & ADATOM_AUGMENT_JITTER) {
        b->augment[4] = 0.4f;
        b->augment[5] = 0.4f;
        b->augment[6] = 0.4f;
    }
    b->augment[7] = (mean[0] + mean[1] + mean[2]) / 3; /* the grey that contrast turns about */
    b->augment_seed = fold_seed(seed);
}

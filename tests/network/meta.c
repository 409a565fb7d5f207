/* Meta-training: meta gradient|DEVICE. The plan's outer gradient (double reference, operation by operation) against
 * central differences of the first-order objective, which are the queries' losses with what the steps led to; and the
 * engines' outer steps against the reference, the same bytes however the tasks are divided over runs. */
#include "compile/build.h"
#include "device/device.h"
#include "tests/choices.h"
#include "tests/support/interpreter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM, ALL = (1 << AD_ROLE_STATISTICS) - 1 };
enum { PICTURES = 40, WAY = 3, SHOT = 2, QUERY = 3, SUPPORTS = WAY * SHOT, QUERIES = WAY * QUERY };
enum { TASKS = 4, INNER = 3, OUTER = 2, SIZE = 16 };

typedef struct setting {
    const char *arch, *sharing;
    int width, group;
    ad_outer_kind kind;
    unsigned adapt;
    ad_head_kind head;
    ad_head_init init;
    ad_bn_mode bn;
    bool adam, cosine, deep; /* deep: few numbers are tried, near so many kinks that they are less exact */
} setting;

static const setting settings[] = {
    {"conv4", "net", 8, 0, AD_OUTER_PROTOTYPES, .bn = AD_BN_TRAIN},
    {"conv4", "net", 8, 0, AD_OUTER_PROTOTYPES, .bn = AD_BN_FROZEN, .cosine = true, .adam = true},
    {"resnet12", "stage", 4, 0, AD_OUTER_PROTOTYPES, .bn = AD_BN_TRAIN, .cosine = true, .deep = true},
    {"conv4", "group-net", 8, 4, AD_OUTER_PROTOTYPES, .bn = AD_BN_FROZEN},
    {"conv4", "net", 8, 0, AD_OUTER_QUERY, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, .bn = AD_BN_FROZEN},
    {"conv4", "net", 64, 0, AD_OUTER_QUERY, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS,
     .bn = AD_BN_FROZEN}, /* folded norms */
    {"conv4", "net", 8, 0, AD_OUTER_QUERY, ATOMS, AD_HEAD_LINEAR, AD_HEAD_BASE, .bn = AD_BN_TRAIN, .adam = true},
    {"conv4", "layer", 8, 0, AD_OUTER_QUERY, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_BASE, .bn = AD_BN_FROZEN},
    {"conv4", "net", 8, 0, AD_OUTER_QUERY, ALL, AD_HEAD_LINEAR, AD_HEAD_MEANS, .bn = AD_BN_TRAIN},
    {"conv4", "net", 8, 0, AD_OUTER_QUERY, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, .bn = AD_BN_FROZEN},
    {"conv4", "net", 8, 0, AD_OUTER_QUERY, 0, AD_HEAD_LINEAR, AD_HEAD_BASE, .bn = AD_BN_TRAIN, .adam = true},
    {"resnet10", "net", 4, 0, AD_OUTER_QUERY, NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, .bn = AD_BN_FROZEN, .deep = true},
    {"conv4", "net", 8, 0, AD_OUTER_DIFFERENCE, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, .bn = AD_BN_FROZEN},
    {"conv4", "net", 8, 0, AD_OUTER_DIFFERENCE, ATOMS | NORM, AD_HEAD_LINEAR, AD_HEAD_BASE, .bn = AD_BN_TRAIN,
     .adam = true},
    {"conv4", "none", 8, 0, AD_OUTER_DIFFERENCE, ALL, AD_HEAD_LINEAR, AD_HEAD_BASE, .bn = AD_BN_FROZEN},
};

static adatom_context *ctx;
static int failures;

static void must(adatom_status status, const char *what) {
    if (status == ADATOM_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, adatom_status_name(status), adatom_context_message(ctx));
    exit(1);
}

static bool prototypes(const setting *s) { return s->kind == AD_OUTER_PROTOTYPES; }

/* What a task has, and everything that all of them read. */
typedef struct inputs {
    adatom_model *model;
    uint8_t pixels[PICTURES * SIZE * SIZE * 3];
    int32_t support[OUTER * TASKS][SUPPORTS + QUERIES], query[OUTER * TASKS][QUERIES];
    int32_t draws[OUTER * TASKS][SUPPORTS + QUERIES]; /* of the support pictures, then of the queries */
    float inner[INNER * AD_SCHEDULE_COLUMNS], outer[OUTER * AD_SCHEDULE_COLUMNS], norm[8];
} inputs;

static void fill_schedule(float *rows, int steps, float rate) {
    for (int t = 0; t < steps; t++) {
        float *row = &rows[AD_SCHEDULE_COLUMNS * t];
        for (int column = 0; column < AD_RATE_COUNT; column++) row[column] = rate;
        row[AD_SCHEDULE_FIRST] = 1 - powf(0.9f, (float)t + 1);
        row[AD_SCHEDULE_SECOND] = 1 - powf(0.99f, (float)t + 1);
    }
}

static inputs *make_inputs(const setting *s) {
    inputs *in = calloc(1, sizeof *in);
    const adatom_model_params params = {.size = sizeof(adatom_model_params),
                                        .arch = s->arch,
                                        .sharing = sharing_of(s->sharing),
                                        .atoms = 3,
                                        .image_size = SIZE,
                                        .width = s->width,
                                        .group = s->group,
                                        .classes = s->init == AD_HEAD_BASE ? WAY : 0,
                                        .seed = 5};
    must(adatom_model_create(ctx, &params, &in->model), s->arch);
    ad_random random = ad_random_make(7, AD_STREAM_CHECK, 0);
    const ad_network *net = &in->model->net;
    for (int i = 0; i < net->param_count; i++) { /* norms that do something, and a head that does */
        const ad_param *p = &net->params[i];
        for (size_t e = 0; e < p->count; e++)
            if (p->role == AD_ROLE_NORM || p->role == AD_ROLE_STATISTICS)
                in->model->values[p->offset + e] += 0.3f * ad_random_uniform(&random);
            else if (p->role == AD_ROLE_HEAD)
                in->model->values[p->offset + e] = 0.3f * ad_random_normal(&random);
    }
    for (size_t i = 0; i < sizeof in->pixels; i++) in->pixels[i] = (uint8_t)ad_random_below(&random, 256);
    for (int t = 0; t < OUTER * TASKS; t++) {
        for (int i = 0; i < SUPPORTS + QUERIES; i++) in->support[t][i] = (int32_t)ad_random_below(&random, PICTURES);
        for (int i = 0; i < QUERIES; i++) in->query[t][i] = (int32_t)ad_random_below(&random, PICTURES);
        for (int i = 0; i < SUPPORTS + QUERIES; i++) in->draws[t][i] = 100 * t + i;
    }
    fill_schedule(in->inner, INNER, 0.02f);
    fill_schedule(in->outer, OUTER, s->adam ? 0.003f : 0.02f);
    for (int c = 0; c < 3; c++) {
        in->norm[c] = 1 / in->model->std[c];
        in->norm[4 + c] = -in->model->mean[c] / in->model->std[c];
    }
    return in;
}

static void free_inputs(inputs **in) {
    adatom_model_destroy(&(*in)->model);
    free(*in);
    *in = NULL;
}

static ad_built make_plan(const setting *s, const inputs *in, int tasks, int lanes) {
    static const int32_t chunks[2] = {10, PICTURES - 10};
    const bool inner = !prototypes(s);
    const ad_optimiser sgd = {.adam = false};
    const ad_build_params p = {
        .net = &in->model->net,
        .tasks = tasks,
        .lanes = AD_MIN(lanes, tasks),
        .through = true,
        .way = WAY,
        .adapt = s->adapt,
        .support = inner ? SUPPORTS : SUPPORTS + QUERIES,
        .query = inner ? QUERIES : 0,
        .query_rounds = 1,
        .steps = inner ? INNER : 0,
        .head = s->head,
        .head_init = s->init,
        .cosine_scale = 5,
        .mean_scale = 0.1f,
        .bn = s->bn,
        .optimiser = sgd,
        .outer = {.kind = s->kind,
                  .tasks = TASKS,
                  .steps = OUTER,
                  .optimiser = {.adam = s->adam, .momentum = 0.9f, .dampening = s->adam ? 0.99f : 0.0f},
                  .cosine = s->cosine},
        .drawn = true,
        .data_size = SIZE,
        .chunks = chunks,
        .chunk_count = 2,
        .augment_mode = 1,
        .augment_pad = 2,
        .augment_flags = AD_FLIP,
        .augment_seed = 9};
    ad_built built;
    must(ad_build(ctx, &p, &built), "ad_build");
    return built;
}

/* Labels of the outer pass and, with prototypes, of the class means. */
static int outer_label(const setting *s, int i) {
    if (!prototypes(s)) return i / QUERY;
    return i < SUPPORTS ? -1 : (i - SUPPORTS) / QUERY;
}
static int support_label(int i) { return i < SUPPORTS ? i / SHOT : -1; }
static int support_count(const setting *s) { return prototypes(s) ? SUPPORTS + QUERIES : SUPPORTS; }
static int outer_count(const setting *s) { return prototypes(s) ? SUPPORTS + QUERIES : QUERIES; }

/* ---- the reference ---- */

static interpreter *begin_reference(const ad_built *b, const inputs *in) {
    interpreter *run = interpreter_create(b->plan);
    for (size_t i = 0; i < in->model->net.role_begin[AD_ROLE_COUNT]; i++)
        run->arenas[0][i] = (double)in->model->values[i];
    size_t at = 0;
    for (int a = 1; a <= 2; a++)
        for (size_t i = 0; i < b->plan->arenas[a].bytes; i++) run->arenas[a][i] = in->pixels[at++];
    for (int i = 0; i < INNER * AD_SCHEDULE_COLUMNS && b->schedule >= 0; i++)
        interpreter_tensor(run, b->schedule)[i] = (double)in->inner[i];
    for (int i = 0; i < OUTER * AD_SCHEDULE_COLUMNS; i++)
        interpreter_tensor(run, b->outer_schedule)[i] = (double)in->outer[i];
    for (int i = 0; i < 8; i++) interpreter_tensor(run, b->norm)[i] = (double)in->norm[i];
    if (b->scale >= 0) interpreter_tensor(run, b->scale)[0] = 5;
    return run;
}

/* The tasks of an outer step, up to the sum. */
static void reference_tasks(interpreter *run, const setting *s, const ad_built *b, const inputs *in, int step) {
    for (int t = 0; t < TASKS; t++) {
        const int from = step * TASKS + t, n = support_count(s), outer = outer_count(s);
        for (int i = 0; i < n; i++) {
            interpreter_tensor(run, b->support_index)[t * n + i] = in->support[from][i];
            interpreter_tensor(run, b->support_labels)[t * n + i] = support_label(i);
        }
        for (int i = 0; i < QUERIES && b->query_index >= 0; i++)
            interpreter_tensor(run, b->query_index)[t * QUERIES + i] = in->query[from][i];
        for (int i = 0; i < outer; i++) interpreter_tensor(run, b->outer_labels)[t * outer + i] = outer_label(s, i);
        for (int i = 0; i < n; i++) interpreter_tensor(run, b->support_draw)[t * n + i] = in->draws[from][i];
        for (int i = 0; i < QUERIES && b->query_draw >= 0; i++)
            interpreter_tensor(run, b->query_draw)[t * QUERIES + i] = in->draws[from][SUPPORTS + i];
    }
    if (b->counter >= 0) interpreter_tensor(run, b->counter)[0] = 0;
    interpreter_run(run, AD_SEGMENT_INIT);
    interpreter_run(run, AD_SEGMENT_PREFIX);
    for (int k = 0; k < INNER; k++) interpreter_run(run, AD_SEGMENT_STEP);
    interpreter_run(run, AD_SEGMENT_OUTER);
    interpreter_run(run, AD_SEGMENT_SUM);
}

/* The mean over tasks of the queries' losses where everything stands now. */
static double loss_of(interpreter *run, const ad_built *b) {
    double loss = 0;
    interpreter_run(run, AD_SEGMENT_OUTER);
    for (int t = 0; t < TASKS; t++) loss += interpreter_tensor(run, b->outer_loss)[t] / TASKS;
    return loss;
}

/* ---- the gradient ---- */

/* A number of the outer gradient: the places of what it is the derivative by, one, or one a task. */
typedef struct place {
    double *first;
    size_t stride;
    int count;
} place;

static place place_of(interpreter *run, const ad_built *b, const ad_network *net, size_t e, const ad_param **param) {
    *param = NULL;
    if (e == b->scale_offset && b->scale >= 0) return (place){interpreter_tensor(run, b->scale), 0, 1};
    for (int i = 0; i < net->param_count; i++) {
        const ad_param *p = &net->params[i];
        if (e < p->offset || e >= p->offset + p->count) continue;
        *param = p;
        const bool head = p->role == AD_ROLE_HEAD;
        const int view = !head ? -1 : p->kind == AD_PARAM_HEAD ? b->head : b->head_bias;
        if (head && view < 0) return (place){0};
        if (head) return (place){interpreter_tensor(run, view) + (e - p->offset), b->plan->tensors[view].stride, TASKS};
        if (b->at[i] != AD_NOT_ADAPTED)
            return (place){interpreter_tensor(run, b->adapted) + b->at[i] + (e - p->offset),
                           b->plan->tensors[b->adapted].stride, TASKS};
        return (place){run->arenas[0] + e, 0, 1};
    }
    return (place){0};
}

static double difference(interpreter *run, const ad_built *b, place p) {
    const double h = 1e-6;
    double sides[2], before[TASKS];
    for (int side = 0; side < 2; side++) {
        for (int t = 0; t < p.count; t++) {
            double *at = p.first + (size_t)t * p.stride;
            if (!side) before[t] = *at;
            *at = before[t] + (side ? h : -h);
        }
        sides[side] = loss_of(run, b);
    }
    for (int t = 0; t < p.count; t++) p.first[(size_t)t * p.stride] = before[t];
    return (sides[1] - sides[0]) / (2 * h);
}

/* Whether how far the steps went stands in place of the number's gradient. */
static bool by_difference(const setting *s, const ad_built *b, const ad_network *net, const ad_param *p) {
    if (s->kind != AD_OUTER_DIFFERENCE || !p || p->role == AD_ROLE_STATISTICS) return false;
    return p->role == AD_ROLE_HEAD || b->at[p - net->params] != AD_NOT_ADAPTED;
}

static void check_gradient(const setting *s, int number) {
    inputs *in = make_inputs(s);
    ad_built b = make_plan(s, in, TASKS, 0);
    const ad_network *net = &in->model->net;
    interpreter *run = begin_reference(&b, in);
    reference_tasks(run, s, &b, in, 0);
    const size_t bytes = b.outer_count * sizeof(double);
    double *kept = malloc(bytes);
    memcpy(kept, interpreter_tensor(run, b.outer_sum), bytes);
    ad_random random = ad_random_make(11, AD_STREAM_CHECK, (uint32_t)number);
    const int numbers = s->deep || s->width > 8 ? 8 : 40; /* those of wide networks take long */
    const double close = s->deep ? 1e-3 : 1e-5;
    int compared = 0, wrong = 0;
    for (int k = 0; k < numbers; k++) {
        const size_t scale = b.scale >= 0 ? b.scale_offset : 0;
        size_t e = k == 0 ? scale : ad_random_below(&random, (uint32_t)net->role_begin[AD_ROLE_STATISTICS]);
        for (size_t seen = 0; kept[e] == 0 && seen < b.outer_count; seen++) e = (e + 1) % b.outer_count;
        const ad_param *param;
        const place p = place_of(run, &b, net, e, &param);
        if (!p.count || (param && param->role == AD_ROLE_STATISTICS)) continue;
        double want = 0;
        if (by_difference(s, &b, net, param))
            for (int t = 0; t < TASKS; t++) want += (run->arenas[0][e] - p.first[(size_t)t * p.stride]) / TASKS;
        else
            want = difference(run, &b, p);
        compared++;
        if (fabs(want - kept[e]) <= close * (1e-2 + fabs(want))) continue;
        fprintf(stderr,
                "setting %d (%s %s kind %d adapt %x): the outer gradient of '%s' [%zu] is %.9g, the plan says %.9g\n",
                number, s->arch, s->sharing, s->kind, s->adapt, param ? param->name : "scale", e, want, kept[e]);
        wrong++;
    }
    if (3 * compared < 2 * numbers) fprintf(stderr, "setting %d: only %d numbers compared\n", number, compared);
    failures += wrong > 0 || 3 * compared < 2 * numbers;
    free(kept);
    interpreter_destroy(&run);
    ad_built_clear(&b);
    free_inputs(&in);
}

/* ---- the engines ---- */

/* What all tasks have in common after the outer steps: parameters, moments, scale. */
typedef struct outcome {
    float *parameters, *moments;
    float scale, loss[OUTER * TASKS];
} outcome;

static void run_group(ad_engine *e, ad_program *program, const setting *s, const ad_built *b, const inputs *in,
                      int first, int tasks, bool last, bool apart, float *loss) {
    const ad_engine_api *api = e->api;
    const int n = support_count(s), outer = outer_count(s);
    const int32_t zero = 0;
    int32_t support[TASKS * (SUPPORTS + QUERIES)], labels[TASKS * (SUPPORTS + QUERIES)], query[TASKS * QUERIES],
        asked[TASKS * (SUPPORTS + QUERIES)], drawn[TASKS * (SUPPORTS + QUERIES)], asked_draw[TASKS * QUERIES];
    for (int t = 0; t < tasks; t++) {
        for (int i = 0; i < n; i++) {
            support[t * n + i] = in->support[first + t][i];
            labels[t * n + i] = support_label(i);
            drawn[t * n + i] = in->draws[first + t][i];
        }
        for (int i = 0; i < QUERIES; i++) {
            query[t * QUERIES + i] = in->query[first + t][i];
            asked_draw[t * QUERIES + i] = in->draws[first + t][SUPPORTS + i];
        }
        for (int i = 0; i < outer; i++) asked[t * outer + i] = outer_label(s, i);
    }
    must(api->program_write(program, b->support_index, 0, support, (size_t)(tasks * n) * 4), "write");
    must(api->program_write(program, b->support_labels, 0, labels, (size_t)(tasks * n) * 4), "write");
    if (b->query_index >= 0)
        must(api->program_write(program, b->query_index, 0, query, (size_t)(tasks * QUERIES) * 4), "write");
    must(api->program_write(program, b->outer_labels, 0, asked, (size_t)(tasks * outer) * 4), "write");
    must(api->program_write(program, b->support_draw, 0, drawn, (size_t)(tasks * n) * 4), "write");
    if (b->query_draw >= 0)
        must(api->program_write(program, b->query_draw, 0, asked_draw, (size_t)(tasks * QUERIES) * 4), "write");
    if (b->counter >= 0) must(api->program_write(program, b->counter, 0, &zero, 4), "write");
    const ad_run runs[] = {{AD_SEGMENT_INIT, 1},  {AD_SEGMENT_PREFIX, 1}, {AD_SEGMENT_STEP, INNER},
                           {AD_SEGMENT_OUTER, 1}, {AD_SEGMENT_SUM, 1},    {AD_SEGMENT_UPDATE, last}};
    if (apart) { /* but for what a task stays in its lane for */
        must(api->program_run(program, runs, 1), "init");
        must(api->program_run(program, runs + 1, 3), "tasks");
        must(api->program_run(program, runs + 4, 1), "sum");
        must(api->program_run(program, runs + 5, 1), "update");
    } else {
        must(api->program_run(program, runs, AD_COUNT(runs)), "run");
    }
    must(api->program_read(program, b->outer_loss, 0, loss, (size_t)tasks * 4), "read");
}

static outcome run_engine(ad_engine *e, const setting *s, const inputs *in, int tasks, int lanes, bool apart) {
    const ad_engine_api *api = e->api;
    ad_built b = make_plan(s, in, tasks, lanes);
    ad_buffer *external[3] = {0};
    const size_t bytes[3] = {b.plan->arenas[0].bytes, b.plan->arenas[1].bytes, b.plan->arenas[2].bytes};
    const void *data[3] = {in->model->values, in->pixels, in->pixels + 10 * 3 * SIZE * SIZE};
    for (int a = 0; a < 3; a++) {
        must(api->buffer_create(e, bytes[a], &external[a]), "buffer");
        must(api->buffer_write(e, external[a], 0, data[a], bytes[a]), "buffer");
    }
    outcome out = {.parameters = malloc(bytes[0]), .moments = calloc(b.outer_count, 4)};
    const int32_t zero = 0;
    const float scale = 5;
    ad_program *program = NULL;
    must(api->program_create(e, b.plan, external, &program), "program");
    if (b.schedule >= 0) must(api->program_write(program, b.schedule, 0, in->inner, sizeof in->inner), "write");
    must(api->program_write(program, b.outer_schedule, 0, in->outer, sizeof in->outer), "write");
    must(api->program_write(program, b.norm, 0, in->norm, sizeof in->norm), "write");
    must(api->program_write(program, b.outer_counter, 0, &zero, 4), "write");
    if (b.scale >= 0) must(api->program_write(program, b.scale, 0, &scale, 4), "write");
    const int blocks[] = {b.outer_sum, b.outer_velocity, b.outer_second};
    for (int i = 0; i < 3; i++)
        if (blocks[i] >= 0) must(api->program_write(program, blocks[i], 0, out.moments, b.outer_count * 4), "write");
    for (int step = 0; step < OUTER; step++)
        for (int at = 0; at < TASKS; at += tasks)
            run_group(e, program, s, &b, in, step * TASKS + at, tasks, at + tasks == TASKS, apart,
                      out.loss + step * TASKS + at);
    must(api->buffer_read(e, external[0], 0, out.parameters, bytes[0]), "read");
    must(api->program_read(program, b.outer_velocity, 0, out.moments, b.outer_count * 4), "read");
    if (b.scale >= 0) must(api->program_read(program, b.scale, 0, &out.scale, 4), "read");
    api->program_destroy(&program);
    for (int a = 0; a < 3; a++) api->buffer_destroy(e, &external[a]);
    ad_built_clear(&b);
    return out;
}

static void free_outcome(outcome *o) {
    free(o->parameters);
    free(o->moments);
}

/* Whether the outer steps went where the reference's went. */
static void compare(const ad_engine *e, const setting *s, int number, const inputs *in, const outcome *got) {
    ad_built b = make_plan(s, in, TASKS, 0);
    const ad_network *net = &in->model->net;
    interpreter *run = begin_reference(&b, in);
    for (int step = 0; step < OUTER; step++) {
        reference_tasks(run, s, &b, in, step);
        interpreter_run(run, AD_SEGMENT_UPDATE);
    }
    double off = 0, way = 0, still = 0;
    for (int i = 0; i < net->param_count; i++)
        for (size_t k = 0; k < net->params[i].count; k++) {
            const size_t at = net->params[i].offset + k;
            const double want = run->arenas[0][at], began = (double)in->model->values[at];
            off += ((double)got->parameters[at] - want) * ((double)got->parameters[at] - want);
            way += (want - began) * (want - began);
            const bool fixed = (net->params[i].role == AD_ROLE_STATISTICS && s->bn == AD_BN_FROZEN) ||
                               (net->params[i].role == AD_ROLE_HEAD && s->init != AD_HEAD_BASE);
            if (fixed) still = fmax(still, fabs((double)got->parameters[at] - began));
        }
    const double scale = b.scale >= 0 ? fabs((double)got->scale - interpreter_tensor(run, b.scale)[0]) : 0;
    /* Adam makes whole steps of gradients that are nearly zero. */
    const double most = s->adam ? 0.1 : 0.02;
    if (!(sqrt(off / way) < most) || way == 0 || still != 0 || !(scale < 1e-3)) {
        fprintf(stderr,
                "%s, setting %d (%s kind %d adapt %x): off by %g of the way %g, scale by %g; %g where nothing moves\n",
                e->api->name, number, s->arch, s->kind, s->adapt, sqrt(off / way), sqrt(way), scale, still);
        failures++;
    }
    interpreter_destroy(&run);
    ad_built_clear(&b);
}

static void check_engine(ad_engine *e, const setting *s, int number) {
    static const struct {
        int tasks, lanes;
        bool apart;
    } others[] = {{4, 2, true}, {4, 1, false}, {2, 2, false}, {1, 1, false}, {1, 1, true}};
    ad_limits limits;
    e->api->limits(e, &limits);
    inputs *in = make_inputs(s);
    outcome first = run_engine(e, s, in, TASKS, limits.lanes ? 2 : 0, false);
    compare(e, s, number, in, &first);
    for (size_t i = 0; i < AD_COUNT(others); i++) {
        outcome other = run_engine(e, s, in, others[i].tasks, limits.lanes ? others[i].lanes : 0, others[i].apart);
        const size_t bytes = in->model->net.role_begin[AD_ROLE_COUNT] * sizeof(float);
        if (memcmp(first.parameters, other.parameters, bytes) != 0 ||
            memcmp(first.moments, other.moments, bytes) != 0 || first.scale != other.scale ||
            memcmp(first.loss, other.loss, sizeof first.loss) != 0) {
            fprintf(stderr, "%s, setting %d (%s kind %d adapt %x): %d tasks at once%s give other bytes\n", e->api->name,
                    number, s->arch, s->kind, s->adapt, others[i].tasks,
                    others[i].apart ? ", segment by segment," : "");
            failures++;
        }
        free_outcome(&other);
    }
    free_outcome(&first);
    free_inputs(&in);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "gradient";
    const int count = (int)AD_COUNT(settings), first = argc > 2 ? atoi(argv[2]) : 0, end = argc > 2 ? first + 1 : count;
    if (first < 0 || end > count) return 2;
    must(adatom_context_create(NULL, &ctx), "context");
    if (strcmp(what, "gradient") == 0) {
        for (int i = first; i < end; i++) check_gradient(&settings[i], i);
    } else {
        adatom_device *device = NULL;
        const adatom_device_params params = {.size = sizeof(adatom_device_params), .select = what, .threads = 2};
        const adatom_status status = adatom_device_open(ctx, &params, &device);
        if (status == ADATOM_NO_DEVICE && !getenv("CI")) return 77;
        must(status, what);
        for (int i = first; i < end; i++) check_engine(device->engine, &settings[i], i);
        adatom_device_destroy(&device);
    }
    adatom_context_destroy(&ctx);
    printf("%s: %d settings of meta-training, %d failures\n", what, end - first, failures);
    return failures != 0;
}

/* Whole networks: the plan's gradient (double reference, operation by operation) against central differences of its
 * loss, and the engines' results after a few steps against the reference's. */
#include "device/device.h"
#include "tests/choices.h"
#include "network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL = (1 << AD_ROLE_STATISTICS) - 1, ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM };

static const setting settings[] = {
    {"conv4", "net", 16, 8, 0, AD_HEAD_LINEAR, AD_HEAD_ZERO, AD_BN_FROZEN, .path = AD_PATH_AUTO},
    {"conv4", "net", 16, 8, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO, .adam = true},
    {"conv4", "net", 16, 8, ATOMS, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO},
    {"conv4", "net", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN,
     .path = AD_PATH_AUTO}, /* folded norms */
    {"conv4", "net", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_COEFFICIENTS_FIRST,
     .adam = true},
    {"conv4", "layer", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_ATOMS_FIRST},
    {"conv4", "net", 16, 8, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_COMPOSED},
    {"conv4", "net", 16, 8, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_TRANSDUCTIVE, .path = AD_PATH_AUTO},
    {"conv4", "none", 16, 8, NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO},
    {"conv4", "net", 16, 8, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO, .adam = true},
    {"conv6", "stage", 16, 4, ALL, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO},
    {"resnet10", "net", 33, 4, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO},
    {"resnet10", "stage", 33, 4, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO},
    {"resnet12", "layer", 16, 4, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO},
    {"conv4", "net", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .fused = true}, /* folded norms */
    {"resnet10", "stage", 33, 4, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .fused = true},
    {"resnet10", "layer", 33, 4, NORM, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_ATOMS_FIRST},
    {"conv4", "net", 16, 64, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_LORA, 3, 0.5f}},
    {"conv4", "none", 16, 8, 0, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO, .adam = true,
     .lowrank = {AD_LOWRANK_DORA, 4, 2}},
    {"resnet10", "layer", 33, 4, NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_BORA, 2, 1}},
    {"conv4", "net", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN,
     .path = AD_PATH_COMPOSED}, /* folded norms */
    {"conv4", "layer", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true},
    {"resnet10", "layer", 33, 4, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .residual = true},
    {"resnet12", "stage", 16, 4, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true},
    {"conv4", "group-net", 16, 64, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .group = 16},
    {"conv4", "group-layer", 16, 12, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT,
     .path = AD_PATH_ATOMS_FIRST, .group = 4},
    {"conv4", "group-net", 16, 8, ALL, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_ATOMS_FIRST,
     .adam = true, .group = 4},
    {"resnet10", "group-stage", 33, 8, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_ATOMS_FIRST,
     .group = 4},
    {"resnet10", "group-stage", 33, 8, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .group = 8},
    {"resnet10", "group-stage", 33, 4, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .group = 4},
    {"conv4", "group-net", 16, 8, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true, .group = 4},
    {"conv4", "group-net", 16, 8, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_DORA, 3, 1}, .group = 4},
    /* Some layers only: what is below them is frozen, and so are coefficients that others share. */
    {"conv4", "net", 16, 8, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO, .last = 2},
    {"resnet10", "layer", 33, 4, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .residual = true, .layers = "layer4,layer7.conv,*9*"},
    {"conv4", "none", 16, 8, 0, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_DORA, 4, 2}, .layers = "layer2,layer4"},
    /* Adapters of 1x1 convolutions, and convolutions beside kernels: dense, depthwise and of groups. */
    {"resnet10", "layer", 33, 4, 0, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_TSA, 0, 1}},
    {"conv4", "none", 16, 8, NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO, .adam = true,
     .lowrank = {AD_LOWRANK_TSA, 0, 1}},
    {"convnext_atto", "none", 32, 0, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_TSA, 0, 1}, .last = 2, .draws = 8},
    {"convnext_atto", "none", 32, 0, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_LORA, 2, 1}, .last = 1, .draws = 8},
    /* Depthwise kernels, squeeze-and-excite and activations whose derivatives need their input; layer norms and factors
     * before sums; filters that see a part of the channels. */
    {"mobilenet_v3_small", "layer", 32, 0, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true},
    {"mobilenet_v3_small", "none", 32, 0, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO},
    {"convnext_atto", "layer", 32, 0, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true},
    {"convnext_atto", "none", 32, 0, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO},
    {"resnext50_32x4d", "layer", 32, 0, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN,
     .path = AD_PATH_AUTO},
};

adatom_context *ctx;
int failures;

void must(adatom_status status, const char *what) {
    if (status == ADATOM_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, adatom_status_name(status), adatom_context_message(ctx));
    exit(1);
}

inputs make_inputs(const setting *s, float rate) {
    inputs in = {0};
    const adatom_model_params params = {.size = sizeof(adatom_model_params),
                                        .arch = s->arch,
                                        .sharing = sharing_of(s->sharing),
                                        .atoms = 3,
                                        .image_size = s->size,
                                        .width = s->width,
                                        .residual = s->residual,
                                        .group = s->group,
                                        .seed = 5};
    must(adatom_model_create(ctx, &params, &in.model), s->arch);
    ad_random random = ad_random_make(7, AD_STREAM_CHECK, 0);
    for (int i = 0; i < in.model->net.param_count; i++) { /* norms that do something */
        const ad_param *p = &in.model->net.params[i];
        for (size_t e = 0; e < p->count; e++)
            if (p->role == AD_ROLE_NORM || p->role == AD_ROLE_STATISTICS)
                in.model->values[p->offset + e] += 0.3f * ad_random_uniform(&random);
    }
    size_t bytes = (size_t)PICTURES * (size_t)s->size * (size_t)s->size * 3;
    in.pixels = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) in.pixels[i] = (uint8_t)ad_random_below(&random, 256);
    for (int i = 0; i < TASKS * WAY * SHOT; i++) {
        in.support[i] = (int32_t)ad_random_below(&random, PICTURES);
        in.query[i] = (int32_t)ad_random_below(&random, PICTURES);
        in.labels[i] = i % (WAY * SHOT) / SHOT;
    }
    for (int t = 0; t < STEPS; t++) {
        float *row = &in.schedule[AD_SCHEDULE_COLUMNS * t];
        for (int column = 0; column < AD_RATE_COUNT; column++) row[column] = rate;
        row[AD_SCHEDULE_FIRST] = 1 - powf(0.9f, (float)t + 1);
        row[AD_SCHEDULE_SECOND] = 1 - powf(0.99f, (float)t + 1);
    }
    for (int c = 0; c < 3; c++) {
        in.norm[c] = 1 / in.model->std[c];
        in.norm[4 + c] = -in.model->mean[c] / in.model->std[c];
    }
    return in;
}

void free_inputs(inputs *in) {
    adatom_model_destroy(&in->model);
    free(in->pixels);
}

/* The nodes that adapt; NULL: all. */
static bool *choose_layers(const setting *s, const ad_network *net) {
    const ad_layer_choice choice = {s->layers, s->last};
    const ad_adapting what = {s->arch, s->adapt, s->lowrank};
    if (!s->layers && !s->last) return NULL;
    bool *chosen = malloc((size_t)net->node_count * sizeof *chosen);
    must(ad_layers_choose(ctx, net, &choice, &what, chosen), "layers");
    return chosen;
}

static ad_built make_plan_with(const setting *s, const inputs *in, bool half, int lanes, bool through) {
    static const int32_t chunks[2] = {10, PICTURES - 10};
    static const ad_conv_costs cheap = {1e-3f, 1e-3f};
    bool *layers = choose_layers(s, &in->model->net);
    const ad_build_params p = {.net = &in->model->net,
                               .tasks = TASKS,
                               .lanes = lanes,
                               .through = through,
                               .way = WAY,
                               .adapt = s->adapt,
                               .layers = layers,
                               .support = WAY * SHOT,
                               .query = WAY * SHOT,
                               .query_rounds = 1,
                               .steps = STEPS,
                               .head = s->head,
                               .head_init = s->init,
                               .cosine_scale = 5,
                               .mean_scale = 0.1f,
                               .bn = s->bn,
                               .path = s->path,
                               .costs = s->fused ? &cheap : NULL,
                               .adam = s->adam,
                               .momentum = 0.9f,
                               .dampening = s->adam ? 0.99f : 0.0f,
                               .label_smoothing = 0.1f,
                               .half = half,
                               .lowrank = s->lowrank,
                               .data_size = s->size,
                               .chunks = chunks,
                               .chunk_count = 2};
    ad_built built;
    must(ad_build(ctx, &p, &built), "ad_build");
    free(layers);
    return built;
}

ad_built make_plan(const setting *s, const inputs *in) { return make_plan_with(s, in, false, 0, false); }

/* The numbers that the host writes for a layer of a task: A from its start, B as if steps had been taken. */
static void adapter_numbers(const setting *s, const inputs *in, const ad_lowrank_layer *layer, int task, float *a,
                            float *b) {
    const ad_node *node = &in->model->net.nodes[layer->node];
    ad_random random = ad_random_make(3, AD_STREAM_ADAPTER, (uint32_t)(100 * task + layer->node));
    if (s->lowrank.kind == AD_LOWRANK_TSA)
        for (size_t i = 0; i < ad_lowrank_a_count(node, &s->lowrank); i++) a[i] = 0.05f * ad_random_normal(&random);
    else
        ad_lowrank_start(node, s->lowrank.rank, &random, a);
    for (size_t i = 0; i < ad_lowrank_b_count(node, &s->lowrank); i++) b[i] = 0.05f * ad_random_normal(&random);
}

/* The alignment of a task as if steps had been taken, [features][features]; NULL: there is none. */
static float *alignment_numbers(const ad_built *b, const inputs *in, int task, size_t *count) {
    if (b->alignment < 0) return NULL;
    ad_random random = ad_random_make(4, AD_STREAM_ADAPTER, (uint32_t)task);
    *count = (size_t)in->model->net.features * (size_t)in->model->net.features;
    float *numbers = malloc(*count * sizeof *numbers);
    const float spread = 0.3f / sqrtf((float)in->model->net.features);
    for (size_t i = 0; i < *count; i++) numbers[i] = spread * ad_random_normal(&random);
    return numbers;
}

/* Room for A and B of a layer. */
static float *adapter_room(const setting *s, const ad_built *b, const inputs *in, size_t *a_count, size_t *b_count,
                           int layer) {
    const ad_node *node = &in->model->net.nodes[b->lowrank[layer].node];
    *a_count = ad_lowrank_a_count(node, &s->lowrank);
    *b_count = ad_lowrank_b_count(node, &s->lowrank);
    return malloc((*a_count + *b_count) * sizeof(float));
}

void interpret_adapters(const setting *s, const ad_built *b, const inputs *in, interpreter *run) {
    for (int l = 0; l < b->lowrank_count; l++)
        for (int task = 0; task < TASKS; task++) {
            size_t a, rest;
            float *numbers = adapter_room(s, b, in, &a, &rest, l);
            double *block = interpreter_tensor(run, b->adapted) + (size_t)task * b->adapted_count;
            adapter_numbers(s, in, &b->lowrank[l], task, numbers, numbers + a);
            for (size_t i = 0; i < a; i++) block[b->lowrank[l].a + i] = (double)numbers[i];
            for (size_t i = 0; i < rest; i++) block[b->lowrank[l].b + i] = (double)numbers[a + i];
            free(numbers);
        }
    for (int task = 0; task < TASKS && b->alignment >= 0; task++) {
        size_t count = 0;
        float *numbers = alignment_numbers(b, in, task, &count);
        double *to = interpreter_tensor(run, b->adapted) + (size_t)task * b->adapted_count + b->alignment_offset;
        for (size_t i = 0; i < count; i++) to[i] = (double)numbers[i];
        free(numbers);
    }
}

static void write_adapters(const setting *s, const ad_built *b, const inputs *in, const ad_engine_api *api,
                           ad_program *program) {
    for (int l = 0; l < b->lowrank_count; l++)
        for (int task = 0; task < TASKS; task++) {
            size_t a, rest;
            float *numbers = adapter_room(s, b, in, &a, &rest, l);
            const size_t block = (size_t)task * b->adapted_count;
            adapter_numbers(s, in, &b->lowrank[l], task, numbers, numbers + a);
            must(api->program_write(program, b->adapted, (block + b->lowrank[l].a) * 4, numbers, a * 4), "write");
            must(api->program_write(program, b->adapted, (block + b->lowrank[l].b) * 4, numbers + a, rest * 4),
                 "write");
            free(numbers);
        }
    for (int task = 0; task < TASKS; task++) {
        size_t count = 0;
        float *numbers = alignment_numbers(b, in, task, &count);
        const size_t at = (size_t)task * b->adapted_count + b->alignment_offset;
        if (numbers) must(api->program_write(program, b->adapted, at * 4, numbers, count * 4), "write");
        free(numbers);
    }
}

interpreter *start(const setting *s, const ad_built *b, const inputs *in) {
    interpreter *run = interpreter_create(b->plan);
    for (size_t i = 0; i < in->model->net.role_begin[AD_ROLE_COUNT]; i++)
        run->arenas[0][i] = (double)in->model->values[i];
    size_t at = 0;
    for (int a = 1; a <= 2; a++)
        for (size_t i = 0; i < b->plan->arenas[a].bytes; i++) run->arenas[a][i] = in->pixels[at++];
    for (int i = 0; i < TASKS * WAY * SHOT; i++) {
        interpreter_tensor(run, b->support_index)[i] = in->support[i];
        interpreter_tensor(run, b->support_labels)[i] = in->labels[i];
        interpreter_tensor(run, b->query_index)[i] = in->query[i];
    }
    for (int i = 0; i < STEPS * AD_SCHEDULE_COLUMNS; i++)
        interpreter_tensor(run, b->schedule)[i] = (double)in->schedule[i];
    for (int i = 0; i < 8; i++) interpreter_tensor(run, b->norm)[i] = (double)in->norm[i];
    interpreter_run(run, AD_SEGMENT_INIT);
    interpret_adapters(s, b, in, run);
    interpreter_run(run, AD_SEGMENT_PREFIX);
    return run;
}

static void check_gradient(const setting *s, int number) {
    inputs in = make_inputs(s, 0);
    ad_built b = make_plan(s, &in);
    interpreter *run = start(s, &b, &in);
    interpreter_run(run, AD_SEGMENT_STEP);
    run->hold = true;
    double *adapted = interpreter_tensor(run, b.adapted), *g = interpreter_tensor(run, b.gradient),
           *loss = interpreter_tensor(run, b.loss);
    ad_random random = ad_random_make(11, AD_STREAM_CHECK, (uint32_t)number);
    double *kept = malloc(TASKS * b.adapted_count * sizeof *kept);
    memcpy(kept, g, TASKS * b.adapted_count * sizeof *kept);
    int compared = 0, nonzero = 0, wrong = 0;
    const int draws = s->draws ? s->draws : 40;
    for (int k = 0; k < draws; k++) {
        /* The alignment is large and simple: half of the draws are of what stands before it. */
        const size_t end = b.alignment >= 0 && k % 2 ? b.alignment_offset : b.adapted_count;
        size_t task = ad_random_below(&random, TASKS), e = ad_random_below(&random, (uint32_t)end);
        /* Much of the block is padding, which has gradient 0 and changes nothing: three in four draws are moved to the
         * next number that has a gradient. */
        while (k % 4 && kept[task * b.adapted_count + e] == 0) e = (e + 1) % b.adapted_count;
        double *at = &adapted[task * b.adapted_count + e], before = *at, sides[2];
        const double h = 1e-6;
        for (int side = 0; side < 2; side++) {
            *at = before + (side ? h : -h);
            interpreter_tensor(run, b.counter)[0] = 0;
            interpreter_run(run, AD_SEGMENT_STEP);
            sides[side] = loss[task];
            memcpy(g, kept, TASKS * b.adapted_count * sizeof *kept);
        }
        *at = before;
        double numeric = (sides[1] - sides[0]) / (2 * h), got = kept[task * b.adapted_count + e];
        compared++;
        nonzero += fabs(numeric) > 1e-6;
        if (fabs(numeric - got) > 1e-5 * (1 + fabs(numeric))) {
            fprintf(stderr, "setting %d (%s %s adapt %x): d loss[%zu] / d adapted[%zu] is %.9g, the plan says %.9g\n",
                    number, s->arch, s->sharing, s->adapt, task, e, numeric, got);
            wrong++;
        }
    }
    if (nonzero < draws / 2)
        fprintf(stderr, "setting %d: only %d of %d differences are not zero\n", number, nonzero, compared);
    failures += wrong > 0 || nonzero < draws / 2;
    free(kept);
    interpreter_destroy(&run);
    ad_built_clear(&b);
    free_inputs(&in);
}

static void write_all(ad_engine *e, ad_program *program, const ad_built *b, const inputs *in) {
    const ad_engine_api *api = e->api;
    const int32_t zero = 0;
    must(api->program_write(program, b->support_index, 0, in->support, sizeof in->support), "write");
    must(api->program_write(program, b->support_labels, 0, in->labels, sizeof in->labels), "write");
    must(api->program_write(program, b->query_index, 0, in->query, sizeof in->query), "write");
    must(api->program_write(program, b->schedule, 0, in->schedule, sizeof in->schedule), "write");
    must(api->program_write(program, b->norm, 0, in->norm, sizeof in->norm), "write");
    must(api->program_write(program, b->counter, 0, &zero, 4), "write");
    must(api->program_write(program, b->eval_counter, 0, &zero, 4), "write");
}

/* Bytes of all u of a task, and how many there are in half precision. */
static size_t u_bytes(const ad_plan *plan, int *halves) {
    size_t bytes = 0;
    for (int t = 0; t < plan->tensor_count; t++) {
        if (strcmp(plan->tensors[t].name, "u") != 0) continue;
        bytes += plan->tensors[t].count * ad_type_bytes(plan->tensors[t].type);
        *halves += plan->tensors[t].type == AD_F16;
    }
    return bytes;
}

/* Runs the plan twice in one program: replay gives the same bytes. Fills the adapted block and the predictions. */
static void run_plan(ad_engine *e, const setting *s, const inputs *in, const ad_built *b, int number, float *got,
                     int32_t *predicted) {
    const ad_engine_api *api = e->api;
    ad_buffer *external[3] = {0};
    const size_t bytes[3] = {b->plan->arenas[0].bytes, b->plan->arenas[1].bytes, b->plan->arenas[2].bytes};
    const void *data[3] = {in->model->values, in->pixels, in->pixels + 10 * 3 * s->size * s->size};
    for (int a = 0; a < 3; a++) {
        must(api->buffer_create(e, bytes[a], &external[a]), "buffer");
        must(api->buffer_write(e, external[a], 0, data[a], bytes[a]), "buffer");
    }
    const size_t count = TASKS * b->adapted_count;
    float *again = malloc(count * sizeof *again);
    ad_program *program = NULL;
    must(api->program_create(e, b->plan, external, &program), "program");
    for (int repeat = 0; repeat < 2; repeat++) {
        write_all(e, program, b, in);
        must(ad_run_segment(api, program, AD_SEGMENT_INIT, 1), "init");
        write_adapters(s, b, in, api, program);
        const ad_run runs[] = {{AD_SEGMENT_PREFIX, 1}, {AD_SEGMENT_STEP, STEPS}, {AD_SEGMENT_EVAL, 1}};
        if (b->plan->through) must(api->program_run(program, runs, 3), "all");
        for (int k = 0; k < 3 && !b->plan->through; k++) must(api->program_run(program, &runs[k], 1), "segment");
        must(api->program_read(program, b->adapted, 0, repeat ? again : got, count * sizeof *got), "read");
        must(api->program_read(program, b->query_predicted, 0, predicted, TASKS * WAY * SHOT * sizeof *predicted),
             "read");
    }
    api->program_destroy(&program);
    if (memcmp(got, again, count * sizeof *got) != 0) {
        fprintf(stderr, "%s, setting %d: replay gives other bytes\n", api->name, number);
        failures++;
    }
    free(again);
    for (int a = 0; a < 3; a++) api->buffer_destroy(e, &external[a]);
}

/* An engine that works by task: one lane for all of them, left after each segment or only at the end, gives the same
 * bytes and takes less memory. */
static void check_lanes(ad_engine *e, const setting *s, const inputs *in, const ad_built *b, int number,
                        const float *want, const int32_t *classes) {
    size_t least = ad_plan_owned_bytes(b->plan);
    for (int through = 0; through < 2; through++) {
        ad_built one = make_plan_with(s, in, false, 1, through);
        const size_t bytes = TASKS * one.adapted_count * sizeof(float), owned = ad_plan_owned_bytes(one.plan);
        float *got = malloc(bytes);
        int32_t predicted[TASKS * WAY * SHOT];
        run_plan(e, s, in, &one, number, got, predicted);
        if (memcmp(got, want, bytes) != 0 || memcmp(predicted, classes, sizeof predicted) != 0 || owned >= least) {
            fprintf(stderr, "%s, setting %d: one lane%s gives other bytes or takes more memory\n", e->api->name, number,
                    through ? " for everything" : "");
            failures++;
        }
        least = owned + 1; /* nothing may be needed for longer than a segment */
        free(got);
        ad_built_clear(&one);
    }
}

/* half: with u in half precision, if the plan has any. The double reference knows only numbers as they are. */
static void check_engine(ad_engine *e, const setting *s, int number, bool half) {
    ad_limits limits;
    e->api->limits(e, &limits);
    const int lanes = limits.lanes ? TASKS : 0;
    inputs in = make_inputs(s, s->adam ? 0.003f : 0.02f);
    ad_built b = make_plan_with(s, &in, half, lanes, false), whole = make_plan_with(s, &in, false, lanes, false),
             exact = make_plan(s, &in);
    int halves = 0, none = 0;
    const size_t bytes_u = u_bytes(b.plan, &halves), bytes_exact = u_bytes(whole.plan, &none);
    if (none != 0 || (half ? 2 * bytes_u != bytes_exact : halves != 0) ||
        ad_plan_owned_bytes(b.plan) > ad_plan_owned_bytes(whole.plan)) {
        fprintf(stderr, "setting %d: u has %zu bytes in half precision, %zu else\n", number, bytes_u, bytes_exact);
        failures++;
    }
    if (half && halves == 0) goto done;
    const size_t count = TASKS * b.adapted_count;
    float *got = malloc(count * sizeof *got);
    int32_t predicted[TASKS * WAY * SHOT];
    run_plan(e, s, &in, &b, number, got, predicted);
    if (lanes && !half) check_lanes(e, s, &in, &b, number, got, predicted);
    interpreter *run = start(s, &exact, &in);
    const double *want = interpreter_tensor(run, exact.adapted),
                 *labels = interpreter_tensor(run, exact.query_predicted);
    double *began = malloc(count * sizeof *began), worst = 0, off = 0, way = 0;
    memcpy(began, want, count * sizeof *began);
    for (int t = 0; t < STEPS; t++) interpreter_run(run, AD_SEGMENT_STEP);
    interpreter_run(run, AD_SEGMENT_EVAL);
    /* Three steps through relus and maxima: a rounding near a kink may move a gradient a little. */
    for (size_t i = 0; i < count; i++) {
        const double d = (double)got[i] - want[i];
        worst = fmax(worst, fabs(d) / (1e-2 + fabs(want[i])));
        off += d * d;
        way += (want[i] - began[i]) * (want[i] - began[i]);
    }
    int differ = 0;
    for (int i = 0; i < TASKS * WAY * SHOT; i++) differ += predicted[i] != (int)labels[i];
    /* 2^-11 of u moves more maxima, and turns gradients that are nearly zero, of which Adam makes whole steps: then the
     * way as a whole counts. */
    const bool close = half ? sqrt(off / way) < 0.2 : worst < 2e-3;
    if (!close || differ > 1) {
        fprintf(stderr,
                "%s, setting %d%s (%s %s adapt %x bn %d): off by %g relative, %g of the way, %d predictions differ\n",
                e->api->name, number, half ? " in half precision" : "", s->arch, s->sharing, s->adapt, s->bn, worst,
                sqrt(off / way), differ);
        failures++;
    }
    free(began);
    free(got);
    interpreter_destroy(&run);
done:
    ad_built_clear(&b);
    ad_built_clear(&whole);
    ad_built_clear(&exact);
    free_inputs(&in);
}

/* network [gradient | DEVICE [SETTING]]: one setting or all. */
int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "gradient";
    const int first = argc > 2 ? atoi(argv[2]) : 0, end = argc > 2 ? first + 1 : (int)AD_COUNT(settings);
    must(adatom_context_create(NULL, &ctx), "context");
    if (strcmp(what, "gradient") == 0) {
        for (int i = first; i < end; i++) {
            check_gradient(&settings[i], i);
            /* Of networks whose width is given, which are small. */
            if (settings[i].lowrank.kind != AD_LOWRANK_NONE && settings[i].width > 0) check_merge(&settings[i], i);
        }
    } else {
        adatom_device *device = NULL;
        const adatom_device_params params = {.size = sizeof(adatom_device_params),
                                             .select = what,
                                             .threads = 2}; /* with more, two tasks are too few to run by task */
        adatom_status status = adatom_device_open(ctx, &params, &device);
        if (status == ADATOM_NO_DEVICE && !getenv("CI")) return 77;
        must(status, what);
        for (int i = first; i < end; i++) {
            if (settings[i].draws) continue; /* too large for all steps of the double reference */
            check_engine(device->engine, &settings[i], i, false);
            if (settings[i].adapt == ATOMS) check_engine(device->engine, &settings[i], i, true);
        }
        adatom_device_destroy(&device);
    }
    adatom_context_destroy(&ctx);
    printf("%s: %d networks, %d failures\n", what, end - first, failures);
    return failures != 0;
}

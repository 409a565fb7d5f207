/* The networks of this test, their inputs and plans. */
#include "tests/network/network.h"
#include "tests/choices.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const setting settings[] = {
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
    /* Convolutions beside kernels, dense and depthwise ones; adapters of 1x1 convolutions. */
    {"resnet10", "layer", 33, 4, 0, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_TSA, 0, 1}},
    {"conv4", "none", 16, 8, NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO, .adam = true,
     .lowrank = {AD_LOWRANK_TSA, 0, 1}},
    {"convnext_atto", "none", 32, 0, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_TSA, 0, 1}, .large = true, .gradient_only = true, .last = 2},
    {"convnext_atto", "none", 32, 0, 0, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .lowrank = {AD_LOWRANK_LORA, 2, 1}, .large = true, .gradient_only = true, .last = 1},
    /* Depthwise kernels, squeeze-and-excite and activations whose derivatives need their input; layer norms and factors
     * before sums; filters that see a part of the channels. */
    {"mobilenet_v3_small", "layer", 16, 0, ATOMS, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true, .large = true},
    {"mobilenet_v3_small", "none", 32, 0, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .large = true},
    {"convnext_atto", "layer", 32, 0, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .residual = true, .large = true},
    {"convnext_atto", "none", 32, 0, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .large = true},
    /* What keeps trainings from fitting their pictures too closely. */
    {"conv4", "net", 16, 8, ALL, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .regular = {.mixed = true, .teacher = 0.5f, .temperature = 4}},
    {"conv4", "net", 32, 8, ALL, AD_HEAD_LINEAR, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .regular = {.turned = 0.8f, .average = 0.9f, .dropped = 0.3f, .drop_side = 2}},
    {"resnet12", "layer", 32, 4, ALL, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_SUPPORT, .path = AD_PATH_AUTO,
     .regular = {.mixed = true, .dropped = 0.3f, .drop_side = 3}},
    /* Norms that add up over its layers would make all features one direction, and gradients that are only rounding. */
    {"resnext50_32x4d", "layer", 16, 0, ATOMS | NORM, AD_HEAD_COSINE, AD_HEAD_MEANS, AD_BN_FROZEN, .path = AD_PATH_AUTO,
     .large = true, .norms = -0.3f},
};

const int setting_count = (int)AD_COUNT(settings);

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
                in.model->values[p->offset + e] += (s->norms ? s->norms : 0.3f) * ad_random_uniform(&random);
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
    const float mix[8] = {0.7f, 2, 9, 3, 12, 0.55f};
    memcpy(in.mix, mix, sizeof in.mix);
    for (size_t i = 0; i < AD_COUNT(in.teacher); i++) in.teacher[i] = 2 * ad_random_normal(&random);
    for (int i = 0; i < TASKS * WAY * SHOT; i++) in.turns[i] = i % (WAY * SHOT) % 4;
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

ad_built make_plan_with(const setting *s, const inputs *in, bool half, int lanes, bool through) {
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
                               .optimiser = {.adam = s->adam, .momentum = 0.9f, .dampening = s->adam ? 0.99f : 0.0f},
                               .label_smoothing = 0.1f,
                               .half = half,
                               .regular = s->regular,
                               .augment_seed = 3,
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

void adapter_numbers(const setting *s, const inputs *in, const ad_lowrank_layer *layer, int task, float *a, float *b) {
    const ad_node *node = &in->model->net.nodes[layer->node];
    ad_random random = ad_random_make(3, AD_STREAM_ADAPTER, (uint32_t)(100 * task + layer->node));
    if (s->lowrank.kind == AD_LOWRANK_TSA)
        for (size_t i = 0; i < ad_lowrank_a_count(node, &s->lowrank); i++) a[i] = 0.05f * ad_random_normal(&random);
    else
        ad_lowrank_start(node, s->lowrank.rank, &random, a);
    for (size_t i = 0; i < ad_lowrank_b_count(node, &s->lowrank); i++) b[i] = 0.05f * ad_random_normal(&random);
}

float *alignment_numbers(const ad_built *b, const inputs *in, int task, size_t *count) {
    if (b->alignment < 0) return NULL;
    ad_random random = ad_random_make(4, AD_STREAM_ADAPTER, (uint32_t)task);
    *count = (size_t)in->model->net.features * (size_t)in->model->net.features;
    float *numbers = malloc(*count * sizeof *numbers);
    const float spread = 0.3f / sqrtf((float)in->model->net.features);
    for (size_t i = 0; i < *count; i++) numbers[i] = spread * ad_random_normal(&random);
    return numbers;
}

float *adapter_room(const setting *s, const ad_built *b, const inputs *in, size_t *a_count, size_t *b_count,
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
    for (int i = 0; i < 8 && b->mix >= 0; i++) interpreter_tensor(run, b->mix)[i] = (double)in->mix[i];
    for (size_t i = 0; i < AD_COUNT(in->teacher) && b->teacher >= 0; i++)
        interpreter_tensor(run, b->teacher)[i] = (double)in->teacher[i];
    for (int i = 0; i < TASKS * WAY * SHOT && b->turned_labels >= 0; i++)
        interpreter_tensor(run, b->turned_labels)[i] = in->turns[i];
    interpreter_run(run, AD_SEGMENT_INIT);
    interpret_adapters(s, b, in, run);
    interpreter_run(run, AD_SEGMENT_PREFIX);
    return run;
}

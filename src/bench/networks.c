/* Whole adaptation, training, classifying and start-up, through the public headers as a user's program would. */
#include "bench/bench.h"
#include "compile/tape.h"
#include "verify/shrunk.h"
#include "net/network.h"
#include <adatom/adapt.h>
#include <adatom/adapter.h>
#include <adatom/train.h>

#include <dirent.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LEAST_SAMPLES = 5 };

static adatom_model_params model_params(const ad_bench_case *c) {
    adatom_model_params params = {.size = sizeof params, .arch = c->arch, .image_size = c->size, .seed = 1};
    adatom_sharing_parse(c->sharing, &params.sharing); /* ad_bench_parse() knows it */
    return params;
}

/* ---- verification: the convolutions of the network ---- */
static bool is_forward(int kind) {
    return kind == AD_OP_CONV || kind == AD_OP_ATOMS || kind == AD_OP_FUSED_ATOMS || kind == AD_OP_DEPTH ||
           kind == AD_OP_DEPTHWISE;
}

/* forward: no gradients. */
static adatom_status verify_node(ad_bench *b, const ad_node *node, bool forward) {
    static const int ordinary[] = {AD_OP_CONV, AD_OP_CONV_DX, AD_OP_CONV_DW};
    static const int decomposed[] = {AD_OP_CONV,  AD_OP_CONV_DX,    AD_OP_CONV_DW,
                                     AD_OP_ATOMS, AD_OP_ATOMS_DPSI, AD_OP_FUSED_ATOMS};
    static const int grouped[] = {AD_OP_CONV,  AD_OP_CONV_DX,  AD_OP_CONV_DW,
                                  AD_OP_DEPTH, AD_OP_DEPTH_DX, AD_OP_DEPTH_DPSI};
    static const int depthwise[] = {AD_OP_DEPTHWISE, AD_OP_DEPTHWISE_DX, AD_OP_DEPTHWISE_DW};
    /* Kernels whose filters see a part of the channels are composed in any case. */
    const bool stages = node->m > 0 && node->groups == 1;
    const int *kinds = ad_node_depthwise(node) ? depthwise : node->group ? grouped : stages ? decomposed : ordinary;
    const int count = stages ? (int)AD_COUNT(decomposed) : (int)AD_COUNT(ordinary);
    const ad_geometry g = ad_geometry_node(node, 1);
    for (int i = 0; i < count; i++) {
        if (forward && !is_forward(kinds[i])) continue;
        const ad_case step = ad_case_of(kinds[i], 1, g);
        adatom_status status = ad_bench_late(b, 0);
        if (status == ADATOM_OK) status = ad_verify_case(b->engine, &step, NULL, b->brief ? 4e7 : 4e8, NULL, 0);
        if (status != ADATOM_OK) return status;
    }
    return ADATOM_OK;
}

/* Whether two convolutions are the same work. */
static bool same_work(const ad_node *a, const ad_node *b) {
    return a->h == b->h && a->w == b->w && a->c == b->c && a->o == b->o && a->k == b->k && a->stride == b->stride &&
           a->pad == b->pad && a->dil == b->dil && a->m == b->m && a->group == b->group && a->groups == b->groups;
}

static adatom_status verify_network(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    const adatom_model_params params = model_params(c);
    const bool forward = c->kind == AD_BENCH_INFER;
    const uint64_t what = 2 * (uint64_t)c->size + forward,
                   key = ad_hash(c->arch, strlen(c->arch), ad_hash(c->sharing, strlen(c->sharing), what));
    ad_network net = {0};
    adatom_status status = ADATOM_OK;
    snprintf(out->verified, sizeof out->verified, "double precision, convolutions, b1 up to %dx%d", AD_VERIFY_SIZE,
             AD_VERIFY_SIZE);
    for (int i = 0; i < b->verified_count; i++)
        if (b->verified[i] == key) return ADATOM_OK;
    AD_TRY(ad_network_build(b->ctx, &params, &net));
    for (int i = 0; i < net.node_count; i++) {
        const ad_node *node = &net.nodes[i];
        bool seen = node->kind != AD_NODE_CONV;
        for (int j = 0; j < i && !seen; j++) seen = net.nodes[j].kind == AD_NODE_CONV && same_work(&net.nodes[j], node);
        if (!seen) AD_TRY(verify_node(b, node, forward));
    }
    if (b->verified_count < (int)AD_COUNT(b->verified)) b->verified[b->verified_count++] = key;
done:
    ad_network_clear(&net);
    return status;
}

/* Whether there is time for `images` forward passes' worth of work at a quarter of the peak. */
static adatom_status check_time(ad_bench *b, const adatom_model *model, double images) {
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &info);
    return b->flops > 0 ? ad_bench_late(b, images * 2 * (double)info.macs / (0.25 * b->flops)) : ADATOM_OK;
}

/* ---- adaptation ---- */
typedef struct adapting {
    ad_bench *b;
    adatom_model *model;
    adatom_dataset *dataset;
    adatom_episodes *episodes;
    adatom_method method;
    int done;    /* episodes of the batches that have ended */
    double last; /* when the latest of them did */
    double *samples;
    int count;
    adatom_evaluation_info info;
} adapting;

static void clear(adapting *a) {
    adatom_episodes_destroy(&a->episodes);
    adatom_dataset_destroy(&a->dataset);
    adatom_model_destroy(&a->model);
}

/* The benchmark's own callback is asked while a call within it runs. */
static bool go_on(const ad_bench *b) {
    adatom_progress now = ADATOM_INIT(adatom_progress);
    now.poll = true;
    now.phase = ADATOM_PHASE_TIMING;
    now.done = b->done;
    return !b->params.progress || b->params.progress(b->params.user, &now);
}

/* The first batch ends the preparation (pictures, features, pipelines); each further one is a sample. */
static bool batch_ended(void *user, const adatom_progress *progress) {
    adapting *a = user;
    const int done = (int)progress->done;
    const double now = ad_seconds();
    if (progress->poll || progress->phase != ADATOM_PHASE_EPISODES) return go_on(a->b);
    if (a->done && a->count < AD_BENCH_MAX_SAMPLES) a->samples[a->count++] = 1e9 * (now - a->last) / (done - a->done);
    a->done = done;
    a->last = now;
    return go_on(a->b);
}

static adatom_status adapt(adapting *a, int tasks, int batches) {
    adatom_evaluation *evaluation = NULL;
    const adatom_adapt_params run = {.size = sizeof run,
                                     .dataset = a->dataset,
                                     .episodes = a->episodes,
                                     .method = &a->method,
                                     .count = tasks * batches,
                                     .progress = batch_ended,
                                     .user = a};
    a->method.tasks_at_once = tasks;
    a->done = 0;
    a->count = 0;
    const adatom_status status = adatom_adapt_episodes(a->b->device, a->model, &run, &evaluation);
    if (status == ADATOM_OK) adatom_evaluation_describe(evaluation, &a->info);
    adatom_evaluation_destroy(&evaluation);
    return status;
}

static adatom_status prepare(adapting *a, const ad_bench_case *c, int episodes) {
    static const struct {
        const char *split;
        int classes;
    } splits[] = {{"val", 16}, {"novel", 24}, {"base", 64}, {"all", 104}};
    adatom_context *ctx = a->b->ctx;
    adatom_status status = ADATOM_OK;
    size_t s = 0;
    while (s < AD_COUNT(splits) && splits[s].classes < c->way) s++;
    if (s == AD_COUNT(splits))
        return ad_fail(ctx, ADATOM_UNSUPPORTED, "the built-in pictures have 104 classes, %d asked for", c->way);
    const adatom_model_params params = model_params(c);
    const adatom_dataset_params pictures = {.size = sizeof pictures,
                                            .image_size = c->size,
                                            .split = splits[s].split,
                                            .builtin_per_class = c->shot + c->query};
    const adatom_episodes_params list = {.size = sizeof list,
                                         .way = c->way,
                                         .shot = c->shot,
                                         .query = c->query,
                                         .tasks = episodes,
                                         .seed = a->b->params.seed};
    AD_TRY(adatom_model_create(ctx, &params, &a->model));
    AD_TRY(adatom_dataset_open(ctx, "builtin:shapes", &pictures, &a->dataset));
    AD_TRY(adatom_episodes_create(ctx, a->dataset, &list, &a->episodes));
done:
    return status;
}

adatom_status ad_bench_adapt(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    enum { AT_ONCE = 64 };
    adatom_status status = ADATOM_OK;
    adatom_bench_result *r = &out->result;
    adapting a = {.b = b,
                  .method = {.size = sizeof a.method, .steps = c->optimiser_steps},
                  .samples = out->samples,
                  .info = ADATOM_INIT(adatom_evaluation_info)};
    adatom_adapt_kind_parse(c->method, &a.method.adapt); /* ad_bench_parse() knows it */
    const int asked = c->tasks ? c->tasks : b->params.tasks_at_once;
    const double seconds = b->brief ? 2 : 20;
    AD_TRY(prepare(&a, c, AD_MAX(asked, AT_ONCE) * (1 + AD_BENCH_MAX_SAMPLES)));
    const bool frozen = !strcmp(c->method, "centroid") || !strcmp(c->method, "head") || !strcmp(c->method, "cosine");
    const double passes = frozen ? 0 : strcmp(c->method, "atoms") ? 3 : 1; /* of a step, in forward passes */
    AD_TRY(check_time(b, a.model, (2 + LEAST_SAMPLES) * c->way * (passes * c->shot * c->optimiser_steps + c->query)));
    AD_TRY(verify_network(b, c, out));
    double began = ad_seconds();
    AD_TRY(adapt(&a, 1, 2));
    const double once = ad_seconds() - began, one = 1e-9 * out->samples[0];
    int tasks = asked;
    if (!tasks) {
        adatom_adapt_plan_info plan = ADATOM_INIT(adatom_adapt_plan_info);
        const adatom_adapt_params run = {
            .size = sizeof run, .dataset = a.dataset, .episodes = a.episodes, .method = &a.method};
        a.method.tasks_at_once = 0;
        AD_TRY(adatom_adapt_plan(b->device, a.model, &run, &plan));
        tasks = plan.tasks_at_once;
        adatom_device_info device = ADATOM_INIT(adatom_device_info);
        adatom_device_describe(b->device, &device);
        tasks = AD_MAX(AD_MIN(tasks, (int)(seconds / LEAST_SAMPLES / one)),
                       1); /* no more than the time allows samples of */
        if (tasks > device.threads && device.threads) tasks -= tasks % device.threads; /* and no thread idle */
    }
    const int count = (int)AD_MAX(AD_MIN(seconds / (one * tasks), AD_BENCH_MAX_SAMPLES), LEAST_SAMPLES);
    AD_TRY(ad_bench_late(b, once + one * tasks * (1 + LEAST_SAMPLES)));
    AD_TRY(adapt(&a, tasks, 1 + count));
    r->sample_count = a.count;
    r->tasks_at_once = a.info.tasks_at_once;
    r->arena_bytes = (double)a.info.arena_bytes;
    ad_bench_statistics(r);
    r->unit = "episodes/s";
    r->value = r->episodes_per_s = 1e9 / r->median_ns;
done:
    clear(&a);
    return status;
}

/* ---- folders for what is written on the way ---- */
enum { FOLDER_BYTES = 1024 };

static adatom_status make_folder(ad_bench *b, char folder[FOLDER_BYTES]) {
    const char *parent = b->params.temporary_dir ? b->params.temporary_dir : P_tmpdir;
    const int length = snprintf(folder, FOLDER_BYTES, "%s/adatom-bench-XXXXXX", parent);
    if (length > 0 && length < FOLDER_BYTES && mkdtemp(folder)) return ADATOM_OK;
    folder[0] = 0;
    return ad_fail(b->ctx, ADATOM_IO, "cannot create a folder for the benchmark under '%s'", parent);
}

static void remove_folder(const char *folder) {
    DIR *dir = folder[0] ? opendir(folder) : NULL;
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(folder);
}

/* ---- training ---- */
typedef struct training {
    const ad_bench *b;
    ad_bench_record *out;
} training;

static bool block_ran(void *user, const adatom_progress *progress) {
    const training *t = user;
    const adatom_training_progress *now = progress->training;
    adatom_bench_result *r = &t->out->result;
    if (!now) return go_on(t->b);
    r->arena_bytes = (double)now->arena_bytes;
    if (!now->epoch_end && now->epoch > 1 && r->sample_count < AD_BENCH_MAX_SAMPLES) /* the first epoch warms up */
        t->out->samples[r->sample_count++] = 1e9 / now->images_per_s;
    return go_on(t->b);
}

adatom_status ad_bench_pretrain(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    enum { CLASSES = 16 }; /* of builtin:shapes/val */
    adatom_status status = ADATOM_OK;
    adatom_bench_result *r = &out->result;
    adatom_dataset *dataset = NULL;
    adatom_model *model = NULL;
    char folder[FOLDER_BYTES] = "", path[FOLDER_BYTES + 32];
    /* Unless the name says otherwise an epoch is a step (brief) or four. A sample is an epoch or 50 steps of it. */
    const int count = c->pictures ? c->pictures : c->batch * (b->brief ? 1 : 4);
    const int blocks = AD_MAX((count / c->batch + 49) / 50, 1), epochs = 1 + (LEAST_SAMPLES + blocks - 1) / blocks;
    const adatom_dataset_params pictures = {.size = sizeof pictures,
                                            .image_size = c->size,
                                            .split = "val",
                                            .builtin_per_class = (count + CLASSES - 1) / CLASSES};
    const adatom_model_params network = model_params(c);
    AD_TRY(adatom_model_create(b->ctx, &network, &model));
    AD_TRY(check_time(b, model, 3.0 * epochs * count));
    AD_TRY(verify_network(b, c, out));
    AD_TRY(make_folder(b, folder));
    AD_TRY(adatom_dataset_open(b->ctx, "builtin:shapes", &pictures, &dataset));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    training t = {b, out};
    const adatom_pretrain_params params = {.size = sizeof params,
                                           .model = &network,
                                           .epochs = epochs,
                                           .batch = c->batch,
                                           .seed = 1,
                                           .memory_bytes = (size_t)c->memory_mib << 20,
                                           .output = path,
                                           .progress = block_ran,
                                           .user = &t};
    AD_TRY(adatom_pretrain(b->device, dataset, &params, NULL));
    ad_bench_statistics(r);
    r->unit = "images/s";
    r->value = r->images_per_s = 1e9 / r->median_ns;
done:
    adatom_dataset_destroy(&dataset);
    adatom_model_destroy(&model);
    remove_folder(folder);
    return status;
}

/* ---- classifying ---- */
typedef struct classifying {
    ad_bench *b;
    adatom_model *model;
    adatom_dataset *dataset;
    int batch, count; /* count: samples */
    uint64_t done;    /* pictures of the batches that have ended */
    double last;      /* when the latest of them did */
    double *samples;  /* ns a picture */
} classifying;

/* The first batch ends the preparation; each further one is a sample. */
static bool batch_classified(void *user, const adatom_progress *progress) {
    classifying *c = user;
    const double now = ad_seconds();
    if (progress->poll || progress->phase != ADATOM_PHASE_CLASSIFYING || progress->done == c->done) return go_on(c->b);
    const bool whole = progress->done - c->done == (uint64_t)c->batch; /* the last one may not be */
    if (c->done && whole && c->count < AD_BENCH_MAX_SAMPLES) c->samples[c->count++] = 1e9 * (now - c->last) / c->batch;
    c->done = progress->done;
    c->last = now;
    return go_on(c->b);
}

static adatom_status classify(classifying *c, int batches) {
    enum { CLASSES = 16 }; /* of builtin:shapes/val */
    adatom_model_info model = ADATOM_INIT(adatom_model_info);
    adatom_predictions *predictions = NULL;
    adatom_status status = ADATOM_OK;
    adatom_model_describe(c->model, &model);
    const adatom_dataset_params pictures = {.size = sizeof pictures,
                                            .image_size = model.image_size,
                                            .split = "val",
                                            .builtin_per_class = (c->batch * batches + CLASSES - 1) / CLASSES};
    const adatom_classify_params params = {
        .size = sizeof params, .batch = c->batch, .progress = batch_classified, .user = c};
    c->done = 0;
    c->count = 0;
    AD_TRY(adatom_dataset_open(c->b->ctx, "builtin:shapes", &pictures, &c->dataset));
    AD_TRY(adatom_classify(c->b->device, c->model, c->dataset, &params, &predictions));
done:
    adatom_predictions_destroy(&predictions);
    adatom_dataset_destroy(&c->dataset);
    return status;
}

adatom_status ad_bench_infer(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    adatom_status status = ADATOM_OK;
    adatom_bench_result *r = &out->result;
    classifying run = {.b = b, .batch = c->batch, .samples = out->samples};
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_params network = model_params(c);
    network.classes = 1000; /* ImageNet's */
    AD_TRY(adatom_model_create(b->ctx, &network, &run.model));
    adatom_model_describe(run.model, &info);
    AD_TRY(check_time(b, run.model, (2 + LEAST_SAMPLES) * c->batch));
    AD_TRY(verify_network(b, c, out));
    AD_TRY(classify(&run, 2));
    const double one = 1e-9 * out->samples[0] * c->batch, seconds = b->brief ? 1 : 10;
    const int count = (int)AD_MAX(AD_MIN(seconds / one, AD_BENCH_MAX_SAMPLES), LEAST_SAMPLES);
    AD_TRY(ad_bench_late(b, one * (1 + LEAST_SAMPLES)));
    AD_TRY(classify(&run, 1 + count));
    r->sample_count = run.count;
    r->gflop = 2e-9 * (double)info.macs;
    ad_bench_statistics(r);
    r->unit = "images/s";
    r->value = r->images_per_s = 1e9 / r->median_ns;
done:
    adatom_model_destroy(&run.model);
    return status;
}

/* ---- start-up ---- */
typedef struct starting {
    adapting a;
    char folder[FOLDER_BYTES]; /* of the caches; "": none */
} starting;

/* A device from nothing to the predictions of one episode. */
static adatom_status start(void *user, double *ns) {
    starting *s = user;
    ad_bench *b = s->a.b;
    const adatom_device_params params = {
        .size = sizeof params, .select = b->params.select, .cache_dir = s->folder[0] ? s->folder : NULL};
    adatom_device *device = NULL;
    adatom_evaluation *evaluation = NULL;
    const adatom_adapt_params run = {
        .size = sizeof run, .dataset = s->a.dataset, .episodes = s->a.episodes, .method = &s->a.method, .count = 1};
    const double began = ad_seconds();
    adatom_status status = adatom_device_open(b->ctx, &params, &device);
    if (status == ADATOM_OK) status = adatom_adapt_episodes(device, s->a.model, &run, &evaluation);
    *ns = 1e9 * (ad_seconds() - began);
    adatom_evaluation_destroy(&evaluation);
    adatom_device_destroy(&device);
    return status;
}

adatom_status ad_bench_startup(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    adatom_status status = ADATOM_OK;
    adatom_bench_result *r = &out->result;
    starting s = {.a = {.b = b, .method = {.size = sizeof(adatom_method), .adapt = ADATOM_ADAPT_ATOMS, .steps = 1}}};
    const ad_bench_case first = {.arch = "conv4", .sharing = "net", .size = 84, .way = 5, .shot = 1, .query = 1};
    if (!b->params.select)
        return ad_fail(b->ctx, ADATOM_UNSUPPORTED, "skipped: it is not known how this device was selected");
    AD_TRY(prepare(&s.a, &first, 1));
    if (c->warm) {
        double ns = 0;
        AD_TRY(make_folder(b, s.folder));
        AD_TRY(start(&s, &ns)); /* fills the caches */
    }
    AD_TRY(ad_bench_sample(b, start, &s, out));
    ad_bench_statistics(r);
    r->unit = "ms";
    r->value = r->median_ns / 1e6;
done:
    clear(&s.a);
    remove_folder(s.folder);
    return status;
}

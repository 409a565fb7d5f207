#include "training_run.h"

#include <string.h>

typedef struct metatrain_options {
    adatom_meta meta;
    adatom_distance distance;
    const char *inner;
    int inner_steps;
    adatom_optimizer inner_optimizer, optimizer;
    float inner_lr, inner_lr_atoms, inner_lr_norm, inner_lr_full, inner_momentum, cosine_scale;
    adatom_head head;
    const char *head_init_text;
    const char *layers;
    int last;
    adatom_meta_norms norms;
    int way, shot, query, meta_batch, epochs, epoch_tasks, validation_tasks, validation_way, tasks_at_once;
    bool fast;
    float lr, momentum, weight_decay, decay;
    arg_ints milestones;
} metatrain_options;

static const char *const metas[] = {ADATOM_META_LIST(CHOICE_TEXT) NULL};
static const char *const distances[] = {ADATOM_DISTANCE_LIST(CHOICE_TEXT) NULL};
static const char *const optimizers[] = {ADATOM_OPTIMIZER_LIST(CHOICE_TEXT) NULL};
static const char *const heads[] = {ADATOM_HEAD_LIST(CHOICE_TEXT) NULL};
static const char *const norms[] = {ADATOM_META_NORMS_LIST(CHOICE_TEXT) NULL};
static const char *const inners[] = {"atoms", "head", "cosine", "norm", "atoms+norm", "full", NULL};
static const char *const starts[] = {"means", "model", NULL};

#define OPTIONS metatrain_options
#define COUNTED(text, member, low, high, first, words)                                                                 \
    OPTION(text, ARG_INT, member, .least = low, .most = high, .initial = first, .value = "N", .help = words)
#define RATE(text, member, high, words)                                                                                \
    OPTION(text, ARG_REAL, member, .most = high, .zero_is_none = true, .value = "X", .help = words)
#define CHOICE(text, member, list, first, words)                                                                       \
    OPTION(text, ARG_ENUM, member, .choices = (list) + (first), .base = first, .value = "NAME", .help = words)
static const arg_option task_table[] = {
    CHOICE("meta", meta, metas, 1,
           "protonet: queries are classified by class means; maml: first-order MAML; anil: the same where only the "
           "classifier adapts; reptile (default protonet)"),
    CHOICE("distance", distance, distances, 0,
           "protonet: of features to class means; cosine has a scale that is learned"),
    OPTION("inner", ARG_CHOICE, inner, .choices = inners, .value = "NAME",
           .help = "what adapts to a task with maml and reptile (default atoms), or anil (default cosine)"),
    COUNTED("inner-steps", inner_steps, 0, 1000, "0", "steps of a task; 0: 5"),
    CHOICE("inner-optimizer", inner_optimizer, optimizers, 1, "of these steps (default sgd, without momentum)"),
    RATE("inner-lr", inner_lr, 1000, "rate of the classifier (default 0.01)"),
    RATE("inner-lr-atoms", inner_lr_atoms, 1000, "rate of the atoms (default 0.01)"),
    RATE("inner-lr-norm", inner_lr_norm, 1000, "rate of the scale and shift of norms (default 0.01)"),
    RATE("inner-lr-full", inner_lr_full, 1000, "rate of everything else with full (default 0.01)"),
    RATE("inner-momentum", inner_momentum, 0.999999, "momentum of sgd (default 0); beta1 of adam (default 0.9)"),
    CHOICE("head", head, heads, 1, "classifier of the tasks (default: the inner method's)"),
    OPTION("head-init", ARG_CHOICE, head_init_text, .choices = starts, .initial = "means", .value = "NAME",
           .help = "start of that classifier: class means, made anew in each task, or one that is learned and stays in "
                   "the model"),
    OPTION("cosine-scale", ARG_REAL, cosine_scale, .least = 0, .most = 1000, .initial = "0", .value = "X",
           .help = "scale of cosines; where protonet learns it, at first; 0: 10"),
    OPTION("layers", ARG_TEXT, layers, .value = "NAME[,NAME]", .help = "layers that adapt to a task (default all)"),
    COUNTED("last", last, 0, 1e6, "0", "of these only the last N that have numbers that adapt; 0: all"),
    COUNTED("way", way, 2, 1000, "5", "classes of a task"),
    COUNTED("shot", shot, 1, 10000, "1", "support pictures of each class"),
    COUNTED("query", query, 1, 10000, "15", "query pictures of each class"),
};
static const arg_option training_table[] = {
    COUNTED("meta-batch", meta_batch, 1, 1024, "4", "tasks of a step"),
    COUNTED("epochs", epochs, 1, 1e6, "60", "epochs"),
    COUNTED("epoch-tasks", epoch_tasks, 1, ADATOM_EPISODES_MOST, "1000",
            "tasks of an epoch, a multiple of --meta-batch"),
    CHOICE("optimizer", optimizer, optimizers, 1, "of what tasks have in common (default adam)"),
    RATE("lr", lr, 1000, "its learning rate (default 0.001 for adam, 0.01 for sgd)"),
    OPTION("momentum", ARG_REAL, momentum, .most = 0.999999, .initial = "0.9", .zero_is_none = true, .value = "X",
           .help = "momentum of sgd; beta1 of adam"),
    RATE("weight-decay", weight_decay, 100, "weight decay of everything but norms (default 0)"),
    OPTION("milestones", ARG_INTS, milestones, .least = 1, .most = 1e6, .value = "N[,N]",
           .help = "epochs after which the rate is multiplied by --decay"),
    OPTION("decay", ARG_REAL, decay, .least = 0, .most = 0.999999, .value = "X",
           .help = "the rate's factor at each of --milestones; 0: 0.5"),
    CHOICE("norms", norms, norms, 1,
           "statistics of batch norm: running, which stay as they are (default with --from), or those of a task's "
           "pictures (default of new networks)"),
    COUNTED("val-tasks", validation_tasks, 1, ADATOM_EPISODES_MOST, "200", "validation episodes, with --shot"),
    COUNTED("val-way", validation_way, 0, 1000, "0", "their classes; 0: 5, or those of a classifier that is learned"),
    OPTION("fast", ARG_FLAG, fast,
           .help = "compute convolutions in faster ways that round more (Winograd's, on the CPU)"),
    COUNTED("tasks-at-once", tasks_at_once, 0, 1024, "0",
            "tasks that the device works on at a time; 0: all of a step that fit. The result is the same"),
};
#undef OPTIONS
#undef COUNTED
#undef RATE
#undef CHOICE

static adatom_method inner_method(const metatrain_options *o) {
    adatom_method m = {.size = sizeof m,
                       .steps = o->inner_steps,
                       .optimizer = o->inner_optimizer,
                       .lr = o->inner_lr,
                       .lr_atoms = o->inner_lr_atoms,
                       .lr_norm = o->inner_lr_norm,
                       .lr_full = o->inner_lr_full,
                       .momentum = o->inner_momentum,
                       .head = o->head,
                       .cosine_scale = o->cosine_scale,
                       .layers = o->layers,
                       .last = o->last};
    if (o->inner) adatom_adapt_kind_parse(o->inner, &m.adapt); /* cannot fail: it is one of inners */
    adatom_head_init_parse(o->head_init_text, &m.head_init);
    return m;
}

/* protonet has nothing that adapts: what is said of it would be passed over. */
static adatom_status check_prototypes(struct cli *cli, const metatrain_options *o) {
    const bool given = o->inner || o->inner_steps || o->inner_optimizer || o->inner_lr != 0 || o->inner_lr_atoms != 0 ||
                       o->inner_lr_norm != 0 || o->inner_lr_full != 0 || o->inner_momentum != 0 || o->head ||
                       strcmp(o->head_init_text, "means") != 0 || o->layers || o->last;
    if (!given) return ADATOM_OK;
    return cli_fail(cli, ADATOM_USAGE,
                    "with --meta protonet nothing adapts to a task; the options of what does need --meta maml, anil or "
                    "reptile");
}

adatom_status cmd_metatrain(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device;
    data_options data;
    training_options run;
    metatrain_options o;
    arg_group groups[] = {data_group(&data),
                          picture_group(&data.pictures),
                          training_network_group(&run),
                          {"Tasks", task_table, COUNT(task_table), &o},
                          {"Training", training_table, COUNT(training_table), &o},
                          training_run_group(&run),
                          device_group(&device),
                          result_group(&run.result),
                          common_group(&common)};
    arg_spec spec = {
        .command = "metatrain",
        .summary =
            "Trains a network on episodes of the classes of a data set, so that it adapts well to others: each task "
            "has "
            "its support pictures, and its queries teach what all tasks have in common. Checkpoints are those of "
            "'pretrain'.",
        .groups = groups,
        .group_count = COUNT(groups)};
    bool go = false;
    adatom_model *model = NULL;
    training t = {.cli = cli, .command = "metatrain", .o = &run};
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &go);
    if (!go) goto done;
    const bool prototypes = !o.meta || o.meta == ADATOM_META_PROTONET;
    if (prototypes) TRY(check_prototypes(cli, &o));
    TRY(training_open(&t, &data, &device));
    const adatom_method inner = inner_method(&o);
    training_tell_start(&t, inner.head_init == ADATOM_HEAD_INIT_MODEL ? o.way : 0);
    const adatom_metatrain_params params = {.size = sizeof params,
                                            .model = &t.network,
                                            .from = t.from,
                                            .meta = o.meta,
                                            .distance = o.distance,
                                            .inner = prototypes ? NULL : &inner,
                                            .cosine_scale = o.cosine_scale,
                                            .way = o.way,
                                            .shot = o.shot,
                                            .query = o.query,
                                            .meta_batch = o.meta_batch,
                                            .epochs = o.epochs,
                                            .epoch_tasks = o.epoch_tasks,
                                            .optimizer = o.optimizer,
                                            .lr = o.lr,
                                            .momentum = o.momentum,
                                            .weight_decay = o.weight_decay,
                                            .milestones = o.milestones.items,
                                            .milestone_count = (size_t)o.milestones.count,
                                            .decay = o.decay,
                                            .norms = o.norms,
                                            .augment = t.augment,
                                            .shift = run.shift,
                                            .seed = run.seed,
                                            .validation = t.validation,
                                            .validation_tasks = o.validation_tasks,
                                            .validation_way = o.validation_way,
                                            .fast = o.fast,
                                            .tasks_at_once = o.tasks_at_once,
                                            .output = run.output,
                                            .checkpoint = run.checkpoint,
                                            .checkpoint_seconds = run.checkpoint_seconds,
                                            .resume = run.resume,
                                            .restart = run.restart,
                                            .memory_bytes = t.memory_bytes,
                                            .progress = training_progress,
                                            .user = &t};
    status = adatom_metatrain(t.device, t.base, &params, &model);
    if (status == ADATOM_INTERRUPTED) training_page_part(&t, status, argc, argv);
    TRY(status);
    TRY(training_report(&t, model, argc, argv));
done:
    adatom_model_destroy(&model);
    training_clear(&t);
    return status;
}

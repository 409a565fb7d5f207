#include "training_run.h"

typedef struct pretrain_options {
    int validation_tasks, epochs, batch;
    adatom_optimizer optimizer;
    float lr, momentum, weight_decay, label_smoothing, warmup, decay;
    arg_ints milestones;
    float mixup, cutmix, rotation, average, teacher_weight, temperature, dropblock;
    int dropblock_side;
    const char *teacher;
    bool fast;
} pretrain_options;

static const char *const optimizers[] = {ADATOM_OPTIMIZER_LIST(CHOICE_TEXT) NULL};

#define OPTIONS pretrain_options
static const arg_option pretrain_table[] = {
    OPTION("epochs", ARG_INT, epochs, .least = 1, .most = 1e6, .initial = "30", .value = "N",
           .help = "passes over the pictures"),
    OPTION("batch", ARG_INT, batch, .least = 1, .most = 65536, .initial = "64", .value = "N",
           .help = "pictures a step"),
    OPTION("optimizer", ARG_ENUM, optimizer, .choices = optimizers + 1, .base = 1, .initial = "sgd", .value = "NAME",
           .help = "sgd has Nesterov's momentum"),
    OPTION("lr", ARG_REAL, lr, .most = 1000, .zero_is_none = true, .value = "X",
           .help = "peak learning rate (default 0.1 for sgd, 0.001 for adam)"),
    OPTION("momentum", ARG_REAL, momentum, .most = 0.999999, .initial = "0.9", .zero_is_none = true, .value = "X",
           .help = "momentum of sgd; beta1 of adam"),
    OPTION("weight-decay", ARG_REAL, weight_decay, .most = 100, .initial = "5e-4", .zero_is_none = true, .value = "X",
           .help = "weight decay of everything but norms"),
    OPTION("label-smoothing", ARG_REAL, label_smoothing, .least = 0, .most = 0.99, .initial = "0", .value = "X",
           .help = "smoothing of the labels"),
    OPTION("warmup", ARG_REAL, warmup, .most = 1, .initial = "0.1", .zero_is_none = true, .value = "X",
           .help = "part of the steps in which the rate rises; it then falls as a cosine to 0, or at --milestones"),
    OPTION("milestones", ARG_INTS, milestones, .least = 1, .most = 1e6, .value = "N[,N]",
           .help = "epochs after which the rate is multiplied by --decay, in place of the cosine"),
    OPTION("decay", ARG_REAL, decay, .least = 0, .most = 0.999999, .value = "X",
           .help = "the rate's factor at each of --milestones; 0: 0.1"),
    OPTION("val-tasks", ARG_INT, validation_tasks, .least = 1, .most = ADATOM_EPISODES_MOST, .initial = "100",
           .value = "N", .help = "validation episodes"),
    OPTION("mixup", ARG_REAL, mixup, .least = 0, .most = 100, .initial = "0", .value = "A",
           .help = "mix each picture and its label with another's, by a share from Beta(A, A); 0: not"),
    OPTION("cutmix", ARG_REAL, cutmix, .least = 0, .most = 100, .initial = "0", .value = "A",
           .help = "the same as a rectangle of the other picture; with --mixup each step takes one of them"),
    OPTION(
        "rotation", ARG_REAL, rotation, .least = 0, .most = 100, .initial = "0", .value = "W",
        .help =
            "show each picture four times, turned by quarters; a second classifier tells how far, and its loss counts "
            "W times; 0: not"),
    OPTION("average", ARG_REAL, average, .least = 0, .most = 0.999999, .initial = "0", .value = "X",
           .help = "average the weights: at each step X of the average stays, e.g. 0.999; 0: not"),
    OPTION("teacher", ARG_TEXT, teacher, .value = "MODEL",
           .help = "learn from this model's probabilities too, e.g. a network pretrained before (born again)"),
    OPTION("teacher-weight", ARG_REAL, teacher_weight, .least = 0, .most = 1, .initial = "0", .value = "X",
           .help = "its part of the loss; 0: 0.5"),
    OPTION("temperature", ARG_REAL, temperature, .least = 0, .most = 100, .initial = "0", .value = "X",
           .help = "at which both probabilities are compared; 0: 4"),
    OPTION("dropblock", ARG_REAL, dropblock, .least = 0, .most = 0.9, .initial = "0", .value = "X",
           .help = "part of the activations after each of the last two stages that is dropped, as blocks; 0: none"),
    OPTION("fast", ARG_FLAG, fast,
           .help = "compute convolutions in faster ways that round more (Winograd's, on the CPU)"),
    OPTION("dropblock-side", ARG_INT, dropblock_side, .least = 0, .most = 64, .initial = "0", .value = "PIXELS",
           .help = "side of these blocks; 0: 5"),
};
#undef OPTIONS

adatom_status cmd_pretrain(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device;
    data_options data;
    training_options run;
    pretrain_options o;
    arg_group groups[] = {data_group(&data),
                          picture_group(&data.pictures),
                          training_network_group(&run),
                          {"Training", pretrain_table, COUNT(pretrain_table), &o},
                          training_run_group(&run),
                          device_group(&device),
                          result_group(&run.result),
                          common_group(&common)};
    arg_spec spec = {
        .command = "pretrain",
        .summary =
            "Trains a network to classify the classes of a data set and writes it as a model. Ctrl-C, SIGTERM and a "
            "hang-up write a "
            "checkpoint first; with --resume the run goes on from there and ends with the same file, byte by byte.",
        .groups = groups,
        .group_count = COUNT(groups)};
    bool go = false;
    adatom_model *model = NULL, *teacher = NULL;
    training t = {.cli = cli, .command = "pretrain", .o = &run};
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &go);
    if (!go) goto done;
    TRY(training_open(&t, &data, &device));
    adatom_dataset_info base = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(t.base, &base);
    training_tell_start(&t, base.classes);
    if (o.teacher) TRY(adatom_model_load(cli->ctx, o.teacher, &teacher));
    const adatom_pretrain_params params = {.size = sizeof params,
                                           .model = &t.network,
                                           .from = t.from,
                                           .epochs = o.epochs,
                                           .batch = o.batch,
                                           .optimizer = o.optimizer,
                                           .lr = o.lr,
                                           .momentum = o.momentum,
                                           .weight_decay = o.weight_decay,
                                           .label_smoothing = o.label_smoothing,
                                           .warmup = o.warmup,
                                           .milestones = o.milestones.items,
                                           .milestone_count = (size_t)o.milestones.count,
                                           .decay = o.decay,
                                           .mixup = o.mixup,
                                           .cutmix = o.cutmix,
                                           .rotation = o.rotation,
                                           .average = o.average,
                                           .teacher = teacher,
                                           .teacher_weight = o.teacher_weight,
                                           .temperature = o.temperature,
                                           .dropblock = o.dropblock,
                                           .dropblock_side = o.dropblock_side,
                                           .fast = o.fast,
                                           .augment = t.augment,
                                           .shift = run.shift,
                                           .seed = run.seed,
                                           .validation = t.validation,
                                           .validation_tasks = o.validation_tasks,
                                           .output = run.output,
                                           .checkpoint = run.checkpoint,
                                           .checkpoint_seconds = run.checkpoint_seconds,
                                           .resume = run.resume,
                                           .restart = run.restart,
                                           .memory_bytes = t.memory_bytes,
                                           .progress = training_progress,
                                           .user = &t};
    status = adatom_pretrain(t.device, t.base, &params, &model);
    if (status == ADATOM_INTERRUPTED) training_page_part(&t, status, argc, argv);
    TRY(status);
    TRY(training_report(&t, model, argc, argv));
done:
    adatom_model_destroy(&model);
    adatom_model_destroy(&teacher);
    training_clear(&t);
    return status;
}

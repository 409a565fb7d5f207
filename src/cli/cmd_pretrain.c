#include "report.h"
#include "terminal.h"
#include <adatom/train.h>

#include <string.h>

typedef struct pretrain_options {
    const char *from, *arch;
    adatom_sharing sharing;
    adatom_stem stem;
    int atoms, group, image_size, width;
    bool decompose_first;
    const char *validation, *validation_split;
    int validation_tasks, epochs, batch, shift, checkpoint_seconds;
    adatom_optimizer optimizer;
    const char *augment, *output, *checkpoint, *format, *file;
    float lr, momentum, weight_decay, label_smoothing, warmup, decay;
    arg_ints milestones;
    uint64_t seed, memory;
    bool resume, restart;
} pretrain_options;

static const char *archs[MOST_ARCHS];
static const char *const stems[] = {ADATOM_STEM_LIST(CHOICE_TEXT) NULL};
static const char *const optimizers[] = {ADATOM_OPTIMIZER_LIST(CHOICE_TEXT) NULL};
/* none, shift or crop, each with any of +flip and +jitter. */
static const char *const augments[] = {
    "none", "none+flip", "none+jitter", "none+flip+jitter", "shift", "shift+flip", "shift+jitter", "shift+flip+jitter",
    "crop", "crop+flip", "crop+jitter", "crop+flip+jitter", NULL};

#define OPTIONS pretrain_options
static const arg_option network_table[] = {
    OPTION("from", ARG_TEXT, from, .value = "MODEL",
           .help = "start from this model's parameters, a decomposed or imported one too; the options below are then "
                   "the model's"),
    OPTION("arch", ARG_CHOICE, arch, .choices = archs, .value = "NAME", .help = "network (default conv4)"),
    OPTION("sharing", ARG_ENUM, sharing, .choices = sharing_names + 1, .base = 1, .value = "NAME",
           .help = "which layers share coefficients; group-*: the groups of their channels do; none: ordinary kernels "
                   "(default net)"),
    OPTION("atoms", ARG_INT, atoms, .least = 1, .most = 64, .value = "M", .help = "atoms of a dictionary (default 8)"),
    OPTION("group", ARG_INT, group, .least = 4, .most = 1024, .value = "S",
           .help = "channels of a group with sharing group-* (default: the most up to 64 that divide every width)"),
    OPTION("image-size", ARG_INT, image_size, .least = 8, .most = 1024, .value = "PIXELS",
           .help = "square input (default 84)"),
    OPTION("width", ARG_INT, width, .least = 0, .most = 4096, .value = "N",
           .help = "channels of the first stage, a multiple of 4; 0: the network's own"),
    OPTION("stem", ARG_ENUM, stem, .choices = stems + 1, .base = 1, .value = "NAME",
           .help = "first layer of resnet10, 18 and 34 (default 7x7)"),
    OPTION("decompose-first", ARG_FLAG, decompose_first, .help = "decompose the first convolution too"),
};
static const arg_option training_table[] = {
    OPTION("output", ARG_TEXT, output, .required = true, .value = "FILE", .help = "the model (safetensors)"),
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
    OPTION("augment", ARG_CHOICE, augment, .choices = augments, .initial = "shift+flip", .value = "NAME",
           .help = "changes to the pictures"),
    OPTION("shift", ARG_INT, shift, .least = 0, .most = 1024, .initial = "0", .value = "PIXELS",
           .help = "pixels of --augment shift; 0: a tenth of the size"),
    OPTION("seed", ARG_SEED, seed, .initial = "1", .value = "N", .help = "seed of start, order and augmentation"),
    OPTION("val", ARG_TEXT, validation, .value = "DATA",
           .help = "validate by few-shot episodes on this data after every epoch"),
    OPTION("val-split", ARG_TEXT, validation_split, .value = "SPLIT",
           .help = "split of the validation data; without --val a split of --data"),
    OPTION("val-tasks", ARG_INT, validation_tasks, .least = 1, .most = ADATOM_EPISODES_MOST, .initial = "100",
           .value = "N", .help = "validation episodes"),
    OPTION("resume", ARG_FLAG, resume,
           .help = "go on from the checkpoint; a warning if there is none, refused if --checkpoint names one that is "
                   "not there"),
    OPTION("restart", ARG_FLAG, restart, .help = "begin anew although there is a checkpoint, and remove it"),
    OPTION("checkpoint", ARG_TEXT, checkpoint, .value = "FILE", .help = "default: the output's name and .checkpoint"),
    OPTION("checkpoint-seconds", ARG_INT, checkpoint_seconds, .least = 1, .most = 1e6, .initial = "120", .value = "N",
           .help = "write a checkpoint that often within an epoch, too"),
    OPTION("memory", ARG_BYTES, memory, .value = "SIZE",
           .help = "most device memory to use, e.g. 2G; pictures that don't fit are streamed; 0: half of what is free"),
    OPTION("format", ARG_CHOICE, format, .letter = 'o', .choices = report_formats, .initial = "table",
           .value = "FORMAT", .help = "form of the result"),
    OPTION("output-file", ARG_TEXT, file, .value = "FILE", .help = "write the result there instead of standard output"),
};
#undef OPTIONS

static const report_column columns[] = {
    {"epoch", CELL_COUNT, "epoch", NULL},
    {"loss", CELL_NUMBER, "loss", NULL},
    {"accuracy %", CELL_PERCENT, "accuracy", NULL},
    {"validation %", CELL_PERCENT, "validation", NULL},
    {"pictures/s", CELL_NUMBER, "images_per_s", NULL},
};

struct training {
    struct cli *cli;
    json_t *epochs;
    size_t arena_bytes;
    double seconds;
    bool started, streamed;
};

static void show(struct training *t, const adatom_progress *reported) {
    const adatom_training_progress *now = reported->training;
    char text[160], validation[48] = "";
    t->arena_bytes = now->arena_bytes;
    t->seconds = now->seconds;
    t->streamed = now->streamed;
    if (now->validation >= 0) snprintf(validation, sizeof validation, ", validation %.2f %%", 100 * now->validation);
    if (now->epoch_end) {
        cli_note(t->cli, "epoch %d/%d: loss %.4f, accuracy %.2f %%%s, %.0f pictures/s", now->epoch, now->epochs,
                 now->loss, 100 * now->accuracy, validation, now->images_per_s);
        json_array_append_new(t->epochs, json_pack("{s:i,s:f,s:f,s:o,s:f}", "epoch", now->epoch, "loss", now->loss,
                                                   "accuracy", now->accuracy, "validation",
                                                   now->validation >= 0 ? json_real(now->validation) : json_null(),
                                                   "images_per_s", now->images_per_s));
        return;
    }
    if (!t->started) progress_start(&t->cli->progress, "pretrain", (double)reported->done);
    t->started = true;
    snprintf(text, sizeof text, "epoch %d/%d, loss %.4f, accuracy %.2f %%, %.0f pictures/s", now->epoch, now->epochs,
             now->loss, 100 * now->accuracy, now->images_per_s);
    progress_update(&t->cli->progress, (double)reported->done, (double)reported->total, text);
}

static bool on_progress(void *user, const adatom_progress *now) {
    struct training *t = user;
    if (now->training) show(t, now);
    return !*t->cli->stopped;
}

/* The command as it was typed, for the result only: the model's file does not hold it, so that the same run under
 * another name gives the same bytes. */
static void command_line(int argc, char **argv, char *out, size_t capacity) {
    size_t used = (size_t)snprintf(out, capacity, "adatom pretrain");
    for (int i = 0; i < argc && used < capacity; i++)
        used += (size_t)snprintf(out + used, capacity - used, " %s", argv[i]);
}

static adatom_status open_validation(struct cli *cli, const pretrain_options *o, const data_options *data,
                                     const device_options *device, picture_form form, adatom_dataset **out) {
    data_options validation = *data;
    if (!o->validation && !o->validation_split) return ADATOM_OK;
    if (o->validation) {
        validation.data = o->validation;
        validation.csv = NULL;
    }
    validation.split = o->validation_split;
    return cli_open_dataset(cli, &validation, device, form, out);
}

static void tell_start(struct cli *cli, const pretrain_options *o, const adatom_model *from,
                       const adatom_dataset *base) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info data = ADATOM_INIT(adatom_dataset_info);
    adatom_model_describe(from, &m);
    adatom_dataset_describe(base, &data);
    if (m.classes == data.classes)
        cli_note(cli, "start: %s with its classifier of %d classes", o->from, m.classes);
    else
        cli_note(cli, "start: %s with a new classifier: it has %d classes, the data %d", o->from, m.classes,
                 data.classes);
}

adatom_status cmd_pretrain(struct cli *cli, int argc, char **argv) {
    cli_list_archs(NULL, archs);
    common_options common;
    device_options device_values;
    data_options data;
    pretrain_options o;
    arg_group groups[] = {data_group(&data),
                          picture_group(&data.pictures),
                          {"Network", network_table, COUNT(network_table), &o},
                          {"Training", training_table, COUNT(training_table), &o},
                          device_group(&device_values),
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
    adatom_device *device = NULL;
    adatom_dataset *base = NULL, *validation = NULL;
    adatom_model *from = NULL, *model = NULL;
    struct training t = {.cli = cli, .epochs = json_array()};
    json_t *document = NULL;
    char command[2048], below[4400], name[4096];
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &go);
    if (!go) goto done;
    picture_form form = {.size = o.image_size ? o.image_size : 84};
    if (o.from) {
        adatom_model_info start = ADATOM_INIT(adatom_model_info);
        TRY(adatom_model_load(cli->ctx, o.from, &from));
        adatom_model_describe(from, &start);
        form = cli_picture_form(&start);
    }
    TRY(cli_open_dataset(cli, &data, &device_values, form, &base));
    TRY(open_validation(cli, &o, &data, &device_values, form, &validation));
    TRY(cli_open_device(cli, &device_values, &device));
    if (from) tell_start(cli, &o, from, base);
    command_line(argc, argv, command, sizeof command);
    uint32_t augment = 0;
    TRY(cli_augment(cli, o.augment, &augment));
    const adatom_model_params network = {.size = sizeof network,
                                         .arch = o.arch,
                                         .sharing = o.sharing,
                                         .atoms = o.atoms,
                                         .group = o.group,
                                         .image_size = o.image_size,
                                         .width = o.width,
                                         .decompose_first = o.decompose_first,
                                         .stem = o.stem,
                                         .seed = o.seed};
    adatom_pretrain_params params = {.size = sizeof params,
                                     .model = &network,
                                     .from = from,
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
                                     .augment = augment,
                                     .shift = o.shift,
                                     .seed = o.seed,
                                     .validation = validation,
                                     .validation_tasks = o.validation_tasks,
                                     .output = o.output,
                                     .checkpoint = o.checkpoint,
                                     .checkpoint_seconds = o.checkpoint_seconds,
                                     .resume = o.resume,
                                     .restart = o.restart,
                                     .memory_bytes = (size_t)(o.memory < SIZE_MAX ? o.memory : SIZE_MAX),
                                     .progress = on_progress,
                                     .user = &t};
    TRY(adatom_pretrain(device, base, &params, &model));
    progress_clear(&cli->progress);

    adatom_device_info device_info = ADATOM_INIT(adatom_device_info);
    adatom_dataset_info data_info = ADATOM_INIT(adatom_dataset_info);
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_device_describe(device, &device_info);
    adatom_dataset_describe(base, &data_info);
    adatom_model_describe(model, &m);
    document = report_document("pretrain");
    json_object_set_new(document, "device", report_device(&device_info));
    report_precision(document, &device_info);
    json_object_set_new(document, "dataset", report_dataset(&data_info));
    json_object_set_new(document, "model",
                        json_pack("{s:o,s:s,s:s,s:s,s:i,s:I}", "file", report_text(o.output), "hash", m.hash, "arch",
                                  m.arch, "sharing", adatom_sharing_name(m.sharing), "atoms", m.atoms, "parameters",
                                  (json_int_t)m.parameters));
    json_object_set_new(document, "training_command", report_text(command));
    json_object_set_new(document, "memory",
                        json_pack("{s:I,s:s}", "arena_bytes", (json_int_t)t.arena_bytes, "pictures",
                                  t.streamed ? "streamed" : "resident"));
    json_object_set_new(document, "seconds", json_real(t.seconds));
    json_object_set(document, "epochs", t.epochs);
    snprintf(below, sizeof below, "\n%s: %s, sharing %s, %d atoms, %llu parameters, hash %s\n",
             terminal_name(o.output, name, sizeof name), m.arch, adatom_sharing_name(m.sharing), m.atoms,
             (unsigned long long)m.parameters, m.hash);
    output_options output = {o.format, o.file};
    struct report report = {
        .document = document, .rows = "epochs", .columns = columns, .column_count = COUNT(columns), .below = below};
    TRY(report_write(cli, &output, &report));
done:
    json_decref(t.epochs);
    json_decref(document);
    adatom_model_destroy(&model);
    adatom_model_destroy(&from);
    adatom_dataset_destroy(&validation);
    adatom_dataset_destroy(&base);
    adatom_device_destroy(&device);
    return status;
}

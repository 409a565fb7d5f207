#include "training_run.h"
#include "page_training.h"
#include "progress.h"
#include "terminal.h"
#include "training_plot.h"

#include <string.h>

static const char *archs[MOST_ARCHS];
static const char *const stems[] = {ADATOM_STEM_LIST(CHOICE_TEXT) NULL};
/* none, shift or crop, each with any of +flip and +jitter. */
static const char *const augments[] = {
    "none", "none+flip", "none+jitter", "none+flip+jitter", "shift", "shift+flip", "shift+jitter", "shift+flip+jitter",
    "crop", "crop+flip", "crop+jitter", "crop+flip+jitter", NULL};

#define OPTIONS training_options
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
static const arg_option run_table[] = {
    OPTION("output", ARG_TEXT, output, .letter = 'o', .required = true, .value = "FILE", .former = report_formats,
           .former_of = "format", .help = "the model (safetensors)"),
    OPTION("augment", ARG_CHOICE, augment, .choices = augments, .initial = "shift+flip", .value = "NAME",
           .help = "changes to the pictures"),
    OPTION("shift", ARG_INT, shift, .least = 0, .most = 1024, .initial = "0", .value = "PIXELS",
           .help = "pixels of --augment shift; 0: a tenth of the size"),
    OPTION("seed", ARG_SEED, seed, .initial = "1", .value = "N", .help = "seed of start, order and augmentation"),
    OPTION("val", ARG_TEXT, validation, .value = "DATA",
           .help = "validate by few-shot episodes on this data after every epoch"),
    OPTION("val-split", ARG_TEXT, validation_split, .value = "SPLIT",
           .help = "split of the validation data; without --val a split of --data"),
    OPTION("resume", ARG_FLAG, resume,
           .help = "go on from the checkpoint; a warning if there is none, refused if --checkpoint names one that is "
                   "not there"),
    OPTION("restart", ARG_FLAG, restart, .help = "begin anew although there is a checkpoint, and remove it"),
    OPTION("checkpoint", ARG_TEXT, checkpoint, .value = "FILE", .help = "default: the output's name and .checkpoint"),
    OPTION("checkpoint-seconds", ARG_INT, checkpoint_seconds, .least = 1, .most = 1e6, .initial = "120", .value = "N",
           .help = "write a checkpoint that often within an epoch, too"),
    OPTION("memory", ARG_BYTES, memory, .value = "SIZE",
           .help = "most device memory to use, e.g. 2G; pictures that don't fit are streamed; 0: half of what is free"),
    OPTION("plot", ARG_TEXT, plot, .value = "FILE.svg",
           .help = "draw loss, accuracy and validation against the epochs, anew after each of them"),
    PAGE_OPTION(training_options),
};
#undef OPTIONS

arg_group training_network_group(training_options *values) {
    cli_list_archs(NULL, archs);
    return (arg_group){"Network", network_table, COUNT(network_table), values};
}

arg_group training_run_group(training_options *values) {
    return (arg_group){"Run", run_table, COUNT(run_table), values};
}

static const report_column columns[] = {
    {"epoch", CELL_COUNT, "epoch", NULL},
    {"loss", CELL_NUMBER, "loss", NULL},
    {"accuracy %", CELL_PERCENT, "accuracy", NULL},
    {"validation %", CELL_PERCENT, "validation", NULL},
    {"pictures/s", CELL_NUMBER, "images_per_s", NULL},
};

static void show(training *t, const adatom_progress *reported) {
    const adatom_training_progress *now = reported->training;
    char text[160], validation[48] = "";
    t->arena_bytes = now->arena_bytes;
    t->seconds = now->seconds;
    t->streamed = now->streamed;
    if (now->validation >= 0) snprintf(validation, sizeof validation, ", validation %.2f %%", 100 * now->validation);
    if (now->epoch_end) {
        if (!now->past)
            cli_note(t->cli, "epoch %d/%d: loss %.4f, accuracy %.2f %%%s, %.0f pictures/s", now->epoch, now->epochs,
                     now->loss, 100 * now->accuracy, validation, now->images_per_s);
        json_array_append_new(t->epochs, json_pack("{s:i,s:f,s:f,s:o,s:f}", "epoch", now->epoch, "loss", now->loss,
                                                   "accuracy", now->accuracy, "validation",
                                                   now->validation >= 0 ? json_real(now->validation) : json_null(),
                                                   "images_per_s", now->images_per_s));
        t->planned = now->epochs;
        if (t->o->plot && !now->past && training_plot(t->cli, t->o->plot, t->epochs, t->planned) != ADATOM_OK)
            cli_note(t->cli, "warning: the curve of epoch %d is not drawn", now->epoch); /* the last is tried again */
        return;
    }
    if (!t->started) progress_start(&t->cli->progress, t->command, (double)reported->done);
    t->started = true;
    snprintf(text, sizeof text, "epoch %d/%d, loss %.4f, accuracy %.2f %%, %.0f pictures/s", now->epoch, now->epochs,
             now->loss, 100 * now->accuracy, now->images_per_s);
    progress_update(&t->cli->progress, (double)reported->done, (double)reported->total, text);
}

bool training_progress(void *user, const adatom_progress *now) {
    training *t = user;
    if (now->training) show(t, now);
    return !*t->cli->stopped;
}

/* The command as it was typed, for the result only: the model's file does not hold it, so that the same run under
 * another name gives the same bytes. */
static void command_line(const char *command, int argc, char **argv, char *out, size_t capacity) {
    size_t used = (size_t)snprintf(out, capacity, "adatom %s", command);
    for (int i = 0; i < argc && used < capacity; i++)
        used += (size_t)snprintf(out + used, capacity - used, " %s", argv[i]);
}

static adatom_status open_validation(struct cli *cli, const training_options *o, const data_options *data,
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

void training_tell_start(const training *t, int classes) {
    const char *from = t->o->from;
    struct cli *cli = t->cli;
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    if (!t->from) return;
    adatom_model_describe(t->from, &m);
    if (!classes)
        cli_note(cli, "start: %s without its classifier", from);
    else if (!m.classes)
        cli_note(cli, "start: %s with a new classifier of %d classes: it has none", from, classes);
    else if (m.classes == classes)
        cli_note(cli, "start: %s with its classifier of %d classes", from, m.classes);
    else
        cli_note(cli, "start: %s with a new classifier of %d classes: it has %d", from, classes, m.classes);
}

adatom_status training_open(training *t, const data_options *data, const device_options *device) {
    const training_options *o = t->o;
    struct cli *cli = t->cli;
    picture_form form = {.size = o->image_size ? o->image_size : 84};
    adatom_status status = ADATOM_OK;
    t->epochs = json_array();
    if (o->from) {
        adatom_model_info start = ADATOM_INIT(adatom_model_info);
        TRY(adatom_model_load(cli->ctx, o->from, &t->from));
        adatom_model_describe(t->from, &start);
        form = cli_picture_form(&start);
    }
    TRY(cli_open_dataset(cli, data, device, form, &t->base));
    TRY(open_validation(cli, o, data, device, form, &t->validation));
    TRY(cli_open_device(cli, device, &t->device));
    TRY(cli_augment(cli, o->augment, &t->augment));
    t->network = (adatom_model_params){.size = sizeof t->network,
                                       .arch = o->arch,
                                       .sharing = o->sharing,
                                       .atoms = o->atoms,
                                       .group = o->group,
                                       .image_size = o->image_size,
                                       .width = o->width,
                                       .decompose_first = o->decompose_first,
                                       .stem = o->stem,
                                       .seed = o->seed};
    t->memory_bytes = (size_t)(o->memory < SIZE_MAX ? o->memory : SIZE_MAX);
done:
    return status;
}

/* model NULL: it was not finished. */
static json_t *make_document(const training *t, const adatom_model *model, int argc, char **argv) {
    char command[2048];
    adatom_device_info device_info = ADATOM_INIT(adatom_device_info);
    adatom_dataset_info data_info = ADATOM_INIT(adatom_dataset_info);
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    command_line(t->command, argc, argv, command, sizeof command);
    adatom_device_describe(t->device, &device_info);
    adatom_dataset_describe(t->base, &data_info);
    if (model) adatom_model_describe(model, &m);
    json_t *document = report_document(t->command);
    json_object_set_new(document, "device", report_device(&device_info));
    report_precision(document, &device_info);
    json_object_set_new(document, "dataset", report_dataset(&data_info));
    if (model)
        json_object_set_new(document, "model",
                            json_pack("{s:o,s:s,s:s,s:s,s:i,s:I}", "file", report_text(t->o->output), "hash", m.hash,
                                      "arch", m.arch, "sharing", adatom_sharing_name(m.sharing), "atoms", m.atoms,
                                      "parameters", (json_int_t)m.parameters));
    json_object_set_new(document, "training_command", report_text(command));
    json_object_set_new(document, "memory",
                        json_pack("{s:I,s:s}", "arena_bytes", (json_int_t)t->arena_bytes, "pictures",
                                  t->streamed ? "streamed" : "resident"));
    json_object_set_new(document, "seconds", json_real(t->seconds));
    json_object_set(document, "epochs", t->epochs);
    return document;
}

/* What decided a training is what its model's file says of it. */
static adatom_status write_page(training *t, json_t *document, const adatom_model *model, int argc, char **argv) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    if (model) adatom_model_describe(model, &m);
    json_t *notes = m.notes ? json_loads(m.notes, 0, NULL) : NULL;
    const adatom_status status =
        page_training(t->cli, t->o->report, document, t->planned, notes, &(page_call){argc, argv});
    json_decref(notes);
    return status;
}

void training_page_part(training *t, adatom_status ended, int argc, char **argv) {
    struct cli *cli = t->cli;
    char reason[sizeof cli->message];
    if (!t->o->report || !t->device || !t->base) return;
    progress_clear(&cli->progress);
    snprintf(reason, sizeof reason, "%s", cli->message[0] ? cli->message : adatom_context_message(cli->ctx));
    json_t *document = make_document(t, NULL, argc, argv);
    json_object_set_new(document, "unfinished", report_text(reason));
    write_page(t, document, NULL, argc, argv);
    json_decref(document);
    cli_fail(cli, ended, "%s", reason);
}

adatom_status training_report(training *t, const adatom_model *model, int argc, char **argv) {
    const training_options *o = t->o;
    struct cli *cli = t->cli;
    char below[4400], name[4096];
    adatom_status status;
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    progress_clear(&cli->progress);
    adatom_model_describe(model, &m);
    json_t *document = make_document(t, model, argc, argv);
    snprintf(below, sizeof below, "\n%s: %s, sharing %s, %d atoms, %llu parameters, hash %s\n",
             terminal_name(o->output, name, sizeof name), m.arch, adatom_sharing_name(m.sharing), m.atoms,
             (unsigned long long)m.parameters, m.hash);
    struct report report = {
        .document = document, .rows = "epochs", .columns = columns, .column_count = COUNT(columns), .below = below};
    TRY(report_write(cli, &o->result, &report));
    if (o->plot) TRY(training_plot(cli, o->plot, t->epochs, t->planned));
    if (o->report) TRY(write_page(t, document, model, argc, argv));
done:
    json_decref(document);
    return status;
}

void training_clear(training *t) {
    json_decref(t->epochs);
    adatom_model_destroy(&t->from);
    adatom_dataset_destroy(&t->validation);
    adatom_dataset_destroy(&t->base);
    adatom_device_destroy(&t->device);
}

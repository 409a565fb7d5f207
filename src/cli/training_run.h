/* What the commands that train have in common: the network, the options of a run, its progress and its report. */
#ifndef CLI_TRAINING_RUN_H
#define CLI_TRAINING_RUN_H

#include "cli.h"
#include "report.h"
#include <adatom/train.h>

typedef struct training_options {
    const char *from, *arch;
    adatom_sharing sharing;
    adatom_stem stem;
    int atoms, group, image_size, width;
    bool decompose_first;
    const char *validation, *validation_split;
    int shift, checkpoint_seconds;
    const char *augment, *output, *checkpoint, *plot, *report;
    output_options result;
    uint64_t seed, memory;
    bool resume, restart;
} training_options;

arg_group training_network_group(training_options *values);
arg_group training_run_group(training_options *values);

/* A command that trains, while it works. */
typedef struct training {
    struct cli *cli;
    const char *command; /* "pretrain" */
    const training_options *o;
    adatom_model *from;
    adatom_dataset *base, *validation;
    adatom_device *device;
    uint32_t augment; /* of the library */
    adatom_model_params network;
    size_t memory_bytes;
    json_t *epochs; /* told so far */
    int planned;    /* epochs in all */
    size_t arena_bytes;
    double seconds;
    bool started, streamed;
} training;

/* Opens the model to start from, the data and the device. */
adatom_status training_open(training *t, const data_options *data, const device_options *device);
/* Says what becomes of the classifier of the model to start from, where there is one. classes: of the classifier that
 * is trained; 0: none. */
void training_tell_start(const training *t, int classes);
/* The callback of the library's trainings; user: a training. */
bool training_progress(void *user, const adatom_progress *now);
/* Writes the report of what became of it. */
adatom_status training_report(training *t, const adatom_model *model, int argc, char **argv);
/* The page of --report, if it is asked for, of a training that ended early with this status. The sentence that explains
 * why becomes cli->message. */
void training_page_part(training *t, adatom_status ended, int argc, char **argv);
void training_clear(training *t);
#endif

/* The commands, in the order in which --help lists them. */
#include "cli.h"

const cli_command cli_commands[] = {
    {"devices", "List the devices that can be used", cmd_devices},
    {"doctor", "Check every kernel of a device against double precision", cmd_doctor},
    {"bench", "Measure a device's peaks, kernels and whole adaptation", cmd_bench},
    {"tune", "Find the fastest kernels for a network on a device", cmd_tune},
    {"data", "Describe a data set (info) or look for what is wrong with it (verify)", cmd_data},
    {"pretrain", "Train a network on base classes", cmd_pretrain},
    {"metatrain", "Train a network on episodes of base classes", cmd_metatrain},
    {"episodes", "Adapt a model to few-shot episodes and report the accuracy", cmd_episodes},
    {"reproduce", "Run a recipe and say whether its result holds", cmd_reproduce},
    {"adapt", "Adapt a model to a folder of pictures of new classes", cmd_adapt},
    {"classify", "Tell the classes of pictures under an adapter", cmd_classify},
    {"features", "Write a model's features of pictures to a file", cmd_features},
    {"import", "Make a model of a network trained elsewhere", cmd_import},
    {"decompose", "Turn a model's kernels into coefficients and atoms", cmd_decompose},
    {"round", "Keep a model's numbers in half precision: a smaller file", cmd_round},
    {"export", "Write a model's weights for another program", cmd_export},
    {"inspect", "Show a model's layers, parameters and cost", cmd_inspect},
    {"manual", "Print the manual page of a command", cmd_manual},
    {"completion", "Print a shell's completion of commands and options", cmd_completion},
    {NULL, NULL, NULL},
};

#include "report.h"
#include <adatom/bench.h>

#include <stdlib.h>

typedef struct tune_options {
    const char *arch;
    adatom_sharing sharing;
    int size, way, shot, query, tasks;
    float seconds;
} tune_options;

#define AT(member) .offset = offsetof(tune_options, member)
static const arg_option table[] = {
    {.name = "arch",
     .type = ARG_TEXT,
     AT(arch),
     .initial = "conv4",
     .value = "NAME",
     .help = "architecture, as in 'adatom pretrain'"},
    {.name = "sharing",
     .type = ARG_ENUM,
     AT(sharing),
     .choices = sharing_names + 1,
     .base = 1,
     .initial = "net",
     .value = "MODE",
     .help = "which layers share coefficients, as in 'adatom pretrain'"},
    {.name = "image-size",
     .type = ARG_INT,
     AT(size),
     .least = 8,
     .most = 1024,
     .initial = "84",
     .value = "PIXELS",
     .help = "square input of the network"},
    {.name = "way",
     .type = ARG_INT,
     AT(way),
     .least = 1,
     .most = 4096,
     .initial = "5",
     .value = "N",
     .help = "classes of an episode"},
    {.name = "shot",
     .type = ARG_INT,
     AT(shot),
     .least = 1,
     .most = 4096,
     .initial = "5",
     .value = "N",
     .help = "support pictures a class"},
    {.name = "query",
     .type = ARG_INT,
     AT(query),
     .least = 1,
     .most = 4096,
     .initial = "15",
     .value = "N",
     .help = "query pictures a class"},
    {.name = "tasks",
     .type = ARG_INT,
     AT(tasks),
     .least = 1,
     .most = 4096,
     .initial = "4",
     .value = "N",
     .help = "episodes at once"},
    {.name = "seconds",
     .type = ARG_REAL,
     AT(seconds),
     .least = 0,
     .most = 1e6,
     .initial = "60",
     .value = "X",
     .help = "time after which no further operation is begun"},
};
#undef AT

static const report_column columns[] = {
    {"operation", CELL_TEXT, "operation", NULL},
    {"shape", CELL_TEXT, "shape", NULL},
    {"before", CELL_TEXT, "before", NULL},
    {"us", CELL_NUMBER, "before_us", NULL},
    {"best", CELL_TEXT, "best", NULL},
    {"us", CELL_NUMBER, "best_us", NULL},
    {"variants", CELL_COUNT, "candidates", NULL},
    {"failed", CELL_COUNT, "failed", NULL},
};

struct tune {
    struct cli *cli;
    json_t *rows;
};

static void on_result(void *user, const adatom_tune_result *r) {
    struct tune *t = user;
    json_array_append_new(t->rows,
                          json_pack("{s:s,s:s,s:s,s:f,s:s,s:f,s:i,s:i}", "operation", r->operation, "shape", r->shape,
                                    "before", r->before, "before_us", r->before_ns / 1e3, "best", r->best, "best_us",
                                    r->best_ns / 1e3, "candidates", r->candidates, "failed", r->failed));
    progress_update(&t->cli->progress, (double)json_array_size(t->rows), 0, r->operation);
}

static bool on_progress(void *user, const adatom_progress *now) {
    return cli_progress(((struct tune *)user)->cli, now);
}

adatom_status cmd_tune(struct cli *cli, int argc, char **argv) {
    common_options common;
    device_options device_values;
    output_options output;
    tune_options values;
    arg_group groups[] = {{"Network and episode", table, COUNT(table), &values},
                          device_group(&device_values),
                          output_group(&output),
                          common_group(&common)};
    arg_spec spec = {
        .command = "tune",
        .summary =
            "For every class of operations of adapting the network's atoms and of fine-tuning it, checks the kernels "
            "that "
            "apply against double precision, times those that pass, and keeps the fastest in the cache folder for this "
            "device, driver and these shaders.",
        .groups = groups,
        .group_count = COUNT(groups)};
    bool run = false;
    int tuned = 0;
    adatom_device *device = NULL;
    json_t *document = NULL;
    struct tune tune = {.cli = cli, .rows = json_array()};
    adatom_status status = cli_parse(cli, &spec, &common, argc, argv, &run);
    if (!run) goto done;
    TRY(cli_open_device(cli, &device_values, &device));
    adatom_tune_params params = {.size = sizeof params,
                                 .arch = values.arch,
                                 .sharing = values.sharing,
                                 .image_size = values.size,
                                 .way = values.way,
                                 .shot = values.shot,
                                 .query = values.query,
                                 .tasks_at_once = values.tasks,
                                 .seconds = (double)values.seconds,
                                 .report = on_result,
                                 .progress = on_progress,
                                 .user = &tune};
    progress_start(&cli->progress, "tune", 0);
    TRY(adatom_tune_device(device, &params, &tuned));
    progress_clear(&cli->progress);
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(device, &info);
    if (!(document = report_document("tune"))) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for the result"));
    json_object_set_new(document, "device", report_device(&info));
    report_precision(document, &info);
    json_object_set(document, "results", tune.rows);
    struct report report = {
        .document = document, .rows = "results", .columns = columns, .column_count = COUNT(columns)};
    TRY(report_write(cli, &output, &report));
    cli_note(cli, "%d classes of operations tuned", tuned);
done:
    json_decref(document);
    json_decref(tune.rows);
    adatom_device_destroy(&device);
    return status;
}

/* Result files of bench: merged, drawn, compared. */
#include "bench_files.h"
#include "bench_plot.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const forms[] = {"table", "json", "jsonl", "csv"};
    char path[] = "/tmp/adatom-fuzz-XXXXXX";
    const int file = mkstemp(path);
    if (file < 0 || (size && write(file, data, size) != (ssize_t)size)) abort();
    close(file);
    struct cli cli = {.quiet = true};
    if (adatom_context_create(NULL, &cli.ctx) == ADATOM_OK) {
        const output_options output = {.format = forms[size % 4], .file = "/dev/null"};
        const arg_texts files = {.count = 2, .items = {path, path}};
        json_t *new = NULL, *old = NULL;
        int regressions, compared;
        bench_merge(&cli, &files, &output);
        bench_plot_files(&cli, "/dev/null", &files);
        if (bench_load(&cli, path, &new) == ADATOM_OK && bench_load(&cli, path, &old) == ADATOM_OK &&
            !bench_compare(new, old, &regressions, &compared))
            abort();
        json_decref(new);
        json_decref(old);
        adatom_context_destroy(&cli.ctx);
    }
    unlink(path);
    return 0;
}

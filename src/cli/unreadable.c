#include "unreadable.h"

#include "report.h"

static void on_unreadable(void *user, const char *picture, const char *sentence) {
    unreadable_list *list = user;
    if (json_array_size(list->rows) == 0)
        snprintf(list->first, sizeof list->first, "%.*s", (int)report_cut(sentence, 500), sentence);
    cli_note(list->cli, "left out: %s", sentence);
    json_array_append_new(list->rows,
                          json_pack("{s:o,s:o}", "picture", report_text(picture), "error", report_text(sentence)));
}

static bool on_progress(void *user, const adatom_progress *now) {
    return cli_progress(((unreadable_list *)user)->cli, now);
}

void unreadable_watch(unreadable_list *list, adatom_dataset_params *params) {
    params->user = list;
    params->progress = on_progress;
    params->unreadable = on_unreadable;
}

adatom_status unreadable_end(const unreadable_list *list) {
    const size_t bad = json_array_size(list->rows);
    if (bad == 0) return ADATOM_OK;
    return cli_fail(list->cli, ADATOM_BAD_DATA, "%zu picture%s could not be read: %s", bad, bad == 1 ? "" : "s",
                    list->first);
}

#include "fewshot/episode_rows.h"

#include <string.h>

adatom_status ad_episode_rows_list(ad_episode_rows *e, int at, int count, size_t row) {
    const adatom_episodes_info *list = &e->episodes->info;
    const int supports = list->way * list->shot, queries = list->way * list->query;
    const size_t numbers = (size_t)(1 + e->views) * e->all;
    if (!e->row_of) e->row_of = ad_malloc(e->ctx, numbers, sizeof *e->row_of);
    if (!e->images) e->images = ad_malloc(e->ctx, numbers, sizeof *e->images);
    if (!e->row_of || !e->images) return ADATOM_OUT_OF_MEMORY;
    memset(e->row_of, 0, numbers * sizeof *e->row_of);
    for (int k = e->first + at; k < e->first + at + count; k++) {
        const int32_t *support, *query;
        const adatom_status status = adatom_episodes_get(e->episodes, k, &support, &query);
        if (status != ADATOM_OK) return status;
        for (int i = 0; i < supports; i++)
            for (int v = e->views ? 1 : 0; v <= e->views; v++) e->row_of[(size_t)support[i] + (size_t)v * e->all] = 1;
        for (int i = 0; i < queries; i++) e->row_of[query[i]] = 1;
    }
    e->image_count = 0;
    for (size_t i = 0; i < numbers; i++) {
        if (!e->row_of[i]) continue;
        e->row_of[i] = (int32_t)(row + e->image_count);
        e->images[e->image_count++] = (int32_t)i;
    }
    return ADATOM_OK;
}

/* Sends the pictures of the tasks from `at` on, or, where all stay on the device, of all tasks. */
static adatom_status send(ad_episode_rows *e, ad_row_stream *rows, int at, int tasks) {
    const bool stay = rows->parts == 1;
    const long number = stay ? 0 : at / tasks;
    const adatom_status status = ad_episode_rows_list(e, stay ? 0 : at, stay ? e->count : AD_MIN(tasks, e->count - at),
                                                      ad_row_stream_first(rows, number));
    return status == ADATOM_OK ? ad_row_stream_send(rows, number, e->images, 0, e->image_count) : status;
}

adatom_status ad_episode_rows_load(ad_episode_rows *e, ad_row_stream *rows, int at, int tasks) {
    adatom_status status = ADATOM_OK;
    if (rows->parts == 1 && rows->there[0] == 0) return ADATOM_OK;
    AD_TRY(send(e, rows, at, tasks));
    AD_TRY(ad_row_stream_wait(rows));
    if (rows->parts == 1 || at + tasks >= e->count) goto done;
    AD_TRY(send(e, rows, at + tasks, tasks));
    AD_TRY(send(e, rows, at, tasks)); /* for row_of: the pictures are there */
done:
    return status;
}

void ad_episode_rows_clear(ad_episode_rows *e) {
    ad_free(e->images);
    ad_free(e->row_of);
    e->images = e->row_of = NULL;
}

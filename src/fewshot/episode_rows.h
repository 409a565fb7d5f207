/* The pictures of episodes on the device: which there are, in what rows, and how those of the next group of episodes
 * come while the device computes on the present one. */
#ifndef AD_FEWSHOT_EPISODE_ROWS_H
#define AD_FEWSHOT_EPISODE_ROWS_H

#include "fewshot/episodes.h"
#include "fewshot/row_stream.h"

typedef struct ad_episode_rows {
    adatom_context *ctx;
    const adatom_episodes *episodes;
    size_t all; /* pictures of the data set */
    int views;  /* not 0: in place of a support picture p these numbers, p + all .. p + views*all in steps of all */
    int first, count; /* episodes of the list */
    int32_t *images;  /* [image_count] pictures that those last listed use, ascending */
    int32_t *row_of;  /* [(1 + views)*all] their row on the device */
    size_t image_count;
} ad_episode_rows;

/* Lists the pictures of episodes at .. at + count - 1 of those above, whose rows on the device begin with `row`. */
adatom_status ad_episode_rows_list(ad_episode_rows *e, int at, int count, size_t row);
/* The pictures of the `tasks` episodes from `at` on, a multiple of tasks, are there, and row_of tells where; those of
 * the tasks after them are on their way. Where all pictures stay, they are sent at the first call, with at = 0 or
 * not. */
adatom_status ad_episode_rows_load(ad_episode_rows *e, ad_row_stream *rows, int at, int tasks);
void ad_episode_rows_clear(ad_episode_rows *e);
#endif

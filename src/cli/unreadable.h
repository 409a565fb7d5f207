/* Pictures that a command leaves out because they cannot be read. */
#ifndef CLI_UNREADABLE_H
#define CLI_UNREADABLE_H

#include "cli.h"
#include <jansson.h>

typedef struct unreadable_list {
    struct cli *cli;
    json_t *rows;    /* a "picture" and its "error" each */
    char first[512]; /* the first one's sentence */
} unreadable_list;

/* Lets the list, which must live as long as the data set, take what cannot be read; progress is cli_progress(). */
void unreadable_watch(unreadable_list *list, adatom_dataset_params *params);
/* BAD_DATA with its sentence if there are any. */
adatom_status unreadable_end(const unreadable_list *list);
#endif

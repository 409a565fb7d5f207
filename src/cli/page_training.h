/* The page of commands that train. */
#ifndef CLI_PAGE_TRAINING_H
#define CLI_PAGE_TRAINING_H

#include "page.h"

/* The document holds the epochs told so far, `planned` in all. config: the training's settings, an object, or NULL. */
adatom_status page_training(struct cli *cli, const char *path, json_t *document, int planned, json_t *config,
                            const page_call *call);
#endif

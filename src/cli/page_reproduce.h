/* The page of 'adatom reproduce'. */
#ifndef CLI_PAGE_REPRODUCE_H
#define CLI_PAGE_REPRODUCE_H

#include "page.h"
#include <adatom/recipe.h>

adatom_status page_reproduce(struct cli *cli, const char *path, json_t *document, const adatom_recipe *recipe,
                             const adatom_reproduction *reproduction, const page_call *call);
#endif

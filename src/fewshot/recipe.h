/* A recipe in memory. */
#ifndef AD_FEWSHOT_RECIPE_H
#define AD_FEWSHOT_RECIPE_H

#include "base/base.h"
#include <adatom/recipe.h>
#include <jansson.h>

struct adatom_recipe {
    adatom_context *ctx;
    json_t *json; /* owns every text */
    char *file;   /* as messages name it */
    adatom_recipe_info info;
    adatom_episodes_params episodes;
    adatom_recipe_result *results; /* [info.results]; their methods: */
    adatom_method *methods;
};
#endif

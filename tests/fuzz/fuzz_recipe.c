/* Recipes. What is accepted is within the ranges that recipe.h promises. */
#include <adatom/recipe.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    adatom_context *context = NULL;
    adatom_recipe *recipe = NULL;
    if (adatom_context_create(NULL, &context) != ADATOM_OK) return 0;
    const adatom_status status = adatom_recipe_parse(context, "folder/fuzz.json", (const char *)data, size, &recipe);
    if ((status == ADATOM_OK) != (recipe != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
        abort();
    if (recipe) {
        adatom_recipe_info info = ADATOM_INIT(adatom_recipe_info);
        adatom_recipe_describe(recipe, &info);
        const adatom_episodes_params *e = info.episodes;
        if (!info.name || !info.model || (!info.spec && !info.supply) || info.results < 1) abort();
        if (e->way < 2 || e->shot < 1 || e->query < 1 || info.first < 0 || info.count < 0 ||
            info.count > e->tasks - info.first)
            abort();
        for (int i = 0; i < info.results; i++) {
            adatom_recipe_result one = ADATOM_INIT(adatom_recipe_result);
            if (adatom_recipe_get(recipe, i, &one) != ADATOM_OK || !one.method->adapt) abort();
            if (!(one.accuracy >= 0 && one.accuracy <= 1 && one.ci95 >= 0 && one.tolerance >= 0)) abort();
        }
    }
    adatom_recipe_destroy(&recipe);
    adatom_context_destroy(&context);
    return 0;
}

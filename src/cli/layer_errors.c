#include "layer_errors.h"
#include <adatom/transfer.h>

#include <string.h>

adatom_status layer_errors(const adatom_model *before, const adatom_model *after, bool decomposed, json_t *rows) {
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(after, &info);
    for (int i = 0; i < info.layers; i++) {
        adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
        double error = 0;
        adatom_status status = adatom_model_layer(after, i, &layer);
        if (status != ADATOM_OK) return status;
        if (strcmp(layer.kind, "conv") != 0 || (decomposed && layer.atoms == 0)) continue;
        if ((status = adatom_model_distance(before, after, i, &error)) != ADATOM_OK) return status;
        json_array_append_new(rows, json_pack("{s:s,s:i,s:s?,s:f}", "name", layer.name, "atoms", layer.atoms,
                                              "coefficients", layer.coefficients, "error", error));
    }
    return ADATOM_OK;
}

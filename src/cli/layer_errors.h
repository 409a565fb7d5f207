/* How far a network is from the one it was made of, layer by layer. */
#ifndef CLI_LAYER_ERRORS_H
#define CLI_LAYER_ERRORS_H

#include "report.h"

/* Adds a row for each convolution: name, atoms, coefficients (null where it has none) and error, |W - W'| / |W|.
 * decomposed: only for those with atoms. */
adatom_status layer_errors(const adatom_model *before, const adatom_model *after, bool decomposed, json_t *rows);
#endif

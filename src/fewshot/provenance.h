/* What adapters and features keep of where they come from, as JSON. Each function returns a new value; NULL: out of
 * memory. */
#ifndef AD_FEWSHOT_PROVENANCE_H
#define AD_FEWSHOT_PROVENANCE_H

#include <adatom/device.h>
#include <adatom/features.h>
#include <jansson.h>

/* The network and how it is fed. dataset (may be NULL): of features, whose own notes come first. */
json_t *ad_provenance_model(const adatom_model *model, const adatom_dataset *dataset);
/* JSON null of features whose network is not known. */
json_t *ad_provenance_preprocessing(const adatom_model *model, const adatom_dataset *dataset);
json_t *ad_provenance_device(const adatom_device *device);
#endif

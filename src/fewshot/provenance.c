#include "fewshot/provenance.h"

#include "io/json.h"

#include <string.h>

static const char *scaling_text(adatom_interpolation interpolation) {
    switch (interpolation) {
    case ADATOM_INTERPOLATION_BILINEAR: return "shorter side, antialiased bilinear as Pillow's, centre crop";
    case ADATOM_INTERPOLATION_BICUBIC: return "shorter side, antialiased bicubic as Pillow's, centre crop";
    case ADATOM_INTERPOLATION_FAST_BILINEAR:
    case ADATOM_INTERPOLATION_DEFAULT: break;
    }
    return "shorter side, antialiased bilinear, centre crop";
}

/* A member of what features tell of themselves. */
static json_t *noted(const adatom_dataset_info *info, const char *key) {
    json_error_t error;
    json_t *note = NULL, *member = NULL;
    if (info->origin && ad_json_parse(NULL, info->origin, strlen(info->origin), &note, &error) == ADATOM_OK)
        member = json_incref(json_object_get(note, key));
    json_decref(note);
    return member;
}

json_t *ad_provenance_model(const adatom_model *model, const adatom_dataset *dataset) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_model_describe(model, &m);
    if (dataset) adatom_dataset_describe(dataset, &d);
    json_t *own = noted(&d, "base_model");
    return own ? own
               : json_pack("{s:s, s:s, s:s, s:i, s:i}", "hash", m.hash, "arch", m.arch, "sharing",
                           adatom_sharing_name(m.sharing), "atoms", m.atoms, "image_size", m.image_size);
}

static json_t *floats3(const float v[3]) { return json_pack("[f, f, f]", (double)v[0], (double)v[1], (double)v[2]); }

json_t *ad_provenance_preprocessing(const adatom_model *model, const adatom_dataset *dataset) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info d = ADATOM_INIT(adatom_dataset_info);
    adatom_model_describe(model, &m);
    if (dataset) adatom_dataset_describe(dataset, &d);
    json_t *own = noted(&d, "preprocessing");
    if (own) return own;
    if (m.image_size == 0) return json_null();
    return json_pack("{s:i, s:s, s:o, s:o}", "size", m.image_size, "resize", scaling_text(m.interpolation), "mean",
                     floats3(m.mean), "std", floats3(m.std));
}

json_t *ad_provenance_device(const adatom_device *device) {
    adatom_device_info d = ADATOM_INIT(adatom_device_info);
    adatom_device_describe(device, &d);
    return json_pack("{s:s, s:s, s:s, s:s}", "backend", d.backend, "name", d.name, "driver", d.driver_info, "precision",
                     adatom_precision_name(d.precision));
}

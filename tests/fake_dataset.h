/* A data set of class sizes only, for tests of what needs no pixels: it stands in for io's functions at link time.
 * Included by one source file of an executable. */
#ifndef AD_TESTS_FAKE_DATASET_H
#define AD_TESTS_FAKE_DATASET_H

#include <adatom/dataset.h>
#include <stdio.h>

struct adatom_dataset {
    int classes;
    const size_t *sizes;
    const char *hash;
};

adatom_status adatom_dataset_describe(const adatom_dataset *dataset, adatom_dataset_info *out) {
    *out = (adatom_dataset_info){.size = sizeof *out, .name = "fake", .classes = dataset->classes, .image_size = 84};
    for (int c = 0; c < dataset->classes; c++) out->images += dataset->sizes[c];
    snprintf(out->hash, sizeof out->hash, "%s", dataset->hash);
    return ADATOM_OK;
}

adatom_status adatom_dataset_class(const adatom_dataset *dataset, int c, const char **name, size_t *first,
                                   size_t *count) {
    static const char *const names[] = {"ant", "bee", "cat", "dog", "eel", "fox", "gnu", "hen", "ibex", "jay"};
    if (c < 0 || c >= dataset->classes) return ADATOM_USAGE;
    *name = names[c % 10];
    *first = 0;
    for (int i = 0; i < c; i++) *first += dataset->sizes[i];
    *count = dataset->sizes[c];
    return ADATOM_OK;
}
#endif

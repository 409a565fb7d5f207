/* The page of 'adatom classify'. */
#ifndef CLI_PAGE_CLASSIFY_H
#define CLI_PAGE_CLASSIFY_H

#include "page.h"

/* One adapter, or the model's own classifier, and what it says. */
typedef struct classify_result {
    const char *name;              /* the adapter's folder, or "own" */
    const adatom_adapter *adapter; /* NULL: own */
    json_t *own;                   /* the names of the model's own classes; empty where it does not tell them */
    const adatom_predictions *predictions;
    int number; /* of the result among the predictions */
} classify_result;

/* dataset NULL: no picture could be read. */
adatom_status page_classify(struct cli *cli, const char *path, json_t *document, const adatom_dataset *dataset,
                            const classify_result *results, size_t count, const page_call *call);
#endif

/* The page of 'adatom adapt'. */
#ifndef CLI_PAGE_ADAPT_H
#define CLI_PAGE_ADAPT_H

#include "page.h"

/* adapter NULL: the search was interrupted, and the document has its candidates. model NULL: of features alone. */
adatom_status page_adapt(struct cli *cli, const char *path, json_t *document, const adatom_adapter *adapter,
                         const adatom_model *model, const adatom_dataset *dataset, const page_call *call);
#endif

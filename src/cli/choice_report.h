/* What 'adatom adapt' tells of the choice among ways to adapt. */
#ifndef CLI_CHOICE_REPORT_H
#define CLI_CHOICE_REPORT_H

#include "report.h"
#include <adatom/choose.h>

/* Everything of a choice as the member "choice" of a result. */
json_t *choice_json(struct cli *cli, const adatom_choice *choice);
/* The best of each kind, what was not tried and why, what was chosen and by how much, as lines. */
void choice_text(const adatom_choice *choice, char *out, size_t capacity);
/* Reports what was tried before the search ended with the status `ended`; document is what the result holds besides.
 * Returns `ended`, or what went wrong in writing. */
adatom_status choice_report_part(struct cli *cli, const output_options *output, const adatom_choice *choice,
                                 json_t *document, adatom_status ended);
#endif

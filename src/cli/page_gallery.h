/* Results of several devices side by side, as one page. */
#ifndef CLI_PAGE_GALLERY_H
#define CLI_PAGE_GALLERY_H

#include "bench_files.h"
#include "page.h"

/* Writes the page of result files, which must be whole (bench_problems). against: whom ratios are to: a file's name, or
 * a part of a device's in any case; NULL: the first file. */
adatom_status page_gallery(struct cli *cli, const char *path, const arg_texts *files, const char *against,
                           const page_call *call);
#endif

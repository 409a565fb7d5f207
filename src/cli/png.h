/* Writes PNG pictures of grey values, and of atoms. */
#ifndef CLI_PNG_H
#define CLI_PNG_H

#include "cli.h"
#include <adatom/adapter.h>

/* Writes width x height grey bytes, rows from the top; the file appears when it is complete. */
adatom_status png_write(struct cli *cli, const char *path, const uint8_t *grey, size_t width, size_t height);
/* Draws the atoms of every layer, before (upper strip) and after adaptation (lower strip), layers in order. Zero is
 * grey; black and white are minus and plus the layer's largest magnitude. FAILED if no atoms adapted. */
adatom_status png_atoms(struct cli *cli, const char *path, const adatom_adapter *adapter, const adatom_model *model);
#endif

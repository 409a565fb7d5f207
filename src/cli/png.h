/* Makes PNG pictures, and draws atoms. */
#ifndef CLI_PNG_H
#define CLI_PNG_H

#include "cli.h"
#include <adatom/adapter.h>

typedef struct png_picture {
    uint8_t *pixels; /* [height][width][channels], rows from the top */
    size_t width, height;
    int channels; /* 1: grey, 3: RGB */
} png_picture;

/* A picture as the bytes of a file, which the caller frees. path: of the file that they are for, in messages. */
adatom_status png_encode(struct cli *cli, const char *path, const png_picture *picture, uint8_t **out, size_t *size);
/* Draws the atoms of tensor `only` of an adapter, or of every layer, layers in order (only -1), before (upper strip)
 * and after adaptation (lower strip). Zero is grey; black and white are minus and plus the layer's largest magnitude.
 * limit: most atoms of a layer; 0: all. The caller frees out->pixels. FAILED if no atoms adapted. */
adatom_status png_draw_atoms(struct cli *cli, const char *path, const adatom_adapter *adapter,
                             const adatom_model *model, int only, size_t limit, png_picture *out);
/* Writes those of every layer to a file, which appears when it is complete. */
adatom_status png_atoms(struct cli *cli, const char *path, const adatom_adapter *adapter, const adatom_model *model);
#endif

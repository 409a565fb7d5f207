#include "png.h"
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static uint8_t *put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) *at++ = (uint8_t)(value >> (24 - 8 * i));
    return at;
}

/* Writes a chunk: length, type, data, and the CRC of type and data [PNG specification, 5.3]. */
static uint8_t *put_chunk(uint8_t *at, const char *type, const uint8_t *data, size_t size) {
    at = put32(at, (uint32_t)size);
    uint8_t *begin = at;
    memcpy(at, type, 4);
    if (size) memcpy(at + 4, data, size);
    at += 4 + size;
    return put32(at, (uint32_t)crc32(0, begin, (uInt)(at - begin)));
}

adatom_status png_write(struct cli *cli, const char *path, const uint8_t *grey, size_t width, size_t height) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const size_t raw_size = (width + 1) * height;
    uLongf packed_size = compressBound((uLong)raw_size);
    uint8_t *raw = calloc(raw_size, 1), *packed = malloc(packed_size), *file = malloc(packed_size + 128),
            header[13] = {0};
    adatom_status status = ADATOM_OK;
    if (!raw || !packed || !file) {
        status = cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
        goto done;
    }
    for (size_t y = 0; y < height; y++)
        memcpy(raw + y * (width + 1) + 1, grey + y * width, width); /* each row begins with 0: no filter */
    if (compress2(packed, &packed_size, raw, (uLong)raw_size, Z_BEST_COMPRESSION) != Z_OK) {
        status = cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
        goto done;
    }
    put32(put32(header, (uint32_t)width), (uint32_t)height);
    header[8] = 8; /* 8 bits a sample; header[9], the colour type, stays 0: grey */
    memcpy(file, signature, sizeof signature);
    uint8_t *at = put_chunk(file + sizeof signature, "IHDR", header, sizeof header);
    at = put_chunk(at, "IDAT", packed, packed_size);
    at = put_chunk(at, "IEND", NULL, 0);
    status = adatom_write_file(cli->ctx, path, file, (size_t)(at - file));
done:
    free(raw);
    free(packed);
    free(file);
    return status;
}

enum { CELL = 8, GAP = 4 };

/* Draws m atoms of k x k numbers side by side; `most` is white, -most black. */
static void draw_strip(uint8_t *grey, size_t width, size_t top, const float *atoms, size_t m, size_t k, float most) {
    for (size_t a = 0; a < m; a++)
        for (size_t y = 0; y < k * CELL; y++)
            for (size_t x = 0; x < k * CELL; x++) {
                const float value = most > 0 ? atoms[(a * k + y / CELL) * k + x / CELL] / most : 0;
                grey[(top + y) * width + GAP + a * (k * CELL + GAP) + x] = (uint8_t)lrintf(127.5f + 127.5f * value);
            }
}

adatom_status png_atoms(struct cli *cli, const char *path, const adatom_adapter *adapter, const adatom_model *model) {
    adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    adatom_status status = ADATOM_OK;
    size_t width = 0, height = GAP, top = GAP, elements = 0;
    uint8_t *grey = NULL;
    float *before = NULL;
    adatom_adapter_describe(adapter, &info);
    for (int i = 0; i < info.tensors; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        if (!t.atoms) continue;
        const size_t k = (size_t)t.shape[t.rank - 1], side = k * CELL,
                     across = GAP + t.elements / (k * k) * (side + GAP);
        width = across > width ? across : width;
        height += 2 * side + 3 * GAP;
        elements = t.elements > elements ? t.elements : elements;
    }
    if (!width) TRY(cli_fail(cli, ADATOM_FAILED, "no atoms adapted: there is nothing to draw"));
    grey = malloc(width * height);
    before = malloc(2 * elements * sizeof *before);
    if (!grey || !before) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    memset(grey, 255, width * height);
    float *after = before + elements;
    for (int i = 0; i < info.tensors; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        if (!t.atoms) continue;
        TRY(adatom_adapter_read_tensor(adapter, model, i, before, after, elements));
        float most = 0;
        for (size_t e = 0; e < t.elements; e++) most = fmaxf(most, fmaxf(fabsf(before[e]), fabsf(after[e])));
        const size_t k = (size_t)t.shape[t.rank - 1], m = t.elements / (k * k);
        draw_strip(grey, width, top, before, m, k, most);
        draw_strip(grey, width, top + k * CELL + GAP, after, m, k, most);
        top += 2 * k * CELL + 3 * GAP;
    }
    TRY(png_write(cli, path, grey, width, height));
done:
    free(grey);
    free(before);
    return status;
}

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

adatom_status png_encode(struct cli *cli, const char *path, const png_picture *picture, uint8_t **out, size_t *size) {
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const size_t width = picture->width, height = picture->height, samples = (size_t)picture->channels,
                 row = width * samples, raw_size = (row + 1) * height;
    uLongf packed_size = compressBound((uLong)raw_size);
    uint8_t *raw = calloc(raw_size, 1), *packed = malloc(packed_size), *file = malloc(packed_size + 128),
            header[13] = {0};
    adatom_status status = ADATOM_OK;
    *out = NULL;
    if (!raw || !packed || !file) {
        status = cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
        goto done;
    }
    /* Each row begins with its filter: none for grey, and for colours the difference to the pixel before, which makes
     * photographs smaller. */
    for (size_t y = 0; y < height; y++) {
        const uint8_t *from = picture->pixels + y * row;
        uint8_t *to = raw + y * (row + 1);
        *to++ = samples == 3;
        for (size_t x = 0; x < row; x++)
            to[x] = samples == 3 && x >= samples ? (uint8_t)(from[x] - from[x - samples]) : from[x];
    }
    if (compress2(packed, &packed_size, raw, (uLong)raw_size, Z_BEST_COMPRESSION) != Z_OK) {
        status = cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
        goto done;
    }
    put32(put32(header, (uint32_t)width), (uint32_t)height);
    header[8] = 8;                    /* bits a sample */
    header[9] = samples == 3 ? 2 : 0; /* colour type: RGB or grey */
    memcpy(file, signature, sizeof signature);
    uint8_t *at = put_chunk(file + sizeof signature, "IHDR", header, sizeof header);
    at = put_chunk(at, "IDAT", packed, packed_size);
    at = put_chunk(at, "IEND", NULL, 0);
    *size = (size_t)(at - file);
    *out = file;
    file = NULL;
done:
    free(raw);
    free(packed);
    free(file);
    return status;
}

enum { CELL = 8, GAP = 4 };

/* Draws m atoms of k x k numbers side by side; `most` is white, -most black. */
static void draw_strip(png_picture *p, size_t top, const float *atoms, size_t m, size_t k, float most) {
    for (size_t a = 0; a < m; a++)
        for (size_t y = 0; y < k * CELL; y++)
            for (size_t x = 0; x < k * CELL; x++) {
                const float value = most > 0 ? atoms[(a * k + y / CELL) * k + x / CELL] / most : 0;
                p->pixels[(top + y) * p->width + GAP + a * (k * CELL + GAP) + x] =
                    (uint8_t)lrintf(127.5f + 127.5f * value);
            }
}

/* How many atoms of a tensor are drawn. */
static size_t drawn(const adatom_adapter_tensor *t, size_t limit) {
    const size_t k = (size_t)t->shape[t->rank - 1], m = t->elements / (k * k);
    return limit && m > limit ? limit : m;
}

adatom_status png_draw_atoms(struct cli *cli, const char *path, const adatom_adapter *adapter,
                             const adatom_model *model, int only, size_t limit, png_picture *out) {
    adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    adatom_status status = ADATOM_OK;
    size_t top = GAP, elements = 0;
    float *before = NULL;
    *out = (png_picture){.height = GAP, .channels = 1};
    adatom_adapter_describe(adapter, &info);
    const int first = only < 0 ? 0 : only, end = only < 0 ? info.tensors : only + 1;
    for (int i = first; i < end; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        if (!t.atoms) continue;
        const size_t side = (size_t)t.shape[t.rank - 1] * CELL, across = GAP + drawn(&t, limit) * (side + GAP);
        out->width = across > out->width ? across : out->width;
        out->height += 2 * side + 3 * GAP;
        elements = t.elements > elements ? t.elements : elements;
    }
    if (!out->width) TRY(cli_fail(cli, ADATOM_FAILED, "no atoms adapted: there is nothing to draw"));
    out->pixels = malloc(out->width * out->height);
    before = malloc(2 * elements * sizeof *before);
    if (!out->pixels || !before) TRY(cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path));
    memset(out->pixels, 255, out->width * out->height);
    float *after = before + elements;
    for (int i = first; i < end; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        if (!t.atoms) continue;
        TRY(adatom_adapter_read_tensor(adapter, model, i, before, after, elements));
        float most = 0;
        for (size_t e = 0; e < t.elements; e++) most = fmaxf(most, fmaxf(fabsf(before[e]), fabsf(after[e])));
        const size_t k = (size_t)t.shape[t.rank - 1], m = drawn(&t, limit);
        draw_strip(out, top, before, m, k, most);
        draw_strip(out, top + k * CELL + GAP, after, m, k, most);
        top += 2 * k * CELL + 3 * GAP;
    }
done:
    free(before);
    if (status != ADATOM_OK) {
        free(out->pixels);
        out->pixels = NULL;
    }
    return status;
}

adatom_status png_atoms(struct cli *cli, const char *path, const adatom_adapter *adapter, const adatom_model *model) {
    png_picture picture = {0};
    uint8_t *file = NULL;
    size_t size = 0;
    adatom_status status;
    TRY(png_draw_atoms(cli, path, adapter, model, -1, 0, &picture));
    TRY(png_encode(cli, path, &picture, &file, &size));
    status = adatom_write_file(cli->ctx, path, file, size);
done:
    free(file);
    free(picture.pixels);
    return status;
}

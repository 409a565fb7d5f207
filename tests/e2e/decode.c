/* Pictures through the decoder, as PPM: decode COMMANDS, a file with a line each of
 *   FILE SIZE RESIZE BACKGROUND refuse|allow OUTPUT INTERPOLATION
 * separated by tabs. Prints a line for each: the status' name, and what is wrong with the picture after a tab. With
 * RESIZE the shorter side nothing is scaled, only cropped. */
#include "io/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static adatom_status decode(adatom_context *ctx, char *fields[7], ad_image_error *error) {
    ad_image_params params = {.size = atoi(fields[1]), .resize = atoi(fields[2]), .max_pixels = (uint64_t)64 << 20};
    char *bytes = NULL;
    size_t size = 0;
    adatom_status status = ADATOM_OK;
    params.allow_truncated = !strcmp(fields[4], "allow");
    const size_t pixels = (size_t)params.size * (size_t)params.size * 3;
    uint8_t *out = ad_malloc(ctx, pixels, 1);
    if (!out) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (!ad_parse_background(fields[3], params.background)) AD_TRY(ADATOM_USAGE);
    if (!adatom_interpolation_parse(fields[6], &params.interpolation)) AD_TRY(ADATOM_USAGE);
    AD_TRY(ad_read_file(ctx, fields[0], SIZE_MAX, &bytes, &size));
    AD_TRY(ad_image_decode(bytes, size, &params, out, error));
    FILE *file = fopen(fields[5], "wb");
    if (!file) AD_TRY(ADATOM_IO);
    fprintf(file, "P6\n%d %d\n255\n", params.size, params.size);
    fwrite(out, 1, pixels, file);
    if (fclose(file) != 0) status = ADATOM_IO;
done:
    ad_free(bytes);
    ad_free(out);
    return status;
}

int main(int argc, char **argv) {
    adatom_context *ctx = NULL;
    FILE *commands = argc == 2 ? fopen(argv[1], "r") : NULL;
    char line[4096];
    if (!commands || adatom_context_create(NULL, &ctx) != ADATOM_OK) return 2;
    while (fgets(line, sizeof line, commands)) {
        char *fields[7] = {0}, *rest = line;
        ad_image_error error = {0};
        line[strcspn(line, "\n")] = 0;
        for (int i = 0; i < 7; i++) fields[i] = strsep(&rest, "\t");
        if (!fields[6]) return 2;
        printf("%s\t", adatom_status_name(decode(ctx, fields, &error)));
        printf("%s\n", error.text);
    }
    fclose(commands);
    adatom_context_destroy(&ctx);
    return 0;
}

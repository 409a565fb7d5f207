#include "svg.h"

const char *svg_colour(int i) {
    static const char *const colours[SVG_COLOURS] = {"#0b61a4", "#d1660a", "#2b8a3e", "#a61e4d",
                                                     "#5f3dc4", "#5c940d", "#087f8b", "#555555"};
    return colours[i % SVG_COLOURS];
}

void svg_begin(FILE *out, int width, int height) {
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' font-size='11'>\n"
            "<style>.g{stroke:#ddd;fill:none}</style><rect width='100%%' height='100%%' fill='#fff'/>\n",
            width, height);
}

void svg_text(FILE *out, const char *text) {
    for (; *text; text++) switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&apos;", out); break;
        default: fputc((unsigned char)*text < ' ' ? '?' : *text, out);
        }
}

adatom_status svg_end(struct cli *cli, const char *path, FILE *out, char *const *text, const size_t *size) {
    fprintf(out, "</svg>\n");
    const bool whole = !ferror(out), closed = fclose(out) == 0;
    if (!whole || !closed) return cli_fail(cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", path);
    return adatom_write_file(cli->ctx, path, *text, *size);
}

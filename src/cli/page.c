#include "page.h"
#include "html.h"
#include "out_of_memory.h"
#include "report.h"
#include "svg.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(json_t *value, const char *path) { return json_string_value(report_get(value, path)); }

/* Lines of plots have fixed colours, which are for white paper. Attributes yield to style sheets, so that on dark
 * ground the same lines are lighter. */
static void dark_lines(FILE *out) {
    static const char *const light[SVG_COLOURS] = {"#6cb2f0", "#f0a35e", "#6fcf82", "#f08fb0",
                                                   "#b3a0f5", "#b5d35c", "#5cc9d3", "#b4bcc4"};
    fputs("@media screen and (prefers-color-scheme:dark){", out);
    for (int i = 0; i < SVG_COLOURS; i++)
        fprintf(out, "svg [fill='%s']{fill:%s}svg [stroke='%s']{stroke:%s}", svg_colour(i), light[i], svg_colour(i),
                light[i]);
    fputs("}\n", out);
}

/* What says again that nothing is fetched and nothing runs, whatever a name may hold, but the page's own script. */
static void policy(FILE *out, const char *hash) {
    fputs("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
          "style-src 'unsafe-inline'",
          out);
    if (hash) fprintf(out, "; script-src '%s'", hash);
    fputs("\">\n", out);
}

static adatom_status begin(page *p, const char *title, const char *on, const char *hash) {
    FILE *out = p->out = memory_stream(&p->text, &p->size);
    if (!out) return cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n", out);
    policy(out, hash);
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
          out);
    fprintf(out, "%s", title);
    if (on) fputs(": ", out);
    html_text(out, on);
    fprintf(out, "</title>\n<style>\n%s", page_style);
    dark_lines(out);
    fprintf(out, "</style>\n</head>\n<body%s>\n<header>\n<p class=\"kind\">adatom %s</p>\n<h1>%s",
            p->script ? " class=\"broad\"" : "", text_at(p->document, "command"), title); /* its tables are wide */
    if (on) fputs(" <span>", out);
    if (on) html_name(out, on);
    fprintf(out, "%s</h1>\n", on ? "</span>" : "");
    return ADATOM_OK;
}

adatom_status page_begin(page *p, struct cli *cli, const char *path, json_t *document, const char *title,
                         const char *on) {
    *p = (page){.cli = cli, .path = path, .document = document};
    return begin(p, title, on, NULL);
}

adatom_status page_begin_scripted(page *p, struct cli *cli, const char *path, json_t *document, const char *title,
                                  const char *script, const char *hash) {
    *p = (page){.cli = cli, .path = path, .document = document, .script = script};
    return begin(p, title, NULL, hash);
}

static void fact(FILE *out, const char *what, const char *text, const char *more) {
    if (!text || !*text) return;
    fprintf(out, "<li><span>%s</span>", what);
    html_name(out, text);
    fputs(more, out);
    fputs("</li>\n", out);
}

void page_lead(page *p, const char *format, ...) {
    char text[2048], more[96] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_t *d = p->document;
    fputs("<p class=\"lead\">", p->out);
    html_text(p->out, text);
    fputs("</p>\n", p->out);
    const char *unfinished = text_at(d, "unfinished");
    if (unfinished) {
        fputs("<p class=\"warn\" role=\"note\"><strong>Unfinished.</strong> The run ended early: ", p->out);
        html_text(p->out, unfinished);
        fputs(". Below is what was measured before.</p>\n", p->out);
    }
    fputs("<ul class=\"facts\">\n", p->out);
    const double classes = json_number_value(report_get(d, "dataset.classes"));
    int used = 0;
    if (classes > 1) used = snprintf(more, sizeof more, ", %.0f classes", classes); /* pictures alone are one class */
    if (classes > 0)
        snprintf(more + used, sizeof more - (size_t)used, ", %.0f pictures",
                 json_number_value(report_get(d, "dataset.images")));
    fact(p->out, "Data", text_at(d, "dataset.name"), more);
    more[0] = 0;
    const char *file = text_at(d, "model.file"), *arch = text_at(d, "model.arch");
    if (!file) { /* of an adapter, whose configuration names it */
        file = text_at(d, "config.base_model_name_or_path");
        arch = text_at(d, "config.base_model.arch");
    }
    if (arch && adatom_printable(arch, NULL, 0) == strlen(arch) && !strpbrk(arch, "<>&\"'"))
        snprintf(more, sizeof more, ", %.80s", arch);
    fact(p->out, "Model", file, more);
    fact(p->out, "Device", text_at(d, "device.name"), "");
    fact(p->out, "When", text_at(d, "test_time"), "");
    fputs("</ul>\n</header>\n<main>\n", p->out);
}

void page_section(page *p, const char *title) { fprintf(p->out, "<section>\n<h2>%s</h2>\n", title); }

void page_section_end(page *p) { fputs("</section>\n", p->out); }

void page_note(page *p, const char *format, ...) {
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fputs("<p class=\"note\">", p->out);
    html_text(p->out, text);
    fputs("</p>\n", p->out);
}

/* The members of an object of the document, where it is there. */
static void part(page *p, const char *title, const char *name) {
    json_t *value = json_object_get(p->document, name);
    if (!json_is_object(value)) return;
    fprintf(p->out, "<div><h3>%s</h3>\n", title);
    page_settings(p, value);
    fputs("</div>\n", p->out);
}

void page_command(page *p, const page_call *call, const char *remark) {
    page_section(p, "To repeat it");
    fputs("<pre><code>adatom ", p->out);
    char *words = NULL;
    size_t size = 0;
    FILE *line = memory_stream(&words, &size);
    if (!line) return;
    fputs(text_at(p->document, "command"), line);
    for (int i = 0; i < call->argc; i++) {
        fputc(' ', line);
        shell_word(line, call->argv[i]);
    }
    fclose(line);
    html_text(p->out, words);
    free(words);
    fputs("</code></pre>\n", p->out);
    page_note(p, "%s Names of files are those of the folder that the command ran in.", remark);
    page_section_end(p);
}

adatom_status page_end(page *p, const page_call *call, adatom_status status) {
    if (p->out && status == ADATOM_OK) {
        page_section(p, "What it was found with");
        fputs("<div class=\"columns\">\n", p->out);
        part(p, "Data", "dataset");
        part(p, "Model", "model");
        part(p, "Device", "device");
        part(p, "Host", "host");
        fputs("</div>\n", p->out);
        page_section_end(p);
        page_command(p, call, "The same seed, device and driver give the same numbers.");
    }
    return page_close(p, status);
}

adatom_status page_close(page *p, adatom_status status) {
    if (!p->out) {
        free(p->text);
        return status;
    }
    if (status == ADATOM_OK) {
        fputs("</main>\n<footer>adatom ", p->out);
        html_text(p->out, text_at(p->document, "tool_version"));
        fputs(", build ", p->out);
        html_text(p->out, text_at(p->document, "build_commit"));
        fputs("</footer>\n", p->out);
        if (p->script) fprintf(p->out, "<script>%s</script>\n", p->script);
        fputs("</body>\n</html>\n", p->out);
    }
    bool whole = !ferror(p->out);
    whole &= fclose(p->out) == 0;
    if (status == ADATOM_OK && !whole)
        status = cli_fail(p->cli, ADATOM_OUT_OF_MEMORY, "out of memory for '%s'", p->path);
    if (status == ADATOM_OK) {
        status = adatom_write_file(p->cli->ctx, p->path, p->text, p->size);
        /* cli->message may hold an earlier sentence, which would be shown instead */
        if (status != ADATOM_OK) cli_fail(p->cli, status, "%s", adatom_context_message(p->cli->ctx));
    }
    free(p->text);
    p->text = NULL;
    p->out = NULL;
    const char *unfinished = text_at(p->document, "unfinished");
    if (status != ADATOM_OK && unfinished) {
        const char *why = p->cli->message[0] ? p->cli->message : adatom_context_message(p->cli->ctx);
        cli_note(p->cli, "warning: there is no report: %s", why);
        cli_fail(p->cli, status, "%s", unfinished);
        return ADATOM_OK;
    }
    return status;
}

#include "html.h"
#include "page.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 6, ITEMS_SHOWN = 12, ONE_TABLE = 20 };

/* A value without members of its own, as it is shown; the caller frees it. */
static char *value_text(json_t *value) {
    char *text = NULL;
    if (json_is_string(value)) return strdup(json_string_value(value));
    if (json_is_null(value)) return strdup("none");
    if (json_is_boolean(value)) return strdup(json_is_true(value) ? "yes" : "no");
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(7));
    return text ? text : strdup("");
}

static void add_list(json_t *list, const char *key, json_t *out) {
    char text[1024] = "";
    const size_t count = json_array_size(list);
    size_t used = 0, shown = 0;
    bool plain = true;
    for (size_t i = 0; i < count; i++)
        plain = plain && !json_is_object(json_array_get(list, i)) && !json_is_array(json_array_get(list, i));
    for (; plain && shown < count && shown < ITEMS_SHOWN; shown++) {
        char *item = value_text(json_array_get(list, shown));
        if (item && used + strlen(item) + 32 < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", shown ? ", " : "", item);
        free(item);
    }
    if (shown < count) snprintf(text + used, sizeof text - used, "%s%zu in all", shown ? " ... " : "", count);
    json_object_set_new(out, key, json_string(text));
}

/* Adds the members of members as "method.steps". */
static void flatten(json_t *object, const char *prefix, int depth, json_t *out) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        char key[512];
        if (snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", name) >= (int)sizeof key) continue;
        if (json_is_object(value) && depth < DEEPEST) {
            flatten(value, key, depth + 1, out);
        } else if (json_is_array(value)) {
            add_list(value, key, out);
        } else {
            char *text = value_text(value);
            if (text) json_object_set_new(out, key, json_string(text));
            free(text);
        }
    }
}

static void begin_table(FILE *out) { fputs("<div class=\"scroll\"><table class=\"settings\"><tbody>\n", out); }

static void end_table(FILE *out) { fputs("</tbody></table></div>\n", out); }

/* Long tables become two, side by side where there is room. */
static void table(page *p, json_t *flat) {
    const size_t count = json_object_size(flat), half = count > ONE_TABLE ? (count + 1) / 2 : count;
    const char *key;
    json_t *value;
    size_t i = 0;
    if (half < count) fputs("<div class=\"columns\">\n", p->out);
    begin_table(p->out);
    json_object_foreach(flat, key, value) {
        if (i++ == half) {
            end_table(p->out);
            begin_table(p->out);
        }
        fputs("<tr>", p->out);
        html_name_cell(p->out, key, true);
        html_name_cell(p->out, json_string_value(value), false);
        fputs("</tr>\n", p->out);
    }
    end_table(p->out);
    if (half < count) fputs("</div>\n", p->out);
}

void page_settings(page *p, json_t *config) {
    json_t *flat = json_object();
    flatten(config, "", 0, flat);
    table(p, flat);
    json_decref(flat);
}

static bool several(json_t *rows, const char *path) {
    size_t i;
    json_t *row;
    json_array_foreach(
        rows, i, row) if (!json_equal(report_get(row, path), report_get(json_array_get(rows, 0), path))) return true;
    return false;
}

void page_result_name(json_t *rows, json_t *row, char *out, size_t capacity) {
    const char *method = json_string_value(json_object_get(row, "method")),
               *settings = json_string_value(json_object_get(row, "settings"));
    int used = snprintf(out, capacity, "%s", method ? method : "?");
    if (several(rows, "episodes.shot"))
        used += snprintf(out + used, capacity - (size_t)used, ", %.0f-shot",
                         json_number_value(report_get(row, "episodes.shot")));
    if (settings && *settings) snprintf(out + used, capacity - (size_t)used, ", %s", settings);
}

/* Moves the members that all have to `common`, and lists the others' keys. */
static void compare(json_t *flats, json_t *common, json_t *keys) {
    size_t i;
    json_t *flat, *value;
    const char *key;
    json_array_foreach(flats, i, flat) json_object_foreach(flat, key, value) {
        if (json_object_get(common, key) || json_object_get(keys, key)) continue;
        bool same = true;
        for (size_t k = 0; same && k < json_array_size(flats); k++)
            same = json_equal(json_object_get(json_array_get(flats, k), key), value) != 0;
        json_object_set(same ? common : keys, key, value);
    }
}

static void differences(page *p, json_t *rows, json_t *flats, json_t *keys) {
    const char *key;
    json_t *unused, *flat;
    size_t i;
    html_table(p->out, "", "Settings in which the results differ");
    fputs("<thead><tr><th scope=\"col\" class=\"t\">result</th>", p->out);
    json_object_foreach(keys, key, unused) {
        fputs("<th scope=\"col\" class=\"t\">", p->out);
        html_name(p->out, key);
        fputs("</th>", p->out);
    }
    fputs("</tr></thead>\n<tbody>\n", p->out);
    json_array_foreach(flats, i, flat) {
        char name[320];
        page_result_name(rows, json_array_get(rows, i), name, sizeof name);
        fputs("<tr>", p->out);
        html_name_cell(p->out, name, true);
        json_object_foreach(keys, key, unused) {
            json_t *value = json_object_get(flat, key);
            fputs("<td class=\"v\">", p->out);
            html_name(p->out, value ? json_string_value(value) : "-");
            fputs("</td>", p->out);
        }
        fputs("</tr>\n", p->out);
    }
    fputs("</tbody></table></div>\n", p->out);
}

void page_settings_of(page *p, json_t *rows) {
    json_t *flats = json_array(), *common = json_object(), *keys = json_object(), *row;
    size_t i;
    json_array_foreach(rows, i, row) {
        json_t *flat = json_object();
        flatten(json_object_get(row, "episodes"), "episodes", 0, flat);
        flatten(json_object_get(row, "config"), "", 0, flat);
        json_array_append_new(flats, flat);
    }
    compare(flats, common, keys);
    page_section(p, "What decided it");
    if (json_object_size(keys) > 0) differences(p, rows, flats, keys);
    if (json_array_size(rows) > 1) fputs("<h3>The same for all results</h3>\n", p->out);
    table(p, common);
    page_section_end(p);
    json_decref(flats);
    json_decref(common);
    json_decref(keys);
}

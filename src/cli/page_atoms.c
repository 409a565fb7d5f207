#include "html.h"
#include "page.h"
#include "png.h"

#include <math.h>
#include <stdlib.h>

enum { ATOMS_SHOWN = 64, LAYERS_SHOWN = 40 };

static adatom_status tensor_row(page *p, const adatom_adapter *adapter, const adatom_model *model, int i, double most) {
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    const adatom_status status = adatom_adapter_get_tensor(adapter, model, i, &t);
    if (status != ADATOM_OK) return status;
    fputs("<tr>", p->out);
    html_name_cell(p->out, t.name, true);
    html_number_cell(p->out, "%zu", t.elements);
    html_number_cell(p->out, "%.4g", t.moved);
    if (isfinite(t.relative))
        fprintf(p->out,
                "<td>%.2f</td><td class=\"b\"><svg class=\"bar\" aria-hidden=\"true\"><rect class=\"ground\" "
                "width=\"100%%\" "
                "height=\"12\"/><rect class=\"good\" width=\"%.1f%%\" height=\"12\"/></svg></td>",
                100 * t.relative, most > 0 ? 100 * t.relative / most : 0);
    else
        fputs("<td>-</td><td class=\"b\"></td>", p->out);
    fputs("</tr>\n", p->out);
    return ADATOM_OK;
}

static adatom_status movements(page *p, const adatom_adapter *adapter, const adatom_model *model, int count) {
    static const char *const columns[] = {"tensor", "numbers", "moved by", "relative %", "", NULL};
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    adatom_status status = ADATOM_OK;
    double most = 0;
    for (int i = 0; i < count; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        if (isfinite(t.relative)) most = fmax(most, t.relative);
    }
    html_head(p->out, "Length of the change of each tensor; relative: over its length before", columns, 0);
    for (int i = 0; i < count; i++) TRY(tensor_row(p, adapter, model, i, most));
    fputs("</tbody></table></div>\n", p->out);
done:
    return status;
}

static adatom_status draw_layer(page *p, const adatom_adapter *adapter, const adatom_model *model, int i) {
    png_picture picture = {0};
    uint8_t *file = NULL;
    size_t size = 0;
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    adatom_status status;
    TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
    TRY(png_draw_atoms(p->cli, p->path, adapter, model, i, ATOMS_SHOWN, &picture));
    TRY(png_encode(p->cli, p->path, &picture, &file, &size));
    const size_t k = (size_t)t.shape[t.rank - 1], atoms = t.elements / (k * k);
    fputs("<figure class=\"atoms\"><figcaption>", p->out);
    html_name(p->out, t.name);
    if (atoms > ATOMS_SHOWN) fprintf(p->out, ": the first %d of %zu atoms", ATOMS_SHOWN, atoms);
    fprintf(p->out, "</figcaption><div class=\"wide\"><img width=\"%zu\" height=\"%zu\" alt=\"atoms of ", picture.width,
            picture.height);
    html_text(p->out, t.name);
    fputs(" before and after\" src=\"", p->out);
    html_data(p->out, "image/png", file, size);
    fputs("\"></div></figure>\n", p->out);
done:
    free(picture.pixels);
    free(file);
    return status;
}

static adatom_status atoms(page *p, const adatom_adapter *adapter, const adatom_model *model, int count) {
    adatom_adapter_tensor t = ADATOM_INIT(adatom_adapter_tensor);
    adatom_status status = ADATOM_OK;
    int layers = 0, shown = 0;
    for (int i = 0; i < count; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        layers += t.atoms;
    }
    if (layers == 0) goto done;
    fputs("<h3>Atoms</h3>\n", p->out);
    page_note(p, "Above before, below after. Zero is grey; black and white are minus and plus the layer's largest "
                 "magnitude.");
    if (layers > LAYERS_SHOWN)
        page_note(p, "The first %d of %d layers; 'adatom inspect --png' draws all.", LAYERS_SHOWN, layers);
    fputs("<div class=\"plots\">\n", p->out);
    for (int i = 0; i < count && shown < LAYERS_SHOWN; i++) {
        TRY(adatom_adapter_get_tensor(adapter, model, i, &t));
        if (!t.atoms) continue;
        TRY(draw_layer(p, adapter, model, i));
        shown++;
    }
    fputs("</div>\n", p->out);
done:
    return status;
}

adatom_status page_moved(page *p, const adatom_adapter *adapter, const adatom_model *model) {
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_status status;
    adatom_adapter_describe(adapter, &a);
    page_section(p, "What moved");
    if (a.tensors == 0 || !model) {
        page_note(p, "The network stays as it is; the adapter is a classifier of its features.");
        page_section_end(p);
        return ADATOM_OK;
    }
    TRY(movements(p, adapter, model, a.tensors));
    TRY(atoms(p, adapter, model, a.tensors));
    page_section_end(p);
done:
    return status;
}

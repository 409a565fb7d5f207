/* Tables that are sorted by a click on a heading: without the script they are tables all the same, in the order that
 * the page has chosen, and their headings are no buttons. */
#include "html.h"
#include "page.h"

#include <math.h>

/* Whoever changes it changes its hash; the tests tell what that is. A column of numbers begins with the largest; cells
 * without one stay last. Rows that are equal keep their order. */
const char *const page_sort_script =
    "'use strict';\n"
    "const words = new Intl.Collator('en', {numeric: true});\n"
    "for (const table of document.querySelectorAll('table.sort')) {\n"
    "  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];\n"
    "  table.caption.firstElementChild.append('. Choose a heading to sort by it.');\n"
    "  heads.forEach((head, column) => {\n"
    "    const button = document.createElement('button');\n"
    "    button.type = 'button';\n"
    "    button.append(...head.childNodes);\n"
    "    head.append(button);\n"
    "    button.addEventListener('click', () => {\n"
    "      const rows = [...body.rows];\n"
    "      const numbers = rows.some(row => 'v' in row.cells[column].dataset);\n"
    "      const now = head.getAttribute('aria-sort');\n"
    "      const up = now ? now === 'descending' : !numbers;\n"
    "      const value = row => {\n"
    "        const cell = row.cells[column];\n"
    "        if (!numbers) return cell.textContent;\n"
    "        return 'v' in cell.dataset ? Number(cell.dataset.v) : NaN;\n"
    "      };\n"
    "      const order = (a, b) => {\n"
    "        const x = value(a), y = value(b);\n"
    "        if (!numbers) return up ? words.compare(x, y) : words.compare(y, x);\n"
    "        if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);\n"
    "        return up ? x - y : y - x;\n"
    "      };\n"
    "      heads.forEach(other => other.removeAttribute('aria-sort'));\n"
    "      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');\n"
    "      body.append(...rows.sort(order));\n"
    "    });\n"
    "  });\n"
    "}\n";
const char *const page_sort_hash = "sha256-KCsaeOwkkrAd2H3cwp+ZgY6prnsgZ+e2EDdi60Wvspc=";

void page_sort_head(page *p, const char *caption, const char *const *columns, unsigned texts) {
    html_table(p->out, "sort", caption);
    html_columns(p->out, columns, texts);
}

void page_sort_number(page *p, double value, const char *text) {
    if (isfinite(value))
        fprintf(p->out, "<td data-v=\"%.9g\">%s</td>", value, text);
    else
        fputs("<td>-</td>", p->out);
}

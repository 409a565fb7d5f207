"""The page of benchmark results (bench --merge --html): its numbers are those of the files, its tables are sorted by their
headings, its own script runs and no other does, and names are texts, whatever they hold. Real runs of this machine and
those of bench/results, and copies of them of devices with other names, each whole. KEEP: a folder where the pages stay."""
import base64
import copy
import hashlib
import html.parser
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

from browser import CHROMIUM, browse, complain, finish, free, look, start

ADATOM, SOURCE = os.environ["ADATOM"], os.environ["SOURCE"]
CASES = ["conv/forward/composed/8x8x3/9/b2", "conv/forward/composed/8x4x3/9/b2", "head/softmax-ce/8x4/b4",
         "adapt/atoms/conv4/16/2w1s1q/3"]
HOSTILE = [("<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>"),
           ("معالج الرسومات", "برنامج التشغيل 1.2"), ("寒武纪 显卡 <b>", "驱动程序 & \"引号\" 'x'"),
           ("turned \u202e back " + "long" * 50, "x" * 250)]


def run(*arguments):
    result = subprocess.run([ADATOM, "bench", *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        complain(f"exit code {result.returncode}: {' '.join(arguments)}: {result.stderr[-400:]}")
    return result.stdout


# ---- result files ----

def write(name, document):
    """The result as a file, which must be whole: of a clean build, whatever this one is."""
    document["build_commit"] = "0123456789ab"
    with open(name, "w", encoding="utf-8") as file:
        json.dump(document, file, ensure_ascii=False)
    run("--verify-file", name)
    return name


def measure(device):
    filters = [word for case in CASES for word in ("--filter", case)]
    return json.loads(run("--device", device, "--threads", "1", "--no-cache", "--quiet", "--format", "json", *filters))


def renamed(document, name, driver, factor):
    """The result of a device with another name that takes `factor` times as long."""
    new = copy.deepcopy(document)
    new["device"].update(name=name, driverName=driver, driverInfo="1.0", backend="vulkan")
    new["device"].pop("capabilities", None)
    for row in new["results"]:
        if row["status"] != "ok":
            continue
        row["samples_ns"] = [factor * ns for ns in row["samples_ns"]]
        median = statistics.median(row["samples_ns"])
        row.update(min_ns=min(row["samples_ns"]), median_ns=median)
        for member, rate in {"gflops": 1e9 * row.get("gflop", 0), "gbytes_per_s": 1e9 * row.get("gbyte", 0),
                             "episodes_per_s": 1e9, "images_per_s": 1e9}.items():
            if member in row:
                row[member] = rate / median
        row["value"] = {"us": median / 1e3, "ms": median / 1e6, "GFLOP/s": row.get("gflops"), "GB/s": row.get("gbytes_per_s"),
                        "episodes/s": row.get("episodes_per_s"), "images/s": row.get("images_per_s")}[row["unit"]]
    return new


# ---- the page ----

class Page(html.parser.HTMLParser):
    """A page's text, its tables as rows of cells (text, number to sort by), and what may not be in it."""

    def __init__(self, name):
        super().__init__(convert_charrefs=True)
        self.name, self.text, self.tables, self.scripts, self.inside = name, [], [], [], []
        with open(name, encoding="utf-8") as file:
            self.source = file.read()
        self.feed(self.source)
        self.close()
        self.all = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        if any(a.startswith("on") or a in ("src", "href") for a in attributes) or tag in ("link", "img", "iframe", "button"):
            complain(f"{self.name}: {tag} {attributes}")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append(["", float(attributes["data-v"]) if "data-v" in attributes else None])
        elif tag == "script":
            self.scripts.append("")
            if attributes:
                complain(f"{self.name}: a script with {attributes}")
        if tag not in ("meta", "br", "rect"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if tag == "rect":
            return
        if not self.inside or self.inside.pop() != tag:
            complain(f"{self.name}: </{tag}> ends something else")

    def handle_data(self, data):
        if "script" in self.inside:
            self.scripts[-1] += data
        elif "style" not in self.inside:
            self.text.append(data)
            if "td" in self.inside or "th" in self.inside:
                self.tables[-1][-1][-1][0] += data


def near(a, b):
    return a is not None and b is not None and abs(a - b) <= 1e-6 * abs(b)


def shown(name):
    return name.replace("\u202e", "\\u{202e}")


def check_numbers(page, files, reference):
    """Every measured case of every file is in the page's tables with its value, and its ratio to the reference's."""
    documents = [json.load(open(name, encoding="utf-8")) for name in files]
    medians = {row["name"]: row["median_ns"] for row in documents[reference]["results"] if row["status"] == "ok"}
    rows = [row for table in page.tables[1:] for row in table[1:]]
    expected = 0
    for document in documents:
        for row in document["results"]:
            if row["status"] != "ok":
                continue
            expected += 1
            ratio = medians[row["name"]] / row["median_ns"] if row["name"] in medians else None
            found = [r for r in rows if r[0][0] == row["name"] and r[1][0] == shown(document["device"]["name"]) and
                     near(r[2][1], row["value"]) and r[3][0] == row["unit"] and
                     (near(r[4][1], ratio) if ratio else r[4][1] is None)]
            if not found:
                complain(f"{page.name} lacks {row['name']} of {document['device']['name'][:40]}, ratio {ratio}")
    if len(rows) != expected:
        complain(f"{page.name} has {len(rows)} rows of cases, not {expected}")
    if len(page.tables[0]) != len(files) + 1:
        complain(f"{page.name} has {len(page.tables[0])} rows of results")


def check_script(page):
    """One script, the one whose hash the policy names; it runs, and a changed one would not."""
    policy = re.search(r"Content-Security-Policy\" content=\"([^\"]*)\"", page.source)[1]
    hashes = re.findall(r"script-src 'sha256-([^']*)'(?:$|;)", policy)
    digest = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts]
    if len(digest) != 1 or hashes != digest or "default-src 'none'" not in policy:
        complain(f"{page.name}: scripts {digest}, policy {policy}")
    headings = sum(len(table[0]) for table in page.tables)
    buttons = browse(page.name, 1400, 1000, "--dump-dom").count('<button type="button">')
    if buttons != headings:
        complain(f"{page.name}: {buttons} buttons, {headings} headings")
    changed = page.source.replace("'use strict';", "'use strict' ;")
    with open("changed.html", "w", encoding="utf-8") as file:
        file.write(changed)
    refused = start("changed.html", "--dump-dom")
    if changed == page.source or "<button" in refused.stdout or "<table" not in refused.stdout:
        complain("a changed script runs")


def sorted_by(page, heading, clicks):
    """The first table's rows after so many clicks on a heading, as the heading's aria-sort and the cells below it."""
    column = [cell[0] for cell in page.tables[0][0]].index(heading)
    test = ("<script>addEventListener('load',()=>{const t=document.querySelector('table.sort'),h=t.tHead.rows[0].cells[%d];"
            "for(let i=0;i<%d;i++)h.querySelector('button').click();const all=t.querySelectorAll('[aria-sort]').length;"
            "document.body.textContent=JSON.stringify([all,h.getAttribute('aria-sort'),"
            "[...t.tBodies[0].rows].map(r=>r.cells[%d].textContent)])})</script>" % (column, clicks, column))
    with open("click.html", "w", encoding="utf-8") as file:
        file.write(free(page.name).replace("</body>", test + "</body>"))
    dom = browse("click.html", 1400, 1000, "--virtual-time-budget=5000", "--dump-dom")
    found = re.search(r"<body[^>]*>(\[.*\])", dom, re.S)
    if not found:
        complain(f"nothing came of {clicks} clicks on {heading}")
        return 0, "", []
    return json.loads(html.unescape(found[1]))


def check_sorting(page):
    at = [cell[0] for cell in page.tables[0][0]].index("episodes/s")
    cells = [row[at] for row in page.tables[0][1:]]
    known = sorted((cell for cell in cells if cell[1] is not None), key=lambda cell: -cell[1])
    unknown = [cell[0] for cell in cells if cell[1] is None]
    if len(known) < 3 or not unknown:
        complain("the table has too little to sort")
    for clicks, order, wanted in ((1, "descending", known), (2, "ascending", known[::-1]), (3, "descending", known)):
        marked, state, column = sorted_by(page, "episodes/s", clicks)
        if (marked, state, column) != (1, order, [cell[0] for cell in wanted] + unknown):
            complain(f"after {clicks} clicks: {marked} {state} {column}")
    marked, state, column = sorted_by(page, "file", 1)
    if (marked, state) != (1, "ascending") or column != sorted(column):
        complain(f"by file: {marked} {state} {column}")


def gallery():
    """Real runs: of this machine, and what others have measured."""
    real = [write("cpu.json", measure("cpu"))]
    devices = subprocess.run([ADATOM, "devices", "--format", "csv"], capture_output=True, text=True).stdout
    if ",vulkan," in devices:
        real.append(write("vulkan.json", measure("vulkan")))
    folder = os.path.join(SOURCE, "bench/results")
    real += sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json"))
    run("--merge", *real, "--html", "real.html", "--quiet")
    page = Page("real.html")
    check_numbers(page, real, 0)
    line = json.load(open("cpu.json", encoding="utf-8"))["device"]["capabilities"]["line"]
    if line not in page.all:
        complain(f"no {line!r}")
    look("real.html")


def hostile():
    """Names that would be markup, turn the writing around, or are too long."""
    cpu = json.load(open("cpu.json", encoding="utf-8"))
    files = ["cpu.json"]
    for i, (name, driver) in enumerate(HOSTILE):
        files.append(write(f"hostile{i}.json", renamed(cpu, name, driver, 2.5 - 0.7 * i)))
    odd = renamed(cpu, HOSTILE[0][0], HOSTILE[1][1], 0.3)
    odd["results"][-1].update(name="<i>family</i>/<script>alert(3)</script>", verified="<b>nothing</b>")
    odd["precision"], odd["config"]["suite"], odd["test_time"] = "<u>", "</td>", "<s>2026"
    files.append(write("<td>'\"&.json", odd))
    run("--merge", *files, "--html", "hostile.html", "--quiet", "--against", HOSTILE[2][0][:6])
    page = Page("hostile.html")
    for text in [shown(text) for pair in HOSTILE for text in pair] + ["<i>family</i>", "<script>alert(3)</script>", "<s>2026",
                                                                     "</td> suite", "<td>'\"&.json"]:
        if text not in page.all:
            complain(f"{page.name} does not tell {text!r}")
    if "\u202e" in page.source:
        complain("a mark that turns the direction of writing")
    check_numbers(page, files, 3)
    check_script(page)
    check_sorting(page)
    look("hostile.html")


if not CHROMIUM:
    print("no chromium")
    sys.exit(77)
with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    os.environ["ADATOM_CACHE_DIR"] = os.path.join(work, "cache")
    gallery()
    hostile()
    if "KEEP" in os.environ:
        subprocess.run(["cp", "real.html", "hostile.html", os.environ["KEEP"]], check=True)
    os.chdir("/")
finish()

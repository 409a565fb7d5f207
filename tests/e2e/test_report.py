"""Pages of --report in a browser: they are drawn without a message on the console, fit narrow pages, follow the colour
scheme, and hold names as texts, whatever these are; with 1000 classes, too."""
import csv
import html.parser
import os
import random
import subprocess
import sys
import tempfile

from browser import CHROMIUM, complain, finish, look

ADATOM, SHAPES, FIXTURE = os.environ["ADATOM"], os.environ["SHAPES"], os.environ["FIXTURE"]
MODEL = os.path.join(FIXTURE, "model.safetensors")
NAMES = ["<script>alert(1)</script>", "\"quotes\" & 'more' &amp;", "قطة صغيرة", "小猫与花", "long" * 60, "turned \u202e back"]
VOID = {"meta", "img", "br", "link", "hr", "input", "line", "circle", "rect", "path"}

def run(*arguments):
    result = subprocess.run([ADATOM, *arguments, "--device", "cpu", "--quiet"], capture_output=True, text=True)
    if result.returncode != 0:
        complain(f"exit code {result.returncode}: {' '.join(arguments)}: {result.stderr[-400:]}")
    return result.stdout


class Page(html.parser.HTMLParser):
    """What a page consists of, and what is wrong with it."""

    def __init__(self, name):
        super().__init__(convert_charrefs=True)
        self.name, self.open, self.text, self.pictures, self.row = name, [], [], 0, []
        with open(name, encoding="utf-8") as file:
            self.feed(file.read())
        self.close()
        if self.open:
            complain(f"{name}: not closed: {self.open}")
        self.all = " ".join(self.text)

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        if len(attributes) != len(pairs):
            complain(f"{self.name}: an attribute twice in {tag}")
        if any(a.startswith("on") for a in attributes) or tag in ("script", "link", "iframe", "object", "a", "form"):
            complain(f"{self.name}: {tag} {list(attributes)}")
        if tag == "th" and "scope" not in attributes:
            complain(f"{self.name}: a heading without scope")
        if tag == "img":
            self.pictures += 1
            if "alt" not in attributes or not attributes["src"].startswith("data:image/png;base64,"):
                complain(f"{self.name}: a picture without a text, or from elsewhere")
        if tag == "svg" and attributes.get("aria-hidden") != "true" and not (
                attributes.get("role") == "img" and attributes.get("aria-label")):
            complain(f"{self.name}: a drawing without a text")
        if tag == "html" and attributes.get("lang") != "en":
            complain(f"{self.name}: no language")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            complain(f"{self.name}: </{tag}> ends something else")

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


def has(page, *texts):
    for text in texts:
        if text not in page.all:
            complain(f"{page.name} does not tell {text!r}")


# ---- the pages ----

def hostile_pages():
    """Classes of a list may have any name; their pictures are of our own making."""
    subprocess.run([SHAPES, "few", str(len(NAMES)), "0", "6", "16"], check=True)
    folders = sorted(os.listdir("few"))
    with open("few/list.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "label"])
        for folder, name in zip(folders, NAMES):
            for picture in sorted(os.listdir("few/" + folder)):
                writer.writerow([f"{folder}/{picture}", name])
    run("adapt", "--model", MODEL, "--images", "few/list.csv", "--adapt", "atoms", "--output", "hostile", "--report", "hostile.html")
    page = Page("hostile.html")
    has(page, *[name.replace("\u202e", "\\u{202e}") for name in NAMES])
    if "\u202e" in page.all:
        complain("a mark that turns the direction of writing")
    look("hostile.html")


def many_classes():
    """1000 classes of two pictures of 16 coloured squares each."""
    numbers = random.Random(1)
    for c in range(1000):
        folder = f"many/class{c:04d}"
        os.makedirs(folder)
        base = [numbers.randrange(256) for _ in range(48)]
        for k in range(2):
            pixels = bytes(min(255, max(0, base[3 * (y // 4 * 4 + x // 4) + channel] + numbers.randrange(-60, 60)))
                           for y in range(16) for x in range(16) for channel in range(3))
            with open(f"{folder}/{k}.ppm", "wb") as file:
                file.write(b"P6 16 16 255\n" + pixels)
    run("adapt", "--model", MODEL, "--images", "many", "--adapt", "centroid", "--estimate", "folds", "--folds", "2",
        "--output", "thousand", "--report", "adapt.html")
    answers = run("classify", "many", "--model", MODEL, "--adapter", "thousand", "--report", "many.html", "--format", "csv")
    rows = list(csv.DictReader(answers.splitlines()))
    right = sum(row["picture"].split("/")[1] == row["class"] for row in rows)
    for name in ("adapt.html", "many.html"):
        page = Page(name)
        has(page, "1000 classes against each other could not be read", "The other 960 classes", "are left out")
        if page.pictures != 60 or os.path.getsize(name) > 2 << 20:
            complain(f"{name}: {page.pictures} pictures, {os.path.getsize(name)} bytes")
    has(page, f"{right} of 2000 pictures", "expected calibration error", f"60 of {2000 - right} are shown")
    look("many.html")


def episodes():
    run("episodes", "--model", MODEL, "--data", "builtin:shapes/novel", "--per-class", "12", "--way", "3", "--query", "5",
        "--tasks", "8", "--shot", "1,5", "--adapt", "centroid,cosine", "--report", "episodes.html")
    Page("episodes.html")
    look("episodes.html")


if not CHROMIUM:
    print("no chromium")
    sys.exit(77)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    os.environ["ADATOM_CACHE_DIR"] = os.path.join(folder, "cache")
    hostile_pages()
    many_classes()
    episodes()
    os.chdir("/")
finish()

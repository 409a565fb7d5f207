"""Pages of --report in a browser: they are drawn without a message on the console, fit narrow pages, follow the colour
scheme, and hold names as texts, whatever these are; with 1000 classes, too."""
import csv
import html.parser
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

ADATOM, SHAPES, FIXTURE = os.environ["ADATOM"], os.environ["SHAPES"], os.environ["FIXTURE"]
MODEL = os.path.join(FIXTURE, "model.safetensors")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NAMES = ["<script>alert(1)</script>", "\"quotes\" & 'more' &amp;", "قطة صغيرة", "小猫与花", "long" * 60, "turned \u202e back"]
VOID = {"meta", "img", "br", "link", "hr", "input", "line", "circle", "rect", "path"}
failures = 0


def complain(text):
    global failures
    failures += 1
    print("FAILED:", text)


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


# ---- a browser ----

def browse(url, width, height, *options):
    """Chromium's standard output; complains of messages on the console."""
    with tempfile.TemporaryDirectory() as profile:
        result = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
             f"--user-data-dir={profile}", f"--window-size={width},{height}", *options, "file://" + os.path.abspath(url)],
            capture_output=True, text=True, timeout=120)
    for line in result.stderr.splitlines():
        if "CONSOLE" in line:
            complain(f"{url}: {line[:300]}")
    return result.stdout


def rows_of(picture):
    """The lines of a PNG picture as they are stored, and its width. Lines that are like the ones above are mostly zeros."""
    with open(picture, "rb") as file:
        data = file.read()
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    packed, at = b"", 8
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw = zlib.decompress(packed)
    stride = len(raw) // height
    return [raw[k * stride:(k + 1) * stride] for k in range(height)], width


def shoot(url, width, height, dark):
    """A screenshot's first pixel; complains of an empty one."""
    browse(url, width, height, f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--screenshot=shot.png")
    rows, across = rows_of("shot.png")
    if across != width:
        complain(f"{url}: the screenshot is {across} pixels wide, not {width}")
    if len(set(rows)) < height // 8:
        complain(f"{url}: {len(set(rows))} different lines of {height} at {width} pixels")
    return tuple(rows[0][1:4])


def look(name):
    """The page at 1400 and 400 pixels, in both schemes. A window may not be as narrow as that, so the page is put into a
    frame, and a copy that may run a script tells the frame's page how wide it is."""
    if shoot(name, 1400, 1200, False) != (255, 255, 255):
        complain(f"{name}: not on white")
    if sum(shoot(name, 1400, 1200, True)) > 150:
        complain(f"{name}: not dark")
    frame = '<!DOCTYPE html><html><body style="margin:0"><iframe src="%s" width="%d" height="2000" style="border:0"></iframe>'
    with open("narrow.html", "w", encoding="utf-8") as file:
        file.write(frame % (name, 400))
    shoot("narrow.html", 800, 1200, False)
    with open(name, encoding="utf-8") as file:
        page = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", file.read())
    tell = ("<script>addEventListener('load',()=>parent.postMessage(innerWidth+'/'+"
            "document.documentElement.scrollWidth,'*'))</script>")
    with open("told.html", "w", encoding="utf-8") as file:
        file.write(page.replace("</body>", tell + "</body>"))
    for width in (400, 1100):
        with open("frame.html", "w", encoding="utf-8") as file:
            file.write("<!DOCTYPE html><script>addEventListener('message',e=>document.title='told '+e.data)</script>")
            file.write(frame % ("told.html", width))
        found = re.search("told ([0-9]+)/([0-9]+)", browse("frame.html", 1400, 1200, "--virtual-time-budget=5000", "--dump-dom"))
        if not found or found[1] != str(width) or int(found[2]) > width:
            complain(f"{name}: as wide as {found and found[0]} in a frame of {width} pixels")


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
sys.exit(1 if failures else 0)

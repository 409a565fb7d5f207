"""Pages in Chromium: drawn without a message on the console, no wider than the window, in both colour schemes. What is
wrong is printed; the caller ends with finish()."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
failures = []


def complain(text):
    failures.append(text)
    print("FAILED:", text)


def finish():
    sys.exit(1 if failures else 0)


def start(url, *options):
    """Chromium with a page, until it ends. Once in a while it does not, on a machine with much else to do: then once more."""
    for last in (False, True):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            try:
                return subprocess.run(
                    [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
                     f"--user-data-dir={profile}", *options, "file://" + os.path.abspath(url)],
                    capture_output=True, text=True, timeout=120)
            except subprocess.TimeoutExpired:
                print(f"{url}: Chromium did not end within two minutes")
                if last:
                    raise


def browse(url, width, height, *options):
    """Chromium's standard output; complains of messages on the console."""
    result = start(url, f"--window-size={width},{height}", *options)
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
    tell = ("<script>addEventListener('load',()=>parent.postMessage(innerWidth+'/'+"
            "document.documentElement.scrollWidth,'*'))</script>")
    with open("told.html", "w", encoding="utf-8") as file:
        file.write(free(name).replace("</body>", tell + "</body>"))
    for width in (400, 1100):
        with open("frame.html", "w", encoding="utf-8") as file:
            file.write("<!DOCTYPE html><script>addEventListener('message',e=>document.title='told '+e.data)</script>")
            file.write(frame % ("told.html", width))
        found = re.search("told ([0-9]+)/([0-9]+)", browse("frame.html", 1400, 1200, "--virtual-time-budget=5000", "--dump-dom"))
        if not found or found[1] != str(width) or int(found[2]) > width:
            complain(f"{name}: as wide as {found and found[0]} in a frame of {width} pixels")


def free(name):
    """The page's text without the policy that keeps a test's own script from running in it."""
    with open(name, encoding="utf-8") as file:
        return re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", file.read())

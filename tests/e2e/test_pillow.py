"""The decoders against Pillow: pictures in every format and variant have the orientation, size and colours they should.

Run by ctest as e2e_pillow with ADATOM and DECODE (decode.c) in the environment; exit code 77 where Pillow is missing.
"""
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    from PIL import Image, ImageChops, ImageOps, ImageStat
except ImportError as missing:
    print(missing)
    sys.exit(77)
from picture_files import (HEIGHT, WIDTH, bmp_beyond_palette, bmps, encoded, exif, noise, other_bmps, over, own_tiffs, photograph, png, pngs,
                           pnms, turned, with_property)

failures = []


def complain(text):
    failures.append(text)
    print("FAILED:", text)


def kinds():
    text = subprocess.run((os.environ["ADATOM"], "--version"), stdout=subprocess.PIPE, text=True, check=True).stdout
    return text.split("reads ")[1].split(" pictures")[0].split(", ")


class Decoder:
    """Collects pictures and decodes them all at once."""

    def __init__(self):
        self.lines, self.count = [], 0

    def add(self, name, data, size, resize, background="white", allow=False, interpolation="default"):
        self.count += 1
        file = "%04d_%s" % (self.count, name)
        with open(file, "wb") as stream:
            stream.write(data)
        self.lines.append("\t".join((file, str(size), str(resize), background, "allow" if allow else "refuse", file + ".out",
                                     interpolation)))
        return self.count - 1

    def run(self):
        """[(status, text, picture or None)]"""
        with open("commands", "w") as stream:
            stream.write("".join(line + "\n" for line in self.lines))
        done = subprocess.run((os.environ["DECODE"], "commands"), stdout=subprocess.PIPE, text=True, timeout=200)
        if done.returncode != 0:
            complain("decode ended with %d after %r" % (done.returncode, done.stdout[-200:]))
            sys.exit(1)
        results = []
        for line, said in zip(self.lines, done.stdout.splitlines()):
            status, text = said.split("\t", 1)
            results.append((status, text, Image.open(line.split("\t")[5]) if status == "OK" else None))
        return results


def crop(picture):
    """What SIZE = RESIZE = the shorter side leaves."""
    side = min(picture.size)
    x, y = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((x, y, x + side, y + side))


def difference(a, b):
    """Mean and largest difference of samples."""
    stat = ImageStat.Stat(ImageChops.difference(a, b))
    return sum(stat.mean) / 3, max(most for _, most in stat.extrema)


def by_pillow(data):
    import io
    return over(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))


def without(data, marker):
    """A JPEG without its segments of one marker."""
    out, at = data[:2], 2
    while data[at + 1] != 0xDA:
        length = struct.unpack(">H", data[at + 2:at + 4])[0] + 2
        if data[at + 1] != marker:
            out += data[at:at + length]
        at += length
    return out + data[at:]


def adobe(transform):
    return b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0" + bytes((transform,))


def jpegs():
    picture, grey = photograph(), photograph(seed=9).convert("L")
    for quality in (30, 92):
        for subsampling in (0, 1, 2):
            for progressive in (False, True):
                data = encoded(picture, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
                yield "rgb_%d_%d_%d.jpg" % (quality, subsampling, progressive), data, None, 0
        yield "grey_%d.jpg" % quality, encoded(grey, "JPEG", quality=quality), None, 0
        yield "grey_progressive_%d.jpg" % quality, encoded(grey, "JPEG", quality=quality, progressive=True), None, 0
    for progressive in (False, True):
        cmyk = encoded(photograph(seed=5).convert("CMYK"), "JPEG", quality=95, progressive=progressive)
        plain = without(cmyk, 0xEE)
        yield "cmyk_adobe_%d.jpg" % progressive, cmyk, None, 1
        yield "cmyk_plain_%d.jpg" % progressive, plain, None, 1
        yield "ycck_%d.jpg" % progressive, plain[:2] + adobe(2) + plain[2:], None, 1
    rgb = without(encoded(noise("RGB"), "JPEG", quality=95, subsampling=0), 0xE0)
    yield "rgb_adobe.jpg", rgb[:2] + adobe(0) + rgb[2:], None, 0
    unturned = encoded(picture, "JPEG", quality=90)
    plain = by_pillow(unturned)
    for orientation in range(1, 9):
        for order in "<>":
            data = encoded(picture, "JPEG", quality=90, exif=b"Exif\0\0" + exif(orientation, order))
            yield "orientation%d%s.jpg" % (orientation, "little" if order == "<" else "big"), data, turned(plain, orientation), 0
    for text, block in (("cut", exif(6)[:20]), ("value", exif(9)), ("far", b"II*\0\xff\xff\xff\x7f")):
        yield "exif_damaged_%s.jpg" % text, encoded(picture, "JPEG", quality=90, exif=b"Exif\0\0" + block), plain, 0
    segment = lambda marker, data: b"\xff" + bytes((marker,)) + struct.pack(">H", len(data) + 2) + data
    for order, orientation in (("<", 6), (">", 3), (">", 8)):
        field = lambda kind: struct.pack(order + "HHI", 0x0112, kind, 1) + struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0)[:5 - kind]))
        start = (b"II*\0" if order == "<" else b"MM\0*")
        long = start + struct.pack(order + "IH", 8, 1) + field(4) + bytes(4)
        far = start + struct.pack(order + "I", 15) + b"\x77" * 7 + struct.pack(order + "H", 1) + field(3) + bytes(4)
        thumb = start + struct.pack(order + "IHHHIHHIH", 8, 1, 0x0100, 3, 1, 5, 0, 26, 1) + field(3) + bytes(4)
        xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta></x:xmpmeta>")
        for name, block, wanted in (("long", long, turned(plain, orientation)), ("far", far, turned(plain, orientation)), ("thumbnail", thumb, plain)):
            data = unturned[:2] + xmp + segment(0xFE, b"words") + segment(0xEC, b"Ducky\0") + b"\xff" + segment(0xE1, b"Exif\0\0" + block) + unturned[2:]
            yield "exif_%s%d%s.jpg" % (name, orientation, "little" if order == "<" else "big"), data, wanted, 0
    yield "name.png", unturned, plain, 0  # content decides


def others(read):
    picture = photograph(seed=11)
    for mode in ("1", "L", "P"):
        yield "gif_%s.gif" % mode, encoded(picture.convert(mode), "GIF"), None, 0
    yield "gif_interlaced.gif", encoded(picture.convert("P"), "GIF", interlace=1), None, 0
    yield "gif_transparent.gif", encoded(picture.convert("P"), "GIF", transparency=picture.convert("P").getpixel((9, 9))), None, 0
    frames = [photograph(seed=s).convert("P") for s in (20, 21, 22)]
    yield "gif_animated.gif", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), over(frames[0]), 0
    if "WebP" in read:
        rgba = picture.convert("RGBA")
        rgba.putalpha(noise("L", seed=12))
        yield "webp_lossy.webp", encoded(picture, "WEBP", quality=80), None, 0
        yield "webp_lossy_alpha.webp", encoded(rgba, "WEBP", quality=80), None, 0
        yield "webp_lossless.webp", encoded(picture, "WEBP", lossless=True), picture, 0
        yield "webp_lossless_alpha.webp", encoded(rgba, "WEBP", lossless=True, exact=True), over(rgba), 0
        for orientation in range(1, 9):
            yield "webp_exif%d.webp" % orientation, encoded(picture, "WEBP", lossless=True, exif=exif(orientation, "<>"[orientation % 2])), \
                turned(picture, orientation), 0
        shots = [photograph(seed=s) for s in (30, 31)]
        yield "webp_animated.webp", encoded(shots[0], "WEBP", save_all=True, append_images=shots[1:], lossless=True), shots[0], 0
    if "TIFF" in read:
        yield from own_tiffs()
        for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"):
            for mode in ("L", "LA", "RGB", "P", "RGBA", "CMYK"):
                source = noise(mode, seed=13) if mode.endswith("A") else picture.convert(mode)
                try:
                    data = encoded(source, "TIFF", compression=compression)
                except (OSError, RuntimeError, ValueError, KeyError):
                    continue
                yield "tiff_%s_%s.tif" % (compression, mode), data, over(source), mode == "CMYK"
        for compression in (None, "group3", "group4"):
            yield "tiff_%s_1.tif" % compression, encoded(picture.convert("1"), "TIFF", compression=compression), None, 0
        yield "tiff_jpeg.tif", encoded(picture, "TIFF", compression="jpeg", quality=95), None, 1
        yield "tiff_pages.tif", encoded(picture, "TIFF", save_all=True, append_images=[photograph(seed=40)]), picture, 0


def by_heif_convert(data, extension):
    with open("shown." + extension, "wb") as stream:
        stream.write(data)
    subprocess.run(("heif-convert", "shown." + extension, "shown.png"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not os.path.exists("shown.png"):
        return None
    shown = Image.open("shown.png").convert("RGB")
    os.remove("shown.png")
    return shown


def look_at_formats(read):
    decoder, wanted = Decoder(), []
    lists = [jpegs(), pngs(), pnms(), bmps(), other_bmps(), others(read)]
    for name, data, picture, most in (item for items in lists for item in items):
        picture = picture or by_pillow(data)
        side = min(picture.size)
        decoder.add(name, data, side, side)
        wanted.append((name, picture, most))
    if "HEIC" in read and shutil.which("heif-enc") and shutil.which("heif-convert"):
        source = photograph(64, 48)
        source.save("source.png")
        for name, options in (("heic", ("-q", "95")), ("avif", ("-A", "-q", "95"))):
            made = subprocess.run(("heif-enc", *options, "-p", "chroma=444", "source.png", "-o", "made." + name), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
            if made.returncode == 0:
                with open("made." + name, "rb") as stream:
                    data = stream.read()
                turned = [("heif " + name, data, source), ("heif mirrored " + name, with_property(data, struct.pack(">I4sB", 9, b"imir", 1)),
                                                           source.transpose(Image.FLIP_LEFT_RIGHT))]
                for quarters, turn in ((1, Image.ROTATE_90), (2, Image.ROTATE_180), (3, Image.ROTATE_270)):
                    box = struct.pack(">I4sB", 9, b"irot", quarters)
                    turned.append(("heif turned %d %s" % (quarters, name), with_property(data, box), source.transpose(turn)))
                for what, data, picture in turned:
                    decoder.add("a." + name, data, 48, 48)
                    wanted.append((what, picture, 60))
                    # Pillow reads neither: what libheif's own program makes of the file is the measure of the pixels.
                    shown = by_heif_convert(data, name)
                    if shown:
                        decoder.add("a." + name, data, 48, 48)
                        wanted.append(("as heif-convert: " + what, shown, 1))
                    else:
                        complain("%s: heif-convert gives nothing" % what)
            else:
                print("heif-enc makes no %s here" % name)
    for (status, text, got), (name, picture, most) in zip(decoder.run(), wanted):
        if status != "OK" or text:
            complain("%s: %s %s" % (name, status, text))
            continue
        mean, largest = difference(got, crop(picture))
        if mean > (2 if name.startswith("heif") else 1) or largest > most:
            complain("%s: differs by %.2f, at most %d" % (name, mean, largest))
    print("%d pictures in %s" % (len(wanted), ", ".join(read)))


def look_at_backgrounds():
    decoder = Decoder()
    source = noise("RGBA", seed=50)
    data = encoded(source, "PNG")
    colours = (("white", (255,) * 3), ("black", (0,) * 3), ("102030", (16, 32, 48)), ("#FF8000", (255, 128, 0)))
    for name, _ in colours:
        decoder.add("alpha.png", data, HEIGHT, HEIGHT, name)
    for (name, colour), (status, _, got) in zip(colours, decoder.run()):
        if status != "OK" or difference(got, crop(over(source, colour)))[1]:
            complain("over %s" % name)


def look_at_sizes():
    """Scaled pictures, with the decoder's own scaling of large ones, against Pillow's antialiased bilinear."""
    decoder, wanted = Decoder(), []
    for width, height in ((200, 131), (700, 501), (1501, 1130), (3001, 2003)):
        source = photograph(width, height, seed=width)
        for size, orientation in ((64, 1), (84, 6), (224, 3)):
            for progressive in (False, True):
                data = encoded(source, "JPEG", quality=90, progressive=progressive, exif=b"Exif\0\0" + exif(orientation))
                picture = by_pillow(data)
                shorter = min(picture.size)
                scaled = (picture.width * size // shorter, picture.height * size // shorter)
                x, y = (scaled[0] - size) // 2, (scaled[1] - size) // 2
                resized = picture.resize(scaled, Image.BILINEAR).crop((x, y, x + size, y + size))
                decoder.add("%dx%d.jpg" % (width, height), data, size, size)
                wanted.append(("%dx%d to %d, orientation %d" % (width, height, size, orientation), resized))
    worst = 0
    for (status, text, got), (name, picture) in zip(decoder.run(), wanted):
        mean = difference(got, picture)[0] if status == "OK" else 255
        worst = max(worst, mean)
        if mean > 1:
            complain("%s: %s %s, differs by %.2f" % (name, status, text, mean))
    print("scaled pictures differ from Pillow's by at most %.3f of 255" % worst)


def prepared(picture, size, resize, how):
    """torchvision's Resize(resize, how) and CenterCrop(size)."""
    shorter = min(picture.size)
    scaled = tuple(int(resize * side / shorter) for side in picture.size)
    left, top = (int(round((side - size) / 2.0)) for side in scaled)
    return picture.resize(scaled, how).crop((left, top, left + size, top + size))


FILTERS = (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC))


def look_at_filters():
    """bilinear and bicubic give the bytes of Pillow's, however the picture is turned, and crop as torchvision does."""
    decoder, wanted = Decoder(), []
    shapes = ((52, 38), (38, 52), (101, 67), (64, 64), (333, 250), (1, 3), (7, 5), (301, 299))
    sizes = ((16, 16), (32, 36), (33, 38), (64, 64), (63, 73), (224, 256), (5, 8))
    for width, height in shapes:
        for source in (photograph(width, height, seed=width + height), noise("RGB", width, height, seed=width)):
            files = [(1, encoded(source, "PNG"))]
            files += [(turn, encoded(source, "JPEG", quality=95, exif=b"Exif\0\0" + exif(turn))) for turn in range(2, 9)]
            for size, resize in sizes:
                for orientation, data in files:
                    # A JPEG this large would be decoded at a part of its size; all turns are looked at in few sizes.
                    if orientation != 1 and (min(width, height) >= 10 * resize or size not in (32, 33)):
                        continue
                    for name, how in FILTERS:
                        decoder.add("filter", data, size, resize, interpolation=name)
                        wanted.append(("%s of %dx%d to %d of %d, orientation %d" % (name, width, height, size, resize, orientation),
                                       prepared(by_pillow(data), size, resize, how)))
    for (status, text, got), (name, picture) in zip(decoder.run(), wanted):
        if status != "OK" or got.tobytes() != picture.tobytes():
            complain("%s: %s %s, differs by %.3f, at most %d" % (name, status, text, *(difference(got, picture) if got else (255, 255))))
    print("%d pictures scaled as by Pillow, byte by byte" % len(wanted))


def detailed(width, height):
    """A photograph with grain, which is what differs where a JPEG is decoded at a part of its size."""
    grain = noise("RGB", width // 4, height // 4, seed=width).resize((width, height), Image.BICUBIC)
    return Image.blend(photograph(width, height, seed=height), grain, 0.25)


def look_at_large():
    """JPEGs that are decoded at a part of their size, by filters that are to agree with Pillow's."""
    decoder, wanted = Decoder(), []
    for width, height in ((1501, 1130), (2501, 1999), (4901, 3301)):
        source = detailed(width, height)
        for subsampling in (0, 2):
            data = encoded(source, "JPEG", quality=90, subsampling=subsampling)
            picture = by_pillow(data)
            for size, resize in ((84, 84), (112, 128), (224, 256)):
                for name, how in FILTERS:
                    decoder.add("large.jpg", data, size, resize, interpolation=name)
                    wanted.append(("%s of %dx%d to %d of %d" % (name, width, height, size, resize), prepared(picture, size, resize, how)))
    worst = 0
    for (status, text, got), (name, picture) in zip(decoder.run(), wanted):
        mean, most = difference(got, picture) if status == "OK" else (255, 255)
        worst = max(worst, mean)
        if mean > 0.2 or most > 4:
            complain("%s: %s %s, differs by %.3f, at most %d" % (name, status, text, mean, most))
    if worst == 0:
        complain("none of the large pictures was decoded at a part of its size")
    print("large JPEGs scaled as by Pillow but for %.3f of 255" % worst)


def look_at_damage(read):
    """Cut and damaged pictures are refused; where that is allowed they are taken and it is said."""
    picture, decoder, what = photograph(seed=60), Decoder(), []
    samples = [("jpg", encoded(picture, "JPEG", quality=90)), ("jpg", encoded(picture, "JPEG", quality=90, progressive=True)),
               ("jpg", encoded(picture.convert("CMYK"), "JPEG", quality=90)), ("png", encoded(picture, "PNG")), ("gif", encoded(picture.convert("P"), "GIF")),
               ("bmp", encoded(picture, "BMP")), ("ppm", encoded(picture, "PPM"))]
    if "WebP" in read:
        samples += [("webp", encoded(picture, "WEBP", quality=80)), ("webp", encoded(picture, "WEBP", lossless=True))]
    if "TIFF" in read:
        samples += [("tif", encoded(picture, "TIFF")), ("tif", encoded(picture, "TIFF", compression="tiff_lzw"))]
    closed = lambda data, cut: data[:cut] + b"\xff\xd9"
    for kind, data in samples:
        for part in (0.02, 0.2, 0.5, 0.8, 0.97):
            cut = int(len(data) * part)
            tolerated = part > 0.2 and kind != "tif"
            what.append((kind + " cut at %d %%" % (100 * part), decoder.add("cut." + kind, data[:cut], 38, 38), False))
            what.append((kind + " cut at %d %%, allowed" % (100 * part), decoder.add("cut." + kind, data[:cut], 38, 38, allow=True), tolerated))
            if kind == "jpg":
                what.append(("jpg closed at %d %%" % (100 * part), decoder.add("closed.jpg", closed(data, cut), 38, 38), False))
    scans = encoded(picture, "JPEG", quality=90, progressive=True)
    starts = [i for i in range(len(scans) - 1) if scans[i:i + 2] == b"\xff\xda"]
    tables = [i for i in range(len(scans) - 1) if scans[i:i + 2] == b"\xff\xc4"]
    for start in starts[1:]:
        end = max([t for t in tables if t < start and not any(t < s < start for s in starts)] or [start])
        what.append(("progressive without the scans from %d" % start, decoder.add("scans.jpg", closed(scans, end), 38, 38), False))
    header = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x40\x00\x40\x01\x01\x11\x00\xff\xd9"
    what.append(("JPEG without a scan", decoder.add("header.jpg", header, 38, 38), False))
    codes = b"\xff\xd8\xff\xc4" + struct.pack(">H", 19 + 257) + b"\0" + bytes([0] * 7 + [129, 128] + [0] * 7) + bytes(257 % 256 for _ in range(257)) + samples[0][1][2:]
    what.append(("JPEG with a table of 257 codes", decoder.add("codes.jpg", codes, 38, 38), False))
    rle = bytearray(encoded(picture.convert("P"), "BMP"))
    rle[30] = 1
    what.append(("BMP with runs", decoder.add("rle.bmp", bytes(rle), 38, 38), False))
    what.append(("BMP with a colour beyond its palette", decoder.add("beyond.bmp", bmp_beyond_palette(), 38, 38), False))
    what.append(("BMP with such a colour, allowed", decoder.add("beyond.bmp", bmp_beyond_palette(), 38, 38, allow=True), True))
    data = samples[3][1]
    for position in range(8, len(data), max(1, len(data) // 60)):
        flipped = bytearray(data)
        flipped[position] ^= 4
        what.append(("PNG with a flipped bit at %d" % position, decoder.add("flipped.png", bytes(flipped), 38, 38), False))
    results = decoder.run()
    for name, at, taken in what:
        status, text, _ = results[at]
        if not text or (status != "OK" if taken else status != "BAD_DATA" and not name.endswith("allowed")):
            complain("%s: %s '%s'" % (name, status, text))
    if "not read (run-length coded)" not in " ".join(text for _, text, _ in results):
        complain("a BMP with runs is not named so")
    print("%d damaged pictures" % len(what))


def look_at_memory():
    """Eight threads over large progressive JPEGs, each of which takes a hundred megabytes of coefficients."""
    data = encoded(photograph(6000, 4000), "JPEG", quality=75, subsampling=0, progressive=True)
    for folder in ("big/a", "big/b"):
        os.makedirs(folder)
        for i in range(4):
            with open("%s/%d.jpg" % (folder, i), "wb") as stream:
                stream.write(data)
    subprocess.run((os.environ["ADATOM"], "data", "info", "big", "--no-cache", "--threads", "8", "--size", "64"), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=200)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    if peak > 1024:
        complain("eight progressive pictures of 24 megapixels took %d MiB" % peak)
    print("peak memory %d MiB" % peak)


def main():
    start = os.getcwd()
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        read = kinds()
        look_at_formats(read)
        look_at_backgrounds()
        look_at_sizes()
        look_at_filters()
        look_at_large()
        look_at_damage(read)
        if not os.environ.get("ASAN_OPTIONS"):
            look_at_memory()
        os.chdir(start)
    sys.exit(1 if failures else 0)


main()

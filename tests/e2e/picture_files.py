"""Pictures in every format and variant, and what each must look like: for test_pillow.py. Writers of our own where Pillow has none."""
import io
import itertools
import random
import struct
import zlib

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 52, 38
TURN = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE, 6: Image.ROTATE_270,
        7: Image.TRANSVERSE, 8: Image.ROTATE_90}


def photograph(width=WIDTH, height=HEIGHT, seed=1):
    """Smooth colours and some shapes, different in every corner."""
    chance = random.Random(seed)
    small = Image.new("RGB", (7, 5))
    small.putdata([tuple(chance.randrange(256) for _ in range(3)) for _ in range(35)])
    picture = small.resize((width, height), Image.BICUBIC)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((width // 8, height // 8, width // 3, height // 4), (200, 30, 60))
    draw.ellipse((width // 2, height // 2, width * 7 // 8, height * 7 // 8), (20, 160, 90))
    return picture


def noise(mode, width=WIDTH, height=HEIGHT, seed=2):
    chance = random.Random(seed)
    size = width * height * len(mode if mode != "L" else "L")
    return Image.frombytes(mode, (width, height), bytes(chance.randrange(256) for _ in range(size)))


def over(picture, background=(255, 255, 255)):
    """RGB of any picture over a background, rounded once."""
    if picture.mode == "P":
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    if picture.mode == "LA" or (picture.mode in ("L", "RGB") and "transparency" in picture.info):
        picture = picture.convert("RGBA")
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    out = Image.new("RGB", picture.size)
    out.putdata([tuple((p[c] * p[3] + background[c] * (255 - p[3]) + 127) // 255 for c in range(3)) for p in picture.getdata()])
    return out


def turned(picture, orientation):
    return picture.transpose(TURN[orientation]) if orientation in TURN else picture


def exif(orientation, order="<"):
    """A minimal block: make, orientation, resolution unit."""
    fields = struct.pack(order + "HHI4s", 0x010F, 2, 4, b"Cam\0") + struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0) + \
        struct.pack(order + "HHIHH", 0x0128, 3, 1, 2, 0)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 3) + fields + b"\0\0\0\0"


def encoded(picture, form, **options):
    stream = io.BytesIO()
    picture.save(stream, form, **options)
    return stream.getvalue()


def image(mode, samples, width=WIDTH, height=HEIGHT):
    out = Image.new(mode, (width, height))
    out.putdata(list(samples))
    return out


# PNG

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(row, bits):
    """Samples of a row in bytes, most significant first."""
    if bits == 16:
        return b"".join(struct.pack(">H", v) for v in row)
    value, count, out = 0, 0, bytearray()
    for v in row:
        value, count = value << bits | v, count + bits
        if count == 8:
            out.append(value)
            value = count = 0
    if count:
        out.append(value << 8 - count)
    return bytes(out)


def png(rows, width, bits, colour, channels, interlaced=False, extra=(), late=()):
    """rows: samples [height][width * channels]."""
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    data = b""
    for x, y, dx, dy in steps:
        for row in rows[y::dy]:
            pixels = [row[i * channels:(i + 1) * channels] for i in range(x, width, dx)]
            if pixels:
                data += b"\0" + packed(itertools.chain.from_iterable(pixels), bits)
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(data)) + b"".join(late) + \
        chunk(b"IEND", b"")


def pngs():
    chance = random.Random(3)
    pick = lambda bits: chance.randrange(1 << bits)
    for colour, channels, depths in ((0, 1, (1, 2, 4, 8, 16)), (2, 3, (8, 16)), (3, 1, (1, 2, 4, 8)), (4, 2, (8, 16)), (6, 4, (8, 16))):
        for bits, interlaced, transparent in itertools.product(depths, (False, True), (False, True)):
            if transparent and colour in (4, 6):
                continue
            rows = [[pick(bits) for _ in range(WIDTH * channels)] for _ in range(HEIGHT)]
            samples = [tuple(row[i * channels:(i + 1) * channels]) for row in rows for i in range(WIDTH)]
            extra = [chunk(b"gAMA", struct.pack(">I", 22000))] if bits == 8 else []
            most = (1 << bits) - 1
            eight = lambda v: (v * 255 + most // 2) // most
            if colour == 3:
                palette = [tuple(pick(8) for _ in range(3)) for _ in range(1 << bits)]
                alphas = [pick(8) for _ in range(1 << bits)] if transparent else [255] * (1 << bits)
                extra.append(chunk(b"PLTE", bytes(itertools.chain.from_iterable(palette))))
                if transparent:
                    extra.append(chunk(b"tRNS", bytes(alphas)))
                rgba = [palette[s[0]] + (alphas[s[0]],) for s in samples]
            else:
                key = samples[5] if transparent else None
                if transparent:
                    extra.append(chunk(b"tRNS", b"".join(struct.pack(">H", v) for v in key)))
                rgba = []
                for s in samples:
                    colours = s if colour in (2, 6) else (s[0],) * 3
                    alpha = eight(s[-1]) if colour in (4, 6) else 0 if s == key else 255
                    rgba.append(tuple(eight(v) for v in colours[:3]) + (alpha,))
            name = "png_%d_%d%s%s.png" % (colour, bits, "_interlaced" if interlaced else "", "_trns" if transparent else "")
            yield name, png(rows, WIDTH, bits, colour, channels, interlaced, extra), over(image("RGBA", rgba)), 0
    picture = noise("RGB")
    rows = [list(itertools.chain.from_iterable(picture.getpixel((x, y)) for x in range(WIDTH))) for y in range(HEIGHT)]
    for orientation in range(1, 9):
        block = exif(orientation, "<>"[orientation % 2])
        text = b"\nexif\n%8d\n%s\n" % (len(block) + 6, (b"Exif\0\0" + block).hex().encode())
        profile = b"Raw profile type exif\0"
        for how, kind, data in (("exif", b"eXIf", block), ("ztxt", b"zTXt", profile + b"\0" + zlib.compress(text)), ("text", b"tEXt", profile + text)):
            for late in (False, True):
                chunks = {"late": [chunk(kind, data)]} if late else {"extra": [chunk(kind, data)]}
                yield "png_%s%d%s.png" % (how, orientation, "_late" if late else ""), png(rows, WIDTH, 8, 2, 3, **chunks), turned(picture, orientation), 0


# PNM

def pnms():
    chance = random.Random(4)
    for kind, most in itertools.product((1, 2, 3, 4, 5, 6, 7), (1, 15, 100, 255, 256, 1000, 65535)):
        if kind in (1, 4) and most != 1:
            continue
        for channels in ((1, 2, 3, 4) if kind == 7 else (3,) if kind in (3, 6) else (1,)):
            samples = [chance.randrange(most + 1) for _ in range(WIDTH * HEIGHT * channels)]
            if kind == 7:
                header = b"P7\nWIDTH %d\n# a comment\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE ANY\nENDHDR\n" % (WIDTH, HEIGHT, channels, most)
            else:
                header = b"P%d # a comment\n%d %d\n" % (kind, WIDTH, HEIGHT) + (b"%d\n" % most if kind not in (1, 4) else b"")
            if kind <= 3:
                data = (b"" if kind == 1 else b" ").join(b"%d" % s for s in samples)
                data = b"\n".join(data[i:i + 60] for i in range(0, len(data), 60)) if kind == 1 else data.replace(b" ", b"\n")
            elif kind == 4:
                data = b"".join(packed(samples[y * WIDTH:(y + 1) * WIDTH], 1) for y in range(HEIGHT))
            else:
                data = b"".join(struct.pack(">H" if most > 255 else "B", s) for s in samples)
            eight = [(s * 255 + most // 2) // most for s in samples]
            if kind in (1, 4):
                eight = [255 - v for v in eight]
            pixels = [tuple(eight[i:i + channels]) for i in range(0, len(eight), channels)]
            rgba = [(p[:3] if channels > 2 else (p[0],) * 3) + (p[-1] if channels in (2, 4) else 255,) for p in pixels]
            yield "pnm_%d_%d_%d.pnm" % (kind, most, channels), header + data, over(image("RGBA", rgba)), 0


# BMP

def bmp(rows, bits, palette=(), top_down=False, masks=None):
    """rows: packed, from the top."""
    padded = [row + bytes(-len(row) % 4) for row in rows]
    colours = b"".join(bytes((b, g, r, 0)) for r, g, b in palette)
    extra = struct.pack("<III", *masks) if masks else b""
    offset = 54 + len(extra) + len(colours)
    data = b"".join(padded if top_down else reversed(padded))
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, 3 if masks else 0, len(data), 2835, 2835, len(palette), 0)
    return struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + header + extra + colours + data


def bmps():
    chance = random.Random(5)
    for bits, top_down in itertools.product((1, 4, 8, 16, 24, 32), (False, True)):
        name = "bmp_%d%s.bmp" % (bits, "_topdown" if top_down else "")
        if bits <= 8:
            palette = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(1 << bits)]
            rows = [[chance.randrange(1 << bits) for _ in range(WIDTH)] for _ in range(HEIGHT)]
            yield name, bmp([packed(r, bits) for r in rows], bits, palette, top_down), image("RGB", [palette[v] for r in rows for v in r]), 0
            continue
        if bits >= 24:
            pixels = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(WIDTH * HEIGHT)]
            pad = b"\x7f" * (bits == 32)  # reserved; no alpha
            rows = [b"".join(bytes(p[::-1]) + pad for p in pixels[y * WIDTH:(y + 1) * WIDTH]) for y in range(HEIGHT)]
            yield name, bmp(rows, bits, top_down=top_down), image("RGB", pixels), 0
            continue
        for masks, widths in ((None, (5, 5, 5)), ((0xF800, 0x07E0, 0x1F), (5, 6, 5))):
            pixels = [tuple(chance.randrange(1 << w) for w in widths) for _ in range(WIDTH * HEIGHT)]
            words = [(p[0] << widths[1] | p[1]) << widths[2] | p[2] for p in pixels]
            rows = [struct.pack("<%dH" % WIDTH, *words[y * WIDTH:(y + 1) * WIDTH]) for y in range(HEIGHT)]
            wanted = [tuple(round(v * 255 / ((1 << w) - 1)) for v, w in zip(p, widths)) for p in pixels]
            # Readers differ in the last bit of five.
            yield name.replace(".", "_565." if masks else "_555."), bmp(rows, 16, (), top_down, masks), image("RGB", wanted), 1


def with_header(size, bits, rows, masks=(), palette=b"", colours=0, top_down=False, gap=0):
    """A BMP with another header: 12 and 16 bytes of OS/2 1 and 2, 52 to 124 of versions 2 to 5; a gap before its pixels."""
    padded = [row + bytes(-len(row) % 4) for row in rows]
    data = b"".join(padded if top_down else reversed(padded))
    if size == 12:
        header = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", size, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, 3 if masks else 0, len(data), 2835, 2835,
                             colours, 0)
        header = (header + struct.pack("<%dI" % len(masks), *masks)).ljust(size, b"\0")[:max(size, 40 + 4 * len(masks) if size >= 40 else size)]
    offset = 14 + len(header) + len(palette) + gap
    return struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + header + palette + bytes(gap) + data


def other_bmps():
    """Headers that few programs write."""
    chance = random.Random(15)
    pixels = [tuple(chance.randrange(256) for _ in range(4)) for _ in range(WIDTH * HEIGHT)]
    lines = [pixels[y * WIDTH:(y + 1) * WIDTH] for y in range(HEIGHT)]
    rgb = image("RGB", [p[:3] for p in pixels])
    rows24 = [b"".join(bytes((p[2], p[1], p[0])) for p in line) for line in lines]
    rows32 = [b"".join(bytes((p[2], p[1], p[0], p[3])) for p in line) for line in lines]
    usual, alpha = (0xFF0000, 0xFF00, 0xFF), 0xFF000000
    for size, top_down, gap in itertools.product((12, 16, 40, 52, 56, 64, 108, 124), (False, True), (0, 6)):
        if top_down and size == 12:
            continue
        name = "bmp_header%d%s_%d" % (size, "_topdown" if top_down else "", gap)
        yield name + ".bmp", with_header(size, 24, rows24, top_down=top_down, gap=gap), rgb, 0
        if size >= 52 and size != 64:
            yield name + "_masks.bmp", with_header(size, 32, rows32, usual, top_down=top_down, gap=gap), rgb, 0
        if size >= 56 and size != 64:
            wanted = over(image("RGBA", pixels))
            yield name + "_alpha.bmp", with_header(size, 32, rows32, usual + (alpha,), top_down=top_down, gap=gap), wanted, 0
    clear = [b"".join(bytes((p[2], p[1], p[0], 0)) for p in line) for line in lines]
    yield "bmp_clear.bmp", with_header(124, 32, clear, usual + (alpha,)), rgb, 0
    swapped = [b"".join(bytes(p) for p in line) for line in lines]
    yield "bmp_rgbx.bmp", with_header(40, 32, swapped, (0xFF, 0xFF00, 0xFF0000)), rgb, 0
    tens = [struct.pack("<%dI" % WIDTH, *((p[0] << 22 | p[1] << 12 | p[2] << 2) for p in line)) for line in lines]
    yield "bmp_101010.bmp", with_header(40, 32, tens, (0x3FF << 20, 0x3FF << 10, 0x3FF)), rgb, 0
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(256)]
    for size, bits, used in ((12, 1, 2), (12, 4, 16), (12, 8, 256), (16, 8, 256), (40, 4, 10), (40, 8, 10), (124, 8, 200), (40, 2, 4)):
        numbers = [[chance.randrange(used) for _ in range(WIDTH)] for _ in range(HEIGHT)]
        numbers[0][:2] = [0, used - 1]
        palette = b"".join(bytes((b, g, r)) + b"\0" * (size != 12) for r, g, b in colours[:used])
        data = with_header(size, bits, [packed(line, bits) for line in numbers], (), palette, used % (1 << bits))
        yield "bmp_palette%d_%d_%d.bmp" % (size, bits, used), data, image("RGB", [colours[v] for line in numbers for v in line]), 0


def bmp_beyond_palette():
    """A pixel of a colour that is not there: what decoders make of it is chance."""
    rows = [bytes((x + y) % 11 for x in range(WIDTH)) for y in range(HEIGHT)]
    return with_header(40, 8, rows, (), bytes(range(40)), 10)


# TIFF of our own: any byte order, strips or tiles, no compression

def tiff(order, fields, data, big=False):
    """fields: {tag: (type, [values])}; strip or tile offsets are filled in for data, a list of pieces."""
    size = {3: 2, 4: 4, 16: 8}
    letter = {3: "H", 4: "I", 16: "Q"}
    offset_tag, count_tag = (324, 325) if 322 in fields else (273, 279)
    wide = 16 if big else 4
    fields = {**fields, offset_tag: (wide, [0] * len(data)), count_tag: (wide, [len(d) for d in data])}
    start = 16 if big else 8
    inline = 8 if big else 4
    entry = 20 if big else 12
    count_format = "Q" if big else "H"
    after = start + struct.calcsize(order + count_format) + entry * len(fields) + (8 if big else 4)
    outside, at = b"", after
    for tag, (kind, values) in fields.items():
        if size[kind] * len(values) > inline:
            at += size[kind] * len(values)
    fields[offset_tag] = (fields[offset_tag][0], [at + sum(len(d) for d in data[:i]) for i in range(len(data))])
    out, at = b"", after
    for tag, (kind, values) in sorted(fields.items()):
        raw = struct.pack(order + "%d%s" % (len(values), letter[kind]), *values)
        out += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        if len(raw) > inline:
            out += struct.pack(order + ("Q" if big else "I"), at + len(outside))
            outside += raw
        else:
            out += raw + bytes(inline - len(raw))
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8))
    return head + struct.pack(order + count_format, len(fields)) + out + bytes(8 if big else 4) + outside + b"".join(data)


def own_tiffs():
    picture = noise("RGB", seed=6)
    rows = [picture.crop((0, y, WIDTH, y + 1)).tobytes() for y in range(HEIGHT)]
    for order, big, orientation in itertools.product("<>", (False, True), (1, 6)):
        fields = {256: (4, [WIDTH]), 257: (4, [HEIGHT]), 258: (3, [8] * 3), 259: (3, [1]), 262: (3, [2]), 274: (3, [orientation]),
                  277: (3, [3]), 278: (4, [10])}
        strips = [b"".join(rows[y:y + 10]) for y in range(0, HEIGHT, 10)]
        name = "tiff_%s%s%d.tif" % ("little" if order == "<" else "big", "_64" if big else "", orientation)
        yield name, tiff(order, fields, strips, big), turned(picture, orientation), 0
        tiles = []
        for y, x in itertools.product(range(0, HEIGHT, 16), range(0, WIDTH, 16)):
            tiles.append(picture.crop((x, y, x + 16, y + 16)).tobytes())
        del fields[278]
        yield name.replace("tiff", "tiff_tiled"), tiff(order, {**fields, 322: (4, [16]), 323: (4, [16])}, tiles, big), turned(picture, orientation), 0
        chance = random.Random(7)
        grey = [chance.randrange(65536) for _ in range(WIDTH * HEIGHT)]
        fields = {256: (4, [WIDTH]), 257: (4, [HEIGHT]), 258: (3, [16]), 259: (3, [1]), 262: (3, [1]), 274: (3, [orientation]), 277: (3, [1]),
                  278: (4, [HEIGHT])}
        eight = image("L", [(v + 128) // 257 for v in grey]).convert("RGB")
        yield name.replace("tiff", "tiff_16"), tiff(order, fields, [struct.pack(order + "%dH" % len(grey), *grey)], big), turned(eight, orientation), 1


# HEIC and AVIF

def boxes(data, at, end):
    while at + 8 <= end:
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        yield kind, at, size or end - at
        at += size or end - at


def find(data, kind):
    """Place and size of the first box of a kind; its name occurs nowhere before it."""
    at = data.index(kind) - 4
    return at, struct.unpack(">I", data[at:at + 4])[0]


def with_property(data, box):
    """The file with one more property of its primary item, as irot (turn) and imir (mirror) are."""
    data = bytearray(data)
    at, size = find(data, b"ipco")
    count = sum(1 for _ in boxes(data, at + 8, at + size))
    start, _ = find(data, b"ipma")
    wide = data[start + 11] & 1  # of two bytes
    item_bytes = 4 if data[start + 8] else 2
    at, _ = find(data, b"pitm")
    primary = data[at + 12:at + (16 if data[at + 8] else 14)]
    entry = start + 16 + item_bytes
    while int.from_bytes(data[entry - item_bytes:entry], "big") != int.from_bytes(primary, "big"):
        entry += 1 + data[entry] * (1 + wide) + item_bytes
    link = struct.pack(">H", 0x8000 | count + 1) if wide else bytes((0x80 | count + 1,))
    end = entry + 1 + data[entry] * len(link)
    data[entry] += 1
    data[end:end] = link
    where = sum(find(data, b"ipco"))
    data[where:where] = box
    for kind, more in ((b"ipma", len(link)), (b"ipco", len(box)), (b"iprp", len(link + box)), (b"meta", len(link + box))):
        at, size = find(data, kind)
        struct.pack_into(">I", data, at, size + more)
    move_contents(data, len(link + box))
    return bytes(data)


def move_contents(data, by):
    """The places in iloc, after something was put before them."""
    at, _ = find(data, b"iloc")
    version = data[at + 8]
    offset_bytes, length_bytes, base_bytes = data[at + 12] >> 4, data[at + 12] & 15, data[at + 13] >> 4
    count = struct.unpack(">H", data[at + 14:at + 16])[0]
    at += 16
    for _ in range(count):
        inside = version and data[at + 3] & 15  # the box idat, not the file
        at += 2 + (2 if version else 0) + 2
        places = [(at, base_bytes)] if base_bytes else []
        at += base_bytes
        extents = struct.unpack(">H", data[at:at + 2])[0]
        at += 2
        for _ in range(extents):
            if not base_bytes:
                places.append((at, offset_bytes))
            at += offset_bytes + length_bytes
        for place, size in () if inside else places:
            value = int.from_bytes(data[place:place + size], "big") + by
            data[place:place + size] = value.to_bytes(size, "big")

"""What the tests of the Python package share. Exit code 77 where it cannot be imported for lack of NumPy or cffi."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

try:
    import numpy as np
    import _cffi_backend  # noqa: F401
except ImportError as missing:
    print(missing)
    sys.exit(77)
import adatom

SOURCE = os.environ["SOURCE"]
MODEL = os.path.join(SOURCE, "models", "conv4-shapes.safetensors")


def command(*arguments):
    """What the command line prints."""
    done = subprocess.run((os.environ["ADATOM"],) + arguments, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError("%s: %s" % (" ".join(arguments), done.stderr))
    return done.stdout


def result(*arguments):
    """The JSON that the command line prints."""
    return json.loads(command(*arguments))


def shapes(classes, per_class, split="novel"):
    """Pictures [n, 32, 32, 3] of builtin:shapes, and their classes' names."""
    data = adatom.Dataset.open("builtin:shapes/" + split, image_size=32, per_class=per_class, cache=False)
    chosen = data.labels < classes
    return data.pixels[chosen], np.array(data.classes)[data.labels[chosen]]


def write_folder(folder, images, labels):
    """A folder per class with pictures as PPM, PGM or PAM; the paths, in their order."""
    paths = []
    for row, (image, label) in enumerate(zip(images, labels)):
        os.makedirs(os.path.join(folder, str(label)), exist_ok=True)
        paths.append(os.path.join(folder, str(label), "%04d.ppm" % row))
        with open(paths[-1], "wb") as file:
            file.write(b"P6\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes())
    return paths


class InFolder(unittest.TestCase):
    """A test in a folder of its own."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder.name)

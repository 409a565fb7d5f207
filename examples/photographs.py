"""photographs.py MODEL [FOLDER]: adapts a model to a folder with a folder per class, and shows where the classifier fails.

Without FOLDER pictures of builtin:shapes stand for photographs. Needs NumPy and the package adatom.
"""
import sys

import numpy as np

import adatom


def pictures(folder, form):
    """Pictures and the name of each one's class."""
    data = adatom.Dataset.open(folder, **form) if folder else adatom.Dataset.open("builtin:shapes/novel", per_class=12, **form)
    chosen = data.labels < 6
    return data.pixels[chosen], np.array(data.classes)[data.labels[chosen]]


def main():
    model = adatom.Model.load(sys.argv[1])
    info = model.info
    images, labels = pictures(sys.argv[2] if len(sys.argv) > 2 else None,
                              dict(image_size=info.image_size, resize=info.resize, interpolation=info.interpolation))
    print("%d pictures of %d classes; %s with %d atoms a layer" % (len(images), len(set(labels)), info.arch, info.atoms))

    # A quarter of the pictures is kept apart, to see how good the estimate is.
    test = np.arange(len(images)) % 4 == 0
    adapter = adatom.adapt(images[~test], labels[~test], model=model, method=adatom.Method("atoms", mirror=True))
    estimate = adapter.info
    print("estimated accuracy %.1f %% (%.1f to %.1f), by %s" % (100 * estimate.accuracy, 100 * estimate.low, 100 * estimate.high,
                                                                estimate.estimate))

    probabilities = adapter.classify(images[test])
    names = np.array(adapter.classes)
    told = names[probabilities.argmax(axis=1)]
    print("accuracy on the pictures kept apart: %.1f %%\n" % (100 * np.mean(told == labels[test])))

    # Rows: what pictures are; columns: what they are taken for.
    counts = np.array([[np.sum((labels[test] == is_) & (told == taken)) for taken in names] for is_ in names])
    width = max(len(name) for name in names)
    for name, row in zip(names, counts):
        print("%-*s %s" % (width, name, " ".join("%3d" % n for n in row)))

    # Adapters are small: they can be kept for each user, and classify beside each other.
    adapter.save("my-classes")
    again = adatom.Adapter.load("my-classes", model)
    assert (again.classify(images[test]) == probabilities).all()
    print("\nkept in my-classes: %d numbers adapted, classifier %d" % (estimate.adapted, estimate.head))


main()

"""methods.py MODEL: compares ways to adapt on few-shot episodes, and draws the most of the same frozen features.

Needs NumPy and the package adatom; scikit-learn for the last part, which is left out where it is missing.
"""
import sys

import numpy as np

import adatom


def compare(model, data):
    """All methods see the same episodes, so that their differences have smaller intervals than they have themselves."""
    methods = ["atoms", "cosine", "centroid", adatom.Method("atoms", steps=30, lr_atoms=0.003, mirror=True)]
    results = adatom.episodes(model, data, methods, way=5, shot=5, query=10, tasks=40, seed=1)
    print("%-10s %5s %18s %22s %10s" % ("method", "steps", "accuracy, %", "minus the first", "adapted"))
    for row in results.records():  # pandas.DataFrame(results.records()) is a table
        print("%-10s %5d %9.2f ± %5.2f %15.2f ± %4.2f %10d" % (row["method"], row["steps"], 100 * row["accuracy"], 100 * row["ci95"],
                                                              100 * row["difference"], 100 * row["difference_ci95"], row["adapted"]))


def features(model, data):
    """What a network makes of pictures, for other programs: here scikit-learn's cross-validation."""
    values, labels = model.features(data), data.labels
    print("\nfeatures %s of %d classes" % (list(values.shape), labels.max() + 1))
    try:
        from sklearn.model_selection import cross_val_score
    except ImportError:
        return
    chosen = labels < 8
    for method in ("centroid", "cosine", "head"):
        scores = cross_val_score(adatom.AdatomClassifier(method=method), values[chosen], labels[chosen], cv=4)
        print("%-10s %.1f %% in cross-validation" % (method, 100 * np.mean(scores)))


def main():
    model = adatom.Model.load(sys.argv[1])
    info = model.info
    data = adatom.Dataset.open("builtin:shapes/novel", image_size=info.image_size, resize=info.resize, per_class=20)
    compare(model, data)
    features(model, data)


main()

#!/usr/bin/env python3
"""How well adapters know what they don't know: the tables of docs/accuracy.md.

    adatom features PICTURES --model MODEL -o F.npy
    python3 tools/rejection_table.py F.npy [--adatom build/adatom] [--way 5] [--shots 5,20,60] [--draws 10]

F.npy with F.labels.csv beside it are features of pictures of many classes. For each draw `way` classes are adapted to with `shot`
pictures each; the other pictures of these classes and those of all other classes are then classified. Told are the accuracy and the
expected calibration error (10 bins) of the former without and with --calibrated, and how many of either --reject refuses.
Needs NumPy.
"""
import argparse
import csv
import io
import os
import subprocess
import sys
import tempfile

import numpy as np


def run(adatom, *arguments):
    done = subprocess.run([adatom, *arguments, "--quiet", "--device", "cpu"], capture_output=True, text=True)
    if done.returncode:
        sys.exit("rejection_table: %s" % done.stderr)
    return done.stdout


def write(name, features, labels):
    np.save(name + ".npy", features.astype(np.float32))
    with open(name + ".labels.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "label"])
        writer.writerows((str(i), label) for i, label in enumerate(labels))


def classify(adatom, *options):
    """The rows of q.npy in their order."""
    rows = csv.DictReader(io.StringIO(run(adatom, "classify", "--features", "q.npy", "--adapter", "a", "--format", "csv", *options)))
    return sorted(rows, key=lambda row: int(row["picture"]))


def calibration_error(rows, truth):
    sure = np.array([float(row["probability"]) for row in rows])
    right = np.array([row["class"] == label for row, label in zip(rows, truth)])
    bins = np.minimum((sure * 10).astype(int), 9)
    return sum(abs(sure[bins == b].sum() - right[bins == b].sum()) for b in range(10)) / len(sure), right.mean()


def one_draw(adatom, features, labels, way, shot, method, random):
    chosen = random.permutation(sorted(set(labels)))[:way]
    support, own = [], []
    for name in chosen:
        rows = random.permutation(np.flatnonzero(labels == name))
        support.extend(rows[:shot])
        own.extend(rows[shot:])
    foreign = np.flatnonzero(~np.isin(labels, chosen))
    write("s", features[support], labels[support])
    write("q", np.concatenate([features[own], features[foreign]]), np.concatenate([labels[own], labels[foreign]]))
    run(adatom, "adapt", "--features", "s.npy", "--adapt", method, "--output", "a")
    errors = [calibration_error(classify(adatom, *options)[:len(own)], labels[own]) for options in ([], ["--calibrated"])]
    found = [errors[0][1], errors[0][0], errors[1][0]]
    typical = np.array([float(row["typicality"]) for row in classify(adatom, "--reject", "0.5")])
    for share in (0.05, 0.1):
        found += [np.mean(typical[:len(own)] <= share), np.mean(typical[len(own):] <= share)]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("--adatom", default="adatom")
    parser.add_argument("--way", type=int, default=5)
    parser.add_argument("--shots", default="5,20,60")
    parser.add_argument("--methods", default="centroid,cosine,head")
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    features = np.load(options.features)
    with open(os.path.splitext(options.features)[0] + ".labels.csv", newline="") as file:
        labels = np.array([row[-1] for row in csv.reader(file)][1:])
    adatom = os.path.abspath(options.adatom) if os.sep in options.adatom else options.adatom
    print("| method | shots | right % | calibration error % | calibrated | refused at 0.05: own % | others % | at 0.1: own % | others % |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for shot in (int(text) for text in options.shots.split(",")):
            for method in options.methods.split(","):
                random = np.random.default_rng(1)
                found = np.array([one_draw(adatom, features, labels, options.way, shot, method, random) for _ in range(options.draws)])
                print("| %s | %d | %s |" % (method, shot, " | ".join("%.1f" % (100 * x) for x in found.mean(axis=0))), flush=True)


if __name__ == "__main__":
    main()

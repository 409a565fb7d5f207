"""Heads on features against scikit-learn's classifiers and, where it has none, against their definitions in NumPy.

Run by ctest as e2e_heads with SOLVE_HEADS (solve_heads.c) in the environment; exit code 77 where scikit-learn is
missing.
"""
import os
import struct
import subprocess
import sys
import warnings

try:
    import numpy as np
    from sklearn.covariance import ledoit_wolf
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
except ImportError as missing:
    print(missing)
    sys.exit(77)

LOGISTIC, DISCRIMINANT, NEIGHBOURS, RECTIFIED, CENTRED = 1, 2, 3, 4, 5
failures = []


def solve(solver, x, labels, way, inverse_penalty=1.0, shrinkage=0.0, neighbours=5, centre=None):
    supports, features = len(labels), x.shape[1]
    data = struct.pack("<6i2d", solver, supports, len(x) - supports, way, features, neighbours, inverse_penalty, shrinkage)
    centre = np.zeros(features) if centre is None else centre
    data += labels.astype("<i4").tobytes() + centre.astype("<f4").tobytes() + x.astype("<f4").tobytes()
    out = subprocess.run([os.environ["SOLVE_HEADS"]], input=data, stdout=subprocess.PIPE, check=True).stdout
    return np.exp(np.frombuffer(out).reshape(-1, way))


def compare(name, got, want, allowed):
    off = np.abs(got - want).max()
    if not off <= allowed:
        failures.append(name)
        print(f"FAILED: {name}: probabilities off by {off:.2e}, allowed {allowed:.0e}")
    return off


def softmax(scores):
    e = np.exp(scores - scores.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def unit(x):
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def logistic(x, labels, n, c):
    # scikit-learn's two classes share one row of weights, w = w1 - w0, where |w0|^2 + |w1|^2 = |w|^2 / 2.
    model = LogisticRegression(C=c if labels.max() > 1 else 2 * c, tol=1e-10, max_iter=10000)
    z = unit(x)
    return model.fit(z[:n], labels).predict_proba(z[n:])


def pooled(x, labels, n):
    rest = x[:n].copy()
    for k in range(labels.max() + 1):
        rest[labels == k] -= rest[labels == k].mean(0)
    return rest


def discriminant(x, labels, n, shrinkage):
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    return model.fit(x[:n], labels).predict_proba(x[n:])


def neighbours(x, labels, n, way, k):
    z = unit(x)
    cosines = z[n:] @ z[:n].T
    out = np.zeros((len(x) - n, way))
    for q, row in enumerate(cosines):
        for i in np.argsort(-row, kind="stable")[:k]:
            out[q, labels[i]] += np.exp((row[i] - row.max()) / 0.07)
    return out / out.sum(1, keepdims=True)


def rectified(x, labels, n, way):
    z = unit(x)
    s, q = z[:n], z[n:]
    q = unit(q + s.mean(0) - q.mean(0))
    means = unit(np.stack([s[labels == k].sum(0) for k in range(way)]))
    sure = softmax(10 * q @ means.T)
    guess = sure.argmax(1)
    corrected = []
    for k in range(way):
        joined = [i for i in np.argsort(-sure[:, k], kind="stable") if guess[i] == k][:8]
        members = np.concatenate([s[labels == k], q[joined]])
        weights = np.exp(10 * members @ means[k])
        corrected.append((weights[:, None] * members).sum(0) / weights.sum())
    return softmax(10 * q @ unit(np.stack(corrected)).T)


def centred(x, labels, n, way, centre):
    z = unit(x - centre)
    means = np.stack([z[:n][labels == k].mean(0) for k in range(way)])
    return softmax(-((z[n:, None] - means) ** 2).sum(2))


def main():
    warnings.simplefilter("ignore")  # of classes of one picture, and of searches that end at the limits of rounding
    random = np.random.default_rng(5)
    worst = {}
    for way, shots, queries, features in ((5, 1, 15, 64), (5, 5, 15, 640), (2, 3, 4, 7), (20, 5, 5, 96), (3, (1, 4, 9), 6, 30), (2, 30, 9, 4)):
        counts = shots if isinstance(shots, tuple) else (shots,) * way
        labels = np.repeat(np.arange(way), counts).astype("i4")
        n = len(labels)
        centres = random.normal(size=(way, features))
        x = np.concatenate([centres[labels], centres[random.integers(0, way, way * queries)]])
        x = (np.maximum(x + 1.5 * random.normal(size=x.shape), 0) * random.uniform(0.2, 3, features)).astype("f4").astype("f8")
        name = f"{way}-way, {shots} shots, {features} features"

        def check(what, got, want, allowed):
            worst[what] = max(worst.get(what, 0), compare(f"{what}, {name}", got, want, allowed))

        for c in (1.0, 0.05, 30.0):
            check("logistic", solve(LOGISTIC, x, labels, way, inverse_penalty=c), logistic(x, labels, n, c), 1e-4)
        if max(counts) > 1:
            for s in (0.05, 0.5, 1.0):
                check("lda", solve(DISCRIMINANT, x, labels, way, shrinkage=s), discriminant(x, labels, n, s), 1e-4)
            chosen = ledoit_wolf(pooled(x, labels, n), assume_centered=True)[1]
            check("lda, Ledoit and Wolf", solve(DISCRIMINANT, x, labels, way), solve(DISCRIMINANT, x, labels, way, shrinkage=chosen), 1e-6)
        for k in (1, 5, 1000):
            check("knn", solve(NEIGHBOURS, x, labels, way, neighbours=k), neighbours(x, labels, n, way, k), 1e-6)
        centre = x.mean(0).astype("f4").astype("f8")
        check("simpleshot", solve(CENTRED, x, labels, way, centre=centre), centred(x, labels, n, way, centre), 1e-6)
        check("bd-cspn", solve(RECTIFIED, x, labels, way), rectified(x, labels, n, way), 1e-6)
    for what, off in worst.items():
        print(f"{what}: probabilities at worst {off:.1e} off")
    return 1 if failures else 0


sys.exit(main())

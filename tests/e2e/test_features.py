"""Features from and for Python: files of NumPy and, where it can be imported, safetensors, are read; files of 'adatom
features' are read by them; heads on features of another network agree with NumPy's own class means."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("no numpy")
    sys.exit(77)
try:
    import safetensors.numpy
except ImportError:
    safetensors = None

ADATOM, FIXTURE = os.environ["ADATOM"], os.environ["FIXTURE"]
failures = 0


def complain(text):
    global failures
    failures += 1
    print("FAILED:", text)


def run(*arguments, code=0):
    result = subprocess.run([ADATOM, *arguments], capture_output=True, text=True)
    if result.returncode != code:
        complain(f"exit code {result.returncode}, not {code}: {' '.join(arguments)}: {result.stderr[-400:]}")
    return result


def document(*arguments):
    return json.loads(run(*arguments, "--format", "json").stdout)


def embeddings(rows, classes, width, seed):
    """What a transformer might give: classes on directions of their own, with noise, in no order."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(classes, width))
    labels = random.permutation(np.arange(rows) % classes)
    return (directions[labels] + 0.9 * random.normal(size=(rows, width))).astype(np.float32), labels


def nearest_means(features, labels, list_of_episodes, way, shot, query):
    """The accuracies by class means, from the pictures' numbers in an episodes file. The data set's order is that of the
    labels, rows of a class in the file's order."""
    order = np.argsort(labels, kind="stable")
    x = features[order].astype(np.float64)
    values = []
    for episode in list_of_episodes:
        support = np.array(episode["support"]).reshape(way, shot)
        asked = np.array(episode["query"]).reshape(way, query)
        means = x[support].mean(axis=1)
        distance = ((x[asked][:, :, None] - means) ** 2).sum(axis=-1)
        values.append((distance.argmin(axis=-1) == np.arange(way)[:, None]).mean())
    return values


def episodes_of(path):
    kept = json.load(open(path))
    return kept["episodes"]


def check_episodes(name, features, labels, *options):
    way, shot, query = 5, 3, 6
    result = document("episodes", "--features", name, *options, "--device", "cpu", "--way", str(way), "--shot", str(shot),
                      "--query", str(query), "--tasks", "20", "--adapt", "centroid,cosine,head", "--save-episodes", "list.json")
    measured = result["results"][0]["accuracy"]["values"]
    expected = nearest_means(features, labels, episodes_of("list.json"), way, shot, query)
    if not np.allclose(measured, expected, atol=1.01 / (way * query)) or np.mean(measured) < 0.5:
        complain(f"{name}: class means give {measured}, NumPy's {expected}")
    if abs(np.mean(measured) - np.mean(expected)) > 2e-3:
        complain(f"{name}: the mean is {np.mean(measured)}, NumPy's {np.mean(expected)}")
    return result


def arrays():
    features, labels = embeddings(240, 8, 37, 1)
    first = None
    for kind, order in (("f4", "C"), ("f8", "C"), ("f4", "F"), ("f8", "F")):
        np.save(f"x_{kind}{order}.npy", np.array(features, dtype=kind, order=order))
        np.save(f"x_{kind}{order}.labels.npy", labels.astype("i8" if order == "C" else "i4"))
        result = check_episodes(f"x_{kind}{order}.npy", features, labels)
        values = [r["accuracy"]["values"] for r in result["results"]]
        first = first or values
        if values != first:
            complain(f"{kind} in {order} order gives other numbers")
    half = features.astype("f2")
    np.save("half.npy", half)
    np.save("y.npy", labels.astype("i4"))
    check_episodes("half.npy", half.astype("f4"), labels, "--labels", "y.npy")
    np.save("big.npy", features.astype(">f4"))
    if "big-endian" not in run("episodes", "--features", "big.npy", "--labels", "y.npy", code=4).stderr:
        complain("big-endian numbers are not named")
    np.save("objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    if "type '|O'" not in run("episodes", "--features", "objects.npy", code=4).stderr:
        complain("a pickle in an array is not refused by its type")
    np.savez("x.npz", features=features)
    if "numpy.save" not in run("episodes", "--features", "x.npz", code=4).stderr:
        complain("an .npz is not refused")
    broken = features.copy()
    broken[17, 3] = np.nan
    np.save("broken.npy", broken)
    if "the first is row 17 (counted from 0), in column 3" not in run("episodes", "--features", "broken.npy", "--labels", "y.npy",
                                                                     code=4).stderr:
        complain("the row that is not finite is not named")


def other_networks():
    """An adapter of one table of features classifies another."""
    features, labels = embeddings(60, 6, 512, 2)
    np.save("support.npy", features)
    np.save("support.labels.npy", labels)
    query, truth = embeddings(90, 6, 512, 3)
    np.save("query.npy", query)
    for method in ("centroid", "head", "cosine"):
        run("adapt", "--device", "cpu", "--features", "support.npy", "--adapt", method, "--output", method)
        answers = document("classify", "--device", "cpu", "--features", "query.npy", "--adapter", method)["predictions"]
        right = np.mean([int(a["class"]) == truth[i] for i, a in enumerate(answers)])
        if len(answers) != 90 or right < 0.95:
            complain(f"{method}: {right} of the other features are right")


def written_files():
    run("features", "--model", f"{FIXTURE}/model.safetensors", "builtin:shapes/val", "--per-class", "5", "-o", "F.npy", "--device", "cpu")
    run("features", "--model", f"{FIXTURE}/model.safetensors", "builtin:shapes/val", "--per-class", "5", "-o", "F.safetensors",
        "--device", "cpu")
    run("features", "--model", f"{FIXTURE}/model.safetensors", "builtin:shapes/val", "--per-class", "5", "-o", "H.npy", "--dtype", "f16",
        "--device", "cpu")
    array, half = np.load("F.npy"), np.load("H.npy")
    rows = [line.rstrip("\n").split(",") for line in open("F.labels.csv")]
    if array.shape != (80, 8) or array.dtype != np.float32 or not array.flags["C_CONTIGUOUS"] or len(rows) != 81:
        complain(f"F.npy holds {array.shape} {array.dtype}, its list {len(rows)} lines")
    if half.dtype != np.float16 or not np.array_equal(half, array.astype(np.float16)):
        complain("float16 is not NumPy's rounding of float32")
    if open("F.npy", "rb").read(8)[6:] != b"\x01\x00":
        complain("F.npy is not of version 1.0")
    if not safetensors:
        print("no safetensors: its files are not compared")
        return
    tensors = safetensors.numpy.load_file("F.safetensors")
    with safetensors.safe_open("F.safetensors", "numpy") as file:
        metadata = file.metadata()
    names, pictures = json.loads(metadata["classes"]), json.loads(metadata["pictures"])
    run("features", "--model", f"{FIXTURE}/model.safetensors", "builtin:shapes/val", "--per-class", "5", "-o", "H.safetensors",
        "--dtype", "f16", "--device", "cpu")
    narrow = safetensors.numpy.load_file("H.safetensors")
    if not np.array_equal(narrow["features"], half) or not np.array_equal(narrow["labels"], tensors["labels"]):
        complain("H.safetensors holds something else than H.npy")
    note = json.loads(metadata["adatom_features"])
    if not np.array_equal(tensors["features"], array) or tensors["labels"].dtype != np.int32:
        complain("F.safetensors holds something else than F.npy")
    if [f'"{p}","{names[c]}"' for p, c in zip(pictures, tensors["labels"])] != [",".join(r) for r in rows[1:]]:
        complain("labels and names differ from the list's")
    if note["features"] != 8 or note["dataset"]["images"] != 80 or note["preprocessing"]["size"] != 16:
        complain(f"the note is {note}")
    # Saved again by Python: the numbers changed, the note stayed.
    tensors["features"] = tensors["features"] / np.linalg.norm(tensors["features"], axis=1, keepdims=True)
    safetensors.numpy.save_file(tensors, "N.safetensors", metadata)
    result = run("episodes", "--features", "N.safetensors", "--query", "2", "--tasks", "5", "--device", "cpu", "--format", "json")
    if "were changed since" not in result.stderr or json.loads(result.stdout)["dataset"]["model_hash"] is not None:
        complain("numbers that were changed pass for those of the network")
    # Written by Python: only features and labels.
    features, labels = embeddings(120, 5, 16, 4)
    for dtype in (np.float16, np.float32, np.float64):
        safetensors.numpy.save_file({"features": features.astype(dtype), "labels": labels.astype(np.int64)}, "P.safetensors")
        check_episodes("P.safetensors", features.astype(dtype).astype(np.float32), labels)
    safetensors.numpy.save_file({"features": features, "labels": labels.astype(np.int32)}, "P.safetensors", {"classes": '["a","b","c","d","e"]'})
    run("adapt", "--device", "cpu", "--features", "P.safetensors", "--adapt", "cosine", "--output", "named", "--estimate", "none")
    if [c["name"] for c in json.load(open("named/adapter_config.json"))["classes"]] != list("abcde"):
        complain("names of classes are not taken from the metadata")


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    os.environ["ADATOM_CACHE_DIR"] = os.path.join(work, "cache")
    arrays()
    other_networks()
    written_files()
    os.chdir("/")
sys.exit(1 if failures else 0)

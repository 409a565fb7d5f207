"""Every network as a graph of ONNX gives this program's answers: features and logits, with norms folded and not, of one
picture and of several; with an adapter merged, the probabilities of classify. Random weights, with batch norms' statistics
of pictures.

Run by ctest as e2e_onnx with ADATOM, RUN_MODEL and RANDOM_MODEL in the environment; exit code 77 where onnxruntime cannot be
imported. Graphs are also validated with onnx.checker where onnx can be.
Arguments: names of networks; all: every one; none: those that stand for their kind, and adapters.
"""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
except ImportError as missing:
    print(missing)
    sys.exit(77)
try:
    import onnx
except ImportError as missing:
    print(missing)
    onnx = None

ADATOM, RUN_MODEL, RANDOM_MODEL = (os.environ[name] for name in ("ADATOM", "RUN_MODEL", "RANDOM_MODEL"))
CLASSES, COUNT, LIMIT = 5, 20, 1e-4
# Sides of pictures. 70 is halved to 35, 18, 9, 5 and 3: even and odd sides, whose pads differ, before kernels of 3 and 5.
SIZES = {"conv4": 37, "conv6": 37, "resnet12": 37}
SIZE = 70
# Sharing, width ("0": the network's own) and padding of further comparisons.
VARIANTS = (("conv4", "layer"), ("conv6", "stage", "12"), ("resnet12", "group-net", "8"), ("resnet18", "net", "16", "same"),
            ("efficientnet_b0", "layer", "0", "same"), ("efficientnet_lite0", "none", "0", "even"))
DEFAULT = ("conv4", "conv6", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0",
           "convnext_atto")
failures = []


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit("exit code %d: %s: %s" % (done.returncode, " ".join(command), done.stderr.decode()))
    return done.stdout.decode()


def adatom(*words):
    return run(ADATOM, *words)


def draw(size, count=COUNT, seed=0):
    """Pictures whose networks' answers differ: each has large patches of colours of its own, and noise."""
    random = np.random.default_rng(seed)
    patches = random.random((count, 3, 3, 3)).repeat(size // 3 + 1, 1).repeat(size // 3 + 1, 2)[:, :size, :size]
    return (255 * (0.7 * patches + 0.3 * random.random((count, size, size, 3)))).astype(np.uint8)


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = 2, 1
    if onnx:
        onnx.checker.check_model(path, full_check=True)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def tell(what, got, wanted):
    error = np.abs(got - wanted).max() / np.abs(wanted).max()
    good = got.shape == wanted.shape and error < LIMIT
    print("%s: %s%.1e" % (what, "" if good else "FAILED, ", error), flush=True)
    if not good:
        failures.append(what)


def answers(model, pixels):
    """This program's features and logits."""
    pixels.tofile("pixels")
    run(RUN_MODEL, "cpu", model, "pixels", "results")
    results = np.fromfile("results", np.float32)
    features = results.size // len(pixels) - CLASSES
    return results[:features * len(pixels)].reshape(-1, features), results[features * len(pixels):].reshape(-1, CLASSES)


def graph(model, pixels, *options, batch):
    """The graph's features and logits, in batches."""
    adatom("export", model, "-o", "graph.onnx", *options)
    network = session("graph.onnx")
    images = pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    parts = [network.run(["features", "logits"], {"pixels": images[i:i + batch]}) for i in range(0, len(images), batch)]
    return [np.concatenate(part) for part in zip(*parts)]


def check(arch, *variant, seed=1):
    what, size = " ".join((arch,) + variant), SIZES.get(arch, SIZE)
    draw(size, seed=seed).tofile("statistics")
    run(RANDOM_MODEL, "model", "statistics", str(CLASSES), str(seed), arch, str(size), *variant)
    pixels = draw(size, 6, seed=100)
    wanted = answers("model", pixels)
    # A network whose answers are nearly the same for all pictures would hide what is wrong in its first layers.
    varied = np.abs(wanted[1] - wanted[1].mean(0)).max() / np.abs(wanted[1]).max()
    if not varied > 0.05:
        sys.exit("%s: answers to different pictures differ by %g only" % (what, varied))
    for options, batch in ((("--fold-norms",), 3), (("--no-fold-norms",), 1)):
        got = graph("model", pixels, *options, batch=batch)
        for name, ours, theirs in zip(("features", "logits"), wanted, got):
            tell("%s, %s, %s" % (what, options[0][2:], name), theirs, ours)


def metadata(path):
    """What the graph says on preparing pictures is what inspect says of the model."""
    told = json.loads(adatom("inspect", "model", "--format", "json"))["model"]
    said = session(path).get_modelmeta().custom_metadata_map
    wanted = {"image_size": told["image_size"], "resize": told["resize"], "mean": told["preprocessing"]["mean"],
              "std": told["preprocessing"]["std"], "classes": ["0", "1", "2", "3", "4"]}
    for key, value in wanted.items():
        same = json.loads(said[key]) == value if key == "classes" else np.array_equal(np.float32(json.loads(said[key])), np.float32(value))
        if not same:
            failures.append(key)
            print("metadata: FAILED, %s: %s is not %s" % (key, said[key], value))
    for key, value in (("interpolation", told["preprocessing"]["interpolation"]), ("model_hash", told["hash"]), ("mirror", "false")):
        if said[key] != value:
            failures.append(key)
            print("metadata: FAILED, %s: %s is not %s" % (key, said[key], value))


def check_adapter(what, *method):
    """The graph of a model with an adapter merged gives the probabilities of classify, by the adapter's classes."""
    model = ("--model", "residual", "--device", "cpu", "--no-cache")
    adatom("adapt", *model, "--images", "support", "--estimate", "none", "--output", "adapter", "--steps", "5", *method)
    rows = json.loads(adatom("classify", "query", *model, "--adapter", "adapter", "--top", "2", "--format", "json"))["predictions"]
    wanted, pixels = np.zeros((len(rows) // 2, 2)), draw(SIZE, 6, seed=7)
    for row in rows:
        wanted[int(os.path.basename(row["picture"])[0]), row["class_index"]] = row["probability"]
    if not (wanted[:, 0].max() - wanted[:, 0].min() > 0.02):
        sys.exit("%s: all pictures have the same answer, %s" % (what, wanted[:, 0]))
    for options, batch in (((), 3), (("--no-fold-norms",), 1)):
        logits = graph("residual", pixels, "--adapter", "adapter", *options, batch=batch)[1].astype(np.float64)
        tell("%s%s" % (what, ", " + options[0][2:] if options else ""),
             logits - np.log(np.exp(logits).sum(1, keepdims=True)), np.log(wanted))
    return onnxruntime.InferenceSession("graph.onnx", providers=["CPUExecutionProvider"]).get_modelmeta().custom_metadata_map


def check_adapters():
    draw(SIZE).tofile("statistics")
    run(RANDOM_MODEL, "model", "statistics", str(CLASSES), "3", "resnet10", str(SIZE), "none", "16")
    adatom("export", "model", "-o", "graph.onnx")
    metadata("graph.onnx")
    adatom("decompose", "model", "--mode", "residual", "--atoms", "6", "-o", "residual")
    for folder, seed in (("support", 6), ("query", 7)):
        for i, picture in enumerate(draw(SIZE, 6, seed)):
            place = os.path.join(folder, ("orchid", "rose")[i % 2]) if folder == "support" else folder
            os.makedirs(place, exist_ok=True)
            with open(os.path.join(place, "%d.ppm" % i), "wb") as file:
                file.write(b"P6 %d %d 255\n" % (SIZE, SIZE) + picture.tobytes())
    atoms = ("--adapt", "atoms", "--lr-atoms", "0.001")
    said = check_adapter("atoms, cosine head", *atoms, "--head", "cosine")
    if json.loads(said["classes"]) != ["orchid", "rose"]:
        failures.append("classes")
        print("metadata: FAILED, classes: %s" % said["classes"])
    check_adapter("atoms, linear head", *atoms, "--head", "linear")
    said = check_adapter("atoms, cosine head, mirror images", *atoms, "--head", "cosine", "--mirror")
    if said["mirror"] != "true":
        failures.append("mirror")
        print("metadata: FAILED, mirror: %s" % said["mirror"])
    check_adapter("centroid of cosines, own statistics", "--adapt", "centroid", "--distance", "cosine", "--bn", "support")
    check_adapter("lora, linear head, mirror images", "--adapt", "lora", "--head", "linear", "--mirror")
    for head in ("cosine", "linear"):
        check_adapter("tsa, %s head" % head, "--adapt", "tsa", "--head", head)


def main():
    archs = run(RANDOM_MODEL).split()
    named = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in archs if named == ["all"] else named or DEFAULT:
            check(name)
        if not named or named == ["all"]:
            for variant in VARIANTS:
                check(*variant)
            check_adapters()
        os.chdir("/")
    sys.exit(bool(failures))


main()

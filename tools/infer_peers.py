#!/usr/bin/env python3
"""Times classifying with networks as they are: `adatom bench --filter infer/ARCH/SIZE/bN` beside onnxruntime and
PyTorch (channels last), by turns on the same machine, random weights in all of them.

    tools/infer_peers.py [--adatom build/adatom] [--batch 1 --batch 4] [ARCH ...]

Needs torch, torchvision, timm, onnx and onnxruntime, e.g. from PyPI in a venv. Each of the rounds times every contender
once (the median of its batches); what is printed are the medians of the rounds in pictures a second, the best batch of
each contender, and the ratio to the better peer."""
import argparse
import importlib
import io
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

ARCHS = ["resnet18", "resnet50", "mobilenet_v2", "efficientnet_lite0", "convnext_tiny"]
MODULES = ["torch", "torchvision", "timm", "onnx", "onnxruntime"]


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archs", nargs="*", default=ARCHS, metavar="ARCH", help="default: " + " ".join(ARCHS))
    parser.add_argument("--adatom", default="build/adatom", help="the program (default build/adatom)")
    parser.add_argument("--batch", type=int, action="append", help="pictures at a time; may be repeated (default 1, 4, 8)")
    parser.add_argument("--size", type=int, default=224, help="of pictures (default 224)")
    parser.add_argument("--threads", type=int, default=2, help="of every contender (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--seconds", type=float, default=2, help="of one peer in one round (default 2)")
    return parser.parse_args()


def missing():
    """The modules that cannot be imported, and why."""
    found = []
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            found.append(f"{name} ({error})")
    return found


def network(arch):
    import timm
    import torchvision

    made = getattr(torchvision.models, arch, None)
    return (made(weights=None) if made else timm.create_model(arch)).eval()


def median_rate(run, batch, seconds):
    """Pictures a second from the median time of a run."""
    for _ in range(2):
        run()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return batch / statistics.median(times)


def torch_runner(model, batch, size):
    import torch

    model = model.to(memory_format=torch.channels_last)
    x = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)

    def run():
        with torch.inference_mode():
            model(x)

    return run


def onnx_runner(model, batch, size, threads):
    import onnxruntime
    import torch

    file = io.BytesIO()
    x = torch.randn(batch, 3, size, size)
    torch.onnx.export(model, (x,), file, input_names=["x"], dynamo=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), settings, providers=["CPUExecutionProvider"])
    feed = {"x": x.numpy()}
    return lambda: session.run(None, feed)


def adatom_rates(program, threads, names):
    """Pictures a second of each case."""
    command = [program, "bench", "-q", "--device", "cpu", "--threads", str(threads), "--format", "json"]
    for name in names:
        command += ["--filter", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    rates = {}
    for row in json.loads(done.stdout or "{}").get("results", []):
        if row["name"] in names:
            if row["status"] != "ok":
                sys.exit(f"infer_peers: {row['name']}: {row['status']}: {row['reason']}")
            rates[row["name"]] = row["images_per_s"]
    if len(rates) != len(names):
        sys.exit(f"infer_peers: no result of {' '.join(command)}")
    return rates


def compare(args, arch, batches):
    """{contender: {batch: [a rate of each round]}}"""
    import torch

    rates = {name: {batch: [] for batch in batches} for name in ("adatom", "onnxruntime", "torch")}
    runners = {}
    for batch in batches:
        runners["onnxruntime", batch] = onnx_runner(network(arch), batch, args.size, args.threads)
        runners["torch", batch] = torch_runner(network(arch), batch, args.size)
    torch.set_num_threads(args.threads)
    cases = {batch: f"infer/{arch}/{args.size}/b{batch}" for batch in batches}
    for _ in range(args.rounds):
        ours = adatom_rates(args.adatom, args.threads, list(cases.values()))
        for batch in batches:
            rates["adatom"][batch].append(ours[cases[batch]])
        for (name, batch), run in runners.items():
            rates[name][batch].append(median_rate(run, batch, args.seconds))
    return rates


def describe(of_batches):
    """The best batch: its median, its text."""
    batch, rates = max(of_batches.items(), key=lambda item: statistics.median(item[1]))
    median = statistics.median(rates)
    return median, f"{median:.1f} (b{batch}, {min(rates):.1f}-{max(rates):.1f})"


def main():
    args = options()
    absent = missing()
    if absent:
        sys.exit("infer_peers: cannot import " + ", ".join(absent) + "; e.g. pip install " + " ".join(MODULES))
    if not os.access(args.adatom, os.X_OK):
        sys.exit(f"infer_peers: '{args.adatom}' is no program: name it with --adatom")
    import onnxruntime
    import torch

    warnings.simplefilter("ignore")  # the exporter's, of how it will change
    print(f"PyTorch {torch.__version__}, onnxruntime {onnxruntime.__version__}, {args.threads} threads, medians of "
          f"{args.rounds} rounds in pictures a second (batch, least-most)")
    print(f"| network, {args.size} | adatom | onnxruntime | PyTorch channels last | adatom / better peer |\n"
          "|---|---|---|---|---|", flush=True)
    for arch in args.archs:
        rates = compare(args, arch, args.batch or [1, 4, 8])
        found = {name: describe(of) for name, of in rates.items()}
        ratio = found["adatom"][0] / max(found["onnxruntime"][0], found["torch"][0])
        print(f"| {arch} | " + " | ".join(text for _, text in found.values()) + f" | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()

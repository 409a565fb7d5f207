#!/usr/bin/env python3
"""Times a step of adapting the atoms of EfficientNet-Lite0 to an episode: `adatom bench` beside PyTorch (eager, in both
memory formats), by turns on the same machine, random weights in both.

    tools/step_peers.py [--adatom build/adatom] [--size 112 --size 224]

A step is forward and backward through the support set, 5 classes of 5 pictures, and Adam; batch norm is frozen, and what
adapts are the atoms of the depthwise kernels and the first one (9 each) and the classifier. Adatom's comes from two cases
that differ in the number of steps. Needs torch and timm, e.g. from PyPI in a venv. Prints medians of the rounds."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

FEW, MANY, WAY, PICTURES, ATOMS = 2, 12, 5, 25, 9


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adatom", default="build/adatom", help="the program (default build/adatom)")
    parser.add_argument("--size", type=int, action="append", help="of pictures; may be repeated (default 112, 224)")
    parser.add_argument("--threads", type=int, default=2, help="of every contender (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--steps", type=int, default=4, help="of PyTorch in one round (default 4)")
    return parser.parse_args()


def adatom(program, size, threads):
    """Seconds of a step of an episode."""
    names = {steps: f"adapt/atoms/efficientnet_lite0/{size}/5w5s1q/{steps}" for steps in (FEW, MANY)}
    command = [program, "bench", "--device", "cpu", "--threads", str(threads), "--output", "json"]
    for name in names.values():
        command += ["--filter", name]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"step_peers: {program} failed: {result.stderr.strip()}")
    rates = {r["name"]: r["episodes_per_s"] for r in json.loads(result.stdout)["results"] if r["name"] in names.values()}
    if len(rates) < 2 or None in rates.values():
        sys.exit(f"step_peers: {program} did not measure {' and '.join(names.values())}")
    return (1 / rates[names[MANY]] - 1 / rates[names[FEW]]) / (MANY - FEW)


def network(torch, timm):
    """EfficientNet-Lite0 whose kernels larger than 1x1 are W + the sum of alpha psi, psi adapting."""
    from timm.layers import Conv2dSame
    from timm.layers.padding import pad_same

    class Residual(torch.nn.Module):
        def __init__(self, conv):
            super().__init__()
            self.conv = conv
            k = conv.kernel_size[0]
            self.register_buffer("alpha", 0.1 * torch.randn(*conv.weight.shape[:2], ATOMS))
            self.psi = torch.nn.Parameter(torch.zeros(ATOMS, k, k))

        def forward(self, x):
            c = self.conv
            w = c.weight + torch.einsum("oim,mhw->oihw", self.alpha, self.psi)
            padding = c.padding
            if isinstance(c, Conv2dSame):
                x, padding = pad_same(x, c.kernel_size, c.stride, c.dilation), 0
            return torch.nn.functional.conv2d(x, w, None, c.stride, padding, c.dilation, c.groups)

    def wrap(module):
        for name, child in list(module.named_children()):
            if isinstance(child, torch.nn.Conv2d) and child.kernel_size[0] > 1:
                setattr(module, name, Residual(child))
            else:
                wrap(child)

    net = timm.create_model("tf_efficientnet_lite0", num_classes=WAY).eval()
    net.requires_grad_(False)
    wrap(net)
    net.classifier.requires_grad_(True)
    return net


class Peer:
    def __init__(self, torch, timm, size, layout):
        self.torch = torch
        self.net = network(torch, timm).to(memory_format=layout)
        self.x = torch.randn(PICTURES, 3, size, size).to(memory_format=layout)
        self.y = torch.arange(PICTURES) % WAY
        self.optimiser = torch.optim.Adam([p for p in self.net.parameters() if p.requires_grad], lr=1e-3)
        self.step()

    def step(self):
        self.optimiser.zero_grad()
        self.torch.nn.functional.cross_entropy(self.net(self.x), self.y).backward()
        self.optimiser.step()

    def seconds(self, steps):
        taken = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            taken.append(time.perf_counter() - start)
        return statistics.median(taken)


def main():
    args = options()
    try:
        import timm
        import torch
    except ImportError as missing:
        sys.exit(f"step_peers: {missing}; install torch and timm, e.g. in a venv")
    if not os.access(args.adatom, os.X_OK):
        sys.exit(f"step_peers: there is no program {args.adatom}; name it with --adatom")
    torch.set_num_threads(args.threads)
    print(f"PyTorch {torch.__version__}, {args.threads} threads, medians of {args.rounds} rounds, ms a step (least-most)")
    print("| pictures | adatom | PyTorch | PyTorch channels last | times faster than them |\n|---|---|---|---|---|")
    for size in args.size or [112, 224]:
        peers = [Peer(torch, timm, size, layout) for layout in (torch.contiguous_format, torch.channels_last)]
        rounds = [[adatom(args.adatom, size, args.threads)] + [p.seconds(args.steps) for p in peers]
                  for _ in range(args.rounds)]
        columns = [[1000 * row[c] for row in rounds] for c in range(3)]
        middle = [statistics.median(c) for c in columns]
        cells = [f"{m:.0f} ({min(c):.0f}-{max(c):.0f})" for m, c in zip(middle, columns)]
        print(f"| {size} | {' | '.join(cells)} | {middle[1] / middle[0]:.1f}, {middle[2] / middle[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()

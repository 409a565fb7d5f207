"""Networks of PyTorch go through import, decomposition and export and come back, with the same logits at every step.

Run by ctest as e2e_torch with ADATOM and RUN_MODEL in the environment; exit code 77 where torch cannot be imported. The modules below
have the parameter names and the arithmetic of torchvision's, CloserLookFewShot's and RFS's.
"""
import ctypes
import json
import os
import sys
import tempfile

from torch_tools import ResNet, adatom, compare, failures, load, run, save
import torch
from torch import nn

MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.2, 0.3)


# torchvision.models.vgg16_bn: its features, the mean over positions, and one linear layer; or its own classifier
class VGG(nn.Module):
    def __init__(self, width, classes, own=False):
        super().__init__()
        layers, inside = [], 3
        for item in (1, 1, 0, 2, 2, 0, 4, 4, 4, 0, 8, 8, 8, 0, 8, 8, 8, 0):
            if item == 0:
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(inside, item * width, 3, padding=1), nn.BatchNorm2d(item * width), nn.ReLU(True)]
            inside = item * width
        self.features_ = inside
        self.features = nn.Sequential(*layers)
        hidden = (nn.Linear(inside * 49, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 8), nn.ReLU(True), nn.Dropout(),
                  nn.Linear(8, classes))
        self.classifier = nn.Sequential(*hidden) if own else nn.Linear(inside, classes)

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


# CloserLookFewShot, backbone.py and baselinetrain.py
class ConvBlock(nn.Module):
    def __init__(self, inside, outside, pool):
        super().__init__()
        self.C = nn.Conv2d(inside, outside, 3, padding=1)
        self.BN = nn.BatchNorm2d(outside)
        self.relu = nn.ReLU(inplace=True)
        layers = [self.C, self.BN, self.relu] + ([nn.MaxPool2d(2)] if pool else [])
        self.trunk = nn.Sequential(*layers)

    def forward(self, x):
        return self.trunk(x)


class SimpleBlock(nn.Module):
    def __init__(self, inside, outside, half):
        super().__init__()
        self.C1 = nn.Conv2d(inside, outside, 3, 2 if half else 1, 1, bias=False)
        self.BN1 = nn.BatchNorm2d(outside)
        self.C2 = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.BN2 = nn.BatchNorm2d(outside)
        self.same = inside == outside
        if not self.same:
            self.shortcut = nn.Conv2d(inside, outside, 1, 2 if half else 1, bias=False)
            self.BNshortcut = nn.BatchNorm2d(outside)

    def forward(self, x):
        y = self.BN2(self.C2(torch.relu(self.BN1(self.C1(x)))))
        return torch.relu(y + (x if self.same else self.BNshortcut(self.shortcut(x))))


class Trunk(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.trunk = nn.Sequential(*layers)

    def forward(self, x):
        return self.trunk(x)


class Baseline(nn.Module):
    def __init__(self, layers, features, classes):
        super().__init__()
        self.feature = Trunk(layers)
        self.classifier = nn.Linear(features, classes)

    def forward(self, x):
        return self.classifier(self.feature(x))


def conv4(depth, width, classes):
    return Baseline([ConvBlock(width if i else 3, width, i < 4) for i in range(depth)] + [nn.Flatten()], width * 4, classes)


def resnet10(width, classes):
    stem = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks = [SimpleBlock(width << max(i - 1, 0), width << i, i > 0) for i in range(4)]
    return Baseline(stem + blocks + [nn.AdaptiveAvgPool2d(1), nn.Flatten()], width * 8, classes)


# RFS, models/resnet.py
class RfsBlock(nn.Module):
    def __init__(self, inside, outside):
        super().__init__()
        for i in range(3):
            setattr(self, "conv%d" % (i + 1), nn.Conv2d(outside if i else inside, outside, 3, 1, 1, bias=False))
            setattr(self, "bn%d" % (i + 1), nn.BatchNorm2d(outside))
        self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside))
        self.relu, self.maxpool = nn.LeakyReLU(0.1), nn.MaxPool2d(2)

    def forward(self, x):
        y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        return self.maxpool(self.relu(self.bn3(self.conv3(y)) + self.downsample(x)))


class ResNet12(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        widths = (3, width, width * 5 // 2, width * 5, width * 10)
        for i in range(4):
            setattr(self, "layer%d" % (i + 1), nn.Sequential(RfsBlock(widths[i], widths[i + 1])))
        self.classifier = nn.Linear(widths[4], classes)

    def forward(self, x):
        return self.classifier(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


def whole_trip(name, make, size, classes, sharing="layer", dtype=torch.float32, prefix="", arch="auto"):
    torch.manual_seed(1)
    pictures = torch.randint(0, 256, (6, size, size, 3), dtype=torch.uint8)
    inputs = (pictures.permute(0, 3, 1, 2).float() / 255 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    module = make()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.rand_like(parameter))
        module.train()
        for _ in range(3):
            module(inputs)  # running statistics that mean something
        if dtype != torch.float32:
            for tensor in list(module.parameters()) + [b for b in module.buffers() if b.dim()]:
                tensor.copy_(tensor.to(dtype).float())
        module.eval()
        wanted = module(inputs)
    state = {prefix + key: value.to(dtype) if value.is_floating_point() else value for key, value in module.state_dict().items()}
    save("source", state)
    adatom("import", "source", "-o", "imported", "--arch", arch, "--size", str(size),
           "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)))
    compare(name + ": imported", run("imported", pictures, classes), wanted)

    def exported(model, what, wanted):
        adatom("export", model, "-o", "exported")
        tensors, _ = load("exported")
        again = make()
        again.load_state_dict(tensors, strict=True)
        again.eval()
        with torch.no_grad():
            compare("%s: %s, exported" % (name, what), again(inputs), wanted)

    exported("imported", "imported", wanted)
    adatom("decompose", "imported", "--mode", "residual", "--atoms", "8", "--sharing", sharing, "-o", "residual")
    compare(name + ": residual", run("residual", pictures, classes), wanted)
    exported("residual", "residual", wanted)
    adatom("decompose", "imported", "--atoms", "9", "-o", "exact")
    compare(name + ": nine atoms", run("exact", pictures, classes), wanted)
    exported("exact", "nine atoms", wanted)

    # Atoms that moved: the logits are others, and the export agrees with them.
    tensors, metadata = load("residual")
    for key, value in tensors.items():
        if key.endswith(".atoms"):
            value.add_(0.02 * torch.randn_like(value))
    save("moved", tensors, metadata)
    moved = run("moved", pictures, classes)
    if ((moved - wanted).abs().max() / wanted.abs().max()).item() < 1e-3:
        sys.exit(name + ": the atoms did nothing")
    exported("moved", "moved atoms", moved)


def adapted():
    """New classes: an adapter's classes and probabilities, and the same from PyTorch after export."""
    torch.manual_seed(2)
    module, classes, size = ResNet((2, 2, 2, 2), 8, 10), ("circles", "noise", "stripes"), 48
    module.eval()
    save("source", module.state_dict())
    adatom("import", "source", "-o", "imported", "--size", str(size), "--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD)))
    adatom("decompose", "imported", "--mode", "residual", "--atoms", "8", "-o", "residual")
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pictures = []
    for label, name in enumerate(classes):
        os.makedirs(os.path.join("classes", name))
        for i in range(5):
            wave = (row - 20 - i).square() + (column - 24).square() if label == 0 else (i + 1) * row + 3 * column
            grey = torch.rand(size, size) if label == 1 else 0.5 + 0.5 * torch.sin((wave.float() / (60 if label == 0 else 4)))
            picture = (grey[..., None] * torch.tensor([255.0, 200.0, 120.0]) * (0.8 + 0.04 * i)).to(torch.uint8)
            pictures.append(picture)
            with open(os.path.join("classes", name, "%d.ppm" % i), "wb") as file:
                file.write(b"P6 %d %d 255\n" % (size, size) + ctypes.string_at(picture.data_ptr(), picture.numel()))
    adatom("adapt", "--model", "residual", "--images", "classes", "--output", "adapter", "--adapt", "atoms", "--head", "linear", "--lr-atoms", "0.01",
           "--device", "cpu", "--no-cache")
    result = json.loads(adatom("classify", "classes", "--model", "residual", "--adapter", "adapter", "--top", "3",
                               "--device", "cpu", "--no-cache", "--format", "json"))
    adatom("export", "residual", "--adapter", "adapter", "-o", "exported")
    tensors, _ = load("exported")
    again = ResNet((2, 2, 2, 2), 8, len(classes))
    again.load_state_dict(tensors, strict=True)
    again.eval()
    first = (again.conv1.weight - module.conv1.weight).abs().max()
    last = (again.layer4[1].conv2.weight - module.layer4[1].conv2.weight).abs().max()
    if first != 0 or last < 1e-5:
        sys.exit("atoms must have moved, and nothing else")
    mean, std = (torch.tensor(of).view(1, 3, 1, 1) for of in (MEAN, STD))
    inputs = (torch.stack(pictures).permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.no_grad():
        wanted = torch.softmax(again(inputs), 1)
    shown = {(row["picture"], row["class"]): row["probability"] for row in result["predictions"]}
    names = sorted({picture for picture, _ in shown})  # as they were written: by class, then number
    got = torch.tensor([[shown[name, label] for label in classes] for name in names])
    compare("an adapter: classified, exported", got, wanted)


def torchvision_classifier():
    """VGG with its three-layer classifier: the features come through."""
    module = VGG(4, 5, own=True)
    module.eval()
    pictures = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    inputs = (pictures.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    save("source", module.state_dict())
    adatom("import", "source", "-o", "imported", "--size", "64", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")
    with torch.no_grad():
        compare("vgg16_bn of torchvision: features", run("imported", pictures, 0, True), module.features(inputs).mean((2, 3)))


def mapped():
    """Names that nobody knows, given by a map, there and back."""
    module = conv4(4, 8, 3)
    module.eval()
    state = {key.replace("feature.trunk.2.C.", "third."): value for key, value in module.state_dict().items()}
    save("source", state)
    with open("map", "w") as file:
        json.dump({"third.weight": "layer3.kernel", "third.bias": "layer3.bias"}, file)
    adatom("import", "source", "-o", "imported", "--size", "32", "--map", "map")
    adatom("export", "imported", "-o", "exported", "--map", "map")
    tensors, _ = load("exported")
    compare("a map", tensors["third.weight"], state["third.weight"])


def main():
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        torchvision_classifier()
        mapped()
        adapted()
        whole_trip("resnet18 of torchvision", lambda: ResNet((2, 2, 2, 2), 64, 10), 48, 10)
        whole_trip("resnet34 of timm, bfloat16", lambda: ResNet((3, 4, 6, 3), 8, 7), 64, 7, dtype=torch.bfloat16, prefix="module.")
        whole_trip("vgg16_bn", lambda: VGG(8, 5), 32, 5, sharing="net")
        whole_trip("conv4 of closerlook", lambda: conv4(4, 16, 6), 32, 6, sharing="net")
        whole_trip("conv6 of closerlook", lambda: conv4(6, 8, 6), 32, 6, sharing="stage")
        whole_trip("resnet10 of closerlook, float16", lambda: resnet10(8, 6), 64, 6, sharing="stage", dtype=torch.float16)
        whole_trip("resnet12 of rfs", lambda: ResNet12(8, 4), 32, 4)
        os.chdir("/")
    sys.exit(bool(failures))


main()

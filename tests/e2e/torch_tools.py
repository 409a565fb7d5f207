"""What the tests against PyTorch share: safetensors, the two programs, comparisons, and a ResNet of torchvision's names."""
import ctypes
import json
import os
import struct
import subprocess
import sys

try:
    import torch
    from torch import nn
except ImportError as missing:
    print(missing)
    sys.exit(77)

ADATOM, RUN_MODEL = os.environ["ADATOM"], os.environ["RUN_MODEL"]
TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}


# safetensors, https://github.com/huggingface/safetensors#format
def save(path, tensors, metadata=None):
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, tensor in sorted(tensors.items(), key=lambda item: -item[1].element_size()):
        tensor = tensor.detach().contiguous()
        content = ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size())
        header[name] = {"dtype": TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    metadata, types = header.pop("__metadata__", {}), {name: dtype for dtype, name in TYPES.items()}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=types[entry["dtype"]]).reshape(entry["shape"]).clone()
    return tensors, metadata


# torchvision.models.resnet
class BasicBlock(nn.Module):
    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.downsample = None
        if stride != 1 or inside != outside:
            self.downsample = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    def __init__(self, blocks, width, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inside = width
        for stage in range(4):
            outside, layers = width << stage, []
            for block in range(blocks[stage]):
                layers.append(BasicBlock(inside, outside, 2 if stage and block == 0 else 1))
                inside = outside
            setattr(self, "layer%d" % (stage + 1), nn.Sequential(*layers))
        self.fc = nn.Linear(inside, classes)

    def features(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def adatom(*arguments):
    done = subprocess.run((ADATOM,) + arguments, capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(arguments), done.stderr))
    return done.stdout


failures = []


def compare(what, got, wanted):
    error = ((got - wanted).abs().max() / wanted.abs().max()).item()
    print("%-60s %.2e" % (what, error))
    if not error <= 1e-4 or got.shape != wanted.shape:
        print("FAILED: %s: %g relative" % (what, error))
        failures.append(what)


def run(model, pictures, classes, of_features=False, device="cpu"):
    with open("pictures", "wb") as file:
        file.write(ctypes.string_at(pictures.data_ptr(), pictures.numel()))
    done = subprocess.run((RUN_MODEL, device, model, "pictures", "results"), capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s: %s" % (model, done.stderr))
    with open("results", "rb") as file:
        values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
    count = len(pictures)
    if of_features:
        return values.reshape(count, -1)
    return values[len(values) - count * classes:].reshape(count, classes)

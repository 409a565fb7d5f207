"""A ResNet-18 trained in PyTorch goes to new classes and back: import, residual atoms, adapt, classify, export, PyTorch again, with the
same logits at every step.

Run by ctest as e2e_torchvision with ADATOM, RUN_MODEL, SHAPES and SOURCE in the environment; exit code 77 where torch cannot be imported.
The network is torchvision's own where that is installed, else a module with its names. The new classes are the sign digits beside the
source where they are, else pictures of builtin:shapes that the network has not seen.
"""
import json
import os
import subprocess
import sys
import tarfile
import tempfile

from torch_tools import ResNet, adatom, compare, failures, load, run, save
import torch
from torch import nn

try:
    from torchvision import transforms
    from torchvision.models import resnet18
    from picture_files import photograph
except ImportError as missing:
    print(missing)
    resnet18 = None

SIZE, BASE, NEW = 32, 8, 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(classes):
    return resnet18(num_classes=classes) if resnet18 else ResNet((2, 2, 2, 2), 64, classes)


def shapes(folder, classes, first, count, split):
    """Pictures [n][SIZE][SIZE][3] and their classes, also written to a folder of a folder per class."""
    subprocess.run((os.environ["SHAPES"], folder, str(classes), str(first), str(count), str(SIZE), split), check=True)
    pictures, labels = [], []
    for label, name in enumerate(sorted(os.listdir(folder))):
        for file in sorted(os.listdir(os.path.join(folder, name))):
            with open(os.path.join(folder, name, file), "rb") as stream:
                pixels = bytearray(stream.read()[-3 * SIZE * SIZE:])
            pictures.append(torch.frombuffer(pixels, dtype=torch.uint8).reshape(SIZE, SIZE, 3))
            labels.append(label)
    return torch.stack(pictures), torch.tensor(labels)


def normalised(pictures):
    return (pictures.permute(0, 3, 1, 2).float() / 255 - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def trained():
    torch.manual_seed(7)
    pictures, labels = shapes("train", BASE, 0, 48, "base")
    module, inputs = network(BASE), normalised(pictures)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(10):
        for batch in torch.randperm(len(inputs)).split(32):
            down, right = torch.randint(-3, 4, (2,)).tolist()
            moved = inputs[batch].roll((down, right), (2, 3))
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(moved.flip(3) if torch.rand(()) < 0.5 else moved), labels[batch]).backward()
            optimizer.step()
    module.eval()
    pictures, labels = shapes("test", BASE, 48, 20, "base")
    with torch.no_grad():
        right = (module(normalised(pictures)).argmax(1) == labels).float().mean().item()
    print("trained: %.1f %% of new pictures right, chance is %.1f" % (100 * right, 100 / BASE))
    if right < 1.5 / BASE:
        sys.exit("the network has learned nothing")
    return module, pictures


def new_classes():
    """Folders support and query, disjoint, of ten classes each."""
    archive = os.path.join(os.environ["SOURCE"], "..", "shared", "data", "signdigits.tar.xz")
    if not os.path.exists(archive):
        shapes("support", NEW, 0, 5, "novel")
        shapes("query", NEW, 5, 5, "novel")
        return
    with tarfile.open(archive) as tar:
        members = [member for member in tar.getmembers() if member.isfile() and os.path.basename(os.path.dirname(member.name)).isdigit()]
        for digit in range(NEW):
            own = sorted((m for m in members if os.path.basename(os.path.dirname(m.name)) == str(digit)), key=lambda m: m.name)
            for i, member in enumerate(own[:10]):
                folder = os.path.join("support" if i < 5 else "query", str(digit))
                os.makedirs(folder, exist_ok=True)
                with open(os.path.join(folder, os.path.basename(member.name)), "wb") as file:
                    file.write(tar.extractfile(member).read())


def classify(adapter, where):
    """Log-probabilities [picture][class] and the folder of each picture."""
    result = json.loads(adatom("classify", where, "--model", "residual", "--adapter", adapter, "--top", str(NEW),
                               "--device", "cpu", "--no-cache", "--format", "json"))
    rows = {}
    for row in result["predictions"]:
        rows.setdefault(row["picture"], {})[row["class_index"]] = row["probability"]
    names = sorted(rows)
    return torch.tensor([[rows[name][c] for c in range(NEW)] for name in names]).log(), [name.split("/")[1] for name in names]


def exported(adapter=None):
    adatom("export", "residual", *(("--adapter", adapter) if adapter else ()), "-o", "exported")
    module = network(NEW if adapter else BASE)
    module.load_state_dict(load("exported")[0], strict=True)
    module.eval()
    return module


def adapted(adapter, inputs, probes, cosine, *options):
    """An adapter's answers about the probe pictures, and those of PyTorch."""
    adatom("adapt", "--model", "residual", "--images", "support", "--output", adapter, "--estimate", "none",
           "--device", "cpu", "--no-cache", *options)
    got, _ = classify(adapter, probes)
    module = exported(adapter)
    with torch.no_grad():
        plain, head = module(inputs), module.fc
        module.fc = nn.Identity()
        wanted = head(nn.functional.normalize(module(inputs))) if cosine else plain
    if cosine and (plain.argmax(1) != got.argmax(1)).any():
        sys.exit(adapter + ": the linear layer has other classes than the cosine classifier")
    wanted = torch.log_softmax(wanted, 1)
    told = got > -60  # float32 has no smaller probabilities
    nothing = torch.zeros(())
    compare(adapter + ": classified; exported, in PyTorch", torch.where(told, got, nothing), torch.where(told, wanted, nothing))
    return module


def prepared():
    """Photographs of several sizes go through a model as through torchvision's transforms and the module."""
    os.makedirs("photographs/x")
    sizes = ((61, 47), (40, 90), (333, 251), (35, 36), (200, 201), (32, 32), (20, 31))
    pictures = [photograph(width, height, seed=width) for width, height in sizes]
    for i, picture in enumerate(pictures):
        picture.save("photographs/x/%d.png" % i)
    for how in ("bilinear", "bicubic"):
        adatom("import", "source", "-o", "imported", "--size", str(SIZE), "--crop", "0.875", "--interpolation", how)
        adatom("decompose", "imported", "--mode", "residual", "--atoms", "8", "-o", "residual")
        prepare = transforms.Compose([transforms.Resize(36, transforms.InterpolationMode(how)), transforms.CenterCrop(SIZE),
                                      transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
        adapted(how, torch.stack([prepare(picture) for picture in pictures]), "photographs", False, "--adapt", "centroid")


def main():
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        module, pictures = trained()
        inputs = normalised(pictures)
        with torch.no_grad():
            wanted = module(inputs)
        save("source", module.state_dict())
        adatom("import", "source", "-o", "imported", "--size", str(SIZE))
        compare("imported", run("imported", pictures, BASE), wanted)
        adatom("decompose", "imported", "--mode", "residual", "--atoms", "8", "-o", "residual")
        compare("residual", run("residual", pictures, BASE), wanted)
        with torch.no_grad():
            compare("residual, exported, in PyTorch", exported()(inputs), wanted)

        new_classes()
        atoms = adapted("atoms", inputs, "test", True, "--adapt", "atoms", "--steps", "10")
        first = (atoms.conv1.weight - module.conv1.weight).abs().max()
        last = (atoms.layer4[1].conv2.weight - module.layer4[1].conv2.weight).abs().max()
        if first or not last:
            sys.exit("the atoms must have moved, and nothing else")
        for where in ("query", "support"):
            answers, folders = classify("atoms", where)
            classes = sorted(set(folders))
            right, chance = sum(classes[c] == name for c, name in zip(answers.argmax(1), folders)), len(folders) // NEW
            print("adapted, %s: %d of %d right, chance is %d" % (where, right, len(folders), chance))
        if right < 3 * chance:
            sys.exit("adapting has not taught what was shown")
        adapted("linear", inputs, "test", False, "--adapt", "atoms", "--head", "linear", "--steps", "5")
        adapted("centroid", inputs, "test", False, "--adapt", "centroid")
        adapted("lora", inputs, "test", True, "--adapt", "lora", "--steps", "5")
        if resnet18:
            prepared()
        os.chdir("/")
    sys.exit(bool(failures))


main()

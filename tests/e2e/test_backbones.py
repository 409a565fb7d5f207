"""Every network that has another program's weights gives that program's answers: import, logits on both engines; import,
residual atoms, logits; and back, as it was and adapted. Random weights, with running statistics of pictures; compared
with PyTorch in double precision.

Run by ctest as e2e_backbones with ADATOM and RUN_MODEL in the environment; exit code 77 where torch or torchvision cannot
be imported. timm's networks are compared where timm can be imported.
Arguments: names of networks, or all: these with every comparison; none: those that stand for their kind, and some more that are
compared on the CPU only.
"""
import json
import os
import sys
import tempfile

from torch_tools import adatom, compare, failures, load, run, save
import torch
from torch import nn

try:
    import torchvision
except ImportError as missing:
    print(missing)
    sys.exit(77)
try:
    import timm
except ImportError as missing:
    print(missing)
    timm = None

CLASSES, COUNT = 11, 4
MEAN, STD = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))

# Our name: names of the same network in torchvision and in timm ("" where it has none).
NETWORKS = {
    "resnet50": ("resnet50", "resnet50"),
    "wide_resnet50_2": ("wide_resnet50_2", "wide_resnet50_2"),
    "resnext50_32x4d": ("resnext50_32x4d", "resnext50_32x4d"),
    "mobilenet_v2": ("mobilenet_v2", "mobilenetv2_100"),
    "mobilenet_v3_small": ("mobilenet_v3_small", "mobilenetv3_small_100"),
    "mobilenet_v3_large": ("mobilenet_v3_large", "mobilenetv3_large_100"),
    "efficientnet_b0": ("efficientnet_b0", "efficientnet_b0"),
    "efficientnet_b1": ("efficientnet_b1", "efficientnet_b1"),
    "efficientnet_b2": ("efficientnet_b2", "efficientnet_b2"),
    "efficientnet_b3": ("efficientnet_b3", "efficientnet_b3"),
    "efficientnet_lite0": ("", "efficientnet_lite0"),
    "efficientnet_lite1": ("", "efficientnet_lite1"),
    "efficientnet_lite2": ("", "efficientnet_lite2"),
    "efficientnet_lite3": ("", "efficientnet_lite3"),
    "efficientnet_lite4": ("", "efficientnet_lite4"),
    "convnext_atto": ("", "convnext_atto"),
    "convnext_femto": ("", "convnext_femto"),
    "convnext_pico": ("", "convnext_pico"),
    "convnext_nano": ("", "convnext_nano"),
    "convnext_tiny": ("convnext_tiny", "convnext_tiny"),
    "convnext_small": ("convnext_small", "convnext_small"),
    "convnext_base": ("convnext_base", "convnext_base"),
}
# Those that stand for their kind in the slower comparisons: Vulkan, odd sizes, residual atoms and export.
THOROUGH = ("resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "convnext_atto", "convnext_tiny")
BRIEF = ("resnet50", "mobilenet_v3_large", "efficientnet_b3")


def draw(count, size):
    """Pictures whose networks' answers differ: each has colours of its own in large patches, and noise."""
    patches = nn.functional.interpolate(torch.rand(count, 3, 3, 3), size=(size, size), mode="bilinear", align_corners=False)
    pixels = 0.7 * patches + 0.3 * torch.rand(count, 3, size, size)
    return (255 * pixels).byte().permute(0, 2, 3, 1).contiguous()


def normalised(pictures):
    return (pictures.permute(0, 3, 1, 2).double() / 255 - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1)


def settled(module, size):
    """Gives every number a value that matters: statistics of pictures, affine parameters around their start."""
    module.eval()  # of the layers that know a mode batch norms alone are to learn
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    for part in norms:
        part.momentum = None
        part.train()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() < 2 or parameter.numel() == parameter.shape[0]:
                scale = "layer_scale" in name or name.endswith("gamma")
                parameter.add_(torch.randn_like(parameter) * (0.3 if scale else 0.1))
        for _ in range(2):
            module(normalised(draw(8, size)).float())
        for part in norms:
            # Else channels that hardly vary make errors of rounding grow from layer to layer, in PyTorch as well. More
            # would make the network forget its picture.
            part.running_var.clamp_(min=0.1 * part.running_var.mean().item())
    return module.eval()


def adapted(what, make, layout, size, before):
    """Atoms that moved are in the exported kernels: PyTorch's answers are those of classify."""
    pictures = draw(6, size)
    for i, picture in enumerate(pictures):
        os.makedirs("support/%d" % (i % 2), exist_ok=True)
        with open("support/%d/%d.ppm" % (i % 2, i), "wb") as file:
            file.write(b"P6 %d %d 255\n" % (size, size) + bytes(picture.flatten().tolist()))
    model = ("--model", "residual", "--device", "cpu", "--no-cache")
    # Slowly: untrained networks soon make of a rounding error another answer, in PyTorch as well.
    adatom("adapt", *model, "--images", "support", "--adapt", "atoms", "--head", "cosine", "--steps", "3", "--lr-atoms", "0.0001",
           "--estimate", "none", "--output", "adapter")
    answers = json.loads(adatom("classify", "support", *model, "--adapter", "adapter", "--top", "2", "--format", "json"))["predictions"]
    got = torch.zeros(len(pictures), 2)
    for row in answers:
        got[int(os.path.basename(row["picture"])[0]), row["class_index"]] = row["probability"]
    adatom("export", "residual", "--adapter", "adapter", "--layout", layout, "-o", "exported")
    after = load("exported")[0]
    module = make(2)
    module.load_state_dict(after, strict=True)
    if not any(len(value.shape) == 4 and (after[key] - value).abs().max() > 0 for key, value in before.items()):
        sys.exit("%s: adapting has moved no kernel" % what)
    # A cosine classifier is exported as the linear layer of features of length 1.
    [part for part in module.modules() if isinstance(part, nn.Linear)][-1].register_forward_pre_hook(
        lambda _, inputs: (nn.functional.normalize(inputs[0]),))
    with torch.no_grad():
        wanted = torch.log_softmax(module.double().eval()(normalised(pictures)), 1).float()
    compare(what + ", adapted, exported", got.log(), wanted)


def check(name, make, layout, size, thorough):
    what = "%s of %s at %d" % (name, layout, size)
    module = settled(make(CLASSES), size)
    pictures = draw(COUNT, size)
    state = {key: value.clone() for key, value in module.state_dict().items() if value.dtype != torch.int64}
    save("source", state)
    with torch.no_grad():
        wanted = module.double()(normalised(pictures)).float()
    # A network whose answers are nearly the same for all pictures would hide what is wrong in its first layers.
    varied = ((wanted - wanted.mean(0)).abs().max() / wanted.abs().max()).item()
    if not varied > 0.05:
        sys.exit("%s: answers to different pictures differ by %g only" % (what, varied))
    colours = [",".join("%.9g" % value for value in three) for three in (MEAN, STD)]
    adatom("import", "source", "--layout", layout, "--arch", name, "--size", str(size), "--mean", colours[0], "--std", colours[1],
           "-o", "imported")
    compare(what, run("imported", pictures, CLASSES), wanted)
    if not thorough:
        return
    compare(what + ", Vulkan", run("imported", pictures, CLASSES, device="vulkan"), wanted)
    adatom("decompose", "imported", "--mode", "residual", "--atoms", "9", "-o", "residual")
    compare(what + ", residual atoms", run("residual", pictures, CLASSES), wanted)
    adatom("export", "residual", "--layout", layout, "-o", "exported")
    back = load("exported")[0]
    for key, value in state.items():
        if key not in back or back[key].shape != value.shape or back[key].sub(value).abs().max() > 0:
            sys.exit("%s: %s is not what it was" % (what, key))
    adapted(what, make, layout, size, state)


def main():
    torch.set_num_threads(2)
    named = bool(sys.argv[1:])
    every = list(NETWORKS) if named else [name for name in NETWORKS if name in THOROUGH + BRIEF]
    wanted = sys.argv[1:] if named and sys.argv[1:] != ["all"] else every
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in wanted:
            torch.manual_seed(len(name))
            first, second = NETWORKS[name]
            thorough = name in THOROUGH or named
            if first:
                check(name, lambda classes: getattr(torchvision.models, first)(num_classes=classes), "torchvision", 96, thorough)
            if second and timm:
                check(name, lambda classes: timm.create_model(second, num_classes=classes), "timm", 97,
                      named or (thorough and not first))
        os.chdir("/")
    sys.exit(bool(failures))


main()

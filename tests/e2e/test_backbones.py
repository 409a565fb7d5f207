"""Every network that has another program's weights gives that program's answers: import, logits on both engines; import,
residual atoms, logits; and back. Random weights, with running statistics of random pictures.

Run by ctest as e2e_backbones with ADATOM and RUN_MODEL in the environment; exit code 77 where torch or torchvision cannot
be imported. timm's networks are compared where timm can be imported.
Arguments: names of networks, or all: these with every comparison; none: all, of which most are compared on the CPU only.
"""
import sys
import os
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


def normalised(pictures):
    return (pictures.permute(0, 3, 1, 2).float() / 255 - MEAN.view(1, 3, 1, 1)) / STD.view(1, 3, 1, 1)


def settled(module, size):
    """Gives every number a value that matters: statistics of random pictures, affine parameters around their start."""
    module.eval()  # of the layers that know a mode batch norms alone are to learn
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.momentum = None
            part.train()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() < 2 or parameter.numel() == parameter.shape[0]:
                scale = "layer_scale" in name or name.endswith("gamma")
                parameter.add_(torch.randn_like(parameter) * (0.3 if scale else 0.1))
        for _ in range(2):
            module(torch.randn(8, 3, size, size))
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                # Else channels that hardly vary make errors of rounding grow from layer to layer, in PyTorch as well.
                part.running_var.add_(part.running_var.mean())
    return module.eval()


def check(name, module, layout, size, thorough):
    what = "%s of %s at %d" % (name, layout, size)
    module = settled(module, size)
    pictures = torch.randint(0, 256, (COUNT, size, size, 3), dtype=torch.uint8)
    with torch.no_grad():
        wanted = module(normalised(pictures))
    state = {key: value for key, value in module.state_dict().items() if value.dtype != torch.int64}
    save("source", state)
    adatom("import", "source", "--layout", layout, "--arch", name, "--size", str(size), "-o", "imported")
    compare(what, run("imported", pictures, CLASSES), wanted)
    if not thorough:
        return
    compare(what + ", Vulkan", run("imported", pictures, CLASSES, device="vulkan"), wanted)
    adatom("decompose", "imported", "--mode", "residual", "--atoms", "9", "-o", "residual")
    compare(what + ", residual atoms", run("residual", pictures, CLASSES), wanted)
    adatom("export", "residual", "--layout", layout, "-o", "exported")
    back = load("exported")[0]
    for key, value in state.items():
        if key not in back or back[key].reshape(value.shape).sub(value).abs().max() > 0:
            sys.exit("%s: %s is not what it was" % (what, key))


def main():
    torch.set_num_threads(2)
    named = bool(sys.argv[1:])
    wanted = sys.argv[1:] if named and sys.argv[1:] != ["all"] else list(NETWORKS)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name in wanted:
            torch.manual_seed(len(name))
            first, second = NETWORKS[name]
            thorough = name in THOROUGH or named
            if first:
                check(name, getattr(torchvision.models, first)(num_classes=CLASSES), "torchvision", 64, thorough)
            if second and timm:
                check(name, timm.create_model(second, num_classes=CLASSES), "timm", 97, named or (thorough and not first))
        os.chdir("/")
    sys.exit(bool(failures))


main()

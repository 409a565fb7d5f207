"""How pictures are prepared for other programs' weights is what these programs say: the list of adatom import against the
transforms of torchvision's weights and the default configurations of timm's.

Run by ctest as e2e_preparation with ADATOM in the environment; exit code 77 where neither torchvision nor timm can be
imported.
"""
import json
import math
import os
import subprocess
import sys

try:
    import torchvision
    from torchvision.models import get_model_weights
except ImportError as missing:
    print(missing)
    torchvision = None
try:
    import timm
    from timm.models import get_pretrained_cfg
except ImportError as missing:
    print(missing)
    timm = None

MOBILENETS = {"mobilenet_v2": "mobilenetv2_100", "mobilenet_v3_small": "mobilenetv3_small_100",
              "mobilenet_v3_large": "mobilenetv3_large_100"}


def of_torchvision(arch):
    """Weights by the names that import has for them, and those of DEFAULT."""
    if not torchvision or not hasattr(torchvision.models, arch):
        return {}, None
    known = get_model_weights(arch)
    found = {}
    for weights in known:
        way = weights.transforms()
        found[weights.name.replace("IMAGENET1K_V", "v")] = {
            "image_size": way.crop_size[0], "resize": way.resize_size[0], "interpolation": way.interpolation.value,
            "mean": way.mean, "std": way.std}
    return found, known.DEFAULT.name.replace("IMAGENET1K_V", "v")


def of_timm(arch, prefix=""):
    """The same of timm: a name that import has is the beginning of tags, of which those for one size are prepared alike."""
    name = prefix + MOBILENETS.get(arch, arch)
    if not timm or not timm.is_model(name):
        return {}, None
    tags = list(timm.list_models(name + ".*", pretrained=True, include_tags=True)) or [name + ".untrained"]
    default = get_pretrained_cfg(name)
    found = {}
    for tag in tags:
        way = get_pretrained_cfg(tag)
        size = way.input_size[1]
        found[tag.split(".", 1)[1]] = {"image_size": size, "resize": math.floor(size / way.crop_pct),
                                       "interpolation": way.interpolation, "mean": way.mean, "std": way.std}
    return found, default.tag or "untrained"


def is_tag(tag, weights):
    return any(tag == one or tag.startswith(one + "_") for one in weights.split())


def same(ours, theirs):
    close = all(abs(a - b) < 1e-6 for part in ("mean", "std") for a, b in zip(ours[part], theirs[part]))
    return close and all(ours[part] == theirs[part] for part in ("image_size", "resize", "interpolation"))


def main():
    if not torchvision and not timm:
        sys.exit(77)
    done = subprocess.run((os.environ["ADATOM"], "import", "--list", "--format", "json"), capture_output=True, text=True, check=True)
    compared, unknown, wrong = 0, [], []
    for network in json.loads(done.stdout)["networks"]:
        arch, layout, ways = network["network"], network["names"], network["preparations"]
        if layout == "torchvision":
            theirs, default = of_torchvision(arch)
        elif layout in ("timm", "timm-tf"):
            theirs, default = of_timm(arch, "tf_" if layout == "timm-tf" else "")
        else:
            continue
        for index, way in enumerate(ways):
            what = "%s of %s, %s" % (arch, layout, way["weights"])
            tags = [tag for tag in theirs if is_tag(tag, way["weights"])]
            if not tags:
                unknown.append(what)
                continue
            for tag in tags:
                if tag != tags[0] and theirs[tag]["image_size"] != way["image_size"]:
                    continue
                compared += 1
                if not same(way, theirs[tag]):
                    wrong.append("%s: %s, there %s" % (what, way, theirs[tag]))
            if index == 0 and not is_tag(default, way["weights"]):
                wrong.append("%s: not the default, %s" % (what, default))
        if theirs and not ways:
            wrong.append("%s of %s: nothing is known of %s" % (arch, layout, ", ".join(theirs)))
    print("%d compared; not known to the versions here: %s" % (compared, "; ".join(unknown) or "none"))
    print("\n".join("FAILED: " + text for text in wrong))
    sys.exit(bool(wrong) or compared == 0)


main()

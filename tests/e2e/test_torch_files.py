"""Files of torch.save of every kind become the same model, byte for byte, as the same tensors in safetensors; what is no state
dictionary is refused, and nothing of it is run.

Run by ctest as e2e_torch_files with ADATOM in the environment; exit code 77 where torch cannot be imported.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import zipfile

from torch_tools import ADATOM, ResNet, failures, save
import torch
from torch import nn


def imported(path, *options):
    done = subprocess.run((ADATOM, "import", path, "-o", "got", "--size", "48") + options, capture_output=True, text=True)
    if done.returncode:
        return "exit code %d: %s" % (done.returncode, done.stderr)
    with open("got", "rb") as file:
        return file.read()


def same(what, path, wanted, *options):
    got = imported(path, *options)
    if got == wanted:
        print("%-60s the same" % what)
        return
    print("FAILED: %s: %s" % (what, got if isinstance(got, str) else "another model"))
    failures.append(what)


def refused(what, path, says):
    got = imported(path)
    if isinstance(got, str) and got.startswith("exit code 4: adatom: '%s'" % path) and says in got:
        print("%-60s refused: %s" % (what, got.strip().split(": ", 3)[-1]))
        return
    print("FAILED: %s: no '%s' in: %s" % (what, says, got if isinstance(got, str) else "(accepted)"))
    failures.append(what)


def module_of(dtype=torch.float32):
    torch.manual_seed(3)
    module = ResNet((2, 2, 2, 2), 8, 5)
    with torch.no_grad():
        for tensor in list(module.parameters()) + [b for b in module.buffers() if b.dim()]:
            tensor.copy_((tensor + 0.1 * torch.rand_like(tensor)).to(dtype).float())
    return module


def wanted_of(state):
    save("source.safetensors", state)
    got = imported("source.safetensors")
    if isinstance(got, str):
        sys.exit("source.safetensors: " + got)
    return got


def as_type(state, dtype):
    return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def both_formats(what, value, wanted):
    torch.save(value, "new.pth")
    same(what + ", zip", "new.pth", wanted)
    torch.save(value, "old.pth", _use_new_zipfile_serialization=False)
    same(what + ", before 1.6", "old.pth", wanted)


def types():
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        state = module_of(torch.float32 if dtype == torch.float64 else dtype).state_dict()
        wanted = wanted_of(as_type(state, torch.float32 if dtype == torch.float64 else dtype))
        both_formats("a state_dict of " + str(dtype), collections.OrderedDict(as_type(state, dtype)), wanted)


def shapes_of_files():
    module = module_of()
    state = module.state_dict()
    wanted = wanted_of(state)
    for protocol in (3, 4, 5):
        torch.save(state, "protocol.pth", pickle_protocol=protocol)
        same("protocol %d" % protocol, "protocol.pth", wanted)
    os.rename("protocol.pth", "model.jpg")
    same("a name that says nothing", "model.jpg", wanted)
    os.makedirs("folder", exist_ok=True)
    torch.save(state, "folder/pytorch_model.bin")
    same("a folder with pytorch_model.bin", "folder", wanted)

    both_formats("Parameters", {**state, **dict(module.named_parameters())}, wanted)
    with_attribute = {name: nn.Parameter(tensor) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    for tensor in with_attribute.values():
        tensor.note = {"of": "mine"}
    both_formats("Parameters with attributes", with_attribute, wanted)
    turned = {name: tensor.to(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor for name, tensor in state.items()}
    both_formats("channels last", turned, wanted)
    turned = {name: tensor.t().contiguous().t() if tensor.dim() == 2 else tensor for name, tensor in state.items()}
    turned["conv1.weight"] = state["conv1.weight"].permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    assert not turned["conv1.weight"].is_contiguous()
    both_formats("transposed", turned, wanted)
    storage, sharing = torch.cat([torch.zeros(7)] + [t.flatten() for t in state.values() if t.is_floating_point()]), {}
    at = 7
    for name, tensor in state.items():
        sharing[name] = tensor
        if tensor.is_floating_point():
            sharing[name] = storage[at:at + tensor.numel()].view(tensor.shape)
            at += tensor.numel()
    both_formats("one storage", sharing, wanted)

    trained = {"epoch": 3, "best_acc1": torch.tensor(71.5), "arch": "resnet18", "losses": [0.5, 0.25], "args": argparse.Namespace(lr=0.1, gpus=[0])}
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    module(torch.zeros(2, 3, 48, 48)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 6])
    trained.update(optimizer=optimizer.state_dict(), scheduler=scheduler.state_dict(), state_dict=state)
    wanted = wanted_of(state)  # the step changed it
    try:
        import numpy
        trained["accuracy"] = numpy.float64(71.5)
    except ImportError as missing:
        print(missing)
    both_formats("a checkpoint", trained, wanted)
    worse = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    for key in ("state_dict_ema", "model_ema", "ema"):
        both_formats("%s before state_dict" % key, {"state_dict": worse, key: state}, wanted)
    for key in ("model", "model_state_dict", "params", "my_own_name"):
        both_formats("under " + key, {key: state, "epoch": 1}, wanted)
    both_formats("under two names of nobody's", {"a": state, "b": state}, wanted)
    both_formats("under model, in state_dict", {"model": {"state_dict": state}}, wanted)
    for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "module.module."):
        both_formats("prefix " + prefix, {prefix + name: tensor for name, tensor in state.items()}, wanted)


def prefixes():
    """Of two networks in a file the one is taken whose prefix stands first in the list; a map leaves the other out."""
    state = module_of().state_dict()
    other = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    with open("map", "w") as file:
        json.dump({"momentum.*": None, "encoder.*": None}, file)
    for names in (("momentum.", "backbone."), ("encoder.", "backbone."), ("momentum.", "model.backbone.")):
        mine = {names[1] + name: tensor for name, tensor in state.items()}
        save("source.safetensors", mine)
        wanted = imported("source.safetensors")
        both = {names[0] + name: tensor for name, tensor in other.items()}
        both.update(mine)
        torch.save(both, "both.pth")
        same("%s beside %s" % names, "both.pth", wanted, "--map", "map")


def shards():
    state = module_of().state_dict()
    wanted = wanted_of(state)
    os.makedirs("sharded", exist_ok=True)
    names, index = list(state), {}
    for i in range(3):
        file = "model-%05d-of-00003.safetensors" % (i + 1)
        part = {name: state[name] for name in names[i::3]}
        save(os.path.join("sharded", file), part)
        index.update(dict.fromkeys(part, file))
    with open("sharded/model.safetensors.index.json", "w") as file:
        json.dump({"metadata": {"total_size": 1}, "weight_map": index}, file, indent=2)
    same("shards, by their folder", "sharded", wanted)
    same("shards, by their index", "sharded/model.safetensors.index.json", wanted)
    os.remove("sharded/model-00002-of-00003.safetensors")
    got = imported("sharded")
    if "model-00002-of-00003.safetensors" not in got:
        failures.append("a missing shard")
        print("FAILED: a missing shard:", got)


class Evil:
    def __reduce__(self):
        return os.system, ("touch ran",)


def refusals():
    module = module_of()
    state = module.state_dict()
    torch.save(module, "whole.pth")
    refused("a module", "whole.pth", "names 'torch_tools.ResNet'")
    for old in (False, True):
        torch.save({**state, "conv1.weight": Evil()}, "evil.pth", _use_new_zipfile_serialization=not old)
        refused("a program", "evil.pth", "names 'posix.system'")
    torch.save(torch.jit.script(nn.Conv2d(3, 4, 3)).state_dict(), "plain.pth")
    refused("another network", "plain.pth", "none of its 2 tensors has the name")
    torch.jit.save(torch.jit.script(nn.Conv2d(3, 4, 3)), "script.pt")
    refused("TorchScript", "script.pt", "is a TorchScript program")
    torch.save({name: tensor.cfloat() for name, tensor in state.items()}, "complex.pth")
    refused("complex numbers", "complex.pth", "names 'torch.ComplexFloatStorage'")
    torch.save({name: tensor.expand(2, *tensor.shape) for name, tensor in state.items()}, "expanded.pth")
    refused("expanded tensors", "expanded.pth", "overlap in memory")
    torch.save(state["conv1.weight"], "tensor.pth")
    refused("a tensor", "tensor.pth", "no dictionary of tensors")
    torch.save({"a": state, "b": dict(state)}, "two.pth")
    refused("two networks", "two.pth", "under 'a' and under 'b'")
    torch.save({**state, "conv1.weight": state["conv1.weight"][:, :2]}, "shape.pth")
    refused("another shape", "shape.pth", "has the shape [8, 2, 7, 7]")
    torch.save({**state, "conv1.weight": state["conv1.weight"] * float("nan")}, "nan.pth")
    refused("not a number", "nan.pth", "'conv1.weight' has the value")
    torch.save({**state, "conv1.weight": state["conv1.weight"].double() * 1e300}, "large.pth")
    refused("beyond float32", "large.pth", "'conv1.weight' has the value")
    torch.save(state, "good.pth")
    with open("good.pth", "rb") as file:
        content = file.read()
    with open("cut.pth", "wb") as file:
        file.write(content[:len(content) // 2])
    refused("a file that is cut short", "cut.pth", "truncated")
    middle = len(content) // 2
    with open("damaged.pth", "wb") as file:
        file.write(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:])
    refused("a damaged bit", "damaged.pth", "does not have its checksum")
    with zipfile.ZipFile("good.pth") as source, zipfile.ZipFile("packed.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in source.namelist():
            packed.writestr(name, source.read(name))
    refused("a zip archive that is compressed", "packed.pth", "is compressed")
    if os.path.exists("ran"):
        sys.exit("a program was run")


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        types()
        shapes_of_files()
        prefixes()
        shards()
        refusals()
        os.chdir("/")
    sys.exit(bool(failures))


main()

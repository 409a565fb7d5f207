"""Models: a network's description with its parameters."""
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ._library import Handle, ProgressCallback, Struct, call, describe, ffi, on_progress, session
from .dataset import Dataset, Pictures
from .device import Device, device_of

__all__ = ["LayerInfo", "Model", "ModelInfo", "pretrained"]

_MODELS = Path(__file__).parent / "models"


def pretrained() -> List[str]:
    """The names of the models that come along, which :meth:`Model.load` takes in place of a path."""
    return sorted(path.stem for path in _MODELS.glob("*.safetensors"))


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model."""

    arch: str
    sharing: str
    atoms: int
    group: int
    image_size: int
    features: int
    classes: int  #: outputs of its own classifier; 0: it has none
    layers: int
    residual: bool
    resize: int
    layout: Optional[str]
    parameters: int  #: without batch norm's statistics and the classifier
    atoms_parameters: int
    head_parameters: int
    norm_parameters: int
    coefficients_parameters: int
    ordinary_parameters: int
    macs: int  #: multiply-adds of one picture
    mean: Tuple[float, ...]
    std: Tuple[float, ...]
    notes: Optional[str]  #: how it was made, a JSON object
    hash: str
    interpolation: str
    base_mean: bool


@dataclass(frozen=True)
class LayerInfo:
    """A layer of a model."""

    name: str
    kind: str
    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    dilation: int
    atoms: int
    coefficients: Optional[str]
    own_parameters: int
    macs: int
    groups: int


def model_path(path: Union[str, os.PathLike]) -> Union[str, os.PathLike]:
    """The path, or that of the model of this name that comes along."""
    return _MODELS / (path + ".safetensors") if isinstance(path, str) and path in pretrained() else path


class Model(Handle):
    """A network with its parameters, which do not change. Made by :meth:`load`, :meth:`create` and :meth:`import_weights`."""

    kind = "adatom_model"

    @classmethod
    def load(cls, path: Union[str, os.PathLike]) -> "Model":
        """Reads a model's safetensors file, or, by its name, one of :func:`pretrained`."""
        return cls(cls.made("adatom_model_load", session.context, os.fsencode(model_path(path))))

    @classmethod
    def create(cls, arch: str = "conv4", *, sharing: str = "net", atoms: int = 8, image_size: int = 84, width: int = 0,
               classes: int = 0, group: int = 0, stem: str = "default", residual: bool = False, decompose_first: bool = False,
               seed: int = 1) -> "Model":
        """Makes a network with random parameters."""
        params = Struct("adatom_model_params", arch=arch, sharing=sharing, atoms=atoms, image_size=image_size, width=width,
                        classes=classes, group=group, stem=stem, residual=residual, decompose_first=decompose_first, seed=seed)
        return cls(cls.made("adatom_model_create", session.context, params.pointer))

    @classmethod
    def import_weights(cls, path: Union[str, os.PathLike], *, arch: Optional[str] = None, layout: str = "auto",
                       image_size: int = 0, resize: int = 0, crop: float = 0, interpolation: str = "default",
                       mean: Optional[Sequence[float]] = None, std: Optional[Sequence[float]] = None, weights: Optional[str] = None,
                       map: Union[str, os.PathLike, None] = None) -> "Model":
        """Reads a network trained elsewhere: safetensors, or what torch.save wrote, of which no code is ever run."""
        params = Struct("adatom_import_params", arch=arch, layout=layout, image_size=image_size, resize=resize, crop=crop,
                        interpolation=interpolation, mean=mean, std=std, weights=weights, map=map, progress=on_progress)
        return cls(cls.made("adatom_model_import", session.context, os.fsencode(path), params.pointer))

    def decompose(self, mode: str = "residual", *, atoms: int = 8, sharing: str = "layer", group: int = 0,
                  decompose_first: bool = False, iterations: int = 0, progress: Optional[ProgressCallback] = None) -> "Model":
        """The network with coefficients and atoms: "residual" keeps its kernels and adds atoms of zero, "replace" approximates them."""
        if mode not in ("residual", "replace"):
            raise ValueError("mode is %r; known: residual, replace" % (mode,))
        params = Struct("adatom_decompose_params", sharing=sharing, atoms=atoms, group=group, residual=mode == "residual",
                        decompose_first=decompose_first, iterations=iterations, progress=on_progress)
        return Model(self.made("adatom_model_decompose", self.pointer, params.pointer, progress=progress))

    def round(self) -> "Model":
        """The model with its numbers in half precision, whose file is half as large."""
        return Model(self.made("adatom_model_round", self.pointer))

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes the model as safetensors."""
        call("adatom_model_save", self.pointer, os.fsencode(path))

    def export(self, path: Union[str, os.PathLike], *, layout: str = "auto", map: Union[str, os.PathLike, None] = None) -> None:
        """Writes dense weights for load_state_dict(strict=True), as safetensors."""
        params = Struct("adatom_export_params", layout=layout, map=map)
        call("adatom_model_export", self.pointer, os.fsencode(path), params.pointer)

    @property
    def info(self) -> ModelInfo:
        """What is known of it."""
        return describe(ModelInfo, "adatom_model_info", "adatom_model_describe", self.pointer)

    @property
    def notes(self) -> Dict[str, Any]:
        """How it was made."""
        return json.loads(self.info.notes or "{}")

    @property
    def layers(self) -> List[LayerInfo]:
        """Its layers, in the order of the network."""
        return [describe(LayerInfo, "adatom_layer_info", "adatom_model_layer", self.pointer, i) for i in range(self.info.layers)]

    def _numbers(self, function: str, layer: int) -> np.ndarray:
        count = ffi.new("size_t *")
        call(function, self.pointer, layer, ffi.NULL, 0, count)
        out = np.empty(count[0], dtype=np.float32)
        call(function, self.pointer, layer, ffi.from_buffer("float[]", out, require_writable=True), out.size, count)
        return out

    def kernel(self, layer: int) -> np.ndarray:
        """The composed kernel [out, in, k, k] of a convolution, by its index among the layers."""
        info = self.layers[layer]
        return self._numbers("adatom_model_kernel", layer).reshape(info.out_channels, -1, info.kernel, info.kernel)

    def atoms(self, layer: int) -> np.ndarray:
        """The atoms [m, k, k] of a convolution; with groups one dictionary after the other."""
        kernel = self.layers[layer].kernel
        return self._numbers("adatom_model_atoms", layer).reshape(-1, kernel, kernel)

    def run(self, images: Pictures, *, device: Union[Device, str, None] = None,
            progress: Optional[ProgressCallback] = None) -> Tuple[np.ndarray, Optional[np.ndarray]]:
        """Features [n, features] and logits [n, classes] of pictures, in their order; logits None: it has no classifier."""
        info, data = self.info, pictures_of(images, self)
        pixels = data.pixels
        features = np.empty((len(pixels), info.features), dtype=np.float32)
        logits = np.empty((len(pixels), info.classes), dtype=np.float32) if info.classes else None
        params = Struct("adatom_run_params", pixels=ffi.from_buffer("uint8_t[]", pixels), count=len(pixels), progress=on_progress)
        outputs = Struct("adatom_run_outputs", features=ffi.from_buffer("float[]", features, require_writable=True),
                         features_capacity=features.size)
        if logits is not None:
            outputs.pointer.logits = ffi.from_buffer("float[]", logits, require_writable=True)
            outputs.pointer.logits_capacity = logits.size
        call("adatom_model_run", device_of(device).pointer, self.pointer, params.pointer, outputs.pointer, progress=progress)
        return features, logits

    def features(self, images: Pictures, *, device: Union[Device, str, None] = None,
                 progress: Optional[ProgressCallback] = None) -> np.ndarray:
        """Features [n, features] of pictures, in their order."""
        return self.run(images, device=device, progress=progress)[0]

    def __reduce__(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.safetensors")
            self.save(path)
            with open(path, "rb") as file:
                return _parse, (file.read(),)

    def __repr__(self) -> str:
        info = self.info
        return "<adatom.Model %s, sharing %s, %d atoms, %d parameters, hash %s>" % (info.arch, info.sharing, info.atoms,
                                                                                     info.parameters, info.hash)


def _parse(content: bytes) -> Model:
    return Model(Model.made("adatom_model_parse", session.context, b"model", content, len(content)))


def model_of(model: Union[Model, str, os.PathLike, None]) -> Optional[Model]:
    """The model itself, or the one in that file."""
    return Model.load(model) if isinstance(model, (str, os.PathLike)) else model


def pictures_of(images: Pictures, model: Optional[Model], labels: Optional[Sequence[Any]] = None,
                class_names: Optional[Sequence[str]] = None) -> Dataset:
    """Pictures of whatever kind as the model takes them: without labels they keep their order."""
    if isinstance(images, Dataset):
        return images
    info = model.info if model else None
    form = dict(image_size=info.image_size, resize=info.resize, interpolation=info.interpolation) if info else {}
    paths = isinstance(images, (str, os.PathLike)) or (
        not isinstance(images, np.ndarray) and len(images) > 0 and isinstance(images[0], (str, os.PathLike)))
    if paths and labels is not None:
        raise ValueError("labels belong to arrays; the folders of files are their classes")
    if paths:
        return Dataset.open_pictures(images, **form)
    return Dataset.from_arrays(images, labels, class_names=class_names, **form)

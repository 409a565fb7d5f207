"""Adapting a model to new classes, and classifying pictures with the result."""
import json
import os
import tempfile
from dataclasses import asdict, dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import errors
from ._library import Handle, ProgressCallback, Struct, call, describe, ffi, lib, on_progress, read, session, text
from .dataset import Dataset, Pictures
from .device import Device, device_of
from .model import Model, model_of, model_path, pictures_of

__all__ = ["Adapter", "AdapterInfo", "Candidate", "ClassResult", "Method", "adapt", "classify"]


@dataclass(frozen=True)
class Method:
    """How to adapt. None stands for the method's default (docs/episodes.md)."""

    adapt: str = "atoms"  #: what adapts: atoms, norm, atoms+norm, full, lora, dora, bora, tsa, head, cosine, centroid ...
    steps: Optional[int] = None  #: optimiser steps
    optimizer: Optional[str] = None  #: adam or sgd
    lr: Optional[float] = None  #: rate of the classifier
    lr_atoms: Optional[float] = None
    lr_norm: Optional[float] = None
    lr_full: Optional[float] = None
    lr_adapter: Optional[float] = None
    rank: Optional[int] = None  #: of low-rank adapters
    adapter_scale: Optional[float] = None
    momentum: Optional[float] = None
    dampening: Optional[float] = None
    nesterov: Optional[bool] = None
    weight_decay: Optional[float] = None
    label_smoothing: Optional[float] = None
    head: Optional[str] = None  #: linear or cosine
    head_init: Optional[str] = None  #: means, zero, random or model
    cosine_scale: Optional[float] = None
    distance: Optional[str] = None  #: of centroid: euclidean or cosine
    bn: Optional[str] = None  #: statistics of batch norm: frozen, support or transductive
    conv: Optional[str] = None
    seed: int = 1
    procedure: Optional[str] = None
    layers: Optional[str] = None  #: which layers adapt: names or patterns with commas between them
    last: Optional[int] = None  #: of these the last so many
    inverse_penalty: Optional[float] = None  #: C of logistic
    shrinkage: Optional[float] = None  #: of lda
    neighbours: Optional[int] = None  #: of knn
    label_noise: Optional[float] = None
    support_views: Optional[int] = None
    mirror: Optional[bool] = None  #: features are means over a picture and its mirror image
    tasks_at_once: Optional[int] = None
    memory_bytes: Optional[int] = None

    def struct(self) -> Struct:
        """The library's struct of it."""
        return Struct("adatom_method", **asdict(self))


def method_of(method: Union["Method", str]) -> Method:
    """The method itself, or the one of that name with its defaults."""
    return method if isinstance(method, Method) else Method(method)


@dataclass(frozen=True)
class AdapterInfo:
    """What is known of an adapter."""

    method: str
    model_hash: str
    hash: str
    classes: int
    features: int
    steps: int
    cosine: bool
    adapted: int  #: numbers that adapted, without the classifier
    head: int  #: numbers of the classifier
    estimate: str  #: how the accuracy was estimated
    tested: int
    right: int
    accuracy: float  #: right / tested, and its 95 % interval
    low: float
    high: float
    fitted_right: int
    fitted: int
    diverged: int
    tasks: int
    mirror: bool
    calibrated: int  #: pictures of the estimate that calibrate it; 0: it is not
    temperature: float  #: of ``classify(..., calibrated=True)``
    loss_before: float  #: mean -log(probability of the true class) over those pictures, without and with it
    loss: float


@dataclass(frozen=True)
class ClassResult:
    """A class of an adapter: its pictures, those that the estimate tested, and those of them that were right."""

    name: str
    images: int
    tested: int
    right: int


@dataclass(frozen=True)
class Candidate:
    """A way to adapt that method "auto" looked at."""

    name: str
    tried: bool
    why_not: Optional[str]
    tested: int
    accuracy: float
    low: float
    high: float
    chosen: bool = False


class Adapter(Handle):
    """What adapting leaves behind: the changes of the model's atoms (or norms, or everything), and a classifier of the new classes.

    Made by :func:`adapt` and :meth:`load`. ``model``: the model it belongs to; None where it was made of features.
    """

    kind = "adatom_adapter"

    def __init__(self, pointer, model: Optional[Model], candidates: Sequence[Candidate] = ()):
        super().__init__(pointer)
        self.model = model
        self.candidates = list(candidates)  #: what method "auto" tried

    @classmethod
    def load(cls, folder: Union[str, os.PathLike], model: Union[Model, str, os.PathLike, None] = None) -> "Adapter":
        """Reads an adapter's folder. ``model``: the model it belongs to, or its file; it is needed for pictures."""
        return cls(cls.made("adatom_adapter_load", session.context, os.fsencode(folder)), model_of(model))

    def save(self, folder: Union[str, os.PathLike]) -> None:
        """Writes adapter.safetensors and adapter_config.json into a folder."""
        call("adatom_adapter_save", self.pointer, os.fsencode(folder))

    @property
    def info(self) -> AdapterInfo:
        """What is known of it."""
        return describe(AdapterInfo, "adatom_adapter_info", "adatom_adapter_describe", self.pointer)

    @property
    def config(self) -> Dict[str, Any]:
        """Everything that decided it: adapter_config.json."""
        info = Struct("adatom_adapter_info")
        call("adatom_adapter_describe", self.pointer, info.pointer)
        return json.loads(text(info.pointer.config_json))

    @property
    def class_results(self) -> List[ClassResult]:
        """Each class with how the estimate went."""
        return [describe(ClassResult, "adatom_adapter_class", "adatom_adapter_get_class", self.pointer, c)
                for c in range(self.info.classes)]

    @property
    def classes(self) -> List[str]:
        """The names of the classes, in the order of the columns of probabilities."""
        return [c.name for c in self.class_results]

    def merge(self) -> Model:
        """The model with the adapter's numbers and classifier."""
        if self.model is None:
            raise errors.UsageError("an adapter of features has no model to be merged into")
        return Model(Model.made("adatom_adapter_merge", self.pointer, self.model.pointer))

    def classify(self, images: Pictures, *, calibrated: bool = False, device: Union[Device, str, None] = None, batch: int = 0,
                 progress: Optional[ProgressCallback] = None) -> np.ndarray:
        """Probabilities [n, classes] of pictures, in their order; ``images``: arrays, paths or a data set. ``calibrated``: class
        scores are divided by the temperature that the estimate gave, so that answers of probability p are right p of the time."""
        return classify(images, self.model, [self], calibrated=calibrated, device=device, batch=batch, progress=progress)[0]

    def typicality(self, images: Pictures, *, device: Union[Device, str, None] = None, batch: int = 0,
                   progress: Optional[ProgressCallback] = None) -> np.ndarray:
        """[n] the part of the pictures of the adapter's own classes that look no more familiar, in (0, 1]: a picture of something
        else has a small one. Known from the estimate."""
        options = dict(device=device, batch=batch, progress=progress)
        return _predict(images, self.model, [self], calibrated=True, **options).typicality(0)

    def predict(self, images: Pictures, *, reject: float = 0, device: Union[Device, str, None] = None, batch: int = 0,
                progress: Optional[ProgressCallback] = None) -> List[Optional[str]]:
        """The name of each picture's most probable class. With ``reject`` (e.g. 0.05) None of pictures that look less familiar than
        that part of the pictures of the adapter's own classes: they are of none of them."""
        predictions = _predict(images, self.model, [self], reject=reject, device=device, batch=batch, progress=progress)
        names, best = self.classes, predictions.arrays()[0].argmax(axis=1)
        return [None if lib.adatom_predictions_refused(predictions.pointer, 0, i) else names[c] for i, c in enumerate(best)]

    def __reduce__(self):
        with tempfile.TemporaryDirectory() as folder:
            self.save(folder)
            files = [open(os.path.join(folder, name), "rb") for name in ("adapter_config.json", "adapter.safetensors")]
            with files[0], files[1]:
                return _parse, (files[0].read(), files[1].read(), self.model, self.candidates)

    def __repr__(self) -> str:
        info = self.info
        return "<adatom.Adapter %s: %d classes, %d numbers adapted, estimated accuracy %.1f %%>" % (
            info.method, info.classes, info.adapted, 100 * info.accuracy)


def _parse(config: bytes, tensors: bytes, model: Optional[Model], candidates: Sequence[Candidate]) -> Adapter:
    files = Struct("adatom_adapter_files", config=ffi.from_buffer("char[]", config), config_size=len(config),
                   tensors=ffi.from_buffer(tensors), tensors_size=len(tensors))
    return Adapter(Adapter.made("adatom_adapter_parse", session.context, files.pointer), model, candidates)


class _Choice(Handle):
    kind = "adatom_choice"

    def candidates(self) -> List[Candidate]:
        info = Struct("adatom_choice_info")
        call("adatom_choice_describe", self.pointer, info.pointer)
        found = []
        for i in range(info.pointer.candidates):
            one = Struct("adatom_candidate")
            call("adatom_choice_candidate", self.pointer, i, one.pointer)
            found.append(replace(read(Candidate, one.pointer), chosen=i == info.pointer.chosen))
        return found


def adapt(images: Pictures, labels: Optional[Sequence[Any]] = None, *, model: Union[Model, str, os.PathLike, None],
          method: Union[Method, str] = "auto", try_methods: Optional[Sequence[str]] = None, budget: float = 0,
          batch: int = 0, augment: str = "none", shift: int = 0, estimate: str = "default", folds: int = 0, holdout: float = 0,
          early_stop: bool = False, seed: int = 1, device: Union[Device, str, None] = None,
          progress: Optional[ProgressCallback] = None) -> Adapter:
    """Adapts a model to new classes and estimates how good the result is.

    ``images`` and ``labels``: as for :meth:`Dataset.from_arrays`, or a :class:`Dataset` (of features: model None), or the path of a
    folder with a folder per class. ``method``: "auto" tries several ways on the pictures themselves (``try_methods``, within
    ``budget`` multiply-adds) and takes one; else what adapts, as a name or a :class:`Method`. ``augment``: e.g. "shift+flip".
    ``estimate``: leave-one-out, folds, holdout or none; the default is what suits the number of pictures. The same seed gives the
    same adapter.
    """
    network = model_of(model)
    chooses = method == "auto"
    settings = Method("default", seed=seed) if chooses else method_of(method)
    if isinstance(images, (str, os.PathLike)):
        if labels is not None:
            raise errors.UsageError("labels belong to arrays; the folders of files are their classes")
        info = network.info if network else None
        form = dict(image_size=info.image_size, resize=info.resize, interpolation=info.interpolation) if info else {}
        data = Dataset.open(images, refuse_empty=True, refuse_splits=True, **form)
    elif isinstance(images, Dataset) or labels is not None:
        data = pictures_of(images, network, labels)
    else:
        raise errors.UsageError("arrays of pictures need labels")
    fit = Struct("adatom_fit_params", method=settings.struct(), batch=batch, augment=augment, shift=shift, estimate=estimate,
                 folds=folds, holdout=holdout, early_stop=early_stop, progress=on_progress,
                 base_model=model_path(model) if isinstance(model, (str, os.PathLike)) else None)
    target = (device_of(device).pointer, network.pointer if network else ffi.NULL, data.pointer)
    if not chooses:
        if try_methods is not None or budget:
            raise errors.UsageError("try_methods and budget belong to the method 'auto'")
        return Adapter(Adapter.made("adatom_adapter_fit", *target, fit.pointer, progress=progress), network)
    names = list(try_methods or ())
    kinds = ffi.new("adatom_adapt_kind[]", [Struct("adatom_method", adapt=name).pointer.adapt for name in names])
    params = Struct("adatom_choose_params", fit=fit, kinds=kinds if names else None, kind_count=len(names), budget=budget)
    choice, adapter = ffi.new("adatom_choice **"), ffi.new("adatom_adapter **")
    try:
        call("adatom_adapter_choose", *target, params.pointer, choice, adapter, progress=progress)
    finally:
        chosen = _Choice(choice[0]) if choice[0] != ffi.NULL else None
    return Adapter(adapter[0], network, chosen.candidates())


def classify(images: Pictures, model: Optional[Model], adapters: Sequence[Adapter] = (), *, calibrated: bool = False,
             device: Union[Device, str, None] = None, batch: int = 0, memory_bytes: int = 0,
             progress: Optional[ProgressCallback] = None) -> List[np.ndarray]:
    """Probabilities [n, classes] of pictures under each adapter, at once; without adapters by the model's own classifier.
    ``calibrated``: by each adapter's temperature."""
    return _predict(images, model, adapters, calibrated=calibrated, device=device, batch=batch, memory_bytes=memory_bytes,
                    progress=progress).arrays()


def _predict(images: Pictures, model: Optional[Model], adapters: Sequence[Adapter], *, calibrated: bool = False, reject: float = 0,
             device: Union[Device, str, None] = None, batch: int = 0, memory_bytes: int = 0,
             progress: Optional[ProgressCallback] = None) -> "_Predictions":
    if not isinstance(images, Dataset) and model is None:
        data = Dataset.from_features(np.asarray(images))
    else:
        data = pictures_of(images, model)
    pointers = ffi.new("adatom_adapter *[]", [adapter.pointer for adapter in adapters])
    params = Struct("adatom_classify_params", adapters=pointers, adapter_count=len(adapters), batch=batch, memory_bytes=memory_bytes,
                    calibrated=calibrated, reject=reject, progress=on_progress)
    return _Predictions(_Predictions.made("adatom_classify", device_of(device).pointer, model.pointer if model else ffi.NULL,
                                          data.pointer, params.pointer, progress=progress))


class _Predictions(Handle):
    kind = "adatom_predictions"

    def arrays(self) -> List[np.ndarray]:
        info = Struct("adatom_predictions_info")
        call("adatom_predictions_describe", self.pointer, info.pointer)
        results = []
        for result in range(info.pointer.results):
            rows = []
            for image in range(info.pointer.images):
                count = ffi.new("int *")
                row = lib.adatom_predictions_get(self.pointer, result, image, count)
                rows.append(np.frombuffer(ffi.buffer(row, 4 * count[0]), dtype=np.float32))
            results.append(np.array(rows))
        return results

    def typicality(self, result: int) -> np.ndarray:
        info = Struct("adatom_predictions_info")
        call("adatom_predictions_describe", self.pointer, info.pointer)
        return np.array([lib.adatom_predictions_typicality(self.pointer, result, image) for image in range(info.pointer.images)])

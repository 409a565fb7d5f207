"""Few-shot adaptation of convolutional networks on any Vulkan GPU, or the CPU.

    import adatom
    adapter = adatom.adapt(images, labels, model="conv4-net8")   # images: [n, height, width, 3] uint8
    probabilities = adapter.classify(new_images)                   # [n, classes]; adapter.classes has their names

What the library warns of goes to the logger "adatom". Ctrl-C ends a call where it next can.
"""
from . import errors
from ._library import Progress, lib, text
from .adapt import Adapter, AdapterInfo, Candidate, ClassResult, Method, adapt, classify
from .dataset import Dataset, DatasetInfo
from .device import Device, DeviceInfo, devices
from .episodes import EpisodeResult, EpisodeResults, episodes, mean_interval
from .errors import *  # noqa: F401,F403
from .model import LayerInfo, Model, ModelInfo, pretrained

__version__ = text(lib.adatom_version())

__all__ = [
    "Adapter", "AdapterInfo", "Candidate", "ClassResult", "Dataset", "DatasetInfo", "Device", "DeviceInfo", "EpisodeResult",
    "EpisodeResults", "LayerInfo", "Method", "Model", "ModelInfo", "Progress", "adapt", "classify", "devices", "episodes",
    "mean_interval", "pretrained", *errors.__all__
]


def __getattr__(name: str):
    """The estimator needs scikit-learn, which nothing else does."""
    if name == "AdatomClassifier":
        from .estimator import AdatomClassifier
        return AdatomClassifier
    raise AttributeError("module 'adatom' has no attribute %r" % name)

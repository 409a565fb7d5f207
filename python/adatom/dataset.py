"""Data sets: labelled pictures from folders, archives, lists or arrays; or features in their place."""
import os
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import errors
from ._library import Handle, ProgressCallback, Struct, call, describe, ffi, lib, on_progress, session, text, texts
from .device import cache_folder

__all__ = ["Dataset", "DatasetInfo"]

Pictures = Union["Dataset", np.ndarray, Sequence[np.ndarray], str, os.PathLike, Sequence[Union[str, os.PathLike]]]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set."""

    name: str
    hash: str  #: of pixels, labels and class names
    classes: int
    image_size: int  #: side of the square pictures, pixels
    images: int
    background: str  #: colour behind transparent pictures, RRGGBB
    damaged: int  #: damaged pictures that were taken
    passed_over: int  #: files and folders that were passed over
    features: int  #: numbers of each picture's features; 0: the data set holds pictures
    model_hash: str  #: of features: the network that made them, if known


class Dataset(Handle):
    """Pictures of one size, [image_size][image_size][3] bytes RGB, ordered by class; or features of pictures.

    Made by :meth:`open`, :meth:`from_arrays`, :meth:`from_features` and :meth:`load_features`.
    """

    kind = "adatom_dataset"

    @classmethod
    def open(cls, spec: Union[str, os.PathLike], *, image_size: int = 84, resize: int = 0, split: Optional[str] = None,
             csv: Union[str, os.PathLike, None] = None, interpolation: str = "default", background: Optional[str] = None,
             allow_truncated: bool = False, refuse_empty: bool = False, refuse_splits: bool = False, per_class: int = 0,
             seed: int = 0, threads: int = 0, cache: bool = True,
             progress: Optional[ProgressCallback] = None) -> "Dataset":
        """Opens a folder with a folder per class, an archive of one, a ``filename,label`` CSV list, or "builtin:shapes".

        Pictures are scaled so that their shorter side has ``resize`` pixels (0: image_size), and image_size x image_size are cropped
        from the centre. ``split``: a part of the data, e.g. "train". ``refuse_empty``, ``refuse_splits``: whether folders
        without pictures, and splits inside when none is chosen, are errors. ``cache``: whether decoded pictures are kept in the user's cache
        folder.
        """
        params = Struct("adatom_dataset_params", image_size=image_size, resize=resize, split=split, csv=csv, interpolation=interpolation,
                        background=background, allow_truncated=allow_truncated, refuse_empty=refuse_empty, refuse_splits=refuse_splits,
                        builtin_per_class=per_class, seed=seed, threads=threads,
                        cache_dir=cache_folder() if cache else None, progress=on_progress)
        return cls(cls.made("adatom_dataset_open", session.context, os.fsencode(spec), params.pointer, progress=progress))

    @classmethod
    def open_pictures(cls, paths: Sequence[Union[str, os.PathLike]], *, image_size: int = 84, resize: int = 0,
                      interpolation: str = "default", background: Optional[str] = None,
                      progress: Optional[ProgressCallback] = None) -> "Dataset":
        """Opens pictures without classes: files, folders and archives, in the order given."""
        paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        names, _kept = texts(paths)
        params = Struct("adatom_dataset_params", image_size=image_size, resize=resize, interpolation=interpolation,
                        background=background, progress=on_progress)
        return cls(cls.made("adatom_dataset_open_pictures", session.context, names, len(paths), params.pointer, progress=progress))

    @classmethod
    def from_arrays(cls, images: Union[np.ndarray, Sequence[np.ndarray]], labels: Optional[Sequence[Any]] = None, *,
                    class_names: Optional[Sequence[str]] = None, names: Optional[Sequence[str]] = None, image_size: int = 84, resize: int = 0, interpolation: str = "default",
                    background: Optional[str] = None, threads: int = 0, progress: Optional[ProgressCallback] = None) -> "Dataset":
        """Makes a data set of pictures in memory, exactly as of files that hold these pixels.

        ``images``: uint8, of one size [n, height, width, 3], or a sequence of [height, width, 3] of any sizes; a last dimension of 4
        has alpha, of 2 grey with alpha, and none or 1 is grey. ``labels``: n whole numbers or texts, each class's name; None: the
        pictures have no classes. ``class_names``: labels are indices of these. ``names``: of the pictures, n texts.
        """
        pictures = [_picture(image, row) for row, image in enumerate(images)]
        pixels = ffi.new("uint8_t *[]", [ffi.from_buffer("uint8_t[]", picture) for picture in pictures])
        sizes = [ffi.new("int[]", [picture.shape[axis] for picture in pictures]) for axis in (1, 0, 2)]
        classes = _Classes(labels, len(pictures), class_names)
        row_names = texts(names) if names is not None else (None, None)
        if names is not None and len(names) != len(pictures):
            raise errors.UsageError("%d pictures have %d names" % (len(pictures), len(names)))
        table = Struct("adatom_picture_table", rows=len(pictures), pixels=pixels, widths=sizes[0], heights=sizes[1], channels=sizes[2],
                       labels=classes.labels, classes=classes.names, class_count=classes.count, names=row_names[0])
        params = Struct("adatom_dataset_params", image_size=image_size, resize=resize, interpolation=interpolation,
                        background=background, threads=threads, progress=on_progress)
        return cls(cls.made("adatom_dataset_create", session.context, table.pointer, params.pointer, progress=progress))

    @classmethod
    def from_features(cls, features: np.ndarray, labels: Optional[Sequence[Any]] = None, *,
                      class_names: Optional[Sequence[str]] = None) -> "Dataset":
        """Makes a data set of features [n, width] of any network, in place of pictures; labels as for from_arrays."""
        values = np.ascontiguousarray(features, dtype=np.float32)
        if values.ndim != 2:
            raise errors.UsageError("features have the shape %s; [pictures, numbers] was expected" % (list(values.shape),))
        classes = _Classes(labels, len(values), class_names)
        table = Struct("adatom_feature_table", rows=values.shape[0], width=values.shape[1], values=ffi.from_buffer("float[]", values),
                       labels=classes.labels, classes=classes.names, class_count=classes.count)
        return cls(cls.made("adatom_features_create", session.context, table.pointer))

    @classmethod
    def load_features(cls, path: Union[str, os.PathLike], *, labels: Union[str, os.PathLike, None] = None) -> "Dataset":
        """Reads features from safetensors or .npy, whoever wrote them; ``labels``: a file with the class of each row."""
        params = Struct("adatom_features_load_params", labels=labels, progress=on_progress)
        return cls(cls.made("adatom_features_load", session.context, os.fsencode(path), params.pointer))

    def save_features(self, path: Union[str, os.PathLike], *, half: bool = False) -> None:
        """Writes features to F.safetensors or F.npy; ``half``: as float16."""
        params = Struct("adatom_features_save_params", half=half)
        call("adatom_features_save", self.pointer, os.fsencode(path), params.pointer)

    @property
    def info(self) -> DatasetInfo:
        """What is known of it."""
        return describe(DatasetInfo, "adatom_dataset_info", "adatom_dataset_describe", self.pointer)

    def _class(self, index: int) -> Tuple[str, int, int]:
        name, first, count = ffi.new("char **"), ffi.new("size_t *"), ffi.new("size_t *")
        call("adatom_dataset_class", self.pointer, index, name, first, count)
        return text(name[0]), first[0], count[0]

    @property
    def classes(self) -> List[str]:
        """The names of the classes."""
        return [self._class(c)[0] for c in range(self.info.classes)]

    @property
    def labels(self) -> np.ndarray:
        """[images] int64: the index of each picture's class."""
        counts = [self._class(c)[2] for c in range(self.info.classes)]
        return np.repeat(np.arange(len(counts)), counts)

    @property
    def paths(self) -> List[str]:
        """Where each picture came from."""
        return [text(lib.adatom_dataset_path(self.pointer, i)) for i in range(len(self))]

    @property
    def pixels(self) -> np.ndarray:
        """[images, image_size, image_size, 3] uint8, a copy."""
        info = self.info
        first = lib.adatom_dataset_pixels(self.pointer, 0)
        if first == ffi.NULL:
            raise errors.UsageError("'%s' holds features and no pictures" % info.name)
        shape = (info.images, info.image_size, info.image_size, 3)
        return np.frombuffer(ffi.buffer(first, int(np.prod(shape))), dtype=np.uint8).reshape(shape).copy()

    @property
    def features(self) -> np.ndarray:
        """[images, width] float32, a copy."""
        info = self.info
        first = lib.adatom_dataset_features(self.pointer, 0)
        if first == ffi.NULL:
            raise errors.UsageError("'%s' holds pictures and no features" % info.name)
        shape = (info.images, info.features)
        return np.frombuffer(ffi.buffer(first, 4 * int(np.prod(shape))), dtype=np.float32).reshape(shape).copy()

    def __len__(self) -> int:
        return self.info.images

    def __repr__(self) -> str:
        info = self.info
        held = "%d features" % info.features if info.features else "%d x %d pixels" % (info.image_size, info.image_size)
        return "<adatom.Dataset %r: %d classes, %d pictures of %s>" % (info.name, info.classes, info.images, held)


def _picture(image: Any, row: int) -> np.ndarray:
    """A picture as [height, width, channels] bytes without gaps."""
    array = np.asarray(image)
    if array.dtype != np.uint8:
        raise errors.UsageError("picture %d holds %s; uint8 from 0 to 255 was expected%s" %
                                (row, array.dtype, " (values from 0 to 1: multiply by 255 and round)" if array.dtype.kind == "f" else ""))
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or not 1 <= array.shape[2] <= 4 or array.size == 0:
        raise errors.UsageError("picture %d has the shape %s; [height, width, 3] was expected%s" %
                                (row, list(np.shape(image)), " (the channels last)" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else ""))
    return np.ascontiguousarray(array)


class _Classes:
    """Labels as the library takes them: numbers of sorted classes, and the classes' names."""

    def __init__(self, labels: Optional[Sequence[Any]], rows: int, names: Optional[Sequence[str]]):
        self.labels = self.names = None
        self.count = 0
        if labels is None:
            if names is not None:
                raise errors.UsageError("there are names of %d classes and no labels" % len(names))
            return
        values = np.asarray(labels)
        if values.shape != (rows,):
            raise errors.UsageError("%d pictures have labels of the shape %s" % (rows, list(values.shape)))
        if names is None:
            kinds, values = np.unique(values, return_inverse=True)
            names = [str(kind) for kind in kinds.tolist()]
        elif values.dtype.kind not in "iu":
            raise errors.UsageError("labels hold %s; with class_names they are indices" % values.dtype)
        self.names, self.kept = texts(names)
        self.count = len(names)
        self.numbers = np.ascontiguousarray(values, dtype=np.int64)
        self.labels = ffi.from_buffer("int64_t[]", self.numbers)

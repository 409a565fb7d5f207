"""Few-shot episodes: adapting to many small tasks, and the accuracy of it."""
import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ._library import Handle, ProgressCallback, Struct, call, ffi, lib, on_progress, plain, session, text
from .adapt import Method, method_of
from .dataset import Dataset
from .device import Device, device_of
from .model import Model, model_of

__all__ = ["EpisodeResult", "EpisodeResults", "episodes", "mean_interval"]


def mean_interval(values: np.ndarray, minus: Optional[np.ndarray] = None) -> Tuple[float, float]:
    """The mean of values (less ``minus``, pair by pair) and the half width of its 95 % interval; NaN are left out."""
    a = np.ascontiguousarray(values, dtype=np.float32)
    b = None if minus is None else np.ascontiguousarray(minus, dtype=np.float32)
    mean, ci95 = ffi.new("double *"), ffi.new("double *")
    lib.adatom_mean_interval(ffi.from_buffer("float[]", a), ffi.NULL if b is None else ffi.from_buffer("float[]", b), a.size, mean, ci95)
    return mean[0], ci95[0]


@dataclass(frozen=True)
class EpisodeResult:
    """What one method did."""

    method: str
    way: int
    shot: int
    query: int
    steps: int
    tasks: int
    diverged: int
    mean: float  #: accuracy (0..1), and half the width of its 95 % interval
    ci95: float
    accuracy: np.ndarray  #: [tasks] 0..1; NaN: the episode diverged
    predictions: np.ndarray  #: [tasks, way, query] predicted labels; -1: the episode diverged
    adapted: int  #: numbers that adapt in each task
    seconds: float
    episodes_per_s: float
    config: Dict[str, Any]  #: everything that decided the numbers

    def minus(self, other: "EpisodeResult") -> Tuple[float, float]:
        """The mean difference to another method on the same episodes, and half its 95 % interval."""
        return mean_interval(self.accuracy, other.accuracy)

    def __repr__(self) -> str:
        return "<%s, %d-way %d-shot: %.2f ± %.2f %%, %d episodes>" % (self.method, self.way, self.shot, 100 * self.mean,
                                                                      100 * self.ci95, self.tasks)


class EpisodeResults(List[EpisodeResult]):
    """Results of several methods on the same episodes."""

    hash = ""  #: of the list of episodes

    def records(self) -> List[Dict[str, Any]]:
        """One flat dictionary a method, for pandas.DataFrame; differences are to the first method, on the same episodes."""
        rows = []
        for result in self:
            same = result.shot == self[0].shot
            difference = result.minus(self[0]) if same else (float("nan"), float("nan"))
            rows.append({"method": result.method, "way": result.way, "shot": result.shot, "query": result.query, "steps": result.steps,
                         "episodes": result.tasks, "diverged": result.diverged, "accuracy": result.mean, "ci95": result.ci95,
                         "difference": difference[0], "difference_ci95": difference[1], "adapted": result.adapted,
                         "episodes_per_s": result.episodes_per_s})
        return rows


class _Episodes(Handle):
    kind = "adatom_episodes"


class _Evaluation(Handle):
    kind = "adatom_evaluation"

    def result(self) -> EpisodeResult:
        info = Struct("adatom_evaluation_info")
        call("adatom_evaluation_describe", self.pointer, info.pointer)
        p = info.pointer
        fields = dict(ffi.typeof("adatom_evaluation_info").fields)
        members = {name: plain(fields[name].type, getattr(p, name)) for name in
                   ("method", "way", "shot", "query", "steps", "tasks", "diverged", "mean", "ci95", "adapted", "seconds", "episodes_per_s")}
        shape = (p.tasks, p.way, p.query)
        return EpisodeResult(
            accuracy=np.frombuffer(ffi.buffer(p.accuracy, 4 * p.tasks), dtype=np.float32).copy(),
            predictions=np.frombuffer(ffi.buffer(p.predictions, 4 * int(np.prod(shape))), dtype=np.int32).reshape(shape).copy(),
            config=json.loads(text(p.config_json)), **members)


def episodes(model: Union[Model, str, os.PathLike, None], data: Union[Dataset, str, os.PathLike],
             methods: Union[Method, str, Sequence[Union[Method, str]]] = "atoms", *, way: int = 5, shot: Union[int, Sequence[int]] = 1,
             query: int = 15, tasks: int = 600, seed: int = 1, split: Optional[str] = None, without_replacement: bool = False,
             save_episodes: Union[str, os.PathLike, None] = None, device: Union[Device, str, None] = None,
             progress: Optional[ProgressCallback] = None) -> EpisodeResults:
    """Adapts a model to few-shot episodes by each method and classifies their queries.

    ``data``: a data set, or what :meth:`Dataset.open` takes. All methods see the same episodes, so that their differences are
    paired. The same seed gives the same episodes, on any machine.
    """
    network = model_of(model)
    if not isinstance(data, Dataset):
        info = network.info
        data = Dataset.open(data, image_size=info.image_size, resize=info.resize, interpolation=info.interpolation, split=split)
    several = [methods] if isinstance(methods, (str, Method)) else list(methods)
    results = EpisodeResults()
    for shots in [shot] if isinstance(shot, int) else shot:
        params = Struct("adatom_episodes_params", way=way, shot=shots, query=query, tasks=tasks, seed=seed,
                        without_replacement=without_replacement)
        drawn = _Episodes(_Episodes.made("adatom_episodes_create", session.context, data.pointer, params.pointer))
        if save_episodes is not None:
            call("adatom_episodes_save", drawn.pointer, os.fsencode(save_episodes))
        for method in several:
            settings = method_of(method)
            run = Struct("adatom_adapt_params", dataset=data.pointer, episodes=drawn.pointer, method=settings.struct(),
                         progress=on_progress)
            made = _Evaluation.made("adatom_adapt_episodes", device_of(device).pointer, network.pointer if network else ffi.NULL,
                                    run.pointer, progress=progress)
            results.append(_Evaluation(made).result())
        info = Struct("adatom_episodes_info")
        call("adatom_episodes_describe", drawn.pointer, info.pointer)
        results.hash = text(info.pointer.hash)
    return results

"""A scikit-learn estimator."""
import os
from typing import Any, Optional, Sequence, Union

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from .adapt import Adapter, Method, adapt, classify
from .dataset import Dataset
from .model import Model, model_of, pictures_of

__all__ = ["AdatomClassifier"]


class AdatomClassifier(ClassifierMixin, BaseEstimator):
    """Adapts a model to the classes of pictures; scikit-learn's interface.

    Parameters
    ----------
    model : a model, the path of its file, or None
        None: the rows of X are features, of whatever network, and only a classifier is fitted.
    method : what adapts, as for :func:`adatom.adapt`
        "auto" tries several ways. For features: "cosine", "head" or "centroid" (or "auto", which tries cosine and centroid).
    device : as for :class:`adatom.Device`
    augment, batch, mirror : as for :func:`adatom.adapt` and :class:`adatom.Method`
    random_state : whole number
        The seed. The same seed gives the same adapter.

    Attributes
    ----------
    classes_ : the labels of y, sorted
    adapter_ : the :class:`adatom.Adapter`, whose columns are those of classes_
    n_features_in_ : numbers of each row, where X is a table
    """

    def __init__(self, model: Union[Model, str, os.PathLike, None] = None, method: Union[Method, str] = "auto", *,
                 device: Optional[str] = None, augment: str = "none", batch: int = 0, mirror: bool = False, random_state: int = 1):
        self.model = model
        self.method = method
        self.device = device
        self.augment = augment
        self.batch = batch
        self.mirror = mirror
        self.random_state = random_state

    def fit(self, X: Any, y: Sequence[Any]) -> "AdatomClassifier":
        """Adapts to pictures X, [n, height, width, 3] uint8 or a sequence of such arrays, or to features [n, width], of classes y."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        X = self._rows(X, fitting=True)
        y = np.asarray(y) if not hasattr(y, "to_numpy") else y.to_numpy()
        if y.ndim == 2 and y.shape[1] == 1:
            _warn_column()
            y = y.ravel()
        check_classification_targets(y)
        if len(X) != len(y):
            raise ValueError("Found input variables with inconsistent numbers of samples: %r" % [len(X), len(y)])
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        names = [str(kind) for kind in self.classes_.tolist()]
        data = (Dataset.from_features(X, numbers, class_names=names) if self.model is None else
                pictures_of(X, model_of(self.model), numbers, names))
        method = self.method
        if isinstance(method, str) and method != "auto":
            method = Method(method, seed=self.random_state, mirror=self.mirror or None)
        elif isinstance(method, str) and self.mirror:
            raise ValueError("mirror needs a method other than 'auto'")
        kinds = ("centroid", "cosine") if self.model is None and method == "auto" else None
        self.adapter_: Adapter = adapt(data, model=self.model, method=method, try_methods=kinds, batch=self.batch, augment=self.augment,
                                       seed=self.random_state, device=self.device, estimate="default" if method == "auto" else "none")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """[n, classes] probabilities, in the order of classes_."""
        check_is_fitted(self)
        X = self._rows(X, fitting=False)
        data = Dataset.from_features(X) if self.model is None else X
        return classify(data, self.adapter_.model, [self.adapter_], device=self.device)[0].astype(np.float64)

    def predict(self, X: Any) -> np.ndarray:
        """[n] the most probable of classes_."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _rows(self, X: Any, fitting: bool):
        """X as it is needed, checked as scikit-learn's estimators do."""
        if self.model is not None:
            return X
        if hasattr(self, "_validate_data"):  # before scikit-learn 1.6
            return self._validate_data(X, dtype=np.float32, reset=fitting)
        from sklearn.utils.validation import validate_data
        return validate_data(self, X, dtype=np.float32, reset=fitting)

    def _more_tags(self):
        return {"X_types": ["2darray"] if self.model is None else ["3darray"], "no_validation": self.model is not None}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.model is not None:
            tags.no_validation = True
            tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags


def _warn_column() -> None:
    import warnings

    from sklearn.exceptions import DataConversionWarning
    warnings.warn("A column-vector y was passed when a 1d array was expected.", DataConversionWarning, stacklevel=3)

"""The scikit-learn estimator: what scikit-learn asks of one, on features; and pictures."""
import sys
import unittest
import warnings

from common import MODEL, InFolder, np, shapes
try:
    from sklearn.base import clone
    from sklearn.model_selection import cross_val_score
    from sklearn.utils import estimator_checks
except ImportError as missing:
    print(missing)
    sys.exit(77)
import adatom
from adatom import AdatomClassifier


class Estimator(InFolder):
    def test_checks(self):
        for method in ("centroid", "head"):
            one = AdatomClassifier(method=method, device="cpu")
            if hasattr(estimator_checks, "estimator_checks_generator"):  # scikit-learn 1.6 and newer
                checks = estimator_checks.estimator_checks_generator(one, mark="skip")
            else:
                checks = estimator_checks.check_estimator(one, generate_only=True)
            for estimator, check in checks:
                name = getattr(check, "func", check).__name__
                with self.subTest(method=method, check=name), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        check(estimator)
                    except unittest.SkipTest:
                        pass

    def test_pictures(self):
        images, names = shapes(4, 10)
        labels = np.array([7, 100, 12, 3])[np.unique(names, return_inverse=True)[1]]
        estimator = AdatomClassifier(MODEL, method="atoms", device="cpu", random_state=5)
        estimator.fit(list(images), labels)
        self.assertEqual(estimator.classes_.tolist(), [3, 7, 12, 100])
        self.assertEqual(estimator.adapter_.classes, ["3", "7", "12", "100"])
        probabilities = estimator.predict_proba(images)
        self.assertEqual(probabilities.shape, (len(images), 4))
        np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
        self.assertTrue((estimator.predict(images) == estimator.classes_[probabilities.argmax(1)]).all())
        self.assertGreater(estimator.score(images, labels), 0.6)
        scores = cross_val_score(clone(estimator), images, labels, cv=2)
        self.assertGreater(scores.mean(), 0.4)
        again = clone(estimator).fit(images, labels)
        self.assertEqual(again.adapter_.info.hash, estimator.adapter_.info.hash)
        self.assertEqual(estimator.get_params()["random_state"], 5)
        self.assertEqual(clone(estimator).set_params(method="auto", mirror=False).method, "auto")

    def test_features(self):
        generator = np.random.default_rng(1)
        centres = 3 * generator.normal(size=(3, 6))
        labels = np.repeat(["red", "green", "blue"], 20)
        features = centres[np.repeat([0, 1, 2], 20)] + generator.normal(size=(60, 6))
        for method in ("auto", "cosine", "head", adatom.Method("centroid", distance="cosine")):
            estimator = AdatomClassifier(method=method, device="cpu").fit(features, labels)
            self.assertGreater(estimator.score(features, labels), 0.9, method)
        with self.assertRaisesRegex(ValueError, "atoms|network"):
            AdatomClassifier(method="atoms", device="cpu").fit(features, labels)


unittest.main()

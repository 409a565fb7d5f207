"""Adapting, classifying and episodes from Python are those of the command line, number by number."""
import pickle
import unittest

from common import MODEL, InFolder, command, np, result, shapes, write_folder
import adatom


class Adapting(InFolder):
    def setUp(self):
        super().setUp()
        self.images, self.labels = shapes(4, 12)
        self.support = np.arange(len(self.images)) % 3 > 0
        self.query = ~self.support
        write_folder("support", self.images[self.support], self.labels[self.support])
        self.paths = write_folder("query", self.images[self.query], self.labels[self.query])

    def told(self, adapter, classes):
        """Probabilities of the query pictures by the command line, in the order of self.paths."""
        rows = result("classify", "query", "--model", MODEL, "--adapter", adapter, "--top", "4", "--device", "cpu", "--format", "json")
        table = {(row["picture"], row["class"]): row["probability"] for row in rows["predictions"]}
        return np.array([[table[path, name] for name in classes] for path in self.paths])

    def test_methods(self):
        for method, settings in (("atoms", {"steps": 6}), ("cosine", {}), ("centroid", {"mirror": True}), ("lora", {"steps": 3, "rank": 2})):
            options = [part for name, value in settings.items()
                       for part in (["--" + name] if value is True else ["--" + name, str(value)])]
            command("adapt", "--model", MODEL, "--images", "support", "--adapt", method, *options, "--output", method,
                    "--device", "cpu", "--no-cache")
            adapter = adatom.adapt(self.images[self.support], self.labels[self.support], model=MODEL,
                                   method=adatom.Method(method, **settings), device="cpu")
            named = adatom.Adapter.load(method, MODEL)
            self.assertEqual(adapter.info, named.info)
            self.assertEqual(adapter.classes, sorted(set(self.labels)))
            self.assertEqual(adapter.class_results, named.class_results)
            probabilities = adapter.classify(self.images[self.query], device="cpu")
            printed = np.vectorize(lambda p: float("%.7g" % p))(probabilities)  # the command prints so many digits
            self.assertTrue((printed == self.told(method, adapter.classes)).all(), method)
            self.assertTrue((probabilities == named.classify(self.paths, device="cpu")).all(), method)
            right = np.mean(np.array(adapter.predict(self.images[self.query], device="cpu")) == self.labels[self.query])
            self.assertGreater(right, 0.5, method)

    def test_auto(self):
        quick = {"try_methods": ["centroid", "atoms"], "budget": 2e9}
        command("adapt", "--model", MODEL, "--images", "support", "--try", "centroid,atoms", "--budget", "2", "--output", "auto",
                "--device", "cpu", "--no-cache")
        adapter = adatom.adapt("support", model=adatom.Model.load(MODEL), device="cpu", **quick)
        self.assertEqual(adapter.info, adatom.Adapter.load("auto").info)
        chosen = [one for one in adapter.candidates if one.chosen]
        self.assertEqual(len(chosen), 1)
        self.assertTrue(chosen[0].tried and 0 <= chosen[0].low <= chosen[0].accuracy <= chosen[0].high <= 1)
        with self.assertRaisesRegex(adatom.UsageError, "belong to the method 'auto'"):
            adatom.adapt("support", model=MODEL, method="atoms", budget=1, device="cpu")

    def test_kept(self):
        adapter = adatom.adapt(self.images[self.support], self.labels[self.support], model=MODEL, method="atoms", device="cpu",
                               estimate="none")
        adapter.save("kept")
        expected = adapter.classify(self.images[self.query], device="cpu")
        for again in (adatom.Adapter.load("kept", MODEL), pickle.loads(pickle.dumps(adapter))):
            self.assertEqual(again.info.hash, adapter.info.hash)
            self.assertTrue((again.classify(self.images[self.query], device="cpu") == expected).all())
        merged = adapter.merge()
        self.assertEqual((merged.info.classes, merged.notes["classes"]), (4, adapter.classes))
        self.assertEqual(adapter.config["classes"][0]["name"], adapter.classes[0])
        with self.assertRaisesRegex(adatom.UsageError, "labels"):
            adatom.adapt(self.images, model=MODEL)

    def test_calibrated(self):
        command("adapt", "--model", MODEL, "--images", "support", "--adapt", "cosine", "--output", "sure", "--device", "cpu", "--no-cache")
        adapter = adatom.adapt("support", model=MODEL, method="cosine", device="cpu")
        self.assertEqual(adapter.info, adatom.Adapter.load("sure").info)
        self.assertEqual(adapter.info.calibrated, adapter.info.tested)
        query = self.images[self.query]
        plain, sure = adapter.classify(query, device="cpu"), adapter.classify(query, calibrated=True, device="cpu")
        scaled = plain.astype(float) ** (1 / adapter.info.temperature)
        np.testing.assert_allclose(sure, scaled / scaled.sum(axis=1, keepdims=True), atol=1e-5)
        share = 0.3
        rows = result("classify", "query", "--model", MODEL, "--adapter", "sure", "--reject", str(share), "--device", "cpu", "--format", "json")
        typical, named = adapter.typicality(query, device="cpu"), adapter.predict(query, reject=share, device="cpu")
        self.assertEqual(dict(zip(self.paths, named)), {row["picture"]: row["class"] for row in rows["predictions"]})
        self.assertEqual(dict(zip(self.paths, (float("%.15g" % t) for t in typical))),
                         {row["picture"]: row["typicality"] for row in rows["predictions"]})
        self.assertEqual(sum(one is None for one in named), rows["rejection"]["refused"])
        self.assertEqual(sum(typical <= share), rows["rejection"]["refused"])
        with self.assertRaisesRegex(adatom.UsageError, "no less than a part"):
            adapter.predict(query, reject=1e-3, device="cpu")

    def test_several_at_once(self):
        adapters = [adatom.adapt(self.images[self.support], self.labels[self.support], model=MODEL, method=method, device="cpu",
                                 estimate="none") for method in ("atoms", "cosine")]
        both = adatom.classify(self.images[self.query], adapters[0].model, adapters, device="cpu")
        for adapter, probabilities in zip(adapters, both):
            np.testing.assert_allclose(probabilities, adapter.classify(self.images[self.query], device="cpu"), atol=1e-5)
        own = adatom.classify(self.images[self.query], adapters[0].model, device="cpu")
        self.assertEqual(own[0].shape, (len(self.paths), 64))

    def test_vulkan(self):
        if not any(device.backend == "vulkan" for device in adatom.devices()):
            self.skipTest("no Vulkan driver")
        adapter = adatom.adapt(self.images[self.support], self.labels[self.support], model=MODEL, method=adatom.Method("atoms", steps=3),
                               device="vulkan", estimate="none")
        np.testing.assert_allclose(adapter.classify(self.images[self.query], device="vulkan"),
                                   adapter.classify(self.images[self.query], device="cpu"), atol=1e-4)


class Episodes(InFolder):
    def test_episodes(self):
        told = result("episodes", "--model", MODEL, "--data", "builtin:shapes/novel", "--per-class", "20", "--shot", "1,5", "--query", "5",
                      "--tasks", "6", "--seed", "3", "--adapt", "atoms,cosine", "--predictions", "--device", "cpu", "--no-cache", "--format", "json")
        data = adatom.Dataset.open("builtin:shapes/novel", image_size=32, per_class=20, cache=False)
        results = adatom.episodes(MODEL, data, ["atoms", "cosine"], shot=[1, 5], query=5, tasks=6, seed=3, device="cpu",
                                  save_episodes="list.json")
        mine = {(one.method, one.shot): one for one in results}
        self.assertEqual(len(told["results"]), 4)
        for row in told["results"]:
            one = mine[row["method"], row["episodes"]["shot"]]
            self.assertEqual(one.accuracy.tolist(), np.array(row["accuracy"]["values"], dtype=np.float32).tolist())
            self.assertAlmostEqual(one.mean, row["accuracy"]["mean"], 14)
            self.assertEqual(one.predictions.ravel().tolist(), np.ravel(row["predictions"]).tolist())
        records = results.records()
        self.assertEqual([record["method"] for record in records], ["atoms", "cosine"] * 2)
        self.assertEqual(records[0]["difference"], 0)
        self.assertAlmostEqual(records[1]["difference"], float(np.mean(results[1].accuracy - results[0].accuracy)), 6)

    def test_mean_interval(self):
        mean, ci95 = adatom.mean_interval([0.5, 0.7, float("nan"), 0.6])
        self.assertAlmostEqual(mean, 0.6, 6)
        self.assertAlmostEqual(ci95, 4.302653 * 0.1 / 3**0.5, 5)  # Student's t of two degrees of freedom


unittest.main()

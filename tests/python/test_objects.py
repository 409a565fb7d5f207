"""Devices, data sets, models; exceptions, progress, Ctrl-C, threads and processes."""
import dataclasses
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import unittest

from common import MODEL, InFolder, command, np, result, shapes, write_folder
import adatom
from adatom import _library


class Datasets(InFolder):
    def test_arrays_and_files(self):
        generator = np.random.default_rng(1)
        images = [generator.integers(0, 256, (20 + 5 * i, 47 - 3 * i, 3), dtype=np.uint8) for i in range(6)]
        labels = ["b", "a", "b", "تفاح", "a", "苹果"]
        write_folder("set", images, labels)
        form = dict(image_size=16, resize=20, interpolation="bicubic")
        files, arrays = adatom.Dataset.open("set", cache=False, **form), adatom.Dataset.from_arrays(images, labels, **form)
        self.assertEqual(files.info.hash, arrays.info.hash)
        self.assertEqual(arrays.classes, ["a", "b", "تفاح", "苹果"])
        self.assertEqual(arrays.labels.tolist(), [0, 0, 1, 1, 2, 3])
        self.assertEqual(arrays.paths[0], "row 1")
        self.assertTrue((files.pixels == arrays.pixels).all())
        self.assertEqual(arrays.pixels.shape, (6, 16, 16, 3))

    def test_kinds_of_arrays(self):
        grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
        alpha = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
        see_through = np.dstack([grey, np.zeros_like(grey)])
        data = adatom.Dataset.from_arrays([grey, grey[:, :, None], alpha, see_through, grey[:, ::-1][:, ::-1]], image_size=8, background="black",
                                          names=["1", "2", "3", "4", "5"])
        for image in (0, 1, 2, 4):
            self.assertTrue((data.pixels[image] == grey[:, :, None]).all(), image)
        self.assertEqual(data.pixels[3].max(), 0)
        self.assertEqual((data.classes, data.paths), ([""], ["1", "2", "3", "4", "5"]))
        numbers = adatom.Dataset.from_arrays([grey] * 3, [2, 0, 2], class_names=["x", "unused", "z"], image_size=8)
        self.assertEqual((numbers.classes, numbers.paths), (["x", "z"], ["row 1", "row 0", "row 2"]))
        for images, labels, sentence in (([grey / 255], None, "uint8 from 0 to 255 was expected"), ([grey.reshape(1, 8, 8)], None, None),
                                         ([np.zeros((3, 8, 8), np.uint8)], None, "the channels last"),
                                         ([np.zeros((8, 8, 5), np.uint8)], None, r"\[8, 8, 5\]"), ([grey], [1, 2], "labels of the shape"),
                                         ([], None, "0 pictures")):
            if sentence:
                with self.assertRaisesRegex(adatom.UsageError, sentence):
                    adatom.Dataset.from_arrays(images, labels)
        with self.assertRaisesRegex(adatom.UsageError, "indices"):
            adatom.Dataset.from_arrays([grey], [0.5], class_names=["x"])

    def test_features(self):
        generator = np.random.default_rng(2)
        values = generator.normal(size=(9, 5)).astype(np.float32)
        data = adatom.Dataset.from_features(values, [2, 1, 0] * 3)
        self.assertTrue((data.features == values[np.argsort([2, 1, 0] * 3, kind="stable")]).all())
        data.save_features("f.safetensors")
        again = adatom.Dataset.load_features("f.safetensors")
        self.assertTrue((again.features == data.features).all() and again.classes == ["0", "1", "2"])
        with self.assertRaisesRegex(adatom.UsageError, "holds features"):
            data.pixels
        with self.assertRaisesRegex(adatom.BadDataError, "not finite"):
            adatom.Dataset.from_features(np.full((2, 2), np.nan), [0, 1])


class Models(InFolder):
    def test_describe(self):
        model, told = adatom.Model.load(MODEL), result("inspect", MODEL, "--format", "json")
        self.assertEqual((model.info.hash, model.info.parameters), (told["model"]["hash"], told["model"]["parameters"]["all"]))
        self.assertEqual([layer.name for layer in model.layers if layer.kind == "conv"],
                         [layer["name"] for layer in told["layers"] if layer["kind"] == "conv"])
        layer = [i for i, one in enumerate(model.layers) if one.name == "layer2.conv"][0]
        self.assertEqual(model.kernel(layer).shape, (32, 32, 3, 3))
        self.assertEqual(model.kernel(0).shape, (32, 3, 3, 3))
        self.assertEqual(model.atoms(layer).shape, (8, 3, 3))
        self.assertEqual(model.notes["classes"], 64)

    def test_pretrained(self):
        self.assertIn("conv4-net8", adatom.pretrained())
        self.assertEqual(adatom.Model.load("conv4-shapes").info, adatom.Model.load(MODEL).info)
        open("conv4-shapes.safetensors", "w").close()
        with self.assertRaisesRegex(adatom.BadDataError, "conv4-shapes.safetensors"):
            adatom.Model.load("conv4-shapes.safetensors")

    def test_there_and_back(self):
        model = adatom.Model.create("resnet10", sharing="none", image_size=32, width=8, classes=3, seed=4)
        model.export("dense.safetensors", layout="closerlook")
        imported = adatom.Model.import_weights("dense.safetensors", image_size=32, resize=36, interpolation="bilinear")
        self.assertEqual((imported.info.layout, imported.info.resize, imported.info.interpolation), ("closerlook", 36, "bilinear"))
        residual = imported.decompose("residual", atoms=4)
        images = np.random.default_rng(3).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
        one, other = imported.run(images, device="cpu"), residual.run(images, device="cpu")
        self.assertEqual(one[1].shape, (5, 3))
        for a, b in zip(one, other):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        residual.save("residual.safetensors")
        command("round", "residual.safetensors", "--output", "rounded.safetensors")
        self.assertEqual(residual.round().info.hash, adatom.Model.load("rounded.safetensors").info.hash)
        self.assertEqual(pickle.loads(pickle.dumps(residual)).info, residual.info)
        self.assertIsNone(adatom.Model.create(image_size=16, width=8).run(images, device="cpu")[1])
        with self.assertRaisesRegex(ValueError, "known: residual, replace"):
            imported.decompose("other")

    def test_features_are_those_of_the_command(self):
        images, labels = shapes(3, 4)
        paths = write_folder("set", images, labels)
        command("features", "set", "--model", MODEL, "-o", "f.npy", "--device", "cpu", "--no-cache")
        model = adatom.Model.load(MODEL)
        self.assertTrue((model.features(images, device="cpu") == np.load("f.npy")).all())
        self.assertTrue((model.features(paths, device="cpu") == np.load("f.npy")).all())


class Calls(InFolder):
    def test_every_setting_is_there(self):
        members = {name for name, _ in _library.ffi.typeof("adatom_method").fields} - {"size"}
        self.assertEqual({field.name for field in dataclasses.fields(adatom.Method)}, members)

    def test_devices(self):
        listed = adatom.devices()
        self.assertEqual(listed[-1].backend, "cpu")
        device = adatom.Device("cpu", threads=1)
        self.assertEqual((device.info.threads, device.info.backend), (1, "cpu"))
        self.assertIn("cpu", device.reason)
        with self.assertRaisesRegex(adatom.NoDeviceError, "no such gpu"):
            adatom.Device("no such gpu")

    def test_exceptions(self):
        for call, kind, also, sentence in (
            (lambda: adatom.Model.load("none"), adatom.BadDataError, ValueError, "'none'"),
            (lambda: adatom.Model.create("resnet9"), adatom.UsageError, ValueError, "resnet9"),
            (lambda: adatom.Model.create(sharing="nett"), adatom.UsageError, ValueError, "known: none, layer"),
            (lambda: adatom.Model.create(atoms=2.5), adatom.UsageError, ValueError, "whole number"),
            (lambda: adatom.Model.load(MODEL).save("no/where"), adatom.FileError, OSError, "no/where"),
            (lambda: adatom.adapt("none", model=MODEL), adatom.BadDataError, ValueError, "'none'"),
            (lambda: adatom.adapt(".", model=MODEL, augment="spin"), adatom.AdatomError, Exception, "."),
        ):
            with self.assertRaisesRegex(kind, sentence) as caught:
                call()
            self.assertIsInstance(caught.exception, also)
        self.assertEqual({kind.status for kind in adatom.AdatomError.__subclasses__()} | {"FAILED", "OK", "INTERRUPTED"},
                         {_library.text(_library.lib.adatom_status_name(n)) for n in range(_library.lib.ADATOM_STATUS_COUNT)})

    def long_call(self, progress=None):
        data = adatom.Dataset.open("builtin:shapes/novel", image_size=32, per_class=20, cache=False)
        return adatom.episodes(MODEL, data, adatom.Method("atoms", steps=2000), tasks=10000, device="cpu", progress=progress)

    def test_progress(self):
        news = []
        images, labels = shapes(3, 6)
        adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu", progress=news.append)
        self.assertEqual(news[-1].phase, "fitting")
        self.assertEqual(news[-1].done, news[-1].total)

        def fails(_):
            raise RuntimeError("of the caller")

        with self.assertRaisesRegex(RuntimeError, "of the caller"):
            adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu", progress=fails)
        with self.assertRaises(KeyboardInterrupt):
            adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu", progress=lambda _: False)
        with self.assertRaisesRegex(adatom.AdatomError, "must not call adatom"):
            adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu", progress=lambda _: adatom.Model.load(MODEL))
        self.assertEqual(len(adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu").classes), 3)

    def test_interrupt(self):
        timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.long_call()
        timer.join()
        self.assertEqual(adatom.Model.load(MODEL).info.classes, 64)

    def test_garbage_in_a_callback(self):
        def collects(_):
            for _ in range(3):
                adatom.Model.__new__(adatom.Model)  # no handle: nothing to end
            kept.clear()
            gc.collect()

        kept = [adatom.Model.load(MODEL) for _ in range(3)]
        images, labels = shapes(3, 4)
        adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu", progress=collects)
        self.assertEqual((_library.session.ended, kept), ([], []))

    def test_threads(self):
        images, labels = shapes(3, 6)
        found = []

        def work():
            adapter = adatom.adapt(images, labels, model=MODEL, method="cosine", device="cpu", estimate="none")
            found.append(adapter.classify(images, device="cpu"))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), 4)
        self.assertTrue(all((one == found[0]).all() for one in found))

    def test_fork(self):
        child = os.fork()
        if child == 0:
            try:
                adatom.Model.load(MODEL)
            except adatom.AdatomError as refused:
                os._exit(7 if "spawn" in str(refused) else 1)
            os._exit(2)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)

    def test_log(self):
        with self.assertLogs("adatom", logging.WARNING) as log:
            os.makedirs("set/a"), os.makedirs("set/b")
            for name in ("a", "b"):
                write_folder("set", np.zeros((2, 8, 8, 3), np.uint8), [name, name])
            os.symlink("nowhere", "set/a/link.ppm")
            adatom.Dataset.open("set", image_size=8, cache=False)
        self.assertIn("link", log.output[0])

    def test_import_without_the_library(self):
        done = subprocess.run([sys.executable, "-B", "-c", "import adatom"], env=dict(os.environ, ADATOM_LIBRARY="/nowhere.so"),
                              capture_output=True, text=True)
        self.assertIn("$ADATOM_LIBRARY", done.stderr)


unittest.main()

import gc
import logging
import os
import weakref

import pytest
import torch

from discern.data.cache.array_cache import ArrayCache
from discern.data.sources.load import load_table
from discern.data.splitting.split import split_table
from discern.errors import RunFolderError
from discern.training.listeners import Listener
from discern.training.phase import Phase
from discern.training.state_loading import load_state
from fitting import SMALL, build_fit, build_plan, without_time
from pictures import draw_photos

# With Adam, rounding decides the direction of a step wherever a gradient is nearly zero.
PLAIN = [
    *SMALL,
    "run.precision=fp32",
    "training.phases.*.epochs=3",
    "optimizer=sgd",
    "learning_rate=1e-2",
    "augment=none",
]
OURS = "model.backbone=resnet18-half"
TIMM = "model.backbone=timm:resnet10t"


def assert_same_training(ours, theirs, tolerance=1e-4):
    results = ours.run(), theirs.run()
    for one, other in zip(*(result.rows for result in results), strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=tolerance)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=tolerance)
        assert one.train_accuracy == other.train_accuracy
    pairs = zip(ours.classifier.state_dict().items(), theirs.classifier.state_dict().values(), strict=True)
    for (name, one), other in pairs:
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("backbone", [OURS, TIMM])
@pytest.mark.parametrize("parts", ['["head"]', '["layer4","head"]'])
def test_training_on_features_gives_what_training_on_pictures_gives(table, backbone, parts):
    overrides = [*PLAIN, backbone, f"training.phases.*.train={parts}"]
    kept = build_fit(table, "table", overrides)
    anew = build_fit(table, "table", [*overrides, "cache.features=off"])
    assert_same_training(kept, anew)


def test_as_many_views_as_epochs_are_what_augmentation_gives(table):
    overrides = [*PLAIN, "augment=light", 'training.phases.*.train=["head"]']
    kept = build_fit(table, "table", [*overrides, "cache.views=3"])
    anew = build_fit(table, "table", [*overrides, "cache.features=off"])
    assert_same_training(kept, anew)


def test_one_view_is_not_augmented_and_this_is_said(table, caplog):
    with caplog.at_level(logging.INFO, "discern"):
        plan = build_plan(table, "transfer", [*SMALL, "cache.views=1"])
    assert plan.phases[0].augment == "none"
    assert "phase head: augmentation none, since cache.views=1 asks for one view, which is not augmented" in caplog.text
    caplog.clear()
    assert build_plan(table, "transfer", SMALL).phases[0].augment == "flip-rotate"
    assert "augmentation" not in caplog.text


def test_frozen_layers_see_each_view_of_a_picture_once(table, monkeypatch):
    fit = build_fit(table, "transfer", [*SMALL, "training.phases.*.epochs=5", "cache.views=2"])
    seen = []
    forward = type(fit.classifier.backbone.network).forward
    monkeypatch.setattr(
        type(fit.classifier.backbone.network),
        "forward",
        lambda self, images: (seen.append(len(images)), forward(self, images))[1],
    )
    pooled = fit.run().pooled
    # Besides the pictures there are the two single black ones that tell the shape of features.
    assert sum(seen) == 2 * len(table.select("train")) + len(table.select("validation")) + 2
    assert pooled.train is None
    assert len(pooled.validation) == len(table.select("validation"))


def test_features_are_kept_for_the_next_run_and_a_changed_file_is_computed_anew(tmp_path, caplog):
    photos = draw_photos(tmp_path / "photos", per_class=4)
    cache = ArrayCache(tmp_path / "cache", limit_bytes=10**9)

    def train():
        caplog.clear()
        table = split_table(load_table(photos), fractions=(0.5, 0.5, 0.0), seed=0)[0]
        with caplog.at_level(logging.DEBUG, "discern"):
            result = build_fit(table, "transfer", PLAIN, cache=cache).run()
        return result, caplog.text.count("are in the cache"), caplog.text.count("computed in")

    first, *_ = train()
    second, found, computed = train()
    assert without_time(first.rows) == without_time(second.rows)
    assert (found, computed) == (2, 0)
    os.utime(photos / "blue" / "0.png", ns=(1, 1))
    _, found, computed = train()
    assert (found, computed) == (1, 1)


def test_features_that_do_not_fit_into_memory_lie_in_a_file(table, tmp_path, caplog):
    cache = ArrayCache(tmp_path / "cache", limit_bytes=10**9)
    on_disk = build_fit(table, "transfer", PLAIN, cache=cache, feature_memory_bytes=0)
    in_memory = build_fit(table, "transfer", PLAIN)
    assert without_time(on_disk.run().rows) == without_time(in_memory.run().rows)
    assert cache.info().files == 2


def test_without_any_room_pictures_are_read_in_every_epoch_and_it_is_said(table, tmp_path, caplog):
    cache = ArrayCache(tmp_path / "cache", limit_bytes=1)
    poor = build_fit(table, "transfer", PLAIN, cache=cache, feature_memory_bytes=0)
    rich = build_fit(table, "transfer", [*PLAIN, "cache.features=off"])
    with caplog.at_level(logging.WARNING, "discern"):
        assert without_time(poor.run().rows) == without_time(rich.run().rows)
    assert "of features: frozen layers are computed again in every epoch" in caplog.text


def test_a_resumed_training_on_features_equals_the_uninterrupted_one(table, tmp_path):
    class Stop(Listener):
        def on_epoch_start(self, phase, epoch, batches):
            if epoch == 3:
                raise KeyboardInterrupt

    overrides = [*SMALL, "training.phases.*.epochs=4", "cache.views=2", "dropout=0.2"]
    expected = build_fit(table, "transfer", overrides).run()
    with pytest.raises(KeyboardInterrupt):
        build_fit(table, "transfer", overrides, tmp_path, [Stop()]).run()
    resumed = build_fit(table, "transfer", overrides, feature_memory_bytes=2**20)
    assert without_time(resumed.run(load_state(tmp_path)).rows) == without_time(expected.rows)


def test_an_interrupted_training_on_features_does_not_go_on_without_them(table, tmp_path):
    class Stop(Listener):
        def on_epoch_start(self, phase, epoch, batches):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_fit(table, "transfer", PLAIN, tmp_path, [Stop()]).run()
    poor = build_fit(table, "transfer", PLAIN, feature_memory_bytes=0)
    with pytest.raises(RunFolderError, match=r"phase head was started with features .* no room now; make room"):
        poor.run(load_state(tmp_path))


def test_what_a_phase_kept_goes_with_it(table, monkeypatch):
    phases = []

    def build(*arguments, **options):
        phase = Phase(*arguments, **options)
        phases.append(weakref.ref(phase))
        return phase

    monkeypatch.setattr("discern.training.fit.Phase", build)
    fit = build_fit(table, "transfer-finetune", [*PLAIN, "training.phases.*.epochs=2"])
    gc.collect()
    gc.disable()  # so that only counting references frees anything
    try:
        fit.run()
        assert [phase() for phase in phases] == [None, None]
    finally:
        gc.enable()


def test_mixing_needs_pictures(table):
    fit = build_fit(table, "transfer", [*PLAIN, "training.mixup=0.4"])
    fit.run()  # features of two numbers a picture could not be mixed as pictures are
    assert fit.rows

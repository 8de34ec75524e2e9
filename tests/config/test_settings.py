import numpy as np
import pytest

from discern.config.describe import describe_settings
from discern.config.load import load_settings, read_settings, save_settings
from discern.config.overrides import list_overrides
from discern.config.sections.phase import PhaseSettings
from discern.config.settings import Settings
from discern.errors import ConfigError
from discern.recipes import list_recipe_names


@pytest.mark.parametrize("name", list_recipe_names())
def test_every_recipe_is_valid_says_what_it_is_for_and_survives_a_round_trip(name, tmp_path):
    settings = load_settings(name)
    assert settings.recipe.name == name
    assert settings.recipe.purpose
    assert settings.recipe.time
    assert settings.recipe.expected
    save_settings(settings, tmp_path / "config.toml")
    assert read_settings(tmp_path / "config.toml") == settings


def test_the_reference_recipes_do_exactly_what_they_promise():
    airplanes = load_settings("airplanes")
    assert (airplanes.model.backbone, airplanes.data.image_size) == ("resnet50", 512)
    head, last_stage = airplanes.training.phases
    assert (head.train, head.optimizer, head.learning_rate) == (("head",), "adam", 1e-3)
    assert (last_stage.train, last_stage.learning_rate, last_stage.schedule) == (("layer4", "head"), 1e-4, "plateau")
    transfer = load_settings("transfer")
    (phase,) = transfer.training.phases
    assert (phase.train, phase.optimizer, phase.epochs, phase.augment) == (("head",), "adam", 15, "flip-rotate")
    assert transfer.data.image_size == 224
    assert [phase.train for phase in load_settings("transfer-finetune").training.phases] == [("head",), "all"]
    mlp = load_settings("mlp-head")
    (phase,) = mlp.training.phases
    assert (mlp.model.head, mlp.model.hidden_features, mlp.model.dropout) == ("mlp", (512,), 0.5)
    assert (phase.schedule, phase.step_epochs, phase.gamma) == ("step", 5, 0.1)
    assert (phase.optimizer, phase.augment) == ("adam", "none")
    assert (mlp.data.image_size, mlp.data.fit) == (224, "squash")
    assert phase.weight_decay > 0


def test_each_recipe_from_v1_to_v4_adds_one_technique():
    v1, v2, v3, v4 = (load_settings(name) for name in ("v1", "v2", "v3", "v4"))
    assert [phase.train for phase in v1.training.phases] == [("head",)]
    head, everything = v2.training.phases
    assert everything.train == "all"
    assert everything.learning_rate < head.learning_rate
    assert {phase.augment for phase in v1.training.phases + v2.training.phases} == {"none"}
    assert {phase.augment for phase in v3.training.phases} == {"light"}
    assert v3.model.dropout == 0
    assert all(phase.patience == 0 for phase in v3.training.phases)
    assert v4.model.dropout > 0
    assert all(phase.patience > 0 for phase in v4.training.phases)


def test_overrides_reach_sections_phases_by_name_number_and_star():
    settings = load_settings(
        "transfer-finetune",
        [
            "model.backbone=timm:mobilenetv2_100",
            "seed=7",
            "training.phases.head.epochs=2",
            "training.phases.1.epochs=3",
            "training.phases.*.augment=none",
        ],
    )
    assert settings.model.backbone == "timm:mobilenetv2_100"
    assert settings.run.seed == 7
    assert [phase.epochs for phase in settings.training.phases] == [2, 3]
    assert {phase.augment for phase in settings.training.phases} == {"none"}


def test_a_setting_of_training_reaches_the_phases_that_do_not_set_their_own():
    settings = load_settings("transfer-finetune", ["training.learning_rate=0.5"])
    assert [phase.learning_rate for phase in settings.training.phases] == [0.5, 1e-4]
    assert load_settings("transfer", ["epochs=3"]).training.phases[0].epochs == 3


def test_numbers_may_be_written_as_scientific_notation_and_lists_as_toml():
    settings = load_settings("table", ["learning_rate=1e-3", "data.split=[0.5, 0.25, 0.25]", "head=mlp"])
    assert settings.training.phases[0].learning_rate == 0.001
    assert settings.data.split == (0.5, 0.25, 0.25)
    assert settings.model.head == "mlp"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model.bakcbone=resnet18"], r"unknown setting model\.bakcbone; did you mean model\.backbone\?"),
        (["modle.backbone=resnet18"], r"unknown setting 'modle\.backbone': did you mean model\.backbone"),
        (["training.phases.head.epoch=3"], r"did you mean training\.phases\.head\.epochs"),
        (["training.phases.heads.epochs=3"], r"no phase 'heads' .* its phases are head, all"),
        (["epochs=3"], r"every phase of this recipe sets its own epochs .*training\.phases\.\*\.epochs=3"),
        (["model.backbone"], r"is not an override; write key=value"),
        (["training.batch_size=0"], r"training\.batch_size is 0; expected at least 1 or 'auto'"),
        (["data.split=[0.5, 0.1, 0.1]"], r"fractions for train, validation and test must add up to 1"),
        (["training.phases=5"], r"the plan is a list of phases; in TOML each begins with \[\[training\.phases\]\]"),
        (["training.phases=[]"], "without phases nothing is trained, so .*optimizer.* has no effect; leave it out"),
        (["training.phases=5", "training.phases.*.epochs=1"], r"training\.phases is a list of phases"),
        (["training.phases.head=3"], r"training\.phases\.head is a phase; say which of its settings"),
        (["training.phases.*.learning_rate=inf"], r"\*\.learning_rate is inf; expected a finite number or 'auto'"),
        (["model.backbone.depth=3"], r"model\.backbone\.depth does not exist"),
        (["train=head"], r"a setting of one phase; write training\.phases\.all\.train=head, or 'training\.phases\.\*"),
        (["training.phases.all.train=3"], r"^training\.phases\.all\.train is 3; expected 'all' or a list$"),
        (["fit=stretch"], r"^data\.fit is 'stretch'; expected 'crop', 'pad', 'squash' or 'auto'$"),
        (["data.mean=[1, 2, 1]"], r"^data\.mean\.1 is 2; expected at most 1$"),
        (["data.split=[1, 0]"], r"^data\.split\.2 is missing$"),
        (["run.plots=maybe"], r"^run\.plots is 'maybe'; expected true or false$"),
        (["run.seed=0.5"], r"^run\.seed is 0\.5; expected a whole number$"),
    ],
)
def test_a_wrong_override_is_told_with_what_to_write_instead(overrides, message):
    with pytest.raises(ConfigError, match=message):
        load_settings("transfer-finetune", overrides)


def test_what_is_wrong_in_all_phases_and_for_all_types_is_told_once():
    with pytest.raises(ConfigError) as caught:
        load_settings("transfer-finetune", ["training.phases.*.epochs=three"])
    assert str(caught.value) == "training.phases.*.epochs is 'three'; expected a whole number or 'auto'"
    with pytest.raises(ConfigError, match=r"^training\.phases\.head\.epochs is 0; expected at least 1 or 'auto'$"):
        load_settings("transfer-finetune", ["training.phases.head.epochs=0"])


def test_all_wrong_settings_are_told_at_once():
    with pytest.raises(ConfigError, match=r"batch_size.*seed"):
        load_settings("auto", ["training.batch_size=0", "run.seed=-1"])


def test_an_unknown_recipe_is_told_with_the_nearest_and_all():
    with pytest.raises(ConfigError, match=r"did you mean transfer.*choose from auto"):
        load_settings("trnsfer")
    with pytest.raises(ConfigError, match=r"mine\.toml cannot be read"):
        load_settings("mine.toml")


def test_a_recipe_file_of_ones_own_may_extend_another(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('extends = "transfer"\n[training]\nbatch_size = 4\n')
    settings = load_settings(path)
    assert settings.training.batch_size == 4
    assert settings.training.phases == load_settings("transfer").training.phases


def test_a_recipe_file_that_is_no_toml_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("epochs: 3")
    with pytest.raises(ConfigError, match=r"mine\.toml is not valid TOML"):
        load_settings(path)


def test_phases_need_different_names():
    with pytest.raises(ConfigError, match="need different names; these are all, all"):
        load_settings("auto", ["training.phases=[{}, {}]"])


def test_every_setting_is_described():
    text = "\n".join(describe_settings())
    for section in ("data", "model", "training", "run"):
        for name in getattr(Settings(), section).model_dump():
            assert name in text
    assert all(f"  {name}" in text for name in PhaseSettings.model_fields)
    lines = [line.strip() for line in text.splitlines() if not line.startswith("[")]
    assert [line for line in lines if "    " not in line] == []
    assert 'schedule = "constant"    how the learning rate changes within the phase: constant, step' in text
    assert 'monitor = "validation_accuracy"    validation_accuracy, validation_loss: what the best epoch' in text
    assert "zero_init_residual = false    start each residual branch" in text


def test_weights_of_a_misspelt_name_are_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there are no weights and no file named 'imagnet'; did you mean imagenet\?"):
        load_settings("auto", ["model.weights=imagnet"])
    (tmp_path / "imagnet").touch()
    assert load_settings("auto", ["model.weights=imagnet"]).model.weights == str(tmp_path / "imagnet")


def test_a_part_may_be_named_alone_and_numbers_may_stand_for_names():
    settings = load_settings("auto", ["training.phases.*.train=head", "data.label_column=0"])
    assert {phase.train for phase in settings.training.phases} == {("head",)}
    assert settings.data.label_column == "0"


def test_paths_mean_the_same_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    overrides = ["model.weights=w.pth", "data.image_root=~/photos", "data.split_file=split.csv"]
    settings = load_settings("auto", overrides)
    assert settings.model.weights == str(tmp_path / "w.pth")
    assert str(settings.data.image_root) == "/home/someone/photos"
    assert settings.data.split_file == tmp_path / "split.csv"
    assert load_settings("transfer").model.weights == "imagenet"


def test_recipes_find_what_they_extend_beside_them_and_not_themselves(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "base.toml").write_text('extends = "v2"\n[training]\nbatch_size = 5\n')
    (tmp_path / "mine" / "top.toml").write_text('extends = "base.toml"\n[run]\nseed = 7\n')
    settings = load_settings(tmp_path / "mine" / "top.toml")
    assert (settings.training.batch_size, settings.run.seed) == (5, 7)
    (tmp_path / "loop.toml").write_text('extends = "loop.toml"\n')
    with pytest.raises(ConfigError, match="extend each other in a circle"):
        load_settings(tmp_path / "loop.toml")


def test_numbers_of_numpy_are_numbers():
    given = {"seed": np.int64(3), "learning_rate": np.float64(0.1), "plots": np.bool_(False), "split": np.array([1, 0])}
    assert list_overrides(given) == ["seed=3", "learning_rate=0.1", "plots=false", "split=[1, 0]"]


@pytest.mark.parametrize(
    ("given", "trackers"),
    [
        ("training.tensorboard=true", ("tensorboard",)),
        ("training.tensorboard=false", ()),
        ("trackers=mlflow", ("mlflow",)),
        ('training.trackers=["mlflow", "wandb"]', ("mlflow", "wandb")),
    ],
)
def test_trackers_are_a_list_and_older_recipes_may_name_tensorboard(given, trackers):
    settings = load_settings("auto", [given])
    assert settings.training.trackers == trackers
    assert "tensorboard" not in settings.to_dict()["training"]

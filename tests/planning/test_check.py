"""Plans that a network can follow, and the learning rates of a plan."""

import pytest

from discern.config.load import load_settings
from discern.errors import ConfigError
from discern.models.backbone import build_backbone
from discern.models.classifier import Classifier
from discern.models.heads import LinearHead
from discern.planning.check import check_phases
from discern.planning.phases import TYPICAL_FACTS, plan_phases
from discern.planning.schedule import simulate_schedule


def plan(recipe="transfer-finetune", overrides=()):
    return plan_phases(load_settings(recipe, overrides).training.phases, TYPICAL_FACTS)[0]


def check(*overrides):
    check_phases(plan(overrides=overrides), Classifier(build_backbone("resnet18-half"), LinearHead(256, 3)))


def test_a_plan_can_be_simulated_over_its_phases():
    points = simulate_schedule(plan(), steps_per_epoch=10)
    assert len(points) == 25 * 10
    assert [point.phase for point in points[149:151]] == ["head", "all"]
    assert points[150].epoch == 15
    assert max(point.learning_rate for point in points) == pytest.approx(3e-3)


def test_a_plan_for_parts_that_do_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigError, match=r"phase head trains 'layer9'; phase all trains 'tail'; .* are stem, layer1"):
        check('training.phases.head.train=["layer9", "head"]', "training.phases.all.train=tail")


def test_a_phase_that_trains_nothing_is_refused():
    with pytest.raises(ConfigError, match="phase all trains nothing; name stages of the network in its train, or all"):
        check("training.phases.all.train=[]")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.phases.all.schedule=cosin", "no schedule 'cosin': did you mean cosine"),
        ("training.phases.all.optimizer=adamx", "no optimizer 'adamx': did you mean adam"),
    ],
)
def test_a_wrong_name_suggests_the_nearest(override, message):
    with pytest.raises(ConfigError, match=message):
        check(override)

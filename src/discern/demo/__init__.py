"""The data of the demo: drawings of invented aircraft, and a small network pretrained on other ones."""

from pathlib import Path

from discern.demo.aircraft import AircraftType
from discern.demo.dataset import draw_dataset
from discern.demo.drawing import draw_aircraft
from discern.demo.fleet import DEMO_TYPES
from discern.demo.pretraining_fleet import PRETRAINING_TYPES

# Backbone "resnet18-half" in half precision; tools/pretrain_demo.py makes it.
PRETRAINED_WEIGHTS = Path(__file__).with_name("pretrained.safetensors")

__all__ = ["DEMO_TYPES", "PRETRAINED_WEIGHTS", "PRETRAINING_TYPES", "AircraftType", "draw_aircraft", "draw_dataset"]

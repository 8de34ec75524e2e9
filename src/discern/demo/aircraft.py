"""The shape of a type of aircraft."""

from dataclasses import dataclass
from typing import Literal

Nose = Literal["pointed", "round", "blunt"]
WingPlace = Literal["low", "high"]
Winglets = Literal["none", "blended", "split", "fence", "raked"]
Engines = Literal["wing2", "wing4", "tail2", "tail3", "propeller2", "propeller4"]
Tail = Literal["conventional", "T", "V"]


@dataclass(frozen=True, kw_only=True)
class AircraftType:
    """The shape of one invented type; lengths in metres, angles in degrees.

    `wing_station` and `hump` are fractions of the fuselage length: where the wing root starts, counted from the nose,
    and how far back a raised upper deck reaches (0: none). `taper` is tip chord over root chord.
    """

    name: str
    fuselage_length: float
    fuselage_diameter: float
    span: float
    root_chord: float
    fin_height: float
    engine_diameter: float
    engines: Engines = "wing2"
    wing: WingPlace = "low"
    wing_station: float = 0.36
    sweep: float = 27.0
    taper: float = 0.26
    winglets: Winglets = "none"
    tail: Tail = "conventional"
    nose: Nose = "round"
    window_rows: int = 1
    hump: float = 0.0

"""The ten types of the demo, in families whose members differ only in a detail or two."""

from dataclasses import replace

from discern.demo.aircraft import AircraftType

_KESTREL = AircraftType(
    name="Kestrel 210",
    fuselage_length=30.5,
    fuselage_diameter=4.0,
    span=33.5,
    root_chord=5.6,
    fin_height=6.0,
    engine_diameter=1.9,
)
_HERON = AircraftType(
    name="Heron 40",
    fuselage_length=21.5,
    fuselage_diameter=2.8,
    span=27.0,
    root_chord=2.7,
    fin_height=4.2,
    engine_diameter=1.15,
    engines="propeller2",
    wing="high",
    wing_station=0.41,
    sweep=3.0,
    taper=0.55,
    tail="T",
    nose="pointed",
)
_SWALLOW = AircraftType(
    name="Swallow 8",
    fuselage_length=31.0,
    fuselage_diameter=3.0,
    span=26.0,
    root_chord=4.9,
    fin_height=4.6,
    engine_diameter=1.7,
    engines="tail2",
    wing_station=0.45,
    sweep=25.0,
    tail="T",
    nose="pointed",
)
_ALBATROSS = AircraftType(
    name="Albatross 700",
    fuselage_length=57.0,
    fuselage_diameter=5.9,
    span=60.0,
    root_chord=11.5,
    fin_height=9.6,
    engine_diameter=2.9,
    engines="wing4",
    wing_station=0.30,
    sweep=37.0,
    taper=0.22,
    winglets="fence",
)

DEMO_TYPES: tuple[AircraftType, ...] = (
    _KESTREL,
    replace(_KESTREL, name="Kestrel 230", fuselage_length=43.0, wing_station=0.38),
    replace(
        _KESTREL, name="Kestrel 230 Neo", fuselage_length=43.0, wing_station=0.38, engine_diameter=3.0, winglets="split"
    ),
    _HERON,
    replace(_HERON, name="Heron 60", fuselage_length=32.0, wing_station=0.43),
    _SWALLOW,
    replace(_SWALLOW, name="Swallow 8T", fuselage_length=38.0, engines="tail3", engine_diameter=2.1),
    _ALBATROSS,
    replace(
        _ALBATROSS,
        name="Albatross 720",
        fuselage_length=71.0,
        wing_station=0.33,
        hump=0.62,
        window_rows=2,
        winglets="raked",
    ),
    AircraftType(
        name="Osprey V",
        fuselage_length=22.0,
        fuselage_diameter=2.6,
        span=23.5,
        root_chord=4.0,
        fin_height=4.8,
        engine_diameter=1.4,
        engines="tail2",
        wing_station=0.44,
        sweep=29.0,
        winglets="blended",
        tail="V",
        nose="pointed",
    ),
)

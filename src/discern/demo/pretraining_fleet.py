"""Forty other types, on which the demo's weights were pretrained; none of them is in the demo."""

from dataclasses import replace

from discern.demo.aircraft import AircraftType, Engines, Nose, Tail, Winglets

# Lengths: fuselage, diameter, span, root chord, fin, engine.
_Sizes = tuple[float, float, float, float, float, float]


def _jet(name: str, sizes: _Sizes, *, sweep: float, winglets: Winglets = "none", nose: Nose = "round") -> AircraftType:
    """Return a low-wing type with two engines under the wing, the base of other types."""
    length, diameter, span, chord, fin, engine = sizes
    return AircraftType(
        name=name,
        fuselage_length=length,
        fuselage_diameter=diameter,
        span=span,
        root_chord=chord,
        fin_height=fin,
        engine_diameter=engine,
        sweep=sweep,
        winglets=winglets,
        nose=nose,
    )


def _rear(base: AircraftType, *, engines: Engines = "tail2", tail: Tail = "T") -> AircraftType:
    """Return the type with its engines moved to the tail and its wing moved back."""
    return replace(base, engines=engines, tail=tail, wing_station=0.46)


def _propeller(base: AircraftType, *, engines: Engines = "propeller2", tail: Tail = "T") -> AircraftType:
    """Return the type with a straight high wing and propellers."""
    return replace(base, engines=engines, tail=tail, wing="high", wing_station=0.4, sweep=4.0, taper=0.5)


_LARK = _jet("Lark 10", (29.5, 3.5, 28.5, 4.8, 5.2, 1.7), sweep=23, nose="blunt")
_PLOVER = _jet("Plover 300", (37.5, 4.2, 36.5, 6.3, 6.6, 2.0), sweep=29)
_CRANE = _jet("Crane 500", (55.0, 5.5, 50.0, 9.6, 8.6, 3.0), sweep=31, nose="pointed")
_CONDOR = replace(_jet("Condor 4", (66.0, 6.4, 64.0, 12.0, 10.5, 2.7), sweep=36), engines="wing4", wing_station=0.31)
_PELICAN = replace(_jet("Pelican A", (41.0, 5.4, 43.0, 7.4, 8.8, 2.1), sweep=22), wing="high", tail="T", window_rows=0)
_TERN = _rear(_jet("Tern 50", (27.0, 2.7, 21.5, 4.0, 3.9, 1.3), sweep=23, nose="pointed"))
_MARTIN = _rear(_jet("Martin 20", (39.0, 3.4, 31.0, 5.6, 5.4, 1.7), sweep=28))
_WREN = _propeller(_jet("Wren 30", (19.5, 2.5, 24.0, 2.4, 3.7, 1.0), sweep=4, nose="pointed"))
_STORK = _propeller(_jet("Stork 100", (31.0, 4.0, 40.0, 4.2, 7.0, 1.4), sweep=4, nose="blunt"), engines="propeller4")
_PIPIT = _rear(_jet("Pipit 1", (18.5, 2.1, 18.0, 3.1, 3.1, 1.0), sweep=21, nose="pointed"))
_TEAL = replace(_jet("Teal 90", (34.5, 3.6, 30.5, 5.2, 5.6, 1.8), sweep=25, nose="pointed"), tail="V")

PRETRAINING_TYPES: tuple[AircraftType, ...] = (
    _LARK,
    replace(_LARK, name="Lark 10B", winglets="blended"),
    replace(_LARK, name="Lark 14", fuselage_length=36.5, wing_station=0.38),
    replace(_LARK, name="Lark 14T", fuselage_length=36.5, wing_station=0.38, tail="T"),
    _PLOVER,
    replace(_PLOVER, name="Plover 300R", engine_diameter=2.7, winglets="raked"),
    replace(_PLOVER, name="Plover 300F", winglets="fence"),
    replace(_PLOVER, name="Plover 350", fuselage_length=46.0, wing_station=0.38, winglets="split"),
    _CRANE,
    replace(_CRANE, name="Crane 520", fuselage_length=68.0, wing_station=0.37),
    replace(_CRANE, name="Crane 500W", winglets="blended"),
    replace(_CRANE, name="Crane 504", engines="wing4", engine_diameter=2.2),
    _CONDOR,
    replace(_CONDOR, name="Condor 4U", hump=0.45, window_rows=2),
    replace(_CONDOR, name="Condor 8", fuselage_length=71.0, hump=0.72, window_rows=2, winglets="fence"),
    replace(_CONDOR, name="Condor 2", engines="wing2", engine_diameter=3.8),
    _PELICAN,
    replace(_PELICAN, name="Pelican C", engines="wing4", engine_diameter=1.7),
    replace(_PELICAN, name="Pelican D", tail="conventional", winglets="blended"),
    replace(_PELICAN, name="Pelican V", tail="V"),
    _TERN,
    replace(_TERN, name="Tern 70", fuselage_length=33.5, wing_station=0.49),
    replace(_TERN, name="Tern 50W", winglets="blended"),
    replace(_TERN, name="Tern 50L", tail="conventional"),
    _MARTIN,
    replace(_MARTIN, name="Martin 30", engines="tail3"),
    replace(_MARTIN, name="Martin 35", engines="tail3", fuselage_length=46.0, window_rows=2),
    replace(_MARTIN, name="Martin 20F", winglets="fence", engine_diameter=2.1),
    _WREN,
    replace(_WREN, name="Wren 50", fuselage_length=26.0),
    replace(_WREN, name="Wren 30C", tail="conventional"),
    replace(_WREN, name="Wren 30L", wing="low", tail="conventional", winglets="blended"),
    _STORK,
    replace(_STORK, name="Stork 120", fuselage_length=38.0, tail="conventional", window_rows=0),
    replace(_STORK, name="Stork 80", engines="propeller2", engine_diameter=1.7),
    _PIPIT,
    replace(_PIPIT, name="Pipit 1W", winglets="blended"),
    replace(_PIPIT, name="Pipit 3", engines="tail3"),
    _TEAL,
    replace(_TEAL, name="Teal 90R", engines="tail2", wing_station=0.46, winglets="raked"),
)

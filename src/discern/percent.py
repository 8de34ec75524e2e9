"""Fractions in percent, as every message writes them."""


def percent(fraction: float, digits: int = 1) -> str:
    """Return a fraction in percent; no rounding makes it 0 or 100 %."""
    shown, smallest = round(100 * fraction, digits), 10.0**-digits
    if shown == 0 and fraction > 0:
        return f"<{smallest:.{digits}f} %"
    if shown == 100 and fraction < 1:
        return f">{100 - smallest:.{digits}f} %"
    return f"{shown:.{digits}f} %"

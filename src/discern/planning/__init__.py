"""Makes a `Plan` from settings, pictures and machine: the only package that knows `auto`."""

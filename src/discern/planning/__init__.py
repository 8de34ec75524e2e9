"""Settings, pictures and machine -> `Plan`: the only room that knows the word auto."""

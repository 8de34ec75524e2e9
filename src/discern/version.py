"""The version of this library, which the build of its packages reads too."""

__version__ = "0.1.0"

"""Lets `python -m discern` be the same as `discern`."""

from discern.cli.app import main

if __name__ == "__main__":
    main()

# Every target sets up .venv by itself, from the pinned lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test check notebooks bench bench-accuracy bench-scale soak lock clean

demo: $(INSTALLED)
	$(BIN)/discern demo --overwrite

# Two workers with one thread each: with more threads than cores, all wait for each other.
test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Runs the notebooks anew and writes them with their output; NOTEBOOKS may name some, such as airplanes.ipynb.
notebooks: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python examples/run_notebooks.py $(NOTEBOOKS)

# BENCH may hold names and options, see benchmarks/__main__.py.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(BENCH)

# BENCH holds --data FOLDER --weights FILE --out FOLDER; fastai, which it compares with, is installed for it.
bench-accuracy: $(INSTALLED)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint requirements.lock "fastai>=2.8"
	$(BIN)/python -m benchmarks.accuracy $(BENCH)

# BENCH may hold --sizes 1000 10000 --kinds different --repeats 3 --folder FOLDER.
bench-scale: $(INSTALLED)
	$(BIN)/python -m benchmarks.scale $(BENCH)

# Kills, full disks, damaged files and hostile clients; docs/trust.md says what is counted. PART may name one part.
MINUTES ?= 60
SEED ?= 0
soak: $(INSTALLED)
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --seed $(SEED) $(PART)

# Rewrites requirements.lock; versions already pinned there stay unless UPGRADE="--upgrade" is given.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra dev --no-annotate --no-header \
		--output-file requirements.lock $(UPGRADE)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist

# The stamp is written last, so an interrupted set-up is done again.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "discern needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(INSTALLED)

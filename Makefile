# Every target sets up .venv by itself, from the pinned lock files: the demo without the tools of developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
# Stamps, written last, so that an interrupted set-up is done again.
PREPARED := $(VENV)/prepared
USABLE := $(VENV)/usable
INSTALLED := $(VENV)/installed

# On Linux, a machine without an NVIDIA GPU gets the builds of torch and torchvision for the CPU where this index can be
# reached: .venv then takes 1.5 GB, otherwise 5.9. The builds of the package index cannot be imported without the
# libraries for NVIDIA GPUs, so these cannot be left out.
CPU_INDEX ?= https://download.pytorch.org/whl/cpu
CPU_BUILDS = $(shell sed -n -E 's/^(torch|torchvision)==([0-9.]+).*/\1==\2+cpu/p' requirements.lock)

.PHONY: demo test test-slow check docs notebooks release-check bench bench-accuracy bench-scale bench-labelling soak lock clean

demo: $(USABLE)
	$(BIN)/discern demo --overwrite

# Two workers with one thread each: with more threads than cores, all wait for each other.
test: check
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

# What takes long by nature: every notebook, kills of whole runs, a share of the soak.
test-slow: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m slow

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A warning, such as a link that leads nowhere, is an error. The first page is docs/_build/html/index.html.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html

# The packages in fresh environments, with each extra; needs uv. PYTHONS may name those to try, PART one test.
release-check: $(INSTALLED)
	$(BIN)/pytest -v --durations=0 tests/release_check.py $(if $(PART),-k $(PART))

# Runs the notebooks anew and writes them with their output; NOTEBOOKS may name some, such as airplanes.ipynb.
notebooks: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python examples/run_notebooks.py $(NOTEBOOKS)

# BENCH may hold names and options, see benchmarks/__main__.py.
bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(BENCH)

# BENCH holds --data FOLDER --weights NAME=FILE... --out FOLDER; fastai, which it compares with, is installed for it.
bench-accuracy: $(INSTALLED)
	$(PIP) install --constraint requirements-dev.lock "fastai>=2.8"
	$(BIN)/python -m benchmarks.accuracy $(BENCH)

# BENCH may hold --sizes 1000 10000 --kinds different --repeats 3 --folder FOLDER.
bench-scale: $(INSTALLED)
	$(BIN)/python -m benchmarks.scale $(BENCH)

# BENCH holds --data FOLDER --weights NAME=FILE... --out FOLDER.
bench-labelling: $(INSTALLED)
	$(BIN)/python -m benchmarks.labelling $(BENCH)
	$(BIN)/python -m benchmarks.labelling.promises

# Kills, full disks, damaged files and hostile clients; docs/research/trust.md says what is counted. PART may name one part.
MINUTES ?= 60
SEED ?= 0
soak: $(INSTALLED)
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) --seed $(SEED) $(PART)

# Rewrites the lock files; versions already pinned there stay unless UPGRADE="--upgrade" is given.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --no-annotate --no-header
lock:
	$(LOCK) --extra dev --output-file requirements-dev.lock $(UPGRADE)
	$(LOCK) --constraint requirements-dev.lock --output-file requirements.lock $(UPGRADE)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build dist docs/_build docs/_generated docs/tutorials/notebooks

$(INSTALLED): $(PREPARED) requirements-dev.lock pyproject.toml
	$(PIP) install --constraint requirements-dev.lock --no-build-isolation --editable '.[dev]'
	touch $(USABLE) $(INSTALLED)

$(USABLE): $(PREPARED) requirements.lock pyproject.toml
	$(PIP) install --constraint requirements.lock --no-build-isolation --editable .
	touch $(USABLE)

# What builds discern, and torch.
$(PREPARED): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "discern needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint requirements-dev.lock hatchling editables
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
		echo "No NVIDIA GPU is found: installing $(CPU_BUILDS) from $(CPU_INDEX)"; \
		$(PIP) install --retries 1 --timeout 20 --index-url $(CPU_INDEX) --no-deps $(CPU_BUILDS) 2>/dev/null \
		|| echo "They cannot be had from there; the builds for NVIDIA GPUs follow, which take 4.4 GB more"; fi
	touch $(PREPARED)

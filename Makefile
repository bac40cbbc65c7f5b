# `make demo` and `make test` each do everything from a fresh clone; PYTHON names a Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: demo test lint install wheel clean

demo: $(READY)
	$(BIN)/unsee demo person --out $(DEMO)

test: $(READY) lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("unsee needs Python 3.11 or newer, " + sys.executable + " is " + sys.version.split()[0] + "; name another one, as in: make demo PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

# The wheel, installed and imported where nothing else is.
wheel: $(READY)
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --wheel --outdir build/wheel .
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt build/wheel/*.whl
	cd build/wheel && venv/bin/python -c 'import unsee, unsee.demos.person, unsee.cli.main; print("imported", unsee.__file__)'
	cd build/wheel && venv/bin/unsee methods --json > methods.json && venv/bin/unsee --version

clean:
	rm -rf $(VENV) build dist demo

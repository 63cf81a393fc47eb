# Everything installs here; nothing but Python 3.11+, git and util-linux is expected of the machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: setup audit test test-all check bench simulate docs clean
setup: $(STAMP)

# torch goes first and pinned: the range in pyproject would take the GPU build.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[replay,stats,inspect,dev]'
	touch $@

audit: setup
	$(BIN)/python -m tests.attempts.demonstration out/audit

test: setup
	$(BIN)/python -m pytest -m 'not slow and not gpu and not exhaustive' -n auto --dist loadfile --no-loadscope-reorder

test-all: setup
	$(BIN)/python -m pytest -m 'slow or gpu' -n auto --dist loadfile

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m tests.bench

simulate: setup
	$(BIN)/python -m tests.simulate --picture docs/luck.svg

docs: setup
	$(BIN)/auditor selftest --write > /dev/null
	$(BIN)/python -m auditor.cli.docs

clean:
	rm -rf $(VENV) out build dist *.egg-info

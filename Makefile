# Everything starts here; `make` alone says what there is.

PORT ?= 8501
ADDRESS ?= localhost
PY := .venv/bin/python
PYTEST = MARSSEG_CHROMIUM="$$($(PY) scripts/browser.py)" $(PY) -m pytest
QUICK := not training and not browser and not long
KERAS := training and not browser and not processes and not long
WATCH := (browser or processes) and not long
COVER := --cov --cov-branch
CHECKED := .

.DEFAULT_GOAL := help
.PHONY: help setup dev browser run test test-quick test-full check lint lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*  ## /  make \1\t/' | expand -t 20

setup:  ## the environment alone, in .venv
	@sh scripts/setup.sh requirements.lock

dev: setup
	@sh scripts/setup.sh requirements-dev.lock

browser: dev
	@$(PY) scripts/browser.py >/dev/null

run: setup  ## the app on http://localhost:8501 (PORT=8502 make run for another port)
	@$(PY) scripts/check_port.py "$(PORT)" "$(ADDRESS)"
	@$(PY) -m streamlit run app.py --server.port "$(PORT)" --server.address "$(ADDRESS)"

# The last part watches processes at work, which tracing would slow down.
test: browser  ## the whole suite: what needs no training, what trains (both with branch coverage), what watches processes
	$(PYTEST) -m "$(QUICK)" -n 2 $(COVER) --cov-report=
	$(PYTEST) -m "$(KERAS)" -n 2 $(COVER) --cov-append --cov-report=term:skip-covered
	$(PYTEST) -m "$(WATCH)" -n 2

test-quick: dev  ## only what needs neither training nor a browser
	$(PY) -m pytest -m "$(QUICK)" -n 2

test-full: test  ## the long matrices too, every case
	$(PYTEST) -m "long and not alone" -n 2
	$(PYTEST) -m "long and alone"

lint: dev  ## style, types and the contracts between the rooms
	$(PY) -m ruff check $(CHECKED)
	$(PY) -m ruff format --check $(CHECKED)
	$(PY) -m mypy
	.venv/bin/lint-imports

check: lint test  ## lint and test: what .ci/run calls

lock: dev  ## choose the newest fitting packages and write the two lock files
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --custom-compile-command "make lock" \
		requirements.txt -o requirements.lock
	$(PY) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --custom-compile-command "make lock" \
		requirements-dev.txt -c requirements.lock -o requirements-dev.lock

clean:  ## remove the environment and everything that tests and tools left; runs.db and artifacts/ stay
	rm -rf .venv build htmlcov test-results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

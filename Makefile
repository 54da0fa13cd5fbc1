# Nothing has to be done before any of these: what is missing, they install into .venv themselves.
PYTHON ?= python3
ARGS ?=

# Else each of the hundreds of programs that the tests start would be compiled anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check format-check lint types floors format wheel alerts units ci proof venv

help:           ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

demo: venv      ## watch all platforms, simulated, being harvested into a Postgres of its own; ARGS=--once compares and ends
	@.venv/bin/python -m harvester.demo $(ARGS)

# Half of the time a test waits for a process or a server, so there are more of them at work than cores.
test: venv      ## the whole suite, on a real Postgres; ARGS are pytest's, and -n0 runs one test after the other
	@.venv/bin/python -m pytest --numprocesses 4 --dist worksteal $(ARGS)

check: format-check lint types floors  ## all that can be checked without running harvester

format-check: venv
	@.venv/bin/ruff format --check

lint: venv
	@.venv/bin/ruff check

types: venv
	@.venv/bin/python -m mypy

floors: venv
	@.venv/bin/python .venv/bin/lint-imports --no-logo

format: venv    ## lay the code out, and mend what can be mended by itself
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

wheel: venv     ## dist/harvester-*.whl, to be installed
	@rm -f dist/harvester-*.whl
	@.venv/bin/python -m hatchling build -t wheel -d dist

alerts: venv    ## the rules of monitoring/, tried by promtool and a real Prometheus (Debian's package prometheus)
	@promtool check rules monitoring/alerts.yml
	@promtool check config monitoring/prometheus.example.yml
	@promtool test rules monitoring/alerts.test.yml
	@.venv/bin/python -m pytest -m prometheus

units: venv     ## the units of systemd/, as systemd reads them
	@sh .ci/units

ci:             ## all of the above, as the build machine runs it
	@bash .ci/run

proof: venv     ## what docs/reliability.md tells of, as often as it says there; twenty to forty minutes
	@.venv/bin/python -m pytest -m proof $(ARGS)

venv:
	@sh .ci/venv "$(PYTHON)"

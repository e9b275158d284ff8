# make setup | demo | test | check | bench.  Everything happens in .venv beside this file.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: setup demo test check bench clean
setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade-strategy only-if-needed -c constraints.txt -e '.[dev]'
	touch $@

# offline: the demo needs nothing from the hub, and its table is to be the README's
demo: export HF_HUB_OFFLINE = 1
demo: setup
	$(BIN)/harness finetune vad-tiny
	$(BIN)/harness run vad_approach ai_research_qa ai_research_mcq instruction_following general_retention \
		-m tiny-llama,vad-tiny
	$(BIN)/harness compare tiny-llama vad-tiny
	$(BIN)/harness gate vad-tiny
	$(BIN)/harness run crime_mcq -m tiny-vlm,tiny-vlm-events --set fps=1,6
	$(BIN)/harness show latest --classes --model tiny-vlm-events
	$(BIN)/harness show latest --by fps
	$(BIN)/harness compare tiny-vlm tiny-vlm-events
	$(BIN)/harness publish --title "Before and after tuning"

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

bench: setup
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) .venv-bench .mypy_cache .ruff_cache .pytest_cache build dist

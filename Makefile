# Every target says what it does in one line; the work is in tests/parts, which also says what it
# needs and installs what is missing. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test bench lint soak

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the main job on the sample project, against a real engine and registry on loopback
	@tests/parts/suite demo

test: ## pass every test: units, wire fakes, and the live ones on each kind of engine
	@tests/parts/suite test

bench: ## measure against `docker buildx build`, side by side
	@tests/parts/suite bench

lint: ## check formatting, clippy, workflows and shell scripts
	@tests/parts/suite lint

soak: ## run the live tests with the full counts of races and faults
	@tests/parts/suite soak

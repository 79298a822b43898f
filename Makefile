# Every target requires only Go, git and a C compiler. The tools are pinned in tools/go.mod and built by Go.

# The patch release in go.mod, also where the go command would use its own version.
export GOTOOLCHAIN := $(shell awk '/^toolchain/ {print $$2}' go.mod)
TOOL := go tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null)
LDFLAGS := -s -w -X github.com/stripe-connector/stripe-connector/internal/cli.release=$(VERSION) -X github.com/stripe-connector/stripe-connector/internal/cli.commit=$(COMMIT)
PROGRAM ?= stripe-connector-service
MODULE ?= .
TARGET ?=
IMAGE ?= stripe-connector:$(VERSION:v%=%)
FUZZTIME ?= 1m
SOAK ?= 10m
VULNDB ?= golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018
PLATFORMS ?=
# The folders of the modules with programs for users. The other modules are for tests and builds only.
RELEASED := $(patsubst %/go.mod,%,$(wildcard $(patsubst %/cmd,%/go.mod,$(wildcard ./cmd */cmd */*/cmd))))

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/stripe-connector
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/stripe-connector ./cmd/stripe-connector

.PHONY: demo
demo: ## Sync a simulated company into demo.db
	go run ./cmd/stripe-connector demo

.PHONY: test
test: ## Run all tests
	go test ./...

.PHONY: race
race: ## Run all tests with the race detector
	go test -race ./...

.PHONY: lint
lint: ## Check code style, prose, import rules and the protocol
	$(TOOL) golangci-lint run ./...
	cd orchestrate/temporal && go tool -modfile=../../tools/go.mod golangci-lint run --config ../../.golangci.yml ./...
	go -C tools test ./prose
	go -C tools run ./prose ..
	$(TOOL) buf lint
	$(TOOL) buf format --diff --exit-code
	$(TOOL) buf breaking --against proto/released.binpb

.PHONY: generate
generate: ## Generate the protocol's Go code and the schemas
	$(TOOL) buf generate
	go generate ./...
	go test ./connector/stripe/table -run TestStreamsDocument -update

.PHONY: check-generated
check-generated: generate ## Fail if generated files are not up to date
	git diff --exit-code -- proto connector/stripe/schema docs/streams.md

.PHONY: release-proto
release-proto: ## Make the current protocol the released one, which later changes must not break
	$(TOOL) buf build -o proto/released.binpb --exclude-source-info

.PHONY: temporal
temporal: ## Test the Temporal worker, a module of its own (building Temporal's server takes ten minutes of CPU time once)
	cd orchestrate/temporal && go mod tidy -diff && go vet ./... && go test -timeout 20m ./...

.PHONY: verify
verify: ## Check that the modules that released programs are built from are as published
	@for module in $(RELEASED); do go -C $$module mod verify || exit 1; done

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME (default 1m; or a count such as 100000x)
	@grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z]+' . | sed -E 's|^\./(.*)/[^/]+:func (.*)|\1 \2|' | sort | \
	while read -r folder target; do \
		echo "== $$folder $$target"; \
		go test "./$$folder" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
	done

.PHONY: soak
soak: ## Sync a busy account for SOAK (default 10m), with late events, broken objects and kills, and check the rows
	go test ./e2e -run '^TestSoak$$' -v -count=1 -timeout 0 -soak $(SOAK)

.PHONY: bench
bench: ## Run the benchmarks and write docs/benchmarks.md
	go run ./bench --markdown docs/benchmarks.md

.PHONY: bench-scale
bench-scale: ## Measure many pipelines through 1, 2 and 4 replicas, and what objects and changes cost: see docs/capacity.md
	go run ./bench --only scale,costs

.PHONY: image
image: ## Build the container image (docker, podman or buildah); with database drivers if PROGRAM=stripe-connector
	$$(command -v docker || command -v podman || command -v buildah) build $(if $(TARGET),--target $(TARGET)) --build-arg VERSION=$(VERSION) --build-arg REVISION=$(COMMIT) \
		--build-arg CREATED=$$(TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ) --build-arg MODULE=$(MODULE) --build-arg PROGRAM=$(PROGRAM) -t $(IMAGE) .

.PHONY: image-size
image-size: ## Check that the image's binary is below 25 MB and has no database drivers
	@! go list -deps ./cmd/stripe-connector-service | grep -E '^(modernc.org/sqlite|github.com/jackc/pgx)' || \
		{ echo "image-size: FAILED: the image's binary links the database drivers above" >&2; exit 1; }
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/stripe-connector-service
	@bytes=$$(wc -c <bin/stripe-connector-service); echo "the binary of the image has $$bytes bytes"; \
	[ "$$bytes" -lt 25000000 ] || { echo "image-size: FAILED: the limit is 25000000: find what grew with 'go version -m' and 'go tool nm -size -sort size'" >&2; exit 1; }

.PHONY: reproducible
reproducible: ## Check that the image's program has the same bytes if it is built from another directory, and test releases
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	git ls-files -z | tar -cf - --null -T - | tar -xf - -C "$$copy" && \
	for folder in . "$$copy"; do \
		(cd "$$folder" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS) -buildid=' -o "$$copy/built-$${#folder}" ./cmd/stripe-connector-service) || exit 1; \
	done && \
	cmp "$$copy"/built-* && echo "two builds in different directories have the same bytes" || { echo "reproducible: FAILED" >&2; exit 1; }
	@go -C tools test ./release

.PHONY: try-containers
try-containers: ## Build the image from the Dockerfile and run it, if there is a container engine
	deploy/try-containers.sh

.PHONY: try-image
try-image: ## Build the images of a release, which needs no registry, and run them, if there is a container engine
	deploy/try-image.sh

.PHONY: try-compose
try-compose: ## Run compose.yaml with the image of a release, if Compose and a container engine are there
	deploy/try-compose.sh

.PHONY: chart
chart: ## Lint and test the Helm chart
	deploy/check-chart.sh

.PHONY: try-cluster
try-cluster: ## Install the chart on a Kubernetes API server built for it; the first build takes long
	deploy/try-cluster.sh

.PHONY: validate-chart
validate-chart: ## Validate the Helm chart with the code of the Kubernetes API server; the first build takes some minutes
	deploy/validate-chart.sh

.PHONY: vuln
vuln: ## Check for known vulnerabilities in reachable code, with the database pinned in VULNDB
	@database=$$(mktemp -d) && trap 'rm -rf "$$database"' EXIT && \
	reports=$$(go mod download -json $(VULNDB) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') && \
	go -C tools run ./vulndb "$$reports" "$$database" && \
	for module in $(RELEASED); do \
		$(TOOL) govulncheck -C $$module -db "file://$$database" ./... || { echo "vuln: FAILED: see the vulnerabilities listed above" >&2; exit 1; }; \
	done

.PHONY: licenses
licenses: build ## List the modules of the binary, and fail if a license is not allowed
	@go -C tools run ./sbom ../bin/stripe-connector >/dev/null

.PHONY: sbom
sbom: build ## Write bin/stripe-connector.spdx.json, the binary's bill of materials
	go -C tools run ./sbom ../bin/stripe-connector >bin/stripe-connector.spdx.json

.PHONY: release
release: ## Build a release into dist: archives, images and the chart, with checksums and bills of materials
	@rm -rf dist
	go -C tools run ./release $(VERSION) ../dist $(PLATFORMS)
	@cat dist/checksums.txt

.PHONY: push
push: ## Push the images and the chart in dist to REGISTRY, such as registry.example.com/team
	@[ -n "$(REGISTRY)" ] || { echo "push: set REGISTRY, such as REGISTRY=registry.example.com/team" >&2; exit 2; }
	go -C tools run ./release push ../dist $(REGISTRY)

.PHONY: ci
ci: ## Run all checks of continuous integration
	.ci/run

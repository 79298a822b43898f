#!/usr/bin/env bash
# Checks the Helm chart: lint, the values' schema, each rendered manifest by the types of Kubernetes, and that every argument
# is a flag of this build. Helm and the types are pinned in tools/deploy/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
chart=$PWD/deploy/helm/stripe-connector
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go -C tools/deploy build -o "$work/" helm.sh/helm/v4/cmd/helm ./manifests
go run ./cmd/stripe-connector-service serve --help >"$work/help"

"$work/helm" lint --strict --quiet "$chart"
for values in "$chart/values.yaml" "$chart"/ci/*.yaml; do
	printf '%s: ' "$(basename "$values")"
	"$work/helm" lint --strict --quiet "$chart" --values "$values"
	"$work/helm" template release "$chart" --values "$values" >"$work/rendered.yaml"
	"$work/manifests" <"$work/rendered.yaml"
	grep -oE '^ +- "?--[a-z-]+' "$work/rendered.yaml" | grep -oE -e '--[a-z-]+' | sort -u | while read -r flag; do
		grep -qE -e "^ +$flag " "$work/help" && continue
		echo "serve has no flag $flag" >&2
		exit 1
	done
done

# What must be refused, is.
for wrong in replicas=many image.digest=latest tls.secret=x autoscaling.enabled=true,metrics.enabled=false service.port=0; do
	if "$work/helm" template release "$chart" --set "$wrong" >/dev/null 2>&1; then
		echo "the chart takes $wrong" >&2
		exit 1
	fi
done

#!/usr/bin/env bash
# Validates the Helm chart with the code of the Kubernetes API server, pinned in tools/kubernetes/go.mod: each object that the chart
# renders for the values in ci, and that values which only the server can judge are refused. The first build takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
chart=$PWD/deploy/helm/stripe-connector
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go -C tools/deploy build -o "$work/" helm.sh/helm/v4/cmd/helm
go -C tools/kubernetes build -o "$work/" .

# validate renders the chart for values in ci and more, and validates it.
validate() {
	"$work/helm" template release "$chart" --values "$chart/ci/$1-values.yaml" "${@:2}" >"$work/manifests"
	"$work/kubernetes" <"$work/manifests"
}

for file in "$chart"/ci/*.yaml; do
	values=$(basename "$file" -values.yaml)
	echo "== $values"
	validate "$values"
done

# refuses checks that values are refused with a message.
refuses() {
	local message=$1
	shift
	if validate "$@" >"$work/out" 2>&1 || ! grep -qF -e "$message" "$work/out"; then
		echo "for $* it should say $message: $(cat "$work/out")" >&2
		exit 1
	fi
	grep -F -e "$message" "$work/out"
}
echo '== refused'
refuses 'above maximum (59)' bare --set 'pipelines.acme.schedule=60 * * * *'
refuses 'failed to parse int' bare --set 'pipelines.acme.schedule=a b c d e'
refuses 'must be an explicit time zone' bare --set pipelines.acme.timeZone=Local
refuses 'unknown time zone' bare --set pipelines.acme.timeZone=Mars/Olympus
refuses 'Not found: "none"' bare --set-json 'extraVolumeMounts=[{"name":"none","mountPath":"/none"}]'
refuses 'must be less than or equal to memory limit' bare --set resources.requests.memory=2Gi
refuses 'unknown field' bare --set-json 'tolerations=[{"key":"a","operators":"Exists"}]'
refuses 'Duplicate value: "tls"' secured --set-json 'extraVolumes=[{"name":"tls","emptyDir":{}}]'
refuses 'must be a valid CIDR value' secured --set-json 'networkPolicy.callers=[{"ipBlock":{"cidr":"everywhere"}}]'

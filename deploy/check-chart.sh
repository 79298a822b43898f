#!/usr/bin/env bash
# Checks the Helm chart: lint, the schema of its values, each rendered manifest against the types of Kubernetes, that every
# argument is a flag of this build, and that values which contradict each other or would silently drop a protection are refused.
# Helm and the types are pinned in tools/deploy/go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
chart=$PWD/deploy/helm/stripe-connector
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go -C tools/deploy build -o "$work/" helm.sh/helm/v4/cmd/helm ./manifests
for command in serve sync; do
	go run ./cmd/stripe-connector "$command" --help >"$work/$command.help"
done

for values in "$chart"/ci/*.yaml; do
	name=$(basename "$values" -values.yaml)
	printf '%s: ' "$name"
	"$work/helm" lint --strict --quiet "$chart" --values "$values"
	"$work/helm" template release "$chart" --values "$values" >"$work/$name.yaml"
	"$work/manifests" <"$work/$name.yaml"
	# The arguments of each command, which is the first of them.
	sed -nE 's/^ +- "?(serve|sync|--[a-z-]+).*/\1/p' "$work/$name.yaml" | while read -r word; do
		case $word in
		--*) grep -qE -e "^ +$word " "$work/$command.help" || { echo "$command has no flag $word" >&2; exit 1; } ;;
		*) command=$word ;;
		esac
	done
done

# has checks that a rendered chart has a line, and lacks that it doesn't.
has() {
	grep -qF -e "$2" "$work/$1.yaml" || { echo "$1: nothing says $2" >&2; exit 1; }
}
lacks() {
	! grep -qF -e "$2" "$work/$1.yaml" || { echo "$1: something says $2" >&2; exit 1; }
}
lacks secured --insecure
has secured --tls-client-ca=
has secured --tokens=
has secured 'name: stripe-headless'
[ "$(grep -c 'name: GOMEMLIMIT' "$work/secured.yaml")" = 1 ] || { echo "secured: GOMEMLIMIT is set twice" >&2; exit 1; }
has watched 'value: "966367641"' # 90 % of 1 GiB
has watched 'app.kubernetes.io/name: prometheus'
has watched 'port: 4318'
has openshift 'value: "1449551462"'
lacks openshift runAsUser
has openshift 'runAsNonRoot: true'
lacks bare NetworkPolicy
has secured 'name: stripe-acme'
has secured 'timeZone: Europe/Zurich'
has secured '--select=charges,invoice*'
has secured --token-file=/etc/stripe-connector/token/token
has bare --plaintext
has watched 'kind: PrometheusRule'
has watched 'grafana_dashboard: "1"'
has watched '{{ $labels.job }}' # an alert's text, which Helm must not evaluate

# refuses checks that the chart fails with a message, for values that are otherwise good.
refuses() {
	local message=$1
	shift
	if "$work/helm" template release "$chart" --set image.repository=x --set image.tag=v1 "$@" >/dev/null 2>"$work/error"; then
		echo "the chart takes $*" >&2
		exit 1
	fi
	grep -qF -e "$message" "$work/error" || { echo "for $* it says: $(cat "$work/error")" >&2; exit 1; }
}
tls=(--set tls.secretName=tls)
refuses 'set tls.insecure'
refuses 'contradict' "${tls[@]}" --set tls.insecure=true
refuses 'which need TLS' --set tls.insecure=true --set tls.clientCASecretName=ca
refuses 'tokens in clear text' --set tls.insecure=true --set auth.tokensSecretName=tokens
refuses 'let every caller use the keys' "${tls[@]}" --set secrets.secretName=keys
refuses 'Set image.repository' "${tls[@]}" --set image.repository=
refuses 'set image.tag' "${tls[@]}" --set image.tag=
refuses 'need metrics' "${tls[@]}" --set autoscaling.enabled=true,metrics.enabled=false
refuses 'autoscaling.maxReplicas' "${tls[@]}" --set autoscaling.enabled=true,autoscaling.minReplicas=11
refuses 'must differ' "${tls[@]}" --set metrics.port=50051
refuses 'must differ' "${tls[@]}" --set service.port=50052
refuses 'have no effect' "${tls[@]}" --set networkPolicy.enabled=false --set-json 'networkPolicy.callers=[{"podSelector":{}}]'
refuses 'have no effect' "${tls[@]}" --set serviceAccount.name=own --set serviceAccount.annotations.a=b
refuses 'may not hold --insecure' "${tls[@]}" --set 'extraArgs={--insecure}'
refuses 'may not hold --listen' "${tls[@]}" --set 'extraArgs={--listen=0.0.0.0:1}'
refuses 'a variable twice' "${tls[@]}" --set env[0].name=A,env[1].name=A
refuses 'a variable twice' "${tls[@]}" --set tracing.endpoint=http://a --set env[0].name=OTEL_EXPORTER_OTLP_ENDPOINT
pipeline=(--set pipelines.acme.schedule=@hourly,pipelines.acme.configSecretName=acme,pipelines.acme.destination=jsonl:/data)
full=(--set pipelineDefaults.image.repository=full,pipelineDefaults.image.tag=v1)
refuses 'with database drivers' "${tls[@]}" "${pipeline[@]}"
refuses 'would refuse the pipelines' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set auth.tokensSecretName=tokens
refuses 'have no effect' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set pipelineDefaults.tokenSecretName=token
refuses 'more than 52 characters' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set fullnameOverride=stripe-connector-of-the-department-of-statistics
refuses 'has a password' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set pipelines.acme.destination=postgres://me:pw@db/x
refuses 'the chart sets it' "${tls[@]}" --set 'podLabels.app\.kubernetes\.io/name=x'
for nonsense in replicas=many image.digest=latest tls.secret=x service.port=0 tls.secretName=Not_A_Name resources.limits.memory=lots \
	pipelines.Acme.schedule=@hourly pipelines.acme.every=1h podLabels.team=-data- \
	resources.limit.memory=1Gi networkPolicy.callers[0].pod=x env[0].Name=x podDisruptionBudget.maxUnavailable=some; do
	refuses 'values don' "${tls[@]}" --set "$nonsense"
done

# The chart of a release: Helm pulls it from a registry, and its images are those of the release.
HELM=$work/helm go -C tools test -count=1 -run '^TestPush$' ./release

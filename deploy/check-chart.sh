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
[ "$(grep -c 'name: GOMEMLIMIT' "$work/secured.yaml")" = 3 ] || { echo "secured: the service and two pipelines don't have GOMEMLIMIT once each" >&2; exit 1; }
has watched 'value: "966367641"' # 90 % of 1 GiB
has watched 'app.kubernetes.io/name: prometheus'
has watched 'port: 4318'
has openshift 'value: "1449551462"'
lacks openshift runAsUser
has openshift 'runAsNonRoot: true'
lacks bare NetworkPolicy
lacks bare 0.0.0.0: # in a cluster with IPv6 only, nothing would reach it
has bare --listen=:50051
# Kubernetes refuses to change the selector of a Deployment, so upgrades need it to stay the same in all releases of the chart.
for values in "$work"/*.yaml; do
	sed -n '/^kind: Deployment/,/^---/{/^  selector:/,/^  template:/p}' "$values" | diff - <(cat <<-'SELECTOR'
		  selector:
		    matchLabels:
		      app.kubernetes.io/name: stripe-connector
		      app.kubernetes.io/instance: release
		  template:
	SELECTOR
	) || { echo "$values: the selector of the Deployment has changed" >&2; exit 1; }
done
has secured 'name: stripe-acme'
# A policy that names callers admits the chart's own pipelines, too.
has secured 'app.kubernetes.io/name: stripe-connector-pipeline, app.kubernetes.io/instance: release'
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
	if "$work/helm" template "${release:-release}" "$chart" --set image.repository=x --set image.tag=v1 "$@" >/dev/null 2>"$work/error"; then
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
refuses 'env sets A twice' "${tls[@]}" --set env[0].name=A,env[1].name=A
refuses 'env sets OTEL_EXPORTER_OTLP_ENDPOINT twice' "${tls[@]}" --set tracing.endpoint=http://a --set env[0].name=OTEL_EXPORTER_OTLP_ENDPOINT
refuses 'env shows the value of HTTPS_PROXY_PASSWORD' "${tls[@]}" --set env[0].name=HTTPS_PROXY_PASSWORD,env[0].value=hunter2
refuses 'env shows the value of KEY' "${tls[@]}" --set env[0].name=KEY,env[0].value=rk_live_1
refuses 'choose another user' "${tls[@]}" --set securityContext.runAsUser=0
pipeline=(--set pipelines.acme.schedule=@hourly,pipelines.acme.configSecretName=acme,pipelines.acme.destination=postgres://me@db/x)
full=(--set pipelineDefaults.image.repository=full,pipelineDefaults.image.tag=v1)
refuses 'with database drivers' "${tls[@]}" "${pipeline[@]}"
refuses 'would refuse the pipelines' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set auth.tokensSecretName=tokens
refuses 'have no effect' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set pipelineDefaults.tokenSecretName=token
refuses 'more than 52 characters' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set fullnameOverride=stripe-connector-of-the-department-of-statistics
refuses 'call it acme-corp.' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set-json 'pipelines.Acme_Corp={"schedule":"@daily","configSecretName":"a","destination":"postgres://me@db/x"}'
for schedule in 7h 'every 7h' '@every 7h' @reboot '*/7 * * *' '0 0 * * * *' 'TZ=UTC 0 * * *'; do
	refuses "pipelines.acme.schedule is \"$schedule\": write five cron fields" "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set-string "pipelines.acme.schedule=$schedule"
done
refuses 'such as Europe/Zurich' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set 'pipelines.acme.timeZone=Zurich time'
for destination in postgres://me:pw@db/x postgres://db/x?user=me\&password=pw postgres://me@db/x?sslpassword=pw; do
	refuses 'has a password' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set "pipelines.acme.destination=$destination"
done
refuses 'must begin with postgres://' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set pipelines.acme.destination=mysql://db/x
refuses 'acme.env shows the value of PGPASSWORD' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set pipelines.acme.env[0].name=PGPASSWORD,pipelines.acme.env[0].value=pw
refuses 'acme.env sets A twice' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set pipelines.acme.env[0].name=A,pipelines.acme.env[1].name=A
mount() { echo "pipelines.acme.volumes=[{\"name\":\"d\",\"$1\":{}}]" --set-json "pipelines.acme.volumeMounts=[{\"name\":\"d\",\"mountPath\":\"$2\"${3:-}}]"; }
for destination in jsonl:/data sqlite:/data/stripe.db; do
	for volume in "$(mount persistentVolumeClaim /database)" "$(mount persistentVolumeClaim /data ,\"readOnly\":true)" "$(mount persistentVolumeClaim /data/stripe.db)"; do
		# shellcheck disable=SC2086 # these are several arguments
		refuses 'mount one at /data, with volumes' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set "pipelines.acme.destination=$destination" --set-json $volume
	done
	# shellcheck disable=SC2046
	refuses 'use a persistentVolumeClaim' "${tls[@]}" "${pipeline[@]}" "${full[@]}" --set "pipelines.acme.destination=$destination" --set-json $(mount emptyDir /data)
done
refuses 'the chart sets it' "${tls[@]}" --set 'podLabels.app\.kubernetes\.io/name=x'
refuses 'the chart sets it' "${tls[@]}" --set 'pipelineDefaults.podLabels.app\.kubernetes\.io/name=x'
for release in 1release my.release; do refuses 'set fullnameOverride' "${tls[@]}"; done
unset release
for nonsense in replicas=many image.digest=latest tls.secret=x service.port=0 tls.secretName=Not_A_Name resources.limits.memory=lots \
	pipelines.acme.schedule=@hourly pipelines.acme.every=1h podLabels.team=-data- \
	resources.limit.memory=1Gi networkPolicy.callers[0].pod=x env[0].Name=x podDisruptionBudget.maxUnavailable=some; do
	refuses 'values don' "${tls[@]}" --set "$nonsense"
done

# The chart of a release: Helm pulls it from a registry, and its images are those of the release.
HELM=$work/helm go -C tools test -count=1 -run '^TestPush$' ./release

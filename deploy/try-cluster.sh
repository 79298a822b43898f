#!/usr/bin/env bash
# Installs the chart on a live Kubernetes API server: kube-apiserver and etcd, built from source and pinned in tools/cluster/go.mod, with
# throw-away certificates on loopback. There are no nodes and no controllers, so nothing runs: this tests what the API server accepts,
# stores and refuses. Prints what was seen.
#
#   PREVIOUS  the git revision of a chart to upgrade from; the newest tag by default
#
# The first build takes about 20 CPU minutes and 2 GB in Go's build cache.
set -euo pipefail
cd "$(dirname "$0")/.."
chart=$PWD/deploy/helm/stripe-connector
work=$(mktemp -d)
processes=()
finish() {
	for process in "${processes[@]}"; do kill -KILL "$process" 2>/dev/null && wait "$process" 2>/dev/null || true; done
	rm -rf "$work"
}
trap finish EXIT

echo "building kube-apiserver, etcd and helm"
version=$(go -C tools/cluster list -m -f '{{.Version}}' k8s.io/kubernetes)
# Clients compare the chart's kubeVersion with what the server says of itself.
stamp="-X k8s.io/component-base/version.gitVersion=$version"
go -C tools/cluster build -ldflags "-s -w $stamp" -o ../../bin/cluster/ go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kube-apiserver
go -C tools/deploy build -o ../../bin/cluster/ helm.sh/helm/v4/cmd/helm

port=${PORT:-26443}
(cd "$work" && go run "$(go env GOROOT)/src/crypto/tls/generate_cert.go" --host 127.0.0.1 --ca --ecdsa-curve P256 --duration 24h >/dev/null 2>&1)
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "$token,try,1,system:masters" >"$work/tokens"
bin/cluster/server --data-dir "$work/etcd" --log-level error --unsafe-no-fsync \
	--listen-client-urls "http://127.0.0.1:$((port + 1))" --advertise-client-urls "http://127.0.0.1:$((port + 1))" \
	--listen-peer-urls "http://127.0.0.1:$((port + 2))" --initial-advertise-peer-urls "http://127.0.0.1:$((port + 2))" \
	--initial-cluster "default=http://127.0.0.1:$((port + 2))" >"$work/etcd.log" 2>&1 &
processes+=($!)
bin/cluster/kube-apiserver --etcd-servers "http://127.0.0.1:$((port + 1))" --bind-address 127.0.0.1 --endpoint-reconciler-type none \
	--secure-port "$port" --tls-cert-file "$work/cert.pem" --tls-private-key-file "$work/key.pem" --cert-dir "$work" \
	--service-account-issuer https://127.0.0.1 --service-account-key-file "$work/cert.pem" --service-account-signing-key-file "$work/key.pem" \
	--token-auth-file "$work/tokens" --authorization-mode RBAC --service-cluster-ip-range 10.96.0.0/16 >"$work/apiserver.log" 2>&1 &
processes+=($!)

# api calls the API server: METHOD PATH [CURL-ARGUMENT…].
api() {
	local method=$1 path=$2
	shift 2
	curl -sS --cacert "$work/cert.pem" -H "Authorization: Bearer $token" -X "$method" "https://127.0.0.1:$port$path" "$@"
}
for _ in $(seq 240); do
	[ "$(api GET /readyz 2>/dev/null || true)" = ok ] && break
	kill -0 "${processes[1]}" 2>/dev/null || break
	sleep 0.5
done
[ "$(api GET /readyz)" = ok ] || { tail -20 "$work/apiserver.log" >&2; exit 1; }
cat >"$work/kubeconfig" <<CONFIG
{apiVersion: v1, kind: Config, current-context: try, users: [{name: try, user: {token: $token}}],
 clusters: [{name: try, cluster: {server: "https://127.0.0.1:$port", certificate-authority: $work/cert.pem}}],
 contexts: [{name: try, context: {cluster: try, user: try, namespace: try}}]}
CONFIG
export KUBECONFIG=$work/kubeconfig HELM_CACHE_HOME=$work HELM_CONFIG_HOME=$work HELM_DATA_HOME=$work
helm=$PWD/bin/cluster/helm
# The API server warns of pods that don't meet the restricted standard.
api POST /api/v1/namespaces -H 'Content-Type: application/yaml' --data-binary \
	'{apiVersion: v1, kind: Namespace, metadata: {name: try, labels: {pod-security.kubernetes.io/warn: restricted}}}' >/dev/null
echo "Kubernetes $(api GET /version | sed -n 's/.*"gitVersion": "\(.*\)".*/\1/p') serves on 127.0.0.1:$port"

failed=0
# row prints a line of the table. A result that isn't the expected one counts as a failure.
row() {
	local values=$1 step=$2 result=$3 detail=${4:-}
	[ "$result" != FAILED ] || failed=1
	printf '%-10s %-28s %-8s %s\n' "$values" "$step" "$result" "$(printf '%s' "$detail" | tr '\n' ' ' | cut -c 1-220)"
}
row VALUES STEP RESULT DETAIL

# Where the API serves each kind that the chart renders.
declare -A paths=(
	[Service]=/api/v1/namespaces/try/services [ConfigMap]=/api/v1/namespaces/try/configmaps
	[ServiceAccount]=/api/v1/namespaces/try/serviceaccounts [Deployment]=/apis/apps/v1/namespaces/try/deployments
	[CronJob]=/apis/batch/v1/namespaces/try/cronjobs [NetworkPolicy]=/apis/networking.k8s.io/v1/namespaces/try/networkpolicies
	[HorizontalPodAutoscaler]=/apis/autoscaling/v2/namespaces/try/horizontalpodautoscalers
	[PodDisruptionBudget]=/apis/policy/v1/namespaces/try/poddisruptionbudgets
	[ServiceMonitor]=/apis/monitoring.coreos.com/v1/namespaces/try/servicemonitors
	[PrometheusRule]=/apis/monitoring.coreos.com/v1/namespaces/try/prometheusrules
)

# stored prints how many objects of the release the API server has, of all kinds.
stored() {
	local kind n=0
	for kind in "${!paths[@]}"; do
		n=$((n + $(api GET "${paths[$kind]}?labelSelector=app.kubernetes.io/instance%3Drelease" | grep -c '"uid"' || true)))
	done
	echo "$n"
}

# validate sends each object of a rendered chart to the API server, which applies it as a trial and refuses unknown fields.
validate() {
	local values=$1 kind name document answer
	rm -rf "$work/objects" && mkdir "$work/objects"
	"$helm" template release "$chart" --namespace try --values "$chart/ci/$values-values.yaml" |
		awk -v folder="$work/objects" '/^---/ {n++; next} {print >(folder "/" n ".yaml")}'
	for document in "$work"/objects/*.yaml; do
		kind=$(sed -n 's/^kind: //p' "$document")
		[ -n "$kind" ] || continue
		name=$(sed -n 's/^  name: //p' "$document" | head -1)
		answer=$(api PATCH "${paths[$kind]}/$name?dryRun=All&fieldManager=try&fieldValidation=Strict" \
			-H 'Content-Type: application/apply-patch+yaml' --data-binary "@$document" -D "$work/headers" -w '\n%{http_code}')
		if grep -qi '^warning:' "$work/headers"; then
			row "$values" "validate $kind" FAILED "$name: $(grep -i '^warning:' "$work/headers")"
		elif [[ $answer == *$'\n'20[01] ]]; then
			row "$values" "validate $kind" accepted "$name"
		else
			row "$values" "validate $kind" FAILED "$name: $(printf '%s' "$answer" | sed -n 's/.*"message": "\(.*\)".*/\1/p' | head -1)"
		fi
	done
}

# does runs helm and prints whether it succeeded.
does() {
	local values=$1 step=$2
	shift 2
	if "$helm" "$@" >"$work/out" 2>&1 && ! grep -qi 'would violate' "$work/out"; then
		row "$values" "$step" passed "$(grep -E '^(STATUS|REVISION|Rollback|release)' "$work/out" || true); $(stored) objects stored"
	else
		row "$values" "$step" FAILED "$(tail -3 "$work/out")"
	fi
}

# refused checks that helm fails with a message, and that it left nothing behind.
refused() {
	local values=$1 step=$2 message=$3
	shift 3
	if "$helm" upgrade --install release "$chart" --values "$chart/ci/$values-values.yaml" "$@" >"$work/out" 2>&1; then
		row "$values" "$step" FAILED "was accepted"
	elif ! grep -qF -e "$message" "$work/out"; then
		row "$values" "$step" FAILED "it says: $(tail -3 "$work/out")"
	else
		row "$values" "$step" refused "$(grep -F -e "$message" "$work/out" | tail -1)"
	fi
	"$helm" uninstall release --ignore-not-found >/dev/null 2>&1 || true
	[ "$(stored)" = 0 ] || row "$values" "$step" FAILED "$(stored) objects are left"
}

refused watched 'without the CRDs' 'no matches for kind'
# The latest version of the operator's own module that has been published as one.
operator=$(go mod download -json github.com/prometheus-operator/prometheus-operator@v0.85.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
for crd in servicemonitors prometheusrules; do
	api POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions -H 'Content-Type: application/yaml' \
		--data-binary "@$operator/example/prometheus-operator-crd/monitoring.coreos.com_$crd.yaml" >/dev/null
	for _ in $(seq 60); do
		[ "$(api GET "/apis/monitoring.coreos.com/v1/$crd" -o /dev/null -w '%{http_code}')" = 200 ] && break
		sleep 0.5
	done
done

for file in "$chart"/ci/*.yaml; do
	values=$(basename "$file" -values.yaml)
	validate "$values"
	does "$values" install install release "$chart" --values "$file"
	deployment=$(sed -n 's/^fullnameOverride: //p' "$file")
	period() { api GET "${paths[Deployment]}/${deployment:-release-stripe-connector}" | sed -n 's/.*"terminationGracePeriodSeconds": \([0-9]*\).*/\1/p'; }
	before=$(period)
	does "$values" upgrade upgrade release "$chart" --values "$file" --set drainSeconds=100
	[ "$(period)" = 125 ] || row "$values" upgrade FAILED "the grace period is $(period), not 125"
	does "$values" rollback rollback release 1
	[ "$(period)" = "$before" ] || row "$values" rollback FAILED "the grace period is $(period), not $before"
	does "$values" uninstall uninstall release
	[ "$(stored)" = 0 ] || row "$values" uninstall FAILED "$(stored) objects are left"
done

# An upgrade from another version of the chart. The API server refuses to change some fields, such as selectors.
previous=${PREVIOUS:-$(git describe --tags --abbrev=0 2>/dev/null || true)}
if [ -n "$previous" ]; then
	git archive --prefix=previous/ "$previous" deploy/helm/stripe-connector | tar -x -C "$work"
	for file in "$work"/previous/deploy/helm/stripe-connector/ci/*.yaml; do
		values=$(basename "$file" -values.yaml)
		does "$values" "install $previous" install release "$work/previous/deploy/helm/stripe-connector" --values "$file"
		does "$values" "upgrade from $previous" upgrade release "$chart" --values "$chart/ci/$values-values.yaml"
		does "$values" "rollback to $previous" rollback release 1
		does "$values" uninstall uninstall release
	done
else
	echo "there is no tag yet, so no upgrade from a previous version was tried"
fi

# Two releases whose CronJobs would have the same name.
does bare 'install another release' install other "$chart" --values "$chart/ci/bare-values.yaml" --set fullnameOverride=stripe-eu
refused bare 'its CronJob, once more' 'invalid ownership metadata' --set fullnameOverride=stripe \
	--set-json 'pipelines.eu-acme={"schedule":"@daily","configSecretName":"a","destination":"postgres://me@db/x"}'
"$helm" uninstall other >/dev/null

# Values that only the API server can judge.
refused bare 'a minute that does not exist' 'above maximum (59)' --set 'pipelines.acme.schedule=60 * * * *'
refused bare 'an unknown time zone' 'spec.timeZone' --set pipelines.acme.timeZone=Mars/Olympus
refused bare 'a mount without a volume' 'Not found: "none"' --set-json 'extraVolumeMounts=[{"name":"none","mountPath":"/none"}]'
refused bare 'requests above limits' 'must be less than or equal to memory limit' --set resources.requests.memory=2Gi
refused bare 'an unknown toleration' 'Unsupported value: "Perhaps"' --set-json 'tolerations=[{"key":"a","operator":"Perhaps"}]'
refused secured 'a volume twice' 'duplicate entries for key' --set-json 'extraVolumes=[{"name":"tls","emptyDir":{}}]'
refused secured 'a caller without an address' 'must be a valid CIDR' --set-json 'networkPolicy.callers=[{"ipBlock":{"cidr":"everywhere"}}]'
exit "$failed"

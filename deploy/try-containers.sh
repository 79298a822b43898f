#!/usr/bin/env bash
# Builds the image and runs it for real: a simulated Stripe, the service, a sync, in a network of their own that reaches
# nothing else. Prints the size of the image and the time from start to serving.
#
#   ENGINE       docker or podman; the first that works by default
#   BUILD_IMAGE  the image to build in. Where it cannot be had, one is made of this machine's Go and certificate authorities.
#   GOPROXY …    Go's own settings are passed to the build
set -euo pipefail
cd "$(dirname "$0")/.."

mostMB=25
mostMilliseconds=200

engine=
for candidate in ${ENGINE:-docker podman}; do
	if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
		engine=$candidate
		break
	fi
done
if [ -z "$engine" ]; then
	echo "SKIPPED: no container engine works here (docker or podman): nothing was built or run." >&2
	exit "${WITHOUT_ENGINE:-1}"
fi

image=stripe-connector:try-$$
name=stripe-connector-try-$$
work=$(mktemp -d)
finish() {
	"$engine" rm -f "$name-stripe" "$name-service" "$name-sync" "$name-start" "$name-size" >/dev/null 2>&1 || true
	"$engine" rmi -f "$image" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT

base=${BUILD_IMAGE:-$(sed -n 's/^ARG BUILD_IMAGE=//p' Dockerfile)}
if ! "$engine" image inspect "$base" >/dev/null 2>&1 && ! "$engine" pull "$base" >/dev/null 2>&1; then
	base=stripe-connector-build:local
	if ! "$engine" image inspect "$base" >/dev/null 2>&1; then
		echo "no registry is reachable: making the image to build in from this machine's Go"
		shell=$(readlink -f /bin/sh)
		# Only the shell's and Go's own files, and the libraries that they need.
		libraries=$( (ldd "$shell"; ldd "$(go env GOROOT)/bin/go") 2>/dev/null | grep -oE '/[^ )]+' | sort -u || true)
		mkdir -p "$work/root"/{bin,tmp,etc/ssl/certs,usr/local}
		for file in $libraries; do mkdir -p "$work/root$(dirname "$file")" && cp -L "$file" "$work/root$file"; done
		cp "$shell" "$work/root/bin/sh"
		cp -r "$(go env GOROOT)" "$work/root/usr/local/go"
		for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt; do
			if [ -f "$bundle" ]; then cp -L "$bundle" "$work/root/etc/ssl/certs/ca-certificates.crt"; break; fi
		done
		tar -C "$work/root" -c . | "$engine" import -c 'ENV PATH=/usr/local/go/bin:/bin' - "$base" >/dev/null
	fi
fi

echo "building with $engine in $base"
"$engine" build --network host --build-arg BUILD_IMAGE="$base" --build-arg VERSION=try \
	--build-arg GOPROXY="$(go env GOPROXY)" --build-arg GONOSUMDB="$(go env GONOSUMDB)" --build-arg GOFLAGS=-buildvcs=false \
	--build-arg GOSUMDB="$(go env GOSUMDB)" -t "$image" . >"$work/build.log" 2>&1 || { tail -20 "$work/build.log" >&2; exit 1; }

# Engines that keep images packed give that as their size, so the files themselves are counted.
"$engine" create --name "$name-size" "$image" >/dev/null
bytes=$("$engine" export "$name-size" | wc -c)
pulled=$("$engine" save "$image" | gzip -c | wc -c)
echo "the image has $((bytes / 1000000)) MB unpacked (less than $mostMB allowed), and $((pulled / 1000000)) MB to pull"
[ $((bytes / 1000000)) -lt "$mostMB" ] || { echo "the image is too large" >&2; exit 1; }
user=$("$engine" image inspect --format '{{.Config.User}}' "$image")
[ "$user" = 65532:65532 ] || { echo "the image runs as $user" >&2; exit 1; }

run() { "$engine" run --read-only --cap-drop ALL --security-opt no-new-privileges "$@"; }

run -d --name "$name-stripe" --network none "$image" simulate >/dev/null
own=container:$name-stripe # the network of the first: nothing but its loopback
for _ in $(seq 50); do
	config=$("$engine" logs "$name-stripe" 2>/dev/null | head -1)
	[ -n "$config" ] && break
	sleep 0.1
done
[ -n "$config" ] || { "$engine" logs "$name-stripe" >&2; exit 1; }

# The time from the start of the process to its first answer, by the clocks of both: it must be short each time.
start() {
	run -d --name "$name-service" --network "$own" --memory 256m "$image" serve --allow-api-base http://127.0.0.1:12111 >/dev/null
	local begun serving
	for _ in $(seq 100); do
		serving=$("$engine" logs "$name-service" 2>&1 | sed -n 's/^{"time":"\([^"]*\)".*"serving".*/\1/p' | head -1)
		[ -n "$serving" ] && break
		sleep 0.05
	done
	[ -n "$serving" ] || { "$engine" logs "$name-service" >&2; return 1; }
	begun=$("$engine" inspect --format '{{.State.StartedAt}}' "$name-service")
	echo $((($(date -d "$serving" +%s%N) - $(date -d "$begun" +%s%N)) / 1000000))
}
best=
for _ in 1 2 3; do
	"$engine" rm -f "$name-service" >/dev/null 2>&1 || true
	took=$(start)
	echo "serving $took ms after the start"
	if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
[ "$best" -lt "$mostMilliseconds" ] || { echo "serving takes more than $mostMilliseconds ms" >&2; exit 1; }

"$engine" exec "$name-service" /stripe-connector healthcheck
mkdir -m 777 "$work/out"
printf '%s\n' "$config" | run -i --name "$name-sync" --network "$own" -v "$work/out:/out" "$image" \
	sync --config - --target 127.0.0.1:50051 --to jsonl:/out --streams charges,customers,invoices >"$work/sync.log" 2>&1 ||
	{ cat "$work/sync.log" >&2; exit 1; }
for stream in charges customers invoices; do
	[ -s "$work/out/$stream.jsonl" ] || { echo "no $stream came" >&2; exit 1; }
	echo "$stream: $(wc -l <"$work/out/$stream.jsonl") lines"
done

"$engine" stop -t 20 "$name-service" >/dev/null
code=$("$engine" inspect --format '{{.State.ExitCode}}' "$name-service")
[ "$code" = 0 ] || { echo "the service ended with $code" >&2; exit 1; }
echo "the service ended in order: containers work"

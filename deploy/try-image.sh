#!/usr/bin/env bash
# Runs images for real, read-only and without capabilities, in a network of their own that reaches nothing else, and prints what was
# seen: a simulated Stripe, the service, a caller, syncs, other users, and how the service ends.
#
#   deploy/try-image.sh [SERVICE [FULL]]
#
#   SERVICE, FULL  the names of images in the engine's store, or archives of a release. Without them, both are built as for a release,
#                  which takes no base image and so no registry.
#   ENGINE         docker or podman; the first that works by default
set -euo pipefail
cd "$(dirname "$0")/.."

mostMB=25           # of the service's image
mostMilliseconds=200 # from its start to its first answer
grace=40            # seconds to end in; more than serve's --drain

engine=
for candidate in ${ENGINE:-docker podman}; do
	if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then
		engine=$candidate
		break
	fi
done
if [ -z "$engine" ]; then
	echo "SKIPPED: no container engine works here (docker or podman): nothing was run." >&2
	exit "${WITHOUT_ENGINE:-1}"
fi

name=stripe-connector-try-$$
work=$(mktemp -d)
loaded=()
finish() {
	# One by one, because Podman removes none if one is missing, and the owner of the network last.
	for container in follow sync caller service size stripe; do "$engine" rm -f "$name-$container" >/dev/null 2>&1 || true; done
	[ ${#loaded[@]} = 0 ] || "$engine" rmi -f "${loaded[@]}" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap finish EXIT
fail() {
	echo "FAILED: $1" >&2
	[ -z "${2:-}" ] || tail -20 "$2" >&2
	exit 1
}
# saw prints a line of what was seen.
saw() { printf '%-26s %s\n' "$1" "$2"; }

service=${1:-} full=${2:-}
if [ -z "$service" ]; then
	echo "building the images of a release"
	go -C tools run ./release v0.0.0-try "$work/dist" "linux/$(go env GOARCH)" >"$work/build.log" 2>&1 || fail "the release" "$work/build.log"
	service=$work/dist/stripe-connector_0.0.0-try_image.tar full=$work/dist/stripe-connector-full_0.0.0-try_image.tar
fi
# load loads an archive and sets the variable of that name to the name of the image.
load() {
	local -n image=$1
	[ -f "$image" ] || return 0
	image=$("$engine" load -i "$image" 2>"$work/load.log" | sed -n 's/^Loaded image[^:]*: //p' | head -1)
	[ -n "$image" ] || fail "loading an archive" "$work/load.log"
	loaded+=("$image")
}
load service
load full

# Podman mounts a tmpfs at /tmp of a read-only container by default; Kubernetes does not.
limits=(--read-only --cap-drop ALL --security-opt no-new-privileges)
[ "$engine" != podman ] || limits+=(--read-only-tmpfs=false)
run() { "$engine" run "${limits[@]}" "$@"; }
if ! run --rm --network none "$service" --version >"$work/version" 2>"$work/run.log"; then
	# Inside another container, an engine may not raise limits.
	limits+=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024)
	run --rm --network none "$service" --version >"$work/version" 2>"$work/run.log" || fail "running the image" "$work/run.log"
fi
saw engine "$("$engine" --version)"
saw version "$(head -1 "$work/version")"

# Engines that keep images packed give that as their size, so the files themselves are counted.
"$engine" create --name "$name-size" "$service" >/dev/null
bytes=$("$engine" export "$name-size" | wc -c)
pulled=$("$engine" save "$service" 2>/dev/null | gzip -c | wc -c)
saw size "$((bytes / 1000000)) MB unpacked (less than $mostMB allowed), $((pulled / 1000000)) MB to pull"
[ $((bytes / 1000000)) -lt "$mostMB" ] || fail "the image is too large"
user=$("$engine" image inspect --format '{{.Config.User}}' "$service")
[ "$user" = 65532:65532 ] || fail "the image runs as $user"

run -d --name "$name-stripe" --network none "$service" simulate >/dev/null
own=container:$name-stripe # the network of the first: nothing but its loopback
for _ in $(seq 100); do
	config=$("$engine" logs "$name-stripe" 2>/dev/null | head -1)
	[ -n "$config" ] && break
	sleep 0.1
done
[ -n "$config" ] || fail "the simulated Stripe doesn't start"
printf '%s\n' "$config" >"$work/config.json"

# The arguments of the chart.
serve=(serve --listen=:50051 --health-listen=:50052 --metrics-listen=:9464 --drain=30s --insecure --allow-api-base=http://127.0.0.1:12111)
# start starts the service, and prints the milliseconds from the start of the process until it serves, by the clocks of both.
start() {
	"$engine" rm -f "$name-service" >/dev/null 2>&1 || true
	run -d --name "$name-service" --network "$own" --memory 256m "$service" "${serve[@]}" >/dev/null
	local begun serving
	for _ in $(seq 200); do
		serving=$("$engine" logs "$name-service" 2>&1 | sed -n 's/^{"time":"\([^"]*\)".*"serving".*/\1/p' | head -1)
		[ -n "$serving" ] && break
		sleep 0.05
	done
	[ -n "$serving" ] || fail "the service doesn't start: $("$engine" logs "$name-service" 2>&1)"
	begun=$("$engine" inspect --format '{{.State.StartedAt}}' "$name-service" | sed 's/ [A-Z]*$//')
	echo $((($(date -d "$serving" +%s%N) - $(date -d "$begun" +%s%N)) / 1000000))
}
best=
for _ in 1 2 3; do
	took=$(start)
	if [ -z "$best" ] || [ "$took" -lt "$best" ]; then best=$took; fi
done
saw "start to serving" "$best ms, the best of three (less than $mostMilliseconds allowed)"
[ "$best" -lt "$mostMilliseconds" ] || fail "serving takes too long"

status=/proc/$("$engine" inspect --format '{{.State.Pid}}' "$name-service")/status
if [ -r "$status" ]; then
	is() { grep -qE "^$1:\s+$2" "$status" || fail "the process has $(grep "^$1:" "$status")"; }
	is Uid '65532\s+65532' && is Gid '65532\s+65532' && is CapEff '0+$' && is NoNewPrivs 1
	saw process "user 65532, no capabilities, no new privileges"
else
	saw process "SKIPPED: it is not on this machine"
fi

health() { "$engine" exec "$name-service" /stripe-connector healthcheck --target "$1"; }
saw "health check, IPv4" "$(health 127.0.0.1:50051) $(health 127.0.0.1:50052)"
if grep -qs . /proc/net/if_inet6; then
	saw "health check, IPv6" "$(health '[::1]:50051') $(health '[::1]:50052')"
else
	saw "health check, IPv6" "SKIPPED: this machine has no IPv6"
fi

CGO_ENABLED=0 go build -modfile=tools/go.mod -o "$work/grpcurl" github.com/fullstorydev/grpcurl/cmd/grpcurl
run --rm --name "$name-caller" --network "$own" -v "$work/grpcurl:/grpcurl:ro" --entrypoint /grpcurl "$service" \
	-plaintext 127.0.0.1:50051 connector.v1.ConnectorService/Spec >"$work/spec" 2>&1 || fail "calling Spec" "$work/spec"
grep -q '"configSchema"' "$work/spec" || fail "Spec" "$work/spec"
saw "Spec by grpcurl" "$(grep -E '^  "(name|version)"' "$work/spec" | tr -d '\n",' | tr -s ' ')"

# sync runs a sync: IMAGE DESTINATION [ENGINE-ARGUMENT…].
sync() {
	run -i --rm --name "$name-sync" --network "$own" "${@:3}" "$1" sync --config - --target 127.0.0.1:50051 --to "$2" --streams charges,customers,invoices \
		<"$work/config.json" >"$work/sync.log" 2>&1
}
! sync "$service" jsonl:/rows || fail "a read-only container takes files"
grep -q 'read-only file system' "$work/sync.log" || fail "a sync into a read-only container" "$work/sync.log"
saw "sync without a volume" "$(tail -1 "$work/sync.log")"
for owner in 65532:65532 1449551462:0; do # the image's own, and one as OpenShift chooses
	rows=$work/rows-${owner%:*}
	mkdir -m 777 "$rows"
	sync "$service" jsonl:/rows --user "$owner" -v "$rows:/rows" || fail "a sync as $owner" "$work/sync.log"
	for stream in charges customers invoices; do
		[ -s "$rows/$stream.jsonl" ] || fail "$stream: no rows" "$work/sync.log"
	done
	saw "sync as $owner" "$(cat "$rows"/{charges,customers,invoices}.jsonl | wc -l) rows in JSON Lines"
done
if [ -n "$full" ]; then
	mkdir -m 777 "$work/database"
	for _ in first second; do
		sync "$full" sqlite:/rows/stripe.db -v "$work/database:/rows" || fail "a sync into SQLite" "$work/sync.log"
	done
	saw "two syncs into SQLite" "$(($(stat -c %s "$work/database/stripe.db") / 1000)) kB; the second: $(grep -E '^total' "$work/sync.log" | tr -s ' ')"
fi

# A Read that follows is in flight when the service is told to end. It must reach a checkpoint, and the client resume it.
mkdir -m 777 "$work/followed"
run -d -i --name "$name-follow" --network "$own" -v "$work/followed:/rows" -v "$work/config.json:/config.json:ro" "$service" \
	sync --config /config.json --target 127.0.0.1:50051 --to jsonl:/rows --streams charges --follow --verbose >/dev/null
for _ in $(seq 100); do
	[ -s "$work/followed/charges.jsonl" ] && break
	sleep 0.1
done
began=$SECONDS
"$engine" stop -t "$grace" "$name-service" >/dev/null
took=$((SECONDS - began))
code=$("$engine" inspect --format '{{.State.ExitCode}}' "$name-service")
[ "$code" = 0 ] || fail "the service ended with $code after $took s"
saw "SIGTERM during a Read" "ended with 0 within $((took + 1)) s of $grace"
start >/dev/null
for _ in $(seq 200); do
	resumed=$("$engine" logs "$name-service" 2>&1 | grep -c '"/connector.v1.ConnectorService/Read"\|"Read"' || true)
	[ "$resumed" -gt 0 ] && break
	sleep 0.1
done
[ "$resumed" -gt 0 ] || fail "the client doesn't resume: $("$engine" logs "$name-follow" 2>&1 | tail -5)"
[ "$("$engine" inspect --format '{{.State.Running}}' "$name-follow")" = true ] || fail "the client has ended"
saw "the next replica" "the client has resumed its Read"
echo "the images work"

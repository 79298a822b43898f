#!/usr/bin/env bash
# Runs compose.yaml and prints what was seen: a sync through the service, what happens if the sync or the service fails, and that nothing
# is left behind.
#
#   deploy/try-compose.sh [IMAGE]
#
#   IMAGE    the name of an image in the engine's store. Without it, one is built as for a release, which takes no registry.
#   COMPOSE  the command of Compose 2 or later; the first of "docker compose" and docker-compose that works by default
set -euo pipefail
cd "$(dirname "$0")/.."

compose=()
for candidate in ${COMPOSE:+"$COMPOSE"} "docker compose" docker-compose; do
	# Compose 1 doesn't read a file that has no version.
	if $candidate version --short 2>/dev/null | grep -qE '^v?([2-9]|[1-9][0-9])\.'; then
		read -ra compose <<<"$candidate"
		break
	fi
done
if [ ${#compose[@]} = 0 ] || ! docker info >/dev/null 2>&1; then
	[ ${#compose[@]} = 0 ] && reason="Compose 2 or later is missing" || reason="no engine answers the docker command"
	echo "SKIPPED: $reason: nothing was run." >&2
	exit "${WITHOUT_ENGINE:-1}"
fi

project=stripe-connector-try-$$
work=$(mktemp -d)
loaded=
project_compose() { "${compose[@]}" -p "$project" -f compose.yaml -f "$work/image.yaml" "$@"; }
finish() {
	project_compose down >/dev/null 2>&1 || true
	[ -z "$loaded" ] || docker rmi -f "$loaded" >/dev/null 2>&1 || true
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

image=${1:-}
if [ -z "$image" ]; then
	echo "building the image of a release"
	go -C tools run ./release v0.0.0-try "$work/dist" "linux/$(go env GOARCH)" >"$work/build.log" 2>&1 || fail "the release" "$work/build.log"
	image=$(docker load -i "$work/dist/stripe-connector_0.0.0-try_image.tar" 2>"$work/load.log" | sed -n 's/^Loaded image[^:]*: //p' | head -1)
	[ -n "$image" ] || fail "loading the image" "$work/load.log"
	loaded=$image
fi
limits=
if ! docker run --rm --network none "$image" --version >"$work/version" 2>&1; then
	limits=', ulimits: {nofile: 1024, nproc: 1024}' # inside another container, an engine may not raise limits
fi
echo services: >"$work/image.yaml"
for service in stripe service sync; do
	echo "  $service: {image: \"$image\"$limits}" >>"$work/image.yaml"
done
saw engine "Docker API of $(docker version --format '{{(index .Server.Components 0).Name}} {{.Server.Version}}')"
saw compose "$("${compose[@]}" version --short)"

# up runs everything until the sync ends: FILE-THAT-OVERRIDES…
up() {
	local files=()
	for file in "$@"; do files+=(-f "$file"); done
	timeout 180 "${compose[@]}" -p "$project" -f compose.yaml -f "$work/image.yaml" "${files[@]}" up --no-build --exit-code-from sync >"$work/up.log" 2>&1
}
# state prints a part of a service's state: SERVICE PART.
state() { docker inspect --format "{{.State.$2}}" "$(project_compose ps -aq "$1")"; }
# down removes everything, and fails if something is left.
down() {
	project_compose down >"$work/down.log" 2>&1 || fail "docker compose down" "$work/down.log"
	for kind in container network volume; do
		all=()
		[ "$kind" != container ] || all=(-a)
		left=$(docker "$kind" ls -q "${all[@]}" --filter "label=com.docker.compose.project=$project")
		[ -z "$left" ] || fail "docker compose down leaves a $kind behind: $left"
	done
}

up || fail "docker compose up" "$work/up.log"
report=$(project_compose logs --no-log-prefix sync 2>/dev/null | sed -n 's/^total */total /p' | tr -s ' ')
[ -n "$report" ] || fail "the sync prints no report" "$work/up.log"
saw sync "ended with 0; $report"
[ "$(state service ExitCode)" = 0 ] || fail "the service ended with $(state service ExitCode)" "$work/up.log"
saw "the end" "up stops the service, which ends with 0"
down
saw down "no container, network or volume is left"

printf 'services: {sync: {command: [sync, --config, /config.json, --target, "127.0.0.1:50051", --to, "jsonl:/config.json/rows"]}}\n' >"$work/failing.yaml"
! up "$work/failing.yaml" || fail "a sync that fails ends with 0" "$work/up.log"
saw "a sync that fails" "up ends with the code of the sync, $(state sync ExitCode)"
[ "$(state sync ExitCode)" != 0 ] || fail "the sync didn't run" "$work/up.log"
down

printf 'services: {service: {command: [serve, --listen, "127.0.0.1:50059"]}}\n' >"$work/unhealthy.yaml"
! up "$work/unhealthy.yaml" || fail "a service that isn't healthy is called" "$work/up.log"
[ "$(state sync Status)" = created ] || fail "the sync runs although the service isn't healthy" "$work/up.log"
grep -q 'is unhealthy' "$work/up.log" || fail "the service's health isn't the reason" "$work/up.log"
saw "an unhealthy service" "up fails, and the sync is not started"
down
echo "compose.yaml works"

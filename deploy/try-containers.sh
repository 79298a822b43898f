#!/usr/bin/env bash
# Builds the image from the Dockerfile and runs it with deploy/try-image.sh.
#
#   ENGINE       docker or podman; the first that works by default
#   BUILD_IMAGE  the image to build in. Where it cannot be had, one is made of this machine's Go and certificate authorities.
#   GOPROXY …    Go's own settings are passed to the build
set -euo pipefail
cd "$(dirname "$0")/.."

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
work=$(mktemp -d)
finish() {
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

ENGINE=$engine deploy/try-image.sh "$image"

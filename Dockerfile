# The images are arguments, so that a mirror or a local image can replace them. A digest pins them for good: copy it from your registry,
# as in --build-arg BUILD_IMAGE=golang:1.27.3-bookworm@sha256:…
ARG BUILD_IMAGE=golang:1.27.3-bookworm
ARG SHELL_IMAGE=busybox:1.37-musl

# Go compiles for any platform, so this stage always runs on the builder's own: docker buildx build --platform linux/amd64,linux/arm64
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
ARG TARGETOS TARGETARCH
ARG VERSION=dev REVISION=
# The service needs no database. Without SQLite and PostgreSQL, the image that each node pulls is a third smaller. Commands that
# need a database say so. To build the full program, use --build-arg PROGRAM=stripe-connector.
ARG PROGRAM=stripe-connector-service
# The folder of the program's module, such as orchestrate/temporal.
ARG MODULE=.
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -C "${MODULE}" -trimpath -ldflags "-s -w -buildid= \
	-X github.com/stripe-connector/stripe-connector/internal/cli.release=${VERSION} \
	-X github.com/stripe-connector/stripe-connector/internal/cli.commit=${REVISION}" -o /out/stripe-connector "./cmd/${PROGRAM}"

# The same program as an Airbyte source: docker build --target airbyte. Airbyte on Kubernetes starts connectors with a shell, as
# the user of its choice, and with nothing but /tmp and a mounted folder to write to.
FROM ${SHELL_IMAGE} AS airbyte
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stripe-connector /stripe-connector
ENV AIRBYTE_ENTRYPOINT="/stripe-connector airbyte"
USER 65532:65532
ENTRYPOINT ["/stripe-connector", "airbyte"]

# Only the binary and the CA certificates: no shell, no package manager. For a program that isn't the service: --target program
FROM scratch AS program
ARG VERSION=dev REVISION= CREATED=
LABEL org.opencontainers.image.title="The Stripe connector" \
	org.opencontainers.image.version="${VERSION}" \
	org.opencontainers.image.revision="${REVISION}" \
	org.opencontainers.image.source="https://github.com/stripe-connector/stripe-connector" \
	org.opencontainers.image.licenses="Apache-2.0" \
	org.opencontainers.image.created="${CREATED}"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stripe-connector /stripe-connector
USER 65532:65532
ENTRYPOINT ["/stripe-connector"]

FROM program
EXPOSE 50051
HEALTHCHECK CMD ["/stripe-connector", "healthcheck"]
# A container can't be reached over loopback, and the image has no certificate, so the default is clear text: run it like this
# only in a network that you trust. For TLS, pass other arguments (see serve --help).
CMD ["serve", "--listen", "0.0.0.0:50051", "--insecure"]

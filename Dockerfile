# The images are arguments, so that a mirror or a local stand-in can take their place.
ARG BUILD_IMAGE=golang:1.26-bookworm

FROM ${BUILD_IMAGE} AS build
ARG VERSION=dev
# A service needs no database, and without SQLite and PostgreSQL the image is a third smaller: each node pulls it. The commands
# that need one say so; --build-arg TAGS= makes the full binary.
ARG TAGS=service
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN go build -tags "${TAGS}" -trimpath -ldflags "-s -w -buildid= -X main.release=${VERSION}" -o /out/stripe-connector ./cmd/stripe-connector

# Nothing but the binary and the authorities that it trusts: no shell, no package manager.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/stripe-connector /stripe-connector
USER 65532:65532
EXPOSE 50051
HEALTHCHECK CMD ["/stripe-connector", "healthcheck"]
ENTRYPOINT ["/stripe-connector"]
# A container is reached over a network that is not its own loopback, and the image has no certificate: whoever runs it with
# this default says that the network may be trusted. With TLS, the arguments are others (see serve --help).
CMD ["serve", "--listen", "0.0.0.0:50051", "--insecure"]

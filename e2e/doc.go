// Package e2e contains the black-box tests. They run a client, the server and the Stripe source over real gRPC on loopback,
// against the simulated Stripe and against Stripe's own mock server.
package e2e

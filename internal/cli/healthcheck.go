package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stripe-connector/stripe-connector/client"
)

const healthcheckHelp = `Checks a service's health over gRPC. The exit code is 0 if the service is SERVING, and 1 otherwise. Containers run it as
their probe, since the image has no shell.

It reads the environment variables of serve: if --health-listen is set, it connects there, in plaintext; otherwise to
--listen, with TLS if --tls-cert is set. The service's certificate is verified only with --tls-ca, since no secret is sent
and the response contains only the status. A service that requires a certificate of every client needs a --health-listen.`

// probe holds the flags of healthcheck.
type probe struct {
	target           string
	timeout          time.Duration
	tls              bool
	ca, name         string
	certificate, key string
}

func (a *app) healthcheck() *cobra.Command {
	p := &probe{}
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Report through the exit code whether a service is healthy",
		Long:  healthcheckHelp,
		Example: `  stripe-connector healthcheck
  stripe-connector healthcheck --target 127.0.0.1:50051 --timeout 1s
  stripe-connector healthcheck --target connector.example.com:50051 --tls-ca ca.crt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p.target == "" {
				p.findTarget(a.getenv)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), p.timeout)
			defer cancel()
			if err := p.ask(ctx); err != nil {
				return fmt.Errorf("%s is not healthy: %w", p.target, err)
			}
			_, err := fmt.Fprintln(a.stdout, "SERVING")
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&p.target, "target", "", "`host:port` of the service (default: the address that serve listens on, from the environment)")
	flags.DurationVar(&p.timeout, "timeout", 3*time.Second, "`time` to wait for the response")
	flags.BoolVar(&p.tls, "tls", false, "use TLS (implied by any other TLS flag)")
	flags.StringVar(&p.ca, "tls-ca", "", "PEM `file` of the authorities that issue the service's certificate (default: not verified)")
	flags.StringVar(&p.name, "tls-server-name", "", "`name` in the service's certificate (default: the host of the target)")
	flags.StringVar(&p.certificate, "tls-cert", "", "PEM `file` of a client certificate")
	flags.StringVar(&p.key, "tls-key", "", "PEM `file` of its private key")
	return cmd
}

// findTarget sets the target from the environment variables of serve.
func (p *probe) findTarget(getenv func(string) string) {
	if listen := getenv(variable("health-listen")); listen != "" {
		*p = probe{target: probeTarget(listen), timeout: p.timeout} // the health listener has no TLS
		return
	}
	p.target = probeTarget(cmp.Or(getenv(variable("listen")), defaultListen))
}

// probeTarget returns the address at which this machine can reach a service that listens on listen.
func probeTarget(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// ask returns nil if the service is healthy.
func (p *probe) ask(ctx context.Context) error {
	creds, err := p.credentials()
	if err != nil {
		return err
	}
	service, err := client.Dial(p.target, client.Options{Credentials: creds})
	if err != nil {
		return err
	}
	return errors.Join(service.Health(ctx), service.Close())
}

func (p *probe) credentials() (credentials.TransportCredentials, error) {
	if !p.tls && p.ca == "" && p.name == "" && p.certificate == "" {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: p.name, InsecureSkipVerify: p.ca == ""}
	if p.ca != "" {
		authorities, err := os.ReadFile(p.ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("%s contains no PEM certificate", p.ca)
		}
	}
	if p.certificate != "" {
		pair, err := tls.LoadX509KeyPair(p.certificate, p.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

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

const healthcheckHelp = `Asks a service for its health over gRPC. The exit code is 0 if it is SERVING and 1 if not. Containers run it as their
probe, since the image has no shell.

It takes its settings from the environment of serve: where there is a --health-listen, it asks there, in clear text. Without
one it asks at --listen, with TLS if there is a --tls-cert. Whom it talks to is verified only with --tls-ca, since nothing
secret is sent and the answer says nothing but that the service is well. A service that asks every client for a certificate
needs a --health-listen.`

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
		Short: "Report whether a service is healthy, by the exit code",
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
	flags.StringVar(&p.target, "target", "", "`host:port` of the service (default: where serve listens, by the environment)")
	flags.DurationVar(&p.timeout, "timeout", 3*time.Second, "`time` to wait for the answer")
	flags.BoolVar(&p.tls, "tls", false, "speak TLS (any other TLS flag says so too)")
	flags.StringVar(&p.ca, "tls-ca", "", "PEM `file` of the authorities that vouch for the service (default: it is not verified)")
	flags.StringVar(&p.name, "tls-server-name", "", "`name` in the service's certificate (default: the host of the target)")
	flags.StringVar(&p.certificate, "tls-cert", "", "PEM `file` of a certificate to show")
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
			return nil, fmt.Errorf("%s holds no certificate in PEM", p.ca)
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

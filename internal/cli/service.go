package cli

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/server"
)

// pipeBytes is the buffer size of the in-memory connection to an in-process service.
const pipeBytes = 1 << 20

// shutdownTime bounds the shutdown of an in-process service.
const shutdownTime = 5 * time.Second

// call holds the flags of commands that call the service.
type call struct {
	target, configPath, keyPath string
	plaintext                   bool
	dial                        client.Options
}

func (c *call) addTarget(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.target, "target", "",
		"`host:port` of a running service; plaintext on this machine, TLS elsewhere (default: run the service in-process)")
	flags := cmd.Flags()
	flags.BoolVar(&c.plaintext, "plaintext", false, "with --target: connect without TLS, for example because a service mesh encrypts the connection")
	flags.StringVar(&c.dial.CAFile, "ca-file", "", "PEM `file` of the authorities trusted to issue the service's certificate")
	flags.StringVar(&c.dial.CertFile, "cert-file", "", "PEM `file` of a client certificate, with --key-file")
	flags.StringVar(&c.dial.KeyFile, "key-file", "", "PEM `file` of the client certificate's key")
	flags.StringVar(&c.dial.TokenFile, "token-file", "", "`file` with a token to send to the service")
}

func (c *call) addConfig(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.configPath, "config", "",
		"JSON `file` with the configuration, or - for stdin (default: the key in STRIPE_API_KEY)")
	cmd.Flags().StringVar(&c.keyPath, "api-key-file", "", "`file` with the API key, if the configuration has none")
}

// with reads the configuration, and calls do with it and a client of the service.
func (c *call) with(ctx context.Context, a *app, do func(*client.Client, *structpb.Struct) error) error {
	config, err := c.config(ctx, a)
	if err != nil {
		return err
	}
	return c.connected(a, ctx, config, func(service *client.Client) error { return do(service, config) })
}

// connected calls do with a client of the service at --target. Without --target, it runs a service in this process,
// which may call the api_base of the configuration, since that is the user's own.
func (c *call) connected(a *app, ctx context.Context, config *structpb.Struct, do func(*client.Client) error) error {
	if c.target == "" {
		return a.inProcess(ctx, apiBase(config), do)
	}
	if c.plaintext {
		c.dial.Credentials = insecure.NewCredentials()
	}
	service, err := client.Dial(c.target, c.dial)
	if err != nil {
		return err
	}
	return errors.Join(do(service), service.Close())
}

// inProcess runs a service in this process while do runs.
func (a *app) inProcess(ctx context.Context, allowedAPIBases []string, do func(*client.Client) error) error {
	listener := bufconn.Listen(pipeBytes)
	s := server.New(a.source(allowedAPIBases, nil), server.Options{Version: buildVersion()})
	var serving errgroup.Group
	serving.Go(func() error { return s.Serve(listener) })
	service, err := client.Dial("passthrough:///in-process", client.Options{
		Credentials: insecure.NewCredentials(), // the connection is in memory
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(
			func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })},
	})
	if err == nil {
		err = errors.Join(do(service), service.Close())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	return errors.Join(err, s.Shutdown(ctx), serving.Wait())
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/stripe-connector/stripe-connector/internal/page"
	"github.com/stripe-connector/stripe-connector/server"
	"github.com/stripe-connector/stripe-connector/server/watch"
)

// defaultListen is the default address for serve to listen on, and for healthcheck to call.
const defaultListen = "127.0.0.1:50051"

const serveHelp = `Serves connector.v1.ConnectorService, gRPC health and reflection until SIGTERM or SIGINT. Then health turns NOT_SERVING,
new Reads are refused, and running Reads end at their next checkpoint with has_more, so that callers can resume them
elsewhere. Calls still running after --drain are cut off; a second signal ends the process at once. Logs are JSON lines on
stderr, without payloads.

To listen beyond this machine, it requires TLS, unless --insecure is set. Callers authenticate with a certificate issued by
--tls-client-ca or a token from --tokens; if both are set, either suffices. The token file has one token per line, of at
least 16 characters, followed by the names of the secrets that its bearer may use (default: all). These files are reloaded
when they change.

Instead of a key, a configuration may name a file in --secrets-dir: {"api_key": {"secret": "stripe-prod"}}. It may name an
api_base other than Stripe's only if --allow-api-base allows it.

` + metricsHelp + `

The exit code is 0 after a signal, and 1 if it could not listen or had to cut off calls; the last line of the log says which.`

// serving holds the flags of serve.
type serving struct {
	listen, healthListen string
	insecure             bool
	tls                  server.TLSFiles
	tokens, secrets      string
	audit                string
	trustTraces          bool
	health, reflection   access
	allowed              []string
	drain                time.Duration
	limits               server.Options
	watching             metricsFlags
}

func (a *app) serve() *cobra.Command {
	s := &serving{health: access(server.Open)}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gRPC service",
		Long:  serveHelp,
		Example: `  stripe-connector serve
  stripe-connector serve --listen 0.0.0.0:50051 --tls-cert tls.crt --tls-key tls.key --tokens tokens --health-listen 0.0.0.0:50052
  stripe-connector serve --secrets-dir /var/run/secrets/stripe --drain 1m --metrics-listen 127.0.0.1:9464
  stripe-connector serve --allow-api-base http://127.0.0.1:12111`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listenAndServe(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.listen, "listen", defaultListen, "`address` to listen on")
	flags.StringVar(&s.healthListen, "health-listen", "", "`address` that serves only health, in plaintext and without authentication, for probes")
	flags.BoolVar(&s.insecure, "insecure", false, "allow plaintext beyond this machine, for trusted networks")
	flags.StringVar(&s.tls.Cert, "tls-cert", "", "PEM `file` of the server's certificate and intermediate certificates")
	flags.StringVar(&s.tls.Key, "tls-key", "", "PEM `file` of its private key")
	flags.StringVar(&s.tls.ClientCA, "tls-client-ca", "", "PEM `file` of the authorities that issue client certificates")
	flags.StringVar(&s.tokens, "tokens", "", "`file` of bearer tokens")
	flags.Var(&s.health, "health", "who may query health: `open`, guarded (as calls are), or off")
	flags.Var(&s.reflection, "reflection", "who may use reflection: open, `guarded` (as calls are), or off")
	flags.StringVar(&s.secrets, "secrets-dir", "", "`folder` of secrets that configurations may refer to")
	flags.StringSliceVar(&s.allowed, "allow-api-base", nil, "`URL` that configurations may use as api_base (repeatable)")
	flags.StringVar(&s.audit, "audit-log", "", "`file` that gets a JSON line for each call that reads: who read what and how much, never content")
	flags.BoolVar(&s.trustTraces, "trust-traceparent", false, "let the caller's traceparent decide what is sampled")
	flags.DurationVar(&s.drain, "drain", 30*time.Second, "`time` for running calls to end after a signal")
	s.limitFlags(cmd)
	s.watching.flags(cmd)
	return cmd
}

// limitFlags adds the flags that limit what callers may use of the service.
func (s *serving) limitFlags(cmd *cobra.Command) {
	flags, l := cmd.Flags(), &s.limits
	flags.IntVar(&l.MaxReads, "max-reads", 256, "maximum number of concurrent Reads; others are refused with a retry delay (0: no limit)")
	flags.IntVar(&l.MaxReadsPerAccount, "max-reads-per-account", 0, "maximum number of concurrent Reads of one account (0: no limit)")
	flags.IntVar(&l.MaxConnections, "max-connections", 10_000, "maximum number of open connections; others wait (0: no limit)")
	flags.IntVar(&l.MaxRecvBytes, "max-request-bytes", 4<<20, "maximum size of a request, in bytes")
	flags.IntVar(&l.MaxMessageBytes, "max-message-bytes", 4<<20, "maximum size of a message sent, in bytes; clients must accept it")
	flags.DurationVar(&l.StallTimeout, "stall-timeout", 10*time.Minute, "end a Read whose client receives nothing for this `time`")
	flags.DurationVar(&l.HandshakeTimeout, "handshake-timeout", 20*time.Second, "`time` for a connection to complete its handshake, and for a call to send its request")
	flags.DurationVar(&l.ConnectionIdle, "connection-idle", 15*time.Minute, "close connections without calls after this `time`")
	flags.DurationVar(&l.ConnectionAge, "connection-age", 30*time.Minute, "make clients reconnect after this `time`, to balance calls")
	flags.DurationVar(&l.ConnectionAgeGrace, "connection-age-grace", 24*time.Hour, "`time` for calls to end on a connection that reached its age")
	flags.DurationVar(&l.MinPing, "min-ping", 10*time.Second, "disconnect clients that ping more often than this `interval`")
}

// listenAndServe opens the listeners and serves until ctx is done.
func (a *app) listenAndServe(ctx context.Context, s *serving) error {
	if a.getenv("GOGC") == "" {
		debug.SetGCPercent(server.GCPercent)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.listen)
	if err != nil {
		return fmt.Errorf("cannot listen: choose another address with --listen: %w", err)
	}
	at := listeners{calls: listener}
	if err := errors.Join(s.checkClearText(listener.Addr()), s.checkSecrets(listener.Addr())); err != nil {
		return errors.Join(err, at.close())
	}
	if s.healthListen != "" {
		if at.health, err = new(net.ListenConfig).Listen(ctx, "tcp", s.healthListen); err != nil {
			return errors.Join(fmt.Errorf("cannot listen: choose another address with --health-listen: %w", err), at.close())
		}
	}
	if at.metrics, err = s.watching.open(ctx); err != nil {
		return errors.Join(err, at.close())
	}
	return a.serveOn(ctx, at, s)
}

// listeners are serve's listeners: for calls, for health checks alone, and for metrics over HTTP. The last two may be
// nil.
type listeners struct{ calls, health, metrics net.Listener }

func (l listeners) close() error {
	var errs []error
	for _, listener := range []net.Listener{l.calls, l.health, l.metrics} {
		if listener != nil {
			errs = append(errs, listener.Close())
		}
	}
	return errors.Join(errs...)
}

// checkClearText returns an error if API keys and customer data would leave this machine in plaintext, unless
// --insecure is set.
func (s *serving) checkClearText(address net.Addr) error {
	if s.tls.Cert != "" || s.insecure || isLoopback(address) {
		return nil
	}
	return fmt.Errorf("refuse to listen on %s in plaintext: others could read API keys and customer data. "+
		"Set --tls-cert and --tls-key, listen on 127.0.0.1, or set --insecure if the network is trusted", s.listen)
}

// checkSecrets returns an error if anyone who can reach the service from another machine could use the keys in
// --secrets-dir.
func (s *serving) checkSecrets(address net.Addr) error {
	if s.secrets == "" || s.tokens != "" || s.tls.ClientCA != "" || isLoopback(address) {
		return nil
	}
	return fmt.Errorf("refuse to listen on %s with --secrets-dir but without authentication: everyone who can reach the service could use "+
		"the keys in it. Set --tokens or --tls-client-ca, or listen on 127.0.0.1", s.listen)
}

func isLoopback(address net.Addr) bool {
	tcp, ok := address.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// options returns the server options for the flags, and opens the files that they name. The caller calls closeAll
// after the server has stopped, also if err is not nil.
func (s *serving) options(logger *slog.Logger) (o server.Options, closeAll func(), err error) {
	o, closeAll = s.limits, func() {}
	o.Logger, o.Version = logger, buildVersion()
	o.Health, o.Reflection = server.Access(s.health), server.Access(s.reflection)
	if (s.tls.Cert == "") != (s.tls.Key == "") {
		return o, closeAll, errors.New("--tls-cert and --tls-key must be set together")
	}
	if s.tls.ClientCA != "" && s.tls.Cert == "" {
		return o, closeAll, errors.New("--tls-client-ca requires TLS: set --tls-cert and --tls-key too")
	}
	if s.tls.Cert != "" {
		s.tls.TokensToo = s.tokens != ""
		if o.Credentials, err = server.LoadTLS(s.tls, logger); err != nil {
			return o, closeAll, fmt.Errorf("load the TLS files: %w", err)
		}
	}
	if s.tokens != "" {
		if o.Tokens, err = server.LoadTokens(s.tokens, logger); err != nil {
			return o, closeAll, fmt.Errorf("load the tokens: %w", err)
		}
	}
	var opened []io.Closer
	closeAll = func() {
		for _, c := range opened {
			_ = c.Close()
		}
	}
	if s.secrets != "" {
		if o.Secrets, err = server.OpenSecrets(s.secrets); err != nil {
			return o, closeAll, fmt.Errorf("open the folder of secrets: %w", err)
		}
		opened = append(opened, o.Secrets)
	}
	if s.audit != "" {
		file, err := os.OpenFile(s.audit, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return o, closeAll, fmt.Errorf("open the audit log: %w", err)
		}
		opened = append(opened, file)
		o.Audit = slog.New(slog.NewJSONHandler(file, nil))
	}
	return o, closeAll, nil
}

// serveOn serves on the listeners until ctx is done, then drains. It closes the listeners.
func (a *app) serveOn(ctx context.Context, at listeners, flags *serving) error {
	logger := slog.New(watch.Logs(slog.NewJSONHandler(a.stderr, nil)))
	options, closeAll, err := flags.options(logger)
	defer closeAll()
	if err != nil {
		return errors.Join(err, at.close())
	}
	tracer, flush, err := a.tracing(ctx, logger)
	defer flush()
	if err != nil {
		return errors.Join(err, at.close())
	}
	watched := watch.New(watch.Options{Version: buildVersion(), Tracer: tracer, TrustCallers: flags.trustTraces})
	options.Observer, options.GRPC = watched, watched.ServerOptions()
	source := a.source(flags.allowed, watched)
	s := server.New(source, options)
	watched.Serving(source, s)

	serving, ended := errgroup.WithContext(ctx)
	serving.Go(func() error { return s.Serve(at.calls) })
	if at.health != nil {
		serving.Go(func() error { return s.ServeHealth(at.health) })
	}
	metrics := page.New(watched.Handler(s.Draining, flags.watching.profiles))
	if at.metrics != nil {
		serving.Go(func() error { return page.Serve(metrics, at.metrics) })
		logger.Info("serving metrics", "address", at.metrics.Addr().String(), "pprof", flags.watching.profiles)
	}
	logger.Info("serving", "address", at.calls.Addr().String(), "version", buildVersion(),
		"tls", options.Credentials != nil, "tokens", options.Tokens != nil, "traces", tracer != nil)
	<-ended.Done() // because of a signal, or because serving failed
	logger.Info("draining", "limit", flags.drain.String())
	began := time.Now()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), flags.drain)
	defer cancel()
	shutdown := s.Shutdown(limit)
	_ = metrics.Close() // not earlier: until now, it reports that the service is draining
	if err := serving.Wait(); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	took := time.Since(began).Round(time.Millisecond).String()
	if cut, ok := errors.AsType[*server.CutOffError](shutdown); ok {
		logger.Error("ended with calls cut off: allow more time with --drain", "calls", cut.Calls, "took", took)
		return failedError{cut}
	}
	logger.Info("ended after all calls were done", "took", took)
	return nil
}

// access is a flag that says who may call a service such as health or reflection.
type access server.Access

var accesses = []string{server.Guarded: "guarded", server.Open: "open", server.Closed: "off"}

// String returns the flag's value.
func (v *access) String() string { return accesses[*v] }

// Set parses the flag's value.
func (v *access) Set(word string) error {
	for i, known := range accesses {
		if word == known {
			*v = access(i)
			return nil
		}
	}
	return fmt.Errorf("choose one of %s", strings.Join(accesses, ", "))
}

// Type returns the name of the flag's type, for help.
func (v *access) Type() string { return "access" }

package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// TLSFiles holds the paths of a server's PEM files. The files are reloaded when their content changes.
type TLSFiles struct {
	// Cert is the path of the server's certificate, followed by intermediate certificates.
	Cert string
	// Key is the path of Cert's private key.
	Key string
	// ClientCA is the path of the CA certificates for client certificates. If empty, clients need no certificate.
	ClientCA string
	// TokensToo admits clients without a certificate, so that they can authenticate with one of [Options.Tokens] instead.
	TokensToo bool
}

// LoadTLS returns transport credentials for a server. Reloading the files does not affect open connections.
func LoadTLS(files TLSFiles, logger *slog.Logger) (credentials.TransportCredentials, error) {
	paths := []string{files.Cert, files.Key}
	if files.ClientCA != "" {
		paths = append(paths, files.ClientCA)
	}
	current, err := reload(logger, files.parse, paths...)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.get() },
	}), nil
}

// parse returns the TLS configuration for the given contents of the files.
func (f TLSFiles) parse(contents [][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"h2"},
		// Resumption would save little, as connections are long-lived, and would admit clients after their CA was removed.
		SessionTicketsDisabled: true,
	}
	if f.ClientCA == "" {
		return config, nil
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(contents[2]) {
		return nil, errors.New("the file of client authorities contains no PEM certificate")
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if f.TokensToo {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}

// certified returns the subject of the client's verified certificate, and whether it has presented one.
func certified(ctx context.Context) (subject string, ok bool) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return "", false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return "", false
	}
	return subjectOf(info.State.PeerCertificates[0]), true
}

// subjectOf returns a name for a certificate: its common name, first URI, first DNS name, or serial number.
func subjectOf(cert *x509.Certificate) string {
	switch {
	case cert.Subject.CommonName != "":
		return cert.Subject.CommonName
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	}
	return "serial " + cert.SerialNumber.String()
}

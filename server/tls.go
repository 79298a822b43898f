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

// TLSFiles names the PEM files of a server. They are read again when their content changes.
type TLSFiles struct {
	// Cert is the server's certificate, followed by the intermediate ones.
	Cert string
	// Key is the private key of Cert.
	Key string
	// ClientCA holds the authorities that may vouch for clients. Empty means that clients need no certificate.
	ClientCA string
	// TokensToo admits clients without a certificate, so that [Options.Tokens] can require a token instead.
	TokensToo bool
}

// LoadTLS makes the credentials of a server. Connections that are open keep to the files of their handshake.
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

// parse makes the configuration of the next handshakes.
func (f TLSFiles) parse(contents [][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"h2"},
		// Connections live long, and a ticket would let a client in past authorities that are gone.
		SessionTicketsDisabled: true,
	}
	if f.ClientCA == "" {
		return config, nil
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(contents[2]) {
		return nil, errors.New("the file of client authorities holds no certificate in PEM")
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if f.TokensToo {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}

// certified returns the subject of the verified certificate that the client of a call has shown, and whether it has.
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

// subjectOf names a certificate: by its common name, or its first URI or DNS name.
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

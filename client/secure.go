package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// transport returns the transport credentials for target.
func (o *Options) transport(target string) (credentials.TransportCredentials, error) {
	files := o.CAFile != "" || o.CertFile != "" || o.KeyFile != ""
	switch {
	case o.Credentials != nil && (files || o.ServerName != ""):
		return nil, errors.New("credentials and certificate files can't be combined: set one of them")
	case o.Credentials != nil:
		return o.Credentials, nil
	case !files && o.ServerName == "" && isLocal(target):
		return insecure.NewCredentials(), nil
	case (o.CertFile == "") != (o.KeyFile == ""):
		return nil, errors.New("a certificate and its key are required together: set both files")
	}
	config := &tls.Config{ServerName: o.ServerName, MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s contains no certificate: it must be a PEM file", o.CAFile)
		}
	}
	if o.CertFile != "" {
		load := func() (*tls.Certificate, error) {
			certificate, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("read the certificate of %s and its key: %w", o.CertFile, err)
			}
			return &certificate, nil
		}
		if _, err := load(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return credentials.NewTLS(config), nil
}

// bearer sends a token with each call.
type bearer struct {
	token, file string
	plaintext   bool // whether plaintext is allowed because the target is on this machine
}

// token returns the per-call credentials for target. If a token would be sent in plaintext to another machine, it
// returns an error that says what to do, which gRPC's own error doesn't.
func (o *Options) token(target string, creds credentials.TransportCredentials) (credentials.PerRPCCredentials, error) {
	b := bearer{o.Token, o.TokenFile, isLocal(target)}
	if b.token != "" && b.file != "" {
		return nil, errors.New("a token and a token file can't be combined: set one of them")
	}
	if creds.Info().SecurityProtocol == "insecure" && !b.plaintext {
		return nil, errors.New("a token is not sent in plaintext to another machine: use TLS, or remove the token")
	}
	_, err := b.read()
	return b, err
}

// read returns the current token.
func (b bearer) read() (string, error) {
	token := b.token
	if b.file != "" {
		content, err := os.ReadFile(b.file)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		token = string(content)
	}
	token = strings.TrimSpace(token)
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the token is empty or contains characters that a header can't carry: it must be one line of visible ASCII")
	}
	return token, nil
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := b.read()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b bearer) RequireTransportSecurity() bool { return !b.plaintext }

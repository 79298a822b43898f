package temporal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// frame is a message that a gateway forwards as it is.
type frame []byte

type frameCodec struct{}

func (frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*frame))}, nil
}

func (frameCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*frame) = data.Materialize()
	return nil
}

func (frameCodec) Name() string { return "proto" }

// serveGateway forwards calls to the tests' server, as Temporal Cloud would: over TLS, with an API key, and without the
// operator service. It returns its address and the file of its authority.
func serveGateway(t *testing.T, key string) (address, authority string) {
	t.Helper()
	certificate, authority := newCertificate(t)
	backend, err := grpc.NewClient(server.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	forward := func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		headers, _ := metadata.FromIncomingContext(stream.Context())
		if got := headers.Get("authorization"); len(got) != 1 || got[0] != "Bearer "+key {
			return serviceerror.ToStatus(serviceerror.NewPermissionDenied("Request unauthorized.", "")).Err()
		}
		if strings.Contains(method, ".OperatorService/Add") {
			return serviceerror.ToStatus(serviceerror.NewPermissionDenied("no operators here", "")).Err()
		}
		var message frame
		if err := stream.RecvMsg(&message); err != nil {
			return err
		}
		var answer frame
		if err := backend.Invoke(stream.Context(), method, &message, &answer, grpc.ForceCodecV2(frameCodec{})); err != nil {
			return err
		}
		return stream.SendMsg(&answer)
	}
	s := grpc.NewServer(grpc.ForceServerCodecV2(frameCodec{}), grpc.UnknownServiceHandler(forward), grpc.Creds(credentials.NewServerTLSFromCert(&certificate)))
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := errors.Join(<-served, backend.Close()); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String(), authority
}

// newCertificate returns a certificate for the loopback interface that is its own authority, and the file that contains it.
func newCertificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

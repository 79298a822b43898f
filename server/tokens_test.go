package server

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
)

const (
	firstToken  = "first-token-0123456789"
	secondToken = "second-token-0123456789"
)

func tokensIn(t *testing.T, content string) (*Tokens, string, *logs) {
	t.Helper()
	path, logs := filepath.Join(t.TempDir(), "tokens"), &logs{}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	tokens, err := LoadTokens(path, slog.New(slog.NewJSONHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return tokens, path, logs
}

func askReflection(ctx context.Context, conn *grpc.ClientConn) error {
	stream, err := reflectionv1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		return err
	}
	_ = stream.Send(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{},
	})
	_, err = stream.Recv()
	return err
}

func TestTokensAuthenticate(t *testing.T) {
	tokens, path, _ := tokensIn(t, "# of the pipeline\n"+firstToken+"\n\n"+secondToken+"  stripe-prod\n")
	_, address := listen(t, Options{Tokens: tokens})
	as := func(authorization string) error {
		return caller{address: address, token: authorization}.call(t, spec)
	}
	for _, good := range []string{"Bearer " + firstToken, "bearer " + secondToken} {
		if err := as(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", firstToken, "Basic " + firstToken, "Bearer ", "Bearer " + firstToken[1:], "Bearer " + firstToken + "x", "Bearer stripe-prod",
	} {
		err := as(bad)
		if status.Code(err) != codes.Unauthenticated || detailsOf(t, err).info.GetReason() != "AUTH" {
			t.Errorf("%q: %v, want UNAUTHENTICATED", bad, err)
		}
		if strings.Contains(err.Error(), "0123456789") {
			t.Errorf("the error repeats the token: %v", err)
		}
	}

	if err := os.WriteFile(path, []byte(secondToken), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookAgain + 100*time.Millisecond)
	if err := as("Bearer " + firstToken); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a token that was taken out: %v", err)
	}
	if err := as("Bearer " + secondToken); err != nil {
		t.Errorf("a token that was left: %v", err)
	}
}

func TestTokensOrCertificate(t *testing.T) {
	a, clients := newAuthority(t), newAuthority(t)
	cert, key := a.issue(t, "connector")
	m := newMount(t, map[string]string{"tls.crt": string(cert), "tls.key": string(key), "ca.crt": string(clients.pem)})
	creds, err := LoadTLS(TLSFiles{
		Cert: m.path("tls.crt"), Key: m.path("tls.key"), ClientCA: m.path("ca.crt"), TokensToo: true,
	}, slog.Default())
	if err != nil {
		t.Fatal(err)
	}
	tokens, _, _ := tokensIn(t, firstToken)
	_, address := listen(t, Options{Credentials: creds, Tokens: tokens})
	tests := map[string]struct {
		issuer *authority
		token  string
		want   codes.Code
	}{
		"certificate":                      {clients, "", codes.OK},
		"token":                            {nil, "Bearer " + firstToken, codes.OK},
		"neither":                          {nil, "", codes.Unauthenticated},
		"certificate of another authority": {a, "Bearer " + firstToken, codes.Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := caller{address: address, tls: trusting(t, a, test.issuer), token: test.token}.call(t, spec)
			if status.Code(err) != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestHealthAndReflectionAreGuardedApart(t *testing.T) {
	tokens, _, _ := tokensIn(t, firstToken)
	want := map[Access][2]codes.Code{ // without and with the token
		Guarded: {codes.Unauthenticated, codes.OK}, Open: {codes.OK, codes.OK}, Closed: {codes.Unimplemented, codes.Unimplemented},
	}
	for health := range want {
		for reflection := range want {
			_, address := listen(t, Options{Tokens: tokens, Health: health, Reflection: reflection})
			for i, token := range []string{"", "Bearer " + firstToken} {
				c := caller{address: address, token: token}
				if got := status.Code(c.call(t, askHealth)); got != want[health][i] {
					t.Errorf("health %d with %q: %s", health, token, got)
				}
				if got := status.Code(c.call(t, askReflection)); got != want[reflection][i] {
					t.Errorf("reflection %d with %q: %s", reflection, token, got)
				}
			}
		}
	}
}

func TestLoadTokensRefuses(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"nothing":      {"\n# none yet\n", "contains no token"},
		"short":        {firstToken + "\nshort\n", "line 2: a token must have 16"},
		"odd":          {"sk_live_planted0123456789!\n", "line 1: a token must have 16"},
		"path":         {firstToken + " ../etc/passwd", "line 1: a token may only be followed by"},
		"two callers":  {firstToken + " caller=a caller=b", "line 1: caller=NAME must occur once"},
		"odd caller":   {firstToken + " caller=a/b", "line 1: caller=NAME must occur once"},
		"hidden files": {firstToken + " ..data", "line 1: a token may only be followed by"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens")
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadTokens(path, slog.Default())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want %q and the file's name", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "planted") {
				t.Errorf("the error repeats the content: %v", err)
			}
		})
	}
}

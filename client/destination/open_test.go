package destination_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
)

func TestOpen(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{
		"sqlite:" + filepath.Join(folder, "a.db"), "sqlite:" + filepath.Join(folder, "b.db?deletes=soft"),
		"sqlite:" + filepath.Join(folder, "c.db?mode=append&deletes=hard"), "sqlite:" + filepath.Join(folder, "why?.db?"),
		"jsonl:" + filepath.Join(folder, "lines"), "jsonl:" + filepath.Join(folder, "packed?compress=zstd&rotate=64MB"),
	} {
		d, err := all.Kinds().Open(t.Context(), name)
		if err != nil {
			t.Fatalf("open %s: %v", name, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := map[string]struct{ destination, want string }{
		"no kind":      {"stripe.db", "doesn't start with a kind: use a name such as sqlite:stripe.db or postgres://user@host/database or jsonl:folder"},
		"nothing":      {"", "use a name such as sqlite:stripe.db or postgres://user@host/database or jsonl:folder"},
		"unknown kind": {"mysql:x", `unknown kind of destination "mysql": use a name such as sqlite:stripe.db`},
		"no path":      {"jsonl:", "has no path: use a name such as jsonl:folder"},
		"option":       {"sqlite:a.db?color=red", `unknown option "color"`},
		"choice":       {"sqlite:a.db?deletes=never", `option deletes must be hard or soft, got "never"`},
		"twice":        {"sqlite:a.db?mode=append&mode=upsert", "option mode is set 2 times"},
		"size":         {"jsonl:x?rotate=often", `option rotate must be a size such as 64MB, got "often"`},
		"compression":  {"jsonl:x?compress=rar", `unknown compression "rar": use gzip or zstd`},
		"not of jsonl": {"jsonl:x?deletes=soft", `unknown option "deletes"`},
		"both":         {"sqlite:a.db?deletes=soft&mode=append", "remove deletes=soft"},
		"a folder":     {"sqlite:" + t.TempDir(), "is a folder"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := all.Kinds().Open(t.Context(), test.destination)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want something with %q", err, test.want)
			}
		})
	}
}

func TestPasswordsStayOut(t *testing.T) {
	tests := map[string]string{
		"postgres://me:pa55word@127.0.0.1:1/db?schema=s":           "postgres://me@127.0.0.1:1/db?schema=s",
		"postgres://me:p@ss@pa55word@127.0.0.1:1/db":               "postgres://me@127.0.0.1:1/db",
		"postgresql://127.0.0.1:1/db?password=pa55word&mode=upset": "postgresql://127.0.0.1:1/db?mode=upset",
		"postgres://me:pa55word%zz@127.0.0.1:1/db?deletes=hard":    "postgres://me@127.0.0.1:1/db?deletes=hard",
		"postgres:host=127.0.0.1 port=1 password=pa55word":         "postgres:…",
		"postgres://me@127.0.0.1:1/db?password=pa55word%zz":        "postgres://me@127.0.0.1:1/db",
	}
	for name, want := range tests {
		if got := destination.Redacted(name); got != want {
			t.Errorf("got %q of %q, want %q", got, name, want)
		}
		d, err := all.Kinds().Open(t.Context(), name)
		if err == nil {
			_ = d.Close()
			t.Fatalf("%s was opened", name)
		}
		if strings.Contains(err.Error(), "pa55word") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it with %q and without the password", err, want)
		}
	}
}

// TestPasswordsWithAnyContentStayOut tries each special character at each place in a password.
func TestPasswordsWithAnyContentStayOut(t *testing.T) {
	const secret = "SECRET"
	for _, special := range []string{"", "@", ":", "/", "?", "#", "%", "%zz", "&", "=", " ", "12/", "1?", "1#", "+", "?x=", "/?schema="} {
		for _, form := range []string{
			"postgres://me:%s@127.0.0.1:1/db", "postgres://me:%s@127.0.0.1:1/db?schema=s", "postgresql://127.0.0.1:1/db?user=me&password=%s&mode=append",
			"postgres://me:%s@127.0.0.1:port/db", "postgres://me:%s@/db?host=127.0.0.1&port=1&sslmode=perhaps",
			"postgres:host=127.0.0.1 port=1 user=me password=%s dbname=db", "postgres:password='%s' host=127.0.0.1 port=1",
		} {
			for _, password := range []string{special + secret, secret + special, secret + special + secret} {
				name := strings.ReplaceAll(form, "%s", password)
				d, err := all.Kinds().Open(t.Context(), name)
				if err == nil {
					_ = d.Close()
					t.Fatalf("%s was opened", name)
				}
				if strings.Contains(err.Error(), secret) || strings.Contains(destination.Redacted(name), secret) {
					t.Errorf("open %s: %v", name, err)
				}
			}
		}
	}
}

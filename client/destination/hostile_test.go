package destination_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/destination"
	"github.com/stripe-connector/stripe-connector/client/destination/all"
	"github.com/stripe-connector/stripe-connector/client/destination/destinationtest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// TestFilesArePrivate checks that the files that destinations create are readable by their owner only.
func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its files have no such permissions")
	}
	for _, name := range []string{"sqlite:%s/stripe.db", "jsonl:%s/lines", "jsonl:%s/packed?compress=gzip"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			name := strings.ReplaceAll(name, "%s", folder)
			d := opened(t, name)
			defer d.Close()
			if _, err := d.Begin(t.Context(), destinationtest.Streams()); err != nil {
				t.Fatal(err)
			}
			if err := d.Commit(t.Context(), commitOf("charges", "acct_1")); err != nil {
				t.Fatal(err)
			}
			files := 0
			if err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || path == folder {
					return err
				}
				info, err := entry.Info()
				if err == nil && info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s is %s", path, info.Mode())
				}
				files++
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if files < 2 {
				t.Errorf("%d files were made", files)
			}
		})
	}
}

func commitOf(stream, account string) client.Commit {
	record := &connectorv1.Record{Data: destinationtest.Data("a", "p", 1), Operation: connectorv1.Operation_OPERATION_UPSERT}
	return client.Commit{
		Records: []*connectorv1.RecordBatch{{Stream: stream, Account: account, Generation: 1, Records: []*connectorv1.Record{record}}},
		States:  []*connectorv1.StreamState{{Stream: stream, Account: account, Content: &structpb.Struct{}}},
	}
}

// TestJSONLStaysInItsFolder plants symbolic links out of the folder and checks that nothing outside it changes.
func TestJSONLStaysInItsFolder(t *testing.T) {
	for _, planted := range []string{"charges.jsonl", "acct_1", "_state.json.next"} {
		t.Run(planted, func(t *testing.T) {
			outside, folder := t.TempDir(), t.TempDir()
			to := filepath.Join(outside, "victim")
			if planted == "acct_1" {
				to = outside
			} else if err := os.WriteFile(to, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(to, filepath.Join(folder, planted)); err != nil {
				t.Skip(err)
			}
			d := opened(t, "jsonl:"+folder)
			defer d.Close()
			if _, err := d.Begin(t.Context(), destinationtest.Streams()); err != nil {
				t.Fatal(err)
			}
			for _, account := range []string{"", "acct_1"} {
				err := d.Commit(t.Context(), commitOf("charges", account))
				t.Logf("account %q: %v", account, err)
			}
			if err := filepath.WalkDir(outside, func(path string, entry fs.DirEntry, err error) error {
				if err != nil || entry.IsDir() {
					return err
				}
				content, err := os.ReadFile(path)
				if len(content) > 0 || path != to {
					t.Errorf("%s was written: %q", path, content)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAddressesHideTheirSecret puts a password with each special character into valid and broken addresses of every form, and
// checks that no message contains it.
func TestAddressesHideTheirSecret(t *testing.T) {
	forms := []string{
		"postgres://user:PW@127.0.0.1:1/db", "postgresql://user:PW@127.0.0.1:1/db?sslmode=disable", "postgres://user:PW@127.0.0.1:x/db",
		"postgres://user:PW@[::1/db", "postgres://127.0.0.1:1/db?user=u&password=PW", "postgres://user:PW@127.0.0.1:1/db?schema=x&mode=y",
		"postgres:user=u password=PW host=127.0.0.1 port=1", "postgres:password='PW", "pg://user:PW@127.0.0.1:1/db",
		"user:PW@127.0.0.1/db", "postgres//user:PW@127.0.0.1/db", "postgres+psycopg://user:PW@127.0.0.1/db", "mysql://user:PW@127.0.0.1/db",
	}
	cutOff := []string{"postgres://user:PW", "postgres://user:PW/db", "postgres//user:PW", "postgres:user:PW"}
	for _, special := range []string{"", "/", "@", "%", "?", "#", ":", "&", "=", " ", "'", "\\", "%2", "/@", "@/", "?@", "://", "[", "\n"} {
		all := forms
		if !strings.Contains(special, "@") { // what follows an @ in these forms can only be a host
			all = append(slices.Clone(forms), cutOff...)
		}
		for _, form := range all {
			name := strings.ReplaceAll(form, "PW", "Plan"+special+"ted5ecret")
			keepsSecret(t, form+" with "+special, name, "ted5ecret")
		}
	}
}

func keepsSecret(t *testing.T, what, name string, secret string) {
	t.Helper()
	shown := []string{destination.Redacted(name)}
	if err := all.Kinds().Validate(name); err != nil {
		shown = append(shown, err.Error())
	}
	d, err := all.Kinds().Open(t.Context(), name)
	if err == nil {
		_ = d.Close()
		t.Errorf("%s was opened", what)
	} else {
		shown = append(shown, err.Error())
	}
	if findings, err := all.Kinds().Check(t.Context(), name, nil); err != nil {
		shown = append(shown, err.Error())
	} else {
		for _, f := range findings {
			shown = append(shown, f.Message)
		}
	}
	for _, text := range shown {
		if strings.Contains(text, secret) {
			t.Errorf("%s: %s", what, text)
			return
		}
	}
}

// FuzzRedacted checks that nothing between "user:" and the last @ is shown.
func FuzzRedacted(f *testing.F) {
	f.Add("p/a@s%s")
	f.Add("?x=1&schema=")
	f.Fuzz(func(t *testing.T, noise string) {
		name := "postgres://user:" + noise + "ted5ecret@host:5432/db?schema=x"
		if shown := destination.Redacted(name); strings.Contains(shown, "ted5ecret") {
			t.Errorf("%q is shown as %q", name, shown)
		}
	})
}

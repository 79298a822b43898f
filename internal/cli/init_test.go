package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stripe-connector/stripe-connector/client/pipeline"
	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
)

// contains checks that a file contains want, and that only its owner can read it.
func contains(t *testing.T, path, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), want) {
		t.Errorf("got %s, want something with %q", content, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
	}
}

// TestInit enters invalid answers before the valid ones.
func TestInit(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "pipelines.yaml")
	w := newWorld(t, fakeSource{})
	w.stdin = strings.NewReader(strings.Join([]string{
		"", "refused", plantedKey, // key
		"aples", "*", // streams
		"figs", "pears", // to exclude
		"2024-01-31",
		"fruit.db", "sqlite:fruit.db",
		"soon", "6h from 13:00",
		"Fruit Inc", "fruit",
	}, "\n") + "\n")
	w.runs(t, exitOK, "init", path)
	for _, want := range []string{
		"a key is required: paste it", "the key does not work: The key was refused: make a new one.",
		"The key works (account: acct_1):", `There is no stream "aples". Did you mean "apples"?`, "2 streams: apples, pears",
		`There is no stream "figs"`, "1 stream: apples", "doesn't start with a kind", "every must be a duration",
		"every 6h from 13:00, first at ", "use lowercase letters", "stripe-connector run --once " + path,
	} {
		says(t, w.err, want)
	}
	contains(t, path, `exclude: ["pears"]`)
	contains(t, path, `api_key: {file: "stripe.key"}`)
	contains(t, filepath.Join(folder, "stripe.key"), plantedKey)
	if content, _ := os.ReadFile(path); strings.Contains(string(content), plantedKey) {
		t.Error("the key is in the file of pipelines")
	}
	w.runs(t, exitOK, "run", "--once", path)
	if _, err := os.Stat(filepath.Join(folder, "fruit.db")); err != nil {
		t.Error(err)
	}
}

func TestInitUsesTheEnvironmentKeyAndDefaults(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "p.yaml")
	w := newWorld(t, fakeSource{})
	w.environment["STRIPE_API_KEY"] = plantedKey
	w.runs(t, exitOK, "init", path) // with an empty stdin
	contains(t, path, "api_key: ${STRIPE_API_KEY}")
	contains(t, path, `every: "30m"`)
	if entries, err := filepath.Glob(filepath.Join(folder, "*.key")); err != nil || len(entries) > 0 {
		t.Errorf("there are key files: %v, %v", entries, err)
	}
	w.runs(t, exitOK, "run", "--once", path)
}

func TestInitWritesNothingWithoutAKey(t *testing.T) {
	for name, answers := range map[string]string{"none": "", "refused": "refused\n"} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			w := newWorld(t, fakeSource{})
			w.stdin = strings.NewReader(answers)
			w.runs(t, exitFailure, "init", filepath.Join(folder, "p.yaml"))
			if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
				t.Errorf("there are %v, %v", entries, err)
			}
		})
	}
}

func TestInitReadsAHiddenKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.yaml")
	w := newWorld(t, fakeSource{})
	hidden := []string{"refused", plantedKey}
	w.hidden = func() (string, error) {
		answer := hidden[0]
		hidden = hidden[1:]
		return answer, nil
	}
	w.runs(t, exitOK, "init", path)
	contains(t, filepath.Join(filepath.Dir(path), "stripe.key"), plantedKey)
}

func TestInitEndsWhenAsked(t *testing.T) {
	w := newWorld(t, fakeSource{})
	reader, writer := io.Pipe() // a stdin that never has an answer
	w.stdin = reader
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.runsUntil(t, ctx, exitFailure, "init", filepath.Join(t.TempDir(), "p.yaml"))
	says(t, w.err, "Interrupted.")
	_ = writer.CloseWithError(errors.New("gone")) // unblocks the read that init left behind
}

// TestInitShowsWhatARestrictedKeyMayRead runs init against a simulated Stripe.
func TestInitShowsWhatARestrictedKeyMayRead(t *testing.T) {
	const restricted = "rk_test_Planted4Secret"
	stripe := stripetest.NewServer(stripetest.Options{Scale: 0.1, Accounts: -1, Keys: map[string]stripetest.Key{
		restricted: {Permissions: []string{"rak_charge_read", "rak_customer_read"}}}})
	defer stripe.Close()
	path := filepath.Join(t.TempDir(), "p.yaml")
	w := newWorld(t, nil)
	w.environment["STRIPE_API_KEY"] = restricted
	w.stdin = strings.NewReader("charges,customers\n")
	w.runs(t, exitOK, "init", "--api-base", stripe.URL, path)
	says(t, w.err, "The key works (account_api_version: 2023-10-16, api_version: 2023-10-16, mode: test):")
	says(t, w.err, " of 116 streams can be read.")
	says(t, w.err, "more: ")
	w.runs(t, exitOK, "run", "--once", path)
	if content, err := os.ReadFile(path); err != nil {
		t.Error(err)
	} else if _, err := pipeline.Parse(path, content); err != nil {
		t.Error(err)
	}
}

// TestInitChoosesTheVersion checks that a new pipeline reads in the account's API version, or the newest if that isn't known.
func TestInitChoosesTheVersion(t *testing.T) {
	for account, want := range map[string]string{"2026-03-25.dahlia": "2026-03-25.dahlia", "2019-02-19": "2026-08-26.dahlia"} {
		stripe := stripetest.NewServer(stripetest.Options{Scale: 0.1, Accounts: -1, AccountVersion: account})
		defer stripe.Close()
		path := filepath.Join(t.TempDir(), "p.yaml")
		w := newWorld(t, nil)
		w.environment["STRIPE_API_KEY"] = plantedKey
		w.stdin = strings.NewReader("charges,invoice_payments\n")
		w.runs(t, exitOK, "init", "--api-base", stripe.URL, path)
		contains(t, path, `api_version: "`+want+`"`)
	}
}

func TestDraftSurvivesAnyText(t *testing.T) {
	for _, text := range []string{`a"b`, "a: b # c", "é\\x", "${", "'", "{}", "- x"} {
		d := draft{Name: "a", KeyFile: text, Base: text, Start: text, Select: []string{text}, Destination: "sqlite:" + strings.ReplaceAll(text, "${", "")}
		d.Schedule.Every = "1h"
		f, err := pipeline.Parse("p.yaml", d.yaml())
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := f.Pipelines[0].Selection.Select[0]; got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

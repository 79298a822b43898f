package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// plant returns a key that occurs nowhere else.
func plant(place string) string { return fmt.Sprintf("sk_live_%x", sha256.Sum256([]byte(place)))[:40] }

// leak finds a key in a text, whole or in part: any eight consecutive characters of its secret part.
func leak(text, key string) string {
	const part = 8
	secret := key[strings.LastIndexByte(key, '_')+1:]
	for i := range len(secret) - part + 1 {
		if at := strings.Index(text, secret[i:i+part]); at >= 0 {
			return text[max(0, at-100):min(len(text), at+100)]
		}
	}
	return ""
}

// recorder records what is written to it. It is safe for concurrent use.
type recorder struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}

// message records a message, both as text and as sent.
func (r *recorder) message(m proto.Message) {
	sent, err := proto.Marshal(m)
	_, _ = fmt.Fprintln(r, protojson.Format(m), string(sent), err)
}

// failure records an error, with all details of its status.
func (r *recorder) failure(err error) {
	if err != nil {
		_, _ = fmt.Fprintln(r, err)
		r.message(status.Convert(err).Proto())
	}
}

// reads runs a Read and records everything that it returns.
func (r *recorder) reads(t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest) {
	t.Helper()
	all := read(t, client, req)
	for _, m := range all.messages {
		r.message(m)
	}
	r.failure(all.err)
}

// checks runs a Check of the same streams.
func (r *recorder) checks(t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest) {
	t.Helper()
	var names []string
	for _, s := range req.GetStreams() {
		names = append(names, s.GetStream())
	}
	resp, err := client.Check(t.Context(), &connectorv1.CheckRequest{
		Config: req.GetConfig(), Streams: names,
	})
	r.message(resp)
	r.failure(err)
}

// discovers runs a Discover that queries Stripe.
func (r *recorder) discovers(t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest) {
	t.Helper()
	resp, err := client.Discover(t.Context(), &connectorv1.DiscoverRequest{
		Config: req.GetConfig(), OnlyAvailable: true, IncludeUnavailable: true,
	})
	r.message(resp)
	r.failure(err)
}

// checkSecret checks that a key is in nothing that was recorded.
func checkSecret(t *testing.T, r *recorder, key string) {
	t.Helper()
	all := r.String()
	if all == "" {
		t.Error("there is nothing to look into")
	}
	if found := leak(all, key); found != "" {
		t.Errorf("the key %s came out: %q", key, found)
	}
}

// TestSecretsCanBeFound checks that the search finds planted keys.
func TestSecretsCanBeFound(t *testing.T) {
	t.Parallel()
	key := plant("search")
	detailed, err := status.New(codes.Internal, "Something failed.").WithDetails(&errdetails.ErrorInfo{Metadata: map[string]string{"where": "in " + key}})
	if err != nil {
		t.Fatal(err)
	}
	record := func(write func(*recorder)) string {
		r := &recorder{}
		write(r)
		return r.String()
	}
	places := map[string]string{
		"text":    "the key " + key + " is wrong",
		"part":    "it ends in …" + key[len(key)-8:],
		"details": record(func(r *recorder) { r.failure(detailed.Err()) }),
		"record": record(func(r *recorder) {
			r.message(&connectorv1.RecordBatch{Records: []*connectorv1.Record{{Data: `{"id":"` + key + `"}`}}})
		}),
		"log": record(func(r *recorder) { _ = json.NewEncoder(r).Encode(map[string]string{"error": key}) }),
	}
	for name, text := range places {
		if leak(text, key) == "" {
			t.Errorf("the key is not found in %s: %q", name, text)
		}
		if found := leak(text, plant("another")); found != "" {
			t.Errorf("another key is found in %s: %q", name, found)
		}
	}
}

// TestSecretsOfConfigurations plants a key in every field of the configuration, including those not meant for it.
func TestSecretsOfConfigurations(t *testing.T) {
	t.Parallel()
	tests := map[string]func(key string) map[string]any{
		"key":                      func(key string) map[string]any { return map[string]any{"api_key": key} },
		"key with a line break":    func(key string) map[string]any { return map[string]any{"api_key": key + "\n"} },
		"key with quotation marks": func(key string) map[string]any { return map[string]any{"api_key": `"` + key + `"`} },
		"key after Bearer":         func(key string) map[string]any { return map[string]any{"api_key": "Bearer " + key} },
		"key with a wrong prefix":  func(key string) map[string]any { return map[string]any{"api_key": "x" + key} },
		"publishable key":          func(key string) map[string]any { return map[string]any{"api_key": "p" + key[1:]} },
		"key in a list":            func(key string) map[string]any { return map[string]any{"api_key": []any{key}} },
		"key in an object":         func(key string) map[string]any { return map[string]any{"api_key": map[string]any{"value": key}} },
		"misspelt field":           func(key string) map[string]any { return map[string]any{"apikey": key} },
		"nested field":             func(key string) map[string]any { return map[string]any{"credentials": map[string]any{"api_key": key}} },
		"list in a wrong field":    func(key string) map[string]any { return map[string]any{"keys": []any{"x", []any{key}}} },
		"start date":               func(key string) map[string]any { return map[string]any{"start_date": key} },
		"lookback":                 func(key string) map[string]any { return map[string]any{"lookback_days": key} },
		"account":                  func(key string) map[string]any { return map[string]any{"account": key} },
		"address":                  func(key string) map[string]any { return map[string]any{"api_base": key} },
		"user of the address": func(key string) map[string]any {
			return map[string]any{"api_base": "https://" + key + ":@api.stripe.com"}
		},
		"query of the address": func(key string) map[string]any {
			return map[string]any{"api_base": "https://api.stripe.com?key=" + key}
		},
		"path of the address": func(key string) map[string]any { return map[string]any{"api_base": "https://api.stripe.com/" + key} },
		"unparsable address":  func(key string) map[string]any { return map[string]any{"api_base": "https://[" + key + "%zz"} },
		"every field": func(key string) map[string]any {
			return map[string]any{"api_key": key, "apikey": key, "start_date": key, "lookback_days": key, "account": key, "api_base": key}
		},
	}
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 2}})
	for name, fields := range tests {
		t.Run(name, func(t *testing.T) {
			heard := &recorder{}
			client := dial(t, serve(t, stripe.URL, hasty, heard))
			key := plant(name)
			config := map[string]any{"api_key": goodKey, "api_base": stripe.URL}
			maps.Copy(config, fields(key))
			req := &connectorv1.ReadRequest{Config: configuration(t, config), Streams: selectStreams("charges", "customers")}
			heard.checks(t, client, req)
			heard.discovers(t, client, req)
			heard.reads(t, client, req)
			checkSecret(t, heard, key)
			checkSecret(t, heard, goodKey)
		})
	}
}

// TestSecretsInRequests plants the configuration's key in other parts of the requests as well.
func TestSecretsInRequests(t *testing.T) {
	t.Parallel()
	type request = connectorv1.ReadRequest
	key := plant("request")
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 2}})
	config := configuration(t, map[string]any{"api_key": key, "api_base": stripe.URL})
	first := read(t, dial(t, serve(t, stripe.URL, quick, io.Discard)), &request{Config: config, Streams: selectStreams("charges")})
	if first.err != nil {
		t.Fatal(first.err)
	}
	state := func(members map[string]any) func(*request) {
		return func(r *request) {
			state := proto.CloneOf(first.summary.GetStreams()[0].GetState())
			maps.Copy(state.Content.Fields, configuration(t, members).GetFields())
			r.States = []*connectorv1.StreamState{state}
		}
	}
	tests := map[string]func(*request){
		"nothing else":            func(*request) {},
		"stream":                  func(r *request) { r.Streams[0].Stream = key },
		"part of a stream":        func(r *request) { r.Streams[0].Stream = "charges of " + key },
		"stream, twice":           func(r *request) { r.Streams = selectStreams(key, key) },
		"field":                   func(r *request) { r.Streams[0].Fields = []string{"id", key} },
		"field below":             func(r *request) { r.Streams[0].Fields = []string{"billing_details." + key} },
		"field above":             func(r *request) { r.Streams[0].Fields = []string{key + ".email"} },
		"field below metadata":    func(r *request) { r.Streams[0].Fields = []string{"metadata." + key} },
		"stream of a state":       func(r *request) { r.States = []*connectorv1.StreamState{{Stream: key, Content: config}} },
		"account of a state":      func(r *request) { state(nil)(r); r.States[0].Account = key },
		"configuration as state":  func(r *request) { r.States = []*connectorv1.StreamState{{Stream: "charges", Content: config}} },
		"version of a state":      state(map[string]any{"version": key}),
		"mode of a state":         state(map[string]any{"mode": key}),
		"time of a state":         state(map[string]any{"from": key}),
		"member of a state":       state(map[string]any{key: key}),
		"window of a state":       state(map[string]any{"windows": key}),
		"other member of a state": state(map[string]any{"generation": key}),
		"cursor of a state": state(map[string]any{"windows": []any{map[string]any{
			"from": first.summary.GetStreams()[0].GetState().GetContent().GetFields()["from"].GetStringValue(),
			"to":   first.summary.GetStreams()[0].GetState().GetContent().GetFields()["to"].GetStringValue(), "after": key,
		}}}),
		"unknown field": func(r *request) {
			r.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 1000, protowire.BytesType), key))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			heard := &recorder{}
			client := dial(t, serve(t, stripe.URL, hasty, heard))
			req := &request{Config: config, Streams: selectStreams("charges")}
			change(req)
			heard.checks(t, client, req)
			heard.reads(t, client, req)
			checkSecret(t, heard, key)
		})
	}
}

// parrot starts a Stripe that repeats the key it received wherever a response has room for it.
func parrot(t *testing.T, code int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !strings.HasPrefix(key, "sk_live_") {
			t.Errorf("the key sent is %q", key)
		}
		for _, header := range []string{"Content-Type", "Location", "Request-Id", "Retry-After", "Stripe-Account", "Stripe-Rate-Limited-Reason"} {
			w.Header().Set(header, key)
		}
		w.Header().Set("Stripe-Should-Retry", "false") // avoids retries
		w.WriteHeader(code)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "KEY", key))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const (
	parrotError = `{"error": {"type": "invalid_request_error KEY", "code": "KEY", "param": "KEY", "doc_url": "https://KEY",
		"message": "Invalid API Key provided: KEY, sent as 'Authorization: Bearer KEY'", "request_log_url": "https://KEY"}}`
	parrotHTML = `<html><body>KEY</body></html>`
)

// answers are the responses that repeat the key.
var answers = map[string]struct {
	code int
	body string
}{
	"302": {302, ""}, "400": {400, parrotError}, "401": {401, parrotError}, "402": {402, parrotError}, "403": {403, parrotError},
	"404": {404, parrotError}, "409": {409, parrotError}, "429": {429, parrotError}, "500": {500, parrotError},
	"401 in HTML": {401, parrotHTML}, "404 in HTML": {404, parrotHTML}, "502 in HTML": {502, parrotHTML},
	"wrong permission": {403, `{"error": {"message": "The provided key 'KEY' does not have the required permissions for this endpoint."}}`},
	"key":              {200, `KEY`}, "text": {200, `"KEY"`}, "list of another kind": {200, `{"object": "KEY", "data": "KEY", "has_more": "KEY"}`},
	"member":       {200, `{"KEY": KEY}`},
	"more of none": {200, `{"object": "list", "data": [{"object": "KEY"}], "has_more": true}`},
	// An object of a type that does not belong in the list, which a log entry of the Read names.
	"another type": {200, `{"object": "list", "data": [{"object": "KEY", "id": "KEY"}], "has_more": false}`},
}

// TestSecretsInAnswers uses a Stripe that repeats the key in every response.
func TestSecretsInAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, key, heard := parrot(t, answer.code, answer.body), plant(name), &recorder{}
			client := dial(t, serve(t, base, hasty, heard))
			req := &connectorv1.ReadRequest{
				Config: configuration(t, map[string]any{"api_key": key, "api_base": base}), Streams: selectStreams("charges", "cards"),
			}
			if answer.body == parrotError { // others are retried, which takes Check and Discover a long time
				heard.checks(t, client, req)
			}
			if name == "401" {
				heard.discovers(t, client, req)
			}
			heard.reads(t, client, req)
			checkSecret(t, heard, key)
		})
	}
}

// TestSecretsInReads runs Reads that end in every possible way.
func TestSecretsInReads(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		options stripetest.Options
		fault   *stripetest.Fault
		format  connectorv1.RecordFormat
	}{
		"complete":        {},
		"for people":      {format: connectorv1.RecordFormat_RECORD_FORMAT_STRUCT},
		"refused":         {options: stripetest.Options{Keys: map[string]stripetest.Key{goodKey: {}}}},
		"expired":         {options: stripetest.Options{Keys: map[string]stripetest.Key{plant("expired"): {Expired: true}}}},
		"without product": {options: stripetest.Options{NotEnabled: []string{"issuing"}}},
		"limited":         {fault: &stripetest.Fault{Kind: stripetest.RateLimited, Skip: 1}},
		"failing":         {fault: &stripetest.Fault{Kind: stripetest.ServerError, Skip: 1}},
		"garbled":         {fault: &stripetest.Fault{Kind: stripetest.Truncated, Skip: 1}},
		"broken off":      {fault: &stripetest.Fault{Kind: stripetest.Dropped, Skip: 1}},
		"silent":          {fault: &stripetest.Fault{Kind: stripetest.Hanging, Skip: 1}},
		"unreachable":     {},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Objects = map[string]int{"*": 150}
			stripe := simulate(t, test.options)
			if test.fault != nil {
				stripe.Inject(*test.fault)
			}
			base, key, heard := stripe.URL, plant(name), &recorder{}
			if name == "unreachable" {
				base = closed
			}
			retry := hasty
			if test.fault != nil {
				retry = bounded(hasty, test.fault.Kind)
			}
			client := dial(t, serve(t, base, retry, heard))
			heard.reads(t, client, &connectorv1.ReadRequest{
				Config:  configuration(t, map[string]any{"api_key": key, "api_base": base, "start_date": "2020-01-01"}),
				Streams: selectStreams("charges", "customers", "issuing_cards"), RecordFormat: test.format,
			})
			checkSecret(t, heard, key)
		})
	}
}

// run runs the command and records its output.
func (r *recorder) run(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = r, r
	return cmd.Run()
}

// files records the contents of all files in a folder.
func (r *recorder) files(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		_, _ = fmt.Fprintf(r, "%s: %s\n", path, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// keep writes content to a file in a new folder, and returns its path.
func keep(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSecretsOfCommand runs the command with a valid configuration. Its output, its files, and the log of the service that it
// calls must not contain a key.
func TestSecretsOfCommand(t *testing.T) {
	t.Parallel()
	key, heard, folder := plant("command"), &recorder{}, t.TempDir()
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 3}})
	config := keep(t, fmt.Sprintf(`{"api_key": %q, "api_base": %q}`, key, stripe.URL))
	target := serve(t, stripe.URL, quick, heard)
	const streams = "charges,customers,invoices,invoice_line_items"
	for _, args := range [][]string{
		{"check", "--config", config, "--streams", streams},
		{"discover", "--config", config},
		{"read", "--config", config, "--streams", streams},
		{"sync", "--config", config, "--streams", streams, "--to", "sqlite:" + filepath.Join(folder, "rows.db")},
		{"sync", "--config", config, "--streams", streams, "--to", "sqlite:" + filepath.Join(folder, "rows.db"), "--target", target},
		{"sync", "--config", config, "--streams", streams, "--to", "jsonl:" + filepath.Join(folder, "lines"), "--target", target},
	} {
		if err := heard.run(command(t, args...)); err != nil {
			t.Errorf("%s: %v", args[0], err)
		}
	}
	heard.files(t, folder)
	checkWords(t, heard.String(), "SQLite format 3", "finished call", "summary")
	checkSecret(t, heard, key)
}

// TestSecretsOfFailingCommand runs commands that must fail.
func TestSecretsOfFailingCommand(t *testing.T) {
	t.Parallel()
	key := plant("failing command")
	good := keep(t, fmt.Sprintf(`{"api_key": %q}`, key))
	tests := map[string]struct {
		key  string // in the environment
		args []string
	}{
		"malformed key in the environment": {key + "!", []string{"check"}},
		"key of several lines":             {key + "\n" + key, []string{"read", "--streams", "charges"}},
		"configuration that is not JSON":   {"", []string{"check", "--config", keep(t, `{"api_key": "`+key+`", }`)}},
		"configuration that is the key":    {"", []string{"check", "--config", keep(t, key)}},
		"configuration without quotation":  {"", []string{"check", "--config", keep(t, `{"api_key": `+key+`}`)}},
		"configuration with a wrong field": {"", []string{"check", "--config", keep(t, `{"apiKey": "`+key+`"}`)}},
		"configuration as text":            {"", []string{"check", "--config", `{"api_key": "` + key + `"}`}},
		"configuration as state":           {"", []string{"read", "--config", good, "--streams", "charges", "--state", good}},
		"configuration as catalog":         {"", []string{"read", "--config", good, "--catalog", good}},
		"catalog with the key":             {key, []string{"read", "--catalog", keep(t, `[{"stream": "charges", "sync_mode": "`+key+`"}]`)}},
		"state with the key":               {key, []string{"read", "--streams", "charges", "--state", keep(t, `[{"stream": "charges", "content": "`+key+`"}]`)}},
		"stream":                           {key, []string{"read", "--streams", key}},
		"key in front":                     {"", []string{"check", key}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			heard := &recorder{}
			cmd := command(t, test.args...)
			cmd.Env = append(os.Environ(), "STRIPE_API_KEY="+test.key)
			if err := heard.run(cmd); err == nil {
				t.Error("it succeeded")
			}
			checkSecret(t, heard, key)
		})
	}
}

// TestSecretsOfRefusedCommand runs the command against a Stripe that repeats the key in its errors, and without any Stripe.
func TestSecretsOfRefusedCommand(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"401", "403", "429", "500", "502 in HTML", "another type"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, key, heard, folder := parrot(t, answers[name].code, answers[name].body), plant(name), &recorder{}, t.TempDir()
			config := keep(t, fmt.Sprintf(`{"api_key": %q, "api_base": %q}`, key, base))
			commands := [][]string{
				{"read", "--config", config, "--streams", "charges"},
				{"sync", "--config", config, "--streams", "charges", "--to", "sqlite:" + filepath.Join(folder, "rows.db")},
			}
			retried := name == "502 in HTML" || name == "another type" // for minutes
			if !retried {
				commands = append(commands, []string{"check", "--config", config, "--streams", "charges"})
			}
			for _, args := range commands {
				if retried {
					heard.interrupt(t, command(t, args...))
					continue
				}
				_ = heard.run(command(t, args...)) // its exit code is tested elsewhere
			}
			heard.files(t, folder)
			checkSecret(t, heard, key)
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		key, heard, folder := plant("unreachable"), &recorder{}, t.TempDir()
		config := keep(t, fmt.Sprintf(`{"api_key": %q, "api_base": %q}`, key, closed))
		heard.interrupt(t, command(t, "read", "--config", config, "--streams", "charges"))
		heard.interrupt(t, command(t, "sync", "--config", config, "--streams", "charges", "--to", "sqlite:"+filepath.Join(folder, "rows.db")))
		heard.files(t, folder)
		checkSecret(t, heard, key)
	})
}

// interrupt runs a command that would retry for minutes, and interrupts it once it prints something, or after some seconds.
func (r *recorder) interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for begun, before := time.Now(), len(r.String()); len(r.String()) == before && time.Since(begun) < 10*time.Second; {
		time.Sleep(50 * time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it succeeded")
	}
}

// TestSecretsOfService runs a service in its own process, with keys and tokens in files. The service is called with valid and
// invalid names and tokens, loses a file, and crashes. Nothing that it sends, prints or leaves behind may contain a key or
// token.
func TestSecretsOfService(t *testing.T) {
	t.Parallel()
	key, refused, token, other := plant("secret file"), plant("refused secret file"), plant("token"), plant("another token")
	heard, folder := &recorder{}, t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secretsDir := filepath.Join(folder, "secrets")
	if err := os.Mkdir(secretsDir, 0o700); err != nil {
		t.Fatal(err)
	}
	file("secrets/prod", key+"\n")
	file("secrets/refused", refused+"\n")
	tokens := file("tokens", token+"\n"+other+" refused\n")
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 3}, Keys: map[string]stripetest.Key{key: {}}})
	loud := parrot(t, 403, parrotError)
	address := freeAddress(t)
	cmd := command(t, "serve", "--listen", address, "--allow-api-base", stripe.URL, "--allow-api-base", loud,
		"--secrets-dir", secretsDir, "--tokens", tokens)
	cmd.Stdout, cmd.Stderr = heard, heard
	startInBackground(t, cmd, false, "", address)

	as := func(token string) connectorv1.ConnectorServiceClient {
		return dial(t, address, grpc.WithPerRPCCredentials(bearer(token)))
	}
	named := func(name any, base string) *connectorv1.ReadRequest {
		return &connectorv1.ReadRequest{
			Config:  configuration(t, map[string]any{"api_key": map[string]any{"secret": name}, "api_base": base}),
			Streams: selectStreams("charges", "customers"),
		}
	}
	all := read(t, as(token), named("prod", stripe.URL))
	if all.err != nil || len(all.records("charges")) != 3 {
		t.Fatalf("the named secret does not work: %v", all.err)
	}
	for _, m := range all.messages {
		heard.message(m)
	}
	for _, req := range []*connectorv1.ReadRequest{
		named("prod", loud), named("refused", loud), named("missing", stripe.URL), named("../tokens", stripe.URL),
		named(tokens, stripe.URL), named(key, stripe.URL), named(token, stripe.URL), named(5, stripe.URL), named("prod", "https://"+key),
	} {
		for _, token := range []string{token, other} {
			heard.checks(t, as(token), req)
			heard.discovers(t, as(token), req)
			heard.reads(t, as(token), req)
		}
	}
	for _, bad := range []string{token[:30], token + "0", key} {
		heard.reads(t, as(bad), named("prod", stripe.URL))
	}
	file("tokens", token+" "+key+"!\nnonsense "+other)
	file("secrets/prod", "")
	time.Sleep(1100 * time.Millisecond) // so that the token file is checked again
	heard.reads(t, as(token), named("prod", stripe.URL))
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil { // dumps the stacks of all goroutines, like a crash
		t.Fatal(err)
	}
	_ = cmd.Wait()
	checkWords(t, heard.String(), "finished call", "cannot reload", "cannot read a secret", "SIGQUIT", "goroutine ", "does not have", "may not use", "does not know")
	for _, secret := range []string{key, refused, token, other} {
		checkSecret(t, heard, secret)
	}
}

// bearer is a token to send with each call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

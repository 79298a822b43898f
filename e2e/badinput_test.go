package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/connector/stripe/stripetest"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// goodKey is the key in requests that are wrong in some other way. No response may contain it.
const goodKey = "sk_test_BadInput7Kq2Vx9Lm4Zt"

// refusal is the decoded error of an RPC.
type refusal struct {
	code    codes.Code
	reason  string
	failure *connectorv1.Failure
	fields  map[string]string // the problem with each field
}

// refusalOf decodes an error, and checks that it contains nothing that must not leave the service.
func refusalOf(t *testing.T, err error) refusal {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	st := status.Convert(err)
	checkWholesome(t, st.Proto())
	r := refusal{code: st.Code(), fields: map[string]string{}}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			r.reason = d.GetReason()
			if d.GetDomain() != "connector.v1" {
				t.Errorf("the domain is %q", d.GetDomain())
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				r.fields[v.GetField()] += v.GetDescription()
			}
		case *connectorv1.Failure:
			r.failure = d
		}
	}
	return r
}

var trace = regexp.MustCompile(`goroutine \d|\.go:\d|runtime error|panic|0x[0-9a-f]{6}`)

// checkWholesome checks that a message, including its details, contains no stack trace and no key.
func checkWholesome(t *testing.T, m proto.Message) {
	t.Helper()
	text := protojson.Format(m)
	if found := trace.FindString(text); found != "" {
		t.Errorf("the answer holds %q of a stack trace: %s", found, text)
	}
	if strings.Contains(text, goodKey) {
		t.Errorf("the answer holds the key: %s", text)
	}
}

// check checks that the error is an INVALID_ARGUMENT for just this field, described with these words.
func (r refusal) check(t *testing.T, field string, words ...string) {
	t.Helper()
	if r.code != codes.InvalidArgument || r.reason != "CONFIG" || r.failure.GetClass() != connectorv1.FailureClass_FAILURE_CLASS_CONFIG {
		t.Errorf("code %s, reason %q, class %s", r.code, r.reason, r.failure.GetClass())
	}
	if r.failure.GetRetryable() {
		t.Error("the failure is said to be retryable")
	}
	checkFields(t, r.fields, field, words)
}

func checkFields(t *testing.T, fields map[string]string, field string, words []string) {
	t.Helper()
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, []string{field}) {
		t.Errorf("the wrong fields are %q, want %s", got, field)
	}
	checkWords(t, fields[field], words...)
}

func checkWords(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}

func violations(f *connectorv1.Failure) map[string]string {
	fields := map[string]string{}
	for _, v := range f.GetViolations() {
		fields[v.GetField()] += v.GetDescription()
	}
	return fields
}

// TestBadInputInConfigurations sends invalid configurations to each RPC that takes one. Read and Discover return errors; Check
// reports the problems.
func TestBadInputInConfigurations(t *testing.T) {
	t.Parallel()
	tomorrow := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
	tests := map[string]struct {
		change map[string]any
		field  string
		words  []string
	}{
		"no key":                       {map[string]any{"api_key": nil}, "config.api_key", []string{"missing", "restricted key", "Dashboard"}},
		"empty key":                    {map[string]any{"api_key": ""}, "config.api_key", []string{"missing"}},
		"malformed key":                {map[string]any{"api_key": "my-key"}, "config.api_key", []string{"malformed", "rk_live_", "sk_test_"}},
		"key with a line break":        {map[string]any{"api_key": goodKey + "\n"}, "config.api_key", []string{"malformed"}},
		"key of another kind":          {map[string]any{"api_key": "whsec_0123456789abcdef"}, "config.api_key", []string{"malformed", "rk_live_"}},
		"publishable key":              {map[string]any{"api_key": "pk_test_0123456789abcdef"}, "config.api_key", []string{"publishable", "rk_", "sk_"}},
		"key that is a number":         {map[string]any{"api_key": 7}, "config.api_key", []string{"string"}},
		"unparsable start date":        {map[string]any{"start_date": "last week"}, "config.start_date", []string{"must be a date", "2024-01-31"}},
		"impossible start date":        {map[string]any{"start_date": "2024-02-30"}, "config.start_date", []string{"must be a date", "2024-01-31"}},
		"start date in the future":     {map[string]any{"start_date": tomorrow}, "config.start_date", []string{tomorrow, "must be in the past"}},
		"start date that is a number":  {map[string]any{"start_date": 1700000000}, "config.start_date", []string{"string"}},
		"lookback of 601 days":         {map[string]any{"lookback_days": 601}, "config.lookback_days", []string{"601", "between 0 and 600"}},
		"lookback of -1 days":          {map[string]any{"lookback_days": -1}, "config.lookback_days", []string{"-1", "between 0 and 600"}},
		"lookback of half a day":       {map[string]any{"lookback_days": 0.5}, "config.lookback_days", []string{"0.5", "whole number"}},
		"lookback beyond any integer":  {map[string]any{"lookback_days": 1e300}, "config.lookback_days", []string{"between 0 and 600"}},
		"lookback that is a text":      {map[string]any{"lookback_days": "7"}, "config.lookback_days", []string{"whole number"}},
		"misspelt field":               {map[string]any{"start_data": "2024-01-31"}, "config.start_data", []string{"not a configuration field", `"start_date"`}},
		"unknown field":                {map[string]any{"colour_of_the_sky": "blue"}, "config.colour_of_the_sky", []string{"not a configuration field"}},
		"address that is not allowed":  {map[string]any{"api_base": "https://stripe.example.com"}, "config.api_base", []string{"not allowed", "Omit it", "--allow-api-base"}},
		"address with a user":          {map[string]any{"api_base": "https://api.stripe.com@example.com"}, "config.api_base", []string{"URL"}},
		"address of another scheme":    {map[string]any{"api_base": "file:///etc/passwd"}, "config.api_base", []string{"URL"}},
		"address of another port":      {map[string]any{"api_base": "https://api.stripe.com:8443"}, "config.api_base", []string{"not allowed"}},
		"address that begins as ours":  {map[string]any{"api_base": "https://api.stripe.com.example.com"}, "config.api_base", []string{"not allowed"}},
		"address that is not one":      {map[string]any{"api_base": "stripe"}, "config.api_base", []string{"URL"}},
		"malformed account":            {map[string]any{"account": "1032D82eZvKYlo2C"}, "config.account", []string{"acct_", "Omit it"}},
		"account with a second header": {map[string]any{"account": "acct_1\r\nX-Header: 1"}, "config.account", []string{"acct_"}},
	}
	stripe := simulate(t, stripetest.Options{})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fields := map[string]any{"api_key": goodKey, "api_base": stripe.URL}
			maps.Copy(fields, test.change)
			config := configuration(t, fields)
			_, err := client.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config})
			refusalOf(t, err).check(t, test.field, test.words...)
			refusedRead(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("charges")}).check(t, test.field, test.words...)
			problem := failedCheck(t, client, &connectorv1.CheckRequest{Config: config})
			checkFields(t, violations(problem), test.field, test.words)
		})
	}
	if n := stripe.RequestCount(""); n > 0 {
		t.Errorf("%d requests reached Stripe", n)
	}
}

// refusedRead runs a Read that must be refused before it sends anything.
func refusedRead(t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.ReadRequest) refusal {
	t.Helper()
	all := read(t, client, req)
	if len(all.messages) > 0 {
		t.Errorf("%d messages came before the error", len(all.messages))
	}
	return refusalOf(t, all.err)
}

// failedCheck runs a Check that must find exactly one problem, and returns it.
func failedCheck(t *testing.T, client connectorv1.ConnectorServiceClient, req *connectorv1.CheckRequest) *connectorv1.Failure {
	t.Helper()
	resp, err := client.Check(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	checkWholesome(t, resp)
	if resp.GetStatus() != connectorv1.CheckStatus_CHECK_STATUS_FAILED || len(resp.GetProblems()) != 1 || len(resp.GetStreams()) > 0 {
		t.Fatalf("got %s", protojson.Format(resp))
	}
	return resp.GetProblems()[0]
}

// TestBadInputAllAtOnce sends a request in which every field is invalid. One response names all of them.
func TestBadInputAllAtOnce(t *testing.T) {
	t.Parallel()
	stripe := simulate(t, stripetest.Options{})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	config := configuration(t, map[string]any{
		"api_key": "pk_live_0123456789", "start_date": "soon", "lookback_days": 1000, "account": "me", "api_base": "ftp://x", "apikey": goodKey,
	})
	want := []string{"config.account", "config.api_base", "config.api_key", "config.apikey", "config.lookback_days", "config.start_date"}
	problem := failedCheck(t, client, &connectorv1.CheckRequest{Config: config})
	if got := slices.Sorted(maps.Keys(violations(problem))); !slices.Equal(got, want) {
		t.Errorf("Check names %q", got)
	}
	r := refusedRead(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("charges")})
	if got := slices.Sorted(maps.Keys(r.fields)); !slices.Equal(got, want) {
		t.Errorf("Read names %q", got)
	}
	for _, config := range []*structpb.Struct{nil, {}} {
		r := refusedRead(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("charges")})
		r.check(t, "config.api_key", "missing")
	}
}

// TestBadInputInReads sends requests with a valid configuration and other invalid fields.
func TestBadInputInReads(t *testing.T) {
	t.Parallel()
	type request = connectorv1.ReadRequest
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"*": 3}})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	config := configuration(t, map[string]any{"api_key": goodKey, "api_base": stripe.URL})
	first := read(t, client, &request{Config: config, Streams: selectStreams("charges")})
	if first.err != nil {
		t.Fatal(first.err)
	}
	stripe.ResetRequests()
	// with returns a state of charges with the given members.
	with := func(members map[string]any) *connectorv1.StreamState {
		state := proto.CloneOf(first.summary.GetStreams()[0].GetState())
		maps.Copy(state.Content.Fields, configuration(t, members).GetFields())
		return state
	}
	fields := func(paths ...string) func(*request) {
		return func(r *request) { r.Streams[0].Fields = paths }
	}
	states := func(states ...*connectorv1.StreamState) func(*request) {
		return func(r *request) { r.States = states }
	}
	tests := map[string]struct {
		change func(*request)
		field  string
		words  []string
	}{
		"empty catalog":          {func(r *request) { r.Streams = nil }, "streams", []string{"at least one stream"}},
		"misspelt stream":        {func(r *request) { r.Streams = selectStreams("customers", "chargs") }, "streams[1].stream", []string{`"chargs"`, `Did you mean "charges"?`, "Discover"}},
		"stream in the singular": {func(r *request) { r.Streams = selectStreams("invoice_line_item") }, "streams[0].stream", []string{`"invoice_line_items"`}},
		"stream in capitals":     {func(r *request) { r.Streams = selectStreams("Charges") }, "streams[0].stream", []string{`"charges"`}},
		"unknown stream":         {func(r *request) { r.Streams = selectStreams("weather") }, "streams[0].stream", []string{`"weather"`, "not a stream", "Discover"}},
		"stream without a name":  {func(r *request) { r.Streams = selectStreams("") }, "streams[0].stream", []string{"must name a stream"}},
		"stream selected twice":  {func(r *request) { r.Streams = selectStreams("charges", "customers", "charges") }, "streams[2].stream", []string{"each stream once"}},
		"unknown mode":           {func(r *request) { r.Streams[0].SyncMode = 99 }, "streams[0].sync_mode", []string{"does not know"}},

		"misspelt field":           {fields("id", "amout"), "streams[0].fields[1]", []string{`"amout"`, `Did you mean "amount"?`, "json_schema"}},
		"misspelt field below":     {fields("billing_details.emial"), "streams[0].fields[0]", []string{`Did you mean "email"?`, "charges.billing_details"}},
		"misspelt field above":     {fields("biling_details.email"), "streams[0].fields[0]", []string{`Did you mean "billing_details"?`}},
		"unknown field":            {fields("the_meaning_of_life"), "streams[0].fields[0]", []string{`"the_meaning_of_life"`, "json_schema"}},
		"field below a number":     {fields("amount.cents"), "streams[0].fields[0]", []string{"charges.amount", "no fields below"}},
		"empty path":               {fields("id", ""), "streams[0].fields[1]", []string{"path of a field"}},
		"path that ends in a dot":  {fields("billing_details."), "streams[0].fields[0]", []string{"billing_details"}},
		"path in another notation": {fields("billing_details/email"), "streams[0].fields[0]", []string{"billing_details/email"}},

		"state without a version":          {states(with(map[string]any{"version": nil})), "states[0].content", []string{"version 0", "omit its state"}},
		"state of no version":              {states(with(map[string]any{"version": "one"})), "states[0].content", []string{"not a state of this connector", "omit its state"}},
		"state of another mode":            {states(with(map[string]any{"mode": "live"})), "states[0].content", []string{`"live" data`, `"test" data`, "omit its state"}},
		"state of a later minor version":   {states(with(map[string]any{"hint": "x"})), "states[0].content", []string{"damaged", "hint", "omit its state"}},
		"state with a broken time":         {states(with(map[string]any{"from": "yesterday"})), "states[0].content", []string{"damaged", "yesterday"}},
		"state with a range turned around": {states(with(map[string]any{"from": "2999-01-01T00:00:00Z"})), "states[0].content", []string{"damaged", "range"}},
		"state of generation 0":            {states(with(map[string]any{"generation": 0})), "states[0].content", []string{"damaged", "generation"}},
		"state with an impossible window": {states(with(map[string]any{"windows": []any{map[string]any{"from": "1990-01-01T00:00:00Z", "to": "1991-01-01T00:00:00Z"}}})),
			"states[0].content", []string{"damaged", "windows[0]"}},
		"state of nothing":              {states(&connectorv1.StreamState{Stream: "charges", Content: &structpb.Struct{}}), "states[0].content", []string{"version 0"}},
		"state that is not set":         {states(&connectorv1.StreamState{Stream: "charges"}), "states[0].content", []string{"must be set"}},
		"state of an unselected stream": {states(with(nil), &connectorv1.StreamState{Stream: "customers", Content: with(nil).Content}), "states[1].stream", []string{"not among the streams", "select it", "omit its state"}},
		"state of another account":      {states(&connectorv1.StreamState{Stream: "charges", Account: "acct_1", Content: with(nil).Content}), "states[0].account", []string{"acct_1", "that account"}},
		"two states of a stream":        {states(with(nil), with(nil)), "states[1].stream", []string{"last one of each stream"}},

		"unknown form of records": {func(r *request) { r.RecordFormat = 99 }, "record_format", []string{"does not know"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			req := &request{Config: config, Streams: selectStreams("charges")}
			test.change(req)
			refusedRead(t, client, req).check(t, test.field, test.words...)
		})
	}
	newer := read(t, client, &request{Config: config, Streams: selectStreams("charges"), States: []*connectorv1.StreamState{with(map[string]any{"version": 1000})}})
	if status.Code(newer.err) != codes.Unavailable || len(newer.messages) > 0 {
		t.Errorf("a state that a newer release wrote: got %v, want UNAVAILABLE, since another replica may be newer", newer.err)
	}
	if n := stripe.RequestCount(""); n > 0 {
		t.Errorf("%d requests reached Stripe", n)
	}
	again := read(t, client, &request{Config: config, Streams: selectStreams("charges"), States: []*connectorv1.StreamState{with(nil)}})
	if again.err != nil || again.summary == nil {
		t.Errorf("the state as it was: %v", again.err)
	}
}

// TestBadInputWithoutSuggestion checks that no suggestion is made when nothing similar exists.
func TestBadInputWithoutSuggestion(t *testing.T) {
	t.Parallel()
	stripe := simulate(t, stripetest.Options{})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	config := configuration(t, map[string]any{"api_key": goodKey, "api_base": stripe.URL})
	for _, name := range []string{"x", "weather", "<script>", "\u0000", "🦓🦓🦓🦓", strings.Repeat("charges", 1000)} {
		t.Run(name[:min(len(name), 16)], func(t *testing.T) {
			r := refusedRead(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams(name)})
			r.check(t, "streams[0].stream", "not a stream", "Discover")
			if strings.Contains(r.fields["streams[0].stream"], "Did you mean") {
				t.Errorf("got %s", r.fields["streams[0].stream"])
			}
		})
	}
}

// TestBadInputByTheThousand sends a request with more invalid fields than fit in a response. The response names some of them.
func TestBadInputByTheThousand(t *testing.T) {
	t.Parallel()
	const many = 1000
	stripe := simulate(t, stripetest.Options{})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	good := map[string]any{"api_key": goodKey, "api_base": stripe.URL}
	unknown := maps.Clone(good)
	names, paths := make([]string, many), make([]string, many)
	for i := range many {
		names[i], paths[i] = fmt.Sprintf("weather_%d", i), fmt.Sprintf("colour_%d", i)
		unknown[paths[i]] = "blue"
	}
	tests := map[string]*connectorv1.ReadRequest{
		"streams":                     {Config: configuration(t, good), Streams: selectStreams(names...)},
		"paths":                       {Config: configuration(t, good), Streams: []*connectorv1.ConfiguredStream{{Stream: "charges", Fields: paths}}},
		"fields of the configuration": {Config: configuration(t, unknown), Streams: selectStreams("charges")},
	}
	for name, req := range tests {
		t.Run(name, func(t *testing.T) {
			all := read(t, client, req)
			if size := proto.Size(status.Convert(all.err).Proto()); size > 64<<10 {
				t.Errorf("the status has %d bytes, more than trailers can be expected to carry", size)
			}
			r := refusalOf(t, all.err)
			if r.code != codes.InvalidArgument || r.reason != "CONFIG" || len(r.fields) == 0 {
				t.Errorf("code %s, reason %q, %d fields", r.code, r.reason, len(r.fields))
			}
		})
	}
}

// TestBadInputInChecks sends Checks of unknown streams. Such a request is malformed, which says nothing about the key.
func TestBadInputInChecks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		streams []string
		field   string
		words   []string
	}{
		"misspelt stream":       {[]string{"charges", "cusotmers"}, "streams[1]", []string{`"cusotmers"`, `Did you mean "customers"?`}},
		"unknown stream":        {[]string{"weather"}, "streams[0]", []string{`"weather"`, "unknown stream"}},
		"stream named twice":    {[]string{"charges", "charges"}, "streams[1]", []string{"each stream once"}},
		"stream without a name": {[]string{""}, "streams[0]", []string{"must name a stream"}},
	}
	stripe := simulate(t, stripetest.Options{})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	config := configuration(t, map[string]any{"api_key": goodKey, "api_base": stripe.URL})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := client.Check(t.Context(), &connectorv1.CheckRequest{Config: config, Streams: test.streams})
			refusalOf(t, err).check(t, test.field, test.words...)
		})
	}
}

// TestBadInputOfALaterServer sends a field that this version of the server does not know.
func TestBadInputOfALaterServer(t *testing.T) {
	t.Parallel()
	client := dial(t, serve(t, closed, quick, io.Discard))
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 1)
	spec, check, discover := &connectorv1.SpecRequest{}, &connectorv1.CheckRequest{}, &connectorv1.DiscoverRequest{}
	request := &connectorv1.ReadRequest{Streams: selectStreams("charges")}
	for _, m := range []proto.Message{spec, check, discover, request} {
		m.ProtoReflect().SetUnknown(unknown)
	}
	_, specErr := client.Spec(t.Context(), spec)
	_, checkErr := client.Check(t.Context(), check)
	_, discoverErr := client.Discover(t.Context(), discover)
	for rpc, err := range map[string]error{
		"Spec": specErr, "Check": checkErr, "Discover": discoverErr, "Read": read(t, client, request).err,
	} {
		r := refusalOf(t, err)
		if r.code != codes.InvalidArgument || r.reason != "CONFIG" {
			t.Errorf("%s: code %s, reason %q", rpc, r.code, r.reason)
		}
		checkFields(t, r.fields, "1000", []string{"does not know", "newer server"})
	}
}

// TestBadInputThatIsTooLarge sends requests that exceed the server's size limit.
func TestBadInputThatIsTooLarge(t *testing.T) {
	t.Parallel()
	client := dial(t, serve(t, closed, quick, io.Discard))
	config := configuration(t, map[string]any{"api_key": goodKey, "start_date": strings.Repeat("1", 5<<20)})
	_, check := client.Check(t.Context(), &connectorv1.CheckRequest{Config: config})
	_, discover := client.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config})
	reading := read(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("charges")}).err
	for rpc, err := range map[string]error{"Check": check, "Discover": discover, "Read": reading} {
		if r := refusalOf(t, err); r.code != codes.ResourceExhausted {
			t.Errorf("%s: %v", rpc, err)
		}
		checkWords(t, err.Error(), "larger than max")
	}
	// A request just below the limit is refused for its content, in a response small enough for a client to receive.
	config = configuration(t, map[string]any{"api_key": goodKey, "start_date": strings.Repeat("1", 3<<20)})
	refusedRead(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("charges")}).check(t, "config.start_date")
}

// TestBadInputRefusedByStripe sends valid configurations that Stripe rejects.
func TestBadInputRefusedByStripe(t *testing.T) {
	t.Parallel()
	const expired = "rk_test_Expired0123456789"
	tests := map[string]struct {
		config map[string]any
		words  []string
	}{
		"unknown key":               {map[string]any{"api_key": "sk_test_Unknown0123456789"}, []string{"api_key", "Dashboard", "Invalid API Key provided"}},
		"expired key":               {map[string]any{"api_key": expired}, []string{"api_key", "Expired API Key provided"}},
		"account that is not there": {map[string]any{"api_key": goodKey, "account": "acct_0000000000000000"}, []string{"account", "does not have access"}},
	}
	stripe := simulate(t, stripetest.Options{Keys: map[string]stripetest.Key{goodKey: {}, expired: {Expired: true}}})
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.config["api_base"] = stripe.URL
			config := configuration(t, test.config)
			problem := failedCheck(t, client, &connectorv1.CheckRequest{Config: config, Streams: []string{"charges", "customers"}})
			_, discover := client.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: config, OnlyAvailable: true})
			reading := read(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("charges", "customers")})
			failures := []*connectorv1.Failure{problem}
			for _, r := range []refusal{refusalOf(t, discover), refusalOf(t, reading.err)} {
				if r.code != codes.Unauthenticated || r.reason != "AUTH" {
					t.Errorf("code %s, reason %q", r.code, r.reason)
				}
				failures = append(failures, r.failure)
			}
			for _, failure := range failures {
				if failure.GetClass() != connectorv1.FailureClass_FAILURE_CLASS_AUTH || failure.GetRetryable() {
					t.Errorf("class %s, retryable %v", failure.GetClass(), failure.GetRetryable())
				}
				if failure.GetRequestId() == "" || failure.GetHttpStatus()/100 != 4 {
					t.Errorf("request %q, HTTP status %d", failure.GetRequestId(), failure.GetHttpStatus())
				}
				checkWords(t, failure.GetMessage(), test.words...)
			}
			if n := len(reading.records("charges")); n > 0 {
				t.Errorf("%d records", n)
			}
		})
	}
}

// TestBadInputOfPermissions uses a key that may read only some streams. Check reports the others, and a Read skips them.
func TestBadInputOfPermissions(t *testing.T) {
	t.Parallel()
	const narrow, none = "rk_test_Narrow0123456789", "rk_test_None0123456789"
	streams := []string{"customers", "charges", "invoice_line_items", "issuing_cards", "refunds"}
	stripe := simulate(t, stripetest.Options{NotEnabled: []string{"issuing"}, Objects: map[string]int{"/v1/charges": 250, "*": 10}})
	options := stripetest.Options{
		NotEnabled: []string{"issuing"}, Objects: map[string]int{"/v1/charges": 250, "*": 10},
		Keys: map[string]stripetest.Key{none: {}, narrow: {Permissions: []string{
			stripe.Permission("/v1/charges"), stripe.Permission("/v1/refunds"), stripe.Permission("/v1/issuing/cards"),
		}}},
	}
	stripe = simulate(t, options)
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	config := configuration(t, map[string]any{"api_key": narrow, "api_base": stripe.URL, "start_date": "2020-01-01"})
	reasons := map[string]string{ // why each stream is unavailable
		"customers":          "rak_customer_read",
		"invoice_line_items": "rak_invoice_read",
		"issuing_cards":      "not set up to use Issuing",
	}

	resp, err := client.Check(t.Context(), &connectorv1.CheckRequest{Config: config, Streams: streams})
	if err != nil || resp.GetStatus() != connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED || len(resp.GetProblems()) > 0 {
		t.Fatalf("%v, %v", resp, err)
	}
	for i, s := range resp.GetStreams() {
		if s.GetStream() != streams[i] {
			t.Errorf("stream %d is %s", i, s.GetStream())
		}
		checkPermission(t, s.GetStream(), s.GetAvailability() == connectorv1.Availability_AVAILABILITY_AVAILABLE, s.GetReason(), reasons)
	}
	all := read(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams(streams...)})
	if all.err != nil || all.summary == nil {
		t.Fatalf("the Read ended with %v", all.err)
	}
	for i, s := range all.summary.GetStreams() {
		if s.GetStream() != streams[i] {
			t.Errorf("stream %d is %s", i, s.GetStream())
		}
		checkPermission(t, s.GetStream(), s.GetStatus() == connectorv1.StreamStatus_STREAM_STATUS_COMPLETE, s.GetFailure(), reasons)
		if want := connectorv1.StreamStatus_STREAM_STATUS_SKIPPED; reasons[s.GetStream()] != "" && s.GetStatus() != want {
			t.Errorf("%s is %s", s.GetStream(), s.GetStatus())
		}
	}
	sameRows(t, rows(all.records("charges")), truth(stripe, "/v1/charges"))
	sameRows(t, rows(all.records("refunds")), truth(stripe, "/v1/refunds"))

	config = configuration(t, map[string]any{"api_key": none, "api_base": stripe.URL})
	if problem := failedCheck(t, client, &connectorv1.CheckRequest{Config: config, Streams: streams}); problem.GetClass() != connectorv1.FailureClass_FAILURE_CLASS_PERMISSION {
		t.Errorf("a key that may read nothing: %v", problem)
	}
}

// checkPermission checks whether a stream is reported as available, and if not, why.
func checkPermission(t *testing.T, stream string, available bool, reason *connectorv1.Failure, reasons map[string]string) {
	t.Helper()
	if available != (reasons[stream] == "") {
		t.Errorf("%s is available: %v, because of %v", stream, available, reason)
	}
	if available {
		return
	}
	if reason.GetClass() != connectorv1.FailureClass_FAILURE_CLASS_PERMISSION || reason.GetStream() != stream || reason.GetRetryable() {
		t.Errorf("%s: %v", stream, reason)
	}
	checkWords(t, reason.GetMessage(), reasons[stream], "or deselect the stream")
}

// TestBadInputFromStripe reads from a Stripe whose lists are unexpected: objects of other types, ids that must be escaped in
// paths, and fields that are in no schema.
func TestBadInputFromStripe(t *testing.T) {
	t.Parallel()
	const odd = "cus a/b?c=d%20#e"
	customer := `{"id":"` + odd + `","object":"customer","created":` + fmt.Sprint(time.Now().Unix()-86400) + `,"never_seen":{"deep":[1.50,null,"\u00e9"]},"big":123456789012345678901234567890}`
	var mu sync.Mutex
	requested := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requested[r.URL.Path]++
		mu.Unlock()
		list := map[string]string{
			"/v1/customers": customer + `,{"id":"ch_1","object":"charge"},{"object":"customer"},{}`,
			"/v1/customers/" + odd + "/balance_transactions": `{"id":"cbtxn_1","object":"customer_balance_transaction"}`,
		}[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"object": "list", "has_more": false, "data": [%s]}`, list)
	}))
	t.Cleanup(server.Close)
	client := dial(t, serve(t, server.URL, quick, io.Discard))
	streams := []string{"customers", "charges", "customer_balance_transactions"}
	all := read(t, client, &connectorv1.ReadRequest{
		Config: configuration(t, map[string]any{"api_key": goodKey, "api_base": server.URL}), Streams: selectStreams(streams...),
	})
	if all.err != nil {
		t.Fatal(all.err)
	}
	if got := all.records("customers"); len(got) != 1 || got[0].GetData() != customer {
		t.Errorf("the customers are %v", got)
	}
	if got := all.records("charges"); len(got) > 0 {
		t.Errorf("the charges are %v", got)
	}
	if got := all.records("customer_balance_transactions"); len(got) != 1 {
		t.Errorf("the balance transactions are %v; asked were %v", got, requested)
	}
	if n := requested["/v1/customers"]; n != 1 {
		t.Errorf("the customers were listed %d times for two streams", n)
	}
	warned := slices.ContainsFunc(all.messages, func(m *connectorv1.ReadResponse) bool {
		return m.GetLog().GetLevel() == connectorv1.LogLevel_LOG_LEVEL_WARNING && m.GetLog().GetStream() == "customers"
	})
	if !warned {
		t.Error("nothing names the objects that were skipped")
	}
}

// TestBadInputWithoutParent reads a child whose parent is not selected, and two streams of the same endpoint.
func TestBadInputWithoutParent(t *testing.T) {
	t.Parallel()
	const lines = "/v1/invoices/{invoice}/lines"
	stripe := simulate(t, stripetest.Options{Objects: map[string]int{"/v1/invoices": 150, lines: 3, "/v1/customers": 150, "*": 5,
		"/v1/test_helpers/test_clocks": 0}}) // the customers of each clock are a separate list
	client := dial(t, serve(t, stripe.URL, quick, io.Discard))
	config := configuration(t, simulatedConfig(stripe.URL))
	alone := read(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("invoice_line_items")})
	if alone.err != nil || len(alone.summary.GetStreams()) != 1 || len(alone.records("invoices")) > 0 {
		t.Errorf("%v, %v", alone.err, alone.summary)
	}
	if got, want := len(alone.records("invoice_line_items")), stripe.Count(lines); got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	stripe.ResetRequests()
	both := read(t, client, &connectorv1.ReadRequest{Config: config, Streams: selectStreams("cards", "bank_accounts")})
	if both.err != nil {
		t.Fatal(both.err)
	}
	if n, want := stripe.RequestCount("/v1/customers"), stripe.MinRequests("/v1/customers"); n != want {
		t.Errorf("%d requests of customers for two streams that they carry, want %d", n, want)
	}
}

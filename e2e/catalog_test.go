package e2e

import (
	"io"
	"regexp"
	"strings"
	"testing"

	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// streamName is the format of stream names promised by catalog.proto.
var streamName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// TestCatalogKeepsItsPromises checks the catalog that a client receives against each sentence about Stream and Relation in
// catalog.proto.
func TestCatalogKeepsItsPromises(t *testing.T) {
	t.Parallel()
	client := dial(t, serve(t, closed, quick, io.Discard))
	resp, err := client.Discover(t.Context(), &connectorv1.DiscoverRequest{Config: configuration(t, map[string]any{"api_key": goodKey})})
	if err != nil {
		t.Fatal(err)
	}
	streams := map[string]*connectorv1.Stream{}
	for _, s := range resp.GetStreams() {
		if streams[s.GetName()] != nil || !streamName.MatchString(s.GetName()) {
			t.Errorf("the name %q is taken, or not of lower-case letters, digits and underscores", s.GetName())
		}
		streams[s.GetName()] = s
	}
	if len(streams) < 100 {
		t.Errorf("only %d streams", len(streams))
	}
	for name, s := range streams {
		for _, broken := range brokenSentences(streams, s) {
			t.Errorf("%s: %s", name, broken)
		}
	}
}

// brokenSentences returns the sentences of catalog.proto that a stream violates.
func brokenSentences(streams map[string]*connectorv1.Stream, s *connectorv1.Stream) []string {
	schema := s.GetJsonSchema().GetFields()
	named := func(path string) bool {
		top, _, _ := strings.Cut(strings.ReplaceAll(path, "[]", ""), ".")
		return schema["properties"].GetStructValue().GetFields()[top] != nil
	}
	sentences := map[string]bool{
		"description is one sentence for people": s.GetDescription() != "" && !strings.Contains(s.GetDescription(), "\n"),
		"json_schema is an object with properties, never closed": schema["properties"].GetStructValue() != nil &&
			schema["additionalProperties"].GetKind() == nil,
		"primary_key is never empty":                   len(s.GetPrimaryKey()) > 0,
		"json_schema names cursor_field":               s.GetCursorField() == "" || named(s.GetCursorField()),
		"supported_sync_modes is never empty":          len(s.GetSupportedSyncModes()) > 0,
		"freshness is never UNSPECIFIED":               s.GetFreshness() != connectorv1.Freshness_FRESHNESS_UNSPECIFIED,
		"parent is a stream of the catalog":            s.GetParent() == "" || streams[s.GetParent()] != nil,
		"parent_field is set if and only if parent is": (s.GetParent() == "") == (s.GetParentField() == ""),
		"json_schema names parent_field":               s.GetParentField() == "" || named(s.GetParentField()),
		"documentation_url is a page":                  strings.HasPrefix(s.GetDocumentationUrl(), "https://"),
		"availability is UNSPECIFIED unless asked":     s.GetAvailability() == connectorv1.Availability_AVAILABILITY_UNSPECIFIED,
		"unavailable_reason is unset otherwise":        s.GetUnavailableReason() == nil,
	}
	for _, path := range s.GetPrimaryKey() {
		sentences["json_schema names "+path+" of primary_key"] = named(path)
	}
	for _, r := range s.GetRelations() {
		to := streams[r.GetStream()]
		sentences["json_schema names the field "+r.GetField()+" of a relation"] = named(r.GetField())
		sentences["a relation holds the primary key of "+r.GetStream()] = len(to.GetPrimaryKey()) == 1 && to.GetPrimaryKey()[0] == r.GetForeignField()
	}
	var broken []string
	for sentence, holds := range sentences {
		if !holds {
			broken = append(broken, sentence)
		}
	}
	return broken
}

// TestBrokenCatalogIsNoticed checks that a stream violating every promise is detected.
func TestBrokenCatalogIsNoticed(t *testing.T) {
	bad := &connectorv1.Stream{
		Name: "a", Parent: "b", CursorField: "created", Relations: []*connectorv1.Relation{{Field: "x", Stream: "b", ForeignField: "id"}},
		Availability: connectorv1.Availability_AVAILABILITY_UNKNOWN, UnavailableReason: &connectorv1.Failure{},
	}
	if broken := brokenSentences(map[string]*connectorv1.Stream{"a": bad}, bad); len(broken) != 13 {
		t.Errorf("it breaks %d sentences: %s", len(broken), strings.Join(broken, "; "))
	}
}

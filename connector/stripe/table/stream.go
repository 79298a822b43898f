package table

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/stripe/clock"
	"github.com/stripe-connector/stripe-connector/connector/stripe/rawjson"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// Stream is one row of the table: a stream, and every peculiarity of its endpoint.
type Stream struct {
	Name string
	// Object is the object type of the stream. An endpoint that lists several types has a row for each of them; objects
	// of any other type never become records.
	Object string
	// Path is the list endpoint. In the path of a child, {parent} stands for its parent's id and {across} for the id of
	// an object of Across.
	Path string
	// Key is the primary key; nil means id.
	Key []string
	// Params are sent with every list request, to unhide rows that the endpoint hides by default.
	Params url.Values
	// Cursor is the field that the endpoint's created filter filters by; empty if it has no such filter.
	Cursor string
	// RetentionDays is how far back the endpoint reaches; zero means forever.
	RetentionDays int
	// Unpaged: the endpoint takes neither a limit nor cursors, and answers everything at once.
	Unpaged bool
	// Single: the endpoint returns one object, not a list.
	Single bool
	// Rows returns the rows that one object of the endpoint holds, for a stream that is not its objects; nil otherwise.
	// RowSchema then returns the schema of such a row, given that of the object.
	Rows      func(rawjson.Object) []rawjson.Object
	RowSchema func(schema.Schema) schema.Schema
	// Clocked: in test mode, the list hides the objects of test clocks unless it is asked for those of one clock
	// (https://docs.stripe.com/billing/testing/test-clocks).
	Clocked bool
	// TestOnly: the endpoint exists in test mode only.
	TestOnly bool

	// Parent is the stream whose objects have this one's below them; empty for a stream of its own.
	Parent string
	// Embedded is the path of the list in the parent's object that holds the first few; empty if it holds none.
	Embedded string
	// Expand: the parent's list embeds them only if asked to with expand[]. The parent's own records do not show that.
	Expand bool
	// Inline: no endpoint lists these objects. Embedded is the path of the object, or of the array of objects, in the
	// parent's object, and Path only names the endpoint of the parent.
	Inline bool
	// ParentParams name the parent where the path does not: parameter -> path of the value in the parent's object.
	ParentParams map[string]string
	// ParentField is set to the parent's id in each record, where Stripe leaves it out.
	ParentField string
	// ParentKey is the field that holds the parent's id where ParentField is empty.
	ParentKey string
	// Needs is a field of the parent without which it certainly has none of these; its value must be NeedsValue unless
	// that is empty. Parents that lack it cost no request.
	Needs, NeedsValue string
	// RefusedByParent: Stripe may refuse single parents while the key may read others.
	RefusedByParent bool
	// Across is a stream. The endpoint is requested for each combination of a parent and one of its objects, whose id
	// AcrossField is set to.
	Across, AcrossField string
	// RangeParams are the parameters that take the bounds of the time to read, as Unix seconds of whole days.
	RangeParams []string

	// Events are the types that announce changes; * stands for one word. The type of an event's object says what the event is
	// about: an object of this stream, or the parent whose children changed.
	Events []string
	// Deleted are those among them that tell that an object is gone.
	Deleted []string
	// Via are types of events about another object, with the parameter of the list by which that one's are asked for.
	Via map[string]string
	// FollowsParent: a change of the parent can be one of these as well, although they have events of their own.
	FollowsParent bool
	// Unannounced means that not every change has an event, so everything is re-read in each sync.
	Unannounced bool
	// NewUnannounced means that not every creation has an event, so the newest objects are listed in each sync.
	NewUnannounced bool
	// PendingField has PendingValue as long as an object, or what is below it, can still change without an event. It is a field
	// of the root's objects. Such objects are re-listed, unless they are older than PendingDays; zero means however old.
	PendingField, PendingValue string
	PendingDays                int
	// Permission is what a restricted key needs, by its name in Stripe's errors; empty where it is not known for sure.
	Permission string
	// Doc is the page of Stripe's documentation about the object, below https://docs.stripe.com/api/.
	Doc string
}

// Table holds the streams, in the order of the catalog.
type Table []Stream

// Find returns the stream of a name, or nil.
func (t Table) Find(name string) *Stream {
	i := slices.IndexFunc(t, func(s Stream) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &t[i]
}

// Names returns the names of the streams.
func (t Table) Names() []string {
	names := make([]string, len(t))
	for i, s := range t {
		names[i] = s.Name
	}
	return names
}

// Endpoints returns one stream of each endpoint below a parent; with "", of each that has no parent. Streams of one endpoint
// differ in their object type only.
func (t Table) Endpoints(parent string) []*Stream {
	var endpoints []*Stream
	for i := range t {
		known := slices.ContainsFunc(endpoints, t[i].SameEndpoint)
		if t[i].Parent == parent && !known {
			endpoints = append(endpoints, &t[i])
		}
	}
	return endpoints
}

// SameEndpoint reports whether s and other are read from the same pages.
func (s *Stream) SameEndpoint(other *Stream) bool {
	return s.Path == other.Path && s.Parent == other.Parent && (!s.Inline && !other.Inline || s.Embedded == other.Embedded)
}

// Objects returns the object types that belong to the endpoint of s.
func (t Table) Objects(s *Stream) []string {
	var objects []string
	for i := range t {
		if t[i].SameEndpoint(s) {
			objects = append(objects, t[i].Object)
		}
	}
	return objects
}

// Root returns the stream whose endpoint is paged to reach s: its topmost ancestor.
func (t Table) Root(s *Stream) *Stream {
	for s.Parent != "" {
		s = t.Find(s.Parent)
	}
	return s
}

// PrimaryKey returns the paths of the fields that together identify a row.
func (s *Stream) PrimaryKey() []string {
	if s.Key != nil {
		return s.Key
	}
	return []string{"id"}
}

// CreatedAt returns the time by which the endpoint orders an object, or 0 if it has none.
func (s *Stream) CreatedAt(object rawjson.Object) clock.Second {
	if s.Cursor == "" || s.Cursor == "created" {
		return clock.Second(object.Created)
	}
	value, _ := rawjson.Lookup(object.Raw, s.Cursor)
	return clock.Second(rawjson.Int(value))
}

// MaxPerPage is the most objects that a page of Stripe's has (https://docs.stripe.com/api/pagination).
const MaxPerPage = 100

// Place is what a list request is about, besides the endpoint.
type Place struct {
	Parent   rawjson.Object // of a child
	Across   string         // the id of an object of the column Across
	PageSize int            // 0 means MaxPerPage
	From, To clock.Second   // for the column RangeParams
}

// List returns path and parameters of the first page of s.
func (s *Stream) List(at Place) (string, url.Values) {
	query := url.Values{}
	if !s.Unpaged && !s.Single {
		query.Set("limit", strconv.Itoa(cmp.Or(at.PageSize, MaxPerPage)))
	}
	for name, values := range s.Params {
		query[name] = values
	}
	for name, path := range s.ParentParams {
		value, _ := rawjson.Lookup(at.Parent.Raw, strings.Split(path, ".")...)
		query.Set(name, rawjson.String(value))
	}
	if len(s.RangeParams) == 2 {
		const day = 24 * 60 * 60
		query.Set(s.RangeParams[0], strconv.FormatInt(int64(at.From/day*day), 10))
		query.Set(s.RangeParams[1], strconv.FormatInt(int64((at.To+day-1)/day*day), 10))
	}
	replace := strings.NewReplacer("{parent}", escape(at.Parent.ID), "{across}", escape(at.Across))
	return replace.Replace(s.Path), query
}

// Retrieve returns the path of one object of s. Not every endpoint that lists objects has one for each.
func (s *Stream) Retrieve(at Place, id string) string {
	path, _ := s.List(at)
	return path + "/" + escape(id)
}

// escape escapes an id as one element of a path. Merchants choose the ids of some objects, and "." and ".." would mean another
// path.
func escape(id string) string {
	if id == "." || id == ".." {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

// MayHave reports whether a parent can have objects of s: false only where it certainly has none.
func (s *Stream) MayHave(parent rawjson.Object) bool {
	if s.Needs == "" {
		return true
	}
	value, ok := rawjson.Lookup(parent.Raw, strings.Split(s.Needs, ".")...)
	if s.NeedsValue != "" {
		return value == s.NeedsValue || rawjson.String(value) == s.NeedsValue
	}
	return ok && value != "null"
}

// EmbeddedPath returns the names that lead to the list in the parent's object which holds the first few.
func (s *Stream) EmbeddedPath() []string { return strings.Split(s.Embedded, ".") }

// ErrTestOnly returns the failure of reading with a live key what only test mode has.
func ErrTestOnly() *connector.Failure {
	return &connector.Failure{
		Class:   connector.PermissionError,
		Message: "Stripe has these objects in test mode only: leave the stream out, or use a test key.",
	}
}

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

// Stream is a row of the table. It describes a stream and every peculiarity of its endpoint.
type Stream struct {
	Name string
	// Object is the object type of the stream. An endpoint that lists several types has a row for each. Objects of other
	// types never become records.
	Object string
	// Path is the list endpoint. In a child's path, {parent} stands for the parent's id, and {across} for the id of an
	// object of Across.
	Path string
	// Key is the primary key. Nil means id.
	Key []string
	// Params are sent with every list request, to include rows that the endpoint hides by default.
	Params url.Values
	// Cursor is the field that the endpoint's created filter applies to, or empty if it has no such filter.
	Cursor string
	// RetentionDays is how far back the endpoint reaches. Zero means forever.
	RetentionDays int
	// Unpaged means that the endpoint takes neither a limit nor cursors, and returns everything at once.
	Unpaged bool
	// Single means that the endpoint returns one object, not a list.
	Single bool
	// Rows returns the rows in one object of the endpoint. It is nil if the objects themselves are the rows. If it is set,
	// RowSchema returns the schema of a row, given that of the object.
	Rows      func(rawjson.Object) []rawjson.Object
	RowSchema func(schema.Schema) schema.Schema
	// Clocked means that in test mode, the list hides the objects of test clocks unless those of one clock are requested
	// (https://docs.stripe.com/billing/testing/test-clocks).
	Clocked bool
	// TestOnly means that the endpoint exists only in test mode.
	TestOnly bool

	// Parent is the stream whose objects are this stream's parents, or empty if it has none.
	Parent string
	// Embedded is the path, in the parent's object, of the list with the first few objects; empty if there is none.
	Embedded string
	// Expand means that the parent's list includes them only if asked to with expand[]. The parent's own records omit them.
	Expand bool
	// Inline means that no endpoint lists these objects. Embedded is then the path of the object or array of objects in the
	// parent's object, and Path is just the parent's endpoint.
	Inline bool
	// ParentParams identify the parent if the path does not: parameter -> path of its value in the parent's object.
	ParentParams map[string]string
	// ParentField is a field to add to each record with the parent's id, if Stripe omits it.
	ParentField string
	// ParentKey is the field that holds the parent's id if ParentField is empty.
	ParentKey string
	// Needs is a parent field without which the parent cannot have any of these objects. If NeedsValue is not empty, the
	// field must have that value. Other parents cost no request.
	Needs, NeedsValue string
	// RefusedByParent means that Stripe may refuse individual parents although the key may read others.
	RefusedByParent bool
	// Across is a stream. The endpoint is requested for each combination of a parent and an object of Across. AcrossField
	// is set to that object's id.
	Across, AcrossField string
	// RangeParams are the parameters that bound the time range to read, in Unix seconds at day boundaries.
	RangeParams []string

	// Events are the event types that announce changes; * stands for one word. The type of an event's object shows what the
	// event is about: an object of this stream, or the parent whose children changed.
	Events []string
	// Deleted are those of Events that mean an object is gone.
	Deleted []string
	// ChosenIDs means that users can choose the ids of objects, so a deleted object can be created again
	// (https://docs.stripe.com/api/coupons/create#create_coupon-id).
	ChosenIDs bool
	// Via maps event types about another object to the list parameter that selects that object's rows.
	Via map[string]string
	// FollowsParent means that a change of the parent can also be a change of these, although they have events of their own.
	FollowsParent bool
	// Unannounced means that some changes have no event, so each sync re-reads everything.
	Unannounced bool
	// NewUnannounced means that some creations have no event, so each sync lists the newest objects.
	NewUnannounced bool
	// PendingField is a field of the root's objects. While it has PendingValue, an object, or what is below it, can still
	// change without an event. Such objects are re-listed until they are older than PendingDays; zero means no limit.
	PendingField, PendingValue string
	PendingDays                int
	// Since is the first version of a schema.Edition that has the stream, and Until the first that no longer has it. Empty means
	// that there is no such bound.
	Since, Until string
	// Revised says what else differs between versions, oldest first.
	Revised []Revision

	// Permission is what a restricted key needs, as named in Stripe's errors; empty if not known for certain.
	Permission string
	// Doc is the object's page in Stripe's documentation, relative to https://docs.stripe.com/api/.
	Doc string

	edition schema.Edition // set by Streams
	parsed  *parsedFields  // shared by the copies of a stream
}

// Table is the list of streams, in catalog order.
type Table []Stream

// Find returns the stream with the given name, or nil.
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

// Endpoints returns one stream for each endpoint below the given parent, or for each endpoint without a parent if parent is "".
// Streams of the same endpoint differ only in their object type.
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

// Objects returns the object types of the endpoint of s.
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

// CreatedAt returns the timestamp by which the endpoint sorts an object, or 0 if there is none.
func (s *Stream) CreatedAt(object rawjson.Object) clock.Second {
	if s.Cursor == "" || s.Cursor == "created" {
		return clock.Second(object.Created)
	}
	value, _ := rawjson.Lookup(object.Raw, s.Cursor)
	return clock.Second(rawjson.Int(value))
}

// MaxPerPage is the maximum number of objects in a page (https://docs.stripe.com/api/pagination).
const MaxPerPage = 100

// Place says what a list request is about, in addition to its endpoint.
type Place struct {
	Parent   rawjson.Object // if the stream is a child
	Across   string         // the id of an object of Stream.Across
	PageSize int            // 0 means MaxPerPage
	From, To clock.Second   // for Stream.RangeParams
}

// List returns the path and parameters of the first page of s.
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

// Retrieve returns the path of a single object of s. Some list endpoints have no such counterpart.
func (s *Stream) Retrieve(at Place, id string) string {
	path, _ := s.List(at)
	return path + "/" + escape(id)
}

// escape escapes an id as one path element. Merchants choose the ids of some objects, and an element "." or ".." would change
// the path.
func escape(id string) string {
	if id == "." || id == ".." {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

// MayHave reports whether a parent may have objects of s. It returns false only if it certainly has none.
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

// EmbeddedPath returns the names on the path to the parent's embedded list.
func (s *Stream) EmbeddedPath() []string { return strings.Split(s.Embedded, ".") }

// ErrTestOnly returns the failure for reading, with a live key, something that exists only in test mode.
func ErrTestOnly() *connector.Failure {
	return &connector.Failure{
		Class:   connector.PermissionError,
		Message: "Stripe has these objects only in test mode: exclude the stream, or use a test key.",
	}
}

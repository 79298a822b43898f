package destination

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/dustin/go-humanize" // sizes such as 64MB
)

// Options are the options in the name of a destination. A kind takes the options it knows, then calls Err or Done.
type Options struct {
	// Fence is the one passed to [Kinds.OpenFenced], or nil. A kind that doesn't support it ignores it.
	Fence *Fence

	values   url.Values
	problems []error
}

// parseOptions splits path into the address and its options.
func parseOptions(path string) (string, *Options, error) {
	i := strings.LastIndexByte(path, '?')
	if i < 0 {
		return path, &Options{values: url.Values{}}, nil
	}
	values, err := url.ParseQuery(path[i+1:])
	if err != nil { // err quotes the options, which may hold a password
		return "", nil, errors.New("its options are malformed: write them as ?name=value&name=value, with % escaped as %25")
	}
	return path[:i], &Options{values: values}, nil
}

// Text takes the named option and returns its value, or "" if it is not set.
func (o *Options) Text(name string) string {
	value := o.values.Get(name)
	if len(o.values[name]) > 1 {
		o.addProblem("option %s is set %d times: set it once", name, len(o.values[name]))
	}
	delete(o.values, name)
	return value
}

// Choice takes an option with two possible values and reports whether it is set to second. The default is first.
func (o *Options) Choice(name, first, second string) bool {
	value := o.Text(name)
	if value != "" && value != first && value != second {
		o.addProblem("option %s must be %s or %s, got %q", name, first, second, value)
	}
	return value == second
}

// Size takes an option that is a size in bytes, such as 64MB, and returns the number of bytes, or 0 if it is not set.
func (o *Options) Size(name string) int64 {
	value := o.Text(name)
	if value == "" {
		return 0
	}
	size, err := humanize.ParseBytes(value)
	if err != nil || size == 0 || size > 1<<60 {
		o.addProblem("option %s must be a size such as 64MB, got %q", name, value)
	}
	return int64(size)
}

// Rest returns address with the options that were not taken, for the driver to parse.
func (o *Options) Rest(address string) string {
	if len(o.values) == 0 {
		return address
	}
	return address + "?" + strings.ReplaceAll(o.values.Encode(), "+", "%20") // drivers don't decode + as a space
}

func (o *Options) addProblem(format string, args ...any) {
	o.problems = append(o.problems, fmt.Errorf(format, args...))
}

// Err returns an error that lists every problem with the options taken so far, or nil.
func (o *Options) Err() error { return errors.Join(o.problems...) }

// Done is like Err, and also reports the options that were not taken.
func (o *Options) Done() error {
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		o.addProblem("unknown option %q for this kind of destination", name)
	}
	return o.Err()
}

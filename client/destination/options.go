package destination

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/dustin/go-humanize" // sizes as people write them
)

// Options are the options in the name of a destination. A kind takes those that it knows and then asks for the error.
type Options struct {
	values   url.Values
	problems []error
}

// parseOptions cuts the options off.
func parseOptions(path string) (string, *Options, error) {
	i := strings.LastIndexByte(path, '?')
	if i < 0 {
		return path, &Options{values: url.Values{}}, nil
	}
	values, err := url.ParseQuery(path[i+1:])
	if err != nil { // which quotes what may be a password
		return "", nil, errors.New("its options cannot be understood: write them as ?name=value&name=value, with % as %25")
	}
	return path[:i], &Options{values: values}, nil
}

// Text takes an option and returns its value, or "" if it is not set.
func (o *Options) Text(name string) string {
	value := o.values.Get(name)
	if len(o.values[name]) > 1 {
		o.complain("option %s is there %d times: write it once", name, len(o.values[name]))
	}
	delete(o.values, name)
	return value
}

// Choice takes an option that has two values and reports whether it is the second. The first is the default.
func (o *Options) Choice(name, first, second string) bool {
	value := o.Text(name)
	if value != "" && value != first && value != second {
		o.complain("option %s is %q: write %s or %s", name, value, first, second)
	}
	return value == second
}

// Size takes an option that is a number of bytes, such as 64MB, and returns it, or 0 if it is not set.
func (o *Options) Size(name string) int64 {
	value := o.Text(name)
	if value == "" {
		return 0
	}
	size, err := humanize.ParseBytes(value)
	if err != nil || size == 0 || size > 1<<60 {
		o.complain("option %s is %q: write a size, such as 64MB", name, value)
	}
	return int64(size)
}

// Rest returns an address with the options that were not taken, for a driver to read.
func (o *Options) Rest(address string) string {
	if len(o.values) == 0 {
		return address
	}
	return address + "?" + strings.ReplaceAll(o.values.Encode(), "+", "%20") // which drivers don't read as a space
}

func (o *Options) complain(format string, args ...any) {
	o.problems = append(o.problems, fmt.Errorf(format, args...))
}

// Err returns an error that says everything that is wrong with the options taken, or nil.
func (o *Options) Err() error { return errors.Join(o.problems...) }

// Done is Err, and refuses options that were not taken.
func (o *Options) Done() error {
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		o.complain("there is no option %q for this kind of destination", name)
	}
	return o.Err()
}

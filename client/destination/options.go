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

// options are those of a destination's name. What is taken is gone from them.
type options struct {
	values   url.Values
	problems []error
}

// parseOptions cuts the options off.
func parseOptions(path string) (string, *options, error) {
	i := strings.LastIndexByte(path, '?')
	if i < 0 {
		return path, &options{values: url.Values{}}, nil
	}
	values, err := url.ParseQuery(path[i+1:])
	if err != nil { // which quotes what may be a password
		return "", nil, errors.New("its options cannot be understood: write them as ?name=value&name=value, with % as %25")
	}
	return path[:i], &options{values: values}, nil
}

// text takes an option; empty if it is not there.
func (o *options) text(name string) string {
	value := o.values.Get(name)
	if len(o.values[name]) > 1 {
		o.complain("option %s is there %d times: write it once", name, len(o.values[name]))
	}
	delete(o.values, name)
	return value
}

// choice takes an option that has two values, and tells whether it is the second. The first is the default.
func (o *options) choice(name, first, second string) bool {
	value := o.text(name)
	if value != "" && value != first && value != second {
		o.complain("option %s is %q: write %s or %s", name, value, first, second)
	}
	return value == second
}

// size takes an option that is a number of bytes, such as 64MB.
func (o *options) size(name string) int64 {
	value := o.text(name)
	if value == "" {
		return 0
	}
	size, err := humanize.ParseBytes(value)
	if err != nil || size == 0 || size > 1<<60 {
		o.complain("option %s is %q: write a size, such as 64MB", name, value)
	}
	return int64(size)
}

// rest gives what is left to a driver.
func (o *options) rest(address string) string {
	if len(o.values) == 0 {
		return address
	}
	return address + "?" + strings.ReplaceAll(o.values.Encode(), "+", "%20") // which drivers don't read as a space
}

func (o *options) complain(format string, args ...any) {
	o.problems = append(o.problems, fmt.Errorf(format, args...))
}

// wrong gives everything that is wrong.
func (o *options) wrong() error { return errors.Join(o.problems...) }

// unknown gives that, and refuses what was not taken.
func (o *options) unknown() error {
	for _, name := range slices.Sorted(maps.Keys(o.values)) {
		o.complain("there is no option %q for this kind of destination", name)
	}
	return o.wrong()
}

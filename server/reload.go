package server

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// lookAgain is how long what was read of files holds before they are read again, at the next call that needs it.
	lookAgain = time.Second
	// staleAfter is how long the last good value stays in force when the files can't be read or parsed any more. A rotation that
	// goes wrong for a moment does no harm, and removing a file revokes what is in it.
	staleAfter = 15 * time.Minute
)

// reloaded is the value that parse makes of files. It's made again when their content changes: no restart is needed when a mounted
// secret is rotated. The files are read at most once a second and only when needed, so there is nothing to watch and nothing to
// stop, and a swap of symbolic links is noticed like any other change. Problems are logged.
type reloaded[T any] struct {
	paths  []string
	parse  func(contents [][]byte) (T, error)
	logger *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	good    time.Time         // when the files were last as good as value
	digest  [sha256.Size]byte // of the contents, which hold secrets and are not kept
	value   T
	problem string // logged last
}

// reload reads files for the first time.
func reload[T any](logger *slog.Logger, parse func([][]byte) (T, error), paths ...string) (*reloaded[T], error) {
	now := time.Now()
	r := &reloaded[T]{paths: paths, parse: parse, logger: logger, looked: now, good: now}
	if _, err := r.read(); err != nil {
		return nil, err
	}
	return r, nil
}

// get returns the value of the files as they are, or were a second ago. It fails if they have been unusable for staleAfter.
func (r *reloaded[T]) get() (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) >= lookAgain {
		r.refresh()
	}
	if time.Since(r.good) >= staleAfter {
		var none T
		return none, fmt.Errorf("%s cannot be used: %s", strings.Join(r.paths, ", "), r.problem)
	}
	return r.value, nil
}

func (r *reloaded[T]) refresh() {
	r.looked = time.Now()
	changed, err := r.read()
	switch {
	case err != nil && err.Error() != r.problem:
		r.problem = err.Error()
		r.logger.Error("cannot reload: what was loaded before stays in force for a while, and then nothing is accepted",
			"files", r.paths, "error", r.problem, "in force for", max(0, staleAfter-time.Since(r.good)).Round(time.Second).String())
	case err == nil && changed:
		r.logger.Info("reloaded", "files", r.paths)
	}
	if err == nil {
		r.problem, r.good = "", r.looked
	}
}

// read reads the files, and parses them if they changed.
func (r *reloaded[T]) read() (changed bool, err error) {
	contents := make([][]byte, len(r.paths))
	digest := sha256.New()
	for i, path := range r.paths {
		if contents[i], err = os.ReadFile(path); err != nil {
			return false, err // it names the file
		}
		each := sha256.Sum256(contents[i])
		digest.Write(each[:])
	}
	sum := [sha256.Size]byte(digest.Sum(nil))
	if sum == r.digest {
		return false, nil
	}
	value, err := r.parse(contents)
	if err != nil {
		return false, fmt.Errorf("%s: %w", strings.Join(r.paths, ", "), err)
	}
	r.value, r.digest = value, sum
	return true, nil
}

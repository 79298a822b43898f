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
	// lookAgain is how long a value is used before the next call that needs it checks the files again.
	lookAgain = time.Second
	// staleAfter is how long the last good value remains valid after the files become unreadable or invalid. This tolerates
	// a botched rotation, but a removed file revokes its content eventually.
	staleAfter = 15 * time.Minute
)

// reloaded is a value parsed from files and updated when their content changes, so that rotating a mounted secret requires
// no restart. It re-reads the files on use, at most once per second. So it needs no file watcher and no Close, and it
// notices when symbolic links are swapped. It logs problems, and is safe for concurrent use.
type reloaded[T any] struct {
	paths  []string
	parse  func(contents [][]byte) (T, error)
	logger *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	good    time.Time         // when the files were last found to be valid
	digest  [sha256.Size]byte // of the contents, which aren't kept because they hold secrets
	value   T
	problem string // the last one logged; empty if the files are valid
}

// reload returns a value reloaded from paths. It fails if the files can't be read and parsed now.
func reload[T any](logger *slog.Logger, parse func([][]byte) (T, error), paths ...string) (*reloaded[T], error) {
	now := time.Now()
	r := &reloaded[T]{paths: paths, parse: parse, logger: logger, looked: now, good: now}
	if _, err := r.read(); err != nil {
		return nil, err
	}
	return r, nil
}

// get returns the value, at most a second old. If the files are unusable, get returns the last good value, and an error once
// staleAfter has passed.
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
		r.logger.Error("cannot reload: the previous content stays in force for a while; then all calls are refused",
			"files", r.paths, "error", r.problem, "in force for", max(0, staleAfter-time.Since(r.good)).Round(time.Second).String())
	case err == nil && changed:
		r.logger.Info("reloaded", "files", r.paths)
	}
	if err == nil {
		r.problem, r.good = "", r.looked
	}
}

// read reads the files and, if they have changed, parses them.
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

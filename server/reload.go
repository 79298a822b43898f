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

// lookAgain is how long what was read of files holds before they are looked at again, at the next call that needs it.
const lookAgain = time.Second

// reloaded is what parse makes of files, made anew when their content changes: a mounted secret changes when whoever
// rotates it does, and no restart may be needed for it. The files are read at most once a second and only when they are
// needed, so there is nothing to watch and nothing to stop, and a swap of symbolic links is seen like any other change.
// Files that cannot be read or make no sense leave the last good value in force and are told of in the log.
type reloaded[T any] struct {
	paths  []string
	parse  func(contents [][]byte) (T, error)
	logger *slog.Logger

	mu      sync.Mutex
	looked  time.Time
	digest  [sha256.Size]byte // of the contents, which hold secrets and are not kept
	value   T
	problem string // that was logged last
}

// reload reads files for the first time.
func reload[T any](logger *slog.Logger, parse func([][]byte) (T, error), paths ...string) (*reloaded[T], error) {
	r := &reloaded[T]{paths: paths, parse: parse, logger: logger, looked: time.Now()}
	if _, err := r.read(); err != nil {
		return nil, err
	}
	return r, nil
}

// get gives the value of the files as they are, or were a second ago.
func (r *reloaded[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) < lookAgain {
		return r.value
	}
	r.looked = time.Now()
	changed, err := r.read()
	switch {
	case err != nil && err.Error() != r.problem:
		r.problem = err.Error()
		r.logger.Error("cannot reload, so what was loaded before stays in force", "files", r.paths, "error", r.problem)
	case err == nil && changed:
		r.logger.Info("reloaded", "files", r.paths)
	}
	if err == nil {
		r.problem = ""
	}
	return r.value
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

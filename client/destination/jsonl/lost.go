package jsonl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// tailBytes is the number of bytes at the end of a file that are hashed to recognize it.
const tailBytes = 4096

// lost returns a sentence about files of a stream that are missing or aren't those that its state was stored with, or ""
// if all are there. Changed files are renamed, since readers may fail on a partial line in them.
func (d *Destination) lost(e *entry) (reason string, err error) {
	intact := make([]fullFile, 0, len(e.Full))
	for _, f := range e.Full {
		what, err := d.verify(f.File, f.Size, f.Size, f.Tail)
		if err != nil {
			return "", err
		}
		if what == "" {
			intact = append(intact, f)
		} else if reason == "" {
			reason = what
		}
	}
	e.Full = intact
	what, err := d.verify(e.File, e.Size, -1, e.Tail)
	if err != nil || what == "" {
		return reason, err
	}
	return what, d.nextFile(e)
}

// verify checks that a file has at least minSize bytes, at most maxSize bytes unless maxSize is negative, and the given tail
// unless that is empty. If not, it renames a changed file and returns a sentence about what happened.
func (d *Destination) verify(name string, minSize, maxSize int64, tail string) (reason string, err error) {
	path := filepath.Join(d.folder, name)
	file, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		if minSize == 0 {
			return "", nil // not written yet
		}
		return fmt.Sprintf("File %s is gone: something else removed or renamed it.", path), nil
	}
	if err != nil {
		return "", err
	}
	info, err := file.Stat()
	same := err == nil && info.Size() >= minSize && (maxSize < 0 || info.Size() <= maxSize)
	if same && tail != "" {
		var now string
		now, err = tailOf(file, minSize)
		same = now == tail
	}
	if err := errors.Join(err, file.Close()); err != nil || same {
		return "", err
	}
	aside := name + ".changed"
	for n := 2; d.exists(aside); n++ {
		aside = fmt.Sprintf("%s.changed%d", name, n)
	}
	return fmt.Sprintf("File %s was changed since the last sync. It has been renamed to %s.", path, filepath.Base(aside)),
		d.root.Rename(name, aside)
}

func (d *Destination) exists(name string) bool {
	_, err := d.root.Lstat(name)
	return err == nil
}

// tailOf returns a hash of the end of the first size bytes of a file.
func tailOf(file *os.File, size int64) (string, error) {
	n := min(size, tailBytes)
	hash := sha256.New()
	_, err := io.Copy(hash, io.NewSectionReader(file, size-n, n))
	return hex.EncodeToString(hash.Sum(nil)[:16]), err
}

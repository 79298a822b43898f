package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// file is an entry of an archive.
type file struct {
	name    string
	content []byte
	mode    os.FileMode
}

// archives writes an archive with the program for each platform.
func (r *release) archives(platforms []string) error {
	for _, platform := range platforms {
		system, processor, _ := strings.Cut(platform, "/")
		name := fmt.Sprintf("%s_%s_%s_%s", program, r.version, system, processor)
		binary, err := r.build(".", program, platform, name)
		if err != nil {
			return err
		}
		content, end, err := pack(name, system, binary, r.created)
		if err != nil {
			return err
		}
		if err := r.write(name+end, content); err != nil {
			return err
		}
	}
	return nil
}

// pack returns an archive of the program and the documents, and its file name extension: a zip for Windows, a tar.gz for
// other platforms.
func pack(folder, system string, binary []byte, at time.Time) (content []byte, end string, err error) {
	executable := program
	if system == "windows" {
		executable += ".exe"
	}
	files := []file{{name: executable, content: binary, mode: 0o755}}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join(repository, name))
		if err != nil {
			return nil, "", err
		}
		files = append(files, file{name: name, content: text, mode: 0o644})
	}
	for i := range files {
		files[i].name = folder + "/" + files[i].name
	}
	var b bytes.Buffer
	if system == "windows" {
		err = zipTo(&b, files, at)
		return b.Bytes(), ".zip", err
	}
	err = gzipTo(&b, files, at)
	return b.Bytes(), ".tar.gz", err
}

func gzipTo(w io.Writer, files []file, at time.Time) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	return errors.Join(tarTo(compressed, files, at), compressed.Close())
}

func tarTo(w io.Writer, files []file, at time.Time) error {
	archive := tar.NewWriter(w)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: at, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func zipTo(w io.Writer, files []file, at time.Time) error {
	archive := zip.NewWriter(w)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at}
		header.SetMode(f.mode)
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

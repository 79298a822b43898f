package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/klauspost/compress/zstd"
)

// archiveFile is the compressed archive of all files, which package schema embeds. The files themselves are there for review.
const archiveFile = "schemas.json.zst"

// writeArchive writes the archive, unless it has the same content already: another release of the compressor may write other bytes.
func writeArchive(path string, files map[string][]byte) error {
	text, err := archived(files)
	if err != nil {
		return err
	}
	if known, err := readArchive(path); err == nil && bytes.Equal(known, text) {
		return nil
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, encoder.EncodeAll(text, nil), fs.FileMode(0o644)), encoder.Close())
}

// archived returns the content of the archive: a JSON object with the text of each file by its path.
func archived(files map[string][]byte) ([]byte, error) {
	texts := map[string]string{}
	for path, content := range files {
		texts[path] = string(content)
	}
	return json.Marshal(texts)
}

// readArchive returns the content of an archive.
func readArchive(path string) ([]byte, error) {
	packed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	return decoder.DecodeAll(packed, nil)
}

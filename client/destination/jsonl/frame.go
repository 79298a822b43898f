package jsonl

import (
	"bytes"
	"compress/gzip"
	"fmt"

	"github.com/klauspost/compress/zstd" // the zstd of Go
)

// Compression is how files are compressed.
type Compression string

// The compressions that there are.
const (
	None Compression = ""
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// suffix is that of the names of files.
func (c Compression) suffix() (string, error) {
	switch c {
	case None:
		return "", nil
	case Gzip:
		return ".gz", nil
	case Zstd:
		return ".zst", nil
	}
	return "", fmt.Errorf("there is no compression %q: write gzip or zstd", string(c))
}

// packer compresses lines. Each result is a member (gzip) or frame (zstd) of its own: files are made of whole ones, so they
// can be cut between them, and programs read one after the other as one.
type packer struct {
	compression Compression
	buffer      bytes.Buffer
	gzip        *gzip.Writer
	zstd        *zstd.Encoder
	packed      []byte
}

// pack returns the lines compressed, valid until the next call.
func (p *packer) pack(lines []byte) ([]byte, error) {
	switch p.compression {
	case Gzip:
		p.buffer.Reset()
		if p.gzip == nil {
			p.gzip = gzip.NewWriter(&p.buffer)
		}
		p.gzip.Reset(&p.buffer)
		if _, err := p.gzip.Write(lines); err != nil {
			return nil, err
		}
		err := p.gzip.Close()
		return p.buffer.Bytes(), err
	case Zstd:
		if p.zstd == nil {
			var err error
			if p.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1)); err != nil {
				return nil, err
			}
		}
		p.packed = p.zstd.EncodeAll(lines, p.packed[:0])
		return p.packed, nil
	}
	return lines, nil
}

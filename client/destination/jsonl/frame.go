package jsonl

import (
	"bytes"
	"compress/gzip"
	"fmt"

	"github.com/klauspost/compress/zstd" // the zstd of Go
)

// Compression is the compression of files.
type Compression string

// The supported compressions.
const (
	None Compression = ""
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
)

// suffix returns the suffix of the names of compressed files.
func (c Compression) suffix() (string, error) {
	switch c {
	case None:
		return "", nil
	case Gzip:
		return ".gz", nil
	case Zstd:
		return ".zst", nil
	}
	return "", fmt.Errorf("unknown compression %q: use gzip or zstd", string(c))
}

// packer compresses lines. Each result is a complete gzip member or zstd frame, so files can be truncated between them.
// Decompressors read the sequence as one file.
type packer struct {
	compression Compression
	buffer      bytes.Buffer
	gzip        *gzip.Writer
	zstd        *zstd.Encoder
	packed      []byte
}

// pack returns the lines compressed. The result is valid until the next call.
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

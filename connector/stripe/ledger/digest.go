package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
)

// digest is a hash of an id, or the XOR of several.
type digest [digestWords]uint64

const (
	digestWords = 3
	digestBytes = 8 * digestWords
)

// digestOf returns the beginning of the SHA-256 of an id.
func digestOf(id string) digest {
	hash := sha256.Sum256([]byte(id))
	return digestFrom(hash[:digestBytes])
}

// digestFrom returns a digest with the given leading bytes, followed by zeros.
func digestFrom(beginning []byte) digest {
	var whole [digestBytes]byte
	copy(whole[:], beginning)
	var d digest
	for i := range d {
		d[i] = binary.BigEndian.Uint64(whole[8*i:])
	}
	return d
}

// bytes returns all bytes of d.
func (d digest) bytes() []byte {
	var all []byte
	for _, word := range d {
		all = binary.BigEndian.AppendUint64(all, word)
	}
	return all
}

// beginning returns d with zeros after the first n bytes.
func (d digest) beginning(n int) digest {
	for i := range d {
		d[i] &= math.MaxUint64 << (64 - min(max(8*n-64*i, 0), 64))
	}
	return d
}

func (d digest) xor(other digest) digest {
	for i := range d {
		d[i] ^= other[i]
	}
	return d
}

func (d digest) compare(other digest) int {
	return slices.CompareFunc(d[:], other[:], cmp.Compare[uint64])
}

func sumOf(all []digest) digest {
	var sum digest
	for _, d := range all {
		sum = sum.xor(d)
	}
	return sum
}

// prefix returns the 48 bits by which states of earlier versions identified an event.
func (d digest) prefix() [prefixSize]byte { return [prefixSize]byte(d.bytes()) }

const prefixSize = 6

func contains(sorted []digest, d digest) bool {
	_, found := slices.BinarySearchFunc(sorted, d, digest.compare)
	return found
}

// difference returns the elements of a that are not in b. Both must be sorted, and the result is too.
func difference(a, b []digest) []digest {
	if len(b) == 0 {
		return slices.Clone(a)
	}
	return slices.DeleteFunc(slices.Clone(a), func(d digest) bool { return contains(b, d) })
}

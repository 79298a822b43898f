package ledger

import (
	"math"
	"math/bits"
	"slices"
)

// certainty is the number of bits of a sum beyond the logarithm of the number of candidate subsets. A wrong subset matches with a
// probability of 2^-48.
const certainty = 48

// subset returns the n elements of all, which must be sorted, whose sum has the given leading size bytes. It returns false if there
// are none, if others could match as well, or if the search would take too long.
func subset(all []digest, n int, sum digest, size int) ([]digest, bool) {
	if n > len(all) || subsets(len(all), n) > float64(8*size-certainty) {
		return nil, false
	}
	masked := make([]digest, len(all))
	for i, d := range all {
		masked[i] = d.beginning(size)
	}
	search := search{all: masked, sum: sum.beginning(size)}
	found, ok := search.try(n)
	if !ok && len(all) <= 8*size+maxFree {
		found, ok = search.solve(n)
	}
	members := make([]digest, len(found))
	for i, at := range found {
		members[i] = all[at]
	}
	return members, ok
}

// subsets returns the binary logarithm of the number of subsets of n elements.
func subsets(all, n int) float64 {
	log := 0.0
	for i := range min(n, all-n) {
		log += math.Log2(float64(all-i) / float64(i+1))
	}
	return log
}

// search is the search for a subset with a given sum.
type search struct {
	all []digest // sorted
	sum digest
}

// maxTries is the most subsets that are compared individually.
const maxTries = 1 << 13

// try compares all subsets of n elements, unless they are too many. It returns the indexes of the elements.
func (s search) try(n int) ([]int, bool) {
	tries := 1
	for i := range max(n-1, 0) {
		if tries = tries * (len(s.all) - i) / (i + 1); tries > maxTries {
			return nil, false
		}
	}
	return s.choose(0, n, s.sum)
}

// choose returns the indexes, from first on, of n elements with a given sum.
func (s search) choose(first, n int, sum digest) ([]int, bool) {
	switch n {
	case 0:
		return nil, sum == digest{}
	case 1:
		at, found := slices.BinarySearchFunc(s.all, sum, digest.compare)
		return []int{at}, found && at >= first
	}
	for i := first; i < len(s.all); i++ {
		if rest, ok := s.choose(i+1, n-1, sum.xor(s.all[i])); ok {
			return append([]int{i}, rest...), true
		}
	}
	return nil, false
}

// maxFree is the most elements in excess of the bits of the sum. Each doubles the number of subsets to compare.
const maxFree = 14

// equation is a linear combination over GF(2): a set of elements and their sum.
type equation struct {
	sum   digest
	terms terms
}

// terms is a set of indexes.
type terms [(8*digestBytes + maxFree + 63) / 64]uint64

func (e *equation) add(other *equation) {
	e.sum = e.sum.xor(other.sum)
	for i := range e.terms {
		e.terms[i] ^= other.terms[i]
	}
}

func (t *terms) count() (n int) {
	for _, word := range t {
		n += bits.OnesCount64(word)
	}
	return n
}

func (t *terms) indexes() (all []int) {
	for i := range 64 * len(t) {
		if t[i/64]>>(i%64)&1 == 1 {
			all = append(all, i)
		}
	}
	return all
}

// solve finds a subset of n elements by Gaussian elimination, since XOR is addition over GF(2). If there are more elements than bits
// in the sum, it compares all solutions. It returns the indexes of the elements.
func (s search) solve(n int) ([]int, bool) {
	var basis [8 * digestBytes]*equation // by the highest bit of the sum
	reduce := func(e *equation) (pivot int, zero bool) {
		for {
			pivot := e.sum.highest()
			if pivot < 0 || basis[pivot] == nil {
				return pivot, pivot < 0
			}
			e.add(basis[pivot])
		}
	}
	var free []equation // combinations with the sum zero
	for i, d := range s.all {
		e := equation{sum: d}
		e.terms[i/64] = 1 << (i % 64)
		if pivot, zero := reduce(&e); zero {
			free = append(free, e)
		} else {
			basis[pivot] = &e
		}
	}
	solution := equation{sum: s.sum}
	if _, zero := reduce(&solution); !zero || len(free) > maxFree {
		return nil, false
	}
	for i := uint(1); ; i++ { // in the order of a Gray code: one equation changes at a time
		if solution.terms.count() == n {
			return solution.terms.indexes(), true
		}
		changes := bits.TrailingZeros(i)
		if changes >= len(free) {
			return nil, false
		}
		solution.add(&free[changes])
	}
}

// highest returns the index of the leftmost bit that is set, or -1 if d is zero.
func (d digest) highest() int {
	for i, word := range d {
		if word != 0 {
			return 64*i + bits.LeadingZeros64(word)
		}
	}
	return -1
}

package ledger

import (
	"math"
	"math/bits"
	"slices"
)

// certainty is how many bits of a sum must be left over to trust a subset that matches it: a wrong subset matches with a
// chance of 2^-48.
const certainty = 48

// subset returns the n elements of all, which is sorted, whose sum begins with the given bytes. It reports false if there are
// none, if others could match as well, or if the search would take too long.
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
	if !ok && len(all) <= 8*size+mostFree {
		found, ok = search.solve(n)
	}
	members := make([]digest, len(found))
	for i, at := range found {
		members[i] = all[at]
	}
	return members, ok
}

// subsets returns the logarithm to base 2 of the number of subsets with n of some elements.
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

// mostTries bounds how many subsets are compared one by one.
const mostTries = 1 << 13

// try finds a small subset by comparing all of them, if they are few. It returns the indexes of the elements.
func (s search) try(n int) ([]int, bool) {
	tries := 1
	for i := range max(n-1, 0) {
		if tries = tries * (len(s.all) - i) / (i + 1); tries > mostTries {
			return nil, false
		}
	}
	return s.choose(0, n, s.sum)
}

// choose returns n indexes, none of them below first, of elements with a given sum.
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

// mostFree is how many more elements there may be than bits in the sum. Each doubles the number of subsets to compare.
const mostFree = 14

// equation is a linear combination over GF(2): the sum of some elements, and which they are.
type equation struct {
	sum   digest
	terms terms
}

// terms is a set of indexes.
type terms [(8*digestBytes + mostFree + 63) / 64]uint64

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

// solve finds a subset of any size by Gaussian elimination: XOR is addition over GF(2), and the elements are known. Where they
// are more than the bits of the sum, it compares all solutions. It returns the indexes of the elements.
func (s search) solve(n int) ([]int, bool) {
	var basis [8 * digestBytes]*equation // by the highest bit of their sum
	reduce := func(e *equation) (pivot int, zero bool) {
		for {
			pivot := e.sum.highest()
			if pivot < 0 || basis[pivot] == nil {
				return pivot, pivot < 0
			}
			e.add(basis[pivot])
		}
	}
	var free []equation // whose sum is zero
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
	if _, zero := reduce(&solution); !zero || len(free) > mostFree {
		return nil, false
	}
	for i := uint(1); ; i++ { // in the order of a Gray code, so that one equation changes at a time
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

// highest returns the index of the first bit that is set, from the left; -1 if none is.
func (d digest) highest() int {
	for i, word := range d {
		if word != 0 {
			return 64*i + bits.LeadingZeros64(word)
		}
	}
	return -1
}

package stripetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// coreLength is the number of base-62 characters that hold a 64-bit number.
	coreLength = 11
	tagLength  = 8
)

// appendBase62 appends n in base 62, using exactly length characters.
func appendBase62(buf []byte, n uint64, length int) []byte {
	start := len(buf)
	buf = slices.Grow(buf, length)[:start+length]
	for i := start + length - 1; i >= start; i-- {
		buf[i] = alphabet[n%62]
		n /= 62
	}
	return buf
}

// parseBase62 parses text written by appendBase62.
func parseBase62(text string) (n uint64, ok bool) {
	for i := range len(text) {
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return 0, false
		}
		n = n*62 + uint64(digit)
	}
	return n, true
}

// appendID appends the id of an object. An id is a function of the seed, the account, the kind and the ordinal. Its last eleven
// characters are the ordinal, scrambled, so an object can be found by id without a table. As at Stripe, the middle of a long
// id is the same for all objects of an account.
func (s *store) appendID(buf []byte, ordinal int32) []byte {
	k := s.kind
	if id, ok := s.changes.ids[ordinal]; ok {
		return append(buf, id...)
	}
	switch {
	case k.name == ownAccount:
		return append(buf, s.account.id...)
	case k.ids != nil:
		return append(buf, k.ids[s.fixedIndex(ordinal)]...)
	case k.chosen && ordinal%8 == 3:
		return append(buf, k.chosenID(ordinal)...)
	}
	core := mix(uint64(uint32(ordinal)) ^ s.seed)
	buf = append(buf, k.prefix...)
	switch k.idLength {
	case 14:
		buf = appendBase62(buf, core>>7, 3)
	case 16:
		buf = append(buf, '1')
		buf = appendBase62(buf, core>>5, 4)
	default:
		buf = append(buf, '1')
		buf = appendBase62(buf, core>>5, 4)
		buf = append(buf, s.account.tag...)
	}
	return appendBase62(buf, core, coreLength)
}

func (s *store) id(ordinal int32) string { return string(s.appendID(nil, ordinal)) }

// chosenID returns an id such as a user may choose for a coupon or a plan, with spaces, slashes and other characters that must
// be escaped in a path (https://docs.stripe.com/api/coupons/create#create_coupon-id). No two kinds share one.
func (k *kind) chosenID(ordinal int32) string {
	words := []string{"Summer Sale/2023", "50% off? yes & no", "Größe+1", "a/b c"}
	return fmt.Sprintf("%s, %s %d", words[int(ordinal)/8%len(words)], k.name, ordinal)
}

// ordinal returns the ordinal that an id of this store encodes, whether or not the object exists.
func (s *store) ordinal(id string) (int32, bool) {
	k := s.kind
	if n, ok := s.changes.byID[id]; ok {
		return n, true
	}
	if k.name == ownAccount {
		return 0, id == s.account.id
	}
	if k.ids != nil {
		return s.fixedOrdinal(id)
	}
	if k.chosen {
		if i := strings.LastIndexByte(id, ' '); i >= 0 {
			n, err := strconv.ParseInt(id[i+1:], 10, 32)
			return int32(n), err == nil && n >= 0 && n%8 == 3 && k.chosenID(int32(n)) == id
		}
	}
	suffix, ok := strings.CutPrefix(id, k.prefix)
	if !ok || len(suffix) < coreLength {
		return 0, false
	}
	core, ok := parseBase62(suffix[len(suffix)-coreLength:])
	if !ok {
		return 0, false
	}
	n := unmix(core) ^ s.seed
	if n > 1<<31-1 || s.id(int32(n)) != id {
		return 0, false
	}
	return int32(n), true
}

// choose sets the id of a new object.
func (s *store) choose(ordinal int32, id string) {
	if s.changes.ids == nil {
		s.changes.ids, s.changes.byID = map[int32]string{}, map[string]int32{}
	}
	s.changes.ids[ordinal], s.changes.byID[id] = id, ordinal
}

// fixedIndex returns an object's index in the list of fixed ids. Children with fixed ids, such as the capabilities of an
// account, have the same ids under every parent.
func (s *store) fixedIndex(ordinal int32) int {
	if s.kind.parent != "" {
		return int(ordinal % stride)
	}
	return int(ordinal)
}

func (s *store) fixedOrdinal(id string) (int32, bool) {
	i := slices.Index(s.kind.ids, id)
	return int32(i), i >= 0 && s.kind.parent == ""
}

package stripetest

// mix is the finalizer of SplitMix64: a bijection of 64-bit numbers whose output looks random.
// See https://prng.di.unimi.it/splitmix64.c.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unmix is the inverse of mix.
func unmix(x uint64) uint64 {
	x = (x ^ x>>31 ^ x>>62) * 0x319642b2d24d8ec3
	x = (x ^ x>>27 ^ x>>54) * 0x96de1b173f119089
	return x ^ x>>30 ^ x>>60
}

// draw returns a number that is a function of its arguments only, and looks random.
func draw(seed uint64, ordinal int32, salt uint64) uint64 {
	return mix(seed + uint64(uint32(ordinal))*0x9e3779b97f4a7c15 ^ salt*0xd1342543de82ef95)
}

// saltOf turns a word into a salt for draw (FNV-1a).
func saltOf(word string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(word) {
		h = (h ^ uint64(word[i])) * 1099511628211
	}
	return h
}

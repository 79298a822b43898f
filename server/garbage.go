package server

// GCPercent is the garbage collection target (debug.SetGCPercent) for a process that does nothing but serve. What is alive is
// small, and nearly all garbage is pages that were sent: collecting them as often as at Go's 100 costs more than their memory
// is worth. At 300 the heap grows to some four times what is alive, which is pages in flight. GOMEMLIMIT bounds a process in a
// container all the same.
const GCPercent = 300

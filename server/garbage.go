package server

// GCPercent is the garbage collection target (debug.SetGCPercent) for a process that does nothing but serve. What is alive is
// small, and nearly all garbage is pages that were sent, so collecting it a little less often than at Go's 100 costs a few
// MiB. More saves no processor time: memory that was never used before costs as much as collecting what was. GOMEMLIMIT
// bounds a process in a container all the same.
const GCPercent = 150

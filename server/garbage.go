package server

// GCPercent is the garbage collection target (see debug.SetGCPercent) for a process that only serves. The live heap is
// small, and nearly all garbage is pages that have been sent, so collecting a little less often than with Go's default of
// 100 costs only a few MiB. Higher values save no CPU time, because touching fresh memory costs as much as collecting
// garbage. GOMEMLIMIT still limits a process in a container.
const GCPercent = 150

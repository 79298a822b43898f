package client

import (
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
)

// init gives gRPC's default buffer pool tiers between 32 KiB and 1 MiB. The default jumps from one to the other, so that
// each message of some 256 KiB, which is what a Read sends, would take and clear a buffer of 1 MiB: half the speed and
// ten times the memory. No option of a connection reaches that pool, and setting it later would race with its users.
func init() {
	experimental.SetDefaultBufferPool(mem.NewTieredBufferPool(
		256, 4<<10, 16<<10, 32<<10, 64<<10, 128<<10, 256<<10, 512<<10, 1<<20))
}

//go:build !windows

package disk

import (
	"io/fs"
	"syscall"
)

// Links returns the number of hard links to a file.
func Links(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Nlink)
	}
	return 1
}

//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

func resources() (usage, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return usage{}, err
	}
	peak := int64(r.Maxrss) //nolint:unconvert // its type differs between systems
	if runtime.GOOS != "darwin" {
		peak <<= 10 // in KiB
	}
	return usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Peak: peak}, nil
}

package main

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// usage is what a process has used so far.
type usage struct {
	// CPU is user and system time.
	CPU time.Duration
	// Peak is the maximum resident memory in bytes.
	Peak int64
}

// usageNow returns the usage of this process.
func usageNow() (usage, error) {
	u, err := resources()
	if peak, ok := highWater(); ok {
		u.Peak = peak // rusage's peak includes the parent's memory before exec
	}
	return u, err
}

// highWater returns the peak of resident memory in bytes. It returns false if there is no /proc.
func highWater() (int64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, false
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10, err == nil
}

// measured runs work and measures the time and the resources that it took in this process.
func measured(work func() error) (measurement, error) {
	before, err := usageNow()
	if err != nil {
		return measurement{}, err
	}
	began := time.Now()
	if err := work(); err != nil {
		return measurement{}, err
	}
	wall := time.Since(began)
	after, err := usageNow()
	return measurement{Wall: wall, CPU: after.CPU - before.CPU, Peak: after.Peak}, err
}

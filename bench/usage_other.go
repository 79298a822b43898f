//go:build !unix

package main

import "errors"

func resources() (usage, error) {
	return usage{}, errors.New("processor time is measured on Unix only")
}

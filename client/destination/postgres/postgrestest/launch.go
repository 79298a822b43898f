package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stripe-connector/stripe-connector/internal/freeport"
)

// ErrNotInstalled is returned by Launch if PostgreSQL is not installed.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// Launch starts a server outside of a test, on a local port. It returns the server's address and a function that stops it.
func Launch(ctx context.Context, settings ...string) (address string, stop func(), err error) {
	initdb, postgres := find("initdb"), find("postgres")
	if initdb == "" || postgres == "" {
		return "", nil, ErrNotInstalled
	}
	folder, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", nil, err
	}
	run := func(name string, args ...string) (*exec.Cmd, error) {
		cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
		cmd.Dir = folder
		return cmd, asUser(cmd, folder)
	}
	data := filepath.Join(folder, "data")
	cmd, err := run(initdb, "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	if err == nil {
		err = cmd.Run()
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("initdb: %w", err), os.RemoveAll(folder))
	}
	listen, err := freeport.Address(ctx)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	_, port, _ := strings.Cut(listen, ":")
	args := []string{"-D", data, "-k", folder, "-p", port, "-c", "listen_addresses=127.0.0.1"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	if cmd, err = run(postgres, args...); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(folder))
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		_ = os.RemoveAll(folder)
	}
	address = "postgres://tester@127.0.0.1:" + port + "/postgres"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			return address, stop, conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			stop()
			return "", nil, fmt.Errorf("the server does not start: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

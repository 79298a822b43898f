package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// release is the version of a released build, set by
// go build -ldflags "-X github.com/stripe-connector/stripe-connector/internal/cli.release=1.2.0".
var release string

// commit is the commit of a released build, set in the same way. Go records it itself in builds from a checkout.
var commit string

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Prints the version of this build, the Go version that built it, and the platform.",
		Example: `  stripe-connector version`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(a.stdout, versionLine())
			return err
		},
	}
}

// versionLine returns the version, the commit, and the platform of this build.
func versionLine() string {
	about := []string{runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if commit := cmp.Or(commit, vcsRevision()); commit != "" {
		about = append([]string{"commit " + commit}, about...)
	}
	return fmt.Sprintf("stripe-connector %s (%s)\n", buildVersion(), strings.Join(about, ", "))
}

// vcsRevision returns the abbreviated commit that Go recorded in the build, or "" if there is none.
func vcsRevision() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return ""
}

// buildVersion returns the release, the module version, or the commit: the first that is known.
func buildVersion() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if revision := vcsRevision(); revision != "" {
		return "devel-" + revision
	}
	return "devel"
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

// settings are the values of the command-line flags.
type settings struct {
	quick, strict           bool
	only, markdown, profile string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == childArgument {
		os.Exit(runChild(os.Args[2], os.Stdin, os.Stdout))
	}
	var s settings
	flag.BoolVar(&s.quick, "quick", false, "read less and measure once")
	flag.BoolVar(&s.strict, "strict", false, "exit with 1 if a target is missed")
	flag.StringVar(&s.only, "only", "", "comma-separated `names` of the scenarios to run: "+scenarioNames())
	flag.StringVar(&s.markdown, "markdown", "", "write the document to this `file`")
	flag.StringVar(&s.profile, "profile", "", "write processor profiles of the service to this `directory`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	missed, err := run(ctx, s, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if s.strict && missed > 0 {
		os.Exit(1)
	}
}

// run runs the scenarios, prints each section when it is ready, and returns the number of missed targets.
func run(ctx context.Context, s settings, out io.Writer) (missed int, err error) {
	if s.markdown != "" && s.only != "" {
		return 0, errors.New("--markdown writes the whole document and can't be combined with --only")
	}
	chosen, err := chooseScenarios(s.only)
	if err != nil {
		return 0, err
	}
	executable, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("locate this program, to start it again: %w", err)
	}
	b := &bench{settings: s, executable: executable}
	if s.profile != "" {
		if err := os.MkdirAll(s.profile, 0o755); err != nil {
			return 0, err
		}
	}
	var sections []section
	for _, scenario := range chosen {
		fmt.Fprintf(os.Stderr, "%s…\n", scenario.name)
		found, err := scenario.within(ctx, b)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", scenario.name, err)
		}
		found.name, found.title = scenario.name, scenario.title
		sections = append(sections, found)
		if _, err := io.WriteString(out, found.text()); err != nil {
			return 0, err
		}
	}
	verdicts := verdictLines(sections)
	if _, err := io.WriteString(out, strings.Join(verdicts, "\n")+"\n"); err != nil {
		return 0, err
	}
	for _, found := range sections {
		missed += found.missed()
	}
	if s.markdown == "" {
		return missed, nil
	}
	return missed, os.WriteFile(s.markdown, []byte(document(s, sections)), 0o644)
}

package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/stripe-connector/stripe-connector/connector/stripe/takeover"
	"github.com/stripe-connector/stripe-connector/edge/airbyte"
	"github.com/stripe-connector/stripe-connector/server"
)

const airbyteHelp = `Runs the connector as an Airbyte source, in place of airbyte/source-stripe. It accepts its configuration, has its stream
names and columns, and resumes from its states. Messages of the Airbyte protocol are printed on stdout, one per line.

In the container image, AIRBYTE_ENTRYPOINT names this command. docs/airbyte.md describes how to switch and how to switch back.`

// airbyteFiles holds the flags of the airbyte commands: files that the platform passes.
type airbyteFiles struct {
	config, catalog, state string
	debug                  bool
}

func (a *app) airbyte() *cobra.Command {
	var files airbyteFiles
	cmd := &cobra.Command{
		Use:   "airbyte",
		Short: "Run as an Airbyte source, in place of source-stripe",
		Long:  airbyteHelp,
		Example: `  stripe-connector airbyte spec
  stripe-connector airbyte check --config config.json
  stripe-connector airbyte discover --config config.json
  stripe-connector airbyte read --config config.json --catalog catalog.json --state state.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().BoolVar(&files.debug, "debug", false, "accepted for compatibility; has no effect")
	add := func(use, short string, run func(*cobra.Command, *airbyte.Connector) error, needs ...*string) {
		sub := &cobra.Command{
			Use: use, Short: short, Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				if a.getenv("GOGC") == "" {
					debug.SetGCPercent(server.GCPercent)
				}
				c := a.airbyteConnector(files.config)
				err := run(cmd, c)
				if unread, ok := errors.AsType[*fs.PathError](err); ok {
					err = c.Fail(unread)
				}
				if errors.Is(err, airbyte.ErrReported) {
					return failedError{err}
				}
				return err
			},
		}
		for _, flag := range needs {
			switch flag {
			case &files.config:
				sub.Flags().StringVar(flag, "config", "", "JSON `file` with the configuration")
				_ = sub.MarkFlagRequired("config") // it exists
			case &files.catalog:
				sub.Flags().StringVar(flag, "catalog", "", "JSON `file` with the configured catalog")
				_ = sub.MarkFlagRequired("catalog")
			case &files.state:
				sub.Flags().StringVar(flag, "state", "", "JSON `file` with the states to resume from")
			}
		}
		cmd.AddCommand(sub)
	}
	add("spec", "Print the schema of the configuration", func(_ *cobra.Command, c *airbyte.Connector) error { return c.Spec() })
	add("check", "Print whether a configuration works", func(cmd *cobra.Command, c *airbyte.Connector) error {
		config, err := readJSON(files.config)
		if err != nil {
			return err
		}
		return c.Check(cmd.Context(), config)
	}, &files.config)
	add("discover", "Print the catalog", func(cmd *cobra.Command, c *airbyte.Connector) error {
		config, err := readJSON(files.config)
		if err != nil {
			return err
		}
		return c.Discover(cmd.Context(), config)
	}, &files.config)
	add("read", "Print the records of the streams in a configured catalog", func(cmd *cobra.Command, c *airbyte.Connector) error {
		config, err := readJSON(files.config)
		if err != nil {
			return err
		}
		catalog, err := readJSON(files.catalog)
		if err != nil {
			return err
		}
		state, err := readJSON(files.state)
		if err != nil {
			return err
		}
		return c.Read(cmd.Context(), config, catalog, state)
	}, &files.config, &files.catalog, &files.state)
	return cmd
}

// readJSON returns the content of a file; nil if path is empty.
func readJSON(path string) (json.RawMessage, error) {
	if path == "" {
		return nil, nil
	}
	return os.ReadFile(path)
}

// airbyteConnector returns the connector for a command. It may call the configuration's api_base, since that is the user's choice.
func (a *app) airbyteConnector(configPath string) *airbyte.Connector {
	var allowed []string
	if content, err := readJSON(configPath); err == nil {
		var fields struct {
			APIBase string `json:"api_base"`
		}
		if json.Unmarshal(content, &fields) == nil && fields.APIBase != "" {
			allowed = []string{fields.APIBase}
		}
	}
	dialect := takeover.NewAirbyte(time.Now)
	return &airbyte.Connector{Source: a.source(allowed, nil), Dialect: dialect, Streams: airbyteStreams(dialect), Out: a.stdout}
}

// airbyteStreams returns the streams that the dialect knows.
func airbyteStreams(dialect *takeover.Airbyte) []airbyte.Stream {
	var all []airbyte.Stream
	for _, s := range dialect.Streams() {
		offered := airbyte.Stream{Name: s.Name, Source: s.Source, Key: s.Key, Cursor: s.Cursor}
		for _, column := range s.Columns() {
			offered.Columns = append(offered.Columns, airbyte.Column{Name: column[0], Type: column[1]})
		}
		all = append(all, offered)
	}
	return all
}

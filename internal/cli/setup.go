package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/stripe-connector/stripe-connector/client"
	"github.com/stripe-connector/stripe-connector/client/schedule"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	connectorv1 "github.com/stripe-connector/stripe-connector/proto/connector/v1"
)

// keyFile is the name of the file in which init stores a key that was typed.
const keyFile = "stripe.key"

// config returns the configuration according to the answers so far.
func (s *setup) config() *structpb.Struct {
	fields := map[string]*structpb.Value{"api_key": structpb.NewStringValue(s.key)}
	if s.base != "" {
		fields["api_base"] = structpb.NewStringValue(s.base)
	}
	if s.draft.Version != "" {
		fields["api_version"] = structpb.NewStringValue(s.draft.Version)
	}
	if s.draft.Start != "" {
		fields["start_date"] = structpb.NewStringValue(s.draft.Start)
	}
	return &structpb.Struct{Fields: fields}
}

// askKey determines the key, checks it, and prints what it can read.
func (s *setup) askKey(ctx context.Context) error {
	s.draft.Base = s.base
	if s.key = strings.TrimSpace(s.getenv("STRIPE_API_KEY")); s.key != "" {
		writeLine(s.out, "Checking the key in STRIPE_API_KEY…")
		return s.checkKey(ctx)
	}
	s.draft.KeyFile = keyFile
	if path := filepath.Join(filepath.Dir(s.path), keyFile); exists(path) {
		return fmt.Errorf("the key would be written to %s, which already exists: move it away, or set STRIPE_API_KEY", path)
	}
	writeLine(s.out, "A restricted key with read permissions is enough: Stripe's Dashboard, Developers, API keys.")
	_, err := s.secret(ctx, "API key (rk_… or sk_…, not shown):", func(key string) error {
		if s.key = key; key == "" {
			return errors.New("a key is required: paste it, or set STRIPE_API_KEY and start again")
		}
		return s.checkKey(ctx)
	})
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// checkKey calls Check with the key.
func (s *setup) checkKey(ctx context.Context) error {
	resp, err := s.service.Check(ctx, &connectorv1.CheckRequest{Config: s.config()})
	if err != nil {
		return err
	}
	if resp.GetStatus() != connectorv1.CheckStatus_CHECK_STATUS_SUCCEEDED {
		var problems []string
		for _, f := range resp.GetProblems() {
			if len(f.GetViolations()) == 0 {
				problems = append(problems, f.GetMessage())
			}
			for _, v := range f.GetViolations() {
				problems = append(problems, v.GetField()+" "+v.GetDescription())
			}
		}
		return fmt.Errorf("the key does not work: %s", strings.Join(problems, " "))
	}
	s.printAccess(resp)
	s.draft.Version = versionFor(resp.GetAccountAttributes()["account_api_version"])
	return nil
}

// versionFor returns the API version for a new pipeline of an account with a default version: the same if it is known, since Stripe
// writes events in it, and otherwise the newest. It returns "" if the account's isn't known.
func versionFor(account string) string {
	if account == "" || config.VersionProblem(account) == "" {
		return account
	}
	return schema.Newest().Version
}

// printAccess prints what the key can read.
func (s *setup) printAccess(resp *connectorv1.CheckResponse) {
	attributes := resp.GetAccountAttributes()
	var facts []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name == "advice" {
			continue // about settings that are chosen later
		}
		facts = append(facts, name+": "+attributes[name])
	}
	if account := resp.GetAccount(); account != "" {
		facts = append(facts, "account: "+account)
	}
	about := ""
	if len(facts) > 0 {
		about = " (" + strings.Join(facts, ", ") + ")"
	}
	reasons := map[string][]string{} // names of unreadable streams, by reason
	var order []string
	readable := 0
	for _, a := range resp.GetStreams() {
		if a.GetAvailability() == connectorv1.Availability_AVAILABILITY_AVAILABLE {
			readable++
			continue
		}
		// Reasons contain the stream's name; without it, equal reasons can be grouped.
		reason := strings.ReplaceAll(a.GetReason().GetMessage(), a.GetStream(), "…")
		if reasons[reason] == nil {
			order = append(order, reason)
		}
		reasons[reason] = append(reasons[reason], a.GetStream())
	}
	writeLine(s.out, "The key works%s: %d of %s can be read.", about, readable, count(len(resp.GetStreams()), "stream"))
	for _, reason := range order {
		writeLine(s.out, "  not %s: %s", someOf(reasons[reason], 4), reason)
	}
}

// askStreams asks which streams to read, and from which date.
func (s *setup) askStreams(ctx context.Context) error {
	resp, err := s.service.Discover(ctx, &connectorv1.DiscoverRequest{Config: s.config()})
	if err != nil {
		return err
	}
	choose := func(selection client.Selection) error {
		selected, err := selection.Streams(resp.GetStreams())
		if e, ok := errors.AsType[*client.Error](err); ok {
			var wrong []string
			for _, v := range e.Failure.GetViolations() {
				wrong = append(wrong, v.GetDescription())
			}
			return errors.New(strings.Join(wrong, " "))
		}
		if err != nil {
			return err
		}
		names := make([]string, len(selected))
		for i, stream := range selected {
			names[i] = stream.GetName()
		}
		writeLine(s.out, "  %s: %s", count(len(names), "stream"), someOf(names, 8))
		return nil
	}
	_, err = s.ask(ctx, "Streams to read, separated by commas; * matches any characters, such as charges,invoice*:", "*",
		func(answer string) error {
			s.draft.Select = split(answer)
			if slices.Equal(s.draft.Select, []string{"*"}) {
				s.draft.Select = nil
			}
			return choose(client.Selection{Select: s.draft.Select})
		})
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, "Streams to exclude, in the same form [none]:", "", func(answer string) error {
		if s.draft.Exclude = split(answer); s.draft.Exclude == nil {
			return nil
		}
		return choose(client.Selection{Select: s.draft.Select, Exclude: s.draft.Exclude})
	})
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, "Read objects created since (date):", time.Now().UTC().AddDate(-1, 0, 0).Format(time.DateOnly),
		func(answer string) error {
			s.draft.Start = answer
			_, err := s.service.Discover(ctx, &connectorv1.DiscoverRequest{Config: s.config()})
			return err
		})
	return err
}

// split returns the names in a comma-separated list.
func split(answer string) []string {
	var names []string
	for name := range strings.SplitSeq(answer, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// askDestination asks for the destination, and opens it as a test.
func (s *setup) askDestination(ctx context.Context) error {
	_, err := s.ask(ctx, "Destination, such as "+s.examples()+":", s.build.Destinations.Examples()[0],
		func(answer string) error {
			s.draft.Destination = answer
			if strings.Contains(answer, "${") {
				writeLine(s.out, "  The first run will look it up and open it.")
				return nil
			}
			d, err := s.build.Destinations.Open(ctx, s.build.Destinations.Resolve(filepath.Dir(s.path), answer))
			if err != nil {
				return err
			}
			return d.Close()
		})
	return err
}

var pipelineName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// askSchedule asks for the schedule and the pipeline's name.
func (s *setup) askSchedule(ctx context.Context) error {
	_, err := s.ask(ctx, `How often: an interval such as 30m, one with an anchor such as "6h from 13:00" (UTC), or a cron expression:`, "30m",
		func(answer string) error {
			s.draft.Schedule = readSchedule(answer)
			parsed, err := schedule.Parse(s.draft.Schedule)
			if err == nil {
				writeLine(s.out, "  %s, first at %s", parsed, parsed.First(time.Time{}, time.Now()).UTC().Format("2006-01-02 15:04 UTC"))
			}
			return err
		})
	if err == nil && s.draft.Schedule.Cron != "" {
		_, err = s.ask(ctx, "Time zone of the cron expression, such as Europe/Berlin:", "UTC", func(answer string) error {
			s.draft.Schedule.TimeZone = answer
			_, err := schedule.Parse(s.draft.Schedule)
			return err
		})
	}
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, "Name of the pipeline:", "stripe", func(answer string) error {
		if s.draft.Name = answer; !pipelineName.MatchString(answer) {
			return errors.New("use lowercase letters, digits, - and _")
		}
		return nil
	})
	return err
}

// readSchedule parses a schedule as typed: "30m", "6h from 13:00", "0 6 * * *".
func readSchedule(answer string) schedule.Spec {
	if every, anchor, found := strings.Cut(answer, " from "); found {
		return schedule.Spec{Every: strings.TrimSpace(every), Anchor: strings.TrimSpace(anchor)}
	}
	if strings.Contains(answer, " ") || strings.HasPrefix(answer, "@") {
		return schedule.Spec{Cron: answer}
	}
	return schedule.Spec{Every: answer}
}

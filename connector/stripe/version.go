package stripe

import (
	"context"
	"fmt"

	"github.com/stripe-connector/stripe-connector/connector"
	"github.com/stripe-connector/stripe-connector/connector/emit"
	"github.com/stripe-connector/stripe-connector/connector/stripe/api"
	"github.com/stripe-connector/stripe-connector/connector/stripe/config"
	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
	"github.com/stripe-connector/stripe-connector/connector/stripe/table"
)

// pin parses a configuration and decides which version of Stripe's API to use, along with the streams of that version. If the
// configuration asks for the account's version, pin asks Stripe which one that is. From then on, requests name it, so a Read
// doesn't change versions when the account does.
func (s *Source) pin(ctx context.Context, raw connector.Config) (config.Config, table.Table, error) {
	c, err := s.parse(raw)
	if err != nil {
		return config.Config{}, nil, err
	}
	if c.APIVersion == config.VersionOfAccount {
		if c.APIVersion, err = s.versionOfAccount(ctx, c); err != nil {
			return config.Config{}, nil, err
		}
	}
	edition, _ := schema.Of(c.APIVersion)
	return c, s.tables[edition.Version], nil
}

// versionOfAccount returns the account's default API version, or a failure if it can't be used.
func (s *Source) versionOfAccount(ctx context.Context, c config.Config) (string, error) {
	version, err := s.accountVersion(ctx, c)
	switch {
	case version == "" && err != nil:
		return "", emit.Final(err)
	case version == "":
		return "", invalidVersion(fmt.Sprintf("is %q, but Stripe doesn't say which version that is: choose one yourself.", config.VersionOfAccount))
	}
	if problem := config.VersionProblem(version); problem != "" {
		return "", invalidVersion(fmt.Sprintf("is %q, and the account's version %s", config.VersionOfAccount, problem))
	}
	return version, nil
}

func invalidVersion(description string) error {
	return connector.Invalid(connector.Violation{Field: "config.api_version", Description: description})
}

// accountVersion returns the account's default API version, in which Stripe writes its events; empty if Stripe doesn't say. A
// refusal names it, too, so the version may be known although there is an error.
func (s *Source) accountVersion(ctx context.Context, c config.Config) (version string, err error) {
	_, err = s.client(c, s.probeRetry()).Single(ctx, accountPath, nil, api.AccountVersion(&version))
	return version, err
}

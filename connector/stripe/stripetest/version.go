package stripetest

import (
	"net/http"
	"regexp"

	"github.com/stripe-connector/stripe-connector/connector/stripe/schema"
)

// versionHeader names the API version of a request, and of a response.
const versionHeader = "Stripe-Version"

// wellFormed matches the names of API versions. Whether a version with such a name exists isn't checked.
var wellFormed = regexp.MustCompile(`^20[0-9]{2}-[01][0-9]-[0-3][0-9](\.[a-z]+)?$`)

// SetAccountVersion replaces Options.AccountVersion. Events that have happened keep their version.
func (s *Stripe) SetAccountVersion(version string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.versions = append(s.versions, version)
}

// accountVersion returns the account's default version.
func (s *Stripe) accountVersion() string {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.versions[len(s.versions)-1]
}

// versionOf returns the version of a request: that of its header, or else the account's default.
func (s *Stripe) versionOf(request *http.Request) string {
	if version := request.Header.Get(versionHeader); version != "" {
		return version
	}
	return s.accountVersion()
}

// modelOf returns the model of the newest edition that is not newer than a version, or else of the oldest. The dates at the
// beginning of versions order them. Versions with the shapes of an edition that is newer than they are have its model.
func (s *Stripe) modelOf(version string) *model {
	if e, known := schema.Of(version); known {
		version = e.Version
	}
	found := s.editions[0]
	for _, e := range s.editions {
		if e.Version <= version {
			found = e
		}
	}
	return found.model()
}

// checkVersion refuses a version that cannot exist.
func checkVersion(version string) *apiError {
	if wellFormed.MatchString(version) {
		return nil
	}
	return invalid("", "", "Invalid Stripe API version: "+version)
}

package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// fingerprintSize is long enough to notice a change, and too short to confirm a guess of a secret that the file
// contains literally.
const fingerprintSize = 3

// Fingerprint returns a short hash of the pipeline's definition in the file: of everything except its name, and of
// references to secrets instead of the secrets.
func (p *Pipeline) Fingerprint() string {
	content, err := json.Marshal([]any{p.Selection, p.config, p.destination, p.Schedule.String(), p.Attempts, p.Wait})
	if err != nil {
		panic(err) // all of it has been decoded from JSON
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:fingerprintSize])
}

package metrics

import "time"

const sectionShared section = "Shared accounts"

var (
	sharedAge     = sectionShared.gauge("accounts_age_seconds", "Time since the database has confirmed the accounts, keys, roles and encryption keys that are in force here: below 1 as long as it answers. Only with a database.")
	sharedVersion = sectionShared.gauge("accounts_version", "Version in force here of a document that servers share in the database: accounts, encryption-keys, root-key. It is the same on all servers within a second.", "document")
	sharedDiffer  = sectionShared.gauge("accounts_settings_differ", "1 if settings that decide who may do what differ from those of another server of the database, else 0. readyz says which.")
)

// SharedState is the state of what a server shares with others.
type SharedState struct {
	Age      time.Duration    // since the database last confirmed it
	Versions map[string]int64 // in force, by document
	Differ   bool             // the settings differ from those of the other servers
}

// Shared exports the state of what servers share in a database.
func (m *Metrics) Shared(state func() SharedState) {
	m.reads(func(emit emitter) error {
		s := state()
		emit(sharedAge, s.Age.Seconds())
		for document, version := range s.Versions {
			emit(sharedVersion, float64(version), document)
		}
		differ := 0.0
		if s.Differ {
			differ = 1
		}
		emit(sharedDiffer, differ)
		return nil
	}, sharedAge, sharedVersion, sharedDiffer)
}

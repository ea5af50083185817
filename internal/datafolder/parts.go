// Package datafolder knows the parts of a data folder. A small file in it, folder.json, identifies
// the folder and lists its parts, so that a lost part is noticed and not mistaken for one that
// never existed.
package datafolder

import "slices"

// A Kind says how a part is checked and copied.
type Kind int

// The kinds of parts.
const (
	Secret   Kind = iota // a small file of text that is replaced whole
	Document             // a small file of JSON that is replaced whole
	Database             // an SQLite database, with its log in files next to it
	Index                // a folder of the embedded store's index
	Blobs                // a folder of files that the index names
)

// The names of the parts: paths below the data folder, and what --accept-loss
// takes.
const (
	IndexName          = "index"
	BlobsName          = "blobs"
	CatalogName        = "catalog.db"
	AccountsName       = "access.json"
	EncryptionKeysName = "keys.json"
	MasterKeyName      = "master.key"
	RootKeyName        = "root-key.json"
	WebhookSecretName  = "webhook.secret"
	SeedName           = "seed.json"
	StoresName         = "stores.json"
)

// A Part is something of a data folder that nothing else can replace.
type Part struct {
	Name  string
	Kind  Kind
	Holds string // what its loss would cost, in words for an operator

	// With are other entries of the folder that are useless, or harmful, without this part: they
	// are renamed together with it.
	With []string
}

// parts is the table of all parts. A package that stores a new file in the folder adds a line; a
// test in internal/server checks this.
var parts = []Part{
	{IndexName, Index, "all buckets and the index of their objects", []string{BlobsName}},
	{BlobsName, Blobs, "the content of larger objects, reports among them", nil},
	{CatalogName, Database, "all inventory configurations, their schedules and the history of runs", []string{CatalogName + "-wal", CatalogName + "-shm"}},
	{AccountsName, Document, "all users, access keys, roles and policies", nil},
	{EncryptionKeysName, Document, "the keys of all encrypted objects and reports", nil},
	{MasterKeyName, Secret, "the key that encrypts all encryption keys", []string{EncryptionKeysName}},
	{RootKeyName, Document, "the root access key", nil},
	{WebhookSecretName, Secret, "the secret that signs notices", nil},
	{SeedName, Document, "the number of starts, from which run ids are derived", nil},
	{StoresName, Document, "the bucket names that stores in the settings have claimed so far", nil},
}

// ProbeName is the file by which a server finds out whether it may write to the folder, and to the
// folders of the store in it. It is there for a moment at each start.
const ProbeName = ".writable"

// UnfinishedName is the folder of blobs that are being received.
const UnfinishedName = "tmp"

// temporary are entries that a data folder may have besides its parts, and that
// nothing is lost with.
var temporary = []string{ProbeName, UnfinishedName, "ballast", "checkpoints", "index.repair", CatalogName + "-wal", CatalogName + "-shm"}

// Parts returns the table of all parts.
func Parts() []Part { return slices.Clone(parts) }

// part returns the part of a name.
func part(name string) (Part, bool) {
	i := slices.IndexFunc(parts, func(p Part) bool { return p.Name == name })
	if i < 0 {
		return Part{}, false
	}
	return parts[i], true
}

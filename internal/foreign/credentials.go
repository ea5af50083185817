package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stocktake/stocktake/internal/securefile"
)

// Credentials say where the access key of a store comes from. They contain no
// secret.
type Credentials struct {
	source keySource
	value  string
}

type keySource uint8

const (
	noSource    keySource = iota
	fromEnv               // value is the prefix of the variables
	fromProfile           // value is a profile of the official tools
	fromFile              // value is a path
	fromChain             // the places where the official tools look
)

// Env are credentials in the variables PREFIX_ACCESS_KEY_ID,
// PREFIX_ACCESS_KEY_SECRET and, if they expire, PREFIX_SESSION_TOKEN.
func Env(prefix string) Credentials { return Credentials{fromEnv, prefix} }

// Profile are the credentials of a profile of the official tools: in ~/.aws for
// S3, in ~/.ossutilconfig for OSS.
func Profile(name string) Credentials { return Credentials{fromProfile, name} }

// File are credentials in a YAML file with access-key-id, access-key-secret and
// session-token, which is read again when it changes.
func File(path string) Credentials { return Credentials{fromFile, path} }

// Chain are the credentials that the official tools would use: variables, then
// files, then those of the machine.
func Chain() Credentials { return Credentials{source: fromChain} }

// String returns the source of the credentials in the form of the settings.
func (c Credentials) String() string {
	switch c.source {
	case fromEnv:
		return "{env: " + c.value + "}"
	case fromProfile:
		return "{profile: " + c.value + "}"
	case fromFile:
		return "{file: " + c.value + "}"
	case fromChain:
		return "{chain: true}"
	}
	return "none"
}

func (c *Credentials) parse(n *yaml.Node) error {
	var env, profile, file string
	var chain bool
	err := mapping(n, "credentials", []field{
		{"env", text(&env)}, {"profile", text(&profile)}, {"file", text(&file)}, {"chain", boolean(&chain)},
	})
	if err != nil {
		return err
	}
	if len(n.Content) != 2 {
		return errors.New("one of env, profile, file and chain is expected")
	}
	switch {
	case env != "":
		*c = Env(env)
	case profile != "":
		*c = Profile(profile)
	case file != "":
		*c = File(file)
	case chain:
		*c = Chain()
	default:
		return errors.New("chain: false has no meaning; omit it")
	}
	return nil
}

// A Key is an access key.
type Key struct {
	ID, Secret string
	Token      string    // of a session; empty: none
	Expires    time.Time // zero: not known, or never
}

// keys returns the key to use now. It is called for each request, from many
// goroutines.
type keys func(ctx context.Context) (Key, error)

// open finds the key. It reads variables and files at once, so that a missing one
// is an error now. Files are read again when they change; if reading fails then,
// the last key stays in use.
func (c Credentials) open(kind Kind, log *slog.Logger) (keys, error) {
	switch c.source {
	case fromEnv:
		return envKeys(c.value)
	case fromFile:
		return watch(&securefile.Document[keys]{Storage: securefile.NewFile(c.value, maxKeyFile), Parse: parseKeyFile(c.value)}, c, log)
	case fromProfile:
		if kind == OSS {
			return ossProfile(c, log)
		}
		return awsKeys(c, log)
	case fromChain:
		if kind == OSS {
			return ossChain(c, log)
		}
		return awsKeys(c, log)
	}
	return nil, errors.New("credentials are missing")
}

func envKeys(prefix string) (keys, error) {
	k := Key{ID: os.Getenv(prefix + "_ACCESS_KEY_ID"), Secret: os.Getenv(prefix + "_ACCESS_KEY_SECRET"), Token: os.Getenv(prefix + "_SESSION_TOKEN")}
	if k.ID == "" || k.Secret == "" {
		return nil, fmt.Errorf("credentials: set %s_ACCESS_KEY_ID and %s_ACCESS_KEY_SECRET", prefix, prefix)
	}
	return fixed(k), nil
}

func fixed(k Key) keys { return func(context.Context) (Key, error) { return k, nil } }

const maxKeyFile = 64 << 10

// parseKeyFile parses a file of credentials. Its errors do not quote the file.
func parseKeyFile(path string) func([]byte) (*keys, error) {
	return func(data []byte) (*keys, error) {
		if data == nil {
			return nil, fmt.Errorf("credentials: %w: %s", os.ErrNotExist, path)
		}
		var n yaml.Node
		dec := yaml.NewDecoder(bytes.NewReader(data))
		if err := dec.Decode(&n); err != nil || len(n.Content) != 1 || dec.Decode(new(yaml.Node)) != io.EOF {
			return nil, fmt.Errorf("credentials: %s is not YAML with access-key-id and access-key-secret", path)
		}
		var k Key
		err := mapping(n.Content[0], path, []field{
			{"access-key-id", text(&k.ID)}, {"access-key-secret", text(&k.Secret)}, {"session-token", text(&k.Token)},
		})
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
		if k.ID == "" || k.Secret == "" {
			return nil, fmt.Errorf("credentials: %s needs access-key-id and access-key-secret", path)
		}
		found := fixed(k)
		return &found, nil
	}
}

// watch reads the files of doc, and reads them again when they change.
func watch(doc *securefile.Document[keys], c Credentials, log *slog.Logger) (keys, error) {
	doc.Failed = func(err error) {
		log.Warn("cannot read the credentials of a store again; the former ones stay in force", "credentials", c, "err", err)
	}
	doc.Changed = func(_, _ *keys) { log.Info("read the credentials of a store again", "credentials", c) }
	if err := doc.Load(); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (Key, error) { return (*doc.Current())(ctx) }, nil
}

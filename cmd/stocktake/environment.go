package main

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/stocktake/stocktake/internal/kms"
	"github.com/stocktake/stocktake/internal/server"
)

// masterEnv is the environment variable of the master key. With it, a copy of the data folder alone
// cannot be decrypted.
const masterEnv = "STOCKTAKE_MASTER_KEY"

// envKey reads the names that the official SDKs read. Half a key is an error: another key, with
// other rights, would be used instead.
func envKey() (k server.AccessKey, ok bool, err error) {
	k = server.AccessKey{ID: os.Getenv("OSS_ACCESS_KEY_ID"), Secret: os.Getenv("OSS_ACCESS_KEY_SECRET"), Token: os.Getenv("OSS_SESSION_TOKEN")}
	if (k.ID == "") != (k.Secret == "") {
		return k, false, usagef("OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET: set both or neither")
	}
	return k, k.ID != "", nil
}

// envMaster reads the master key; nil if it is not set.
func envMaster() ([]byte, error) {
	text := os.Getenv(masterEnv)
	if text == "" {
		return nil, nil
	}
	master, err := kms.ParseMaster(text)
	if err != nil {
		return nil, usagef("%s: %w", masterEnv, err)
	}
	return master, nil
}

// settingSource returns where a person sets a setting of the server: the flag
// of the same name, or the environment.
func settingSource(name string) string {
	switch name {
	case "access-key":
		return "OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET"
	case "master-key":
		return masterEnv
	case storesName:
		return "stores in the settings file"
	}
	return "--" + name
}

// variables assigns environment variables to flags: STOCKTAKE_ and the flag's name. Only the
// settings of the server and of the connection to one have them. An empty variable counts as unset.
// Flags that describe what one command does must be on its command line.
func variables(k *kong.Kong) error {
	return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
		node, ok := v.(*kong.Node)
		if ok {
			for _, f := range node.Flags {
				ofServer := node.Name == "serve" && (isSetting(f) || f.Name == "config")
				if f.Name == storesName {
					continue // a list of entries is too much for a variable
				}
				if !ofServer && (f.Group == nil || f.Group.Key != "Connection") {
					continue
				}
				f.Envs = []string{envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))}
				f.Tag.Envs = f.Envs
				if os.Getenv(f.Envs[0]) == "" { // kong would read an empty variable as a value
					if err := os.Unsetenv(f.Envs[0]); err != nil {
						return err
					}
				}
			}
		}
		return next(nil)
	})
}

const envPrefix = "STOCKTAKE_"

// foreignVariables are the variables that Kubernetes sets in every pod if a service is called
// stocktake.
var foreignVariables = regexp.MustCompile(`^STOCKTAKE_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// unknownVariables refuses unknown environment variables with our prefix, because they are probably
// misspelt.
func unknownVariables(app *kong.Application) error {
	known := []string{masterEnv}
	_ = kong.Visit(app, func(v kong.Visitable, next kong.Next) error { // fails only if the function does
		if node, ok := v.(*kong.Node); ok {
			for _, f := range node.Flags {
				known = append(known, f.Envs...)
			}
		}
		return next(nil)
	})
	for _, v := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(v, "=")
		if value == "" || !strings.HasPrefix(name, envPrefix) || slices.Contains(known, name) || foreignVariables.MatchString(name) {
			continue
		}
		near := ""
		for _, k := range known {
			if distance(name, k) <= 2 {
				near = " (did you mean " + k + "?)"
			}
		}
		return usagef("environment variable %s is unknown%s; variables set only the server and the connection to it", printable(name), near)
	}
	return nil
}

// unknownToAll is unknownVariables with the variables of all verbs.
func unknownToAll(con console) error {
	whole, err := newParser(new(cli), con)
	if err != nil {
		panic(err) // the command line's own definition is wrong
	}
	return unknownVariables(whole.Model)
}

// distance returns the number of bytes to insert, remove or replace to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			diagonal := left
			if a[i] != b[j] {
				diagonal = 1 + min(left, row[j], row[j+1])
			}
			left, row[j+1] = row[j+1], diagonal
		}
	}
	return row[len(b)]
}

package server

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each illegal value is refused with the name of its setting, before anything is created.
func TestConfigRefuses(t *testing.T) {
	for _, tt := range []struct {
		setting, text string
		change        func(*Config)
	}{
		{"listen", `"nonsense" is not an address`, func(c *Config) { c.Listen = "nonsense" }},
		{"listen", "no port between 0 and 65535", func(c *Config) { c.Listen = "127.0.0.1:70000" }},
		{"listen", "is not an address", func(c *Config) { c.Listen = "http://127.0.0.1:9000" }},
		{"listen-tls", "needs --tls-cert", func(c *Config) { c.ListenTLS = "127.0.0.1:0" }},
		{"tls-cert", "together", func(c *Config) { c.TLSCert = "cert.pem" }},
		{"tls-cert", "nowhere.pem", func(c *Config) { c.TLSCert, c.TLSKey = "nowhere.pem", "nowhere.key" }},
		{"account-id", `"abc" is not an account id`, func(c *Config) { c.AccountID = "abc" }},
		{"region", `"a b"`, func(c *Config) { c.Region = "a b" }},
		{"region", `"oss.cn"`, func(c *Config) { c.Region = "oss.cn" }},
		{"base-host", `"http://x" is not a host name`, func(c *Config) { c.BaseHosts = []string{"http://x"} }},
		{"base-host", `"a..b"`, func(c *Config) { c.BaseHosts = []string{"a..b"} }},
		{"cname", "http://x=photos", func(c *Config) { c.CNAMEs = map[string]string{"http://x": "photos"} }},
		{"cname", "a.example.com=B_B", func(c *Config) { c.CNAMEs = map[string]string{"a.example.com": "B_B"} }},
		{"access-key", "together", func(c *Config) { c.RootKey.ID = "id" }},
		{"access-key", `"a b" is not the id`, func(c *Config) { c.RootKey = AccessKey{ID: "a b", Secret: "s"} }},
		{"master-key", "32 bytes", func(c *Config) { c.MasterKey = []byte("short") }},
		{"max-runs", "at least 1", func(c *Config) { c.MaxRuns = -1 }},
		{"max-runs", "at most 1000", func(c *Config) { c.MaxRuns = 1001 }},
		{"slices", "at most 1000", func(c *Config) { c.Slices = 1e9 }},
		{"scan-workers", "at most 1000", func(c *Config) { c.ScanWorkers = 1e9 }},
		{"name", `"a\nb" is not a name`, func(c *Config) { c.Name = "a\nb" }},
		{"name", "up to 100 bytes", func(c *Config) { c.Name = strings.Repeat("a", 101) }},
		{"metrics-listen", "127.0.0.1:9 is already the address of --listen", func(c *Config) { c.Listen, c.MetricsListen = "127.0.0.1:9", "127.0.0.1:9" }},
		{"console-listen", "is already the address of --metrics-listen", func(c *Config) { c.MetricsListen, c.ConsoleListen = "127.0.0.1:9", "127.0.0.1:9" }},
		{"scan-share", "at most 1", func(c *Config) { c.ScanShare = 1.5 }},
		{"schedule-hour", "0 to 23", func(c *Config) { c.ScheduleHour = 24 }},
		{"spread", "less than 24h", func(c *Config) { c.Spread = 24 * time.Hour }},
		{"cache-size", "at least 1MiB", func(c *Config) { c.CacheSize = 1 }},
		{"journal-size", "at least 1MiB", func(c *Config) { c.JournalSize = 1 }},
		{"webhook", "must begin with http:// or https://", func(c *Config) { c.Webhooks = map[string]string{"ops": "ftp://h"} }},
		{"webhook", "must begin with http:// or https://", func(c *Config) { c.Webhooks = map[string]string{"ops": "http://:80"} }},
		{"webhook", "can be printed", func(c *Config) { c.Webhooks = map[string]string{"a\nb": "http://h"} }},
		{"webhook", "1 to 100 bytes", func(c *Config) { c.Webhooks = map[string]string{"": "http://h"} }},
		{"webhook-events", "not one of", func(c *Config) { c.WebhookEvents = append(c.WebhookEvents, "done") }},
		{"access-file", "nowhere.yaml", func(c *Config) { c.AccessFile = "nowhere.yaml" }},
		{"webhook-secret-file", "nowhere.secret", func(c *Config) {
			c.Webhooks = map[string]string{"ops": "http://h"}
			c.WebhookSecretFile = "nowhere.secret"
		}},
		{"data", "is not a folder", func(c *Config) {
			c.Data += ".file"
			if err := os.WriteFile(c.Data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.setting, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			cfg := Config{Data: data, Listen: "127.0.0.1:0"}
			tt.change(&cfg)
			for what, open := range map[string]func() error{
				"New":   func() error { s, err := New(t.Context(), cfg); return errors.Join(err, closed(s)) },
				"Check": func() error { return Check(cfg) },
			} {
				err := open()
				bad, ok := errors.AsType[*SettingError](err)
				if !ok || bad.Setting != tt.setting || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%s: %v; want %q in an error of %s", what, err, tt.text, tt.setting)
				}
			}
			if _, err := os.Stat(data); err == nil {
				t.Error("a data folder was made")
			}
		})
	}
}

func closed(s *Server) error {
	if s == nil {
		return nil
	}
	return s.Close()
}

// A start that fails leaves neither a folder nor a key that was never shown.
func TestFailedStartLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := Config{Data: filepath.Join(t.TempDir(), "data"), Listen: taken.Addr().String()}
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Fatalf("%v; want that the address is in use", err)
	}
	if _, err := os.Stat(cfg.Data); err == nil {
		t.Error("a data folder was made")
	}

	// A failure inside the folder: the catalog cannot be opened.
	cfg.Listen = "127.0.0.1:0"
	if err := os.MkdirAll(Folder(cfg.Data).Catalog(), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg); err == nil {
		t.Fatal("a folder was opened as a catalog")
	}
	if _, err := os.Stat(Folder(cfg.Data).RootKey()); err == nil {
		t.Error("a root key was kept")
	}
	if err := os.Remove(Folder(cfg.Data).Catalog()); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, made := s.RootKey()
	if kept, err := ReadRootKey(Folder(cfg.Data)); !made || err != nil || kept != key {
		t.Errorf("made %v; kept %v, %v", made, kept, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// The command line shows the zero value as defaults.
func TestConfigDefaults(t *testing.T) {
	cfg := Config{Data: "x"}.withDefaults()
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	again := cfg.withDefaults()
	if again.Listen != DefaultListen || again.AccountID != DefaultAccount || again.CacheSize != DefaultCacheSize || again.ScheduleZone.String() != "UTC+8" {
		t.Errorf("defaults are %+v", again)
	}
}

package server

import (
	"cmp"
	"crypto/rand"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/stocktake/stocktake/internal/inventory"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/notify"
	"github.com/stocktake/stocktake/internal/securefile"
)

// hooks returns the receivers of notices that the settings name.
func (s *Server) hooks(cat inventory.NoticeCatalog, counts *metrics.Metrics) (*notify.Notifier, error) {
	var hooks []notify.Webhook
	if len(s.cfg.Webhooks) > 0 {
		secret, err := s.webhookSecret()
		if err != nil {
			return nil, err
		}
		for name, url := range s.cfg.Webhooks {
			hooks = append(hooks, notify.Webhook{Name: name, URL: url, Secret: secret, Events: s.cfg.WebhookEvents})
		}
		slices.SortFunc(hooks, func(a, b notify.Webhook) int { return strings.Compare(a.Name, b.Name) })
	}
	h, err := notify.New(cat, hooks, notify.Options{Clock: s.clock, Log: s.log, Attempted: counts.NoticeAttempted})
	if err != nil {
		return nil, &SettingError{"webhook", err}
	}
	return h, nil
}

// webhookSecret reads the secret that signs notices, or creates it.
func (s *Server) webhookSecret() ([]byte, error) {
	path := cmp.Or(s.cfg.WebhookSecretFile, s.folder.WebhookSecret())
	b, err := securefile.Read(path, 4<<10)
	if errors.Is(err, fs.ErrNotExist) && s.cfg.WebhookSecretFile == "" {
		b = []byte(rand.Text() + rand.Text())
		return b, securefile.Replace(path, append(slices.Clone(b), '\n'))
	}
	if err != nil {
		return nil, &SettingError{"webhook-secret-file", err}
	}
	b = []byte(strings.TrimSpace(string(b)))
	if len(b) < 16 {
		return nil, badSetting("webhook-secret-file", "%s: a secret has at least 16 bytes", path)
	}
	return b, nil
}

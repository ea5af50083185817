package server

import (
	"errors"
	"io/fs"
	"os"

	"github.com/stocktake/stocktake/internal/ram"
)

// checkFiles checks the files and folders in the settings before anything is created, and finds or
// generates the root access key.
func (s *Server) checkFiles() error {
	st, err := os.Stat(s.cfg.Data)
	switch {
	case err == nil && !st.IsDir():
		return badSetting("data", "%s is not a folder", s.cfg.Data)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return &SettingError{"data", err}
	}
	if s.key, s.keyMade, err = rootKey(&s.cfg); err != nil {
		return err
	}
	// A directory of accounts in memory checks the account, its key and the declared file without
	// the data folder.
	_, err = ram.Open("", s.root(), s.accountOptions())
	switch {
	case errors.Is(err, ram.ErrInvalidName) && s.cfg.AccessFile == "":
		return badSetting("access-key", "%q is not the id of an access key", s.key.ID)
	case err != nil:
		return &SettingError{"access-file", err}
	}
	if err := s.checkStores(); err != nil {
		return err
	}
	if err := s.checkMetricsToken(); err != nil {
		return err
	}
	if err := s.checkLogs(); err != nil {
		return err
	}
	if s.cfg.WebhookSecretFile != "" {
		_, err = s.webhookSecret()
	}
	return err
}

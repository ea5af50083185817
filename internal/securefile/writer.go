package securefile

import (
	"io/fs"
	"os"
	"os/user"
)

// LastWriter returns the user of this machine who owns the file that was changed
// last, as "name (uid 1000)"; empty if it is not known. Replace makes files of the
// user who runs the process.
func LastWriter(paths ...string) string {
	var last fs.FileInfo
	for _, path := range paths {
		if path == "" {
			continue
		}
		if st, err := os.Stat(path); err == nil && (last == nil || st.ModTime().After(last.ModTime())) {
			last = st
		}
	}
	if last == nil {
		return ""
	}
	uid := ownerID(last)
	if uid == "" {
		return ""
	}
	if u, err := user.LookupId(uid); err == nil {
		return u.Username + " (uid " + uid + ")"
	}
	return "uid " + uid
}

package securefile

import (
	"os"
	"os/user"
)

// LastWriter returns the user of this machine who owns a file, as "name (uid
// 1000)"; empty if that is not known. Replace makes files of the user who runs the process.
func LastWriter(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	uid := ownerID(info)
	if uid == "" {
		return ""
	}
	if u, err := user.LookupId(uid); err == nil {
		return u.Username + " (uid " + uid + ")"
	}
	return "uid " + uid
}

package ram

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// randomText returns n random letters and digits, about 5.95 bits each.
func randomText(r io.Reader, n int) (string, error) {
	out := make([]byte, 0, n)
	buf := make([]byte, n)
	for len(out) < n {
		if _, err := io.ReadFull(r, buf); err != nil {
			return "", err
		}
		for _, b := range buf {
			// 248 is the largest multiple of 62 in a byte: greater bytes would favor some
			// characters.
			if b < 248 && len(out) < n {
				out = append(out, alphanumeric[b%62])
			}
		}
	}
	return string(out), nil
}

// newSecretKey makes an access key in the form of Alibaba Cloud's.
func newSecretKey(r io.Reader, prefix string) (id, secret string, err error) {
	if id, err = randomText(r, 20); err != nil {
		return "", "", err
	}
	if secret, err = randomText(r, 30); err != nil {
		return "", "", err
	}
	return prefix + id, secret, nil
}

// newUID makes a UID of 18 digits that starts with first.
func newUID(r io.Reader, first string) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", err
	}
	return uid(first, binary.BigEndian.Uint64(b[:])), nil
}

func uid(first string, n uint64) string {
	return fmt.Sprintf("%s%017d", first, n%1e17)
}

// First digits of UIDs, as on Alibaba Cloud.
const (
	userUID = "2"
	roleUID = "3"
)

// identify sets the ids of users and roles that are declared without one. The id is
// derived from the name, so that it is the same after every start.
func (d *Directory) identify(f *file) error {
	derive := func(parts ...string) uint64 {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
		return binary.BigEndian.Uint64(sum[:])
	}
	for _, a := range f.Accounts {
		for _, u := range a.Users {
			if u.ID == "" {
				u.ID = uid(userUID, derive("user", a.ID, u.Name))
			}
		}
		for _, r := range a.Roles {
			if r.ID == "" {
				r.ID = uid(roleUID, derive("role", a.ID, r.Name))
			}
		}
	}
	return nil
}

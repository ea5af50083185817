package postgres

import (
	"errors"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendTimeout is how long sent data may stay unacknowledged, in milliseconds.
const sendTimeout = 20_000

// boundSends ends a connection that is cut off while it sends. Keepalives do not
// cover this case.
func boundSends(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, sendTimeout)
	})
	return errors.Join(err, set)
}

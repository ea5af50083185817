package postgres

import (
	"errors"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// sendTimeout is how long what was sent may stay without the other side's
// acknowledgement, in milliseconds.
const sendTimeout = 20_000

// boundSends ends a connection that is cut off while something is being sent,
// where keepalives are not.
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

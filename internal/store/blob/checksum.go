package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A blob file ends with the checksums of its bytes as they are stored, so of
// encrypted ones where the blob is encrypted: a CRC-32C of each block of
// BlockSize bytes, the last one shorter, 4 bytes little-endian each. Blobs of
// stores before layout 3 have none.
const (
	// BlockSize is how many bytes have one checksum. A read of a single byte has to
	// check a whole block; larger blocks would make small ranges slow.
	BlockSize = 64 << 10

	sumSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged means that stored bytes are not those that were written.
var ErrDamaged = errors.New("stored bytes are damaged")

// FileSize returns the size of the file of a blob of n stored bytes, checksums
// included.
func FileSize(n int64) int64 { return n + (n+BlockSize-1)/BlockSize*sumSize }

// check compares data, whole blocks from the given one on, with their
// checksums.
func check(id uint64, block int64, data, list []byte) error {
	for ; len(data) > 0; block++ {
		n := min(len(data), BlockSize)
		if len(list) < sumSize || crc32.Checksum(data[:n], castagnoli) != binary.LittleEndian.Uint32(list) {
			return fmt.Errorf("%w: blob %x, bytes %d to %d", ErrDamaged, id, block*BlockSize, block*BlockSize+int64(n)-1)
		}
		data, list = data[n:], list[sumSize:]
	}
	return nil
}

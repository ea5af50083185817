package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A blob file ends with the checksums of its stored bytes, which are encrypted if the blob is: a
// CRC-32C of each block of BlockSize bytes, 4 bytes little-endian each; the last block may be
// shorter. Blobs written before layout 3 have none.
const (
	// BlockSize is the number of bytes per checksum. A read of a single byte has to check a whole
	// block; larger blocks would slow down small ranges.
	BlockSize = 64 << 10

	sumSize = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ErrDamaged reports stored bytes that differ from the written ones.
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

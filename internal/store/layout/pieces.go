package layout

import (
	"encoding/binary"
	"fmt"
)

// A piece is one blob of content with several blobs. Space C lists the pieces in their order:
//
//	kind, 1 byte | blob id, 8 bytes | size without encryption, 8 bytes; little-endian
type Piece struct {
	Content
	Size int64
}

const pieceLen = 1 + 8 + 8

// AppendPieces appends the value of a map of pieces.
func AppendPieces(dst []byte, pieces []Piece) []byte {
	for _, p := range pieces {
		dst = binary.LittleEndian.AppendUint64(append(dst, byte(p.Kind)), p.ID)
		dst = binary.LittleEndian.AppendUint64(dst, uint64(p.Size))
	}
	return dst
}

// DecodePieces reads the value of map id.
func DecodePieces(id uint64, value []byte) ([]Piece, error) {
	if len(value)%pieceLen != 0 {
		return nil, fmt.Errorf("%w: map %x", ErrMalformed, id)
	}
	pieces := make([]Piece, 0, len(value)/pieceLen)
	for ; len(value) > 0; value = value[pieceLen:] {
		pieces = append(pieces, Piece{
			Content{Kind(value[0]), binary.LittleEndian.Uint64(value[1:])},
			int64(binary.LittleEndian.Uint64(value[9:])),
		})
	}
	return pieces, nil
}

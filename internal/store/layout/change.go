package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/stocktake/stocktake"
	"github.com/stocktake/stocktake/internal/object"
)

// A Change is one entry of a journal as the index keeps it:
//
//	J | bucket, 4 bytes big-endian | sequence, 8 bytes big-endian
//
// internal/journal defines the changes and their types.
type Change struct {
	Type  byte
	Flags ChangeFlags
	By    object.Origin
	Row   *Row // after the change; for a removed version, only its key, number and FlagNull are kept
}

// ChangeFlags are the flags of a change.
type ChangeFlags byte

// The flags of changes, in the value of an entry.
const (
	ChangePermanent ChangeFlags = 1 << iota
	ChangeRevealed
	ChangeLatest
	ChangeVersioned // the bucket shows ids of versions
	changeNull      // the version is the null version of its key
)

// ChangePlace is the place of an entry in the journal. It is known only when the
// order of commits is decided.
type ChangePlace struct {
	Time    int64  // Unix milliseconds
	Ordinal uint64 // 1 for the first entry of the journal, then consecutive
	Bytes   uint64 // of keys and values of all entries of the journal up to this one
}

// The value of an entry begins with fields at fixed offsets, little-endian.
const (
	changeFormat  = 0  // 1 byte, 1
	changeType    = 1  // 1 byte
	changeFlags   = 2  // 1 byte
	changeTime    = 4  // 8 bytes
	changeOrdinal = 12 // 8 bytes
	changeBytes   = 20 // 8 bytes
	changeVersion = 28 // 8 bytes, number of the version
	changeHead    = 36 // then key, requester, request and address, each with its length before it, and the hot part of the row
)

// ChangeKeyLen is the length of the key of an entry.
const ChangeKeyLen = BucketHeadLen + SeqLen

// AppendChangeKey appends the key of the entry with a sequence number.
func AppendChangeKey(dst []byte, bucket uint32, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendBucketHead(dst, SpaceJournal, bucket), seq)
}

// ChangeSeq returns the sequence number of the entry with a key.
func ChangeSeq(key []byte) (seq uint64, ok bool) {
	if len(key) != ChangeKeyLen {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[BucketHeadLen:]), true
}

// AppendChange appends the value of the entry of c, whose place is still to be
// set.
func AppendChange(dst []byte, c *Change) []byte {
	flags := c.Flags
	if c.Row.Null {
		flags |= changeNull
	}
	dst = append(dst, 1, c.Type, byte(flags), 0)
	dst = append(dst, make([]byte, changeVersion-changeTime)...)
	dst = binary.LittleEndian.AppendUint64(dst, c.Row.Seq)
	dst = appendText(dst, c.Row.Info.Key)
	dst = appendText(dst, c.By.Principal)
	dst = appendText(dst, c.By.Request)
	var address [64]byte
	text := address[:0]
	if c.By.Address.IsValid() {
		text = c.By.Address.Unmap().AppendTo(text)
	}
	dst = appendText(dst, text)
	if flags&ChangePermanent == 0 {
		dst, _ = appendHot(dst, c.Row)
	}
	return dst
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// SetPlace stores the place in the value of an entry.
func SetPlace(value []byte, p ChangePlace) {
	binary.LittleEndian.PutUint64(value[changeTime:], uint64(p.Time))
	binary.LittleEndian.PutUint64(value[changeOrdinal:], p.Ordinal)
	binary.LittleEndian.PutUint64(value[changeBytes:], p.Bytes)
}

// Place returns the place that the value of an entry has.
func Place(value []byte) (ChangePlace, error) {
	if len(value) < changeHead || value[changeFormat] != 1 {
		return ChangePlace{}, fmt.Errorf("%w: change %x", ErrMalformed, value)
	}
	return ChangePlace{
		Time:    int64(binary.LittleEndian.Uint64(value[changeTime:])),
		Ordinal: binary.LittleEndian.Uint64(value[changeOrdinal:]),
		Bytes:   binary.LittleEndian.Uint64(value[changeBytes:]),
	}, nil
}

// A StoredChange is the decoded value of an entry. Its slices point into the value.
type StoredChange struct {
	ChangePlace
	Type      byte
	Flags     ChangeFlags
	Version   uint64 // number of the version
	Null      bool   // it is the null version
	Requester []byte // empty: the service
	Request   []byte
	Address   []byte
	Record    stocktake.Record // without VersionID
}

// DecodeChange reads the value of an entry into c, which is overwritten. It does
// not allocate.
func DecodeChange(value []byte, c *StoredChange) error {
	place, err := Place(value)
	if err != nil {
		return err
	}
	flags := ChangeFlags(value[changeFlags])
	*c = StoredChange{
		ChangePlace: place, Type: value[changeType], Flags: flags &^ changeNull, Null: flags&changeNull != 0,
		Version: binary.LittleEndian.Uint64(value[changeVersion:]),
	}
	rest := value[changeHead:]
	var key []byte
	for _, field := range []*[]byte{&key, &c.Requester, &c.Request, &c.Address} {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return fmt.Errorf("%w: change %x", ErrMalformed, value)
		}
		*field = rest[n : n+int(size) : n+int(size)]
		rest = rest[n+int(size):]
	}
	if bytes.HasPrefix(c.Requester, servicePrefix) {
		c.Requester = nil
	}
	if flags&ChangePermanent == 0 {
		if len(rest) < HotLen || rest[HotFormat] != RowFormat {
			return fmt.Errorf("%w: change %x", ErrMalformed, value)
		}
		DecodeHot(rest, &c.Record)
		if rest[HotMore] != 0 {
			if err := DecodeMore(rest, &c.Record); err != nil {
				return err
			}
		}
	}
	c.Record.Key, c.Record.IsLatest = key, flags&ChangeLatest != 0
	return nil
}

var servicePrefix = []byte(object.ServicePrefix)

// ChangedKey returns the object key in the value of an entry, nil if it has none.
func ChangedKey(value []byte) []byte {
	if len(value) < changeHead {
		return nil
	}
	size, n := binary.Uvarint(value[changeHead:])
	if n <= 0 || size > uint64(len(value)-changeHead-n) {
		return nil
	}
	return value[changeHead+n : changeHead+n+int(size)]
}

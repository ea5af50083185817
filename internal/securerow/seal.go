package securerow

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// Reasons why a row cannot be read.
var (
	// ErrOtherMaster is a row that was sealed with another master key.
	ErrOtherMaster = errors.New("it is encrypted with another master key: give all machines the same key")
	// ErrDamaged is a row that was changed by something else than this program.
	ErrDamaged = errors.New("it is damaged, or was changed by another program: restore the database from a backup")
	// ErrFormat is a row of a form that this version does not know.
	ErrFormat = errors.New("it has a format unknown to this version: run the version that wrote it")
)

// Forms of what is in a row; see docs/formats/documents.md.
const (
	sealVersion = 1
	sealContext = "stocktake document 1\x00" // and name, 00, version: what is sealed is bound to its row

	masterSize = 32

	headSize = 1 + idSize
	idSize   = 8
)

// A sealer encrypts and authenticates documents.
type sealer struct {
	aead cipher.AEAD
	id   []byte // of the master key; nothing of the key can be read from it
	mac  []byte // key of digests
}

// newSealers returns those of master keys, which stand one after the other.
func newSealers(masters []byte) (all []*sealer, err error) {
	if len(masters) == 0 || len(masters)%masterSize != 0 {
		return nil, fmt.Errorf("a master key has exactly %d bytes", masterSize)
	}
	for master := range slices.Chunk(masters, masterSize) {
		s, err := newSealer(master)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// unseal opens a row and returns the sealer of its master key.
func (t *Table) unseal(name string, version int64, content []byte) (document []byte, by *sealer, err error) {
	for _, by = range t.seals {
		if document, err = by.open(name, version, content); !errors.Is(err, ErrOtherMaster) {
			break
		}
	}
	if err == nil {
		t.seal.Store(by)
	}
	return document, by, err
}

// newSealer derives what it needs from a master key.
func newSealer(master []byte) (*sealer, error) {
	derive := func(what string, n int) ([]byte, error) {
		return hkdf.Key(sha256.New, master, nil, "stocktake documents 1 "+what, n)
	}
	key, err := derive("key", 32)
	if err != nil {
		return nil, err
	}
	id, err := derive("id", idSize)
	if err != nil {
		return nil, err
	}
	mac, err := derive("digests", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{aead, id, mac}, err
}

func associatedData(name string, version int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(sealContext+name+"\x00"), uint64(version))
}

// seal returns
//
//	version 1, 1 byte | id of the master key, 8 bytes | nonce, 12 bytes | AES-256-GCM of the document
func (s *sealer) seal(name string, version int64, document []byte) []byte {
	head := append([]byte{sealVersion}, s.id...)
	return s.aead.Seal(head, nil, document, associatedData(name, version))
}

// open is the inverse of seal.
func (s *sealer) open(name string, version int64, content []byte) ([]byte, error) {
	switch {
	case len(content) > 0 && content[0] != sealVersion:
		return nil, ErrFormat
	case len(content) < headSize:
		return nil, ErrDamaged
	case !bytes.Equal(content[1:headSize], s.id):
		return nil, fmt.Errorf("%w (it has %x, this one has %x)", ErrOtherMaster, content[1:headSize], s.id)
	}
	document, err := s.aead.Open(nil, nil, content[headSize:], associatedData(name, version))
	if err != nil {
		return nil, ErrDamaged
	}
	return document, nil
}

// digest returns a text that differs if one of the values does. Who does not have the master
// key cannot tell values by it.
func (s *sealer) digest(values ...[]byte) string {
	h := hmac.New(sha256.New, s.mac)
	for _, v := range values {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(v))))
		h.Write(v)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
